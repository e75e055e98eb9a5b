//! Whether the upstreams of a flow work, as far as this process knows; the shared truth is the breaker in Redis (Q9).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::handler::{Probe, Run};
use crate::queue::{BreakerState, Queue, QueueError};

/// The upstreams that a flow needs.
pub struct Health {
    upstreams: Vec<Watched>,
    down: AtomicBool,
}

struct Watched {
    probe: Arc<dyn Probe>,
    /// It has failed since it last worked: a success is news.
    suspect: AtomicBool,
}

impl Health {
    /// Of these upstreams, all of which count as working until told otherwise.
    #[must_use]
    pub fn new(probes: Vec<Arc<dyn Probe>>) -> Self {
        let upstreams = probes.into_iter().map(|probe| Watched { probe, suspect: AtomicBool::new(true) }).collect();
        Self { upstreams, down: AtomicBool::new(false) }
    }

    /// Whether jobs of the flow must wait.
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// An upstream failed just now.
    pub(super) fn suspect(&self, name: &str) {
        for watched in self.upstreams.iter().filter(|watched| watched.probe.name() == name) {
            watched.suspect.store(true, Ordering::Release);
        }
    }

    /// A run succeeded, and so did its calls: a row of failures ends here. Costs a call only after a failure.
    pub(super) async fn succeeded(&self, queue: &Queue, run: &Run) {
        for watched in self.upstreams.iter().filter(|watched| run.speaks_for(watched.probe.name())) {
            if watched.suspect.swap(false, Ordering::AcqRel)
                // Rare, and boxed: every run carries what it may come to wait for.
                && Box::pin(queue.restore_upstream(watched.probe.name(), Some(run.started_at))).await.is_err()
            {
                watched.suspect.store(true, Ordering::Release);
            }
        }
    }

    /// Whether an upstream answers right now; one that nobody can ask counts as answering.
    pub(super) async fn answers(&self, name: &str) -> bool {
        let Some(watched) = self.upstreams.iter().find(|watched| watched.probe.name() == name) else { return true };
        watched.probe.ping().await.is_ok()
    }

    /// Reads the breakers and probes what is down. `Some` when the flow has come to a stop or started again.
    pub(super) async fn look(&self, queue: &Queue) -> Result<Option<bool>, QueueError> {
        let mut down = false;
        for watched in &self.upstreams {
            let known = queue.upstream(watched.probe.name()).await?;
            if known.failures > 0 {
                watched.suspect.store(true, Ordering::Release);
            }
            down |= known.state == BreakerState::Open && !probe(queue, watched.probe.as_ref()).await?;
        }
        Ok((self.down.swap(down, Ordering::AcqRel) != down).then_some(down))
    }
}

/// Whether a down upstream is back. One process asks at a time.
async fn probe(queue: &Queue, probe: &dyn Probe) -> Result<bool, QueueError> {
    if !queue.may_probe(probe.name()).await? {
        return Ok(false);
    }
    match probe.ping().await {
        Ok(()) => {
            tracing::info!(upstream = probe.name(), "upstream is back");
            queue.restore_upstream(probe.name(), None).await?;
            Ok(true)
        }
        Err(message) => {
            queue.fail_upstream(probe.name(), &message, true).await?;
            Ok(false)
        }
    }
}
