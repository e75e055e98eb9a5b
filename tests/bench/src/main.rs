//! `make bench`: how fast the queue is beside raw Redis and the best of its kind, and what a sync costs beside the
//! upstreams' own time.
//!
//! Everything runs on this machine, with the release build and a private Redis. The sides of a figure are measured in
//! turn (`rounds.rs`), so that the ratio holds where the machine is slow or busy. Results go to stdout and to
//! `target/bench.json`. `advosync-bench drain latency` runs only these; `--quick` makes everything smaller.

mod child;
mod drain;
mod jobs;
mod raw;
mod redis;
mod report;
mod rounds;
mod sync;
mod worker;
mod world;

use std::path::Path;

use advosync::queue::Queue;
use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use self::redis::{Fsync, Redis};
use crate::rounds::Side;

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
    /// Give the queue's worker the logs, traces and metrics of the real one, at this level; logs go to stderr.
    #[arg(long)]
    log: Option<String>,
    #[command(subcommand)]
    child: Option<ChildRole>,
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Running queued jobs.
    Drain,
    /// Single record syncs of the whole product.
    Sync,
}

/// What this program plays when it runs itself again.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum ChildRole {
    /// The product's worker.
    #[command(hide = true)]
    Worker(worker::Args),
    /// The raw reader.
    #[command(hide = true)]
    Raw {
        /// Redis.
        #[arg(long)]
        redis: String,
    },
}

/// How much is measured.
struct Sizes {
    rounds: usize,
    drain: u64,
    drain_peer: u64,
}

/// What a scenario of the queue needs.
struct Bench {
    redis: Redis,
    queue: Queue,
    fsync: Fsync,
    sides: Vec<Side>,
    sizes: Sizes,
    log: Option<String>,
}

impl Bench {
    fn name(&self, name: &str) -> String {
        format!("{name}{}", self.fsync.suffix())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.child {
        Some(ChildRole::Worker(args)) => worker::run(args).await,
        Some(ChildRole::Raw { redis }) => raw::drain(redis).await,
        None => measure(&cli).await,
    }
}

async fn measure(cli: &Cli) -> Result<()> {
    let chosen = |scenario| cli.scenarios.is_empty() || cli.scenarios.contains(&scenario);
    let mut figures = Vec::new();
    for fsync in [Fsync::Everysec, Fsync::Always] {
        if cli.fsync.is_some_and(|only| only != fsync) {
            continue;
        }
        let redis = Redis::start(fsync).await?;
        let queue = worker::queue(&redis.url)?;
        let sides = vec![Side::Product, Side::Raw];
        let sizes = if cli.quick {
            Sizes { rounds: 3, drain: 20_000, drain_peer: 5_000 }
        } else {
            Sizes { rounds: 5, drain: 100_000, drain_peer: 20_000 }
        };
        let bench = Bench { redis, queue, fsync, sides, sizes, log: cli.log.clone() };
        println!("-- appendfsync {}", fsync.name());
        if chosen(Scenario::Drain) {
            figures.extend(drain::measure(&bench).await?);
        }
        bench.redis.stop().await;
    }
    if chosen(Scenario::Sync) {
        let world = world::World::start().await?;
        figures.extend(sync::measure(&world).await?);
        world.stop().await;
    }
    report::print(&figures);
    // A part must not pass for the whole.
    let whole = cli.scenarios.is_empty() && cli.fsync.is_none() && !cli.quick;
    let path = Path::new(if whole { "target/bench.json" } else { "target/bench-part.json" });
    report::write(&figures, path)?;
    println!("\nalso in {}", path.display());
    Ok(())
}
