//! A gate stops a request before or after its effect and says that it is there, so tests order by signals.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::rule::Match;
use crate::effects::System;
use crate::wire::Ask;

/// Where a gate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing has happened yet.
    Before,
    /// It has taken effect, the answer is held back.
    After,
}

/// The test's end. Dropping it opens the gate, so that a failing test hangs nothing.
#[derive(Debug)]
pub struct Gate {
    arrived: watch::Receiver<bool>,
    released: CancellationToken,
}

impl Gate {
    /// Waits until the request is held at the gate (with [`Phase::After`]: until its effect is done).
    pub async fn arrived(&self) {
        // An error means that the sandbox is gone, and then nothing will ever arrive.
        let _ = self.arrived.clone().wait_for(|arrived| *arrived).await;
    }

    /// Whether the request is there already.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        *self.arrived.borrow()
    }

    /// Lets the request go on; a gate that nobody has reached is opened for good.
    pub fn release(&self) {
        self.released.cancel();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.released.cancel();
    }
}

/// The sandbox's end.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    target: Match,
    pub(crate) phase: Phase,
    /// Matching requests that pass before the one that is held.
    skip: u64,
    taken: bool,
    arrived: watch::Sender<bool>,
    released: CancellationToken,
}

impl Hold {
    /// A gate for the n-th matching request, counted from 1.
    pub(crate) fn pair(target: Match, phase: Phase, nth: u64) -> (Self, Gate) {
        let (arrived, seen) = watch::channel(false);
        let released = CancellationToken::new();
        let gate = Gate { arrived: seen, released: released.clone() };
        (Self { target, phase, skip: nth.saturating_sub(1), taken: false, arrived, released }, gate)
    }

    pub(crate) fn released(&self) -> bool {
        self.released.is_cancelled()
    }

    /// Whether it is this request that the gate waits for.
    pub(crate) fn catches(&mut self, system: System, ask: &Ask) -> Option<Self> {
        if self.taken || !self.target.fits(system, ask) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.taken = true;
        Some(self.clone())
    }

    /// Tells the test and waits for it.
    pub(crate) async fn wait(&self) {
        self.arrived.send_replace(true);
        self.released.cancelled().await;
    }
}
