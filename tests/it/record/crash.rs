//! Workers that die (SIGKILL) or stand still (SIGSTOP) where the crash matrix ([`super::matrix`]) does not stop them: with
//! a POST on its way, with people at work meanwhile, past the end of their lease.

use std::time::Duration;

use advosync_sandbox::{Match, Phase, PostShape, System};
use serde_json::json;

use super::{PARTY, person, post_of};
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
async fn a_post_that_takes_effect_after_its_worker_has_died_makes_the_only_party() {
    let mut world = World::with(&SETTINGS).await;
    let id = world.create(&person("Max", "Late"));
    let late = world.sandbox.gate(post_of("Late"), Phase::Before);
    world.deliver().await;
    late.arrived().await;
    world.kill_worker();
    world.start_worker();
    late.release();
    world.settle_all().await;
    assert_repaired(&world, &[id]).await;
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
async fn a_worker_that_was_frozen_past_its_lease_does_nothing_more() {
    let mut world = World::with(&SETTINGS).await;
    let (known, number) = world.created(&person("Erika", "Muster")).await;
    let posted = world.sandbox.gate(post_of("Mustermann"), Phase::After);
    let read = world.sandbox.gate(Match::on(System::Advoware).request("GET", PARTY), Phase::After);
    let id = world.create(&person("Max", "Mustermann"));
    world.edit(&known, &json!({ "emailAddress": "alt@example.org" }));
    world.deliver().await;
    posted.arrived().await;
    read.arrived().await;
    let frozen = world.take_worker();
    frozen.freeze();
    drop((posted, read));
    world.start_worker();
    // The answers wait at the frozen one's socket while others do its work.
    world.settle_all().await;
    world.edit(&known, &json!({ "emailAddress": "neu@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    let mark = world.mark();
    frozen.thaw();
    world.until("it has seen that both leases are gone", async || frozen.log().matches("lease").count() >= 2).await;
    let (status, _) = frozen.terminate(Duration::from_secs(20)).await;
    assert!(status.success(), "{status}");
    assert_eq!(world.writes(mark), [], "it must not go on as if nothing had happened");
    assert_eq!(world.in_step(&known), number);
    assert_eq!(world.party(number)["emailGesch"], "neu@example.org");
    world.in_step(&id);
    assert_eq!((world.parties().len(), world.creates()), (2, 2));
}
