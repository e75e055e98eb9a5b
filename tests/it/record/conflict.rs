//! Both sides were edited since they last agreed.

use advosync_sandbox::{Action, Fault, Options, Phase, System};
use serde_json::json;

use super::{company, person, put_to_record};
use crate::support::world::World;

#[tokio::test]
async fn edits_of_different_fields_both_survive() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "telGesch": "+4940987654", "strasse": "Gerichtsweg 1" }));
    let mark = world.mark();
    world.sandbox.reset_counts();
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    assert_eq!(world.calls(), (2, 2));
    let (record, party) = (world.record(&id), world.party(number));
    assert_eq!(record["phoneNumber"], "+4940987654");
    assert_eq!(party["emailGesch"], "crm@example.org");
    assert_eq!(party["strasse"], "Gerichtsweg 1");
    assert_eq!((world.writes_to(System::Advoware, mark).len(), world.writes_to(System::EspoCrm, mark).len()), (1, 1));
    assert!(world.notes(&id).is_empty());
    assert_eq!(world.done(&id).await, "unchanged");
}

#[tokio::test]
async fn of_one_field_espocrm_wins_and_one_note_names_what_lost() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let (other, _) = world.created(&company("Unbeteiligt")).await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org", "anrede": "Frau" }));
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org", "telGesch": "+4940987654" }));
    world.sandbox.reset_counts();
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    let (record, party) = (world.record(&id), world.party(number));
    assert_eq!((&record["emailAddress"], &record["phoneNumber"]), (&json!("crm@example.org"), &json!("+4940987654")));
    assert_eq!(party["anrede"], "Frau");
    assert_eq!(world.calls(), (2, 3), "the note is one call more");
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    for word in ["E-Mail", "crm@example.org", "kanzlei@example.org"] {
        assert!(notes[0].contains(word), "{word} is not in {}", notes[0]);
    }
    assert!(!notes[0].contains("+4940987654"), "only what lost is told: {}", notes[0]);
    assert!(world.notes(&other).is_empty());
    let mark = world.mark();
    assert_eq!(world.done(&id).await, "unchanged");
    assert!(world.writes(mark).is_empty());
}

#[tokio::test]
async fn equal_edits_are_no_conflict() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.lawyer(number, &json!({ "emailGesch": "neu@example.org" }));
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    assert_eq!(world.writes_to(System::Advoware, mark), [], "Advoware has it already");
    assert_eq!(world.writes_to(System::EspoCrm, mark).len(), 1, "the new rowId");
    assert!(world.notes(&id).is_empty());
}

#[tokio::test]
async fn a_note_that_cannot_be_written_stops_no_sync_and_stays_owed() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let on_note = || Fault::on(System::EspoCrm).post("*/Note").once();
    // Forbidden: given up.
    let headers = [("X-Status-Reason".to_owned(), "No create access.".to_owned())].into();
    world.sandbox.fault(on_note().then(Action::AnswerBefore { status: 403, body: String::new(), headers }));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    // Away for now: owed, and the next run pays it.
    world.sandbox.fault(on_note().answer(503, ""));
    world.edit(&id, &json!({ "emailAddress": "crm2@example.org" }));
    world.lawyer(number, &json!({ "emailGesch": "kanzlei2@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    world.done(&id).await;
    world.done(&id).await;
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("kanzlei2@example.org"), "{notes:?}");
}

#[tokio::test]
async fn a_note_that_is_owed_is_not_forgotten_over_the_next_one() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.fault(Fault::on(System::EspoCrm).post("*/Note").once().answer(503, ""));
    for n in 1..=2 {
        world.edit(&id, &json!({ "emailAddress": format!("crm{n}@example.org") }));
        world.lawyer(number, &json!({ "emailGesch": format!("kanzlei{n}@example.org") }));
        world.deliver().await;
        world.settle_all().await;
    }
    let notes = world.notes(&id).concat();
    assert!(notes.contains("kanzlei1@") && notes.contains("kanzlei2@"), "values that lost are nowhere else: {notes}");
}

#[tokio::test]
async fn an_edit_between_reading_and_writing_is_kept_where_espocrm_counts_versions() {
    let mut options = Options::default();
    options.espocrm.entities[0].optimistic = true;
    let mut world = World::idle(&[], options).await;
    world.start_worker();
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org" }));
    let about_to_write = world.sandbox.gate(put_to_record(&id).containing("kanzlei@"), Phase::Before);
    let user = async {
        about_to_write.arrived().await;
        world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
        about_to_write.release();
    };
    tokio::join!(world.sync(&id), user);
    world.rest().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
    let notes = world.notes(&id);
    assert!(notes.len() == 1 && notes[0].contains("kanzlei@"), "{notes:?}");
}
