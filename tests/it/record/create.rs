//! A record without a counterpart gets exactly one.

use advosync_sandbox::{BETEILIGTE, DateShape, GetShape, PostShape, System};
use serde_json::json;

use super::{SYNC_FIELDS, company, person};
use crate::support::world::World;

#[tokio::test]
async fn webhooks_create_a_person_and_a_company() {
    let world = World::start().await;
    let (max, firm) = (world.create(&person("Max", "Mustermann")), world.create(&company("Muster Bau")));
    world.deliver().await;
    world.settle_all().await;
    world.one_to_one(&[max.clone(), firm.clone()]);
    let written = world.writes_to(System::EspoCrm, 0);
    assert_eq!(written.len(), 2, "one write a record: {written:?}");
    for write in &written {
        let mut sent: Vec<&str> = write.body.keys().map(String::as_str).collect();
        sent.sort_unstable();
        assert_eq!(sent, SYNC_FIELDS, "all sync fields and nothing else");
    }
    let party = world.party(world.number(&max));
    assert_eq!((&party["vorname"], &party["name"]), (&json!("Max"), &json!("Mustermann")));
    assert_eq!(party["geburtsdatum"], "1980-05-17");
    let party = world.party(world.number(&firm));
    assert_eq!((&party["vorname"], &party["name"]), (&json!(null), &json!("Muster Bau")));
    assert_eq!(world.calls(), (4, 4), "search and POST, read and write");
}

#[tokio::test]
async fn every_shape_of_answer_is_understood_within_the_bound_of_calls() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for (at, post) in [PostShape::Object, PostShape::Array, PostShape::Number].into_iter().enumerate() {
        for (get, date) in [(GetShape::Object, DateShape::AsWritten), (GetShape::Array, DateShape::DateTime)] {
            world.sandbox.configure(|options| {
                options.advoware.post_shape = post;
                options.advoware.get_shape = get;
                options.advoware.date_shape = date;
            });
            let id = world.create(&person(&format!("P{at}"), &format!("{get:?}")));
            world.sandbox.reset_counts();
            assert_eq!(world.done(&id).await, "created", "{post:?} {get:?}");
            let expected = if post == PostShape::Number { 3 } else { 2 };
            assert_eq!(world.calls(), (expected, 2), "{post:?} {get:?}");
            // A date in another spelling is no change.
            let mark = world.mark();
            assert_eq!(world.done(&id).await, "unchanged", "{post:?} {get:?}");
            assert!(world.writes(mark).is_empty());
            ids.push(id);
        }
    }
    world.one_to_one(&ids);
}

#[tokio::test]
async fn the_command_line_syncs_a_record_and_tells_how_it_ended() {
    let world = World::start().await;
    let id = world.create(&person("Max", "Mustermann"));
    let (code, said) = world.run(&["record", "beteiligte", &id, "--wait"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("created"), "{said}");
    world.one_to_one(std::slice::from_ref(&id));
    let mark = world.mark();
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    let (code, said) = world.run(&["record", "beteiligte", &id, "--inspect"]).await;
    assert_eq!(code, 0, "{said}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["would"]["to_advoware"]["emailGesch"], "neu@example.org", "{said:#}");
    assert!(world.writes(mark).is_empty(), "inspecting writes nothing");
    world.sandbox.people().lawyer_delete(BETEILIGTE, world.number(&id)).unwrap();
    let (code, said) = world.run(&["record", "beteiligte", &id, "--wait"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Not found in Advoware"), "{said}");
}

#[tokio::test]
async fn a_record_that_cannot_be_created_says_what_is_missing() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "2")]).await;
    let id = world.create(&json!({ "emailAddress": "nobody@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    let record = world.record(&id);
    assert_eq!(record["syncStatus"], "permanently_failed", "{record:?}");
    assert!(record["syncErrorMessage"].as_str().unwrap().contains("missing in EspoCRM"), "{record:?}");
    assert!(world.parties().is_empty());
    world.edit(&id, &json!({ "firmenname": "Nachgetragen" }));
    world.deliver().await;
    world.settle_all().await;
    world.one_to_one(&[id]);
}
