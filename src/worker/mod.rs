//! The pool: claims jobs, hands each to the handler that serves its topic, and tells the queue how it ended.
//!
//! One [`pool`] a flow; around it a [`renewer`] (leases), a [`finisher`] (ends of runs, in batches) and a [`tender`]
//! (due retries, breakers). What a failure means for the job is decided in [`policy`], purely.

mod finisher;
mod gate;
mod handler;
mod health;
mod policy;
mod pool;
mod renewer;
mod suspect;
mod tender;

pub use gate::Gate;
pub use handler::{Failure, Handler, LeaseLost, Probe, Run, Success};
pub use health::Health;
pub use policy::{Retries, outcome};
pub use pool::{Options, Pool};
