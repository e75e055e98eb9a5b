//! How long the queue is, in `/metrics`: right, there without anything having happened, and gone while Redis is away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::support::{Home, Http, until};
use crate::support::redis::Redis;

/// A scrape waits for nothing, but this machine may be busy.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The gauges of the queue and the upstreams, by name and labels.
fn gauges(http: Http) -> BTreeMap<String, f64> {
    let asked = Instant::now();
    let page = http.get("/metrics");
    assert!(page.status == 200 && asked.elapsed() < AT_ONCE, "{:?} {page:?}", asked.elapsed());
    let rows =
        page.body.lines().filter(|line| line.starts_with("advosync_queue_") || line.starts_with("advosync_upstream_"));
    rows.map(|row| row.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

fn length(flow: &str, state: &str) -> String {
    format!("advosync_queue_length{{flow=\"{flow}\",state=\"{state}\"}}")
}

#[test]
fn they_are_right_and_gone_while_redis_is_away() {
    let mut redis = Redis::start();
    let home = Home::at(&redis).with("REDIS_TIMEOUT_SECONDS", "1");
    let ingress = home.ready("ingress");
    let http = ingress.http();
    until("an empty queue is seen", || gauges(http).len() == 6 * 2 + 2);
    assert!(gauges(http).values().all(|value| *value == 0.0), "{:?}", gauges(http));

    let old = (chrono::Utc::now() - chrono::TimeDelta::minutes(5)).timestamp_millis().to_string();
    redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.update", "key", "a", "enqueued_at", &old]);
    redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.update", "key", "b"]);
    redis.cli(&["XADD", "jobs:vmh:sweep", "*", "topic", "vmh.beteiligte.sync_check", "key", "c"]);
    redis.cli(&["XREADGROUP", "GROUP", "workers", "w", "COUNT", "1", "STREAMS", "jobs:vmh:sweep", ">"]);
    redis.cli(&["ZADD", "jobs:vmh:scheduled", "1", "lock"]);
    redis.cli(&["HSET", "jobs:vmh:parked", "one", "[]", "two", "[]", "three", "[]"]);
    for id in ["1-1", "2-1"] {
        redis.cli(&["XADD", "jobs:calendar:dead", id, "topic", "calendar_sync_employee", "key", "SB"]);
    }
    redis.cli(&["HSET", "jobs:calendar:dead:resolved", "1-1", "5"]);
    redis.cli(&["HSET", "upstream:advoware", "state", "open", "failures", "5"]);
    redis.cli(&["HSET", "upstream:espocrm", "state", "closed", "failures", "0"]);
    let expected = [
        (length("vmh", "ready"), 2.0),
        (length("vmh", "sweep"), 0.0),
        (length("vmh", "running"), 1.0),
        (length("vmh", "scheduled"), 1.0),
        (length("vmh", "parked"), 3.0),
        (length("vmh", "dead"), 0.0),
        (length("calendar", "ready"), 0.0),
        (length("calendar", "dead"), 1.0),
        ("advosync_upstream_up{upstream=\"advoware\"}".to_owned(), 0.0),
        ("advosync_upstream_up{upstream=\"espocrm\"}".to_owned(), 1.0),
    ];
    let mut seen = BTreeMap::new();
    until(&format!("what was added is seen: {expected:?}"), || {
        seen = gauges(http);
        expected.iter().all(|(name, value)| seen.get(name) == Some(value))
    });
    let age = seen["advosync_queue_oldest_seconds{flow=\"vmh\"}"];
    assert!((300.0..360.0).contains(&age), "{age}");

    // frozen, it answers nothing; killed, it refuses
    redis.freeze();
    until("a frozen redis is noticed", || gauges(http).is_empty());
    redis.kill();
    assert!(gauges(http).is_empty());
    redis.up();
    until("they are back", || gauges(http).get(&expected[0].0) == Some(&2.0));
    ingress.stop().with_code(0);
}

#[test]
fn every_role_that_serves_metrics_has_them() {
    let redis = Redis::start();
    for role in ["worker", "cron", "console"] {
        let home = Home::at(&redis);
        let process = home.ready(role);
        let http = process.http();
        until("they are there", || gauges(http).contains_key(&length("vmh", "ready")));
        process.stop().with_code(0);
    }
}
