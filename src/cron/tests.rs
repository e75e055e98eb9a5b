//! Firing, against a real Redis.

use std::sync::atomic::Ordering;

use futures::future::join_all;

use super::*;
use crate::ingress::testing::{Redis, stream};
use crate::queue::{Flow, Lane};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_774_000_000 / 900 * 900 + seconds, 0).unwrap()
}

fn quarter_hours(work: Work) -> Planned {
    let next = |instant: DateTime<Utc>| DateTime::from_timestamp((instant.timestamp() / 900 + 1) * 900, 0);
    Planned { work, expression: "*/15 * * * *".into(), next: Arc::new(next) }
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
async fn queued(redis: &Redis, flow: Flow, lane: Lane) -> Vec<[String; 3]> {
    let entries: Vec<(String, Vec<(String, String)>)> = redis.command(&["XRANGE", &stream(flow, lane), "-", "+"]).await;
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
    assert!(queued(&redis, Flow::Vmh, Lane::Sweep).await.is_empty());
    assert_eq!(producer.look_after(&records, at(900)).await.unwrap(), Some(at(1800)));
    assert_eq!(producer.look_after(&records, at(901)).await.unwrap(), Some(at(1800)));
    assert_eq!(
        queued(&redis, Flow::Vmh, Lane::Sweep).await,
        [["vmh.beteiligte.sweep", "all", "cron"], ["vmh.akten.sweep", "all", "cron"]]
    );
    assert!(queued(&redis, Flow::Calendar, Lane::Sweep).await.is_empty(), "schedules are independent");
    producer.look_after(&calendar, at(900)).await.unwrap();
    assert_eq!(queued(&redis, Flow::Calendar, Lane::Sweep).await, [["calendar_sync_all", "ALL", "cron"]]);
    assert!(queued(&redis, Flow::Calendar, Lane::First).await.is_empty(), "never the lane of people");
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
    assert_eq!(queued(&redis, Flow::Calendar, Lane::Sweep).await.len(), 1);
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
    assert_eq!(queued(&redis, Flow::Calendar, Lane::Sweep).await.len(), usize::try_from(SLOTS).unwrap());
}

#[tokio::test]
async fn a_process_that_dies_while_it_fires_loses_no_slot() {
    let redis = Redis::start().await;
    let producer = producer(&redis, "alive");
    let schedule = quarter_hours(Work::Calendar);
    producer.look_after(&schedule, at(0)).await.unwrap();
    let right = producer.queue.cell("cron:firing:calendar");
    assert!(right.begin_renewal("dead", Duration::from_mins(1)).await.unwrap());
    let later = producer.look_after(&schedule, at(900)).await.unwrap().unwrap();
    assert!(later < at(901), "it looks again soon");
    assert!(queued(&redis, Flow::Calendar, Lane::Sweep).await.is_empty());
    right.end_renewal("dead").await.unwrap();
    producer.look_after(&schedule, at(902)).await.unwrap();
    assert_eq!(queued(&redis, Flow::Calendar, Lane::Sweep).await.len(), 1);
}

#[tokio::test]
async fn it_runs_through_an_outage_and_stops_at_once() {
    let mut redis = Redis::start().await;
    let queue = redis.queue();
    let often = |instant: DateTime<Utc>| DateTime::from_timestamp_millis((instant.timestamp_millis() / 50 + 1) * 50);
    let schedules = vec![Planned { work: Work::Calendar, expression: "often".into(), next: Arc::new(often) }];
    let shutdown = CancellationToken::new();
    let options = Options { queue: queue.clone(), entities: Vec::new(), schedules, clock: Arc::new(Utc::now) };
    let running = tokio::spawn(run(options, shutdown.clone()));
    // The waiting set is emptied as a worker would, so that each look sees a firing of its own.
    let fired = async |redis: &Redis| {
        let start: usize = redis.command(&["XLEN", &stream(Flow::Calendar, Lane::Sweep)]).await;
        while redis.command::<usize>(&["XLEN", &stream(Flow::Calendar, Lane::Sweep)]).await <= start {
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

#[test]
fn a_schedules_own_fire_times_are_used() {
    let schedule = Schedule::parse("0 2 * * *", chrono_tz::Europe::Berlin).unwrap();
    let planned = Planned::new(Work::Calendar, schedule);
    let last = Some("2026-03-27T01:00:00Z".parse().unwrap());
    let decide = |now: &str| due(last, now.parse().unwrap(), &*planned.next);
    assert_eq!(decide("2026-03-28T00:59:59Z"), Decision::Wait("2026-03-28T01:00:00Z".parse().unwrap()));
    assert_eq!(decide("2026-03-30T10:00:00Z"), Decision::Fire("2026-03-30T00:00:00Z".parse().unwrap()));
}
