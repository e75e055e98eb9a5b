//! Series (C5): those that Advoware can express, both ways.

use chrono::{Datelike as _, Days, NaiveDate};
use serde_json::{Value, json};

use super::series_support::{Office, at, date_of, day, recurring, recurring_day};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[tokio::test]
async fn advoware_s_series_become_rules() {
    let office = Office::new("SB").await;
    let all_day = json!({ "uhrzeitVon": "00:00:00", "uhrzeitBis": "23:59:59" });
    let check = |title: &str, first: &str, until: Value, turnus: (i64, i64), whole: bool, rule: &str| {
        let mut values = json!({ "text": title, "datum": first, "datumBis": until, "dauertermin": 1,
            "turnus": turnus.0, "turnusArt": turnus.1 });
        if whole {
            values.as_object_mut().unwrap().extend(all_day.as_object().unwrap().clone());
        }
        (office.termin(&values), title.to_owned(), rule.to_owned())
    };
    let (winter, summer) = ("20251224T225959Z", "20270630T215959Z");
    let made = [
        // Seed 003's example.
        check("seed", "2025-12-01", json!("2025-12-24"), (3, 1), true, "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20251224"),
        check(
            "seed timed",
            "2025-12-01",
            json!("2025-12-24"),
            (3, 1),
            false,
            &format!("RRULE:FREQ=DAILY;INTERVAL=3;UNTIL={winter}"),
        ),
        check(
            "day",
            "2027-06-01",
            json!("2027-06-30"),
            (1, 1),
            false,
            &format!("RRULE:FREQ=DAILY;INTERVAL=1;UNTIL={summer}"),
        ),
        check(
            "week",
            "2027-06-01",
            json!("2027-06-30"),
            (2, 2),
            false,
            &format!("RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL={summer}"),
        ),
        check("31st", "2026-10-31", json!("2037-12-31"), (1, 3), false, "RRULE:FREQ=MONTHLY;INTERVAL=1"),
        check("leap", "2024-02-29", Value::Null, (1, 4), true, "RRULE:FREQ=YEARLY;INTERVAL=1"),
        check(
            "clock",
            "2027-03-14",
            json!("2027-11-14"),
            (1, 2),
            false,
            "RRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20271114T225959Z",
        ),
    ];
    office.synced().await;
    for (number, title, rule) in &made {
        assert_eq!(office.sent_event(title, 0)["recurrence"], json!([rule]), "{title}");
        office.event_of(*number);
    }
    assert_eq!(office.events().len(), made.len());
    office.unchanged().await;

    let seen = office.seen("31st", date("2026-10-01"), date("2027-06-01"));
    assert_eq!(
        seen,
        [
            "2026-10-31T09:00:00+01:00",
            "2026-12-31T09:00:00+01:00",
            "2027-01-31T09:00:00+01:00",
            "2027-03-31T09:00:00+02:00",
            "2027-05-31T09:00:00+02:00",
        ],
        "a month without a 31st has none"
    );
    assert_eq!(office.seen("leap", date("2024-01-01"), date("2033-01-01")), ["2024-02-29", "2028-02-29", "2032-02-29"]);
    let seen = office.seen("clock", date("2027-01-01"), date("2028-01-01"));
    assert_eq!(seen.len(), 36);
    assert!(seen.iter().all(|start| start.contains("T09:00:00+0")), "nine o'clock on the wall all year: {seen:?}");
    assert_eq!(office.seen("seed", date("2025-01-01"), date("2026-01-01")).len(), 8);
    assert_eq!(office.seen("seed timed", date("2025-01-01"), date("2026-01-01")).len(), 8);
}

#[tokio::test]
async fn rules_that_advoware_can_express_become_its_series() {
    let office = Office::new("SB").await;
    office.sync().await;
    let first = date("2027-06-01");
    // A Tuesday.
    let day_name = "TU";
    let day_rules = |lines: &[&str]| recurring_day("days", first, lines);
    let check = |body: Value, until: &'static str, turnus: (i64, i64), clock: (&'static str, &'static str)| {
        let id = office.event(&body);
        (id, body, until, turnus, clock)
    };
    let (nine, whole) = (("09:00:00", "10:00:00"), ("00:00:00", "23:59:59"));
    let of = |title: &str, lines: &[&str]| recurring(title, first, 9, lines);
    let made = [
        check(of("open", &["RRULE:FREQ=DAILY;INTERVAL=2"]), "2037-12-31", (2, 1), nine),
        check(of("until", &["RRULE:FREQ=WEEKLY;UNTIL=20270630T215959Z"]), "2027-06-30", (1, 2), nine),
        check(of("before its hour", &["RRULE:FREQ=WEEKLY;UNTIL=20270629T060000Z"]), "2027-06-28", (1, 2), nine),
        check(of("count", &["RRULE:FREQ=MONTHLY;COUNT=4"]), "2027-09-01", (1, 3), nine),
        check(of("year", &["RRULE:FREQ=YEARLY;COUNT=3"]), "2029-06-01", (1, 4), nine),
        check(of("own day", &[&format!("RRULE:FREQ=WEEKLY;BYDAY={day_name};COUNT=3")]), "2027-06-15", (1, 2), nine),
        check(of("month day", &["RRULE:FREQ=MONTHLY;BYMONTHDAY=1;UNTIL=20271231"]), "2027-12-31", (1, 3), nine),
        check(day_rules(&["RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20270624"]), "2027-06-24", (3, 1), whole),
    ];
    office.synced().await;
    assert_eq!(office.termine().len(), made.len());
    for (id, body, until, turnus, clock) in &made {
        let title = body["summary"].as_str().unwrap();
        let termin = office.on(title, first);
        let told = (&termin["dauertermin"], &termin["turnus"], &termin["turnusArt"]);
        assert_eq!(told, (&json!(1), &json!(turnus.0), &json!(turnus.1)), "{title}");
        assert!(termin["datumBis"].as_str().unwrap().starts_with(until), "{title}: {termin:?}");
        assert_eq!((&termin["uhrzeitVon"], &termin["uhrzeitBis"]), (&json!(clock.0), &json!(clock.1)), "{title}");
        let held = office.event_of(termin["frNr"].as_i64().unwrap());
        assert_eq!(held["id"], json!(id), "the person's own event");
        assert_eq!(held["recurrence"].as_array().map(Vec::len), Some(1), "{title} still recurs");
    }
    office.unchanged().await;
}

#[tokio::test]
async fn edits_of_a_series_go_both_ways() {
    let office = Office::new("SB").await;
    let number = office.termin(&json!({ "text": "Serie", "datum": "2027-06-01", "datumBis": "2027-06-30",
        "dauertermin": 1, "turnus": 1, "turnusArt": 2, "akte": "12/27" }));
    office.synced().await;
    let id = office.event_of(number)["id"].as_str().unwrap().to_owned();
    let people = office.world.sandbox.people();
    people.google_change_rule("AW-SB", &id, &["RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270731T215959Z"]).unwrap();
    office.synced().await;
    let termin = office.get(number).unwrap();
    assert_eq!((&termin["turnus"], &termin["datumBis"]), (&json!(2), &json!("2027-07-31")));
    assert_eq!(termin["akte"], "12/27", "what nobody knows survives");
    office.unchanged().await;

    let mark = office.world.mark();
    office.edit(number, &json!({ "turnus": 1, "turnusArt": 1, "datumBis": "2037-12-31", "uhrzeitVon": "08:00:00" }));
    office.synced().await;
    assert_eq!(office.sent_event("Serie", mark)["recurrence"], json!(["RRULE:FREQ=DAILY;INTERVAL=1"]));
    assert_eq!(office.event_of(number)["start"]["dateTime"], "2027-06-01T08:00:00+02:00");
    office.unchanged().await;

    people.google_update("AW-SB", &id, &json!({ "recurrence": null, "summary": "Einmal" })).unwrap();
    office.synced().await;
    let termin = office.get(number).unwrap();
    assert_eq!(
        (&termin["text"], &termin["turnus"], &termin["datumBis"]),
        (&json!("Einmal"), &json!(0), &json!("2027-06-01"))
    );
    office.unchanged().await;
}

#[tokio::test]
async fn series_that_cross_clock_changes_and_odd_days_stay_the_same() {
    let office = Office::new("SB").await;
    let values = |title: &str, first: &str, last: &str, from: &str, to: &str, turnus: (i64, i64)| {
        json!({ "text": title, "datum": first, "datumBis": last, "uhrzeitVon": from, "uhrzeitBis": to,
            "dauertermin": 1, "turnus": turnus.0, "turnusArt": turnus.1 })
    };
    // 2027-03-28 leaves 02:00 to 03:00 out, 2027-10-31 doubles it.
    office.termin(&values("spring", "2027-03-26", "2027-03-30", "02:30:00", "02:45:00", (1, 1)));
    office.termin(&values("in the gap", "2027-03-28", "2027-04-05", "02:30:00", "03:30:00", (1, 1)));
    office.termin(&values("autumn", "2027-10-29", "2027-11-02", "02:30:00", "03:30:00", (1, 1)));
    office.termin(&values("short months", "2027-01-31", "2027-12-31", "09:00:00", "10:00:00", (1, 3)));
    office.synced().await;
    office.unchanged().await;
    assert_eq!(office.seen("spring", date("2027-03-01"), date("2027-05-01")).len(), 5);
    assert_eq!(office.seen("autumn", date("2027-10-01"), date("2027-12-01")).len(), 5);
    assert_eq!(office.seen("short months", date("2027-01-01"), date("2028-01-01")).len(), 7);
    // Another text does not move them.
    let number = office.on("in the gap", date("2027-03-28"))["frNr"].as_i64().unwrap();
    let id = office.event_of(number)["id"].as_str().unwrap().to_owned();
    office.world.sandbox.people().google_update("AW-SB", &id, &json!({ "summary": "Lücke" })).unwrap();
    office.synced().await;
    let termin = office.get(number).unwrap();
    assert_eq!(
        (&termin["text"], &termin["uhrzeitVon"], &termin["datumBis"]),
        (&json!("Lücke"), &json!("02:30:00"), &json!("2027-04-05"))
    );
    office.unchanged().await;
}

#[tokio::test]
async fn an_event_that_is_made_a_series_and_a_termin_that_is_made_one() {
    let office = Office::new("SB").await;
    let first = day(10);
    let number = office.termin(&json!({ "text": "Einzeln", "datum": first }));
    office.synced().await;
    let id = office.event_of(number)["id"].as_str().unwrap().to_owned();
    office.world.sandbox.people().google_change_rule("AW-SB", &id, &["RRULE:FREQ=DAILY;COUNT=5"]).unwrap();
    office.synced().await;
    let termin = office.get(number).unwrap();
    assert_eq!((&termin["dauertermin"], &termin["turnus"]), (&json!(1), &json!(1)));
    assert_eq!(termin["datumBis"], json!(first + Days::new(4)));
    office.unchanged().await;

    let other = office.event(&json!({ "summary": "Eigener", "start": at(first, 14), "end": at(first, 15) }));
    office.synced().await;
    let number = office.on("Eigener", first)["frNr"].as_i64().unwrap();
    office.edit(number, &json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 2, "datumBis": first + Days::new(21) }));
    office.synced().await;
    assert_eq!(office.event_of(number)["id"], json!(other));
    let seen = office.seen("Eigener", first, first + Days::new(60));
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!(date_of(&office.get(number).unwrap()), first);
    assert_eq!(first.weekday(), (first + Days::new(21)).weekday());
    office.unchanged().await;
}
