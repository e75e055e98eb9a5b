//! `--wait`: until a job has ended, or until waiting makes no sense any more.

use std::time::Duration;

use anyhow::{Result, bail};
use chrono::Utc;
use tokio::time::Instant;

use super::progress::Progress;
use super::status::down;
use crate::clients::{ADVOWARE, ESPOCRM, GOOGLE};
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
    let mut guard = Guard::new(queue, flow, patience);
    loop {
        if let Some(ended) = waiter.poll().await? {
            return Ok(ended);
        }
        guard.check(progress).await?;
    }
}

/// As [`wait`], for jobs of one flow that run side by side; `progress` counts those that have ended. Their ends are in the
/// order of the waiters. The patience begins anew whenever one of them ends.
///
/// # Errors
/// As [`wait`].
pub(super) async fn wait_for_all(
    queue: &Queue,
    flow: Flow,
    mut waiters: Vec<Waiter>,
    patience: Patience,
    progress: &Progress,
) -> Result<Vec<Ended>> {
    let mut guard = Guard::new(queue, flow, patience);
    let mut ends: Vec<Option<Ended>> = waiters.iter().map(|_| None).collect();
    let mut told = 0;
    loop {
        for (waiter, end) in waiters.iter_mut().zip(&mut ends).filter(|(_, end)| end.is_none()) {
            *end = waiter.look().await?;
        }
        let ended = ends.iter().flatten().count();
        if std::mem::replace(&mut told, ended) < ended {
            guard = Guard::new(queue, flow, patience);
            progress.at(ended);
        }
        // Whatever ends in the flow wakes the first one, so it waits for all.
        let Some((waiter, end)) = waiters.iter_mut().zip(&mut ends).find(|(_, end)| end.is_none()) else {
            return Ok(ends.into_iter().flatten().collect());
        };
        *end = waiter.poll().await?;
        guard.check(progress).await?;
    }
}

/// Ends a wait that makes no sense any more.
pub(super) struct Guard<'a> {
    queue: &'a Queue,
    flow: Flow,
    patience: Patience,
    begun: Instant,
    alone_since: Option<Instant>,
    looked: Option<Instant>,
    /// Upstreams that people were told are down.
    told: Vec<&'static str>,
}

impl<'a> Guard<'a> {
    /// The patience begins now.
    pub(super) fn new(queue: &'a Queue, flow: Flow, patience: Patience) -> Self {
        Self { queue, flow, patience, begun: Instant::now(), alone_since: None, looked: None, told: Vec::new() }
    }

    /// An error where waiting makes no sense any more.
    pub(super) async fn check(&mut self, progress: &Progress) -> Result<()> {
        let (flow, patience) = (self.flow, self.patience);
        if self.begun.elapsed() > patience.whole {
            let minutes = patience.whole.as_secs().div_ceil(60);
            bail!("no job has ended within {minutes} minutes; it stays queued, `advosync status` shows what waits");
        }
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        self.tell_who_is_down(progress).await?;
        if has_worker(self.queue, flow).await? {
            self.alone_since = None;
            return Ok(());
        }
        let since = *self.alone_since.get_or_insert_with(|| {
            let seconds = patience.without_worker.as_secs();
            progress.remark(&format!("no worker reads the flow {flow}; waiting up to {seconds} s for one to start"));
            Instant::now()
        });
        if since.elapsed() >= patience.without_worker {
            bail!(
                "no worker reads the flow {flow}, so the job stays queued: start `advosync worker`, or see with \
                 `advosync status` why none reads it"
            );
        }
        Ok(())
    }
}

impl Guard<'_> {
    /// Says once of each upstream of the flow that its jobs wait for it.
    async fn tell_who_is_down(&mut self, progress: &Progress) -> Result<()> {
        let upstreams = match self.flow {
            Flow::Vmh => [ADVOWARE, ESPOCRM],
            Flow::Calendar => [ADVOWARE, GOOGLE],
        };
        for name in upstreams {
            if self.told.contains(&name) {
                continue;
            }
            if let Some(remark) = down(name, &self.queue.upstream(name).await?) {
                progress.remark(&remark);
                self.told.push(name);
            }
        }
        Ok(())
    }
}

/// A worker whose slots are all taken reads nothing, but it runs jobs.
async fn has_worker(queue: &Queue, flow: Flow) -> Result<bool> {
    let stats = queue.stats(Utc::now()).await?;
    Ok(stats.flows.get(flow.name()).is_some_and(|flow| flow.workers > 0 || flow.running > 0))
}
