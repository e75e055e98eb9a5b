//! How long an appointment lasts, read alike on both sides.

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};

use super::clock;
use super::entry::When;
use super::scope::Multiday;

/// The last second of a day: Advoware's form of the midnight at its end (seed 001).
pub(super) fn day_end() -> NaiveTime {
    NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN)
}

/// An end at the midnight that begins a later day is one at the last second of the day before: Advoware would read that
/// midnight as the end of the later day.
pub(super) fn before_midnight(start: NaiveDateTime, end: NaiveDateTime) -> NaiveDateTime {
    let later = end.time() == NaiveTime::MIN && end.date() > start.date();
    if later { end - TimeDelta::seconds(1) } else { end }
}

/// When an appointment is that does not recur (C9). Lengths are wall time, so that a day of 23 or 25 hours is still one
/// day.
pub(super) fn single(start: NaiveDateTime, end: NaiveDateTime, multiday: Multiday) -> When {
    let end = before_midnight(start, end);
    if multiday == Multiday::AllDay && end - start > TimeDelta::hours(24) {
        return When::AllDay { first: start.date(), last: end.date() };
    }
    timed(start, end)
}

/// Times that exist. Where the move out of a gap takes the start past the end, the length is kept.
pub(super) fn timed(start: NaiveDateTime, end: NaiveDateTime) -> When {
    let (moved, length) = (clock::existing(start), end - start);
    let end = clock::existing(end);
    When::Timed { start: moved, end: if end < moved { moved + length } else { end } }
}

/// An instance of a series: one that fills its day lasts the whole day (C9).
pub(super) fn instance(when: When) -> When {
    match when {
        When::Timed { start, end } if start.time() == NaiveTime::MIN && end == start.date().and_time(day_end()) => {
            When::AllDay { first: start.date(), last: start.date() }
        }
        other => other,
    }
}
