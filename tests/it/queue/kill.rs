//! Worker processes that are killed, frozen, or taken along by a job (Q5, Q6, Q10).

use std::time::{Duration, Instant};

use advosync::queue::{Flow, Lane};
use nix::sys::signal::Signal;

use crate::support::runlog::{Event, Run};
use crate::support::worker::{Behaviour, Site, keys};

/// Q5: at the default lease, a job whose worker was killed is started again within this time.
const AGAIN_WITHIN: Duration = Duration::from_secs(20);
/// For workers that are to be missed soon.
const SHORT: Duration = Duration::from_secs(1);

fn runs_of(site: &Site, key: &str) -> Vec<Run> {
    site.runs().into_iter().filter(|run| run.began.job.key == key).collect()
}

/// One job that runs until a file of its key's name is there; answers who runs it.
async fn begin(site: &Site, key: &str) -> String {
    let file = site.path(key);
    site.enqueue(Lane::First, &[key.to_owned()], &Behaviour::Until { file }).await;
    site.until(&format!("{key} runs"), async || !runs_of(site, key).is_empty()).await;
    runs_of(site, key)[0].began.consumer.clone()
}

fn let_end(site: &Site, key: &str) {
    std::fs::write(site.path(key), "").unwrap();
}

/// A worker with `free` places besides those that `long` jobs take; another one is killed in the middle of a job. The
/// long jobs' entries are older than that one, and their leases are renewed all the time.
async fn is_missed_in_time(long: usize, free: usize) {
    let site = Site::start().await;
    let busy = site.worker("busy", |setup| setup.concurrency = long + free).await;
    site.enqueue(Lane::First, &keys("long", long), &Behaviour::Until { file: site.path("long") }).await;
    site.until("the long jobs run", async || site.runs().len() == long).await;
    let victim = site.worker("victim", |_| {}).await;
    let mut tries = 0;
    let missed = loop {
        let key = format!("missed{tries}");
        if begin(&site, &key).await == "victim" {
            break key;
        }
        let_end(&site, &key);
        tries += 1;
    };
    let killed = Instant::now();
    victim.kill();
    // Meanwhile people go on asking for things.
    let mut asked = 0;
    while runs_of(&site, &missed).len() < 2 {
        assert!(killed.elapsed() < AGAIN_WITHIN, "{missed} has not run again in {:?}", killed.elapsed());
        asked += 1;
        site.enqueue(Lane::First, &[format!("short{asked}")], &Behaviour::Sleep { ms: 5 }).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("run again {:?} after its worker was killed, {asked} short jobs meanwhile", killed.elapsed());
    let_end(&site, "long");
    let_end(&site, &missed);
    site.settle().await;
    assert_eq!(runs_of(&site, &missed).iter().filter(|run| run.is_done()).count(), 1);
    busy.stop().await;
}

#[tokio::test]
async fn a_killed_workers_job_runs_again_within_20_s() {
    is_missed_in_time(10, 6).await;
}

/// One worker stands for six of the usual size, and has one place left in all.
#[tokio::test]
async fn a_killed_workers_job_runs_again_within_20_s_while_nearly_all_places_are_taken() {
    is_missed_in_time(95, 1).await;
}

#[tokio::test]
async fn what_a_frozen_worker_does_afterwards_changes_nothing_and_is_counted() {
    let site = Site::start().await;
    let frozen = site.worker("frozen", |setup| setup.lease = SHORT).await;
    assert_eq!(begin(&site, "a").await, "frozen");
    frozen.freeze();
    let other = site.worker("other", |setup| setup.lease = SHORT).await;
    site.until("another has run it", async || runs_of(&site, "a").len() == 2).await;
    // Both may end now: the one that holds the lease does, and the frozen one believes that it does.
    let_end(&site, "a");
    site.until("it is done", async || site.redis.cli(&["XLEN", "jobs:vmh:done"]) == "1").await;
    frozen.thaw();
    site.until("the thawed run ends", async || runs_of(&site, "a").iter().all(|run| run.end.is_some())).await;
    let (frozen, other) = (frozen.stop().await, other.stop().await);
    let noticed = frozen.count("advosync_stale_finishes_total") + frozen.count("advosync_lost_leases_total");
    assert_eq!((noticed, frozen.count("advosync_jobs_total")), (1, 0), "counted once, and as no success");
    assert_eq!((other.count("advosync_stale_finishes_total"), other.count("advosync_jobs_total")), (0, 1));
    let done = site.redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    assert_eq!(site.redis.cli(&["XLEN", "jobs:vmh:done"]), "1", "{done}");
    assert!(done.contains(r#""worker":"other""#), "{done}");
    site.settle().await;
    assert_eq!(site.stats().await.dead, 0);
}

#[tokio::test]
async fn a_panic_ends_its_job_and_an_abort_its_process() {
    let site = Site::start().await;
    let first = site.worker("first", |setup| setup.lease = SHORT).await;
    site.enqueue(Lane::First, &keys("panics", 3), &Behaviour::Panic).await;
    site.until("all are dead", async || site.stats().await.dead == 3).await;
    let letters = site.queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    assert!(letters.iter().all(|letter| letter.code.as_deref() == Some("panic")), "{letters:?}");
    assert_eq!(begin(&site, "innocent").await, "first", "it goes on");
    site.enqueue(Lane::First, &["aborts".to_owned()], &Behaviour::Abort).await;
    assert_eq!(first.died().await, Some(Signal::SIGABRT as i32));
    let aborted = runs_of(&site, "aborts");
    assert_eq!((aborted.len(), &aborted[0].end), (1, &None), "it could not even say so");
    assert!(runs_of(&site, "panics0").iter().all(|run| matches!(run.end, Some((_, Event::Dropped)))));
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_keeps_its_lease_and_holds_up_nobody() {
    let site = Site::start().await;
    let blocked = site.worker("blocked", |setup| setup.lease = SHORT).await;
    site.enqueue(Lane::First, &["blocks".to_owned()], &Behaviour::Block { ms: 3_000 }).await;
    site.until("it blocks", async || !runs_of(&site, "blocks").is_empty()).await;
    let _other = site.worker("other", |setup| setup.lease = SHORT).await;
    for key in keys("quick", 50) {
        site.enqueue(Lane::First, &[key], &Behaviour::Nothing).await;
    }
    site.until("the others are done", async || site.redis.cli(&["XLEN", "jobs:vmh:done"]) == "50").await;
    assert_eq!(runs_of(&site, "blocks")[0].end, None, "while it still blocks");
    site.settle().await;
    let runs = runs_of(&site, "blocks");
    assert!(runs.len() == 1 && runs[0].is_done(), "for three times its lease nobody took it over: {runs:?}");
    assert_eq!(blocked.stop().await.count("advosync_lost_leases_total"), 0);
}
