//! Workers that are killed (SIGKILL) at every point between two effects: afterwards exactly one party a record (S4), no
//! second PUT, and no note lost.

use advosync_sandbox::{Change, Fault, Match, Phase, PostShape, System};
use serde_json::json;

use super::{PARTY, on_post, person, post_of, put_to_record};
use crate::support::world::World;

/// Room enough for all records to reach their gates, and still a short quiet time.
const SETTINGS: [(&str, &str); 3] =
    [("ADVOWARE_API_TIMEOUT_SECONDS", "3"), ("ADVOSYNC_QUIET_TIME", "3500ms"), ("ADVOSYNC_LEASE", "1500ms")];

/// After a crash and its repair: no run writes anything any more, nothing is dead, nobody was told of a failure.
async fn assert_repaired(world: &World, ids: &[String]) {
    world.one_to_one(ids);
    let mark = world.mark();
    for id in ids {
        assert_eq!(world.done(id).await, "unchanged", "{id}");
    }
    assert_eq!(world.writes(mark), []);
    assert_eq!(world.stats().await.dead, 0);
    let told = world.writes_to(System::EspoCrm, 0);
    assert!(told.iter().all(|effect| effect.body["syncStatus"] == "clean"), "a crash is no failure: {told:?}");
}

#[tokio::test]
async fn a_create_that_is_killed_anywhere_makes_exactly_one_party() {
    let mut world = World::with(&SETTINGS).await;
    let (sandbox, ids) = (
        world.sandbox.clone(),
        ["Unsent", "Late", "Unanswered", "Unlinked", "Untold"].map(|name| world.create(&person("Max", name))),
    );
    let [.., unlinked, untold] = &ids;
    // The intent is stored; the POST never takes effect.
    let unsent = sandbox.gate(post_of("Unsent"), Phase::Before);
    sandbox.fault(on_post("Unsent").once().cut());
    // It takes effect after the worker has died.
    let late = sandbox.gate(post_of("Late"), Phase::Before);
    // It took effect; the worker never learns.
    let unanswered = sandbox.gate(post_of("Unanswered"), Phase::After);
    // The pair is stored; EspoCRM's write never takes effect.
    let before_status = sandbox.gate(put_to_record(unlinked), Phase::Before);
    sandbox.fault(Fault::on(System::EspoCrm).put(&format!("*/{unlinked}")).once().cut());
    // EspoCRM's write took effect; the worker never learns.
    let after_status = sandbox.gate(put_to_record(untold), Phase::After);
    world.deliver().await;
    for gate in [&unsent, &late, &unanswered, &before_status, &after_status] {
        gate.arrived().await;
    }
    world.kill_worker();
    for gate in [unsent, unanswered, before_status, after_status] {
        gate.release();
    }
    world.start_worker();
    late.release();
    world.settle_all().await;
    assert_repaired(&world, &ids).await;
}

#[tokio::test]
async fn a_create_whose_number_is_known_but_not_its_version_is_adopted() {
    let mut world = World::with(&SETTINGS).await;
    world.sandbox.configure(|options| options.advoware.post_shape = PostShape::Number);
    let id = world.create(&person("Max", "Mustermann"));
    let gate = world.sandbox.gate(Match::on(System::Advoware).request("GET", PARTY), Phase::Before);
    world.deliver().await;
    gate.arrived().await;
    world.kill_worker();
    // The user goes on working while nobody syncs.
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.deliver().await;
    gate.release();
    world.start_worker();
    world.settle_all().await;
    assert_repaired(&world, &[id]).await;
}

#[tokio::test]
async fn an_update_that_is_killed_anywhere_is_put_once_and_its_note_is_not_lost() {
    let mut world = World::with(&SETTINGS).await;
    let mut pairs = Vec::new();
    for name in ["Unanswered", "Unlinked", "Untold", "Noted"] {
        pairs.push(world.created(&person("Max", name)).await);
    }
    let sandbox = world.sandbox.clone();
    let put = |number: i64| Match::on(System::Advoware).request("PUT", &format!("*/Beteiligte/{number}"));
    let note = |id: &str| Match::on(System::EspoCrm).request("POST", "*/Note").containing(id);
    let [unanswered, unlinked, untold, noted] = [0, 1, 2, 3].map(|at: usize| pairs[at].clone());
    let gates = [
        sandbox.gate(put(unanswered.1), Phase::After),
        sandbox.gate(put_to_record(&unlinked.0), Phase::Before),
        sandbox.gate(put_to_record(&untold.0), Phase::After),
        sandbox.gate(note(&noted.0), Phase::After),
    ];
    sandbox.fault(Fault::on(System::EspoCrm).put(&format!("*/{}", unlinked.0)).once().cut());
    let mark = world.mark();
    for (id, number) in &pairs {
        world.edit(id, &json!({ "emailAddress": "crm@example.org" }));
        world.lawyer(*number, &json!({ "emailGesch": "kanzlei@example.org", "strasse": "Gerichtsweg 1" }));
    }
    world.deliver().await;
    for gate in &gates {
        gate.arrived().await;
    }
    world.kill_worker();
    drop(gates);
    world.start_worker();
    world.settle_all().await;
    let puts = world.writes_to(System::Advoware, mark);
    assert_eq!(puts.len(), pairs.len(), "one PUT each: {puts:?}");
    assert!(puts.iter().all(|effect| effect.change == Change::Update));
    for (id, number) in &pairs {
        assert_eq!(
            (world.party(*number)["emailGesch"].as_str(), world.party(*number)["strasse"].as_str()),
            (Some("crm@example.org"), Some("Gerichtsweg 1"))
        );
        let notes = world.notes(id);
        // At least once: whether a note took effect can no more be asked than whether a POST did.
        let expected = if *id == noted.0 { 2 } else { 1 };
        assert_eq!(notes.len(), expected, "{id}: {notes:?}");
        assert!(notes.iter().all(|note| note.contains("kanzlei@example.org")), "{notes:?}");
    }
    let ids: Vec<String> = pairs.into_iter().map(|(id, _)| id).collect();
    assert_repaired(&world, &ids).await;
}
