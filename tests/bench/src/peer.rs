//! The crate `bullmq-official`: used as its documentation says, with the settings that make it fastest.
//!
//! De-duplication is by job id, its cheapest; jobs are removed when they are done, so that an id can be used again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bullmq::options::RedisConnectionOptions;
use bullmq::types::RemoveOnFinish;
use bullmq::{BulkJob, Job, JobOptions, QueueOptions, Worker, WorkerOptions};
use serde_json::{Value, json};

use crate::child;
use crate::jobs::{SOURCE, TOPIC};
use crate::stamps::Stamps;

/// The queue's name.
const NAME: &str = "bench";
/// What holds jobs that are not done.
pub(crate) const HOLDS: [(&str, &str); 2] = [("LLEN", "bull:bench:wait"), ("LLEN", "bull:bench:active")];

/// The peer's own handle to its queue.
#[derive(Clone)]
pub(crate) struct Queue(Arc<bullmq::Queue>);

impl Queue {
    /// A handle to the queue in this Redis.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let options = QueueOptions::new().connection(RedisConnectionOptions::new().url(url));
        Ok(Self(Arc::new(bullmq::Queue::with_options(NAME, options).await?)))
    }

    /// Adds these jobs: one by `add`, several by `add_bulk`.
    pub(crate) async fn add(&self, keys: &[String], traceparent: &str) -> Result<()> {
        let data = json!({ "source": SOURCE, "traceparent": traceparent });
        // An id of digits only would be refused.
        let options =
            |key: &str| JobOptions::new().job_id(format!("k{key}")).remove_on_complete(RemoveOnFinish::Bool(true));
        if let [key] = keys {
            let add = self.0.add(TOPIC, data).job_id(format!("k{key}"));
            add.remove_on_complete(RemoveOnFinish::Bool(true)).await?;
        } else {
            let bulk = keys.iter().map(|key| BulkJob::with_options(TOPIC, &data, options(key)));
            self.0.add_bulk(bulk.collect()).await?;
        }
        Ok(())
    }
}

/// How the child process is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Redis.
    #[arg(long)]
    redis: String,
    /// Jobs at once.
    #[arg(long)]
    concurrency: usize,
    /// Write at the end when each job began.
    #[arg(long)]
    stamps: bool,
}

/// In a child process: runs jobs until the parent closes our stdin.
pub(crate) async fn work(args: Args) -> Result<()> {
    let mut commands = child::commands();
    let stamps = Arc::new(Stamps::new(args.stamps));
    let options = WorkerOptions::new()
        .connection(RedisConnectionOptions::new().url(args.redis))
        .concurrency(args.concurrency)
        .drain_delay(Duration::from_secs(1))
        .remove_on_complete(RemoveOnFinish::Bool(true))
        .manual_start();
    let handler = {
        let stamps = Arc::clone(&stamps);
        move |job: Job, _| {
            stamps.add(job.id().trim_start_matches('k'));
            async { Ok(Value::Null) }
        }
    };
    let worker = Worker::with_options(NAME, handler, options).await?;
    if child::wait_for_go(&mut commands).await? {
        worker.run().await?;
        child::wait_for_stop(&mut commands).await?;
    }
    worker.close(5_000).await.context("the peer's worker does not stop")?;
    stamps.print();
    Ok(())
}
