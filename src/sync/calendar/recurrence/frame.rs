//! Where a rule's wall time lies: the event's zone, its first instance, its length.

use chrono::{DateTime, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono::{Months, TimeZone as _};
use chrono_tz::{Europe::Berlin, Tz};

use crate::sync::calendar::clock;
use crate::sync::calendar::entry::When;
use crate::sync::calendar::pair::Original;

/// What makes an instance of a wall time. Instances are known by their [`Original`]: days of an all-day event, instants of a
/// timed one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// The first instance's start in the event's zone; of an all-day event, midnight.
    pub start: NaiveDateTime,
    /// The event's zone; an all-day event has none, and Berlin stands for it.
    pub zone: Tz,
    pub all_day: bool,
    /// On the clock of the event's zone; of an all-day event, from the first to the last day.
    length: TimeDelta,
}

impl Frame {
    pub(super) fn new(when: &When, zone: Option<Tz>) -> Self {
        match *when {
            When::AllDay { first, last } => {
                let start = first.and_time(NaiveTime::MIN);
                Self { start, zone: Berlin, all_day: true, length: (last - first).max(TimeDelta::zero()) }
            }
            When::Timed { start, end } => {
                let zone = zone.unwrap_or(Berlin);
                let wall = |berlin: NaiveDateTime| match zone {
                    zone if zone == Berlin => berlin,
                    zone => clock::instant(berlin).with_timezone(&zone).naive_local(),
                };
                let length = (wall(end) - wall(start)).max(TimeDelta::zero());
                Self { start: wall(start), zone, all_day: false, length }
            }
        }
    }

    /// The instant of a wall time in the event's zone, by the rules of [`clock::instant`].
    pub(super) fn instant(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        if self.zone == Berlin {
            return clock::instant(wall);
        }
        match self.zone.from_local_datetime(&wall) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
            // Some zones have left out a whole day.
            MappedLocalTime::None => [4, 26]
                .into_iter()
                .filter_map(|hours| wall.checked_sub_signed(TimeDelta::hours(hours)).zip(Some(TimeDelta::hours(hours))))
                .find_map(|(before, hours)| Some(self.zone.from_local_datetime(&before).earliest()?.to_utc() + hours))
                .unwrap_or_else(|| wall.and_utc()),
        }
    }

    /// The same event, its wall time read in another zone.
    pub(super) const fn within(&self, zone: Tz) -> Self {
        Self { zone, ..*self }
    }

    /// Whether the wall time is there at all.
    pub(super) fn exists(&self, wall: NaiveDateTime) -> bool {
        self.all_day || !matches!(self.zone.from_local_datetime(&wall), MappedLocalTime::None)
    }

    /// The instance that begins then.
    pub(super) fn key(&self, wall: NaiveDateTime) -> Original {
        if self.all_day { Original::Day(wall.date()) } else { Original::Instant(self.instant(wall)) }
    }

    /// The first instance.
    pub(super) fn first(&self) -> Original {
        self.key(self.start)
    }

    /// When an instance begins in the event's zone; none: it is not of this kind of event.
    pub(super) fn wall(&self, key: Original) -> Option<NaiveDateTime> {
        match key {
            Original::Day(day) if self.all_day => Some(day.and_time(NaiveTime::MIN)),
            Original::Instant(at) if !self.all_day => Some(at.with_timezone(&self.zone).naive_local()),
            _ => None,
        }
    }

    /// When an instance is, in Berlin.
    pub(super) fn when(&self, key: Original) -> When {
        match key {
            Original::Day(first) => {
                When::AllDay { first, last: first.checked_add_signed(self.length).unwrap_or(NaiveDate::MAX) }
            }
            Original::Instant(at) => {
                let wall = at.with_timezone(&self.zone).naive_local();
                let end = wall.checked_add_signed(self.length).map_or(at, |end| self.instant(end));
                let start = clock::berlin(at);
                When::Timed { start, end: clock::berlin(end).max(start) }
            }
        }
    }

    /// The last moment at which an instance can begin on a day of the event's zone.
    pub(super) fn end_of(&self, day: NaiveDate) -> Original {
        if self.all_day {
            return Original::Day(day);
        }
        let after = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        Original::Instant(self.instant(after.and_time(NaiveTime::MIN)) - TimeDelta::seconds(1))
    }

    /// How many days an instance reaches beyond its first.
    pub(super) fn days(&self) -> u64 {
        u64::try_from(self.length.num_days()).unwrap_or(0).saturating_add(1)
    }

    /// So many years after the start, in the event's zone.
    pub(super) fn after_years(&self, years: i32) -> NaiveDateTime {
        let months = u32::try_from(years).unwrap_or(0).saturating_mul(12);
        // Years that the walk can count.
        let most = NaiveDate::from_ymd_opt(9_000, 1, 1).map_or(self.start, |day| day.and_time(NaiveTime::MIN));
        self.start.checked_add_months(Months::new(months)).map_or(most, |far| far.min(most)).max(self.start)
    }
}
