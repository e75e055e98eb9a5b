//! Redis is there and has lost what it knew: that is noticed and told once, and everything is compared again.

use std::time::Duration;

use advosync_sandbox::{CBETEILIGTE, Options};
use serde_json::{Value, json};

use super::support::{Home, until};
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::world::World;

const EMPTIED: &str = "redis was emptied or exchanged: what waited in it is lost, everything is compared again; find out why (runbook, redis has lost data)";
const ROLLED_BACK: &str = "redis went back to an older state: what it was told since is lost, everything is compared again; find out why (runbook, redis has lost data)";
const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";

fn person(name: &str) -> Value {
    json!({ "firstName": "Max", "lastName": name, "emailAddress": format!("{}@example.org", name.to_lowercase()) })
}

/// Two workers, an ingress and a cron process, and pairs that EspoCRM calls clean.
async fn in_step() -> (World, Process, Vec<(String, i64)>) {
    let mut world = World::idle(&[("ADVOSYNC_CRON_RECORDS", "0 0 1 1 *")], Options::default()).await;
    world.start_worker();
    world.start_worker();
    let cron = world.start_role("cron");
    let mut pairs = Vec::new();
    for name in ["Eins", "Zwei", "Drei"] {
        pairs.push(world.created(&person(name)).await);
    }
    world.rest().await;
    (world, cron, pairs)
}

/// How often all processes together said this.
fn said(world: &World, cron: &Process, message: &str) -> usize {
    let logs = world.logs().into_iter().map(|(_, lines)| lines).chain([cron.lines()]);
    logs.flatten().filter(|line| line["message"] == message && line["level"] == "ERROR").count()
}

/// The numbers in Redis that every process of the world raises; all have looked when it rose so often.
async fn all_have_looked(world: &World) {
    let beat = || world.redis.cli(&["HGET", "advosync:layout", "beat"]).parse::<u64>().unwrap_or_default();
    let start = beat();
    // Four keepers look every two seconds; the slowest of them has looked when they have looked eight times in all.
    world.until("all processes have looked", async || beat() >= start + 8).await;
}

#[tokio::test]
async fn an_emptied_redis_is_told_once_and_everything_is_compared_again() {
    let (world, cron, pairs) = in_step().await;
    // A change that no webhook tells of, at records that nobody calls unclean.
    for (id, number) in &pairs {
        world.lawyer(*number, &json!({ "emailGesch": format!("{number}@kanzlei.example.org") }));
        let long_ago = json!({ "advowareLastSync": "2026-01-02 03:04:05" });
        world.sandbox.people().crm_arrange(CBETEILIGTE, id, &long_ago).unwrap();
    }
    world.redis.cli(&["FLUSHALL"]);
    let flushed = std::time::Instant::now();
    for (id, number) in &pairs {
        let wanted = format!("{number}@kanzlei.example.org");
        world.until("the change came over", async || world.record(id)["emailAddress"] == wanted.as_str()).await;
    }
    eprintln!("flushall: everything was compared again after {:?}", flushed.elapsed());
    assert!(flushed.elapsed() < Duration::from_secs(5), "{:?}", flushed.elapsed());
    let (id, _) = world.created(&person("Neu")).await;
    world.in_step(&id);
    all_have_looked(&world).await;
    assert_eq!((said(&world, &cron, EMPTIED), said(&world, &cron, ROLLED_BACK)), (1, 0));
    let jobs = world.redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    assert_eq!(jobs.matches("\"full\":true").count(), 1, "one full sweep: {jobs}");
    let calendars = async || world.redis.cli(&["XRANGE", "jobs:calendar:done", "-", "+"]).contains("calendar_sync_all");
    world.until("the calendars are compared, too", calendars).await;
    let (_, status) = world.run(&["status"]).await;
    assert!(status.contains("redis was emptied or exchanged, noticed on"), "{status}");
    let (_, doctor) = world.run(&["doctor"]).await;
    assert!(doctor.contains("redis was emptied or exchanged, noticed on"), "{doctor}");
}

#[tokio::test]
async fn a_redis_that_was_rolled_back_is_told_once_and_everything_is_compared_again() {
    let (mut world, cron, mut pairs) = in_step().await;
    let backup = world.redis.backup();
    all_have_looked(&world).await;
    // What the older state knows nothing of: a new pair, an edit that went over, a job that was accepted and is lost.
    pairs.push(world.created(&person("Danach")).await);
    world.edit(&pairs[0].0, &json!({ "emailAddress": "neu@example.org" }));
    world.rest().await;
    world.edit(&pairs[1].0, &json!({ "emailAddress": "verloren@example.org" }));
    world.sandbox.forget_webhooks();
    let clean = json!({ "syncStatus": "clean" });
    world.sandbox.people().crm_arrange(CBETEILIGTE, &pairs[1].0, &clean).unwrap();
    world.redis.kill();
    world.redis.up_from(&backup);
    let back = std::time::Instant::now();
    let party = pairs[1].1;
    world.until("the lost edit went over", async || world.party(party)["emailGesch"] == "verloren@example.org").await;
    eprintln!("rolled back: everything was compared again after {:?}", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    all_have_looked(&world).await;
    world.settle_all().await;
    assert_eq!((said(&world, &cron, EMPTIED), said(&world, &cron, ROLLED_BACK)), (0, 1));
    world.one_to_one(&pairs.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
    assert_eq!(world.stats().await.dead, 0);
}

#[tokio::test]
async fn a_full_sweep_asks_for_every_record_page_by_page() {
    let mut world = World::idle(&[], Options::default()).await;
    let ids: Vec<String> = (0..230).map(|n| world.create(&person(&format!("Nummer{n}")))).collect();
    world.sandbox.forget_webhooks();
    for id in &ids {
        world.sandbox.people().crm_arrange(CBETEILIGTE, id, &json!({ "syncStatus": "clean" })).unwrap();
    }
    // As the runbook has it.
    let sweep = ["XADD", "jobs:vmh:sweep", "*", "topic", "vmh.beteiligte.sweep", "key"];
    world.redis.cli(&[&sweep[..], &["full", "payload", r#"{"full":true}"#]].concat());
    world.start_worker();
    world.settle_all().await;
    world.one_to_one(&ids);
    let done = world.redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    assert!(done.contains(r#""detail":{"full":true,"listed":230}"#), "{done}");
    // Now that all is clean, an ordinary one finds nothing.
    world.redis.cli(&[&sweep[..], &["all"]].concat());
    world.settle_all().await;
    let done = world.redis.cli(&["XREVRANGE", "jobs:vmh:done", "+", "-", "COUNT", "1"]);
    assert!(done.contains(r#"{"full":false,"listed":0,"enqueued":0,"#), "{done}");
}

/// What waits in the sweep lane of the record flow.
fn sweeps(redis: &Redis) -> String {
    redis.cli(&["XRANGE", "jobs:vmh:sweep", "-", "+"])
}

#[test]
fn what_happens_while_nothing_runs_is_noticed_at_the_next_start() {
    let mut redis = Redis::start();
    let home = Home::at(&redis);
    // The first start ever, with an empty Redis, is no loss.
    home.ready("ingress").stop().with_code(0);
    assert_eq!(sweeps(&redis), "");
    // Neither is a restart,
    home.ready("cron").stop().with_code(0);
    assert_eq!(sweeps(&redis), "");
    // nor another installation in the same Redis.
    let other = Home::at(&redis).with("ADVOSYNC_KEY_PREFIX", "other:");
    other.ready("ingress").stop().with_code(0);
    assert_eq!(redis.cli(&["XLEN", "other:jobs:vmh:sweep"]), "0");

    let backup = redis.backup();
    redis.cli(&["FLUSHALL"]);
    let ingress = home.ready("ingress");
    ingress.says(EMPTIED);
    until("the full sweep is queued", || sweeps(&redis).contains("vmh.beteiligte.sweep"));
    assert!(sweeps(&redis).contains(r#"{"full":true}"#), "{}", sweeps(&redis));
    assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 200);
    ingress.stop().with_code(0);

    redis.kill();
    redis.up_from(&backup);
    let ingress = home.ready("ingress");
    ingress.says(EMPTIED);
    ingress.stop().with_code(0);
    let ended = home.ready("ingress").stop().with_code(0);
    assert!(!ended.stderr.contains("\"ERROR\""), "known now: {}", ended.stderr);

    let backup = redis.backup();
    home.ready("worker").stop().with_code(0);
    redis.kill();
    redis.up_from(&backup);
    redis.cli(&["DEL", "jobs:vmh:sweep", "vmh:beteiligte:sweep_pending:sweep"]);
    let cron = home.start("cron");
    cron.says(ROLLED_BACK);
    until("the full sweep is queued", || sweeps(&redis).contains(r#"{"full":true}"#));
    cron.stop().with_code(0);
}

#[test]
fn a_data_folder_that_cannot_be_written_to_is_no_fault() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_DATA_DIR", "/dev/null/data");
    let ingress = home.ready("ingress");
    assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 200);
    ingress
        .stop()
        .with_code(0)
        .told("the state of redis cannot be remembered; data that it loses while nothing runs are not missed");
    // One that is damaged is none.
    let home = Home::at(&redis).file("data/redis.seen", "{\"generation\":");
    let ended = home.ready("ingress").stop().with_code(0);
    assert!(!ended.stderr.contains("\"ERROR\""), "{}", ended.stderr);
    let seen: Value = serde_json::from_slice(&std::fs::read(home.path("data/redis.seen")).unwrap()).unwrap();
    assert!(seen["generation"].is_string(), "{seen}");
}
