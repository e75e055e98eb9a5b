//! Whoever a record is assigned to is told what stands on its stream.

use advosync_sandbox::{Fault, System};
use serde_json::{Value, json};

use super::{PARTY, person};
use crate::support::world::World;

const USER: &str = "6b023acf0000000aa";

/// A record that is assigned to a user.
async fn assigned(world: &World) -> (String, i64) {
    let mut values = person("Max", "Mustermann");
    values["assignedUserId"] = json!(USER);
    world.created(&values).await
}

/// Both sides edit one field, and the program has heard of it.
async fn conflict(world: &World, id: &str, number: i64, turn: u32) {
    world.edit(id, &json!({ "emailAddress": format!("crm{turn}@example.org") }));
    world.lawyer(number, &json!({ "emailGesch": format!("kanzlei{turn}@example.org") }));
    world.deliver().await;
    world.settle_all().await;
    world.in_step(id);
}

/// The texts of all posts that were tried.
fn posts(world: &World) -> Vec<String> {
    let calls = world.sandbox.calls();
    let of = |call: &&advosync_sandbox::Call| call.method == "POST" && call.path.ends_with("/Note");
    calls.iter().filter(of).map(|call| call.body.clone()).collect()
}

#[tokio::test]
async fn the_assigned_user_gets_the_note_of_a_conflict_as_a_message() {
    let world = World::start().await;
    let (id, number) = assigned(&world).await;
    world.sandbox.reset_counts();
    conflict(&world, &id, number, 1).await;
    assert_eq!(world.calls(), (2, 4), "note and message are one call each");
    let (notes, messages) = (world.notes(&id), world.messages(USER));
    assert_eq!((notes.len(), messages.len()), (1, 1), "{messages:?}");
    assert!(messages[0].ends_with(&notes[0]), "{messages:?}");
    let page = format!("Max Mustermann http://{}/espocrm/#CBeteiligte/view/{id}\n", world.sandbox.address());
    assert!(messages[0].starts_with(&page), "{messages:?}");
    let mark = world.mark();
    world.sandbox.reset_counts();
    assert_eq!(world.done(&id).await, "unchanged");
    assert_eq!((world.writes(mark), world.calls()), (vec![], (1, 1)));
    // What only one side did is no message.
    world.edit(&id, &json!({ "phoneNumber": "+4940987654" }));
    world.rest().await;
    assert_eq!((world.notes(&id).len(), world.messages(USER).len()), (1, 1));
}

#[tokio::test]
async fn without_the_right_the_note_is_written_and_the_right_is_not_asked_for_again_and_again() {
    let world = World::start().await;
    world.sandbox.configure(|options| options.espocrm.message_permission = false);
    let (id, number) = assigned(&world).await;
    for turn in 1..=3 {
        conflict(&world, &id, number, turn).await;
    }
    assert_eq!((world.notes(&id).len(), world.messages(USER).len()), (3, 0));
    assert_eq!(posts(&world).iter().filter(|body| body.contains("usersIds")).count(), 1);
    let is_told = |line: &&Value| line.to_string().contains("the assigned user could not be told");
    let told: usize = world.logs().iter().map(|(_, lines)| lines.iter().filter(is_told).count()).sum();
    assert_eq!((told, world.stats().await.dead), (1, 0));
    let ledger = world.redis.cli(&["HGET", "ledger:beteiligte:pairs", &id]);
    assert!(!ledger.contains("message") && !ledger.contains("note"), "nothing is owed for ever: {ledger}");
}

#[tokio::test]
async fn a_message_that_is_open_stays_owed_and_the_note_is_not_written_again() {
    let world = World::start().await;
    let (id, number) = assigned(&world).await;
    world.sandbox.fault(Fault::on(System::EspoCrm).post("*/Note").containing("usersIds").once().answer(503, ""));
    conflict(&world, &id, number, 1).await;
    assert_eq!((world.notes(&id).len(), world.messages(USER).len()), (1, 0));
    // A sweep finds that something is owed.
    world.pass(24);
    world.sweep().await;
    world.settle_all().await;
    assert_eq!((world.notes(&id).len(), world.messages(USER).len()), (1, 1));
    world.done(&id).await;
    assert_eq!((world.notes(&id).len(), world.messages(USER).len()), (1, 1));
}

#[tokio::test]
async fn the_assigned_user_is_told_that_a_record_has_failed_for_good() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "2"), ("ADVOSYNC_RETRY_SCHEDULE", "50ms")]).await;
    let (id, _) = assigned(&world).await;
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Der Name ist gesperrt."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.rest().await;
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed");
    let (notes, messages) = (world.notes(&id), world.messages(USER));
    assert_eq!((notes.len(), messages.len()), (1, 1), "{messages:?}");
    for word in ["nach 2 Versuchen endgültig gescheitert", "Der Name ist gesperrt."] {
        assert!(notes[0].contains(word) && messages[0].contains(word), "{word} is not in {messages:?}");
    }
    assert!(messages[0].contains(&format!("/#CBeteiligte/view/{id}")), "{messages:?}");
}
