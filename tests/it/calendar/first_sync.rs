//! The first sync of a calendar, and what syncs cost.

use advosync_sandbox::{Fault, System};
use serde_json::json;

use super::support::{CALENDAR, Office, SB, day, hour, with};

#[tokio::test]
async fn the_calendar_is_made_and_shared_once_and_nobody_gets_a_mail() {
    let office = Office::start().await;
    office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    office.synced("unchanged").await;
    let people = office.world.sandbox.people();
    let names: Vec<_> = people.google_calendars().iter().map(|calendar| calendar["summary"].clone()).collect();
    assert_eq!(names, [CALENDAR]);
    assert_eq!(people.google_calendars()[0]["timeZone"], "Europe/Berlin");
    let rules = people.google_acl(CALENDAR);
    let owner: Vec<_> = rules.iter().filter(|rule| rule["scope"]["value"] == "kanzlei@example.com").collect();
    assert_eq!(owner.len(), 1, "{rules:#?}");
    assert_eq!(owner[0]["role"], "owner");
    let none: [String; 0] = [];
    assert_eq!(people.google_mails(), none);
    let shares = office.writes(0).iter().filter(|effect| effect.entity == "acl").count();
    assert_eq!(shares, 1);
}

#[tokio::test]
async fn a_calendar_that_may_not_be_shared_is_kept_in_step_and_shared_by_a_later_run() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    let refused = Fault::on(System::Google).post("*/acl").once().google_error(403, "quotaExceeded");
    office.world.sandbox.fault(refused);
    let done = office.synced("synced").await;
    assert_eq!(done.detail["not_shared"].as_array().map(Vec::len), Some(1), "{done:?}");
    assert_eq!(office.event_of(number)["summary"], "Besprechung");
    let done = office.synced("synced").await;
    assert_eq!(done.detail["calendars_shared"], 1, "{done:?}");
    office.synced("unchanged").await;
}

#[tokio::test]
async fn every_kind_of_termin_is_shown_as_it_is() {
    let office = Office::start().await;
    let timed = office.termin(&hour(3, "Besprechung"));
    let whole = json!({ "dauertermin": 1, "turnus": 0, "uhrzeitVon": "00:00:00", "uhrzeitBis": "23:59:59" });
    let whole = office.termin(&with(hour(4, "Urlaub"), &whole));
    let several = office.termin(&with(hour(5, "Messe"), &json!({ "datumBis": day(7), "uhrzeitBis": "12:00:00" })));
    let shared = office.termin(&with(hour(8, "Sozietät"), &json!({ "anwalt": "ALLE", "sb": "XY" })));
    let generated = office.termin(&with(hour(9, "Fahrt"), &json!({ "frNr": -17 })));
    assert_eq!(generated, -17);
    let weekly = json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 2, "datumBis": day(40) });
    let weekly = office.termin(&with(hour(10, "Jour fixe"), &weekly));
    let bare = json!({ "text": null, "notiz": null, "ort": "" });
    let bare = office.termin(&with(hour(11, ""), &bare));
    let foreign = office.termin(&with(hour(12, "Fremd"), &json!({ "anwalt": "XY", "sb": "XY" })));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["events_inserted"], 7, "{done:?}");

    let event = office.event_of(timed);
    assert_eq!((&event["summary"], &event["description"]), (&json!("Besprechung"), &json!("Akte 17/26")));
    assert_eq!(event["location"], "Saal 3");
    assert!(event["start"]["dateTime"].as_str().unwrap().starts_with(&format!("{}T14:00:00", day(3))), "{event:?}");
    assert!(event["end"]["dateTime"].as_str().unwrap().starts_with(&format!("{}T15:00:00", day(3))), "{event:?}");
    assert_eq!(event["start"]["timeZone"], "Europe/Berlin");
    let private = &event["extendedProperties"]["private"];
    assert_eq!(private["advoware_frnr"], timed.to_string());
    assert_eq!(private["advoware_kuerzel"], SB);
    assert_eq!(private["advosync_generation"], "0");
    assert!(private["advosync_hash"].is_string() && private["advosync_mode"].is_null(), "{private}");

    let event = office.event_of(whole);
    assert_eq!((&event["start"]["date"], &event["end"]["date"]), (&json!(day(4)), &json!(day(5))));
    let event = office.event_of(several);
    assert_eq!((&event["start"]["date"], &event["end"]["date"]), (&json!(day(5)), &json!(day(8))));
    assert_eq!(office.event_of(shared)["summary"], "Sozietät");
    assert_eq!(office.event_of(generated)["summary"], "Fahrt");
    let rule = office.event_of(weekly)["recurrence"][0].as_str().unwrap().to_owned();
    assert!(rule.starts_with("RRULE:FREQ=WEEKLY") && rule.contains("UNTIL="), "{rule}");
    assert!(!office.event_of(bare).contains_key("summary"));
    assert!(office.events_of(foreign).is_empty());

    assert_eq!(office.writes_to(System::Advoware, 0), []);
    office.is_in_step().await;
}

#[tokio::test]
async fn a_thousand_termine_cost_hardly_more_than_a_call_each() {
    let office = Office::start().await;
    let numbers: Vec<i64> = (0..1000_u64).map(|at| office.termin(&hour(at % 500, &format!("Termin {at}")))).collect();
    office.world.sandbox.reset_counts();
    let done = office.synced("synced").await;
    assert_eq!(done.detail["events_inserted"], 1000, "{done:?}");
    let (termine, google) = office.calls();
    assert!(google <= 1020, "{google}");
    assert!(termine <= 2, "{termine}");
    assert_eq!(office.events().len(), 1000);

    let mark = office.world.mark();
    office.world.sandbox.reset_counts();
    office.synced("unchanged").await;
    let (termine, google) = office.calls();
    assert!(termine <= 1 && termine + google <= 3, "{termine} {google}");
    assert_eq!(office.writes(mark), []);

    // Each side's change costs three calls beyond those of a sync that finds nothing.
    office.lawyer(numbers[500], &json!({ "text": "Verlegt" }));
    office.world.sandbox.reset_counts();
    office.synced("synced").await;
    let (termine, google) = office.calls();
    assert!(termine + google <= 5, "{termine} {google}");
    assert_eq!(office.event_of(numbers[500])["summary"], "Verlegt");

    office.employee(&office.event_id(numbers[501]), &json!({ "summary": "Umbenannt" }));
    office.world.sandbox.reset_counts();
    office.synced("synced").await;
    let (termine, google) = office.calls();
    assert!(termine + google <= 5, "{termine} {google}");
    assert_eq!(office.termin_of(numbers[501]).unwrap()["text"], "Umbenannt");
    office.is_in_step().await;
}
