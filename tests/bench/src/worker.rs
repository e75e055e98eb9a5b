//! The product's worker in a process of its own: the real pool, with a handler that does nothing.

use std::sync::Arc;
use std::time::Duration;

use advosync::queue::{Flow, Job, Options as QueueOptions, Outcome, Queue, Server, Topic};
use advosync::settings::Telemetry;
use advosync::telemetry;
use advosync::worker::{Failure, Gate, Handler, Health, Options, Pool, Retries, Run, Success};
use anyhow::Result;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::child;
use crate::stamps::Stamps;

/// How the child process is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Redis.
    #[arg(long)]
    pub(crate) redis: String,
    /// Jobs at once.
    #[arg(long)]
    pub(crate) concurrency: usize,
    /// A name unique to this process.
    #[arg(long)]
    pub(crate) name: String,
    /// Write at the end when each job began.
    #[arg(long)]
    pub(crate) stamps: bool,
    /// Logs, traces and metrics as in the real worker, at this level.
    #[arg(long)]
    pub(crate) log: Option<String>,
}

/// A queue in this Redis.
pub(crate) fn queue(url: &str) -> Result<Queue> {
    let server = Server::Single(url.to_owned().into());
    Ok(Queue::new(&QueueOptions {
        server,
        prefix: String::new(),
        timeout: Duration::from_secs(5),
        tls: advosync::queue::Tls::default(),
    })?)
}

/// Runs until the parent closes our stdin.
pub(crate) async fn run(args: Args) -> Result<()> {
    let _telemetry = args.log.map(|filter| telemetry::init(&Telemetry { filter, ..Telemetry::default() }));
    let mut commands = child::commands();
    let queue = queue(&args.redis)?;
    queue.ping().await?;
    let stamps = Arc::new(Stamps::new(args.stamps));
    let pool = Pool::new(Options {
        queue,
        flow: Flow::Vmh,
        consumer: args.name,
        concurrency: args.concurrency,
        lease: Duration::from_secs(15),
        retries: Retries { waits: vec![Duration::from_mins(1)], attempts: 5 },
        drain: Duration::from_secs(25),
        handlers: vec![Arc::new(Noop { stamps: Arc::clone(&stamps) })],
        health: Arc::new(Health::new(Vec::new())),
        gate: Gate::default(),
        entities: vec!["beteiligte".to_owned()],
    });
    if !child::wait_for_go(&mut commands).await? {
        return Ok(());
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(pool.run(stop.clone()));
    child::wait_for_stop(&mut commands).await?;
    stop.cancel();
    running.await?;
    stamps.print();
    Ok(())
}

struct Noop {
    stamps: Arc<Stamps>,
}

#[async_trait]
impl Handler for Noop {
    fn serves(&self, _topic: &Topic) -> bool {
        true
    }

    async fn run(&self, job: &Job, _run: &Run) -> Result<Success, Failure> {
        self.stamps.add(&job.key);
        Ok(Success { result: "unchanged".to_owned(), detail: None })
    }

    async fn failed(&self, _job: &Job, _run: &Run, _outcome: &Outcome) {}
}
