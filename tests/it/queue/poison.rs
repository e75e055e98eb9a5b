//! Jobs that kill their workers are found and buried, and nobody else is (Q10): real processes that really die.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use advosync::queue::{Batch, Flow, Lane, Selection, Topic};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::support::runlog::Run;
use crate::support::worker::{Behaviour, Crew, Setup, Site, keys};

/// For workers that are to be missed soon.
const LEASE: Duration = Duration::from_secs(1);
/// A job is seen as poison by its fifth death: two beside others, three alone.
const DEATHS: usize = 5;

fn hasty(setup: &mut Setup) {
    setup.lease = LEASE;
}

fn runs_of(site: &Site, key: &str) -> Vec<Run> {
    site.runs().into_iter().filter(|run| run.began.job.key == key).collect()
}

async fn ask(site: &Site, key: &str, behaviour: &Behaviour) {
    site.enqueue(Lane::First, &[key.to_owned()], behaviour).await;
}

fn until(file: &Path) -> Behaviour {
    Behaviour::Until { file: file.to_owned() }
}

fn abort_unless(file: &Path) -> Behaviour {
    Behaviour::AbortUnless { file: file.to_owned() }
}

/// How often each key is done, by the queue: a run that its process did not survive long enough to tell is run again.
fn done(site: &Site) -> HashMap<String, usize> {
    let listed = site.redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    let mut done = HashMap::new();
    for run in listed.lines().filter(|line| line.starts_with('{')) {
        let run: serde_json::Value = serde_json::from_str(run).unwrap();
        *done.entry(run["key"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    done
}

fn each_done_once(site: &Site, keys: &[String]) {
    let done = done(site);
    let wrong: Vec<_> = keys.iter().map(|key| (key, done.get(key))).filter(|(_, often)| *often != Some(&1)).collect();
    assert!(wrong.is_empty(), "not done exactly once: {wrong:?}");
}

/// Key and code of each dead letter.
async fn dead(site: &Site) -> Vec<(String, String)> {
    let letters = site.queue.dead_letters(Flow::Vmh, 100).await.unwrap();
    letters.into_iter().map(|letter| (letter.key.unwrap_or_default(), letter.code.unwrap_or_default())).collect()
}

fn suspects(site: &Site) -> String {
    site.redis.cli(&["HKEYS", "jobs:vmh:suspects"])
}

/// Waits for the `n`th run of a job; answers who runs it.
async fn holder(site: &Site, key: &str, n: usize) -> String {
    site.until(&format!("run {n} of {key} goes on"), async || {
        assert_eq!(dead(site).await, [], "in the course of {n} runs");
        runs_of(site, key).len() == n
    })
    .await;
    runs_of(site, key)[n - 1].began.consumer.clone()
}

async fn a_job_that_kills_its_workers_is_buried_and_takes_nobody_along() {
    let site = Site::start().await;
    let mut crew = Crew::start(&site, 3, hasty).await;
    let innocents = keys("innocent", 60);
    let cure = site.path("cure");
    site.enqueue(Lane::First, &innocents[..30], &Behaviour::Sleep { ms: 300 }).await;
    ask(&site, "poison", &abort_unless(&cure)).await;
    site.enqueue(Lane::First, &innocents[30..], &Behaviour::Sleep { ms: 300 }).await;
    let began = Instant::now();
    let over = async || site.stats().await.dead == 1 && done(&site).len() == innocents.len();
    crew.until(&site, "it is dead and the others are done", over).await;
    println!("buried after {} deaths, {:?}", crew.deaths, began.elapsed());
    site.settle().await;
    assert_eq!(dead(&site).await, [("poison".to_owned(), "poison".to_owned())]);
    each_done_once(&site, &innocents);
    assert_eq!((crew.deaths, runs_of(&site, "poison").len()), (DEATHS, DEATHS), "and it is not run once more");
    assert_eq!(suspects(&site), "");
    // Once the cause is gone, a person gives it another chance, which is a full one.
    std::fs::write(cure, "").unwrap();
    assert_eq!(site.queue.replay(Flow::Vmh, &Selection::All, &["beteiligte".to_owned()]).await.unwrap(), 1);
    site.until("it is done", async || done(&site).contains_key("poison")).await;
    assert_eq!((dead(&site).await, suspects(&site)), (vec![], String::new()));
}

async fn jobs_that_kill_their_workers_do_not_hide_each_other() {
    let site = Site::start().await;
    let mut crew = Crew::start(&site, 3, hasty).await;
    let began = Instant::now();
    let poisons = keys("poison", 2);
    site.enqueue(Lane::First, &poisons, &Behaviour::Abort).await;
    crew.until(&site, "both are dead", async || site.stats().await.dead == 2).await;
    println!("buried after {} deaths, {:?}", crew.deaths, began.elapsed());
    assert!(dead(&site).await.iter().all(|(_, code)| code == "poison"));
    assert!(crew.deaths <= 2 * DEATHS, "{}", crew.deaths);
}

/// However often it is hit: it is longer than its workers live, and ends once the killing does.
async fn a_long_job_whose_workers_are_killed_at_random_is_never_buried() {
    const WORKERS: usize = 3;
    let site = Site::start().await;
    // One place each, so that each worker takes one of the jobs, and not one all.
    let narrow = |setup: &mut Setup| (setup.lease, setup.concurrency) = (LEASE, 1);
    let mut crew = Crew::start(&site, WORKERS, narrow).await;
    let jobs = keys("long", WORKERS);
    let file = site.path("end");
    site.enqueue(Lane::First, &jobs, &until(&file)).await;
    let mut random = StdRng::seed_from_u64(1);
    let ends = Instant::now() + Duration::from_secs(20);
    while Instant::now() < ends {
        sleep(Duration::from_millis(random.random_range(800..1_800))).await;
        crew.kill(random.random_range(0..WORKERS));
        assert_eq!(dead(&site).await, []);
    }
    let hits: Vec<usize> = jobs.iter().map(|key| runs_of(&site, key).len()).collect();
    println!("{hits:?} runs that were killed, {}", site.redis.cli(&["HVALS", "jobs:vmh:suspects"]));
    assert!(hits.iter().sum::<usize>() > 2 * DEATHS, "hit often enough: {hits:?}");
    std::fs::write(file, "").unwrap();
    site.settle().await;
    assert_eq!(dead(&site).await, []);
    each_done_once(&site, &jobs);
}

/// With one worker nothing tells a job that kills it after a while from one whose worker is killed again and again: but for
/// what happens while it does not run. What is still to prove is put off, not run.
async fn a_slow_death_is_judged_once_it_is_clear_what_else_kills_workers() {
    let (guilty, innocent) = (Site::start().await, Site::start().await);
    let file = innocent.path("end");
    let slow = Behaviour::Steps { steps: vec![Behaviour::Sleep { ms: 1_500 }, Behaviour::Abort] };
    let mut crews = [Crew::start(&guilty, 1, hasty).await, Crew::start(&innocent, 1, hasty).await];
    ask(&guilty, "long", &slow).await;
    ask(&innocent, "long", &until(&file)).await;
    let [kills, is_killed] = &mut crews;
    let dies = kills.until(&guilty, "it is put off", async || guilty.stats().await.scheduled == 1);
    let is_killed_as_often = async {
        for n in 1..=DEATHS {
            holder(&innocent, "long", n).await;
            sleep(Duration::from_millis(1_500)).await;
            is_killed.kill(0);
        }
        innocent.until("it is put off", async || innocent.stats().await.scheduled == 1).await;
        // Now a worker is killed that runs nothing at all.
        is_killed.kill(0);
    };
    tokio::join!(dies, is_killed_as_often);
    for site in [&guilty, &innocent] {
        assert_eq!((runs_of(site, "long").len(), dead(site).await), (DEATHS, vec![]));
    }
    // It takes three seconds until a worker counts as vanished.
    sleep(Duration::from_secs(4)).await;
    hurry(&guilty, "long");
    hurry(&innocent, "long");
    guilty.until("it is dead", async || !dead(&guilty).await.is_empty()).await;
    innocent.until("it runs again", async || runs_of(&innocent, "long").len() > DEATHS).await;
    assert_eq!(dead(&guilty).await, [("long".to_owned(), "poison".to_owned())]);
    assert_eq!(runs_of(&guilty, "long").len(), DEATHS, "it is not run once more");
    std::fs::write(file, "").unwrap();
    innocent.settle().await;
    assert_eq!((dead(&innocent).await, suspects(&innocent)), (vec![], String::new()));
}

/// Judges a suspect that was put off as if its workers had died at once: then the time that had to be calm is over.
fn hurry(site: &Site, key: &str) {
    let lock = format!("sync_lock:beteiligte:{key}");
    let known = site.redis.cli(&["HGET", "jobs:vmh:suspects", &lock]);
    if let Ok(mut known) = serde_json::from_str::<serde_json::Value>(&known) {
        known["lone"] = 1.into();
        site.redis.cli(&["HSET", "jobs:vmh:suspects", &lock, &known.to_string()]);
        site.redis.cli(&["ZADD", "jobs:vmh:scheduled", "XX", "0", &lock]);
    }
}

async fn a_job_that_gets_ahead_before_each_death_is_never_buried() {
    let site = Site::start().await;
    let mut crew = Crew::start(&site, 1, hasty).await;
    let cure = site.path("cure");
    ask(&site, "busy", &Behaviour::Steps { steps: vec![Behaviour::Effect, abort_unless(&cure)] }).await;
    for deaths in 1..=DEATHS + 1 {
        crew.until(&site, "it dies again", async || runs_of(&site, "busy").len() == deaths).await;
        assert_eq!((dead(&site).await, suspects(&site)), (vec![], String::new()));
    }
    std::fs::write(cure, "").unwrap();
    crew.until(&site, "it is done", async || done(&site).contains_key("busy")).await;
    assert_eq!(site.redis.cli(&["EXISTS", "jobs:vmh:progress"]), "0");
}

#[tokio::test]
async fn a_suspect_runs_alone_in_its_process_and_other_processes_go_on() {
    let site = Site::start().await;
    let both = |setup: &mut Setup| {
        setup.lease = LEASE;
        setup.flows = Flow::ALL.map(|flow| flow.name().to_owned()).to_vec();
    };
    let mut crew = Crew::start(&site, 2, both).await;
    let file = site.path("end");
    ask(&site, "suspect", &until(&file)).await;
    for n in 1..=2 {
        let holder = holder(&site, "suspect", n).await;
        crew.kill(crew.place_of(&holder).unwrap());
    }
    // Both flows have work all the time, and the last of it begins when the suspect has run for a while.
    let mut asked = 0;
    let load = async {
        loop {
            asked += 1;
            ask(&site, &format!("vmh{asked}"), &Behaviour::Sleep { ms: 150 }).await;
            let key = [format!("calendar{asked}")];
            site.queue.enqueue(&Batch::new(Topic::CalendarEmployee, Lane::First, &key, "test")).await.unwrap();
            sleep(Duration::from_millis(25)).await;
        }
    };
    let third = async {
        holder(&site, "suspect", 3).await;
        sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        () = load => {}
        () = third => {}
    }
    std::fs::write(file, "").unwrap();
    site.settle().await;
    let runs = site.runs();
    let lone = runs.iter().find(|run| run.began.job.key == "suspect" && run.is_done()).unwrap();
    let (from, to) = (lone.began.at, lone.end.unwrap().0);
    let others = || runs.iter().filter(|run| run.began.job.key != "suspect");
    let during = |run: &&Run| run.began.at < to && run.end.is_none_or(|(at, _)| at > from);
    let beside: Vec<&Run> = others().filter(|run| run.began.pid == lone.began.pid).filter(during).collect();
    assert!(beside.is_empty(), "{beside:?}");
    let before = others().filter(|run| run.began.pid == lone.began.pid && run.began.at < from).count();
    let elsewhere: Vec<&Run> = others().filter(|run| run.began.pid != lone.began.pid).filter(during).collect();
    println!("{before} runs in its process before, {} elsewhere meanwhile", elsewhere.len());
    assert!(before > 0, "its process had other work");
    for topic in ["vmh.beteiligte.update", "calendar_sync_employee"] {
        assert!(elsewhere.iter().any(|run| run.began.job.topic == topic), "{topic} goes on elsewhere");
    }
    assert_eq!((dead(&site).await, suspects(&site)), (vec![], String::new()));
}

async fn a_job_whose_workers_freeze_and_come_back_is_never_buried() {
    let site = Site::start().await;
    let crew = Crew::start(&site, 2, hasty).await;
    let file = site.path("end");
    ask(&site, "long", &until(&file)).await;
    for n in 1..=DEATHS + 2 {
        let frozen = crew.at(crew.place_of(&holder(&site, "long", n).await).unwrap());
        frozen.freeze();
        holder(&site, "long", n + 1).await;
        frozen.thaw();
    }
    std::fs::write(file, "").unwrap();
    site.settle().await;
    assert_eq!((dead(&site).await, suspects(&site)), (vec![], String::new()));
}

async fn a_job_that_is_hit_by_outages_of_redis_is_never_buried() {
    let mut site = Site::start().await;
    let _crew = Crew::start(&site, 2, hasty).await;
    let file = site.path("end");
    ask(&site, "long", &until(&file)).await;
    for n in 1..=DEATHS + 2 {
        holder(&site, "long", n).await;
        site.redis.kill();
        // Longer than the lease, so that the run is lost.
        sleep(LEASE * 3 / 2).await;
        site.redis.up();
        // The first call after an outage finds a dead connection.
        while site.queue.ping().await.is_err() {}
    }
    std::fs::write(file, "").unwrap();
    site.settle().await;
    assert_eq!(dead(&site).await, []);
}

async fn a_job_that_is_handed_back_by_workers_that_stop_is_no_suspect() {
    let site = Site::start().await;
    let impatient = |setup: &mut Setup| {
        setup.lease = LEASE;
        setup.drain = Duration::from_secs(2);
    };
    let mut crew = Crew::start(&site, 1, impatient).await;
    let file = site.path("end");
    ask(&site, "long", &until(&file)).await;
    for n in 1..=DEATHS + 2 {
        holder(&site, "long", n).await;
        crew.stop(0).await;
        assert_eq!(suspects(&site), "");
    }
    std::fs::write(file, "").unwrap();
    site.settle().await;
    assert_eq!(dead(&site).await, []);
}

// Each story waits most of the time, so several are told at once.

#[tokio::test]
async fn what_kills_its_workers_is_buried() {
    tokio::join!(
        a_job_that_kills_its_workers_is_buried_and_takes_nobody_along(),
        jobs_that_kill_their_workers_do_not_hide_each_other(),
    );
}

#[tokio::test]
async fn whose_workers_are_killed_is_not_buried() {
    tokio::join!(
        a_long_job_whose_workers_are_killed_at_random_is_never_buried(),
        a_slow_death_is_judged_once_it_is_clear_what_else_kills_workers(),
    );
}

#[tokio::test]
async fn where_nothing_kills_workers_nobody_is_buried() {
    tokio::join!(
        a_job_that_gets_ahead_before_each_death_is_never_buried(),
        a_job_whose_workers_freeze_and_come_back_is_never_buried(),
        a_job_that_is_hit_by_outages_of_redis_is_never_buried(),
        a_job_that_is_handed_back_by_workers_that_stop_is_no_suspect(),
    );
}
