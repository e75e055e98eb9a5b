//! Puts a due slot's jobs on the streams, once over all processes.
//!
//! A crash must not lose a slot, so its jobs are enqueued *before* it is marked as taken. On its own that could run a
//! sweep twice: a process that is a moment behind would enqueue again after a worker has already finished the first
//! job (a job that is still queued is not doubled in any case). So one process at a time fires a schedule, under a
//! lease, and looks at the mark again once it holds it. What remains: a process that dies between enqueuing and marking
//! leaves a slot that is fired once more when its lease has run out. At least once, and a sweep that runs twice does no harm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::due::{Decision, after, due};
use super::{Planned, Work};
use crate::queue::{Batch, Lane, Queue, QueueError, Topic};

/// How long one process may hold the right to fire; also how late a slot is whose process died while firing it.
const LEASE: Duration = Duration::from_secs(10);
/// Whoever finds the right taken looks again after this time.
const LOOK_AGAIN: TimeDelta = TimeDelta::milliseconds(250);
/// A last slot that lies further ahead than this is no difference between two machines' clocks.
const FAR_AHEAD: TimeDelta = TimeDelta::hours(1);

/// Fires schedules in the name of one process.
pub(super) struct Producer {
    pub(super) queue: Queue,
    pub(super) entities: Vec<String>,
    /// Unlike that of any other process.
    pub(super) owner: String,
    /// Whether it was told already that a slot lies in the future.
    pub(super) told_ahead: AtomicBool,
}

impl Producer {
    /// Fires `schedule` if it is due. Answers when to look again; `None`: it never fires again.
    pub(super) async fn look_after(
        &self,
        schedule: &Planned,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, QueueError> {
        let name = schedule.work.name();
        let last = self.queue.last_slot(name).await?;
        if let Some(last) = last.filter(|last| *last > now + FAR_AHEAD)
            && !self.told_ahead.swap(true, Ordering::Relaxed)
        {
            tracing::error!(schedule = name, %last, "a slot in the future was fired, the schedule rests until then: check the clocks of all machines");
        }
        match due(last, now, &*schedule.next) {
            Decision::Never => Ok(None),
            Decision::Wait(until) => Ok(Some(until)),
            Decision::Begin => {
                self.queue.take_slot(name, now).await?;
                tracing::info!(schedule = name, "a schedule begins");
                Ok(after(&*schedule.next, now))
            }
            Decision::Fire(slot) => {
                let right = self.queue.cell(&format!("cron:firing:{name}"));
                if !right.begin_renewal(&self.owner, LEASE).await? {
                    // Our own can only be a leftover: redis went away before it was given back.
                    right.end_renewal(&self.owner).await?;
                    return Ok(Some(now + LOOK_AGAIN));
                }
                let fired = self.fire(schedule.work, slot).await;
                // Left over it expires by itself; what counts is whether the slot was fired.
                if let Err(error) = right.end_renewal(&self.owner).await {
                    tracing::debug!(schedule = name, %error, "the right to fire was not given back and will expire");
                }
                fired?;
                Ok(after(&*schedule.next, slot))
            }
        }
    }

    async fn fire(&self, work: Work, slot: DateTime<Utc>) -> Result<(), QueueError> {
        let name = work.name();
        if self.queue.last_slot(name).await?.is_some_and(|last| last >= slot) {
            return Ok(());
        }
        let mut new = 0;
        for (topic, key) in work.jobs(&self.entities) {
            let keys = [key.to_owned()];
            new += self.queue.enqueue(&Batch::new(topic, Lane::Sweep, &keys, "cron")).await?.new.len();
        }
        if self.queue.take_slot(name, slot).await? {
            metrics::counter!("advosync_cron_fired_total", "schedule" => name).increment(1);
            tracing::info!(schedule = name, %slot, new, "a schedule fired");
        } else {
            tracing::warn!(schedule = name, %slot, "a slot was fired by two processes, redis or this machine is very slow");
        }
        Ok(())
    }
}

impl Work {
    /// The jobs of one slot: topic and key.
    pub(super) fn jobs(self, entities: &[String]) -> Vec<(Topic, &'static str)> {
        match self {
            Self::Calendar => vec![(Topic::CalendarAll, "ALL")],
            Self::Records => entities.iter().map(|entity| (Topic::Sweep { entity: entity.clone() }, "all")).collect(),
        }
    }
}
