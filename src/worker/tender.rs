//! Looks after a flow while its jobs run: due retries, orphaned waiters, the health of its upstreams.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::health::Health;
use crate::queue::{Flow, Queue, QueueError};

/// How often a flow is looked after, at least.
const TICK: Duration = Duration::from_secs(1);
/// How often names and sets are tidied.
const TIDY: Duration = Duration::from_mins(1);

/// What the tender needs.
pub(super) struct Tender {
    pub(super) queue: Queue,
    pub(super) flow: Flow,
    /// Our name among the workers.
    pub(super) consumer: String,
    /// The mappings' names, whose pending sets belong to the flow.
    pub(super) entities: Vec<String>,
    pub(super) health: Arc<Health>,
}

impl Tender {
    /// Tends until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        // A probe may hang for as long as its upstream does: what is due, and our sign of life, do not wait for it.
        tokio::join!(self.tend(&stop), self.watch(&stop));
    }

    async fn watch(&self, stop: &CancellationToken) {
        while let Some(looked) = stop.run_until_cancelled(self.health.look(&self.queue)).await {
            // That Redis is away is told once, by the other half.
            if let Ok(Some(down)) = looked {
                let claiming = if down { "stopped" } else { "started" };
                tracing::warn!(flow = %self.flow, claiming, "claiming of jobs changed because of an upstream");
            }
            stop.run_until_cancelled(tokio::time::sleep(TICK)).await;
        }
    }

    async fn tend(&self, stop: &CancellationToken) {
        let mut tidied = Instant::now();
        let mut away = false;
        let mut pause = Duration::ZERO;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = TICK;
            let Some(tended) = stop.run_until_cancelled(self.tick()).await else { break };
            match tended {
                Ok(next) => {
                    if away {
                        tracing::info!(flow = %self.flow, "redis is back");
                    }
                    away = false;
                    pause = next.map_or(TICK, |next| next.clamp(Duration::from_millis(10), TICK));
                }
                Err(error) => {
                    if !away {
                        tracing::error!(flow = %self.flow, %error, "redis is away; jobs wait until it is back");
                    }
                    away = true;
                }
            }
            if tidied.elapsed() > TIDY && self.queue.tidy(self.flow, &self.entities).await.is_ok() {
                tidied = Instant::now();
            }
        }
    }

    async fn tick(&self) -> Result<Option<Duration>, QueueError> {
        self.queue.show_alive(self.flow, &self.consumer).await?;
        Ok(self.queue.tend(self.flow).await?.next_due)
    }
}
