//! How each side gets its jobs.

use advosync::queue::{Batch, Lane, Queue};
use anyhow::{Result, bail};
use redis::aio::MultiplexedConnection;

use crate::bench::Bench;
use crate::jobs::{self, SOURCE};
use crate::peer;
use crate::raw;
use crate::rounds::Side;

/// Adds jobs to one side's queue.
#[derive(Clone)]
pub(crate) enum Producer {
    /// With de-duplication, by the product's own call.
    Product(Queue),
    /// XADD with the same fields, a batch in one pipeline.
    Raw(MultiplexedConnection),
    /// With de-duplication by job id.
    Peer(peer::Queue),
}

impl Producer {
    /// Sets up the side's queue in an empty Redis.
    pub(crate) async fn prepare(bench: &Bench, side: Side) -> Result<Self> {
        Ok(match side {
            Side::Product => {
                bench.queue.prepare(chrono::Utc::now()).await?;
                Self::Product(bench.queue.clone())
            }
            Side::Raw => {
                let mut conn = bench.redis.connect().await?;
                raw::prepare(&mut conn).await?;
                Self::Raw(conn)
            }
            Side::Peer => Self::Peer(peer::Queue::open(&bench.redis.url).await?),
        })
    }

    /// Adds these jobs in one call; all of them must be new.
    pub(crate) async fn add(&mut self, keys: &[String], traceparent: &str) -> Result<()> {
        match self {
            Self::Product(queue) => {
                let batch = Batch::new(jobs::topic(), Lane::First, keys, SOURCE);
                let new = queue.enqueue(&Batch { traceparent: Some(traceparent), ..batch }).await?.new.len();
                if new != keys.len() {
                    bail!("only {new} of {} jobs were new", keys.len());
                }
            }
            Self::Raw(conn) => raw::add(conn, keys, traceparent).await?,
            Self::Peer(queue) => queue.add(keys, traceparent).await?,
        }
        Ok(())
    }

    /// Adds this many jobs, as fast as it goes.
    pub(crate) async fn fill(&mut self, jobs: u64) -> Result<()> {
        let size = if matches!(self, Self::Peer(_)) { 500 } else { 1_000 };
        for (n, keys) in (0..).zip(jobs::batches(jobs, size)) {
            self.add(&keys, &jobs::traceparent(n)).await?;
        }
        Ok(())
    }
}

impl Side {
    /// What holds the jobs that are not done yet, with the command that counts it.
    pub(crate) fn holds(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Product | Self::Raw => &[("XLEN", jobs::STREAM)],
            Self::Peer => &peer::HOLDS,
        }
    }
}
