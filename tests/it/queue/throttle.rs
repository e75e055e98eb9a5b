//! The pace that all processes keep together with an outside system.

use std::time::Duration;

use advosync::queue::{Queue, Turn};
use futures::future::join_all;

use crate::support::redis::Redis;

const NAME: &str = "google:test";
const SPACING: Duration = Duration::from_millis(700);

/// When the turn that was taken last begins, by Redis' clock in µs.
fn last(redis: &Redis) -> u64 {
    redis.cli(&["HGET", "throttle:google:test", "last"]).parse().unwrap()
}

fn now(redis: &Redis) -> u64 {
    let time = redis.cli(&["TIME"]);
    let (seconds, micros) = time.split_once('\n').unwrap();
    seconds.parse::<u64>().unwrap() * 1_000_000 + micros.parse::<u64>().unwrap()
}

async fn taken(queue: &Queue, spacing: Duration) -> Duration {
    match queue.throttle(NAME, spacing).take().await.unwrap() {
        Turn::In(wait) => wait,
        Turn::Far(wait) => panic!("no turn for {wait:?}"),
    }
}

#[tokio::test]
async fn turns_of_several_processes_begin_apart() {
    let redis = Redis::start();
    let queues = [redis.prepared().await, redis.queue()];
    let waits = join_all((0..20).map(|taker| taken(&queues[taker % 2], SPACING))).await;
    // Each was asked for within moments of the first; so the waits are as far apart as the turns, but for these moments.
    let mut waits = waits;
    waits.sort();
    assert!(waits[0] < SPACING / 7, "the first waits for nobody: {waits:?}");
    for pair in waits.windows(2) {
        let apart = pair[1].abs_diff(pair[0]);
        assert!(apart.abs_diff(SPACING) < SPACING / 2, "{waits:?}");
    }
    assert!(waits[19] > SPACING * 18, "{waits:?}");

    // Exactly, one after the other.
    let mut before = last(&redis);
    for taker in 0..5 {
        taken(&queues[taker % 2], SPACING).await;
        assert_eq!(last(&redis) - before, 700_000);
        before = last(&redis);
    }
    // Whoever asks for another spacing gets it, counted from the last turn.
    taken(&queues[0], Duration::from_millis(3)).await;
    assert_eq!(last(&redis) - before, 3_000);
}

#[tokio::test]
async fn a_pause_is_kept_and_never_shortened() {
    let redis = Redis::start();
    let (one, two) = (redis.prepared().await, redis.queue());
    let long = Duration::from_secs(40);
    one.throttle(NAME, SPACING).pause(long).await.unwrap();
    let told = now(&redis);
    two.throttle(NAME, SPACING).pause(Duration::from_secs(1)).await.unwrap();
    let wait = taken(&two, SPACING).await;
    assert!(wait <= long && wait > Duration::from_secs(35), "{wait:?}");
    assert!(last(&redis) <= told + 40_000_000);
    let next = taken(&one, SPACING).await;
    assert!(next > wait, "the line goes on behind the pause: {next:?}, {wait:?}");
}

#[tokio::test]
async fn a_turn_that_is_far_away_is_not_taken() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let slow = Duration::from_secs(25);
    for _ in 0..3 {
        taken(&queue, slow).await;
    }
    let before = last(&redis);
    let far = queue.throttle(NAME, slow).take().await.unwrap();
    assert!(matches!(far, Turn::Far(wait) if wait > Duration::from_mins(1)), "{far:?}");
    assert_eq!(last(&redis), before);
    // However long somebody asks to pause, it ends.
    queue.throttle(NAME, slow).pause(Duration::from_hours(1000)).await.unwrap();
    let ttl: u64 = redis.cli(&["TTL", "throttle:google:test"]).parse().unwrap();
    assert!((3600..=3661).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_redis_that_was_emptied_starts_anew_and_no_spacing_is_no_wait() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    queue.throttle(NAME, SPACING).pause(Duration::from_secs(50)).await.unwrap();
    redis.cli(&["FLUSHALL"]);
    redis.cli(&["FUNCTION", "FLUSH"]);
    assert_eq!(taken(&queue, SPACING).await, Duration::ZERO);
    redis.cli(&["FLUSHALL"]);
    for _ in 0..10 {
        assert_eq!(taken(&queue, Duration::ZERO).await, Duration::ZERO);
    }
    assert_eq!(queue.throttle("another", SPACING).take().await.unwrap(), Turn::In(Duration::ZERO));
}
