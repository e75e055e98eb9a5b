//! Firing, against a real Redis.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;

use chrono::TimeDelta;

use super::*;
use crate::ingress::testing::{Redis, stream};
use crate::queue::{Consumer, Fired, Firing, Flow, Lane, Slots, Topic};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_774_000_000 / 900 * 900 + seconds, 0).unwrap()
}

fn quarter_hours(work: Work) -> Planned {
    let next = |instant: DateTime<Utc>| DateTime::from_timestamp((instant.timestamp() / 900 + 1) * 900, 0);
    Planned { work, expression: "*/15 * * * *".into(), next: Arc::new(next) }
}

fn seconds(work: Work) -> Planned {
    let next = |instant: DateTime<Utc>| DateTime::from_timestamp(instant.timestamp() + 1, 0);
    Planned { work, expression: "* * * * * *".into(), next: Arc::new(next) }
}

fn producer(redis: &Redis) -> Producer {
    Producer::new(redis.queue(), vec!["beteiligte".into(), "akten".into()])
}

/// A key of Redis, as people at redis-cli know it.
fn key(words: &str) -> String {
    words.replace(' ', ":")
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
    let mut producer = producer(&redis);
    let (records, calendar) = (quarter_hours(Work::Records), quarter_hours(Work::Calendar));
    let known = async |redis: &Redis| redis.queue().slots("records").await.unwrap();
    assert_eq!(known(&redis).await, Slots::default());
    for schedule in [&records, &calendar] {
        assert_eq!(producer.look_after(schedule, at(10)).await.unwrap(), Some(at(900)));
        assert_eq!(producer.look_after(schedule, at(899)).await.unwrap(), Some(at(900)));
    }
    assert!(queued(&redis, Flow::Vmh, Lane::Sweep).await.is_empty());
    assert_eq!(known(&redis).await, Slots { from: Some(at(10)), ..Slots::default() }, "nothing was fired yet");
    assert_eq!(producer.look_after(&records, at(900)).await.unwrap(), Some(at(1800)));
    assert_eq!(producer.look_after(&records, at(901)).await.unwrap(), Some(at(1800)));
    assert_eq!(
        queued(&redis, Flow::Vmh, Lane::Sweep).await,
        [["vmh.beteiligte.sweep", "all", "cron"], ["vmh.akten.sweep", "all", "cron"]]
    );
    assert_eq!(known(&redis).await, Slots { from: Some(at(900)), last: Some(at(900)), fired: 1, missed: 0 });
    assert!(queued(&redis, Flow::Calendar, Lane::Sweep).await.is_empty(), "schedules are independent");
    producer.look_after(&calendar, at(900)).await.unwrap();
    assert_eq!(queued(&redis, Flow::Calendar, Lane::Sweep).await, [["calendar_sync_all", "ALL", "cron"]]);
    assert!(queued(&redis, Flow::Calendar, Lane::First).await.is_empty(), "never the lane of people");
}

/// Slots on the calendar's sweep stream, which a worker takes away as they come.
async fn fired(redis: &Redis) -> Vec<DateTime<Utc>> {
    let entries: Vec<(String, Vec<(String, String)>)> =
        redis.command(&["XRANGE", &stream(Flow::Calendar, Lane::Sweep), "-", "+"]).await;
    let slot = |fields: &[(String, String)]| fields.iter().find(|(name, _)| name == "slot").unwrap().1.parse().unwrap();
    entries.iter().map(|(_, fields)| DateTime::from_timestamp_millis(slot(fields)).unwrap()).collect()
}

async fn started(redis: &Redis) {
    redis.command::<()>(&["DEL", "calendar_sync:pending:sweep"]).await;
}

#[tokio::test]
async fn after_a_downtime_there_is_one_run() {
    let redis = Redis::start().await;
    let (mut before, mut after) = (producer(&redis), producer(&redis));
    let schedule = quarter_hours(Work::Calendar);
    before.look_after(&schedule, at(0)).await.unwrap();
    // Somebody else may be late with them.
    for waited in [0, 4, 7] {
        assert_eq!(after.look_after(&schedule, at(90_010 + waited)).await.unwrap(), Some(at(90_018)));
    }
    assert!(fired(&redis).await.is_empty());
    for waited in [8, 10, 15] {
        assert_eq!(after.look_after(&schedule, at(90_010 + waited)).await.unwrap(), Some(at(90_900)));
        started(&redis).await;
    }
    assert_eq!(fired(&redis).await, [at(90_000)]);
    let slots = redis.queue().slots("calendar").await.unwrap();
    assert_eq!(slots, Slots { from: Some(at(90_000)), last: Some(at(90_000)), fired: 1, missed: 99 });
}

#[tokio::test]
async fn a_process_that_is_late_fires_every_slot_and_a_new_one_leaves_them_to_it() {
    let redis = Redis::start().await;
    let (mut late, mut new) = (producer(&redis), producer(&redis));
    let schedule = seconds(Work::Calendar);
    late.look_after(&schedule, at(0)).await.unwrap();
    new.look_after(&schedule, at(4)).await.unwrap();
    assert!(fired(&redis).await.is_empty());
    late.look_after(&schedule, at(5)).await.unwrap();
    assert_eq!(redis.queue().slots("calendar").await.unwrap().fired, 5);
    started(&redis).await;
    assert_eq!(new.look_after(&schedule, at(6)).await.unwrap(), Some(at(7)));
    // The five came at once, while the first of them had not been started yet: one job serves them all.
    assert_eq!(fired(&redis).await, [at(1), at(6)]);
    assert_eq!(redis.queue().slots("calendar").await.unwrap().missed, 0);
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
    let mut producers: Vec<Producer> = (0..8).map(|_| producer(&redis)).collect();
    let schedule = quarter_hours(Work::Calendar);
    producers[0].look_after(&schedule, at(0)).await.unwrap();
    for slot in 1..=SLOTS {
        let now = at(slot * 900);
        // What the slot before has queued is started in any case, or the two would share a job.
        started(&redis).await;
        let looks = join_all(producers.iter_mut().map(|producer| producer.look_after(&schedule, now))).await;
        assert!(looks.into_iter().all(|until| until.unwrap() == Some(at((slot + 1) * 900))));
    }
    over.store(true, Ordering::Relaxed);
    workers.await.unwrap();
    let expected: Vec<_> = (1..=SLOTS).map(|slot| at(slot * 900)).collect();
    assert_eq!(fired(&redis).await, expected);
    let slots = redis.queue().slots("calendar").await.unwrap();
    assert_eq!((slots.fired, slots.missed), (SLOTS.unsigned_abs(), 0));
}

#[tokio::test]
async fn a_clock_or_a_redis_that_goes_back_fires_nothing_slot_by_slot() {
    let redis = Redis::start().await;
    let mut producer = producer(&redis);
    let schedule = quarter_hours(Work::Calendar);
    let look = async |producer: &mut Producer, now| producer.look_after(&schedule, at(now)).await.unwrap();
    look(&mut producer, 0).await;
    // Set on by two hours and more, and put right: it rests until then.
    for now in [7200, 7204, 7208] {
        look(&mut producer, now).await;
        started(&redis).await;
    }
    assert_eq!(look(&mut producer, 12).await, Some(at(8100)));
    assert_eq!(look(&mut producer, 900).await, Some(at(8100)));
    assert_eq!(fired(&redis).await, [at(7200)]);
    // What the error in the log says to do.
    redis.command::<()>(&["HDEL", &key("cron calendar"), "slot"]).await;
    assert_eq!(look(&mut producer, 901).await, Some(at(1800)));
    let slots = redis.queue().slots("calendar").await.unwrap();
    assert_eq!(slots, Slots { from: Some(at(901)), last: None, fired: 1, missed: 7 });

    // A process that has been looking all the time, beside a Redis that is rolled back by ten quarters.
    for now in 0..3000 {
        look(&mut producer, 7200 + now * 5).await;
    }
    started(&redis).await;
    let before = fired(&redis).await.len();
    let back = at(9000).timestamp_millis().to_string();
    redis.command::<()>(&["HSET", &key("cron calendar"), "slot", &back]).await;
    for now in [22_200, 22_204, 22_209] {
        look(&mut producer, now).await;
        started(&redis).await;
    }
    assert_eq!(fired(&redis).await[before..], [at(21_600)], "one run");
}

#[tokio::test]
async fn a_firing_is_whole_or_not_at_all_and_safe_to_repeat() {
    let redis = Redis::start().await;
    let queue = redis.queue();
    let jobs = [(Topic::CalendarAll, "ALL"), (Topic::Sweep { entity: "akten".into() }, "all")];
    let firing = |after, slot| Firing { schedule: "test", after: at(after), slot: at(slot), missed: 2, jobs: &jobs };
    let fire = async |after, slot| queue.fire_slot(&firing(after, slot)).await.unwrap();
    let sweeps = [(Flow::Calendar, Lane::Sweep), (Flow::Vmh, Lane::Sweep)];
    let lengths = async || {
        [queued(&redis, sweeps[0].0, sweeps[0].1).await.len(), queued(&redis, sweeps[1].0, sweeps[1].1).await.len()]
    };

    assert_eq!(fire(0, 900).await, Fired::Not(None), "it has not begun");
    assert_eq!(queue.begin_schedule("test", at(0)).await.unwrap(), at(0));
    assert_eq!(queue.begin_schedule("test", at(5)).await.unwrap(), at(0), "it begins once");
    for (after, slot) in [(-1, 900), (1, 900), (0, 0), (0, -900)] {
        assert_eq!(fire(after, slot).await, Fired::Not(Some(at(0))), "{after} {slot}");
    }
    assert_eq!(lengths().await, [0, 0]);
    assert_eq!(fire(0, 2700).await, Fired::Now(2));
    // Started at once; an answer that was lost makes the same call come again.
    redis.command::<()>(&["DEL", "calendar_sync:pending:sweep", &key("vmh akten sweep_pending sweep")]).await;
    assert_eq!(fire(0, 2700).await, Fired::Not(Some(at(2700))));
    assert_eq!(lengths().await, [1, 1]);
    let known = Slots { from: Some(at(2700)), last: Some(at(2700)), fired: 1, missed: 2 };
    assert_eq!(queue.slots("test").await.unwrap(), known);

    // A stream that is none: the slot stays due, and what was queued meanwhile is not queued again.
    redis.command::<()>(&["RENAME", &stream(Flow::Vmh, Lane::Sweep), "aside"]).await;
    redis.command::<()>(&["SET", &stream(Flow::Vmh, Lane::Sweep), "no stream"]).await;
    for _ in 0..2 {
        assert!(queue.fire_slot(&firing(2700, 5400)).await.is_err());
    }
    assert_eq!(queue.slots("test").await.unwrap(), known);
    redis.command::<()>(&["RENAME", "aside", &stream(Flow::Vmh, Lane::Sweep)]).await;
    redis.command::<()>(&["DEL", &key("vmh akten sweep_pending sweep")]).await;
    assert_eq!(fire(2700, 5400).await, Fired::Now(1));
    assert_eq!(lengths().await, [2, 2]);

    // Somebody at redis-cli.
    redis.command::<()>(&["HSET", &key("cron test"), "slot", "yesterday"]).await;
    let error = queue.last_slot("test").await.unwrap_err().to_string();
    assert!(error.contains("HDEL cron:test slot"), "{error}");
}

#[tokio::test]
async fn an_older_process_beside_a_newer_one_does_no_harm() {
    let redis = Redis::start().await;
    let mut newer = producer(&redis);
    let schedule = seconds(Work::Calendar);
    newer.look_after(&schedule, at(0)).await.unwrap();
    newer.look_after(&schedule, at(1)).await.unwrap();
    started(&redis).await;
    // The older one has queued the jobs of a slot and marked it with the function of layout 2.
    let mark = async |slot: i64| {
        let slot = at(slot).timestamp_millis().to_string();
        redis.command::<i64>(&["FCALL", "advosync_2_slot", "1", &key("cron calendar"), &slot]).await
    };
    assert_eq!(mark(2).await, 1);
    assert_eq!(newer.look_after(&schedule, at(2)).await.unwrap(), Some(at(3)), "it sees that it was fired");
    newer.look_after(&schedule, at(3)).await.unwrap();
    assert_eq!(mark(3).await, 0, "and the older one sees what the newer one fired");
    assert_eq!(fired(&redis).await, [at(1), at(3)]);
    // One that only the older one ever looked after has fired, as far as anybody knows.
    redis.command::<()>(&["HDEL", &key("cron calendar"), "began"]).await;
    assert_eq!(redis.queue().slots("calendar").await.unwrap().last, Some(at(3)));
}

#[tokio::test]
async fn the_slot_of_a_job_travels_with_it_and_matters_to_nobody() {
    let redis = Redis::start().await;
    let queue = redis.queue();
    queue.prepare(at(0)).await.unwrap();
    let mut producer = producer(&redis);
    let schedule = quarter_hours(Work::Calendar);
    producer.look_after(&schedule, at(0)).await.unwrap();
    producer.look_after(&schedule, at(900)).await.unwrap();
    let mut consumer = Consumer::new(&queue, Flow::Calendar, "tester", Duration::from_mins(1));
    let running = consumer.next(10, 10).await.unwrap();
    assert_eq!(running.len(), 1);
    let slot = ("slot".to_owned(), at(900).timestamp_millis().to_string());
    assert_eq!(running[0].job.extra, [slot]);
    // Two more slots while the first one runs: both wait for it as one job.
    for n in [2, 3] {
        producer.look_after(&schedule, at(n * 900)).await.unwrap();
        assert!(consumer.next(10, 10).await.unwrap().is_empty());
    }
    let parked: Vec<String> = redis.command(&["HVALS", &key("jobs calendar parked")]).await;
    assert_eq!(parked.concat().matches("calendar_sync_all").count(), 1, "{parked:?}");
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
    let decide = |now: &str| {
        let now: DateTime<Utc> = now.parse().unwrap();
        due(last, now - PATIENCE, now, &*planned.next)
    };
    assert_eq!(decide("2026-03-28T00:59:59Z"), Decision::Wait("2026-03-28T01:00:00Z".parse().unwrap()));
    assert_eq!(
        decide("2026-03-30T10:00:00Z"),
        Decision::Fire { slot: "2026-03-30T00:00:00Z".parse().unwrap(), missed: 2 }
    );
}

/// A simulated clock that steps as it likes: two years and a half of looks, naps, days off, and a clock that is set.
#[test]
fn over_simulated_years_a_daily_job_runs_on_every_date_and_quarters_are_900_s_apart() {
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = move |below: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        i64::try_from(dice % below).unwrap()
    };
    let begun: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    let end: DateTime<Utc> = "2029-01-01T00:00:00Z".parse().unwrap();
    for (expression, longest_sleep) in [("30 2 * * *", 20 * 3600), ("*/15 * * * *", 800)] {
        let next = Planned::new(Work::Records, Schedule::parse(expression, chrono_tz::Europe::Berlin).unwrap()).next;
        let (mut last, mut watch, mut now, mut fired) = (Some(begun), None, begun, Vec::new());
        while now < end {
            let looked = Watch::after_look(watch, now, last);
            watch = Some(looked);
            let until = loop {
                match due(last, looked.since(), now, &*next) {
                    Decision::Fire { slot, missed } => {
                        assert!(slot <= now && missed == 0 && last.is_none_or(|last| slot > last), "{slot} at {now}");
                        fired.push(slot);
                        last = Some(slot);
                    }
                    Decision::Wait(until) => break until,
                    other => panic!("{other:?}"),
                }
            };
            // Mostly to the next slot as the role does, sometimes asleep past it, sometimes the clock is set back or on.
            now = match roll(10) {
                0 => now + TimeDelta::seconds(1 + roll(u64::try_from(longest_sleep).unwrap())),
                1 => now - TimeDelta::seconds(roll(7200)),
                2 => now + TimeDelta::milliseconds(1 + roll(5000)),
                _ => until + TimeDelta::milliseconds(roll(3000)),
            };
        }
        if expression.starts_with("30") {
            let dates: Vec<_> =
                fired.iter().map(|at| at.with_timezone(&chrono_tz::Europe::Berlin).date_naive()).collect();
            let days = dates[0].iter_days().take(dates.len()).collect::<Vec<_>>();
            assert_eq!(dates, days, "every date once");
            assert!(dates.len() >= 3 * 365, "{}", dates.len());
        } else {
            assert!(fired.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::seconds(900)));
            assert!(fired.len() > 105_000, "{}", fired.len());
        }
    }
}
