//! A worker that is killed at any write is followed by one that finishes, and nothing is done twice.

use advosync_sandbox::{Match, Phase, System};
use serde_json::json;

use super::support::{Office, SB, event, hour, with};
use crate::support::world::HASTY;

/// Every kind of write, and where it goes.
const GOOGLE: [(&str, &str); 3] = [("POST", "*/events"), ("PUT", "*/events/*"), ("DELETE", "*/events/*")];
const ADVOWARE: [(&str, &str); 3] = [("POST", "*/Termine"), ("PUT", "*/Termine"), ("DELETE", "*/Termine")];

/// Something to do of every kind; the worker is killed at one of the writes.
async fn killed_at(system: System, (method, path): (&str, &str), phase: Phase) {
    let told = format!("{system:?} {method} {phase:?}");
    let mut office = Office::with(&HASTY).await;
    let numbers = [3, 4, 5, 6].map(|at| office.termin(&hour(at, &format!("Termin {at}"))));
    let shared = office.termin(&with(hour(7, "Sozietät"), &json!({ "anwalt": "ALLE" })));
    office.synced("synced").await;
    let ids = numbers.map(|number| office.event_id(number));
    let fresh = office.termin(&hour(8, "Neuer Termin"));
    office.event(&event(9, "Neues Ereignis"));
    office.lawyer(numbers[0], &json!({ "text": "Vom Anwalt" }));
    office.employee(&ids[1], &json!({ "summary": "Vom Mitarbeiter" }));
    office.lawyer_deletes(numbers[2]);
    office.employee_deletes(&ids[3]);
    office.employee_deletes(&office.event_id(shared));

    let gate = office.world.sandbox.gate(Match::on(system).request(method, path), phase);
    office.enqueue(SB).await;
    gate.arrived().await;
    office.world.kill_worker();
    gate.release();
    office.world.start_worker();
    office.sync().await;

    let texts = |all: Vec<advosync_sandbox::Fields>, name: &str| {
        let mut texts: Vec<_> = all.iter().map(|it| it[name].as_str().unwrap_or_default().to_owned()).collect();
        texts.sort();
        texts
    };
    let expected = ["Neuer Termin", "Neues Ereignis", "Sozietät", "Vom Anwalt", "Vom Mitarbeiter"];
    assert_eq!(texts(office.termine(), "text"), expected, "{told}");
    assert_eq!(texts(office.events(), "summary"), expected, "{told}");
    assert_eq!(office.event_of(fresh)["summary"], "Neuer Termin", "{told}");
    assert_eq!(office.world.redis.cli(&["HLEN", "ledger:calendar:SB:pairs"]), "5", "{told}");
    assert_eq!(office.world.redis.cli(&["HLEN", "ledger:calendar:SB:intents"]), "0", "{told}");
    office.is_in_step().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_before_a_write_to_google() {
    for write in GOOGLE {
        killed_at(System::Google, write, Phase::Before).await;
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_after_a_write_to_google() {
    for write in GOOGLE {
        killed_at(System::Google, write, Phase::After).await;
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_before_a_write_to_advoware() {
    for write in ADVOWARE {
        killed_at(System::Advoware, write, Phase::Before).await;
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_after_a_write_to_advoware() {
    for write in ADVOWARE {
        killed_at(System::Advoware, write, Phase::After).await;
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_while_it_makes_the_calendar_makes_one() {
    for phase in [Phase::Before, Phase::After] {
        let mut office = Office::with(&HASTY).await;
        let number = office.termin(&hour(3, "Besprechung"));
        let gate = office.world.sandbox.gate(Match::on(System::Google).request("POST", "*/calendars"), phase);
        office.enqueue(SB).await;
        gate.arrived().await;
        office.world.kill_worker();
        gate.release();
        office.world.start_worker();
        office.sync().await;
        assert_eq!(office.world.sandbox.people().google_calendars().len(), 1, "{phase:?}");
        assert_eq!(office.event_of(number)["summary"], "Besprechung");
        office.is_in_step().await;
    }
}

/// A worker is killed while its POST hangs on the way; the next one has taken over when the POST arrives at last.
async fn arrives_late(office: &mut Office, system: System, path: &str) {
    let gate = office.world.sandbox.gate(Match::on(system).request("POST", path), Phase::Before);
    office.enqueue(SB).await;
    gate.arrived().await;
    office.world.kill_worker();
    office.world.start_worker();
    let queue = &office.world.queue;
    let waits = async || queue.stats(chrono::Utc::now()).await.unwrap().flows["calendar"].scheduled == 1;
    office.world.until("the next worker waits for the quiet time to end", waits).await;
    gate.release();
    office.sync().await;
}

#[tokio::test]
async fn a_post_that_arrives_after_its_worker_died_is_the_only_one() {
    let patient = [HASTY.as_slice(), &[("ADVOSYNC_QUIET_TIME", "6s")]].concat();
    let mut office = Office::with(&patient).await;
    let number = office.termin(&hour(3, "Besprechung"));
    arrives_late(&mut office, System::Google, "*/calendars").await;
    assert_eq!(office.world.sandbox.people().google_calendars().len(), 1);
    assert_eq!(office.event_of(number)["summary"], "Besprechung");

    office.event(&event(4, "Neues Ereignis"));
    arrives_late(&mut office, System::Advoware, "*/Termine").await;
    assert_eq!((office.termine().len(), office.events().len()), (2, 2));
    office.is_in_step().await;
}
