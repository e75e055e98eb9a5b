//! The ledger can be rebuilt from the events, and the events' properties from the ledger; where both are lost, equal
//! content finds its like.

use advosync_sandbox::{Change, System};
use serde_json::json;

use super::support::{CALENDAR, Office, day, event, hour, with};

impl Office {
    /// Termine of several kinds and an event of the employee's own, synced.
    async fn furnished(&self) -> Vec<i64> {
        let numbers = vec![
            self.termin(&hour(3, "Besprechung")),
            self.termin(&with(hour(4, "Urlaub"), &json!({ "dauertermin": 1, "turnus": 0 }))),
            self.termin(&with(
                hour(5, "Jour fixe"),
                &json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 2, "datumBis": day(60) }),
            )),
            self.termin(&with(hour(6, "Sozietät"), &json!({ "anwalt": "ALLE", "sb": "" }))),
            self.termin(&with(hour(7, "Feiertag"), &json!({ "frNr": -9 }))),
            self.termin(&hour(8, "Zwilling")),
            self.termin(&hour(8, "Zwilling")),
        ];
        self.sync().await;
        self.event(&event(9, "Vom Mitarbeiter"));
        self.synced("synced").await;
        self.is_in_step().await;
        assert_eq!((self.events().len(), self.termine().len()), (8, 8));
        numbers
    }

    /// Nothing was doubled and nothing is gone.
    fn is_complete(&self) {
        assert_eq!((self.events().len(), self.termine().len()), (8, 8));
    }
}

#[tokio::test]
async fn without_the_ledger_everything_is_paired_again_and_nothing_written() {
    let office = Office::start().await;
    office.furnished().await;
    office.lose_ledger();
    let mark = office.world.mark();
    let done = office.sync().await;
    assert_eq!(office.writes(mark), [], "{done:?}");
    office.is_complete();
    office.is_in_step().await;
}

#[tokio::test]
async fn a_redis_that_lost_everything_changes_nothing() {
    let mut office = Office::start().await;
    office.furnished().await;
    let worker = office.world.take_worker();
    worker.terminate(std::time::Duration::from_secs(20)).await;
    office.world.redis.cli(&["FLUSHALL"]);
    office.world.queue.prepare(chrono::Utc::now()).await.unwrap();
    office.world.start_worker();
    let mark = office.world.mark();
    office.sync().await;
    assert_eq!(office.writes(mark), []);
    office.is_complete();
    assert_eq!(office.world.sandbox.people().google_calendars().len(), 1);
}

#[tokio::test]
async fn without_the_properties_the_ledger_knows() {
    let office = Office::start().await;
    let numbers = office.furnished().await;
    let id = office.event_id(numbers[0]);
    office.lose_properties();
    let mark = office.world.mark();
    let done = office.sync().await;
    assert_eq!(office.writes_to(System::Advoware, mark), [], "{done:?}");
    office.is_complete();
    // Edits still find their other side.
    office.employee(&id, &json!({ "summary": "Umbenannt" }));
    office.synced("synced").await;
    assert_eq!(office.termin_of(numbers[0]).unwrap()["text"], "Umbenannt");
    office.is_complete();
    office.is_in_step().await;
}

#[tokio::test]
async fn without_both_equal_content_is_linked() {
    let office = Office::start().await;
    office.furnished().await;
    office.lose_properties();
    office.lose_ledger();
    let mark = office.world.mark();
    let done = office.sync().await;
    let created = office.writes(mark).iter().filter(|effect| effect.change != Change::Update).count();
    assert_eq!(created, 0, "{done:?}");
    assert_eq!(office.writes_to(System::Advoware, mark), []);
    office.is_complete();
    office.is_in_step().await;
    let text = json!({ "summary": "Umbenannt" });
    let own = office.events().into_iter().find(|event| event["summary"] == "Vom Mitarbeiter").unwrap();
    office.employee(own["id"].as_str().unwrap(), &text);
    office.synced("synced").await;
    office.is_complete();
    assert_eq!(office.termine().iter().filter(|termin| termin["text"] == "Umbenannt").count(), 1);
}

#[tokio::test]
async fn what_was_edited_while_the_ledger_was_lost_goes_the_right_way() {
    let office = Office::start().await;
    let numbers = [3, 4, 5].map(|at| office.termin(&hour(at, &format!("Termin {at}"))));
    office.synced("synced").await;
    let ids = numbers.map(|number| office.event_id(number));
    office.lose_ledger();
    office.lawyer(numbers[0], &json!({ "text": "Vom Anwalt" }));
    office.employee(&ids[1], &json!({ "summary": "Vom Mitarbeiter" }));
    office.lawyer(numbers[2], &json!({ "text": "Anwalt" }));
    office.employee(&ids[2], &json!({ "summary": "Mitarbeiter" }));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["conflict"], json!([format!("{} (text)", numbers[2])]), "{done:?}");
    for (number, text) in numbers.iter().zip(["Vom Anwalt", "Vom Mitarbeiter", "Anwalt"]) {
        assert_eq!(office.termin_of(*number).unwrap()["text"], text);
        assert_eq!(office.event_of(*number)["summary"], text);
    }
    assert_eq!((office.events().len(), office.termine().len()), (3, 3));
    office.is_in_step().await;
}

#[tokio::test]
async fn what_was_deleted_while_the_ledger_was_lost_is_left_to_people() {
    let office = Office::start().await;
    let numbers = [3, 4].map(|at| office.termin(&hour(at, &format!("Termin {at}"))));
    office.synced("synced").await;
    let (orphan, deleted) = (office.event_id(numbers[0]), office.event_id(numbers[1]));
    office.lose_ledger();
    office.lawyer_deletes(numbers[0]);
    office.employee_deletes(&deleted);
    let mark = office.world.mark();
    let done = office.sync().await;
    assert_eq!(done.detail["orphan"], json!([orphan]), "{done:?}");
    assert_eq!(office.writes_to(System::Advoware, mark), [], "nothing proves who deleted what");
    assert!(office.events().iter().any(|event| event["id"] == *orphan), "left alone");
    assert_eq!(office.event_of(numbers[1])["summary"], "Termin 4", "its event comes back");
    // It is asked for once, and then only told.
    office.world.sandbox.reset_counts();
    let done = office.sync().await;
    assert_eq!(done.detail["orphan"], json!([orphan]), "{done:?}");
    assert_eq!(office.calls().0, 1);
}

#[tokio::test]
async fn what_google_makes_of_a_note_is_no_edit_once_the_ledger_is_lost() {
    let office = Office::start().await;
    let notes = ["<Mandant> kommt", "5 < 6 & 7 > 4", "<b>fett</b><br>neu", "a\r\n\r\nb  "];
    let numbers: Vec<i64> =
        (1..).zip(notes).map(|(at, note)| office.termin(&with(hour(at, "Notiz"), &json!({ "notiz": note })))).collect();
    office.synced("synced").await;
    office.lose_ledger();
    let mark = office.world.mark();
    office.sync().await;
    assert_eq!(office.writes(mark), []);
    for (number, note) in numbers.into_iter().zip(notes) {
        assert_eq!(office.termin_of(number).unwrap()["notiz"], note);
    }
}

#[tokio::test]
async fn a_sync_token_that_ended_costs_one_full_list() {
    let office = Office::start().await;
    let numbers = office.furnished().await;
    office.world.sandbox.expire_sync_tokens();
    office.is_in_step().await;
    assert!(office.world.sandbox.calls().iter().any(|call| call.status == Some(410)));
    // What went meanwhile is missing in the full list.
    let id = office.event_id(numbers[0]);
    office.employee_deletes(&id);
    office.employee(&office.event_id(numbers[1]), &json!({ "summary": "Ferien" }));
    office.world.sandbox.expire_sync_tokens();
    office.synced("synced").await;
    assert!(office.termin_of(numbers[0]).is_none());
    assert_eq!(office.termin_of(numbers[1]).unwrap()["text"], "Ferien");
    office.is_in_step().await;
}

#[tokio::test]
async fn a_copy_that_a_person_made_of_an_event_is_a_new_one() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    let mut copy = office.event_of(number);
    copy.retain(|name, _| ["summary", "start", "end", "extendedProperties"].contains(&name.as_str()));
    copy["start"] = json!({ "dateTime": format!("{}T14:00:00", day(4)), "timeZone": "Europe/Berlin" });
    copy["end"] = json!({ "dateTime": format!("{}T15:00:00", day(4)), "timeZone": "Europe/Berlin" });
    let id = office.event(&serde_json::Value::Object(copy));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["termine_created"], 1, "{done:?}");
    assert_eq!((office.events().len(), office.termine().len()), (2, 2));
    let copy = office.world.sandbox.people().google_get(CALENDAR, &id).unwrap();
    assert_ne!(copy["extendedProperties"]["private"]["advoware_frnr"], number.to_string());
    office.is_in_step().await;
}
