//! Schedules become jobs, and nothing else happens here: any number of these processes may run, each slot fires once.
//!
//! `schedule` knows the fire times and `due.rs` decides (both pure), `fire.rs` does it. After a downtime a schedule
//! fires once, not once for each slot that was missed; at its first start ever it fires nothing. `docs/schedules.md` has
//! the rules.

mod due;
mod everything;
mod fire;
pub mod schedule;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

pub use due::{ALIVE, COUNTED, Decision, NextFn, PATIENCE, Watch, due, slots_due};
pub use everything::compare_everything;
use fire::Producer;
use schedule::Schedule;

use crate::queue::{Queue, QueueError};

/// The clock, UTC.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// While Redis is away it is tried again this often.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// No wait is longer: who looks less often does not know whether it has seen every slot come (`due::ALIVE`).
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// What is under way at a stop gets this long to finish.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What a schedule starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A sync of all calendars (`ADVOSYNC_CRON_CALENDAR`).
    Calendar,
    /// A sweep over the records of each mapping (`ADVOSYNC_CRON_RECORDS`).
    Records,
}

impl Work {
    /// The schedule's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Records => "records",
        }
    }
}

/// When which work starts.
#[derive(Clone)]
pub struct Planned {
    /// What it starts.
    pub work: Work,
    /// The expression as it stands in the settings, for logs.
    pub expression: String,
    /// The first fire time after an instant.
    pub next: Arc<NextFn>,
}

impl Planned {
    /// Work that starts whenever `schedule` fires.
    #[must_use]
    pub fn new(work: Work, schedule: Schedule) -> Self {
        let expression = schedule.expression().to_owned();
        Self { work, expression, next: Arc::new(move |instant| schedule.next_after(instant).ok()) }
    }
}

/// What the role needs.
#[derive(Clone)]
pub struct Options {
    /// Where jobs go.
    pub queue: Queue,
    /// The mappings' names.
    pub entities: Vec<String>,
    /// Those that are not turned off.
    pub schedules: Vec<Planned>,
    /// The clock.
    pub clock: Clock,
}

/// Fires schedules until `shutdown`. Redis that is away is tried again at least every 2 s and told once.
pub async fn run(options: Options, shutdown: CancellationToken) {
    let Options { queue, entities, schedules, clock } = options;
    for schedule in &schedules {
        let next = due::after(&*schedule.next, clock());
        tracing::info!(
            schedule = schedule.work.name(),
            expression = schedule.expression,
            next = next.map(|next| next.to_rfc3339()),
            "a schedule is set"
        );
        // There from the beginning, so that the first increase is seen as one.
        metrics::counter!("advosync_cron_fired_total", "schedule" => schedule.work.name()).increment(0);
        metrics::counter!("advosync_cron_missed_total", "schedule" => schedule.work.name()).increment(0);
    }
    let mut producer = Producer::new(queue, entities);
    let mut away = false;
    loop {
        let mut round = std::pin::pin!(look_after_all(&mut producer, &schedules, &clock));
        let looked = tokio::select! {
            looked = &mut round => looked,
            () = shutdown.cancelled() => {
                // What is cut short was done as a whole or not at all; another process goes on.
                let _ = tokio::time::timeout(FINISH_WITHIN, round).await;
                return;
            }
        };
        let wait = match looked {
            Ok(until) => {
                if std::mem::take(&mut away) {
                    tracing::info!("redis is back, schedules fire again");
                }
                let left = until.map(|until| (until - clock()).to_std().unwrap_or_default());
                left.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
            }
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!(%error, "schedules cannot fire, trying again");
                }
                TRY_AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Answers when the next of them is due. One that fails does not keep the others from being looked after.
async fn look_after_all(
    producer: &mut Producer,
    schedules: &[Planned],
    clock: &Clock,
) -> Result<Option<DateTime<Utc>>, QueueError> {
    let mut soonest: Option<DateTime<Utc>> = None;
    let mut failed = None;
    for schedule in schedules {
        match producer.look_after(schedule, clock()).await {
            Ok(until) => soonest = soonest.into_iter().chain(until).min(),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(soonest), Err)
}

#[cfg(test)]
mod tests;
