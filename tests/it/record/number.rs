//! Sync fields that people set: a number that is entered, changed, cleared or there twice, and the rest.

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Match, Options, Phase, System};
use serde_json::{Value, json};

use super::{PARTY, person};
use crate::support::world::World;

/// A party that EspoCRM has nothing of.
fn party(world: &World, values: &Value) -> i64 {
    world.sandbox.people().lawyer_create(BETEILIGTE, values).unwrap()
}

fn says(world: &World, id: &str, status: &str, words: &[&str]) {
    let record = world.record(id);
    assert_eq!(record["syncStatus"], status, "{record:?}");
    let message = record["syncErrorMessage"].as_str().unwrap_or_default();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[tokio::test]
async fn a_number_that_is_entered_ties_the_record_to_its_party() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let there =
        party(&world, &json!({ "vorname": "Maximilian", "name": "Mustermann", "emailGesch": "alt@example.org" }));
    let mut entered = person("Max", "Mustermann");
    entered["advowareId"] = json!(there);
    let (id, _) = world.created(&entered).await;
    assert_eq!((world.in_step(&id), world.parties().len()), (there, 1));
    let notes = world.notes(&id);
    assert!(notes.len() == 1 && notes[0].contains("Maximilian") && notes[0].contains("alt@example.org"), "{notes:?}");
    // A number that Advoware does not have.
    entered["lastName"] = json!("Muster");
    entered["advowareId"] = json!(4711);
    let other = world.create(&entered);
    world.rest().await;
    says(&world, &other, "permanently_failed", &["Not found in Advoware", "4711", "correct advowareId"]);
    assert_eq!(world.creates(), 0);
    let right = party(&world, &json!({ "vorname": "Max", "name": "Muster" }));
    world.edit(&other, &json!({ "advowareId": right }));
    world.rest().await;
    assert_eq!((world.in_step(&other), world.stats().await.dead), (right, 0));
}

#[tokio::test]
async fn a_number_that_is_changed_leaves_the_old_party_as_it_was() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let (id, old) = world.created(&person("Max", "Mustermann")).await;
    let before = world.party(old);
    let new = party(&world, &json!({ "vorname": "M.", "name": "Mustermann", "telGesch": "+4940987654" }));
    world.edit(&id, &json!({ "advowareId": new }));
    world.rest().await;
    assert_eq!((world.in_step(&id), world.party(old)), (new, before.clone()));
    assert_eq!(world.party(new)["vorname"], "Max", "EspoCRM's record counts");
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    for word in [&old.to_string(), &new.to_string(), "M.", "+4940987654"] {
        assert!(notes[0].contains(word), "{word} is not in {}", notes[0]);
    }
    // A slip of the pen, and back.
    world.edit(&id, &json!({ "advowareId": 4711 }));
    world.rest().await;
    says(&world, &id, "permanently_failed", &["Not found in Advoware", "4711"]);
    let mark = world.mark();
    world.edit(&id, &json!({ "advowareId": new }));
    world.rest().await;
    assert_eq!((world.in_step(&id), world.writes_to(System::Advoware, mark)), (new, vec![]));
    assert_eq!((world.party(old), world.parties().len(), world.stats().await.dead), (before, 2, 0));
}

#[tokio::test]
async fn a_number_that_is_cleared_comes_back() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let mark = world.mark();
    world.edit(&id, &json!({ "advowareId": null, "emailAddress": "neu@example.org" }));
    world.rest().await;
    assert_eq!((world.in_step(&id), world.parties().len()), (number, 1));
    assert_eq!(world.writes_to(System::Advoware, mark).len(), 1, "the edit");
}

#[tokio::test]
async fn of_two_records_with_one_number_the_paired_one_keeps_it_until_it_is_deleted() {
    let world = World::start().await;
    let (first, number) = world.created(&person("Max", "Mustermann")).await;
    // A silent import brings the number a second time.
    world.lift_unique();
    let mut values = person("Moritz", "Muster");
    values["advowareId"] = json!(number);
    values["syncStatus"] = json!("clean");
    let second = "0000000000000beef";
    world.sandbox.people().crm_arrange(CBETEILIGTE, second, &values).unwrap();
    world.pass(24);
    world.sweep().await;
    says(&world, second, "permanently_failed", &[&first, &number.to_string()]);
    assert_eq!((world.notes(second).len(), world.stats().await.dead), (1, 1));
    let mark = world.mark();
    for turn in 1..=2 {
        world
            .sandbox
            .people()
            .crm_update(CBETEILIGTE, &first, &json!({ "emailAddress": format!("a{turn}@example.org") }))
            .unwrap();
        world
            .sandbox
            .people()
            .crm_arrange(CBETEILIGTE, second, &json!({ "emailAddress": format!("b{turn}@example.org") }))
            .unwrap();
        world.sync(second).await;
        world.rest().await;
        assert_eq!(world.party(number)["emailGesch"], format!("a{turn}@example.org"));
    }
    assert_eq!(world.writes_to(System::Advoware, mark).len(), 2, "never in turns");
    // The first one is deleted, and nobody hears of it: the second one's run sees that.
    world.sandbox.people().crm_delete_unheard(CBETEILIGTE, &first).unwrap();
    world.sync(second).await;
    world.rest().await;
    assert_eq!((world.in_step(second), world.parties().len()), (number, 1));
    assert!(world.notes(second).concat().contains("a2@example.org"), "what it replaced");
}

#[tokio::test]
async fn two_records_with_one_number_do_not_both_write_when_nobody_knows_whose_it_is() {
    let mut world = World::idle(&[], Options::default()).await;
    world.lift_unique();
    let number = party(&world, &json!({ "vorname": "Max", "name": "Mustermann" }));
    let ids = ["0000000000000aaaa", "0000000000000bbbb"];
    for (id, mail) in ids.iter().zip(["a@example.org", "b@example.org"]) {
        let mut values = person("Max", "Mustermann");
        values["emailAddress"] = json!(mail);
        values["advowareId"] = json!(number);
        world.sandbox.people().crm_arrange(CBETEILIGTE, id, &values).unwrap();
    }
    // Both have read the party before either writes.
    let reads =
        [1, 2].map(|nth| world.sandbox.gate_nth(Match::on(System::Advoware).request("GET", PARTY), Phase::Before, nth));
    world.start_worker();
    let both_read = async {
        for gate in &reads {
            gate.arrived().await;
        }
        reads.iter().for_each(advosync_sandbox::Gate::release);
    };
    let _ = tokio::join!(world.sync(ids[0]), world.sync(ids[1]), both_read);
    world.rest().await;
    assert_eq!(world.writes_to(System::Advoware, 0).len(), 1, "one of them writes");
    let (owner, other) = if world.record(ids[0])["syncStatus"] == "clean" { (0, 1) } else { (1, 0) };
    assert_eq!(world.in_step(ids[owner]), number);
    says(&world, ids[other], "permanently_failed", &[ids[owner]]);
}

#[tokio::test]
async fn the_other_sync_fields_are_put_right() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let mark = world.mark();
    let by_hand = [
        json!({ "advowareRowId": "von Hand" }),
        json!({ "advowareLastSync": null }),
        json!({ "syncErrorMessage": "von Hand", "syncRetryCount": 3 }),
    ];
    let states = ["dirty", "pending_sync", "syncing", "failed", "permanently_failed", "conflict"];
    for values in by_hand.into_iter().chain(states.map(|state| json!({ "syncStatus": state }))) {
        world.edit(&id, &values);
        world.rest().await;
        assert_eq!(world.in_step(&id), number, "{values}");
    }
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    assert_eq!((world.notes(&id).len(), world.stats().await.dead), (0, 0));
    // Somebody writes `clean` over a failure: the next edit tells the truth again.
    world.sandbox.fault(advosync_sandbox::Fault::on(System::Advoware).put(PARTY).answer(400, "Nie."));
    world.edit(&id, &json!({ "syncStatus": "clean", "emailAddress": "neu@example.org" }));
    world.deliver().await;
    world.settle().await;
    says(&world, &id, "failed", &["Nie."]);
    world.sandbox.clear_faults();
    world.edit(&id, &json!({ "syncStatus": "clean" }));
    world.rest().await;
    assert_eq!((world.in_step(&id), &world.party(number)["emailGesch"]), (number, &json!("neu@example.org")));
}
