//! Several worker processes on one queue: even shares, fair lanes, restarts that nobody notices.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use advosync::queue::{Consumer, Flow, Lane};
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::LONG;
use crate::support::runlog::{Event, Run};
use crate::support::worker::{Behaviour, Setup, Site, Worker, keys};

/// Places of a pool, half of which sweeps may take.
const PLACES: usize = 8;

async fn workers(site: &Site, n: usize, change: impl Fn(&mut Setup)) -> Vec<Worker> {
    join_all(keys("w", n).iter().map(|name| site.worker(name, &change))).await
}

fn count_by_consumer(runs: &[Run]) -> HashMap<&str, usize> {
    runs.iter().fold(HashMap::new(), |mut counts, run| {
        *counts.entry(run.began.consumer.as_str()).or_default() += 1;
        counts
    })
}

async fn is_shared_evenly(n: usize) {
    const JOBS: usize = 2_000;
    let site = Site::start().await;
    let workers = workers(&site, n, |_| {}).await;
    site.enqueue(Lane::First, &keys("job", JOBS), &Behaviour::Sleep { ms: 5 }).await;
    site.settle().await;
    let runs = site.runs();
    assert_eq!(runs.len(), JOBS, "each ran once");
    let counts = count_by_consumer(&runs);
    println!("{n} workers: {counts:?}");
    let share = JOBS / n;
    for worker in workers {
        let ran = counts.get(worker.name()).copied().unwrap_or(0);
        assert!((share * 6 / 10..=share * 14 / 10).contains(&ran), "{} ran {ran} of {JOBS}: {counts:?}", worker.name());
        assert_eq!(worker.stop().await.count("advosync_jobs_total"), ran as u64, "and says so");
    }
}

#[tokio::test]
async fn one_worker_takes_all() {
    is_shared_evenly(1).await;
}

#[tokio::test]
async fn two_workers_share_evenly() {
    is_shared_evenly(2).await;
}

#[tokio::test]
async fn four_workers_share_evenly() {
    is_shared_evenly(4).await;
}

#[tokio::test]
async fn names_of_workers_that_stopped_are_gone_and_no_pending_job_goes_with_a_name() {
    const STREAMS: [&str; 2] = ["jobs:vmh", "jobs:vmh:sweep"];
    let site = Site::start().await;
    let short = |setup: &mut Setup| setup.lease = Duration::from_secs(1);
    let living = site.worker("living", short).await;
    for n in 0..5 {
        // Each has run something of both lanes when it stops.
        let four = join_all(keys(&format!("stopped{n}-"), 4).iter().map(|name| site.worker(name, short))).await;
        site.enqueue(Lane::First, &keys(&format!("first{n}-"), 40), &Behaviour::Sleep { ms: 5 }).await;
        site.enqueue(Lane::Sweep, &keys(&format!("sweep{n}-"), 40), &Behaviour::Sleep { ms: 5 }).await;
        site.settle().await;
        join_all(four.into_iter().map(Worker::stop)).await;
    }
    for stream in STREAMS {
        assert_eq!(site.consumers(stream), ["living"], "{stream}");
    }
    // One is killed with jobs that nobody has taken over yet: its name keeps them, whoever tidies.
    living.freeze();
    let killed = site.worker("killed", short).await;
    site.enqueue(Lane::First, &keys("stuck", 3), &Behaviour::Sleep { ms: 60_000 }).await;
    site.until("they run", async || site.runs().iter().filter(|run| run.end.is_none()).count() == 3).await;
    killed.kill();
    let entities = ["beteiligte".to_owned()];
    site.queue.tidy(Flow::Vmh, &entities).await.unwrap();
    Consumer::new(&site.queue, Flow::Vmh, "killed", LONG).leave().await.unwrap();
    assert!(site.consumers("jobs:vmh").iter().any(|name| name == "killed"), "three jobs are pending for it");
    assert_eq!(site.redis.cli(&["XPENDING", "jobs:vmh", "workers"]).lines().next(), Some("3"));
    // Once they are taken over, the name may go. That `tidy` forgets it takes ten minutes; it does so by the same call.
    living.thaw();
    let of = |name: &str| site.redis.cli(&["XPENDING", "jobs:vmh", "workers", "-", "+", "10", name]);
    site.until("they are taken over", async || of("killed").is_empty() && of("living").contains("living")).await;
    Consumer::new(&site.queue, Flow::Vmh, "killed", LONG).leave().await.unwrap();
    for stream in STREAMS {
        assert_eq!(site.consumers(stream), ["living"], "{stream}");
    }
}

#[tokio::test]
async fn a_rolling_restart_under_load_loses_and_doubles_nothing() {
    const EVERY: Duration = Duration::from_millis(50);
    const BATCH: usize = 15;
    let site = Site::start().await;
    // Shorter than the longest jobs, so that some are handed back.
    let hasty = |setup: &mut Setup| setup.drain = Duration::from_secs(3);
    let mut workers = VecDeque::from(workers(&site, 4, hasty).await);
    let rolled = CancellationToken::new();
    let roll = async {
        let mut counted = Vec::new();
        for n in 4..8 {
            // The new one is there and at work before the old one goes, as a deploy does it.
            let new = site.worker(&format!("w{n}"), hasty).await;
            let ran = || site.runs().iter().filter(|run| run.began.pid == new.pid()).count();
            site.until("the new one has a share", async || ran() >= 100).await;
            workers.push_back(new);
            counted.push(workers.pop_front().unwrap().stop().await);
        }
        rolled.cancel();
        counted
    };
    let load = async {
        let mut accepted = Vec::new();
        let mut tick = tokio::time::interval(EVERY);
        for n in 0.. {
            tick.tick().await;
            if rolled.is_cancelled() {
                break;
            }
            let lane = if n % 3 == 0 { Lane::Sweep } else { Lane::First };
            // Some take longer than a stop may.
            let ms = if n % 2 == 0 { 3_000 } else { 20 };
            let batch = keys(&format!("job{n}-"), BATCH);
            let (slow, quick) = batch.split_at(1);
            accepted.extend(site.enqueue(lane, slow, &Behaviour::Sleep { ms }).await.new);
            accepted.extend(site.enqueue(lane, quick, &Behaviour::Sleep { ms: 20 }).await.new);
        }
        accepted
    };
    let (counted, accepted) = tokio::join!(roll, load);
    site.settle().await;
    let runs = site.runs();
    let handed_back = runs.iter().filter(|run| matches!(run.end, Some((_, Event::Dropped)))).count();
    println!("{} jobs, {} runs, {handed_back} of them handed back", accepted.len(), runs.len());
    let done: HashMap<&str, usize> = runs.iter().filter(|run| run.is_done()).fold(HashMap::new(), |mut done, run| {
        *done.entry(run.began.job.key.as_str()).or_default() += 1;
        done
    });
    let often = |key: &String| done.get(key.as_str()).copied().unwrap_or(0);
    let not_once: Vec<_> = accepted.iter().map(|key| (key, often(key))).filter(|(_, often)| *often != 1).collect();
    assert!(not_once.is_empty(), "not done exactly once: {not_once:?}");
    assert_eq!(runs.len(), accepted.len() + handed_back, "and none for nothing");
    assert!(runs.iter().all(|run| run.began.attempt == 1), "no attempt was burnt");
    assert!(handed_back > 0, "a stop that hands nothing back shows too little");
    assert_eq!(site.stats().await.dead, 0);
    for stopped in counted {
        let lost = ["advosync_stale_finishes_total", "advosync_lost_leases_total"].map(|name| stopped.count(name));
        assert_eq!(lost, [0, 0]);
    }
}

#[tokio::test]
async fn a_trigger_never_waits_for_ten_thousand_sweep_jobs() {
    const WITHIN: Duration = Duration::from_secs(1);
    const TRIGGERS: usize = 30;
    let site = Site::start().await;
    let workers = workers(&site, 2, |setup| setup.concurrency = PLACES).await;
    site.enqueue(Lane::Sweep, &keys("sweep", 10_000), &Behaviour::Sleep { ms: 50 }).await;
    site.until("the sweep runs", async || site.runs().len() > 2 * PLACES).await;
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let mut asked = HashMap::new();
    for n in 0..TRIGGERS {
        tick.tick().await;
        let key = format!("trigger{n}");
        asked.insert(key.clone(), crate::support::runlog::now());
        site.enqueue(Lane::First, &[key], &Behaviour::Sleep { ms: 50 }).await;
    }
    let triggered = |run: &&Run| !run.began.job.sweep;
    site.until("all triggers run", async || site.runs().iter().filter(triggered).count() == TRIGGERS).await;
    let pids: Vec<u32> = workers.iter().map(Worker::pid).collect();
    drop(workers);
    let runs = site.runs();
    let waits = runs.iter().filter(triggered).map(|run| run.began.at.saturating_sub(asked[&run.began.job.key]));
    let longest = Duration::from_nanos(waits.max().unwrap());
    let sweeps = runs.len() - TRIGGERS;
    println!("{TRIGGERS} triggers started within {longest:?} while {sweeps} sweep jobs ran");
    assert!(longest < WITHIN, "a trigger waited {longest:?}");
    assert!(site.stats().await.sweep > 5_000, "the sweep was there all the time");
    for pid in pids {
        let most = most_at_once(runs.iter().filter(|run| run.began.pid == pid && run.began.job.sweep));
        assert_eq!(most, PLACES / 2, "sweeps take their half of the places and no more");
    }
}

#[tokio::test]
async fn sweeps_keep_their_half_of_the_places_busy() {
    let site = Site::start().await;
    let worker = site.worker("w", |setup| setup.concurrency = PLACES).await;
    site.enqueue(Lane::Sweep, &keys("sweep", 100), &Behaviour::Sleep { ms: 50 }).await;
    site.settle().await;
    worker.stop().await;
    let runs = site.runs();
    let ends = runs.iter().map(|run| run.end.expect("a run ends").0);
    let span = ends.clone().max().unwrap() - runs[0].began.at;
    let busy: u64 = runs.iter().zip(ends).map(|(run, end)| end - run.began.at).sum();
    // Counted in places and not in seconds, so that a slow machine changes little.
    let share = busy * 100 / (span * PLACES as u64 / 2);
    println!("sweeps kept their places busy for {share} % of the time");
    assert!(share >= 50, "a place that a sweep may take is empty for most of the time: busy for {share} %");
}

/// How many of these ran at the same time.
fn most_at_once<'a>(runs: impl Iterator<Item = &'a Run>) -> usize {
    let mut steps: Vec<(u64, isize)> = Vec::new();
    for run in runs {
        steps.push((run.began.at, 1));
        steps.extend(run.end.map(|(at, _)| (at, -1)));
    }
    steps.sort_unstable();
    let mut now = 0;
    steps
        .iter()
        .map(|(_, step)| {
            now += step;
            now
        })
        .max()
        .unwrap_or(0)
        .unsigned_abs()
}
