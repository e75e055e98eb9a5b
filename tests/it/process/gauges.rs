//! How long the queue is, in `/metrics`: right, there without anything having happened, and gone while Redis is away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::Datelike;

use super::support::{Home, Http, until};
use crate::support::redis::Redis;

/// A scrape waits for nothing, but this machine may be busy.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The gauges of the queue, the upstreams and the schedules, by name and labels.
fn gauges(http: Http) -> BTreeMap<String, f64> {
    let asked = Instant::now();
    let page = http.get("/metrics");
    assert!(page.status == 200 && asked.elapsed() < AT_ONCE, "{:?} {page:?}", asked.elapsed());
    let ours = ["advosync_queue_", "advosync_upstream_", "advosync_cron_slots_due"];
    let rows = page.body.lines().filter(|line| ours.iter().any(|begins| line.starts_with(begins)));
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
    let home = home.with("ADVOSYNC_CRON_CALENDAR", "off").with("ADVOSYNC_CRON_RECORDS", "0 0 1 1 *");
    let ingress = home.ready("ingress");
    let http = ingress.http();
    until("an empty queue is seen", || gauges(http).len() == 6 * 2 + 2 + 1);
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
    // Every New Year since, in Berlin.
    let fired = "2023-06-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    redis.cli(&["HSET", "cron:records", "slot", &fired.timestamp_millis().to_string()]);
    let this_year = chrono::Utc::now().with_timezone(&chrono_tz::Europe::Berlin).year();
    let expected = [
        ("advosync_cron_slots_due{schedule=\"records\"}".to_owned(), f64::from(this_year - 2023)),
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
    until("they are back", || gauges(http).get(&expected[0].0) == Some(&expected[0].1));
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
