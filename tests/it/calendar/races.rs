//! Somebody acts between our reading and our writing: what they did is seen, and decided on anew.

use advosync_sandbox::{Change, Match, Phase, System};
use serde_json::json;

use super::support::{Done, Office, SB, done, hour};

/// One event at Google.
const EVENT: &str = "*/events/*";

impl Office {
    /// A Termin and its event's id, in step.
    async fn one(&self) -> (i64, String) {
        let number = self.termin(&hour(3, "Besprechung"));
        self.synced("synced").await;
        (number, self.event_id(number))
    }

    /// A job that is held before a request, while somebody does something.
    async fn meanwhile(&self, target: Match, act: impl FnOnce()) -> Done {
        let gate = self.world.sandbox.gate(target, Phase::Before);
        let (ended, ()) = tokio::join!(self.run(SB, None, None), async {
            gate.arrived().await;
            act();
            gate.release();
        });
        done(ended)
    }

    fn deletions(&self) -> usize {
        self.writes(0).iter().filter(|effect| effect.change == Change::Delete).count()
    }

    /// One entry on each side, with this text.
    async fn agree_on(&self, text: &str) {
        let (termine, events) = (self.termine(), self.events());
        assert_eq!((termine.len(), events.len()), (1, 1), "{termine:#?}\n{events:#?}");
        assert_eq!((&termine[0]["text"], &events[0]["summary"]), (&json!(text), &json!(text)));
        self.is_in_step().await;
    }
}

/// A Termin that is asked for by its number.
fn asked() -> Match {
    let mut asked = Match::on(System::Advoware).request("GET", "*/Termine");
    asked.query = Some("frnr=".to_owned());
    asked
}

#[tokio::test]
async fn the_termin_is_deleted_while_the_employee_s_edit_goes_over() {
    let office = Office::start().await;
    let (number, id) = office.one().await;
    office.employee(&id, &json!({ "summary": "Bleibt" }));
    office.meanwhile(asked(), || office.lawyer_deletes(number)).await;
    office.agree_on("Bleibt").await;
    assert_eq!(office.deletions(), 0);
}

#[tokio::test]
async fn the_event_is_deleted_while_the_lawyer_s_edit_goes_over() {
    let office = Office::start().await;
    let (number, id) = office.one().await;
    office.lawyer(number, &json!({ "text": "Bleibt" }));
    office.meanwhile(Match::on(System::Google).request("PUT", EVENT), || office.employee_deletes(&id)).await;
    office.agree_on("Bleibt").await;
    assert_eq!(office.deletions(), 0);
}

#[tokio::test]
async fn the_event_is_edited_while_it_is_about_to_be_deleted() {
    let office = Office::start().await;
    let (number, id) = office.one().await;
    office.lawyer_deletes(number);
    let delete = Match::on(System::Google).request("DELETE", EVENT);
    let done = office.meanwhile(delete, || office.employee(&id, &json!({ "summary": "Bleibt" }))).await;
    assert!(done.detail["edit_beats_delete"].is_array(), "{done:?}");
    office.agree_on("Bleibt").await;
    assert_eq!(office.deletions(), 0);
}

#[tokio::test]
async fn the_termin_is_edited_while_it_is_about_to_be_deleted() {
    let office = Office::start().await;
    let (number, id) = office.one().await;
    office.employee_deletes(&id);
    let done = office.meanwhile(asked(), || office.lawyer(number, &json!({ "text": "Bleibt" }))).await;
    assert!(done.detail["came_back"].is_array(), "{done:?}");
    office.agree_on("Bleibt").await;
    assert_eq!((office.termine()[0]["frNr"].as_i64(), office.deletions()), (Some(number), 0));
}

#[tokio::test]
async fn a_new_event_is_edited_or_deleted_while_it_gets_its_termin() {
    let office = Office::start().await;
    office.synced("synced").await;
    let post = || Match::on(System::Advoware).request("POST", "*/Termine");
    let id = office.event(&super::support::event(4, "Neu"));
    office.meanwhile(post(), || office.employee(&id, &json!({ "summary": "Gleich geändert" }))).await;
    office.sync().await;
    office.agree_on("Gleich geändert").await;
    office.employee_deletes(&id);
    office.synced("synced").await;
    let id = office.event(&super::support::event(5, "Kurz"));
    office.meanwhile(post(), || office.employee_deletes(&id)).await;
    office.sync().await;
    assert_eq!((office.termine().len(), office.events().len()), (0, 0));
    office.is_in_step().await;
}

#[tokio::test]
async fn both_edit_the_same_event_again_and_again_while_a_job_runs() {
    let office = Office::start().await;
    let (number, id) = office.one().await;
    office.lawyer(number, &json!({ "text": "Vom Anwalt" }));
    let gates: Vec<_> = (1..=4)
        .map(|nth| office.world.sandbox.gate_nth(Match::on(System::Google).request("PUT", EVENT), Phase::Before, nth))
        .collect();
    let (ended, ()) = tokio::join!(office.run(SB, None, None), async {
        for (at, gate) in gates.iter().enumerate() {
            gate.arrived().await;
            office.employee(&id, &json!({ "description": format!("Stand {at}") }));
            gate.release();
        }
    });
    done(ended);
    office.sync().await;
    office.agree_on("Vom Anwalt").await;
    assert_eq!(office.termin_of(number).unwrap()["notiz"], "Stand 3");
}

#[tokio::test]
async fn the_calendar_is_deleted_while_a_job_writes_and_no_termin_is_lost() {
    let office = Office::start().await;
    let numbers: Vec<i64> = (1..=8).map(|at| office.termin(&hour(at, &format!("Termin {at}")))).collect();
    office.synced("synced").await;
    office.lawyer(numbers[0], &json!({ "text": "Vom Anwalt" }));
    office.termin(&hour(20, "Neu"));
    office.lawyer_deletes(numbers[1]);
    let put = Match::on(System::Google).request("PUT", EVENT);
    let people = office.world.sandbox.people();
    office.meanwhile(put, || people.google_delete_calendar(super::support::CALENDAR).unwrap()).await;
    assert_eq!(office.writes_to(System::Advoware, 0), []);
    office.sync().await;
    assert_eq!((office.termine().len(), office.events().len()), (8, 8));
    assert_eq!(office.event_of(numbers[0])["summary"], "Vom Anwalt");
    office.is_in_step().await;
}
