//! What the scenarios of the queue share.

use advosync::queue::Queue;
use anyhow::Result;

use crate::child::Child;
use crate::redis::{Fsync, Redis};
use crate::rounds::Side;

/// How much is measured.
pub(crate) struct Sizes {
    /// Turns of each side.
    pub(crate) rounds: usize,
    /// Jobs in a drain.
    pub(crate) drain: u64,
    /// Jobs in a drain of the peer, which is slower.
    pub(crate) drain_peer: u64,
    /// Jobs queued in batches.
    pub(crate) batched: u64,
    /// The same of the peer.
    pub(crate) batched_peer: u64,
    /// Jobs queued one by one.
    pub(crate) single: u64,
    /// Jobs at an even pace, in each turn.
    pub(crate) latency: u64,
    /// Jobs that lie in memory.
    pub(crate) memory: u64,
    /// Webhooks.
    pub(crate) requests: u64,
    /// A small backlog.
    pub(crate) small: u64,
    /// A large one.
    pub(crate) large: u64,
    /// How often the large one is drained.
    pub(crate) large_rounds: usize,
}

impl Sizes {
    /// For figures that count.
    pub(crate) const fn full(fsync: Fsync) -> Self {
        let always = matches!(fsync, Fsync::Always);
        Self {
            rounds: 5,
            drain: 100_000,
            drain_peer: 20_000,
            batched: if always { 20_000 } else { 100_000 },
            batched_peer: 20_000,
            single: if always { 2_000 } else { 10_000 },
            latency: 400,
            memory: 20_000,
            requests: if always { 6_000 } else { 20_000 },
            small: 10_000,
            large: 1_000_000,
            large_rounds: if always { 1 } else { 3 },
        }
    }

    /// For a look.
    pub(crate) const fn quick() -> Self {
        Self {
            rounds: 3,
            drain: 20_000,
            drain_peer: 5_000,
            batched: 20_000,
            batched_peer: 5_000,
            single: 1_000,
            latency: 200,
            memory: 20_000,
            requests: 5_000,
            small: 10_000,
            large: 100_000,
            large_rounds: 1,
        }
    }
}

/// What a scenario of the queue needs.
pub(crate) struct Bench {
    /// Redis, private.
    pub(crate) redis: Redis,
    /// The queue in it.
    pub(crate) queue: Queue,
    /// How it syncs.
    pub(crate) fsync: Fsync,
    /// Who is measured.
    pub(crate) sides: Vec<Side>,
    /// How much.
    pub(crate) sizes: Sizes,
    /// Jobs that a worker process runs at once: with two batches' worth, finishes come in full batches of 100, as in the
    /// raw drain.
    pub(crate) concurrency: usize,
    /// Whether the product's processes have their telemetry on, and at which level.
    pub(crate) log: Option<String>,
}

impl Bench {
    /// The name of a figure under this Redis.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}{}", self.fsync.suffix())
    }

    /// A worker process of the product.
    pub(crate) async fn worker(&self, name: &str, args: &[&str]) -> Result<Child> {
        let concurrency = self.concurrency.to_string();
        let mut all = vec!["worker", "--redis", &self.redis.url, "--concurrency", &concurrency, "--name", name];
        if let Some(log) = &self.log {
            all.extend(["--log", log]);
        }
        all.extend(args);
        Child::start(&all).await
    }

    /// A worker process of the peer.
    pub(crate) async fn peer_worker(&self, args: &[&str]) -> Result<Child> {
        let concurrency = self.concurrency.to_string();
        let all = ["peer", "--redis", &self.redis.url, "--concurrency", &concurrency];
        Child::start(&[&all, args].concat()).await
    }
}

/// A count in a quotient.
pub(crate) fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
