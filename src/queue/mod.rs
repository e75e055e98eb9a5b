//! The durable queue on Redis Streams: generic, and ignorant of the three systems.
//!
//! ```text
//! enqueue ─▶ stream ─claim─▶ running ─finish─▶ done
//!              ▲  │            │ ├─retry/hold─▶ scheduled ─promote─┐
//!              │  └─lock held─▶ parked ─release/unpark─┐           │
//!              │               │ └─dead─▶ dead ─replay─┤           │
//!              └───────────────┴───────────────────────┴───────────┘
//! ```
//!
//! Every arrow is one call of one Redis function (`migrations/0002_queue.lua`), so a job is in exactly one place at any
//! instant. A run holds a lock (one run a key) whose value is the lease number and its owner; a finish with a value
//! that is no longer the lock's changes nothing. Keys are spelled in `keys.rs` only. Promises Q1 to Q10: `docs/queue.md`.

mod breaker;
mod cell;
mod claim;
mod consumer;
mod dead;
mod durability;
mod enqueue;
mod error;
mod finish;
mod functions;
mod generation;
mod job;
mod keys;
mod layout;
mod link;
mod notice;
mod outcome;
mod rarely;
mod refusal;
mod replay;
mod server;
mod slots;
mod stats;
mod store;
mod target;
mod tend;
mod throttle;
mod topic;
mod troubles;
mod wait;

pub use breaker::{BreakerState, Upstream};
pub use cell::Cell;
pub use claim::{Claim, Claimed, Suspicion};
pub use consumer::Consumer;
pub use dead::DeadLetter;
pub use durability::{Judgement, Trust};
pub use enqueue::{Batch, Enqueued, Mode};
pub use error::QueueError;
pub use finish::{Finish, Finished, Lease, Verdict};
pub use generation::{Looked, Loss, Seen};
pub use job::{AttemptError, Job, Malformed};
pub use layout::{Migrated, PROTOCOL};
pub use outcome::{Fault, Outcome};
pub use replay::{Replay, Replayed, Selection};
pub use server::Durability;
pub use slots::{Fired, Firing, Slots};
pub use stats::{FlowStats, Stats};
pub use store::Store;
pub use target::{Login, Options, Server, Tls};
pub use tend::Tended;
pub use throttle::{Throttle, Turn};
pub use topic::{Flow, Lane, RecordAction, Topic};
pub use troubles::{Retry, Troubles};
pub use wait::{Ended, PATIENCE, Waiter};

use keys::Keys;
use link::Link;

/// A handle to the queue. Cheap to clone; making one does not touch the network.
#[derive(Clone)]
pub struct Queue {
    /// Calls that move jobs, one after the other.
    bulk: Link,
    /// Renewals and other calls that must not wait behind bulk.
    control: Link,
    keys: Keys,
}

impl Queue {
    /// A handle to the queue in this Redis.
    ///
    /// # Errors
    /// The address cannot be parsed. Whether Redis is there is found out by the first call.
    pub fn new(options: &Options) -> Result<Self, QueueError> {
        let bulk = Link::new(options)?;
        Ok(Self { control: bulk.another(std::time::Duration::ZERO), bulk, keys: Keys::new(&options.prefix) })
    }

    /// A round trip to Redis.
    pub async fn ping(&self) -> Result<(), QueueError> {
        Ok(self.control.query(&redis::cmd("PING")).await?)
    }
}
