//! An upstream that is down (Q9), and what that costs the jobs that need it (Q7): nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use advosync::queue::{BreakerState, FlowStats, Job, Queue};
use advosync::worker::{Failure, Gate, Handler, Health, Options, Pool, Probe, Retries, Run, Success};
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::admin::Person;
use crate::support::redis::Redis;

/// Its name in `status`.
const NAME: &str = "advoware";
/// How long a call takes.
const CALL: Duration = Duration::from_millis(200);
/// Jobs at once in each pool.
const PLACES: usize = 8;
/// Design Q9: a down upstream is asked this often.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How often each process looks at the breaker.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long anything that is waited for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The upstream, as all workers see it.
#[derive(Default)]
struct Upstream {
    down: AtomicBool,
    /// When calls for jobs began.
    calls: Mutex<Vec<Instant>>,
    /// When somebody asked whether it is back.
    probes: Mutex<Vec<Instant>>,
    /// Lets a call go on that waits in the middle.
    go_on: Notify,
}

impl Upstream {
    fn answer(&self) -> Result<(), String> {
        if self.down.load(Ordering::SeqCst) { Err("connection refused".to_owned()) } else { Ok(()) }
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    fn probes(&self) -> Vec<Instant> {
        self.probes.lock().unwrap().clone()
    }
}

#[async_trait]
impl Probe for Upstream {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn ping(&self) -> Result<(), String> {
        self.probes.lock().unwrap().push(Instant::now());
        self.answer()
    }
}

#[async_trait]
impl Handler for Upstream {
    fn serves(&self, _: &Topic) -> bool {
        true
    }

    async fn run(&self, job: &Job, _: &Run) -> Result<Success, Failure> {
        self.calls.lock().unwrap().push(Instant::now());
        let answer = if job.key == "slow" {
            self.go_on.notified().await;
            Ok(())
        } else {
            tokio::time::sleep(CALL).await;
            if job.key == "refused" && job.attempt() == 1 {
                return Err(Failure::Failed { code: "validation", message: "no".into(), retry_after: None });
            }
            if job.key == "broken" { Err("500 for this record alone".to_owned()) } else { self.answer() }
        };
        let failed = |message| Failure::Upstream { upstream: NAME, message, retry_after: None, park: false };
        answer.map(|()| Success { result: "did".into(), detail: None }).map_err(failed)
    }

    async fn failed(&self, _: &Job, _: &Run, _: &Outcome) {}
}

/// Workers with connections of their own, as if each were a process.
struct Workers {
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(redis: &Redis, n: usize, upstream: &Arc<Upstream>, attempts: u32) -> Self {
        let stop = CancellationToken::new();
        let pool = |n| {
            Pool::new(Options {
                queue: redis.queue(),
                flow: Flow::Vmh,
                consumer: format!("w{n}"),
                concurrency: PLACES,
                lease: LONG,
                retries: Retries { waits: vec![Duration::from_secs(1)], attempts },
                drain: Duration::from_secs(3),
                handlers: vec![Arc::clone(upstream) as Arc<dyn Handler>],
                health: Arc::new(Health::new(vec![Arc::clone(upstream) as Arc<dyn Probe>])),
                gate: Gate::default(),
                entities: vec!["beteiligte".into()],
            })
        };
        let running = (0..n).map(|n| tokio::spawn(pool(n).run(stop.clone()))).collect();
        Self { stop, running }
    }

    async fn stop(self) {
        self.stop.cancel();
        for pool in self.running {
            pool.await.unwrap();
        }
    }
}

async fn vmh(queue: &Queue) -> FlowStats {
    queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"]
}

async fn state(queue: &Queue) -> BreakerState {
    queue.upstream(NAME).await.unwrap().state
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let by = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < by, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Which attempt each job was done in.
fn attempts(redis: &Redis) -> HashMap<String, u64> {
    let listed = redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    let runs = listed.lines().filter(|line| line.starts_with('{'));
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    runs.map(read).map(|run| (run["key"].as_str().unwrap().to_owned(), run["attempt"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn a_long_outage_burns_four_attempts_in_all_and_is_probed_by_one_process_at_a_time() {
    const JOBS: usize = 200;
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let upstream = Arc::new(Upstream::default());
    let workers = Workers::start(&redis, 2, &upstream, 5);
    enqueue(&queue, RecordAction::Create, &["a", "b", "c"]).await;
    until("it worked at first", async || attempts(&redis).len() == 3).await;
    upstream.down.store(true, Ordering::SeqCst);
    let keys: Vec<String> = (0..JOBS).map(|n| format!("job{n}")).collect();
    queue.enqueue(&Batch::new(topic(RecordAction::Update), Lane::First, &keys, "test")).await.unwrap();
    until("five calls have failed", async || state(&queue).await == BreakerState::Open).await;
    let opened = Instant::now();
    // Whoever was about to begin does so; the other process learns of it by its next look.
    tokio::time::sleep(LOOK_EVERY + CALL * 2).await;
    let (calls, stats) = (upstream.calls() - 3, vmh(&queue).await);
    let since = upstream.calls.lock().unwrap().iter().filter(|at| **at > opened).count();
    println!("{calls} of {JOBS} jobs were tried, {since} of them after the breaker had opened: {stats:?}");
    assert_eq!((stats.running, stats.dead), (0, 0), "what ran is put off");
    assert_eq!(stats.ready + stats.scheduled, JOBS as u64, "and waits");
    let may_begin = 2 * PLACES * (LOOK_EVERY.as_millis() / CALL.as_millis() + 2) as usize;
    assert!(since <= may_begin && stats.ready > JOBS as u64 / 2, "the others are left alone");
    let status = Person::at(&redis).good(&["status", "--json"]).await.json();
    let said = &status["upstreams"][NAME];
    assert_eq!((&said["state"], &said["error"]), (&"open".into(), &"connection refused".into()), "{said}");
    assert!(said["failures"].as_u64() >= Some(5) && said["opened_at"].is_string(), "{said}");
    // What was put off comes back meanwhile, and waits with the others.
    until("three probes have failed", async || upstream.probes().len() == 3).await;
    until("all wait in the stream", async || vmh(&queue).await.ready == JOBS as u64).await;
    assert_eq!(upstream.calls() - 3, calls, "no job is tried while it is down");
    let probes = upstream.probes();
    let gaps: Vec<Duration> = probes.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
    println!("probes: the first after {:?}, then after {gaps:?}", probes[0].saturating_duration_since(opened));
    let margin = Duration::from_millis(100);
    assert!(gaps.iter().all(|gap| (PROBE_EVERY..PROBE_EVERY + LOOK_EVERY * 2).contains(&(*gap + margin))), "{gaps:?}");
    let back = Instant::now();
    upstream.down.store(false, Ordering::SeqCst);
    until("all are done", async || attempts(&redis).len() == JOBS + 3).await;
    println!("all were done {:?} after it was back", back.elapsed());
    let attempts = attempts(&redis);
    let burnt: u64 = attempts.values().map(|attempt| attempt - 1).sum();
    assert_eq!((burnt, attempts.values().max()), (4, Some(&2)), "those that opened the breaker, but for the last");
    let stats = vmh(&queue).await;
    assert_eq!((stats.dead, stats.scheduled, stats.ready), (0, 0, 0));
    assert_eq!(state(&queue).await, BreakerState::Closed);
    workers.stop().await;
}

#[tokio::test]
async fn a_success_of_a_call_from_before_the_outage_does_not_end_it() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let upstream = Arc::new(Upstream::default());
    let workers = Workers::start(&redis, 1, &upstream, 5);
    enqueue(&queue, RecordAction::Create, &["slow"]).await;
    until("the slow one is under way", async || upstream.calls() == 1).await;
    upstream.down.store(true, Ordering::SeqCst);
    enqueue(&queue, RecordAction::Create, &["a", "b", "c", "d", "e"]).await;
    until("five calls have failed", async || state(&queue).await == BreakerState::Open).await;
    until("it was asked once", async || upstream.probes().len() == 1).await;
    upstream.go_on.notify_one();
    until("the slow one is done", async || attempts(&redis).contains_key("slow")).await;
    assert_eq!(state(&queue).await, BreakerState::Open, "it says nothing about now");
    upstream.down.store(false, Ordering::SeqCst);
    until("it is back", async || state(&queue).await == BreakerState::Closed).await;
    assert_eq!(upstream.probes().len(), 2, "it was the second probe that said so");
    workers.stop().await;
}

#[tokio::test]
async fn an_outage_that_has_just_begun_buries_nobody_and_a_broken_record_is_buried() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let upstream = Arc::new(Upstream::default());
    let workers = Workers::start(&redis, 1, &upstream, 2);
    // Its first attempt fails by itself; its second, the last, is the first to meet the outage.
    enqueue(&queue, RecordAction::Create, &["refused"]).await;
    until("its first attempt has failed", async || vmh(&queue).await.scheduled == 1).await;
    upstream.down.store(true, Ordering::SeqCst);
    until("its second has, too", async || upstream.calls() == 2).await;
    until("it is put off", async || vmh(&queue).await.scheduled == 1 && !upstream.probes().is_empty()).await;
    assert_eq!((state(&queue).await, vmh(&queue).await.dead), (BreakerState::Closed, 0), "one failure opens nothing");
    upstream.down.store(false, Ordering::SeqCst);
    // The upstream answers, and fails for this record: that is the record's own doing.
    enqueue(&queue, RecordAction::Create, &["broken"]).await;
    until("it is dead", async || vmh(&queue).await.dead == 1).await;
    let letters = queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    assert_eq!((letters[0].key.as_deref(), letters[0].errors.len()), (Some("broken"), 2));
    // A newer job takes over what the other one has behind it, and does not have to wait for it.
    enqueue(&queue, RecordAction::Update, &["refused"]).await;
    until("the other is done", async || attempts(&redis).get("refused") == Some(&2)).await;
    workers.stop().await;
}
