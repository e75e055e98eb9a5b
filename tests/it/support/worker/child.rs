//! The process itself: the product's pool, as the role `worker` runs it, around the test's handler.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use advosync::queue::{Flow, Job, Options, Outcome, Queue, Server, Topic};
use advosync::sync::ledger::Ledger;
use advosync::worker::{self, Failure, Gate, Handler, Health, Pool, Retries, Run, Success};
use async_trait::async_trait;
use chrono::Utc;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{ASKED, Behaviour, Setup};
use crate::support::runlog::{Event, Line, RunLog, Which, now};

/// Attempts in all, as the product's default.
const ATTEMPTS: u32 = 5;
/// How often the layout is looked after: Redis may be emptied.
const LOOK: Duration = Duration::from_secs(1);

/// A worker when it is asked to be one; a test like any other when it is not.
#[test]
fn a_worker_without_a_log_is_refused() {
    if let Ok(json) = std::env::var(ASKED) {
        let setup = Setup::read(&json).unwrap_or_else(|fault| panic!("{fault}"));
        die_with_parent();
        tokio::runtime::Runtime::new().unwrap().block_on(work(setup));
        std::process::exit(0);
    }
    let whole = Setup::new("redis://127.0.0.1:1/1", "w", "/nowhere".into());
    let mut json = serde_json::to_value(&whole).unwrap();
    assert_eq!(Setup::read(&json.to_string()).unwrap().consumer, "w");
    json.as_object_mut().unwrap().remove("log");
    let fault = Setup::read(&json.to_string()).unwrap_err();
    assert!(fault.contains("ADVOSYNC_TEST_WORKER") && fault.contains("missing field `log`"), "{fault}");
}

/// Nobody is left behind when a test is ended from outside.
fn die_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(70);
    });
}

async fn work(setup: Setup) {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let stop = CancellationToken::new();
    let mut term = signal(SignalKind::terminate()).unwrap();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            term.recv().await;
            stop.cancel();
        }
    });
    let server = Server::Single(setup.redis.clone().into());
    let queue = Queue::new(&Options {
        server,
        prefix: String::new(),
        timeout: Duration::from_secs(5),
        tls: advosync::queue::Tls::default(),
    })
    .unwrap();
    let ready = CancellationToken::new();
    let keeper = tokio::spawn(keep_layout(queue.clone(), ready.clone(), stop.clone()));
    if stop.run_until_cancelled(ready.cancelled()).await.is_some() {
        let scribe = Arc::new(Scribe::new(&setup, &queue));
        let gate = Gate::default();
        let pools = setup.flows.iter().map(|flow| pool(&setup, &queue, Flow::parse(flow).unwrap(), &scribe, &gate));
        futures::future::join_all(pools.map(|pool| pool.run(stop.clone()))).await;
    }
    keeper.await.unwrap();
    std::fs::write(setup.file("metrics"), counted.render()).unwrap();
}

/// As the roles do it: until there is a layout nobody claims, and one that vanishes is set up again.
async fn keep_layout(queue: Queue, ready: CancellationToken, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match queue.prepare(Utc::now()).await {
            Ok(()) => ready.cancel(),
            Err(error) => assert!(error.is_unavailable(), "{error}"),
        }
        stop.run_until_cancelled(tokio::time::sleep(LOOK)).await;
    }
}

fn pool(setup: &Setup, queue: &Queue, flow: Flow, scribe: &Arc<Scribe>, gate: &Gate) -> Pool {
    Pool::new(worker::Options {
        queue: queue.clone(),
        flow,
        consumer: setup.consumer.clone(),
        concurrency: setup.concurrency,
        lease: setup.lease,
        retries: Retries { waits: setup.waits.clone(), attempts: ATTEMPTS },
        drain: setup.drain,
        handlers: vec![Arc::clone(scribe) as Arc<dyn Handler>],
        health: Arc::new(Health::new(Vec::new())),
        entities: setup.entities.clone(),
        gate: gate.clone(),
    })
}

/// Does what each job says, and writes down what it did.
struct Scribe {
    log: RunLog,
    consumer: String,
    entities: Vec<String>,
    runs: AtomicU64,
    ledger: Ledger,
}

impl Scribe {
    fn new(setup: &Setup, queue: &Queue) -> Self {
        Self {
            log: RunLog::open(&setup.log).unwrap(),
            consumer: setup.consumer.clone(),
            entities: setup.entities.clone(),
            runs: AtomicU64::new(0),
            ledger: Ledger::new(queue.store(), "beteiligte"),
        }
    }

    fn begin(&self, job: &Job, run: &Run) -> Record<'_> {
        let (lock, value) = run.fence.clone();
        let lease = value.split(':').next().and_then(|number| number.parse().ok());
        let mut line = Line {
            event: Event::Started,
            at: 0,
            pid: std::process::id(),
            run: self.runs.fetch_add(1, Ordering::Relaxed),
            consumer: self.consumer.clone(),
            job: Which::of(job),
            lock,
            lease: lease.expect("a lock's value begins with the lease number"),
            attempt: job.attempt(),
        };
        line.at = now();
        self.log.write(&line);
        Record { log: &self.log, line, open: true }
    }
}

/// A run that has begun. Writes its end, however it comes to that.
struct Record<'a> {
    log: &'a RunLog,
    line: Line,
    open: bool,
}

impl Record<'_> {
    fn end(&mut self, event: Event) {
        self.open = false;
        self.line.event = event;
        self.line.at = now();
        self.log.write(&self.line);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.open {
            self.end(Event::Dropped);
        }
    }
}

#[async_trait]
impl Handler for Scribe {
    fn serves(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Unknown(_) => false,
            _ => topic.entity().is_none_or(|entity| self.entities.iter().any(|known| known == entity)),
        }
    }

    async fn run(&self, job: &Job, run: &Run) -> Result<Success, Failure> {
        let mut record = self.begin(job, run);
        let behaviour = Behaviour::read(job.payload.as_deref())?;
        let mut acted = behaviour.act(job, run, &self.ledger).await;
        // As a real handler does before it writes anywhere; whoever waits for a file is one that forgets to.
        if !matches!(behaviour, Behaviour::Until { .. }) && run.check().is_err() {
            acted = Err(Failure::LeaseLost);
        }
        record.end(match &acted {
            Ok(()) => Event::Done,
            Err(Failure::LeaseLost) => Event::Dropped,
            Err(Failure::Final { .. }) => Event::Dead,
            Err(_) => Event::Failed,
        });
        acted.map(|()| Success { result: "did".into(), detail: None })
    }

    async fn failed(&self, _: &Job, _: &Run, _: &Outcome) {}
}
