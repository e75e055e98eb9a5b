//! The pool around the queue, with handlers and probes that hang.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use advosync::queue::{Job, Queue};
use advosync::worker::{Failure, Gate, Handler, Health, Options, Pool, Probe, Retries, Run, Success};
use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::redis::Redis;

/// Never ends; tells when it was begun and when it was dropped.
struct Stuck(mpsc::UnboundedSender<&'static str>);

struct Told(mpsc::UnboundedSender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[async_trait]
impl Handler for Stuck {
    fn serves(&self, _: &Topic) -> bool {
        true
    }

    async fn run(&self, _: &Job, _: &Run) -> Result<Success, Failure> {
        let _told = Told(self.0.clone());
        let _ = self.0.send("begun");
        pending().await
    }

    async fn failed(&self, _: &Job, _: &Run, _: &Outcome) {}
}

/// An upstream that accepts a call and never answers.
struct Silent(Arc<Notify>);

#[async_trait]
impl Probe for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }

    async fn ping(&self) -> Result<(), String> {
        self.0.notify_one();
        pending().await
    }
}

fn pool(queue: &Queue, lease: Duration, handlers: Vec<Arc<dyn Handler>>, probes: Vec<Arc<dyn Probe>>) -> Pool {
    Pool::new(Options {
        queue: queue.clone(),
        flow: Flow::Vmh,
        consumer: "w".into(),
        concurrency: 4,
        lease,
        retries: Retries { waits: vec![LONG], attempts: 5 },
        drain: Duration::from_secs(3),
        handlers,
        health: Arc::new(Health::new(probes)),
        gate: Gate::default(),
        entities: vec!["beteiligte".into()],
    })
}

#[tokio::test]
async fn a_handler_is_stopped_before_its_lease_is_over_while_redis_hangs() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let (told, mut heard) = mpsc::unbounded_channel();
    let lease = Duration::from_secs(2);
    tokio::spawn(pool(&queue, lease, vec![Arc::new(Stuck(told))], vec![]).run(CancellationToken::new()));
    assert_eq!(heard.recv().await, Some("begun"));
    redis.freeze();
    // The last renewal cannot have been later than this.
    let frozen = Instant::now();
    assert_eq!(heard.recv().await, Some("dropped"));
    assert!(frozen.elapsed() < lease, "{:?}: another worker may hold the lock by now", frozen.elapsed());
}

#[tokio::test]
async fn a_probe_that_hangs_keeps_nobody_from_stopping() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    queue.fail_upstream("silent", "gone", true).await.unwrap();
    let asked = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let running =
        tokio::spawn(pool(&queue, LONG, vec![], vec![Arc::new(Silent(Arc::clone(&asked)))]).run(stop.clone()));
    asked.notified().await;
    stop.cancel();
    tokio::time::timeout(LONG, running).await.expect("the pool stops").unwrap();
}
