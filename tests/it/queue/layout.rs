//! Setting the layout up, and refusing one that is not ours.

use chrono::Utc;

use crate::support::redis::Redis;

#[tokio::test]
async fn any_role_sets_an_empty_redis_up() {
    let redis = Redis::start();
    let queue = redis.queue();
    assert!(queue.ready().await.is_err(), "nothing is there yet");
    queue.prepare(Utc::now()).await.unwrap();
    queue.ready().await.unwrap();
    assert!(redis.cli(&["FUNCTION", "LIST", "LIBRARYNAME", "advosync_*"]).contains("advosync_admin"));
}

#[tokio::test]
async fn migrate_is_safe_to_repeat_and_to_run_twice_at_once() {
    let redis = Redis::start();
    let (one, two) = (redis.queue(), redis.queue());
    let dry = one.migrate(true, Utc::now()).await.unwrap();
    assert!(!dry.steps.is_empty() && one.ready().await.is_err(), "a dry run writes nothing");
    let (first, second) = tokio::join!(one.migrate(false, Utc::now()), two.migrate(false, Utc::now()));
    let steps = first.unwrap().steps.len() + second.unwrap().steps.len();
    assert_eq!(steps, dry.steps.len(), "each step was done once");
    assert!(one.migrate(false, Utc::now()).await.unwrap().steps.is_empty());
}

#[tokio::test]
async fn missing_functions_are_mended_on_the_way() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["FUNCTION", "FLUSH"]);
    queue.stats(Utc::now()).await.unwrap();
    redis.cli(&["FUNCTION", "FLUSH"]);
    queue.prepare(Utc::now()).await.unwrap();
    queue.stats(Utc::now()).await.unwrap();
}

#[tokio::test]
async fn a_layout_for_other_binaries_is_refused_with_what_to_do() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["HSET", "advosync:layout", "layout", "9", "serves_from", "7", "serves_to", "9"]);
    let error = queue.prepare(Utc::now()).await.unwrap_err().to_string();
    assert!(error.contains("start the newer version"), "{error}");
    redis.cli(&["HSET", "advosync:layout", "layout", "9", "serves_from", "1", "serves_to", "9"]);
    queue.prepare(Utc::now()).await.unwrap();
    queue.ready().await.unwrap();
}
