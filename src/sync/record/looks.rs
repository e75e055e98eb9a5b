//! When which record is looked at again, so that what no event announced is found: pure.
//!
//! Every pair is looked at once in `recheck_hours`. Looks are spread over that time: each sweep takes the share that falls
//! into the time since the last one, longest unseen first. Records that changed lately are looked at more often, at intervals
//! of an eighth of the time since their last change, between 15 minutes and `recheck_hours`; only those are bounded by
//! `looks_per_hour`, because the daily comparison is a promise. Where Advoware's list carries rowIds, one call for it stands
//! for a look at every record in it, and the same interval, counted from the last change that any look found, says when.

use chrono::{DateTime, TimeDelta, Utc};

use super::mapping::{Mapping, Sweep};
use super::merge::Snapshot;
use super::normal::Seen;
use super::status;
use crate::sync::ledger::Pair;

/// The shortest interval, and how long it was since the last sweep where nobody knows.
pub const SHORTEST: TimeDelta = TimeDelta::minutes(15);
/// A record is looked at again after this share of the time since its last change.
const SHARE: i32 = 8;
/// Looks are spread over this share of `recheck_hours`, and begin this share of it after the last one: what was looked at in one
/// go is spread over a day by the next, with room for jobs that wait and sweeps that are late.
const SPREAD_PERCENT: i32 = 85;
const EARLY_PERCENT: i32 = 10;
/// After a downtime a sweep takes at most so many times its share, and at least [`CATCH_UP_AT_LEAST`].
const CATCH_UP: usize = 4;
const CATCH_UP_AT_LEAST: usize = 50;
/// Clocks of EspoCRM and Redis may differ by so much without an edit being taken for an older one.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// The time between the last sweep and this one, and what it may be spent on.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    recheck: TimeDelta,
    looks_per_hour: u32,
}

/// What is known of when a record was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// EspoCRM's id.
    pub id: String,
    /// When Advoware's side was seen last, UTC.
    pub at: DateTime<Utc>,
    /// When a change was found last, UTC; none within eight times `recheck_hours`.
    pub changed: Option<DateTime<Utc>>,
}

impl Pace {
    /// The pace of a sweep at `now`. What was missed for longer than `recheck_hours` is not made up for.
    #[must_use]
    pub fn new(sweep: &Sweep, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let recheck = TimeDelta::hours(i64::from(sweep.recheck_hours));
        let from = last.unwrap_or(now - SHORTEST).clamp(now - recheck, now);
        Self { from, to: now, recheck, looks_per_hour: sweep.looks_per_hour }
    }

    /// After how long at the latest a record is looked at again.
    #[must_use]
    pub const fn recheck(&self) -> TimeDelta {
        self.recheck
    }

    /// Since when changes count as late ones: those before make no interval shorter.
    #[must_use]
    pub fn lively_since(&self) -> DateTime<Utc> {
        self.to - self.recheck * SHARE
    }

    /// After how long something is looked at again whose last change is so long ago; none: nobody knows of one.
    #[must_use]
    pub fn interval(&self, since_change: Option<TimeDelta>) -> TimeDelta {
        let longest = self.spread();
        since_change.map_or(longest, |since| (since / SHARE).clamp(SHORTEST, longest))
    }

    /// Whether something is due that was looked at last at `looked` and changed last at `changed`.
    #[must_use]
    pub fn is_due(&self, looked: Option<DateTime<Utc>>, changed: Option<DateTime<Utc>>) -> bool {
        looked.is_none_or(|looked| {
            self.is_ahead(looked) || looked + self.interval(changed.map(|changed| self.to - changed)) <= self.to
        })
    }

    /// Whether a look was stamped by a clock that was wrong and has been put right since: it proves nothing, or nobody would
    /// look until that time comes. A look made while this sweep runs is no such one.
    fn is_ahead(&self, looked: DateTime<Utc>) -> bool {
        looked > self.to + SHORTEST
    }

    /// How many early looks may be spent.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.count(i64::from(self.looks_per_hour), TimeDelta::hours(1))
    }

    /// How many of `count` things, of which each is to be taken once in `recheck_hours`, fall into this sweep.
    #[must_use]
    pub fn share(&self, count: usize) -> usize {
        self.count(i64::try_from(count).unwrap_or(i64::MAX), self.spread())
    }

    fn spread(&self) -> TimeDelta {
        self.recheck * SPREAD_PERCENT / 100
    }

    /// The most that a sweep takes of `count` things after a downtime, or when there are many more than before.
    #[must_use]
    pub fn at_most(&self, count: usize) -> usize {
        self.share(count).saturating_mul(CATCH_UP).max(CATCH_UP_AT_LEAST)
    }

    /// `count` in each `period`, for the time from the last sweep to this one. Counted from the epoch, so that nothing is
    /// lost or doubled by rounding, however the sweeps fall.
    fn count(&self, count: i64, period: TimeDelta) -> usize {
        let period = i128::from(period.num_milliseconds().max(1));
        let until = |at: DateTime<Utc>| (i128::from(count) * i128::from(at.timestamp_millis())).div_euclid(period);
        usize::try_from(until(self.to) - until(self.from)).unwrap_or(0)
    }

    /// Which records the daily comparison takes now. `oldest`: those that were looked at longest ago, that one first, at
    /// least [`Pace::at_most`] of the `count` there are. `listed`: the list stands for looks at those that are in it, so only
    /// what it does not show for too long is left.
    #[must_use]
    pub fn daily(&self, oldest: &[Look], count: usize, listed: bool) -> Vec<String> {
        let share = if listed { 0 } else { self.share(count) };
        let early = self.recheck * EARLY_PERCENT / 100;
        // Without the list, what would be late by the next sweep is late.
        let ahead = if listed { TimeDelta::zero() } else { (self.to - self.from).min(SHORTEST) };
        let taken = oldest.iter().take(self.at_most(count)).enumerate().filter(|(place, look)| {
            look.at + self.recheck <= self.to + ahead || *place < share && look.at + early <= self.to
        });
        taken.map(|(_, look)| look.id.clone()).collect()
    }

    /// Which of the records that changed lately are due, the most overdue first, within the budget.
    #[must_use]
    pub fn early(&self, lively: &[Look]) -> Vec<String> {
        let mut due: Vec<(TimeDelta, &Look)> = lively
            .iter()
            .filter(|look| self.is_due(Some(look.at), look.changed))
            .map(|look| (look.at - self.to, look))
            .collect();
        due.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.id.cmp(&other.id)));
        due.into_iter().take(self.budget()).map(|(_, look)| look.id.clone()).collect()
    }
}

/// Whether EspoCRM's record, as a list shows it, proves that it needs no run: it is clean, tied to its pair, and says of
/// every synced field what the last agreement says. What the list does not show proves nothing.
#[must_use]
pub fn in_step(mapping: &Mapping, record: &serde_json::Map<String, serde_json::Value>, pair: Option<&Pair>) -> bool {
    let Some(pair) = pair.filter(|pair| pair.note.is_none() && pair.message.is_none()) else { return false };
    let Some(Snapshot { espocrm: agreed, .. }) = &pair.snapshot else { return false };
    let shown = mapping.from_espocrm(record);
    let same = |field: &&super::mapping::Field| {
        let (agreed, shown) = (agreed.get(&field.advoware), shown.get(&field.advoware));
        // Hidden then and hidden now: nobody has anything to say of it.
        agreed == Seen::Absent && shown == Seen::Absent || field.same(agreed, shown)
    };
    mapping.espocrm.sync_fields().into_iter().all(|field| record.contains_key(field))
        && status::is_clean(mapping, record, &pair.number, pair.row_id.as_deref())
        && mapping.fields.iter().filter(|field| field.may_flow_to_advoware()).all(|field| same(&field))
}

/// Whether a record was looked at within `recheck_hours` and since it was modified: what such a look left different, such
/// as a value that may not flow, stays so until somebody edits it.
#[must_use]
pub fn looked_since(pace: &Pace, looked: Option<DateTime<Utc>>, modified: Option<DateTime<Utc>>) -> bool {
    let (Some(looked), Some(modified)) = (looked, modified) else { return false };
    !pace.is_ahead(looked) && pace.to - looked < pace.recheck && modified + SKEW < looked
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;
