//! Termine that stand in two calendars (C6), and Termine that change hands.

use advosync::queue::{Ended, Topic};
use advosync_sandbox::{Change, Fields, Match, Phase, System};
use serde_json::{Value, json};

use super::support::{Office, SB, done, event, hour, with};

const AB: &str = "AB";

impl Office {
    /// A firm of two, with a Termin of both.
    async fn of_two() -> (Self, i64) {
        let office = Self::start().await;
        office.hire(AB);
        let number = office.termin(&with(hour(3, "Zu zweit"), &json!({ "anwalt": SB, "sb": AB })));
        office.both().await;
        (office, number)
    }

    /// Syncs both, one after the other.
    async fn both(&self) -> [String; 2] {
        [done(self.run(SB, None, None).await).result, done(self.run(AB, None, None).await).result]
    }

    /// The only event of a calendar.
    fn copy(&self, kuerzel: &str) -> Fields {
        let mut events = self.world.sandbox.people().google_events(&format!("AW-{kuerzel}"));
        assert_eq!(events.len(), 1, "{kuerzel}: {events:#?}");
        events.remove(0)
    }

    fn edit(&self, kuerzel: &str, values: &Value) {
        let id = self.copy(kuerzel)["id"].as_str().unwrap().to_owned();
        self.world.sandbox.people().google_update(&format!("AW-{kuerzel}"), &id, values).unwrap();
    }
}

#[tokio::test]
async fn an_edit_of_one_copy_reaches_the_other_by_the_termin() {
    let (office, number) = Office::of_two().await;
    office.edit(AB, &json!({ "summary": "Umbenannt" }));
    office.both().await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["text"], &termin["anwalt"], &termin["sb"]), (&json!("Umbenannt"), &json!(SB), &json!(AB)));
    office.both().await;
    assert_eq!(office.copy(SB)["summary"], "Umbenannt");
    let mark = office.world.mark();
    assert_eq!(office.both().await, ["unchanged", "unchanged"]);
    assert_eq!(office.writes(mark), []);
}

#[tokio::test]
async fn a_shared_termin_that_another_run_writes_is_left_and_done_by_one_more_run() {
    let (office, number) = Office::of_two().await;
    office.edit(SB, &json!({ "summary": "Von SB" }));
    office.edit(AB, &json!({ "location": "Von AB" }));
    let put = Match::on(System::Advoware).request("PUT", "*/Termine");
    let gate = office.world.sandbox.gate(put, Phase::Before);
    let queue = &office.world.queue;
    let mut again = queue.waiter(Topic::CalendarEmployee, AB).await.unwrap();
    let (first, second) = tokio::join!(office.run(SB, None, None), async {
        gate.arrived().await;
        let second = done(office.run(AB, None, None).await);
        gate.release();
        second
    });
    assert_eq!(done(first).result, "synced");
    assert_eq!(second.detail["queued_again"], true, "{second:?}");
    // The run that was queued, or one more: what counts is that it needs no further trigger.
    loop {
        let Some(ended) = again.poll().await.unwrap() else { continue };
        assert!(matches!(ended, Ended::Done { .. }), "{ended:?}");
        if office.termin_of(number).unwrap()["ort"] == "Von AB" {
            break;
        }
    }
    assert_eq!(office.termin_of(number).unwrap()["text"], "Von SB");
    office.both().await;
    office.both().await;
    for kuerzel in [SB, AB] {
        let copy = office.copy(kuerzel);
        assert_eq!((&copy["summary"], &copy["location"]), (&json!("Von SB"), &json!("Von AB")), "{kuerzel}");
    }
    assert_eq!(office.world.redis.cli(&["KEYS", "calendar_sync:termin_lock:*"]), "");
}

#[tokio::test]
async fn a_termin_that_changes_hands_changes_its_calendar() {
    let office = Office::start().await;
    office.hire(AB);
    let number = office.termin(&hour(3, "Besprechung"));
    office.both().await;
    office.lawyer(number, &json!({ "anwalt": AB, "sb": AB }));
    office.both().await;
    assert!(office.events().is_empty());
    assert_eq!(office.copy(AB)["summary"], "Besprechung");
    // With an edit of the one who gave it away: it goes to the Termin first.
    office.lawyer(number, &json!({ "anwalt": SB, "sb": SB }));
    office.edit(AB, &json!({ "description": "noch von AB" }));
    office.run(AB, None, None).await;
    assert_eq!(office.termin_of(number).unwrap()["notiz"], "noch von AB");
    office.both().await;
    assert!(office.world.sandbox.people().google_events("AW-AB").is_empty());
    assert_eq!(office.copy(SB)["description"], "noch von AB");
    let deleted = office.writes_to(System::Advoware, 0).iter().filter(|it| it.change == Change::Delete).count();
    assert_eq!((deleted, office.termine().len()), (0, 1));
    let mark = office.world.mark();
    assert_eq!(office.both().await, ["unchanged", "unchanged"]);
    assert_eq!(office.writes(mark), []);
}

#[tokio::test]
async fn a_new_event_of_one_employee_is_no_business_of_the_other() {
    let (office, _) = Office::of_two().await;
    office.event(&event(5, "Nur SB"));
    office.both().await;
    assert_eq!(office.events().len(), 2);
    assert_eq!(office.copy(AB)["summary"], "Zu zweit");
    let mine: Vec<_> = office.termine().into_iter().filter(|termin| termin["text"] == "Nur SB").collect();
    assert_eq!((&mine[0]["anwalt"], &mine[0]["sb"]), (&json!(SB), &json!(SB)));
}
