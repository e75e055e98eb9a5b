//! A record that has failed for good is tried once a day, without a word, until it works or a person has to decide.

use advosync::queue::{Batch, Ended, Lane, RecordAction, Topic};
use advosync_sandbox::{Fault, System};
use serde_json::{Value, json};

use super::{PARTY, person};
use crate::support::world::World;

/// Runs the sweep of the schedule to its end, and what it queued; how many trials it says it has queued.
async fn sweep(world: &World) -> Value {
    let topic = Topic::Sweep { entity: "beteiligte".to_owned() };
    let mut waiter = world.queue.waiter(topic.clone(), "all").await.unwrap();
    world.queue.enqueue(&Batch::new(topic, Lane::Sweep, &["all".to_owned()], "test")).await.unwrap();
    let ended = loop {
        if let Some(ended) = waiter.poll().await.unwrap() {
            break ended;
        }
    };
    let Ended::Done { detail: Some(detail), .. } = ended else { panic!("{ended:?}") };
    world.settle().await;
    detail["trials"].clone()
}

/// What is remembered of a record's trials.
fn remembered(world: &World, id: &str) -> Value {
    let text = world.redis.cli(&["HGET", "ledger:beteiligte:trials", id]);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A day passes for a record: what is remembered of its trials is a day older, and so many of them were made.
fn next_day(world: &World, id: &str, tried: u32) {
    let mut entry = remembered(world, id);
    for name in ["since", "last"] {
        if let Some(at) = entry[name].as_str() {
            let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
            entry[name] = json!(at - chrono::TimeDelta::hours(25));
        }
    }
    entry["tried"] = json!(tried);
    world.redis.cli(&["HSET", "ledger:beteiligte:trials", id, &entry.to_string()]);
}

fn puts(world: &World) -> usize {
    world.sandbox.calls().iter().filter(|call| call.method == "PUT" && call.system == System::Advoware).count()
}

/// The result of the run that ended last.
fn last_result(world: &World) -> String {
    let text = world.redis.cli(&["XREVRANGE", "jobs:vmh:done", "+", "-", "COUNT", "1"]);
    let run = text.lines().rfind(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str::<Value>(run).unwrap()["result"].as_str().unwrap().to_owned()
}

/// A pair whose edit Advoware refuses until the faults are cleared.
async fn refused(settings: &[(&str, &str)]) -> (World, String, i64) {
    let world = World::with(settings).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Der Name ist gesperrt."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    world.settle().await;
    (world, id, number)
}

#[tokio::test]
async fn it_is_tried_once_a_day_and_a_success_settles_it() {
    let (world, id, number) = refused(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let given_up = world.record(&id);
    assert_eq!(given_up["syncStatus"], "permanently_failed");
    assert_eq!(remembered(&world, &id)["tried"], 0);
    let before = puts(&world);
    assert_eq!((sweep(&world).await, puts(&world)), (json!(0), before), "it failed today");

    next_day(&world, &id, 0);
    let mark = world.mark();
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(puts(&world), before + 1);
    assert!(last_result(&world).contains("Der Name ist gesperrt."), "{}", last_result(&world));
    assert_eq!(world.writes(mark), [], "nothing is told again");
    assert_eq!(world.record(&id), given_up);
    let stats = world.stats().await;
    assert_eq!((stats.dead, stats.scheduled, world.notes(&id).len()), (1, 0, 1));
    assert_eq!(world.redis.cli(&["XLEN", "jobs:vmh:dead"]), "1");
    assert_eq!((sweep(&world).await, puts(&world)), (json!(0), before + 1), "one a day");

    next_day(&world, &id, 1);
    world.sandbox.clear_faults();
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(world.in_step(&id), number);
    assert_eq!((world.stats().await.dead, world.notes(&id).len()), (0, 1));
    assert_eq!(world.redis.cli(&["XLEN", "jobs:vmh:dead"]), "1", "the letter stays, resolved");
    assert_eq!(remembered(&world, &id), Value::Null);
}

#[tokio::test]
async fn after_the_last_trial_a_person_decides_and_what_a_person_does_is_no_trial() {
    let (world, id, _) = refused(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    next_day(&world, &id, 6);
    assert_eq!((sweep(&world).await, &remembered(&world, &id)["tried"]), (json!(1), &json!(7)));
    next_day(&world, &id, 7);
    let made = puts(&world);
    assert_eq!((sweep(&world).await, puts(&world)), (json!(0), made));
    let (_, shown) = world.run(&["record", "beteiligte", &id, "--inspect"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["trials"], json!({ "made": 7, "at_most": 7, "next": null }));
    // Somebody works on the record: that is an ordinary run, which fails with all that belongs to it.
    world.edit(&id, &json!({ "phoneNumber": "+4940987654" }));
    world.deliver().await;
    world.settle().await;
    assert_eq!(puts(&world), made + 1);
    assert_eq!((world.stats().await.dead, world.notes(&id).len()), (2, 2));
    let again = remembered(&world, &id);
    assert_eq!((&again["tried"], &again["last"]), (&json!(0), &Value::Null), "the count begins anew");
}

#[tokio::test]
async fn a_trial_gives_way_to_a_retry_and_lets_it_be() {
    let (world, id, number) = refused(&[("ADVOSYNC_RETRY_SCHEDULE", "1h")]).await;
    assert_eq!((world.stats().await.scheduled, world.record(&id)["syncStatus"].as_str()), (1, Some("failed")));
    let retry = || world.redis.cli(&["HGETALL", "jobs:vmh:scheduled:jobs"]);
    let (before, made) = (retry(), puts(&world));
    let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
    let keys = [id.clone()];
    let trial = Batch { payload: Some(r#"{"trial":true}"#), ..Batch::new(topic, Lane::Sweep, &keys, "trial") };
    world.queue.enqueue(&trial).await.unwrap();
    world.settle().await;
    assert!(last_result(&world).starts_with("no trial"), "{}", last_result(&world));
    assert_eq!((retry(), puts(&world), world.stats().await.scheduled), (before, made, 1));
    world.sandbox.clear_faults();
    world.done(&id).await;
    assert_eq!(world.in_step(&id), number);
}

#[tokio::test]
async fn a_sweep_that_dies_before_it_has_queued_its_trials_makes_none_twice() {
    let (world, id, _) = refused(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    next_day(&world, &id, 0);
    let made = puts(&world);
    // Nothing can be queued on the sweep lane: as if it had died there.
    let pending = "vmh:beteiligte:sync_check_pending:sweep";
    world.redis.cli(&["DEL", pending]);
    world.redis.cli(&["SET", pending, "no set"]);
    let topic = Topic::Sweep { entity: "beteiligte".to_owned() };
    world.queue.enqueue(&Batch::new(topic, Lane::Sweep, &["all".to_owned()], "test")).await.unwrap();
    world.until("the sweep has to wait", async || world.stats().await.scheduled == 1).await;
    world.redis.cli(&["DEL", pending]);
    world.settle_all().await;
    assert_eq!((puts(&world), &remembered(&world, &id)["tried"]), (made, &json!(1)), "counted, and not made");
}

#[tokio::test]
async fn a_trial_waits_for_an_upstream_that_is_down_and_makes_no_trial_of_what_takes_its_place() {
    // An ordinary job would have another attempt here.
    let (world, id, _) = refused(&[("ADVOSYNC_MAX_ATTEMPTS", "2"), ("ADVOSYNC_RETRY_SCHEDULE", "50ms")]).await;
    world.settle_all().await;
    next_day(&world, &id, 0);
    world.sandbox.clear_faults();
    world.sandbox.fault(Fault::on(System::Advoware).answer(503, "Wartung"));
    assert_eq!(sweep(&world).await, 1);
    let stats = world.stats().await;
    assert_eq!((stats.scheduled, stats.dead, world.notes(&id).len()), (1, 1, 1), "it is not over");
    // Meanwhile somebody edits the record; that run takes over what waits, and fails for good.
    world.sandbox.clear_faults();
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Der Name ist gesperrt."));
    world.edit(&id, &json!({ "phoneNumber": "+4940987654" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!((world.stats().await.dead, world.notes(&id).len()), (2, 2));
    assert_eq!(remembered(&world, &id)["tried"], 0);
}
