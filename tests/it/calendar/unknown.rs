//! Writes whose answer is lost: whether they took effect is found out, never guessed (S4).

use std::time::Duration;

use advosync::queue::Ended;
use advosync_sandbox::{Fault, System};
use serde_json::json;

use super::support::{CALENDAR, Office, SB, event, hour};
use crate::support::world::HASTY;

/// All Termine.
const TERMINE: &str = "*/Termine";
/// All events of a calendar.
const EVENTS: &str = "*/events";
/// One event.
const EVENT: &str = "*/events/*";

fn post() -> Fault {
    Fault::on(System::Advoware).post(TERMINE).once()
}

impl Office {
    /// In a hurry, with a calendar that is there.
    async fn hasty() -> Self {
        let office = Self::with(&HASTY).await;
        office.synced("synced").await;
        office
    }

    /// Posts that were sent.
    fn posts(&self) -> usize {
        self.world
            .sandbox
            .calls()
            .iter()
            .filter(|call| call.method == "POST" && call.path.ends_with("/Termine"))
            .count()
    }
}

/// One event, whose POST meets a fault. Afterwards there is one Termin, and its event knows it.
async fn one_termin(name: &str, fault: Fault, posts: usize) {
    let office = Office::hasty().await;
    office.world.sandbox.fault(fault);
    office.event(&event(4, name));
    office.synced("synced").await;
    assert_eq!(office.world.sandbox.faults_struck(), 1, "{name}");
    assert_eq!((office.termine().len(), office.posts()), (1, posts), "{name}");
    assert_eq!(office.termine()[0]["text"], name);
    let number = office.termine()[0]["frNr"].as_i64().unwrap();
    assert_eq!(office.world.redis.cli(&["HLEN", "ledger:calendar:SB:intents"]), "0");
    assert_eq!(office.world.redis.cli(&["HLEN", "ledger:calendar:SB:pairs"]), "1");
    office.is_in_step().await;
    let id = office.events()[0]["id"].as_str().unwrap().to_owned();
    office.lawyer(number, &json!({ "text": "Danach" }));
    office.synced("synced").await;
    assert_eq!(office.world.sandbox.people().google_get(CALENDAR, &id).unwrap()["summary"], "Danach");
}

#[tokio::test]
async fn the_post_took_effect_and_nobody_was_told() {
    one_termin("Lost", post().lose_answer(), 1).await;
    one_termin("Broken", post().answer_after(500, "Interner Fehler"), 1).await;
    one_termin("Slow", post().delay_after(Duration::from_millis(1250)), 1).await;
    one_termin("Delayed", post().delay_before(Duration::from_millis(1250)), 1).await;
}

#[tokio::test]
async fn the_post_took_no_effect() {
    one_termin("Cut", post().cut(), 2).await;
    one_termin("Refused", post().answer(503, "Wartung"), 2).await;
}

#[tokio::test]
async fn the_post_answered_with_something_unreadable() {
    one_termin("Html", post().then(advosync_sandbox::Action::HtmlAfter), 1).await;
    one_termin("Numberless", post().without(&["frNr"]), 1).await;
}

#[tokio::test]
async fn two_equal_twins_become_two_termine() {
    let office = Office::hasty().await;
    office.world.sandbox.fault(post().lose_answer());
    office.event(&event(4, "Zwilling"));
    office.event(&event(4, "Zwilling"));
    office.synced("synced").await;
    assert_eq!((office.termine().len(), office.posts(), office.events().len()), (2, 2, 2));
    office.is_in_step().await;
    assert_eq!(office.world.redis.cli(&["HLEN", "ledger:calendar:SB:pairs"]), "2");
}

#[tokio::test]
async fn a_twin_that_was_there_before_is_not_adopted() {
    let office = Office::hasty().await;
    let event = event(4, "Zwilling");
    let id = office.event(&event);
    office.synced("synced").await;
    office.world.sandbox.fault(post().cut());
    office.event(&event);
    office.synced("synced").await;
    assert_eq!((office.termine().len(), office.events().len()), (2, 2));
    assert!(office.events().iter().any(|event| event["id"] == *id));
    office.is_in_step().await;
}

#[tokio::test]
async fn a_lawyer_s_equal_termin_during_the_quiet_time_is_held_not_guessed() {
    let office = Office::hasty().await;
    let gate = {
        let target = advosync_sandbox::Match::on(System::Advoware).request("POST", TERMINE);
        office.world.sandbox.gate(target, advosync_sandbox::Phase::After)
    };
    office.world.sandbox.fault(post().lose_answer());
    office.event(&event(4, "Gleich"));
    let (ended, ()) = tokio::join!(office.run(SB, None, None), async {
        gate.arrived().await;
        let mut same = office.termine()[0].clone();
        same.retain(|name, _| name != "frNr" && name != "rowId");
        office.termin(&serde_json::Value::Object(same));
        gate.release();
    });
    let Ended::Done { detail, .. } = ended else { panic!("{ended:?}") };
    assert!(detail.unwrap()["undecided"].is_array());
    assert_eq!((office.termine().len(), office.posts(), office.events().len()), (2, 1, 1));
    // A person makes the other one different: what is left is ours.
    let other = office.termine()[1]["frNr"].as_i64().unwrap();
    office.lawyer(other, &json!({ "text": "Anders" }));
    office.synced("synced").await;
    assert_eq!((office.termine().len(), office.posts(), office.events().len()), (2, 1, 2));
    office.is_in_step().await;
}

#[tokio::test]
async fn what_becomes_of_the_event_during_the_quiet_time_counts() {
    for effect in [true, false] {
        let office = Office::hasty().await;
        let fault = if effect { post().lose_answer() } else { post().cut() };
        let target = advosync_sandbox::Match::on(System::Advoware).request("POST", TERMINE);
        let (edited, deleted) = (office.event(&event(4, "Bleibt")), office.event(&event(4, "Bleibt")));
        let phase = if effect { advosync_sandbox::Phase::After } else { advosync_sandbox::Phase::Before };
        // Twins, so that one is under way and the other waits, whichever it is.
        office.world.sandbox.fault(fault);
        let gate = office.world.sandbox.gate(target, phase);
        let (ended, ()) = tokio::join!(office.run(SB, None, None), async {
            gate.arrived().await;
            office.employee(&edited, &json!({ "summary": "Geändert" }));
            office.employee_deletes(&deleted);
            gate.release();
        });
        assert!(matches!(ended, Ended::Done { .. }), "{ended:?}");
        office.sync().await;
        assert_eq!((office.termine().len(), office.events().len()), (1, 1), "{effect}: {:#?}", office.termine());
        assert_eq!(office.termine()[0]["text"], "Geändert");
        assert_eq!(office.world.redis.cli(&["HLEN", "ledger:calendar:SB:intents"]), "0");
        office.is_in_step().await;
    }
}

#[tokio::test]
async fn an_insert_whose_answer_is_lost_makes_one_event() {
    for fault in [
        Fault::on(System::Google).post(EVENTS).once().lose_answer(),
        Fault::on(System::Google).post(EVENTS).once().cut(),
        Fault::on(System::Google).post(EVENTS).once().google_error_after(503, "backendError"),
    ] {
        let office = Office::with(&HASTY).await;
        let number = office.termin(&hour(3, "Besprechung"));
        office.world.sandbox.fault(fault);
        let ended = office.run(SB, None, None).await;
        assert!(matches!(ended, Ended::Done { .. }), "{ended:?}");
        assert_eq!(office.world.sandbox.faults_struck(), 1);
        assert_eq!(office.event_of(number)["summary"], "Besprechung");
        assert_eq!(office.events().len(), 1);
        office.is_in_step().await;
    }
}

/// An update and a deletion on each side, whose first attempts meet a fault.
async fn done_once(name: &str, fault: impl Fn(Fault) -> Fault) {
    let office = Office::with(&HASTY).await;
    let numbers = [3, 4, 5, 6].map(|at| office.termin(&hour(at, &format!("Termin {at}"))));
    office.synced("synced").await;
    let ids = numbers.map(|number| office.event_id(number));
    office.world.sandbox.fault(fault(Fault::on(System::Google).put(EVENT).once()));
    office.world.sandbox.fault(fault(Fault::on(System::Google).delete(EVENT).once()));
    office.lawyer(numbers[0], &json!({ "text": "Geändert" }));
    office.lawyer_deletes(numbers[1]);
    office.synced("synced").await;
    assert_eq!(office.event_of(numbers[0])["summary"], "Geändert", "{name}");
    assert_eq!(office.events().len(), 3, "{name}");

    office.world.sandbox.fault(fault(Fault::on(System::Advoware).put(TERMINE).once()));
    office.world.sandbox.fault(fault(Fault::on(System::Advoware).delete(TERMINE).once()));
    office.employee(&ids[2], &json!({ "summary": "Umbenannt" }));
    office.employee_deletes(&ids[3]);
    office.synced("synced").await;
    assert_eq!(office.termin_of(numbers[2]).unwrap()["text"], "Umbenannt", "{name}");
    assert!(office.termin_of(numbers[3]).is_none(), "{name}");
    assert_eq!(office.world.sandbox.faults_struck(), 4, "{name}");
    office.is_in_step().await;
}

#[tokio::test]
async fn an_update_and_a_deletion_whose_answers_are_lost_are_done_once() {
    done_once("lost", Fault::lose_answer).await;
    done_once("cut", Fault::cut).await;
    done_once("broken", |fault| fault.answer_after(500, "{}")).await;
    done_once("down", |fault| fault.answer(503, "{}")).await;
}

#[tokio::test]
async fn a_calendar_is_made_once_whatever_becomes_of_the_answer() {
    for fault in [
        Fault::on(System::Google).post("*/calendars").once().lose_answer(),
        Fault::on(System::Google).post("*/calendars").once().cut(),
        Fault::on(System::Google).post("*/calendars").once().google_error_after(500, "backendError"),
    ] {
        let office = Office::with(&HASTY).await;
        let number = office.termin(&hour(3, "Besprechung"));
        office.world.sandbox.fault(fault);
        office.synced("synced").await;
        assert_eq!(office.world.sandbox.faults_struck(), 1);
        assert_eq!(office.world.sandbox.people().google_calendars().len(), 1);
        assert_eq!(office.event_of(number)["summary"], "Besprechung");
        office.is_in_step().await;
    }
}
