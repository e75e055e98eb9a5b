//! Bad input (C8): each has its outcome, and one bad entry never stops the rest. The table stands in `docs/calendar.md`.

use advosync_sandbox::Fields;
use chrono::Days;
use serde_json::{Value, json};

use super::series_support::{Office, at, date_of, day, is, recurring};

/// A Termin and an event that nothing is wrong with, synced and edited beside the bad ones.
struct Good {
    number: i64,
    event: String,
}

impl Good {
    async fn new(office: &Office) -> Self {
        office.sync().await;
        let number = office.termin(&json!({ "text": "gut", "datum": day(2) }));
        let event = office.event(&json!({ "summary": "auch gut", "start": at(day(2), 14), "end": at(day(2), 15) }));
        Self { number, event }
    }

    /// Both get over, and so do edits of them.
    async fn go_over(&self, office: &Office) {
        assert_eq!(office.event_of(self.number)["summary"], "gut");
        let other = office.on("auch gut", day(2))["frNr"].as_i64().unwrap();
        office.edit(self.number, &json!({ "ort": "Saal 1" }));
        let people = office.world.sandbox.people();
        people.google_update(&office.calendar(), &self.event, &json!({ "location": "Saal 2" })).unwrap();
        office.synced().await;
        assert_eq!(office.event_of(self.number)["location"], "Saal 1");
        assert_eq!(office.get(other).unwrap()["ort"], "Saal 2");
        office.unchanged().await;
    }
}

fn told(detail: &Value, kind: &str, about: &impl ToString) -> bool {
    detail[kind].to_string().contains(&about.to_string())
}

fn start(event: &Fields) -> &Value {
    if event["start"]["dateTime"].is_string() { &event["start"]["dateTime"] } else { &event["start"]["date"] }
}

fn event_titled(office: &Office, title: &str) -> Fields {
    let mut found = office.events();
    found.retain(|event| is(event, "summary", title));
    assert_eq!(found.len(), 1, "{title}: {found:?}");
    found.remove(0)
}

#[tokio::test]
async fn termine_without_a_usable_date_are_reported_and_passed_over() {
    let office = Office::with("SB", &[]).await;
    let good = Good::new(&office).await;
    let until = day(5);
    let bad = [
        json!({ "datum": null, "datumBis": until }),
        json!({ "datum": "0001-01-01T00:00:00", "datumBis": until }),
        json!({ "datum": "", "datumBis": until }),
        json!({ "datum": "2026-02-30", "datumBis": until }),
        json!({ "datum": "irgendwann", "datumBis": "irgendwann" }),
        json!({ "datum": 20_260_101, "datumBis": until }),
    ];
    let numbers: Vec<i64> = bad.iter().map(|values| office.termin(values)).collect();
    // Not in any window, so in no list.
    office.termin(&json!({ "datum": "9999-12-31" }));
    let before = office.world.sandbox.people().advoware_list("Termine").len();
    let detail = office.synced().await;
    assert_eq!(office.events().len(), 2);
    assert_eq!(office.world.sandbox.people().advoware_list("Termine").len(), before + 1, "the good event's Termin");
    for number in &numbers {
        let listed = office.get(*number).unwrap()["datum"] != "irgendwann";
        assert_eq!(told(&detail, "unreadable_termin", number), listed, "{number}: {detail}");
    }
    good.go_over(&office).await;
}

#[tokio::test]
async fn a_known_termin_that_loses_its_date_keeps_its_event() {
    let office = Office::with("SB", &[]).await;
    let good = Good::new(&office).await;
    let kept = ["0001-01-01T00:00:00", "9999-12-31"]
        .map(|date| (office.termin(&json!({ "text": date, "datum": day(3) })), date));
    office.synced().await;
    for (number, date) in kept {
        office.edit(number, &json!({ "datum": date, "datumBis": date }));
    }
    office.unchanged().await;
    for (number, date) in kept {
        assert_eq!(start(&office.event_of(number)).as_str().unwrap()[..10], day(3).to_string(), "{date}");
        office.edit(number, &json!({ "datum": day(4), "datumBis": day(4) }));
    }
    office.synced().await;
    for (number, date) in kept {
        assert_eq!(start(&office.event_of(number)).as_str().unwrap()[..10], day(4).to_string(), "{date}");
    }
    good.go_over(&office).await;
}

#[tokio::test]
async fn odd_times_and_turnus_get_a_defined_form() {
    let office = Office::with("SB", &[]).await;
    let good = Good::new(&office).await;
    let on = day(3);
    let check = |values: Value, from: &str, to: &str, remark: &'static str| {
        let mut values = values;
        values["text"] = json!(values.to_string());
        if values["datum"].is_null() {
            values["datum"] = json!(on);
        }
        let number = office.termin(&values);
        (number, from.to_owned(), to.to_owned(), remark)
    };
    let next = on + Days::new(1);
    let made = [
        check(json!({ "uhrzeitVon": null, "uhrzeitBis": null }), "T09:00:00", "T10:00:00", ""),
        check(json!({ "uhrzeitVon": null, "uhrzeitBis": null, "datumBis": null }), "T09:00:00", "T10:00:00", ""),
        check(json!({ "uhrzeitVon": "14:00:00", "uhrzeitBis": null }), "T14:00:00", "T15:00:00", "reversed"),
        check(json!({ "uhrzeitVon": "14:00:00", "uhrzeitBis": "13:00:00" }), "T14:00:00", "T15:00:00", "reversed"),
        check(json!({ "uhrzeitVon": "25:99", "uhrzeitBis": "12:00:00" }), "T09:00:00", "T12:00:00", "bad_time"),
        check(json!({ "datumBis": on - Days::new(3) }), "T09:00:00", "T10:00:00", "reversed"),
        check(json!({ "datumBis": "9999-12-31" }), "T09:00:00", "T10:00:00", ""),
        check(json!({ "datumBis": "0001-01-01T00:00:00" }), "T09:00:00", "T10:00:00", ""),
        check(json!({ "datumBis": "morgen" }), "T09:00:00", "T10:00:00", "bad_date"),
        check(
            json!({ "datum": format!("{on}T11:30:00.000"), "uhrzeitVon": null, "uhrzeitBis": "12:00:00" }),
            "T11:30:00",
            "T12:00:00",
            "",
        ),
        check(
            json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 9, "datumBis": next }),
            "T09:00:00",
            "T10:00:00",
            "unknown_turnus_art",
        ),
        check(
            json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 1, "datumBis": on - Days::new(1) }),
            "T09:00:00",
            "T10:00:00",
            "reversed",
        ),
    ];
    let before: Vec<_> = made.iter().map(|(number, ..)| office.get(*number)).collect();
    let detail = office.synced().await;
    // Sandbox and Advoware list by the last day, too: what ends before the window is in no list, and these all are in it.
    for (number, from, to, remark) in &made {
        let event = office.event_of(*number);
        let (starts, ends) = (&event["start"]["dateTime"], &event["end"]["dateTime"]);
        let is =
            |said: &Value, clock: &str| said.as_str().is_some_and(|said| said.starts_with(&format!("{on}{clock}")));
        assert!(is(starts, from) && is(ends, to), "{event:?}");
        assert_eq!(event.get("recurrence"), None);
        assert_eq!(told(&detail, "odd_termin", number), !remark.is_empty(), "{number} {remark}: {detail}");
        if !remark.is_empty() {
            assert!(told(&detail, "odd_termin", &format!("{number} ({remark}")), "{detail}");
        }
    }
    assert_eq!(made.iter().map(|(number, ..)| office.get(*number)).collect::<Vec<_>>(), before);
    good.go_over(&office).await;
}

#[tokio::test]
async fn texts_survive_as_far_as_both_sides_can_hold_them() {
    let office = Office::with("SB", &[]).await;
    let good = Good::new(&office).await;
    let titled = |title: &str, notiz: &str| office.termin(&json!({ "text": title, "notiz": notiz, "datum": day(3) }));
    let html = "<b>Wichtig</b> & <i>dringend</i><br/>a < b <Mandant> &amp; <script>x</script>";
    let made = [
        titled("html", html),
        titled("emoji 😀👩‍⚖️", "Notiz 🏛️\u{200d}"),
        titled("crlf", "eins\r\nzwei \r\n\r\ndrei"),
        titled("  blanks  ", "\tTab\t"),
        titled("", "ohne Titel"),
        titled(&"lang ".repeat(1000), "langer Titel"),
    ];
    let long = titled("long", &"0123456789äöüß😀\n".repeat(100 * 1024 / 20));
    let before: Vec<_> = made.iter().chain([&long]).map(|number| office.get(*number)).collect();
    office.synced().await;
    office.unchanged().await;
    let description = office.event_of(long)["description"].as_str().unwrap().to_owned();
    assert!(description.ends_with("(gekürzt, vollständig in Advoware)") && description.chars().count() <= 8192);
    // An edit of another field leaves every text as Advoware has it.
    let people = office.world.sandbox.people();
    for number in made.iter().chain([&long]) {
        let id = office.event_of(*number)["id"].as_str().unwrap().to_owned();
        people.google_update(&office.calendar(), &id, &json!({ "location": "Saal" })).unwrap();
    }
    office.synced().await;
    for (number, before) in made.iter().chain([&long]).zip(before) {
        let (now, before) = (office.get(*number).unwrap(), before.unwrap());
        assert_eq!(now["ort"], "Saal");
        assert_eq!((&now["text"], &now["notiz"]), (&before["text"], &before["notiz"]));
    }
    office.unchanged().await;
    // What was cut goes one way only.
    let id = office.event_of(long)["id"].as_str().unwrap().to_owned();
    people.google_update(&office.calendar(), &id, &json!({ "description": "kurz" })).unwrap();
    let detail = office.synced().await;
    assert!(told(&detail, "undone", &long), "{detail}");
    assert_eq!(office.event_of(long)["description"].as_str().unwrap(), description);
    // Markup of Google's comes back as people read it.
    let id = office.event_of(made[2])["id"].as_str().unwrap().to_owned();
    people.google_update(&office.calendar(), &id, &json!({ "description": "<p>eins</p><p>vier</p>" })).unwrap();
    office.synced().await;
    assert_eq!(office.get(made[2]).unwrap()["notiz"], "eins\r\nvier", "in the line ends that it had");
    good.go_over(&office).await;
}

#[tokio::test]
async fn equal_twins_stay_two() {
    let office = Office::with("SB", &[]).await;
    let good = Good::new(&office).await;
    for _ in 0..3 {
        office.termin(&json!({ "text": "Zwilling", "datum": day(3) }));
        office.event(&json!({ "summary": "Drilling", "start": at(day(3), 11), "end": at(day(3), 12) }));
    }
    office.synced().await;
    let count = |title: &str| office.events().iter().filter(|event| is(event, "summary", title)).count();
    assert_eq!((count("Zwilling"), count("Drilling")), (3, 3));
    assert_eq!((office.days("Zwilling").len(), office.days("Drilling").len()), (3, 3));
    office.unchanged().await;
    let one = office.termine().into_iter().find(|it| it["text"] == "Zwilling").unwrap()["frNr"].as_i64().unwrap();
    office.delete(one);
    let id = office.events().into_iter().find(|it| is(it, "summary", "Drilling")).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    office.world.sandbox.people().google_delete(&office.calendar(), &id).unwrap();
    office.synced().await;
    assert_eq!((count("Zwilling"), count("Drilling")), (2, 2));
    assert_eq!((office.days("Zwilling").len(), office.days("Drilling").len()), (2, 2));
    office.unchanged().await;
    office.lose_ledger();
    office.unchanged_after_loss().await;
    good.go_over(&office).await;
}

#[tokio::test]
async fn odd_events_of_google_get_a_defined_termin_or_a_report() {
    let office = Office::with("ÄB", &[]).await;
    let good = Good::new(&office).await;
    let (people, calendar, on) = (office.world.sandbox.people(), office.calendar(), day(3));
    let next = on + Days::new(1);
    let zoned = |at: &str, zone: &str| json!({ "dateTime": format!("{on}T{at}"), "timeZone": zone });
    // No title.
    office.event(&json!({ "location": "ohne Titel", "start": at(on, 8), "end": at(on, 9) }));
    // Another zone, of the IANA's and of Windows.
    let tokyo = json!({ "summary": "Tokio", "start": zoned("17:00:00+09:00", "Asia/Tokyo"), "end": zoned("18:00:00+09:00", "Asia/Tokyo") });
    office.event(&tokyo);
    let arrange = |id: &str, title: &str, more: Value| {
        let mut event = json!({ "summary": title, "status": "confirmed", "start": at(on, 8), "end": at(on, 9) });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        people.google_arrange(&calendar, id, &event).unwrap();
    };
    let windows = "W. Europe Standard Time";
    arrange("windows", "Windows", json!({ "start": zoned("10:00:00", windows), "end": zoned("11:00:00", windows) }));
    // Its instants are known all the same.
    let exact = |at: &str| json!({ "dateTime": format!("{on}T{at}+09:00"), "timeZone": "Tokyo Standard Time" });
    arrange("windowsexact", "Windows genau", json!({ "start": exact("17:00:00"), "end": exact("18:00:00") }));
    // Only RDATE.
    let dates = format!("RDATE;VALUE=DATE:{}", (on + Days::new(5)).format("%Y%m%d"));
    office
        .event(&json!({ "summary": "rdate", "start": { "date": on }, "end": { "date": next }, "recurrence": [dates] }));
    // Private.
    office.event(&json!({ "summary": "privat", "visibility": "private", "start": at(on, 8), "end": at(on, 9) }));
    // Ends before it begins.
    arrange("reversed", "verdreht", json!({ "start": at(on, 9), "end": at(on, 8) }));
    // A single instance of somebody else's series, as an invitation to it leaves it.
    let lone = json!({ "recurringEventId": "elsewhere", "originalStartTime": at(on, 8) });
    arrange("elsewhere_x", "einzelne Instanz", lone);
    // Nothing to be read.
    arrange("notimes", "keine Zeiten", json!({ "start": null, "end": null }));
    arrange("badrule", "Unsinn", json!({ "recurrence": ["RRULE:FREQ=NEVER"] }));
    arrange("badline", "Unsinn", json!({ "recurrence": ["Montags"] }));
    // A deleted series of which an exception was left.
    let gone = office.event(&recurring("weg", on, 8, &["RRULE:FREQ=DAILY;COUNT=3"]));
    people.google_edit_instance(&calendar, &gone, next, &json!({ "summary": "Ausnahme" })).unwrap();
    people.google_delete(&calendar, &gone).unwrap();

    let detail = office.synced().await;
    let clock = |title: &str| {
        let termin = office.on(title, on);
        (termin["uhrzeitVon"].as_str().unwrap().to_owned(), termin["uhrzeitBis"].as_str().unwrap().to_owned())
    };
    let hours = |from: &str, to: &str| (format!("{from}:00:00"), format!("{to}:00:00"));
    assert_eq!(office.on("", on)["ort"], "ohne Titel");
    // Tokyo is seven or eight hours ahead.
    assert!([hours("09", "10"), hours("10", "11")].contains(&clock("Tokio")), "{:?}", clock("Tokio"));
    assert_eq!(clock("Windows"), hours("10", "11"));
    assert_eq!(clock("Windows genau"), clock("Tokio"));
    assert_eq!(office.days("rdate"), [on, on + Days::new(5)]);
    assert_eq!(office.on("privat", on)["privat"], 1);
    assert_eq!(clock("verdreht"), hours("09", "10"));
    assert_eq!(clock("einzelne Instanz"), hours("08", "09"));
    assert!(
        told(&detail, "odd_event", &"windows (bad_zone)") && told(&detail, "odd_event", &"reversed (reversed)"),
        "{detail}"
    );
    for id in ["notimes", "badrule", "badline"] {
        assert!(told(&detail, "unreadable_event", &id), "{id}: {detail}");
    }
    for title in ["keine Zeiten", "Unsinn", "weg", "Ausnahme"] {
        assert_eq!(office.days(title), [], "{title}");
    }
    assert_eq!(office.termine().iter().filter(|it| it["anwalt"] == "ÄB").count(), office.termine().len());
    assert_eq!(event_titled(&office, "Tokio")["start"]["timeZone"], "Asia/Tokyo", "its zone stays");
    office.unchanged().await;
    good.go_over(&office).await;
}

#[tokio::test]
async fn a_series_in_another_zone_follows_its_own_clock() {
    let office = Office::with("SB", &[("CALENDAR_SYNC_PAST", "3660d"), ("CALENDAR_SYNC_FUTURE", "3660d")]).await;
    office.sync().await;
    // New York changes its clocks on 14 March 2027, Berlin on 28 March.
    let new_york = |clock: &str| json!({ "dateTime": format!("2027-03-08T{clock}"), "timeZone": "America/New_York" });
    office.event(&json!({ "summary": "Call", "start": new_york("09:00:00"), "end": new_york("10:00:00"),
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"] }));
    office.synced().await;
    let clocks: Vec<_> =
        office.termine().iter().map(|it| (date_of(it).to_string(), it["uhrzeitVon"].clone())).collect();
    let expected = [("2027-03-08", 15), ("2027-03-15", 14), ("2027-03-22", 14), ("2027-03-29", 15), ("2027-04-05", 15)];
    assert_eq!(clocks, expected.map(|(day, hour)| (day.to_owned(), json!(format!("{hour}:00:00")))));
    office.unchanged().await;
}

#[tokio::test]
async fn five_thousand_termine_in_one_calendar() {
    let office = Office::with("SB", &[]).await;
    for n in 0..5_000_u64 {
        office.termin(&json!({ "text": format!("Termin {n}"), "datum": day(0) + Days::new(n % 500) }));
    }
    let begun = std::time::Instant::now();
    let (_, detail) = office.sync_within(std::time::Duration::from_secs(110)).await;
    assert_eq!(detail["events_inserted"], 5_000, "{detail}");
    println!("5,000 Termine went over in {:.1?}", begun.elapsed());
    assert_eq!(office.events().len(), 5_000);
    let begun = std::time::Instant::now();
    office.unchanged().await;
    println!("5,000 unchanged pairs took {:.1?}", begun.elapsed());
}
