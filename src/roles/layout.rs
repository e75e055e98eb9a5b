//! Keeps the layout in Redis fit for this program for as long as a role runs, and watches over the data in it.

use std::time::Duration;

use chrono::Utc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::durability;
use super::memory::Memory;
use super::parts::{Parts, process_name};
use crate::queue::{Looked, Loss, Queue, QueueError, Seen};
use crate::settings::Role;

/// How soon it is tried again while Redis is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a layout that was there is looked after: Redis may be emptied while we run.
const LOOK: Duration = Duration::from_secs(2);
/// How soon it is looked again while another process sees to a loss.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long one process may take to see to a loss before another one does.
const LEASE: Duration = Duration::from_secs(10);

/// Sets the layout up and looks after it until `stop`. The first answer is cancelled when it is there for the first
/// time; the second ends with an error, and stops the role, when another version's layout is there.
pub(super) fn keep(
    role: Role,
    parts: &Parts,
    stop: CancellationToken,
) -> (CancellationToken, JoinHandle<Result<(), QueueError>>) {
    let ready = CancellationToken::new();
    let told = ready.clone();
    let mut keeper = Keeper {
        queue: parts.queue.clone(),
        entities: parts.entities(),
        name: process_name(),
        memory: Memory::new(&parts.settings.data_dir, &parts.settings.key_prefix),
        seen: None,
        prepared: false,
    };
    let keeper = tokio::spawn(async move {
        keeper.seen = keeper.memory.load().await;
        // The other roles neither accept jobs nor run them.
        let mut durability_told = !matches!(role, Role::Up | Role::Ingress | Role::Worker);
        let mut away = false;
        loop {
            let pause = match keeper.look().await {
                Ok(pause) => {
                    durability_told = durability_told || durability::tell(&keeper.queue).await;
                    if std::mem::take(&mut away) || !told.is_cancelled() {
                        tracing::info!("redis answers and its layout fits");
                    }
                    told.cancel();
                    pause
                }
                Err(error @ QueueError::Layout(_)) => {
                    tracing::error!(%error, "this program cannot work with what is in redis");
                    stop.cancel();
                    return Err(error);
                }
                Err(error) => {
                    keeper.prepared = false;
                    if !std::mem::replace(&mut away, true) {
                        tracing::error!(%error, "redis cannot be used, trying again");
                    }
                    AGAIN
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        if let Some(seen) = &keeper.seen {
            keeper.memory.keep_now(seen).await;
        }
        Ok(())
    });
    (ready, keeper)
}

/// What a process knows of the data in Redis.
struct Keeper {
    queue: Queue,
    entities: Vec<String>,
    /// Unlike that of any other process.
    name: String,
    memory: Memory,
    seen: Option<Seen>,
    /// All that the layout consists of is there, as far as is known.
    prepared: bool,
}

impl Keeper {
    /// Looks once, and sees to what is missing. Answers when to look again.
    async fn look(&mut self) -> Result<Duration, QueueError> {
        if !std::mem::replace(&mut self.prepared, true) {
            self.queue.prepare(Utc::now()).await?;
        }
        match self.queue.look(&self.name, self.seen.as_ref()).await? {
            Looked::Same(seen) => {
                self.memory.keep(&seen).await;
                self.seen = Some(seen);
                Ok(LOOK)
            }
            Looked::Bare => {
                self.prepared = false;
                Ok(Duration::ZERO)
            }
            Looked::Lost(_) => self.see_to_loss().await,
        }
    }

    /// One process at a time; whoever comes later finds that it was done. Should this process die before it has admitted
    /// the loss, another one begins anew: jobs that are queued already are not doubled.
    async fn see_to_loss(&self) -> Result<Duration, QueueError> {
        let right = self.queue.cell("advosync:loss");
        if !right.begin_renewal(&self.name, LEASE).await? {
            // Our own can only be a leftover: redis went away before it was given back.
            right.end_renewal(&self.name).await?;
            return Ok(LOOK_AGAIN);
        }
        if let (Some(seen), Looked::Lost(loss)) = (&self.seen, self.queue.look(&self.name, self.seen.as_ref()).await?) {
            let jobs = crate::cron::compare_everything(&self.queue, &self.entities).await?;
            self.queue.admit(seen, loss).await?;
            metrics::counter!("advosync_redis_losses_total", "how" => loss.name()).increment(1);
            tell(loss, jobs);
        }
        right.end_renewal(&self.name).await?;
        Ok(Duration::ZERO)
    }
}

fn tell(loss: Loss, jobs: usize) {
    match loss {
        Loss::Emptied => tracing::error!(
            jobs,
            "redis was emptied or exchanged: what waited in it is lost, everything is compared again; find out why (runbook, redis has lost data)"
        ),
        Loss::RolledBack => tracing::error!(
            jobs,
            "redis went back to an older state: what it was told since is lost, everything is compared again; find out why (runbook, redis has lost data)"
        ),
    }
}
