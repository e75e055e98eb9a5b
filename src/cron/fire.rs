//! Fires due slots, each once over all processes.
//!
//! One function of Redis compares, puts all jobs of the slot on their streams and marks it (`queue::Firing`): a process
//! that dies before has done nothing, one that dies after has done all. So there is no lease, no leader, and nothing to
//! clean up; of several processes that try at once one fires, and the others learn of it and go on from there.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::due::{Decision, Watch, due};
use super::{Planned, Work};
use crate::queue::{Fired, Firing, Queue, QueueError, Topic};

/// A last slot that lies further ahead than this is no difference between two machines' clocks.
const FAR_AHEAD: TimeDelta = TimeDelta::hours(1);

/// Fires schedules in the name of one process.
pub(super) struct Producer {
    queue: Queue,
    entities: Vec<String>,
    /// By schedule.
    watches: HashMap<&'static str, Watch>,
    /// Whether it was told already that a slot lies in the future.
    told_ahead: bool,
}

impl Producer {
    pub(super) fn new(queue: Queue, entities: Vec<String>) -> Self {
        Self { queue, entities, watches: HashMap::new(), told_ahead: false }
    }

    /// Fires what is due of `schedule`. Answers when to look again; `None`: it never fires again.
    pub(super) async fn look_after(
        &mut self,
        schedule: &Planned,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, QueueError> {
        let name = schedule.work.name();
        let mut last = self.queue.last_slot(name).await?;
        let since = self.looked(name, now, last).since();
        if let Some(last) = last.filter(|last| *last > now + FAR_AHEAD)
            && !std::mem::replace(&mut self.told_ahead, true)
        {
            tracing::error!(schedule = name, %last, "a slot in the future was fired, the schedule rests until then: check the clocks of all machines");
        }
        loop {
            last = match due(last, since, now, &*schedule.next) {
                Decision::Never => return Ok(None),
                Decision::Wait(until) => return Ok(Some(until)),
                Decision::Begin => {
                    let from = self.queue.begin_schedule(name, now).await?;
                    tracing::info!(schedule = name, %from, "a schedule begins");
                    Some(from)
                }
                Decision::Fire { slot, missed } => match last {
                    Some(after) => self.fire(schedule.work, after, slot, missed).await?,
                    None => None,
                },
            };
        }
    }

    /// Redis answered a look.
    fn looked(&mut self, name: &'static str, now: DateTime<Utc>, last: Option<DateTime<Utc>>) -> Watch {
        let before = self.watches.get(name).copied();
        let watch = Watch::after_look(before, now, last);
        self.watches.insert(name, watch);
        if before.is_none_or(|before| before.since() < watch.since()) {
            let last = last.map(|last| last.to_rfc3339());
            tracing::info!(schedule = name, last, "a schedule is looked after");
        }
        watch
    }

    /// Answers the slot that counts as the last one now.
    async fn fire(
        &self,
        work: Work,
        after: DateTime<Utc>,
        slot: DateTime<Utc>,
        missed: u32,
    ) -> Result<Option<DateTime<Utc>>, QueueError> {
        let (schedule, jobs) = (work.name(), work.jobs(&self.entities));
        let fired = self.queue.fire_slot(&Firing { schedule, after, slot, missed, jobs: &jobs }).await?;
        let new = match fired {
            Fired::Now(new) => new,
            Fired::Not(stands) => return Ok(stands),
        };
        metrics::counter!("advosync_cron_fired_total", "schedule" => schedule).increment(1);
        metrics::counter!("advosync_cron_missed_total", "schedule" => schedule).increment(missed.into());
        tracing::info!(schedule, %slot, new, "a schedule fired");
        if missed > 0 {
            tracing::warn!(schedule, %slot, missed, "slots of a schedule were left out, one run makes up for them");
        }
        Ok(Some(slot))
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
