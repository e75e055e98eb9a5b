//! Our own writes come back as webhooks (`EspoCRM` 9.1 ignores skipOwn) and must lead to nothing (S2).

use serde_json::json;

use super::person;
use crate::support::world::World;

/// A world in which our own writes fire webhooks.
async fn echoing() -> World {
    let world = World::start().await;
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    world
}

#[tokio::test]
async fn our_own_writes_lead_to_no_further_write() {
    let world = echoing().await;
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    let number = world.in_step(&id);
    assert!(world.sandbox.webhooks_waiting() > 0, "our write is about to come back");
    let mark = world.mark();
    world.rest().await;
    assert!(world.writes(mark).is_empty(), "{:?}", world.writes(mark));

    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    world.lawyer(number, &json!({ "telGesch": "+4940987654" }));
    world.done(&id).await;
    world.in_step(&id);
    let mark = world.mark();
    world.rest().await;
    assert!(world.writes(mark).is_empty(), "{:?}", world.writes(mark));
}

#[tokio::test]
async fn noise_leads_to_no_write() {
    let world = echoing().await;
    let (id, _) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    let mark = world.mark();
    let before = world.record(&id)["modifiedById"].clone();
    // Another user saves the record as it is: modifiedAt moves, and an event tells only who did it.
    world.edit(&id, &json!({}));
    assert_ne!(world.record(&id)["modifiedById"], before, "the save was seen");
    assert!(world.sandbox.webhooks_waiting() > 0);
    world.rest().await;
    // A field that no mapping names.
    world.edit(&id, &json!({ "description": "kommt am Montag" }));
    world.rest().await;
    assert!(world.writes(mark).is_empty(), "{:?}", world.writes(mark));
    world.in_step(&id);
}

#[tokio::test]
async fn the_echo_of_a_conflict_and_its_note_leads_to_nothing() {
    let world = echoing().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.notes(&id).len(), 1);
    let mark = world.mark();
    world.rest().await;
    assert!(world.writes(mark).is_empty(), "{:?}", world.writes(mark));
    assert_eq!(world.in_step(&id), number);
}
