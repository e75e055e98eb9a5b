//! Series that Advoware cannot express (C5): single Termine for their instances, both ways; a Termin's own series that is
//! taken apart; both after a loss of the ledger.

use chrono::{Datelike as _, Days, NaiveDate};
use serde_json::{Value, json};

use super::series_support::{Office, at, date_of, day, is, recurring, recurring_day};

/// A weekday as rules name it.
fn code(day: NaiveDate) -> String {
    day.weekday().to_string()[..2].to_uppercase()
}

fn later(day: NaiveDate, days: u64) -> NaiveDate {
    day + Days::new(days)
}

/// A list entry of EXDATE or RDATE at ten o'clock.
fn stamp(day: NaiveDate) -> String {
    format!("{}T100000", day.format("%Y%m%d"))
}

/// Two weekdays for three weeks, without the second instance of the first weekday and with one more day.
fn lecture(first: NaiveDate) -> Value {
    let rule = format!(
        "RRULE:FREQ=WEEKLY;BYDAY={},{};UNTIL={}T215959Z",
        code(first),
        code(later(first, 2)),
        later(first, 20).format("%Y%m%d")
    );
    let gone = format!("EXDATE;TZID=Europe/Berlin:{}", stamp(later(first, 7)));
    let more = format!("RDATE;TZID=Europe/Berlin:{}", stamp(later(first, 5)));
    recurring("Vorlesung", first, 10, &[&rule, &gone, &more])
}

fn lecture_days(first: NaiveDate) -> Vec<NaiveDate> {
    [0, 2, 5, 9, 14, 16].map(|days| later(first, days)).to_vec()
}

/// The days on which the employee sees a title.
fn shown(office: &Office, title: &str) -> Vec<NaiveDate> {
    let seen = office.seen(title, day(-400), day(400));
    seen.iter().map(|start| start[..10].parse().unwrap()).collect()
}

#[tokio::test]
async fn a_person_s_series_gets_single_termine_and_edits_go_both_ways() {
    let office = Office::new("SB").await;
    office.sync().await;
    let first = day(7);
    let id = office.event(&lecture(first));
    office.synced().await;
    assert_eq!(office.days("Vorlesung"), lecture_days(first));
    assert!(office.termine().iter().all(|it| it["dauertermin"] == 0 && it["uhrzeitVon"] == "10:00:00"));
    assert_eq!(shown(&office, "Vorlesung"), lecture_days(first), "nothing else at Google");
    office.unchanged().await;

    // An instance's edit reaches its Termin and no other.
    let people = office.world.sandbox.people();
    let second = later(first, 2);
    let numbers: Vec<Value> = office.termine().iter().map(|it| it["frNr"].clone()).collect();
    let edit = json!({ "summary": "Übung", "location": "H1", "start": at(second, 12), "end": at(second, 13) });
    people.google_edit_instance("AW-SB", &id, second, &edit).unwrap();
    office.synced().await;
    let termin = office.on("Übung", second);
    assert_eq!((&termin["uhrzeitVon"], &termin["ort"]), (&json!("12:00:00"), &json!("H1")));
    assert_eq!(office.days("Vorlesung").len(), 5);
    office.unchanged().await;

    // A Termin's edit reaches its instance and no other, one that was never an exception among them.
    let fourth = later(first, 9);
    office.edit(office.on("Vorlesung", fourth)["frNr"].as_i64().unwrap(), &json!({ "text": "Klausur", "ort": "H2" }));
    office.edit(office.on("Übung", second)["frNr"].as_i64().unwrap(), &json!({ "uhrzeitBis": "14:00:00" }));
    office.synced().await;
    assert_eq!(shown(&office, "Klausur"), [fourth]);
    assert_eq!(shown(&office, "Vorlesung").len(), 4);
    let exercise = office.events().into_iter().find(|it| is(it, "summary", "Übung")).unwrap();
    assert!(exercise["end"]["dateTime"].as_str().unwrap().contains("T14:00:00"));
    office.unchanged().await;

    // Cancelled at Google; deleted in Advoware.
    people.google_cancel_instance("AW-SB", &id, later(first, 14)).unwrap();
    office.delete(office.on("Vorlesung", later(first, 16))["frNr"].as_i64().unwrap());
    office.synced().await;
    assert_eq!(office.days("Vorlesung"), [first, later(first, 5)]);
    assert_eq!(shown(&office, "Vorlesung"), [first, later(first, 5)]);
    assert_eq!((shown(&office, "Klausur").len(), shown(&office, "Übung").len()), (1, 1));
    office.unchanged().await;
    let left: Vec<Value> = office.termine().iter().map(|it| it["frNr"].clone()).collect();
    assert!(left.iter().all(|number| numbers.contains(number)), "the same Termine all the time");

    // The whole series goes, and with it what is left of it.
    people.google_delete("AW-SB", &id).unwrap();
    office.synced().await;
    assert_eq!(office.termine(), [] as [advosync_sandbox::Fields; 0]);
    office.unchanged().await;
}

#[tokio::test]
async fn new_instances_get_termine_when_the_window_moves_on_and_none_is_doubled() {
    let mut office = Office::with("SB", &[("CALENDAR_SYNC_FUTURE", "20d")]).await;
    office.sync().await;
    let first = day(2);
    let rule = format!("RRULE:FREQ=WEEKLY;BYDAY={},{}", code(first), code(later(first, 3)));
    office.event(&recurring("Runde", first, 10, &[&rule]));
    let all: Vec<NaiveDate> = (0..40).map(|n| later(first, n / 2 * 7 + n % 2 * 3)).collect();
    let until = |ahead: i64| all.iter().copied().filter(|it| *it <= day(ahead)).collect::<Vec<_>>();
    office.synced().await;
    assert_eq!(office.days("Runde"), until(20));
    office.unchanged().await;
    office.restart_with("CALENDAR_SYNC_FUTURE", "50d").await;
    office.synced().await;
    assert_eq!(office.days("Runde"), until(50));
    office.unchanged().await;
    // What leaves the window stays (C2).
    office.restart_with("CALENDAR_SYNC_FUTURE", "9d").await;
    office.unchanged().await;
    office.restart_with("CALENDAR_SYNC_FUTURE", "60d").await;
    office.synced().await;
    assert_eq!(office.days("Runde"), until(60));
    office.unchanged().await;
}

/// A weekly series with fields that nothing maps.
fn weekly(office: &Office, first: NaiveDate, sb: &str) -> i64 {
    office.termin(&json!({ "text": "Jour fixe", "datum": first, "datumBis": "2037-12-31", "dauertermin": 1,
        "turnus": 1, "turnusArt": 2, "sb": sb, "akte": "12/27", "vorbereitungsDauer": "00:15:00", "privat": 1 }))
}

const NARROW: [(&str, &str); 2] = [("CALENDAR_SYNC_PAST", "30d"), ("CALENDAR_SYNC_FUTURE", "60d")];

#[tokio::test]
async fn a_series_of_advoware_is_taken_apart_when_an_instance_is_moved() {
    let mut office = Office::with("SB", &NARROW).await;
    // Its days are `first` and every seventh day after it; the window takes in the tenth of them from -7 on.
    let first = day(-70);
    let number = weekly(&office, first, "SB");
    office.synced().await;
    let id = office.event_of(number)["id"].as_str().unwrap().to_owned();
    let moved = day(14);
    let edit = json!({ "start": at(later(moved, 1), 15), "end": at(later(moved, 1), 16) });
    office.world.sandbox.people().google_edit_instance("AW-SB", &id, moved, &edit).unwrap();
    office.synced().await;

    let mut expected: Vec<NaiveDate> = (-4..=8).map(|week| day(week * 7)).filter(|it| *it <= day(60)).collect();
    expected.retain(|it| *it != moved);
    expected.push(later(moved, 1));
    expected.sort();
    let singles: Vec<_> = office.termine().into_iter().filter(|it| it["frNr"] != json!(number)).collect();
    assert_eq!(singles.iter().map(date_of).collect::<Vec<_>>(), expected);
    for single in &singles {
        let unmapped = (&single["akte"], &single["vorbereitungsDauer"], &single["privat"], &single["turnus"]);
        assert_eq!(unmapped, (&json!("12/27"), &json!("00:15:00"), &json!(1), &json!(0)), "{single:?}");
    }
    assert_eq!(office.on("Jour fixe", later(moved, 1))["uhrzeitVon"], "15:00:00");
    let rest = office.get(number).expect("what lies before the window stays in the series");
    let end: NaiveDate = rest["datumBis"].as_str().unwrap()[..10].parse().unwrap();
    assert!(end < day(-28) && end >= day(-35), "{end}");
    let seen = shown(&office, "Jour fixe");
    assert!(seen.iter().filter(|it| (day(-30)..=day(60)).contains(it)).count() == expected.len(), "{seen:?}");
    office.unchanged().await;

    // From now on each goes its own way.
    office.edit(office.on("Jour fixe", day(21))["frNr"].as_i64().unwrap(), &json!({ "text": "Sondersitzung" }));
    office.synced().await;
    assert_eq!(shown(&office, "Sondersitzung"), [day(21)]);
    office.unchanged().await;

    office.lose_ledger();
    office.unchanged_after_loss().await;
    // A window that reaches further back takes more out of what is left of the series, and doubles none.
    office.restart_with("CALENDAR_SYNC_PAST", "50d").await;
    office.synced().await;
    assert_eq!(whole(&office), shown_within(&office, -50));
    office.unchanged().await;
    office.restart_with("CALENDAR_SYNC_PAST", "100d").await;
    office.synced().await;
    assert_eq!(whole(&office), shown_within(&office, -100));
    assert!(office.get(number).is_none(), "nothing is left of it");
    office.unchanged().await;
}

/// The days of all single Termine.
fn whole(office: &Office) -> Vec<NaiveDate> {
    let mut days: Vec<_> = office.termine().iter().filter(|it| it["turnus"] == 0).map(date_of).collect();
    days.sort();
    days
}

/// The days of all that the employee sees from a day to the end of the window.
fn shown_within(office: &Office, from: i64) -> Vec<NaiveDate> {
    let mut days = [shown(office, "Jour fixe"), shown(office, "Sondersitzung")].concat();
    days.retain(|it| (day(from)..=day(60)).contains(it));
    days.sort();
    days
}

#[tokio::test]
async fn a_series_of_advoware_is_taken_apart_when_its_rule_is_changed_beyond_it() {
    let office = Office::with("SB", &NARROW).await;
    let first = day(3);
    let number = weekly(&office, first, "SB");
    office.synced().await;
    let id = office.event_of(number)["id"].as_str().unwrap().to_owned();
    let people = office.world.sandbox.people();
    let rule = format!("RRULE:FREQ=WEEKLY;BYDAY={},{};COUNT=5", code(first), code(later(first, 2)));
    people.google_change_rule("AW-SB", &id, &[&rule]).unwrap();
    office.synced().await;
    assert!(office.get(number).is_none());
    assert_eq!(office.days("Jour fixe"), [0, 2, 7, 9, 14].map(|days| later(first, days)));
    office.unchanged().await;

    // Made simple again, it stays in single Termine: what they hold beyond it is not lost.
    let before: Vec<Value> = office.termine().iter().map(|it| it["frNr"].clone()).collect();
    people.google_change_rule("AW-SB", &id, &["RRULE:FREQ=WEEKLY;COUNT=4"]).unwrap();
    office.synced().await;
    assert_eq!(office.days("Jour fixe"), [0, 7, 14, 21].map(|days| later(first, days)));
    let kept = office.termine().iter().filter(|it| before.contains(&it["frNr"])).count();
    assert_eq!(kept, 3, "those that are in both are the same");
    office.unchanged().await;
}

#[tokio::test]
async fn a_series_within_the_window_is_deleted_once_it_is_taken_apart() {
    let office = Office::with("SB", &NARROW).await;
    let first = day(3);
    let number = weekly(&office, first, "SB");
    office.synced().await;
    let id = office.event_of(number)["id"].as_str().unwrap().to_owned();
    office.world.sandbox.people().google_cancel_instance("AW-SB", &id, later(first, 7)).unwrap();
    office.synced().await;
    assert!(office.get(number).is_none());
    let mut expected: Vec<NaiveDate> = (0..9).map(|week| later(first, week * 7)).filter(|it| *it <= day(60)).collect();
    expected.retain(|it| *it != later(first, 7));
    assert_eq!(office.days("Jour fixe"), expected);
    assert!(office.termine().iter().all(|it| it["akte"] == "12/27"));
    office.unchanged().await;

    office.lose_ledger();
    office.unchanged_after_loss().await;
    assert_eq!(office.days("Jour fixe"), expected);
}

#[tokio::test]
async fn exceptions_of_shared_series_are_undone_and_reported() {
    let office = Office::with("SB", &NARROW).await;
    let people = office.world.sandbox.people();
    let first = day(3);
    let (second, numbers) = (later(first, 7), [(); 2].map(|()| weekly(&office, first, "XY")));
    let before = office.termine();
    office.synced().await;
    let ids = numbers.map(|number| office.event_of(number)["id"].as_str().unwrap().to_owned());
    people.google_cancel_instance("AW-SB", &ids[0], second).unwrap();
    let edit = json!({ "start": at(later(second, 1), 15), "end": at(later(second, 1), 16) });
    people.google_edit_instance("AW-SB", &ids[1], second, &edit).unwrap();
    let detail = office.synced().await;
    assert!(numbers.iter().all(|number| detail["undone"].to_string().contains(&number.to_string())), "{detail}");
    assert_eq!(office.termine(), before, "the shared Termine stay as they are");
    let mut seen = shown(&office, "Jour fixe");
    seen.retain(|it| *it <= later(first, 14));
    let twice = [first, first, second, second, later(first, 14), later(first, 14)];
    assert_eq!(seen, twice, "one copy of each, without exceptions");
    office.unchanged().await;
}

#[tokio::test]
async fn after_a_loss_of_the_ledger_instances_are_tied_again() {
    let office = Office::new("SB").await;
    office.sync().await;
    let first = day(7);
    let id = office.event(&lecture(first));
    // Two series with the same content at the same times: one to one all the same.
    let whole = recurring_day(
        "Messe",
        first,
        &["RRULE:FREQ=DAILY;COUNT=4", &format!("EXDATE;VALUE=DATE:{}", later(first, 1).format("%Y%m%d"))],
    );
    office.event(&whole);
    office.event(&whole);
    office.synced().await;
    assert_eq!(office.days("Messe").len(), 6);
    let before = office.termine();
    office.lose_ledger();
    office.unchanged_after_loss().await;
    assert_eq!(office.termine(), before);

    // An instance that was edited at one side meanwhile is not doubled, and a person is told.
    office.edit(office.on("Vorlesung", later(first, 2))["frNr"].as_i64().unwrap(), &json!({ "text": "Übung" }));
    office.lose_ledger();
    let mark = office.world.mark();
    let (_, detail) = office.sync().await;
    assert_eq!(office.writes(mark), [], "{detail}");
    assert!(detail["ambiguous"].to_string().contains(&id), "{detail}");
    let (_, detail) = office.sync().await;
    assert_eq!(office.writes(mark), [], "{detail}");
    assert!(detail["ambiguous"].to_string().contains(&id), "it is told until somebody decides: {detail}");

    // Once both say the same again, they are a pair.
    office.edit(office.on("Übung", later(first, 2))["frNr"].as_i64().unwrap(), &json!({ "text": "Vorlesung" }));
    office.sync().await;
    office.edit(office.on("Vorlesung", later(first, 2))["frNr"].as_i64().unwrap(), &json!({ "ort": "H3" }));
    office.synced().await;
    let exception = office.events().into_iter().find(|it| is(it, "location", "H3")).unwrap();
    assert_eq!(exception["recurringEventId"], json!(id));
    office.unchanged().await;
}
