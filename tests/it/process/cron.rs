//! Several `advosync cron` at one-second schedules, killed with SIGKILL: each slot fires once, and after a downtime one run
//! makes up for what was left out. The test plays the worker: it takes the jobs as they come.
//!
//! What fired is counted in Redis, in the call that fires; what is read here besides are the jobs, each with its slot.
//! Slots that fire while the job before has not been taken yet share it, so there may be fewer jobs than slots.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::Commands;
use redis::streams::{StreamReadOptions, StreamReadReply};

use super::support::{Home, Process, until};
use crate::support::redis::Redis;

const SCHEDULES: [&str; 2] = ["records", "calendar"];
/// Of each schedule the stream of its jobs, and where they are pending.
const SWEEPS: [(&str, &str); 2] =
    [("jobs:vmh:sweep", "vmh:beteiligte:sweep_pending:sweep"), ("jobs:calendar:sweep", "calendar_sync:pending:sweep")];
/// A slot, in ms.
const SECOND: i64 = 1000;

/// Three places for processes.
struct Crew {
    redis: Redis,
    homes: Vec<Home>,
    members: Vec<Process>,
}

impl Crew {
    fn start() -> Self {
        let redis = Redis::start();
        let home = || {
            let home = Home::at(&redis).without("ADVOSYNC_LISTEN");
            home.with("ADVOSYNC_CRON_RECORDS", "* * * * * *").with("ADVOSYNC_CRON_CALENDAR", "* * * * * *")
        };
        let homes: Vec<Home> = (0..3).map(|_| home()).collect();
        let members = homes.iter().map(|home| home.start("cron")).collect();
        let crew = Self { redis, homes, members };
        (0..3).for_each(|n| crew.settled(n));
        crew
    }

    /// SIGKILL for one, and another one in its place.
    fn replace(&mut self, n: usize) {
        let new = self.homes[n].start("cron");
        std::mem::replace(&mut self.members[n], new).kill();
    }

    /// Waits until it has looked, and slots that came since have fired: from then on it alone would leave none out.
    fn settled(&self, n: usize) {
        self.members[n].says_again("a schedule is looked after", SCHEDULES.len());
        let now = now();
        until("slots fire", || SCHEDULES.iter().all(|schedule| self.known(schedule)["slot"] > now));
    }

    /// The numbers that stand in a schedule's hash.
    fn known(&self, schedule: &str) -> HashMap<String, i64> {
        let mut known = HashMap::from([("slot".to_owned(), 0), ("missed".to_owned(), 0), ("fired".to_owned(), 0)]);
        let text = self.redis.cli(&["HGETALL", &format!("cron:{schedule}")]);
        let words: Vec<&str> = text.lines().collect();
        known.extend(words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].parse().unwrap())));
        known
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Waits for a time that nothing announces.
fn wait_until(ms: i64) {
    until("time passes", || now() >= ms);
}

fn dice(below: i64) -> i64 {
    rand::random_range(0..below)
}

/// Takes jobs as they come.
struct Worker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<HashMap<&'static str, Vec<i64>>>,
}

impl Worker {
    fn start(redis: &Redis) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, stopped) = (redis.url(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
            let (streams, mut after) = (SWEEPS.map(|(stream, _)| stream), SWEEPS.map(|_| "0".to_owned()));
            let mut slots: HashMap<&str, Vec<i64>> = SCHEDULES.map(|schedule| (schedule, Vec::new())).into();
            loop {
                // Asked before: what comes after the last process has ended is nothing.
                let is_last = stopped.load(Ordering::SeqCst);
                let options = StreamReadOptions::default().block(200);
                let read: Option<StreamReadReply> = redis.xread_options(&streams, &after, &options).unwrap();
                for stream in read.into_iter().flat_map(|read| read.keys) {
                    let n = streams.iter().position(|name| *name == stream.key).unwrap();
                    for entry in stream.ids {
                        assert_eq!(entry.get::<String>("source").as_deref(), Some("cron"));
                        let key: String = entry.get("key").unwrap();
                        redis.srem::<_, _, ()>(SWEEPS[n].1, key).unwrap();
                        slots.get_mut(SCHEDULES[n]).unwrap().push(entry.get("slot").unwrap());
                        after[n] = entry.id;
                    }
                }
                if is_last {
                    return slots;
                }
            }
        });
        Self { stop, thread }
    }

    /// The slots of all jobs, by schedule, in the order in which they came.
    fn stop(self) -> HashMap<&'static str, Vec<i64>> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Fails unless each slot since the beginning either fired, once, or was counted as left out.
fn check(schedule: &str, known: &HashMap<String, i64>, jobs: &[i64]) {
    let doubles = jobs.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    assert_eq!(doubles, 0, "{schedule} fired a slot twice: {jobs:?}");
    let slots = known["slot"] / SECOND - known["began"].div_euclid(SECOND);
    assert_eq!(known["fired"] + known["missed"], slots, "{schedule}: {known:?}");
    let seen = i64::try_from(jobs.len()).unwrap();
    assert!(seen <= known["fired"] && seen > known["fired"] / 4, "{schedule}: {seen} jobs of {known:?}");
}

/// `ADVOSYNC_SOAK_SECONDS` says for how long; `make soak` takes minutes.
#[test]
fn every_slot_fires_once_while_processes_are_killed_all_the_time() {
    let seconds = std::env::var("ADVOSYNC_SOAK_SECONDS").map_or(12, |text| text.parse().expect("a number of seconds"));
    let mut crew = Crew::start();
    let worker = Worker::start(&crew.redis);
    let (ends, mut kills) = (Instant::now() + Duration::from_secs(seconds), 0);
    while Instant::now() < ends {
        // One that has settled stays; the others die at any time, also before they have looked.
        let stays = usize::try_from(dice(3)).unwrap();
        for _ in 0..=dice(4) {
            wait_until(now() + dice(500));
            let dies = (stays + 1 + usize::try_from(dice(2)).unwrap()) % 3;
            crew.replace(dies);
            kills += 1;
        }
        (0..3).for_each(|n| crew.settled(n));
    }
    for member in std::mem::take(&mut crew.members) {
        member.stop().with_code(0);
    }
    let jobs = worker.stop();
    for schedule in SCHEDULES {
        let (known, jobs) = (crew.known(schedule), &jobs[schedule]);
        println!(
            "{seconds} s, {kills} kills, {schedule}: {} slots fired, {} missed, {} jobs",
            known["fired"],
            known["missed"],
            jobs.len()
        );
        check(schedule, &known, jobs);
        assert_eq!(known["missed"], 0, "{schedule}: {jobs:?}");
    }
}

#[test]
fn after_a_downtime_of_all_one_run_makes_up_for_it() {
    let mut crew = Crew::start();
    let worker = Worker::start(&crew.redis);
    let members = std::mem::take(&mut crew.members);
    members.into_iter().for_each(Process::kill);
    let before = SCHEDULES.map(|schedule| crew.known(schedule));
    wait_until(before[0]["slot"].max(before[1]["slot"]) + 3 * SECOND);
    let back = now();
    crew.members = crew.homes.iter().map(|home| home.start("cron")).collect();
    (0..3).for_each(|n| crew.settled(n));
    let members = std::mem::take(&mut crew.members);
    let logs: Vec<String> = members.into_iter().map(|member| member.stop().with_code(0).stderr).collect();
    let jobs = worker.stop();
    for (schedule, before) in SCHEDULES.into_iter().zip(before) {
        let (known, jobs) = (crew.known(schedule), &jobs[schedule]);
        let slots = known["slot"] / SECOND - known["began"].div_euclid(SECOND);
        assert_eq!(known["fired"] + known["missed"], slots, "{schedule}: {known:?}");
        // Nothing was queued when it fired, so its job is seen in any case.
        let made_up = jobs.iter().find(|slot| **slot > before["slot"]).unwrap();
        assert!(*made_up >= back / SECOND * SECOND, "{schedule}: {made_up}, down until {back}");
        assert_eq!(known["missed"], (made_up - before["slot"]) / SECOND - 1, "{schedule}: {known:?}");
        let told = logs.iter().flat_map(|log| log.lines());
        let told = told.filter(|line| line.contains("one run makes up for them") && line.contains(schedule));
        assert_eq!(told.count(), 1, "{schedule}: {logs:?}");
    }
}
