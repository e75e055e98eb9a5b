//! Keeps the leases of running jobs, and stops those that were lost.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::handler::Run;
use crate::queue::{Claim, Lease, Queue};

/// A run whose lease is kept.
struct Kept {
    lease: Lease,
    run: Run,
    lost: CancellationToken,
}

/// The leases of all running jobs of this pool.
#[derive(Clone, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<String, Kept>>>);

/// Ends the keeping when it is dropped.
pub(super) struct Keeping {
    leases: Leases,
    id: String,
}

impl Leases {
    /// Keeps a lease until the answer is dropped; cancels `lost` when it is lost.
    pub(super) fn keep(&self, claim: &Claim, run: &Run, lost: &CancellationToken) -> Keeping {
        // The lease number is in it, so no other run has the same.
        let id = claim.fence().1.to_owned();
        let kept = Kept { lease: claim.lease(), run: run.clone(), lost: lost.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), kept);
        Keeping { leases: self.clone(), id }
    }

    /// Renews at a quarter of the lease until `stop`.
    pub(super) async fn renew(self, queue: Queue, consumer: String, lease: Duration, stop: CancellationToken) {
        let mut tick = tokio::time::interval(lease / 4);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let (ids, leases): (Vec<String>, Vec<Lease>) = {
                let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.iter().map(|(id, kept)| (id.clone(), kept.lease.clone())).unzip()
            };
            if leases.is_empty() {
                continue;
            }
            let asked_at = Instant::now();
            let mut asking = pin!(queue.renew(&consumer, lease, &leases));
            let held = loop {
                tokio::select! {
                    held = &mut asking => break held,
                    // An answer may take longer than the lease has left.
                    () = tokio::time::sleep(lease / 16) => self.give_up(lease / 8),
                }
            };
            if held.is_err() {
                // Redis is away: there may be time for another try.
                self.give_up(lease / 8);
                tick.reset_after(lease / 16);
            }
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (at, id) in ids.iter().enumerate() {
                let Some(kept) = all.get(id) else { continue };
                match &held {
                    Ok(held) if held[at] => kept.run.confirm_as_of(asked_at),
                    Ok(_) => kept.lost.cancel(),
                    Err(_) => {}
                }
            }
        }
    }

    /// Stops what has so little of its lease left that it may run out over there before anything else is known.
    fn give_up(&self, left: Duration) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|kept| kept.run.left() < left).for_each(|kept| kept.lost.cancel());
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.leases.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
