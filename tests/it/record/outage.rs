//! An upstream that is down: its jobs wait, no attempt is burned once that is known, and all is made up for (Q9).

use std::fs::{self, File};
use std::process::Stdio;

use advosync::queue::{Batch, Lane, Topic};
use advosync_sandbox::{Fault, System};
use serde_json::json;

use super::person;
use crate::support::process::command;
use crate::support::world::World;

async fn until_breaker(world: &World, upstream: &str, wanted: &str) {
    let key = format!("upstream:{upstream}");
    world.until(&format!("{upstream} is {wanted}"), async || world.redis.cli(&["HGET", &key, "state"]) == wanted).await;
}

#[tokio::test]
async fn while_advoware_is_down_jobs_wait_and_afterwards_all_are_done() {
    let world = World::start().await;
    let (known, _) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.fault(Fault::on(System::Advoware).answer(503, "Wartung"));
    let early: Vec<String> = (0..6).map(|n| world.create(&person("Erika", &format!("Frueh{n}")))).collect();
    world.deliver().await;
    until_breaker(&world, "advoware", "open").await;
    // Whatever comes now waits in the stream, untouched.
    world.edit(&known, &json!({ "emailAddress": "crm@example.org" }));
    let late: Vec<String> = (0..6).map(|n| world.create(&person("Erika", &format!("Spaet{n}")))).collect();
    let mark = world.mark();
    world.deliver().await;
    // The probe fails at least once more.
    world.sandbox.reset_counts();
    world.until("the probe has asked", async || world.sandbox.count(System::Advoware).calls > 0).await;
    assert_eq!(world.stats().await.dead, 0);
    // Whoever waits for one is told why nothing happens.
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let mut waiting = command(folder.path(), world.environment())
        .args(["record", "beteiligte", &known, "--wait"])
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let told = async || fs::read_to_string(&said).unwrap().contains("advoware is down");
    world.until("it is said", told).await;
    world.sandbox.clear_faults();
    until_breaker(&world, "advoware", "closed").await;
    world.settle_all().await;
    let ids = [early, late.clone(), vec![known.clone()]].concat();
    assert!(waiting.wait().unwrap().success());
    world.one_to_one(&ids);
    for id in late.iter().chain([&known]) {
        let told: Vec<_> =
            world.writes_to(System::EspoCrm, mark).into_iter().filter(|effect| effect.key == *id).collect();
        assert_eq!(told.len(), 1, "an outage is no failure of {id}: {told:?}");
    }
    assert_eq!(world.stats().await.dead, 0);
}

#[tokio::test]
async fn when_everything_is_gone_for_a_while_nothing_is_lost() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "50ms")]).await;
    let mut pairs = Vec::new();
    for n in 0..3 {
        pairs.push(world.created(&person("Max", &format!("Muster{n}"))).await);
    }
    for (id, _) in &pairs {
        world.edit(id, &json!({ "emailAddress": "crm@example.org" }));
    }
    world.sandbox.stop().await;
    world.deliver().await;
    until_breaker(&world, "espocrm", "open").await;
    assert_eq!(world.stats().await.dead, 0);
    world.sandbox.resume().await.unwrap();
    world.settle_all().await;
    for (id, number) in &pairs {
        assert_eq!(world.in_step(id), *number);
        assert_eq!(world.party(*number)["emailGesch"], "crm@example.org");
    }
    assert_eq!(world.stats().await.dead, 0);
}

#[tokio::test]
async fn a_lockout_by_espocrm_is_recognised_and_not_made_longer() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    // 403 with an empty body and no reason: the address is locked out (espocrm.md, Auth).
    world.sandbox.fault(Fault::on(System::EspoCrm).once().answer(403, ""));
    world.sandbox.reset_counts();
    let mark = world.mark();
    world.deliver().await;
    until_breaker(&world, "espocrm", "open").await;
    let said = world.redis.cli(&["HGET", "upstream:espocrm", "error"]);
    assert!(said.contains("lock"), "{said}");
    assert_eq!(world.sandbox.count(System::Advoware).calls, 0);
    // The job waits for the minute that a lockout lasts; a person who knows better need not.
    until_breaker(&world, "espocrm", "closed").await;
    world.settle().await;
    assert_eq!((world.stats().await.scheduled, world.stats().await.dead), (1, 0));
    world.done(&id).await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.writes_to(System::EspoCrm, mark).len(), 1, "no failure was told");
}

#[tokio::test]
async fn a_run_that_did_not_need_advoware_says_nothing_about_its_failures() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "1h")]).await;
    world.sandbox.fault(Fault::on(System::Advoware).answer(503, "Wartung"));
    world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle().await;
    let failures = || world.redis.cli(&["HGET", "upstream:advoware", "failures"]);
    assert_eq!(failures(), "1");
    assert_eq!(world.done("0000000000000dead").await, "gone");
    assert_eq!(failures(), "1", "only EspoCRM was asked");
    let sweep = Topic::Sweep { entity: "beteiligte".to_owned() };
    let mut waiter = world.queue.waiter(sweep.clone(), "all").await.unwrap();
    world.queue.enqueue(&Batch::new(sweep, Lane::Sweep, &["all".to_owned()], "test")).await.unwrap();
    while waiter.poll().await.unwrap().is_none() {}
    assert_eq!(failures(), "1", "a sweep lists at EspoCRM alone");
}
