//! A job's way: enqueued, claimed, parked, retried, dead, replayed.

use std::time::Duration;

use advosync::queue::{Fault, Finished, Flow, Outcome, RecordAction, Selection};

use super::*;
use crate::support::redis::Redis;

#[tokio::test]
async fn a_job_runs_once_and_leaves_nothing() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    assert_eq!(enqueue(&queue, RecordAction::Create, &["a", "b", "a"]).await, 2);
    assert_eq!(enqueue(&queue, RecordAction::Create, &["b", "c"]).await, 1, "b is pending");
    let mut worker = consumer(&queue, "w", LONG);
    for claimed in next(&mut worker).await {
        assert_eq!(end(&queue, "w", claimed, done()).await, Finished::Moved);
    }
    none(&mut worker).await;
    let stats = queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"];
    assert_eq!((stats.ready, stats.running, stats.parked, stats.dead), (0, 0, 0, 0));
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "0");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:done"]), "3");
    assert_eq!(redis.cli(&["SMEMBERS", "vmh:beteiligte:create_pending"]), "");
    assert_eq!(redis.cli(&["EXISTS", "sync_lock:beteiligte:a"]), "0");
}

#[tokio::test]
async fn a_change_during_the_run_gives_exactly_one_later_run() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let (mut first, mut second) = (consumer(&queue, "w1", LONG), consumer(&queue, "w2", LONG));
    let running = one(&mut first).await;
    assert_eq!(enqueue(&queue, RecordAction::Update, &["a"]).await, 1, "a started, so it is not pending any more");
    assert_eq!(enqueue(&queue, RecordAction::Update, &["a"]).await, 0, "and now it is");
    none(&mut second).await;
    assert_eq!(redis.cli(&["HLEN", "jobs:vmh:parked"]), "1");
    assert_eq!(enqueue(&queue, RecordAction::Update, &["a"]).await, 0, "a parked job is pending still");
    assert_eq!(end(&queue, "w1", running, done()).await, Finished::Moved);
    let later = one(&mut second).await;
    assert_eq!(end(&queue, "w2", later, done()).await, Finished::Moved);
    none(&mut second).await;
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:done"]), "2");
}

#[tokio::test]
async fn create_and_update_of_one_record_run_one_after_the_other() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Create, &["a"]).await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let mut worker = consumer(&queue, "w", LONG);
    let first = one(&mut worker).await;
    none(&mut worker).await;
    end(&queue, "w", first, done()).await;
    let second = one(&mut worker).await;
    assert_eq!(second.job.topic, topic(RecordAction::Update));
}

#[tokio::test]
async fn a_killed_workers_job_runs_again_and_its_late_finish_changes_nothing() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let mut frozen = consumer(&queue, "frozen", SHORT);
    let stale = one(&mut frozen).await;
    let mut other = consumer(&queue, "other", SHORT);
    let mut again = Vec::new();
    while again.is_empty() {
        again = other.reclaim(10, 10).await.unwrap();
        tokio::task::yield_now().await;
    }
    let again = again.remove(0);
    assert_eq!(again.claim.deliveries(), 2);
    let renewed = queue.renew("frozen", SHORT, &[stale.claim.lease()]).await.unwrap();
    assert_eq!(renewed, [false], "a lost lease cannot be renewed");
    assert_eq!(end(&queue, "frozen", stale, done()).await, Finished::Stale);
    assert_eq!(queue.renew("other", LONG, &[again.claim.lease()]).await.unwrap(), [true]);
    assert_eq!(end(&queue, "other", again, done()).await, Finished::Moved);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:done"]), "1");
}

#[tokio::test]
async fn renewal_keeps_a_job_from_being_taken_over() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let mut holder = consumer(&queue, "holder", SHORT);
    let held = one(&mut holder).await;
    let mut thief = consumer(&queue, "thief", Duration::ZERO);
    let until = std::time::Instant::now() + SHORT * 6;
    while std::time::Instant::now() < until {
        assert_eq!(queue.renew("holder", SHORT, &[held.claim.lease()]).await.unwrap(), [true]);
        assert!(thief.reclaim(10, 10).await.unwrap().is_empty());
    }
    assert_eq!(end(&queue, "holder", held, done()).await, Finished::Moved);
}

#[tokio::test]
async fn a_retry_waits_for_its_time_and_a_newer_job_takes_over_its_count() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut worker = consumer(&queue, "w", LONG);
    let retry = |after| Outcome::Retry { after, error: Fault::new("x", "it broke") };
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let first = one(&mut worker).await;
    end(&queue, "w", first, retry(Duration::from_hours(1))).await;
    assert_eq!(redis.cli(&["ZCARD", "jobs:vmh:scheduled"]), "1");
    assert_eq!(queue.tend(Flow::Vmh).await.unwrap().promoted, 0);
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let second = one(&mut worker).await;
    assert_eq!((second.job.attempt(), second.job.errors.len()), (2, 1));
    assert!(second.retry_due.is_some(), "the handler learns when the retry would have been");
    assert_eq!(redis.cli(&["ZCARD", "jobs:vmh:scheduled"]), "0");
    end(&queue, "w", second, retry(Duration::ZERO)).await;
    while queue.tend(Flow::Vmh).await.unwrap().promoted == 0 {}
    assert_eq!(enqueue(&queue, RecordAction::Update, &["a"]).await, 0, "a promoted retry is pending");
    let third = one(&mut worker).await;
    assert_eq!((third.job.attempt(), third.job.errors.len()), (3, 2));
    end(&queue, "w", third, done()).await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    assert_eq!(one(&mut worker).await.job.attempt(), 1, "success clears the count");
}

#[tokio::test]
async fn a_quiet_time_holds_every_job_of_its_key() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut worker = consumer(&queue, "w", LONG);
    enqueue(&queue, RecordAction::Create, &["a"]).await;
    let first = one(&mut worker).await;
    let quiet = Outcome::Hold { after: Duration::from_millis(400), reason: "quiet".into() };
    end(&queue, "w", first, quiet).await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    none(&mut worker).await;
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "0", "it joined the one that waits");
    while queue.tend(Flow::Vmh).await.unwrap().promoted == 0 {}
    let only = one(&mut worker).await;
    assert_eq!(only.job.attempt(), 1);
    end(&queue, "w", only, done()).await;
    none(&mut worker).await;
}

#[tokio::test]
async fn dead_letters_stay_until_replayed_discarded_or_resolved() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut worker = consumer(&queue, "w", LONG);
    let dead = || Outcome::Dead { error: Fault::new("x", "it broke for good") };
    enqueue(&queue, RecordAction::Update, &["a", "b", "c"]).await;
    for claimed in next(&mut worker).await {
        end(&queue, "w", claimed, dead()).await;
    }
    let letters = queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[0].errors.len(), 1);
    let ids: std::collections::BTreeMap<String, String> =
        letters.iter().map(|letter| (letter.key.clone().unwrap(), letter.id.clone())).collect();
    // a: replayed by redis-cli, as the contract writes it
    assert_eq!(redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", &ids["a"]]), "1");
    let replayed = one(&mut worker).await;
    assert_eq!((replayed.job.key.as_str(), replayed.job.attempt(), replayed.job.errors.len()), ("a", 1, 0));
    end(&queue, "w", replayed, done()).await;
    // b: a later success resolves it
    enqueue(&queue, RecordAction::Update, &["b"]).await;
    let later = one(&mut worker).await;
    end(&queue, "w", later, done()).await;
    assert!(queue.dead_letter(Flow::Vmh, &ids["b"]).await.unwrap().unwrap().resolved);
    assert_eq!(queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"].dead, 1);
    // c: discarded
    assert_eq!(redis.cli(&["FCALL", "advosync_discard", "1", "jobs:vmh:dead", &ids["c"]]), "1");
    assert_eq!(queue.dead_letters(Flow::Vmh, 10).await.unwrap().len(), 1);
    // a replay of everything does not double what is queued
    let entities = ["beteiligte".to_owned()];
    enqueue(&queue, RecordAction::Update, &["b"]).await;
    assert_eq!(queue.replay(Flow::Vmh, &Selection::All, &entities).await.unwrap(), 0);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "1");
    assert_eq!(queue.dead_letters(Flow::Vmh, 10).await.unwrap().len(), 1, "it stays until that job has done its work");
}

#[tokio::test]
async fn a_malformed_entry_goes_to_the_dead_letters_whole_and_the_rest_runs() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["XADD", "jobs:vmh", "*", "tpoic", "vmh.beteiligte.update", "key", "a"]);
    redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.update", "key", "b"]);
    let mut raw = redis.raw().await;
    let _: String = redis::cmd("XADD")
        .arg("jobs:vmh")
        .arg("*")
        .arg("topic")
        .arg(&b"\xff\xfe"[..])
        .query_async(&mut raw)
        .await
        .unwrap();
    let mut worker = consumer(&queue, "w", LONG);
    let good = one(&mut worker).await;
    assert_eq!(good.job.key, "b");
    let letters = queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[1].fields["tpoic"], "vmh.beteiligte.update");
    assert_eq!(letters[1].code.as_deref(), Some("malformed"));
}

#[tokio::test]
async fn a_read_whose_answer_was_lost_is_read_again() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    // the entry was delivered to this name, and nobody saw it
    redis.cli(&["XREADGROUP", "GROUP", "workers", "w", "COUNT", "1", "STREAMS", "jobs:vmh", ">"]);
    let mut worker = consumer(&queue, "w", LONG);
    assert_eq!(one(&mut worker).await.job.key, "a");
}

#[tokio::test]
async fn a_job_that_is_handed_back_is_not_counted() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut worker = consumer(&queue, "w", LONG);
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let first = one(&mut worker).await;
    end(&queue, "w", first, Outcome::Back).await;
    let again = one(&mut worker).await;
    assert_eq!(again.job.attempt(), 1);
    // and not doubled when a newer one is queued already
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    end(&queue, "w", again, Outcome::Back).await;
    let last = one(&mut worker).await;
    end(&queue, "w", last, done()).await;
    none(&mut worker).await;
}

#[tokio::test]
async fn waiters_whose_holder_vanished_are_found() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["SET", "sync_lock:beteiligte:a", "1", "PX", "1500"]);
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let mut worker = consumer(&queue, "w", LONG);
    none(&mut worker).await;
    while queue.tend(Flow::Vmh).await.unwrap().unparked == 0 {}
    assert_eq!(one(&mut worker).await.job.key, "a");
}

#[tokio::test]
async fn a_batch_of_ten_thousand_goes_in_one_call() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let keys: Vec<String> = (0..10_000).map(|n| format!("id{n}")).collect();
    let batch = Batch::new(topic(RecordAction::Create), Lane::First, &keys, "test");
    assert_eq!(queue.enqueue(&batch).await.unwrap().new.len(), 10_000);
    assert_eq!(queue.enqueue(&batch).await.unwrap().already, 10_000);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "10000");
}

#[tokio::test]
async fn the_sweep_lane_is_read_when_the_first_is_empty_and_never_shadows_it() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let keys = ["a".to_owned()];
    queue.enqueue(&Batch::new(topic(RecordAction::SyncCheck), Lane::Sweep, &keys, "cron")).await.unwrap();
    assert_eq!(enqueue(&queue, RecordAction::SyncCheck, &["a"]).await, 1, "a queued sweep swallows no trigger");
    let mut worker = consumer(&queue, "w", LONG);
    let first = one(&mut worker).await;
    assert_eq!(first.job.lane, Lane::First);
    end(&queue, "w", first, done()).await;
    assert_eq!(one(&mut worker).await.job.lane, Lane::Sweep);
}

#[tokio::test]
async fn a_worker_without_jobs_is_a_worker_and_one_that_is_gone_is_not() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let workers = async || queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"].workers;
    assert_eq!(workers().await, 0);
    queue.show_alive(Flow::Vmh, "idle").await.unwrap();
    let long_ago = (chrono::Utc::now() - chrono::TimeDelta::seconds(30)).timestamp_millis().to_string();
    redis.cli(&["ZADD", "jobs:vmh:workers", &long_ago, "gone"]);
    // reading is no sign of life: with nothing to read, Redis 7.0 does not see it
    consumer(&queue, "reader", LONG).next(1, 0).await.unwrap();
    assert_eq!(workers().await, 1);
    consumer(&queue, "idle", LONG).leave().await.unwrap();
    assert_eq!(workers().await, 0);
}

#[tokio::test]
async fn a_stray_pending_id_does_not_swallow_webhooks_for_ever() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["SADD", "vmh:beteiligte:update_pending", "a"]);
    assert_eq!(enqueue(&queue, RecordAction::Update, &["a"]).await, 0);
    queue.tidy(Flow::Vmh, &["beteiligte".to_owned()]).await.unwrap();
    assert_eq!(enqueue(&queue, RecordAction::Update, &["a"]).await, 1);
}

#[tokio::test]
async fn everything_survives_a_killed_redis() {
    let mut redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Create, &["a", "b"]).await;
    redis.kill();
    assert!(queue.ready().await.unwrap_err().is_unavailable());
    redis.up();
    let mut worker = consumer(&queue, "w", LONG);
    assert_eq!(next(&mut worker).await.len(), 2);
}

#[tokio::test]
async fn an_entry_with_thousands_of_fields_stops_nobody() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut raw = redis.raw().await;
    for start in [["topic", "vmh.beteiligte.update"], ["no", "job"]] {
        let mut cmd = redis::cmd("XADD");
        cmd.arg("jobs:vmh").arg("*").arg(&start).arg("key").arg("a");
        (0..5_000).for_each(|n| {
            cmd.arg(n).arg("x");
        });
        let _: String = cmd.query_async(&mut raw).await.unwrap();
    }
    enqueue(&queue, RecordAction::Update, &["b"]).await;
    let claimed = one(&mut consumer(&queue, "w", LONG)).await;
    assert_eq!(claimed.job.key, "b");
    let letters = queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.code.as_deref() == Some("malformed")), "{letters:?}");
    assert!(letters.iter().all(|letter| letter.fields["fields"].contains("\"4999\",\"x\"")), "whole");
}
