//! Wall time in Europe/Berlin, which both sides are read into.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Europe::Berlin;

/// The wall time in Berlin at an instant.
#[must_use]
pub fn berlin(at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&Berlin).naive_local()
}

/// The instant of a wall time in Berlin: the first pass of a doubled hour; in an hour that is left out, as long after
/// the change as the time is after the hour's beginning.
#[must_use]
pub fn instant(wall: NaiveDateTime) -> DateTime<Utc> {
    match Berlin.from_local_datetime(&wall) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        MappedLocalTime::None => {
            // No change leaves out more than two hours, so the offset before it is still the one that was in force.
            let before = TimeDelta::hours(4);
            let earlier = Berlin.from_local_datetime(&(wall - before)).earliest();
            earlier.map_or_else(|| wall.and_utc(), |at| at.to_utc() + before)
        }
    }
}

/// A wall time that exists: one in the hour that a clock change leaves out moves forward by the gap.
#[must_use]
pub fn existing(wall: NaiveDateTime) -> NaiveDateTime {
    match Berlin.from_local_datetime(&wall) {
        MappedLocalTime::None => berlin(instant(wall)),
        _ => wall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clock_changes_of_2026_are_met() {
        let check = |wall: &str, exists: &str, at: &str| {
            let wall: NaiveDateTime = wall.parse().unwrap();
            assert_eq!(existing(wall), exists.parse().unwrap(), "{wall}");
            assert_eq!(instant(wall), at.parse::<DateTime<Utc>>().unwrap(), "{wall}");
            assert_eq!(existing(existing(wall)), existing(wall));
        };
        check("2026-03-29T01:59:59", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z");
        check("2026-03-29T02:00:00", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z");
        check("2026-03-29T02:30:00", "2026-03-29T03:30:00", "2026-03-29T01:30:00Z");
        check("2026-03-29T03:00:00", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z");
        check("2026-10-25T02:30:00", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z");
        check("2026-10-25T03:00:00", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z");
    }
}
