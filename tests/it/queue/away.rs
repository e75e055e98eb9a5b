//! Data that Redis lost are missed: emptied, exchanged, rolled back; and nothing else is.

use advosync::queue::{Finished, Looked, Loss, Queue, RecordAction, Seen};
use chrono::Utc;

use super::{LONG, consumer, done, end, enqueue, one};
use crate::support::redis::Redis;

/// A look that finds what was known.
async fn same(queue: &Queue, me: &str, seen: Option<&Seen>) -> Seen {
    match queue.look(me, seen).await.unwrap() {
        Looked::Same(seen) => seen,
        other => panic!("{me} {seen:?}: {other:?}"),
    }
}

/// The same data in a Redis that was away: a first call may meet a dead connection.
async fn found(queue: &Queue, me: &str, seen: &Seen) -> Looked {
    while queue.ping().await.is_err() {}
    queue.look(me, Some(seen)).await.unwrap()
}

#[tokio::test]
async fn an_empty_redis_that_nobody_knows_is_no_loss() {
    let redis = Redis::start();
    let queue = redis.queue();
    assert_eq!(queue.look("a", None).await.unwrap(), Looked::Bare);
    queue.prepare(Utc::now()).await.unwrap();
    let mut seen = same(&queue, "a", None).await;
    for _ in 0..3 {
        seen = same(&queue, "a", Some(&seen)).await;
        same(&queue, "b", None).await;
    }
    assert_eq!(queue.last_loss().await.unwrap(), None);
}

#[tokio::test]
async fn an_emptied_redis_is_missed_by_all_until_one_admits_it() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let (a, b) = (same(&queue, "a", None).await, same(&queue, "b", None).await);
    redis.cli(&["FLUSHALL"]);
    assert_eq!(queue.look("a", Some(&a)).await.unwrap(), Looked::Bare);
    queue.prepare(Utc::now()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(queue.look("a", Some(&a)).await.unwrap(), Looked::Lost(Loss::Emptied));
        assert_eq!(queue.look("b", Some(&b)).await.unwrap(), Looked::Lost(Loss::Emptied));
    }
    let before = Utc::now();
    queue.admit(&a, Loss::Emptied).await.unwrap();
    let (loss, at) = queue.last_loss().await.unwrap().unwrap();
    assert!(loss == Loss::Emptied && (at - before).num_seconds().abs() < 5, "{at}");
    let a = same(&queue, "a", Some(&a)).await;
    same(&queue, "b", Some(&b)).await;
    redis.cli(&["FLUSHALL"]);
    queue.prepare(Utc::now()).await.unwrap();
    assert_eq!(queue.look("a", Some(&a)).await.unwrap(), Looked::Lost(Loss::Emptied), "again is another loss");
}

#[tokio::test]
async fn a_redis_that_was_rolled_back_is_missed_each_time() {
    let mut redis = Redis::start();
    let queue = redis.prepared().await;
    let old = same(&queue, "old", None).await;
    let mut a = same(&queue, "a", None).await;
    let backup = redis.backup();
    for _ in 0..2 {
        a = same(&queue, "a", Some(&a)).await;
        let late = same(&queue, "late", None).await;
        redis.kill();
        redis.up_from(&backup);
        // Others who go on raising the beat hide nothing.
        while queue.ping().await.is_err() {}
        for _ in 0..10 {
            same(&queue, "busy", None).await;
        }
        assert_eq!(found(&queue, "a", &a).await, Looked::Lost(Loss::RolledBack));
        assert_eq!(found(&queue, "late", &late).await, Looked::Lost(Loss::RolledBack));
        same(&queue, "successor of old", Some(&old)).await;
        queue.admit(&a, Loss::RolledBack).await.unwrap();
        assert_eq!(queue.last_loss().await.unwrap().map(|(loss, _)| loss), Some(Loss::RolledBack));
        a = same(&queue, "a", Some(&a)).await;
        same(&queue, "late", Some(&late)).await;
    }
}

#[tokio::test]
async fn what_redis_kept_is_not_missed() {
    let mut redis = Redis::start();
    let queue = redis.prepared().await;
    let seen = same(&queue, "a", None).await;
    redis.kill();
    redis.up();
    assert!(matches!(found(&queue, "a", &seen).await, Looked::Same(_)));
    redis.cli(&["CONFIG", "SET", "appendfsync", "no"]);
    // A process that comes back after so many others that its name was dropped.
    for n in 0..1_001 {
        same(&queue, &format!("other {n}"), None).await;
    }
    same(&queue, "successor", Some(&seen)).await;
    assert_eq!(redis.cli(&["ZCARD", "advosync:beats"]), "1000");
}

#[tokio::test]
async fn a_look_mends_functions_and_groups() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["FUNCTION", "FLUSH"]);
    redis.cli(&["XGROUP", "DESTROY", "jobs:vmh", "workers"]);
    redis.cli(&["DEL", "jobs:calendar:sweep"]);
    same(&queue, "a", None).await;
    for stream in ["jobs:vmh", "jobs:calendar:sweep"] {
        let groups = redis.cli(&["XINFO", "GROUPS", stream]);
        assert!(groups.contains("workers") && groups.contains("last-delivered-id\n0-0"), "{stream}: {groups}");
    }
    assert!(redis.cli(&["FUNCTION", "LIST"]).contains("advosync_admin"));
}

#[tokio::test]
async fn a_look_works_while_memory_is_full() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let seen = same(&queue, "a", None).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    same(&queue, "a", Some(&seen)).await;
}

#[tokio::test]
async fn a_lease_of_before_a_loss_is_worth_nothing_after_it() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut consumer = consumer(&queue, "a", LONG);
    enqueue(&queue, RecordAction::Update, &["1"]).await;
    let before = one(&mut consumer).await;
    redis.cli(&["FLUSHALL"]);
    queue.prepare(Utc::now()).await.unwrap();
    enqueue(&queue, RecordAction::Update, &["1"]).await;
    let after = one(&mut consumer).await;
    assert_ne!(before.claim.fence(), after.claim.fence(), "lease numbers only grow, whatever Redis has forgotten");
    assert_eq!(end(&queue, "a", before, done()).await, Finished::Stale);
    assert_eq!(end(&queue, "a", after, done()).await, Finished::Moved);
}
