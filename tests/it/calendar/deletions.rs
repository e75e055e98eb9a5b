//! Deletions need proof, and too many of them a person (C1, C2).

use advosync::queue::Ended;
use advosync_sandbox::{Change, Fault, System};
use serde_json::json;

use super::support::{CALENDAR, Done, Office, SB, day, done, hour, past, with};

/// What `advosync sync SB --confirm-deletions` sends.
const CONFIRMED: &str = r#"{"confirm_deletions":true}"#;

impl Office {
    /// A job with confirmed deletions.
    async fn confirmed(&self) -> Done {
        done(self.run(SB, Some(CONFIRMED), None).await)
    }

    /// So many Termine on days of their own, synced.
    async fn many(&self, count: u64) -> Vec<i64> {
        let numbers = (0..count).map(|at| self.termin(&hour(at + 1, &format!("Termin {at}")))).collect();
        self.synced("synced").await;
        numbers
    }

    /// What the program deleted since a mark: at Advoware, at Google.
    fn deleted(&self, since: u64) -> (usize, usize) {
        let count =
            |system| self.writes_to(system, since).iter().filter(|effect| effect.change == Change::Delete).count();
        (count(System::Advoware), count(System::Google))
    }
}

#[tokio::test]
async fn a_deletion_goes_over_from_either_side() {
    let office = Office::start().await;
    let numbers = office.many(3).await;
    let id = office.event_id(numbers[1]);
    let mark = office.world.mark();
    office.lawyer_deletes(numbers[0]);
    office.employee_deletes(&id);
    let done = office.synced("synced").await;
    assert_eq!((&done.detail["events_deleted"], &done.detail["termine_deleted"]), (&json!(1), &json!(1)), "{done:?}");
    assert_eq!(office.deleted(mark), (1, 1));
    assert!(office.events_of(numbers[0]).is_empty() && office.termin_of(numbers[1]).is_none());
    assert_eq!((office.events().len(), office.termine().len()), (1, 1));
    office.is_in_step().await;

    // Gone on both sides: nothing is left to be done.
    let id = office.event_id(numbers[2]);
    office.lawyer_deletes(numbers[2]);
    office.employee_deletes(&id);
    let mark = office.world.mark();
    office.sync().await;
    assert_eq!(office.writes(mark), []);
    office.is_in_step().await;
}

#[tokio::test]
async fn an_edit_beats_a_deletion() {
    let office = Office::start().await;
    let numbers = office.many(2).await;
    let (first, second) = (office.event_id(numbers[0]), office.event_id(numbers[1]));
    let mark = office.world.mark();
    office.lawyer_deletes(numbers[0]);
    office.employee(&first, &json!({ "summary": "Bleibt" }));
    office.employee_deletes(&second);
    office.lawyer(numbers[1], &json!({ "text": "Bleibt auch" }));
    let done = office.synced("synced").await;
    assert!(done.detail["edit_beats_delete"].is_array() && done.detail["came_back"].is_array(), "{done:?}");
    assert_eq!(office.deleted(mark), (0, 0));
    let texts: Vec<_> = office.termine().iter().map(|termin| termin["text"].clone()).collect();
    assert_eq!(texts, ["Bleibt auch", "Bleibt"], "the new one has a new number");
    assert_eq!(office.event_of(numbers[1])["summary"], "Bleibt auch");
    assert_ne!(office.event_id(numbers[1]), second, "a deleted event's id stays taken");
    assert_eq!(office.events().len(), 2);
    office.is_in_step().await;
}

#[tokio::test]
async fn more_than_five_are_held_back_and_everything_else_goes_on() {
    let office = Office::start().await;
    let numbers = office.many(12).await;
    let mark = office.world.mark();
    for number in &numbers[..6] {
        office.lawyer_deletes(*number);
    }
    office.lawyer(numbers[8], &json!({ "text": "Geändert" }));
    let fresh = office.termin(&hour(30, "Neu"));
    let done = office.synced("held_deletions").await;
    assert_eq!(done.detail["held_deletions"], 6, "{done:?}");
    assert_eq!(office.deleted(mark), (0, 0));
    assert_eq!(office.event_of(numbers[8])["summary"], "Geändert");
    assert_eq!(office.event_of(fresh)["summary"], "Neu");
    assert_eq!(office.events().len(), 13);
    office.synced("held_deletions").await;
    assert_eq!(office.deleted(mark), (0, 0), "the next run needs a person, too");
    let done = office.confirmed().await;
    assert_eq!((done.result.as_str(), office.deleted(mark)), ("synced", (0, 6)), "{done:?}");
    office.is_in_step().await;
}

#[tokio::test]
async fn deletions_of_both_sides_count_together() {
    let office = Office::start().await;
    let numbers = office.many(8).await;
    let ids: Vec<String> = numbers[3..6].iter().map(|number| office.event_id(*number)).collect();
    let mark = office.world.mark();
    for number in &numbers[..3] {
        office.lawyer_deletes(*number);
    }
    for id in &ids {
        office.employee_deletes(id);
    }
    office.synced("held_deletions").await;
    assert_eq!(office.deleted(mark), (0, 0));
    assert_eq!(office.termine().len(), 5);
    office.confirmed().await;
    assert_eq!(office.deleted(mark), (3, 3));
    assert_eq!((office.events().len(), office.termine().len()), (2, 2));
    office.is_in_step().await;
}

#[tokio::test]
async fn what_both_sides_deleted_is_no_deletion_however_much_it_is() {
    let office = Office::start().await;
    let numbers = office.many(14).await;
    let ids: Vec<String> = numbers[..12].iter().map(|number| office.event_id(*number)).collect();
    for number in &numbers[..12] {
        office.lawyer_deletes(*number);
    }
    for id in &ids {
        office.employee_deletes(id);
    }
    let id = office.event_id(numbers[12]);
    office.employee_deletes(&id);
    let mark = office.world.mark();
    let done = office.synced("synced").await;
    assert_eq!(office.deleted(mark), (1, 0), "{done:?}");
    assert_eq!((office.events().len(), office.termine().len()), (1, 1));
    office.world.sandbox.reset_counts();
    office.is_in_step().await;
    assert_eq!(office.calls(), (1, 1), "nothing is left to ask for");
}

#[tokio::test]
async fn many_copies_that_may_not_go_all_come_back_at_once() {
    let office = Office::start().await;
    let shared = |at: u64| with(hour(at, &format!("Sozietät {at}")), &json!({ "anwalt": "ALLE", "sb": "" }));
    let numbers: Vec<i64> = (1..=12).map(|at| office.termin(&shared(at))).collect();
    office.synced("synced").await;
    for number in &numbers {
        office.employee_deletes(&office.event_id(*number));
    }
    let done = office.synced("synced").await;
    assert_eq!(done.detail["events_inserted"], 12, "{done:?}");
    assert_eq!((office.events().len(), office.termine().len()), (12, 12));
    office.is_in_step().await;
}

#[tokio::test]
async fn an_empty_list_deletes_nothing() {
    let office = Office::start().await;
    let numbers = office.many(20).await;
    let mark = office.world.mark();
    let mut list = Fault::on(System::Advoware).get("*/Termine").once().answer(200, "[]");
    list.target.query = Some("kuerzel=".to_owned());
    office.world.sandbox.fault(list);
    office.sync().await;
    assert_eq!(office.writes(mark), [], "each Termin is there when it is asked for");
    assert_eq!(office.events().len(), numbers.len());
    office.is_in_step().await;
    // The same at Google: a whole list without an event.
    office.world.sandbox.expire_sync_tokens();
    let list = Fault::on(System::Google).get("*/events").skip(1).once();
    office.world.sandbox.fault(list.answer(200, r#"{"kind":"calendar#events","items":[],"nextSyncToken":"x"}"#));
    let mark = office.world.mark();
    office.sync().await;
    assert_eq!(office.world.sandbox.faults_struck(), 2);
    assert_eq!(office.writes(mark), [], "each event is there when it is asked for");
}

#[tokio::test]
async fn what_leaves_the_window_stays() {
    let mut office = Office::with(&[("CALENDAR_SYNC_PAST", "30d"), ("CALENDAR_SYNC_FUTURE", "30d")]).await;
    let before = json!({ "datum": past(20), "datumBis": past(20) });
    let old = office.termin(&with(hour(0, "Alt"), &before));
    let far = office.termin(&hour(25, "Fern"));
    let near = office.termin(&hour(3, "Nah"));
    office.synced("synced").await;
    assert_eq!(office.events().len(), 3);
    office.restart_with(&[("CALENDAR_SYNC_PAST", "10d"), ("CALENDAR_SYNC_FUTURE", "10d")]).await;
    office.is_in_step().await;
    // Moved out of the window by the lawyer: the event goes with it, and then stays.
    office.lawyer(near, &json!({ "datum": day(20), "datumBis": day(20) }));
    office.synced("synced").await;
    let start = office.event_of(near)["start"]["dateTime"].as_str().unwrap().to_owned();
    assert!(start.starts_with(&day(20).to_string()), "{start}");
    office.is_in_step().await;
    // An edit of what is outside still goes over.
    office.employee(&office.event_id(far), &json!({ "summary": "Ferner" }));
    office.synced("synced").await;
    assert_eq!(office.termin_of(far).unwrap()["text"], "Ferner");
    // A deletion of what is outside is none.
    office.employee_deletes(&office.event_id(old));
    let mark = office.world.mark();
    office.sync().await;
    assert!(office.termin_of(old).is_some());
    assert_eq!(office.deleted(mark), (0, 0));
    office.world.sandbox.reset_counts();
    office.is_in_step().await;
    assert_eq!(office.calls(), (1, 1), "what is outside costs no call");
}

#[tokio::test]
async fn a_calendar_that_was_deleted_is_made_anew_and_no_termin_is_lost() {
    let office = Office::start().await;
    office.many(15).await;
    office.world.sandbox.people().google_delete_calendar(CALENDAR).unwrap();
    let mark = office.world.mark();
    let done = office.synced("synced").await;
    assert_eq!(done.detail["events_inserted"], 15, "{done:?}");
    assert_eq!(office.deleted(mark), (0, 0));
    assert_eq!((office.termine().len(), office.events().len()), (15, 15));
    assert_eq!(office.world.sandbox.people().google_calendars().len(), 1);
    office.is_in_step().await;
}

#[tokio::test]
async fn the_copy_of_a_shared_or_generated_termin_comes_back() {
    let office = Office::start().await;
    let shared = office.termin(&with(hour(3, "Sozietät"), &json!({ "anwalt": "Allgemein", "sb": "" })));
    let two = office.termin(&with(hour(4, "Zu zweit"), &json!({ "anwalt": SB, "sb": "XY" })));
    let generated = office.termin(&with(hour(5, "Feiertag"), &json!({ "frNr": -3 })));
    office.synced("synced").await;
    for number in [shared, two, generated] {
        office.employee_deletes(&office.event_id(number));
    }
    let done = office.synced("synced").await;
    assert_eq!(done.detail["came_back"].as_array().map(Vec::len), Some(3), "{done:?}");
    for number in [shared, two, generated] {
        assert!(office.termin_of(number).is_some());
        assert_eq!(office.event_of(number)["extendedProperties"]["private"]["advosync_generation"], "1");
    }
    assert_eq!(office.writes_to(System::Advoware, 0), []);
    office.is_in_step().await;
    // Again, for the next generation.
    office.employee_deletes(&office.event_id(two));
    office.synced("synced").await;
    assert_eq!(office.event_of(two)["extendedProperties"]["private"]["advosync_generation"], "2");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_not_deleted() {
    let office = Office::start().await;
    let numbers = office.many(3).await;
    office.lawyer_deletes(numbers[0]);
    let mut asked = Fault::on(System::Advoware).get("*/Termine").answer(400, "Das versteht hier niemand.");
    asked.target.query = Some("frnr=".to_owned());
    office.world.sandbox.fault(asked);
    let ended = office.run(SB, None, None).await;
    assert!(matches!(ended, Ended::Done { .. }), "{ended:?}");
    assert_eq!(office.events().len(), 3, "no answer is no proof");
    office.world.sandbox.clear_faults();
    office.synced("synced").await;
    assert_eq!(office.events().len(), 2);
}
