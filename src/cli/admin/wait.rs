//! `--wait`: until a job has ended, or until waiting makes no sense any more.

use std::time::Duration;

use anyhow::{Result, bail};
use chrono::Utc;
use tokio::time::Instant;

use super::NO_CALENDARS_YET;
use super::progress::Progress;
use crate::queue::{Ended, Flow, PATIENCE, Queue, Waiter};

/// How long a wait may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// In all.
    pub(super) whole: Duration,
    /// While no worker reads the flow. Long enough for a worker that is being restarted; a job without any worker would
    /// otherwise be waited for in vain.
    pub(super) without_worker: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { whole: PATIENCE, without_worker: Duration::from_secs(20) }
    }
}

/// How often it is looked whether there are workers.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Waits for the end of a job. The job stays queued whatever comes of the waiting.
///
/// # Errors
/// Redis is away, no worker reads the flow, or the patience is used up.
pub(super) async fn wait(
    queue: &Queue,
    flow: Flow,
    waiter: &mut Waiter,
    patience: Patience,
    progress: &Progress,
) -> Result<Ended> {
    let begun = Instant::now();
    let mut alone_since: Option<Instant> = None;
    let mut looked: Option<Instant> = None;
    loop {
        if let Some(ended) = waiter.poll().await? {
            return Ok(ended);
        }
        if begun.elapsed() > patience.whole {
            let minutes = patience.whole.as_secs().div_ceil(60);
            bail!(
                "the job has not ended within {minutes} minutes; it stays queued, `advosync status` shows what waits"
            );
        }
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            continue;
        }
        looked = Some(Instant::now());
        if has_worker(queue, flow).await? {
            alone_since = None;
            continue;
        }
        let since = *alone_since.get_or_insert_with(|| {
            let seconds = patience.without_worker.as_secs();
            progress.remark(&format!("no worker reads the flow {flow}; waiting up to {seconds} s for one to start"));
            Instant::now()
        });
        if since.elapsed() >= patience.without_worker {
            bail!("no worker reads the flow {flow}, so the job stays queued: {}", remedy(flow));
        }
    }
}

const fn remedy(flow: Flow) -> &'static str {
    match flow {
        Flow::Calendar => NO_CALENDARS_YET,
        Flow::Vmh => "start `advosync worker`, or see with `advosync status` why none reads it",
    }
}

/// A worker whose slots are all taken reads nothing, but it runs jobs.
async fn has_worker(queue: &Queue, flow: Flow) -> Result<bool> {
    let stats = queue.stats(Utc::now()).await?;
    Ok(stats.flows.get(flow.name()).is_some_and(|flow| flow.workers > 0 || flow.running > 0))
}
