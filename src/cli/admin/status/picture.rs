//! What `status` read: Redis' counts, the upstreams' breakers, the schedules, and this machine's settings.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::clients::UPSTREAMS;
use crate::cron::Work;
use crate::cron::schedule::Schedule;
use crate::queue::{Loss, QueueError, Slots, Stats, Upstream};
use crate::roles::Parts;
use crate::settings::{Missing, Role, Settings, Source};
use crate::sync::ledger::Ledger;
use crate::sync::record::drift::{Tally, tally};
use crate::sync::record::merge::Side;

/// Everything at one moment.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// The moment.
    pub(super) now: DateTime<Utc>,
    /// Counts.
    pub(super) stats: Stats,
    /// Breakers by name.
    pub(super) upstreams: Vec<(&'static str, Upstream)>,
    /// The last time that Redis lost data, and when that was noticed.
    pub(super) loss: Option<(Loss, DateTime<Utc>)>,
    /// The zone in which people read times.
    pub(super) zone: Tz,
    /// Both schedules.
    pub(super) schedules: Vec<Planned>,
    /// What sweeps found that nobody had announced, one for each mapping.
    pub(super) drift: Vec<Drift>,
    /// What this machine's settings say of the upstreams; a worker elsewhere may have others. `None`: they have faults.
    pub(super) here: Option<Here>,
}

/// The records of one mapping in which a sweep found a difference that no event had announced.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    /// The mapping's name.
    pub(super) entity: String,
    /// Changed in Advoware, which announces nothing.
    pub(super) advoware: Tally,
    /// Changed in EspoCRM, whose webhook did not come.
    pub(super) espocrm: Tally,
}

/// One schedule.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// Its name.
    pub(super) name: &'static str,
    /// Its expression; none: off.
    pub(super) expression: Option<String>,
    /// What was fired and left out.
    pub(super) slots: Slots,
    /// The first two slots after the last one: in the past, they are overdue.
    pub(super) due: [Option<DateTime<Utc>>; 2],
    /// The first slot from now on.
    pub(super) next: Option<DateTime<Utc>>,
}

/// Settings of the upstreams.
#[derive(Debug, Clone)]
pub(super) struct Here {
    /// Whether nothing may be written to Advoware; none where Advoware is not configured.
    pub(super) write_protection: Option<bool>,
    /// What the upstreams lack.
    pub(super) missing: Vec<Missing>,
}

impl Picture {
    /// Reads all of it.
    pub(super) async fn take(parts: &Parts, source: &Source, now: DateTime<Utc>) -> Result<Self, QueueError> {
        let queue = &parts.queue;
        let mut upstreams = Vec::new();
        for name in UPSTREAMS {
            upstreams.push((name, queue.upstream(name).await?));
        }
        let cron = &parts.settings.cron;
        let mut schedules = Vec::new();
        for (work, schedule) in [(Work::Calendar, &cron.calendar), (Work::Records, &cron.records)] {
            let slots = queue.slots(work.name()).await?;
            schedules.push(Planned::new(work.name(), schedule.as_ref(), slots, now));
        }
        let mut drift = Vec::new();
        for entity in parts.entities() {
            let days = Ledger::new(queue.store(), &entity).drift().await?;
            let of = |side| tally(&days, side, now.date_naive());
            drift.push(Drift { advoware: of(Side::Advoware), espocrm: of(Side::Espocrm), entity });
        }
        Ok(Self {
            now,
            stats: queue.stats(now).await?,
            upstreams,
            loss: queue.last_loss().await?,
            zone: cron.timezone,
            schedules,
            drift,
            here: Here::read(source),
        })
    }
}

impl Planned {
    fn new(name: &'static str, schedule: Option<&Schedule>, slots: Slots, now: DateTime<Utc>) -> Self {
        let after = |instant| schedule.and_then(|schedule| schedule.next_after(instant).ok());
        let expression = schedule.map(|schedule| schedule.expression().to_owned());
        let first = slots.from.and_then(after);
        Self { name, expression, slots, due: [first, first.and_then(after)], next: after(now) }
    }
}

impl Here {
    /// An admin command itself calls no upstream and must work whatever their settings are, so they are read apart.
    fn read(source: &Source) -> Option<Self> {
        let settings = Settings::load(source, Role::Doctor).ok()?;
        let write_protection = settings.advoware.map(|advoware| advoware.write_protection);
        Some(Self { write_protection, missing: settings.missing })
    }
}
