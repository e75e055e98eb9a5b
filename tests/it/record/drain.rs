//! SIGTERM while jobs run: they end, or are handed back, within the time to drain.

use std::time::Duration;

use advosync_sandbox::{Match, Phase, System};
use serde_json::json;

use super::{PARTY, person, post_of};
use crate::support::world::World;

#[tokio::test]
async fn a_job_that_hangs_is_handed_back_and_runs_later_exactly_once_in_effect() {
    let settings =
        [("ADVOSYNC_DRAIN_SECONDS", "3"), ("ADVOWARE_API_TIMEOUT_SECONDS", "5"), ("ADVOSYNC_QUIET_TIME", "5100ms")];
    let mut world = World::with(&settings).await;
    let (known, number) = world.created(&person("Erika", "Muster")).await;
    let created = world.sandbox.gate(post_of("Mustermann"), Phase::After);
    let read = world.sandbox.gate(Match::on(System::Advoware).request("GET", PARTY), Phase::Before);
    let id = world.create(&person("Max", "Mustermann"));
    world.edit(&known, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    created.arrived().await;
    read.arrived().await;
    let worker = world.take_worker();
    let (status, took) = worker.terminate(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let stats = world.stats().await;
    assert_eq!((stats.ready, stats.running, stats.dead), (2, 0, 0), "handed back, not left behind");
    created.release();
    read.release();
    world.start_worker();
    world.settle_all().await;
    assert_eq!(world.in_step(&known), number);
    world.in_step(&id);
    assert_eq!((world.parties().len(), world.creates()), (2, 2));
    let told = world.writes_to(System::EspoCrm, 0);
    assert!(told.iter().all(|effect| effect.body["syncStatus"] == "clean"), "a deploy is no failure: {told:?}");
}

#[tokio::test]
async fn a_job_that_ends_in_time_is_finished_before_the_worker_goes() {
    let mut world = World::start().await;
    let gate = world.sandbox.gate(post_of("Mustermann"), Phase::After);
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    gate.arrived().await;
    let worker = world.take_worker();
    let ended = tokio::spawn(worker.terminate(Duration::from_secs(20)));
    // It must not take new work while it waits for the old.
    let later = world.create(&person("Erika", "Muster"));
    world.deliver().await;
    gate.release();
    let (status, took) = ended.await.unwrap();
    assert!(status.success() && took < Duration::from_secs(10), "{status} {took:?}");
    world.in_step(&id);
    world.start_worker();
    world.settle_all().await;
    world.one_to_one(&[id, later]);
}
