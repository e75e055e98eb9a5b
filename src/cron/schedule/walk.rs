//! The walk over real time: stretches of constant offset, and what happens where they meet.

use chrono::{DateTime, Duration, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::Schedule;

/// How far the walk looks for a next fire time. 29 February on one weekday comes round after 40 years at the latest
/// (over 2100, which is no leap year), so anything rarer never comes.
pub(super) const HORIZON_YEARS: u32 = 50;

/// Fire times in order, see [`Schedule::after`].
#[derive(Debug, Clone)]
pub struct FireTimes<'a> {
    schedule: &'a Schedule,
    /// The first second that has not been looked at.
    cursor: DateTime<Utc>,
    stretch: Stretch,
}

/// A stretch of real time in which the zone's offset does not change; at most a day long.
#[derive(Debug, Clone)]
struct Stretch {
    begin: DateTime<Utc>,
    end: DateTime<Utc>,
    offset: TimeDelta,
    /// Wall times that no clock showed just before `begin`.
    missing: Option<(NaiveDateTime, NaiveDateTime)>,
    /// Wall times before this one are shown for the second time.
    repeated_until: NaiveDateTime,
}

impl Stretch {
    fn first(zone: Tz, begin: DateTime<Utc>) -> Self {
        let offset = offset_at(zone, begin);
        let end = end_of_offset(zone, begin, offset);
        Self { begin, end, offset, missing: None, repeated_until: begin.naive_utc() + offset }
    }

    fn following(&self, zone: Tz) -> Self {
        let begin = self.end;
        let offset = offset_at(zone, begin);
        let (before, now) = (begin.naive_utc() + self.offset, begin.naive_utc() + offset);
        Self {
            begin,
            end: end_of_offset(zone, begin, offset),
            offset,
            missing: (now > before).then_some((before, now)),
            repeated_until: self.repeated_until.max(before),
        }
    }

    fn wall(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.naive_utc() + self.offset
    }
}

impl<'a> FireTimes<'a> {
    pub(super) fn new(schedule: &'a Schedule, after: DateTime<Utc>) -> Self {
        let cursor = after.with_nanosecond(0).unwrap_or(after) + TimeDelta::seconds(1);
        // A day earlier, so that a start inside the doubled hour knows which pass it is in.
        let stretch = Stretch::first(schedule.timezone, cursor - Duration::days(1));
        Self { schedule, cursor, stretch }
    }

    /// The first fire time in the present stretch, from the cursor on.
    fn within_stretch(&self) -> Option<DateTime<Utc>> {
        let (schedule, stretch) = (self.schedule, &self.stretch);
        let from = self.cursor.max(stretch.begin);
        if from >= stretch.end {
            return None;
        }
        if from == stretch.begin
            && let Some((begin, end)) = stretch.missing
            && schedule.first_wall(begin, end, schedule.fixed_hours).is_some()
        {
            return Some(from);
        }
        let (wall, end) = (stretch.wall(from), stretch.wall(stretch.end));
        let second_pass_end = stretch.repeated_until.clamp(wall, end);
        schedule
            .first_wall(wall, second_pass_end, schedule.interval_hours)
            .or_else(|| schedule.first_wall(second_pass_end, end, schedule.interval_hours | schedule.fixed_hours))
            .map(|found| (found - stretch.offset).and_utc())
    }
}

impl Iterator for FireTimes<'_> {
    type Item = DateTime<Utc>;

    fn next(&mut self) -> Option<DateTime<Utc>> {
        let horizon = self.cursor + Duration::days(366 * i64::from(HORIZON_YEARS));
        loop {
            if let Some(found) = self.within_stretch() {
                self.cursor = found + TimeDelta::seconds(1);
                return Some(found);
            }
            if self.stretch.begin > horizon {
                return None;
            }
            self.stretch = self.stretch.following(self.schedule.timezone);
        }
    }
}

fn offset_at(zone: Tz, instant: DateTime<Utc>) -> TimeDelta {
    let seconds = zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc();
    TimeDelta::seconds(i64::from(seconds))
}

/// The first second within a day of `begin` at which the offset is another one, else the end of that day. No zone changes
/// twice within a day and back.
fn end_of_offset(zone: Tz, begin: DateTime<Utc>, offset: TimeDelta) -> DateTime<Utc> {
    let (mut same, mut end) = (begin, begin + Duration::days(1));
    if offset_at(zone, end) == offset {
        return end;
    }
    while end - same > TimeDelta::seconds(1) {
        let middle = same + TimeDelta::seconds((end - same).num_seconds() / 2);
        if offset_at(zone, middle) == offset {
            same = middle;
        } else {
            end = middle;
        }
    }
    end
}
