//! Firing, against a real Redis.

use std::sync::atomic::Ordering;

use futures::future::join_all;

use super::*;
use crate::ingress::testing::Redis;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_774_000_000 / 900 * 900 + seconds, 0).unwrap()
}

fn quarter_hours(work: Work) -> Schedule {
    let next = |instant: DateTime<Utc>| DateTime::from_timestamp((instant.timestamp() / 900 + 1) * 900, 0);
    Schedule { work, expression: "*/15 * * * *".into(), next: Arc::new(next) }
}

fn producer(redis: &Redis, owner: &str) -> Producer {
    Producer {
        queue: redis.queue(),
        entities: vec!["beteiligte".into(), "akten".into()],
        owner: owner.into(),
        told_ahead: false.into(),
    }
}

/// Topic, key and source on a stream, oldest first.
async fn queued(redis: &Redis, stream: &str) -> Vec<[String; 3]> {
    let entries: Vec<(String, Vec<(String, String)>)> = redis.command(&["XRANGE", stream, "-", "+"]).await;
    let value = |fields: &[(String, String)], name: &str| fields.iter().find(|(k, _)| k == name).unwrap().1.clone();
    entries.iter().map(|(_, fields)| ["topic", "key", "source"].map(|name| value(fields, name))).collect()
}

#[tokio::test]
async fn the_first_start_fires_nothing_and_each_slot_fires_its_jobs() {
    let redis = Redis::start().await;
    let producer = producer(&redis, "a");
    let (records, calendar) = (quarter_hours(Work::Records), quarter_hours(Work::Calendar));
    for schedule in [&records, &calendar] {
        assert_eq!(producer.look_after(schedule, at(10)).await.unwrap(), Some(at(900)));
        assert_eq!(producer.look_after(schedule, at(899)).await.unwrap(), Some(at(900)));
    }
    assert!(queued(&redis, "jobs:vmh:sweep").await.is_empty());
    assert_eq!(producer.look_after(&records, at(900)).await.unwrap(), Some(at(1800)));
    assert_eq!(producer.look_after(&records, at(901)).await.unwrap(), Some(at(1800)));
    assert_eq!(
        queued(&redis, "jobs:vmh:sweep").await,
        [["vmh.beteiligte.sweep", "all", "cron"], ["vmh.akten.sweep", "all", "cron"]]
    );
    assert!(queued(&redis, "jobs:calendar:sweep").await.is_empty(), "schedules are independent");
    producer.look_after(&calendar, at(900)).await.unwrap();
    assert_eq!(queued(&redis, "jobs:calendar:sweep").await, [["calendar_sync_all", "ALL", "cron"]]);
    assert!(queued(&redis, "jobs:calendar").await.is_empty(), "never the lane of people");
}

#[tokio::test]
async fn after_a_downtime_there_is_one_run() {
    let redis = Redis::start().await;
    let (before, after) = (producer(&redis, "a"), producer(&redis, "b"));
    let schedule = quarter_hours(Work::Calendar);
    before.look_after(&schedule, at(0)).await.unwrap();
    assert_eq!(after.look_after(&schedule, at(90_010)).await.unwrap(), Some(at(90_900)));
    redis.command::<()>(&["DEL", "calendar_sync:pending:sweep"]).await;
    after.look_after(&schedule, at(90_020)).await.unwrap();
    assert_eq!(queued(&redis, "jobs:calendar:sweep").await.len(), 1);
}

/// Workers that start a job the moment it is queued: nothing is ever coalesced, so each firing shows.
#[tokio::test]
async fn a_slot_fires_once_over_many_processes() {
    const SLOTS: i64 = 20;
    let redis = Arc::new(Redis::start().await);
    let over = Arc::new(AtomicBool::new(false));
    let workers = tokio::spawn({
        let (redis, over) = (Arc::clone(&redis), Arc::clone(&over));
        async move {
            while !over.load(Ordering::Relaxed) {
                redis.command::<()>(&["DEL", "calendar_sync:pending:sweep"]).await;
            }
        }
    });
    let producers: Vec<Producer> = (0..8).map(|n| producer(&redis, &n.to_string())).collect();
    let schedule = quarter_hours(Work::Calendar);
    producers[0].look_after(&schedule, at(0)).await.unwrap();
    for slot in 1..=SLOTS {
        let now = at(slot * 900);
        join_all(producers.iter().map(async |producer| {
            while producer.look_after(&schedule, now).await.unwrap() != Some(at((slot + 1) * 900)) {
                tokio::task::yield_now().await;
            }
        }))
        .await;
    }
    over.store(true, Ordering::Relaxed);
    workers.await.unwrap();
    assert_eq!(queued(&redis, "jobs:calendar:sweep").await.len(), usize::try_from(SLOTS).unwrap());
}

#[tokio::test]
async fn a_process_that_dies_while_it_fires_loses_no_slot() {
    let redis = Redis::start().await;
    let producer = producer(&redis, "alive");
    let schedule = quarter_hours(Work::Calendar);
    producer.look_after(&schedule, at(0)).await.unwrap();
    let right = producer.queue.cell("cron:firing:calendar");
    assert!(right.begin_renewal("dead", Duration::from_secs(60)).await.unwrap());
    let later = producer.look_after(&schedule, at(900)).await.unwrap().unwrap();
    assert!(later < at(901), "it looks again soon");
    assert!(queued(&redis, "jobs:calendar:sweep").await.is_empty());
    right.end_renewal("dead").await.unwrap();
    producer.look_after(&schedule, at(902)).await.unwrap();
    assert_eq!(queued(&redis, "jobs:calendar:sweep").await.len(), 1);
}

#[tokio::test]
async fn it_runs_through_an_outage_and_stops_at_once() {
    let mut redis = Redis::start().await;
    let queue = redis.queue();
    let often = |instant: DateTime<Utc>| DateTime::from_timestamp_millis((instant.timestamp_millis() / 50 + 1) * 50);
    let schedules = vec![Schedule { work: Work::Calendar, expression: "often".into(), next: Arc::new(often) }];
    let shutdown = CancellationToken::new();
    let options = Options { queue: queue.clone(), entities: Vec::new(), schedules, clock: Arc::new(Utc::now) };
    let running = tokio::spawn(run(options, shutdown.clone()));
    // The waiting set is emptied as a worker would, so that each look sees a firing of its own.
    let fired = async |redis: &Redis| {
        let start: usize = redis.command(&["XLEN", "jobs:calendar:sweep"]).await;
        while redis.command::<usize>(&["XLEN", "jobs:calendar:sweep"]).await <= start {
            redis.command::<()>(&["DEL", "calendar_sync:pending:sweep"]).await;
        }
    };
    let within = Duration::from_secs(20);
    tokio::time::timeout(within, fired(&redis)).await.expect("fires");
    redis.stop();
    assert!(queue.ping().await.is_err());
    redis.resume().await;
    tokio::time::timeout(within, fired(&redis)).await.expect("fires again");
    shutdown.cancel();
    tokio::time::timeout(within, running).await.expect("stops").unwrap();
}
