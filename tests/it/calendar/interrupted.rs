//! Runs that are killed (SIGKILL) between an effect and the ledger: what the next run makes of what it finds.

use advosync::queue::{Batch, Lane, Topic};
use advosync_sandbox::{Match, Phase, System};
use serde_json::json;

use super::series_support::{Office, at, day, is, recurring};

const LEASE: [(&str, &str); 1] = [("ADVOSYNC_LEASE", "1500ms")];

/// Begins a run and kills its worker once Google has taken a request in and not answered it.
async fn killed(office: &mut Office, method: &str, path: &str, text: &str) {
    let target = Match::on(System::Google).request(method, path).containing(text);
    let gate = office.world.sandbox.gate(target, Phase::After);
    let keys = ["SB".to_owned()];
    let batch = Batch::new(Topic::CalendarEmployee, Lane::First, &keys, "test");
    office.world.queue.enqueue(&batch).await.unwrap();
    gate.arrived().await;
    office.world.kill_worker();
    gate.release();
}

#[tokio::test]
async fn a_write_of_ours_that_the_ledger_does_not_know_is_no_edit_of_a_person() {
    let mut office = Office::with("SB", &LEASE).await;
    let number = office.termin(&json!({ "text": "eins", "datum": day(3) }));
    let other = office.termin(&json!({ "text": "zwei", "datum": day(3) }));
    office.synced().await;
    office.edit(number, &json!({ "text": "eins neu" }));
    killed(&mut office, "PUT", "*/events/*", "eins neu").await;
    // Were the event taken for edited, it would beat the deletion, and its Termin come back.
    office.delete(number);
    office.world.start_worker();
    office.sync().await;
    office.sync().await;
    assert!(office.get(number).is_none());
    assert_eq!((office.days("eins neu"), office.termine().len()), (Vec::new(), 1));
    assert_eq!(office.events().len(), 1);

    // Nor is there a conflict with what the lawyer does next.
    office.edit(other, &json!({ "text": "zwei neu" }));
    killed(&mut office, "PUT", "*/events/*", "zwei neu").await;
    office.edit(other, &json!({ "text": "zwei", "ort": "Saal" }));
    office.world.start_worker();
    let (_, detail) = office.sync().await;
    assert_eq!(detail.get("conflict"), None, "{detail}");
    office.sync().await;
    let event = office.event_of(other);
    assert!(is(&event, "summary", "zwei") && is(&event, "location", "Saal"), "{event:?}");
    office.unchanged().await;
}

#[tokio::test]
async fn a_first_run_that_is_killed_leaves_nothing_ambiguous() {
    let mut office = Office::with("SB", &LEASE).await;
    // The calendar is made; nothing is in it yet.
    killed(&mut office, "POST", "*/calendars", "AW-SB").await;
    let on = day(5);
    office.event(&recurring(
        "Reihe",
        on,
        9,
        &["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20200101T090000"],
    ));
    let lecture = recurring(
        "Kurs",
        on,
        9,
        &[&format!("RRULE:FREQ=MONTHLY;BYMONTHDAY={};COUNT=2;BYDAY=MO,TU,WE,TH,FR,SA,SU", on.format("%-d"))],
    );
    office.event(&lecture);
    office.event(&json!({ "summary": "einzeln", "start": at(on, 9), "end": at(on, 10) }));
    let number = office.termin(&json!({ "text": "Verhandlung", "datum": on }));
    let people = office.world.sandbox.people();
    let id =
        office.events().into_iter().find(|it| is(it, "summary", "Reihe")).unwrap()["id"].as_str().unwrap().to_owned();
    people.google_cancel_instance("AW-SB", &id, on.succ_opt().unwrap()).unwrap();
    office.world.start_worker();
    let (_, first) = office.sync().await;
    let (_, detail) = office.sync().await;
    assert_eq!((first.get("ambiguous"), detail.get("ambiguous")), (None, None), "{first} {detail}");
    assert_eq!(office.event_of(number)["summary"], "Verhandlung");
    assert_eq!((office.days("Reihe").len(), office.days("einzeln").len()), (2, 1));
    assert_eq!(office.days("Kurs").first(), Some(&on));
    office.unchanged().await;
}
