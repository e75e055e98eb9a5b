//! A Redis with its layout set up, and the workers around it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use advosync::queue::{Batch, Enqueued, FlowStats, Lane, Queue, RecordAction, Topic};
use tempfile::TempDir;

use super::{Behaviour, Setup, Worker};
use crate::support::redis::Redis;
use crate::support::runlog::{self, Run};

/// How long anything that is waited for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Everything that workers need. Ends with the test.
pub struct Site {
    /// The queue, to enqueue and to look at it.
    pub queue: Queue,
    /// The Redis.
    pub redis: Redis,
    folder: TempDir,
}

impl Site {
    /// Without workers.
    pub async fn start() -> Self {
        let redis = Redis::start();
        Self { queue: redis.prepared().await, redis, folder: tempfile::tempdir().unwrap() }
    }

    /// What a worker of this name is told, to be changed where a test needs it.
    pub fn setup(&self, name: &str) -> Setup {
        Setup::new(&self.redis.url(), name, self.folder.path().to_owned())
    }

    /// A worker with these changes, once it is there and takes jobs.
    pub async fn worker(&self, name: &str, change: impl FnOnce(&mut Setup)) -> Worker {
        let mut setup = self.setup(name);
        change(&mut setup);
        let (flows, consumer) = (setup.flows.clone(), setup.consumer.clone());
        let shows = |flow: &str| !self.redis.cli(&["ZSCORE", &format!("jobs:{flow}:workers"), &consumer]).is_empty();
        let worker = Worker::start(setup);
        self.until(&format!("{name} is there"), async || flows.iter().all(|flow| shows(flow))).await;
        worker
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What has run so far, by the runs' own log.
    pub fn runs(&self) -> Vec<Run> {
        runlog::read(&self.folder.path().join("runs"))
    }

    /// Enqueues jobs of one behaviour.
    pub async fn enqueue(&self, lane: Lane, keys: &[String], behaviour: &Behaviour) -> Enqueued {
        let payload = behaviour.payload();
        let topic = Topic::record("beteiligte", RecordAction::Update);
        let batch = Batch { payload: Some(&payload), ..Batch::new(topic, lane, keys, "test") };
        self.queue.enqueue(&batch).await.unwrap()
    }

    /// Counts of the record flow.
    pub async fn stats(&self) -> FlowStats {
        self.queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"]
    }

    /// Waits until no job of either flow waits, runs, or is to come.
    pub async fn settle(&self) {
        let at_rest =
            |stats: &FlowStats| stats.ready + stats.sweep + stats.running + stats.parked + stats.scheduled == 0;
        self.until("no job is left", async || match self.queue.stats(chrono::Utc::now()).await {
            Ok(stats) => stats.flows.values().all(at_rest),
            // The first call after an outage finds a dead connection.
            Err(error) => !error.is_unavailable() && panic!("{error}"),
        })
        .await;
    }

    /// The names that the group of a stream knows.
    pub fn consumers(&self, stream: &str) -> Vec<String> {
        let info = self.redis.cli(&["XINFO", "CONSUMERS", stream, "workers"]);
        let words: Vec<&str> = info.lines().collect();
        words.windows(2).filter(|pair| pair[0] == "name").map(|pair| pair[1].to_owned()).collect()
    }

    /// Waits for something that will be so, looking again and again.
    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let by = Instant::now() + PATIENCE;
        while !so().await {
            assert!(Instant::now() < by, "waited in vain until {what}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Keys `<stem>0` to `<stem>n`.
pub fn keys(stem: &str, n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{stem}{n}")).collect()
}
