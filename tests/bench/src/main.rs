//! `make bench`: how fast the queue is beside raw Redis and the best of its kind, and what a sync costs beside the
//! upstreams' own time.
//!
//! Everything runs on this machine, with the release build and a private Redis. The sides of a figure are measured in
//! turn (`rounds.rs`), so that the ratio holds where the machine is slow or busy. Results go to stdout and to
//! `target/bench.json`. `advosync-bench drain latency` runs only these; `--quick` makes everything smaller.

mod backlog;
mod bench;
mod check;
mod child;
mod drain;
mod enqueue;
mod http;
mod ingress;
mod jobs;
mod latency;
mod memory;
mod pace;
mod peer;
mod plan;
mod producer;
mod raw;
mod redis;
mod report;
mod rounds;
mod server;
mod stamps;
mod sweep;
mod sync;
mod worker;
mod world;

use std::path::Path;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use self::bench::{Bench, Sizes};
use self::redis::{Fsync, Redis};
use self::report::Figure;
use self::rounds::Side;

/// Measures advosync.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    /// What to measure; all by default.
    scenarios: Vec<Scenario>,
    /// Smaller sizes: a look, not a result.
    #[arg(long)]
    quick: bool,
    /// Only with this setting of Redis' appendfsync.
    #[arg(long)]
    fsync: Option<Fsync>,
    /// Jobs that a worker process of the product or the peer runs at once.
    #[arg(long, default_value_t = 200)]
    concurrency: usize,
    /// Without the peer.
    #[arg(long)]
    no_peer: bool,
    /// Give the worker that runs in this program the logs, traces and metrics of the real one, at this level, and log at
    /// it in the ingress (`warn` by default).
    #[arg(long)]
    log: Option<String>,
    #[command(subcommand)]
    child: Option<ChildRole>,
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// The raw side itself, beside redis-benchmark.
    Check,
    /// Running queued jobs.
    Drain,
    /// Queueing jobs.
    Enqueue,
    /// From the call that queues a job to its start.
    Latency,
    /// Bytes in Redis.
    Memory,
    /// Webhooks a second.
    Ingress,
    /// Running jobs out of a small and a large backlog.
    Backlog,
    /// Single record syncs of the whole product.
    Sync,
    /// Our own time per record sync at 50 a second.
    Pace,
    /// Sweeps over many records.
    Sweep,
    /// Planning a large calendar.
    Plan,
}

/// What this program plays when it runs itself again.
#[derive(Debug, Subcommand)]
enum ChildRole {
    /// The product's worker.
    #[command(hide = true)]
    Worker(worker::Args),
    /// The peer's worker.
    #[command(hide = true)]
    Peer(peer::Args),
    /// The raw reader that drains.
    #[command(hide = true)]
    Raw(RawDrain),
    /// The raw reader that waits.
    #[command(hide = true)]
    RawReader(Plain),
    /// The plain server.
    #[command(hide = true)]
    Server(Plain),
    /// One large calendar.
    #[command(hide = true)]
    Calendar {
        /// How many Termine and events it has.
        #[arg(long)]
        entries: usize,
    },
}

/// The raw reader that drains.
#[derive(Debug, clap::Args)]
struct RawDrain {
    #[command(flatten)]
    plain: Plain,
    /// Acknowledge a batch with one command.
    #[arg(long)]
    variadic: bool,
}

/// A child that needs only Redis.
#[derive(Debug, clap::Args)]
struct Plain {
    /// Redis.
    #[arg(long)]
    redis: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.child {
        Some(ChildRole::Worker(args)) => worker::run(args).await,
        Some(ChildRole::Peer(args)) => peer::work(args).await,
        Some(ChildRole::Raw(args)) => raw::drain(args.plain.redis, args.variadic).await,
        Some(ChildRole::RawReader(args)) => raw::read(args.redis).await,
        Some(ChildRole::Server(args)) => server::serve(args.redis).await,
        Some(ChildRole::Calendar { entries }) => plan::run(entries),
        None => measure(&cli).await,
    }
}

async fn measure(cli: &Cli) -> Result<()> {
    let mut figures = Vec::new();
    for fsync in [Fsync::Everysec, Fsync::Always].into_iter().filter(|_| cli.wants_queue()) {
        if cli.fsync.is_none_or(|only| only == fsync) {
            println!("-- appendfsync {}", fsync.name());
            figures.extend(measure_queue(cli, fsync).await?);
        }
    }
    if cli.wants(Scenario::Sync) {
        let world = world::World::start().await?;
        figures.extend(sync::measure(&world).await?);
        world.stop().await;
    }
    if cli.wants(Scenario::Pace) {
        let world = world::World::start().await?;
        figures.extend(pace::measure(&world, if cli.quick { 10 } else { 60 }).await?);
        world.stop().await;
    }
    if cli.wants(Scenario::Sweep) {
        let world = world::World::start().await?;
        figures.extend(sweep::measure(&world).await?);
        world.stop().await;
    }
    if cli.wants(Scenario::Plan) {
        figures.extend(plan::measure().await?);
    }
    report::print(&figures);
    // A part must not pass for the whole.
    let whole = cli.scenarios.is_empty() && cli.fsync.is_none() && !cli.quick && !cli.no_peer;
    let path = Path::new(if whole { "target/bench.json" } else { "target/bench-part.json" });
    report::write(&figures, path)?;
    println!("\nalso in {}", path.display());
    Ok(())
}

async fn measure_queue(cli: &Cli, fsync: Fsync) -> Result<Vec<Figure>> {
    let redis = Redis::start(fsync).await?;
    let queue = worker::queue(&redis.url)?;
    let mut sides = vec![Side::Product, Side::Raw];
    if !cli.no_peer {
        sides.push(Side::Peer);
    }
    let size = if cli.quick { Sizes::quick() } else { Sizes::full(fsync) };
    let bench = Bench { redis, queue, fsync, sides, sizes: size, concurrency: cli.concurrency, log: cli.log.clone() };
    let mut figures = Vec::new();
    for scenario in Scenario::value_variants().iter().filter(|it| cli.wants(**it) && it.is_of_the_queue()) {
        let begin = tokio::time::Instant::now();
        figures.extend(match scenario {
            Scenario::Check => {
                // Only a remark about the others, which hold without it.
                if let Err(error) = check::print(&bench).await {
                    println!("raw redis is not cross-checked: {error:#}");
                }
                Vec::new()
            }
            Scenario::Drain => drain::measure(&bench).await?,
            Scenario::Enqueue => enqueue::measure(&bench).await?,
            Scenario::Latency => latency::measure(&bench).await?,
            Scenario::Memory => memory::measure(&bench).await?,
            Scenario::Ingress => ingress::measure(&bench).await?,
            Scenario::Backlog => backlog::measure(&bench).await?,
            Scenario::Sync | Scenario::Pace | Scenario::Sweep | Scenario::Plan => Vec::new(),
        });
        println!("   {scenario:?} took {:.0} s", begin.elapsed().as_secs_f64());
    }
    bench.redis.stop().await;
    if fsync == Fsync::Always {
        // The goals are those of everysec: here the disk decides.
        for figure in &mut figures {
            figure.goal = None;
        }
    }
    Ok(figures)
}

impl Scenario {
    /// Whether it needs a Redis of the benchmark's own.
    const fn is_of_the_queue(self) -> bool {
        !matches!(self, Self::Sync | Self::Pace | Self::Sweep | Self::Plan)
    }
}

impl Cli {
    /// Whether anything is measured that needs a Redis of the benchmark's own.
    fn wants_queue(&self) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|scenario| scenario.is_of_the_queue())
    }

    fn wants(&self, scenario: Scenario) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }
}
