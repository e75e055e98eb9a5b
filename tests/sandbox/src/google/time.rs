//! The `start`, `end` and `originalStartTime` of an event: a day, or a moment in a zone.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use chrono::{Offset, TimeZone};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::options::Offsets;

/// A day of an all-day event, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Day(NaiveDate),
    Time(DateTime<Tz>),
}

/// Why a `start` or `end` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Neither date nor dateTime.
    Missing,
    /// Both, or a text that is neither.
    Malformed,
    /// No offset and no zone, or an unknown one.
    NoZone,
}

impl Moment {
    /// Reads a `start` or `end`; a moment without a zone of its own belongs to the calendar's.
    pub(crate) fn read(value: Option<&Value>, calendar: Tz) -> Result<Self, Fault> {
        let field = |name: &str| value.and_then(|value| value.get(name)).and_then(Value::as_str);
        let zone = field("timeZone").map(|name| name.parse::<Tz>().map_err(|_| Fault::NoZone)).transpose()?;
        match (field("date"), field("dateTime")) {
            (None, None) => Err(Fault::Missing),
            (Some(_), Some(_)) => Err(Fault::Malformed),
            (Some(day), None) => day.parse().map(Self::Day).map_err(|_| Fault::Malformed),
            (None, Some(text)) => {
                if let Ok(at) = DateTime::parse_from_rfc3339(text) {
                    return Ok(Self::Time(at.with_timezone(&zone.unwrap_or(calendar))));
                }
                let wall: NaiveDateTime = text.parse().map_err(|_| Fault::Malformed)?;
                Ok(Self::Time(in_zone(wall, zone.ok_or(Fault::NoZone)?)))
            }
        }
    }

    /// The same kind of moment at another wall-clock time.
    pub(crate) fn at(self, wall: NaiveDateTime) -> Self {
        match self {
            Self::Day(_) => Self::Day(wall.date()),
            Self::Time(at) => Self::Time(in_zone(wall, at.timezone())),
        }
    }

    /// What a clock on the wall shows; midnight of a day.
    pub(crate) fn wall(self) -> NaiveDateTime {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN),
            Self::Time(at) => at.naive_local(),
        }
    }

    /// Its place in time; a day begins at the calendar's midnight.
    pub(crate) fn instant(self, calendar: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => in_zone(day.and_time(NaiveTime::MIN), calendar).to_utc(),
            Self::Time(at) => at.to_utc(),
        }
    }

    pub(crate) fn is_day(self) -> bool {
        matches!(self, Self::Day(_))
    }

    /// What an instance's id ends with: `20260305` or `20260305T130000Z`.
    pub(crate) fn stamp(self) -> String {
        match self {
            Self::Day(day) => day.format("%Y%m%d").to_string(),
            Self::Time(at) => at.to_utc().format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// As an event shows it. `named`: whether the zone is named, too.
    pub(crate) fn shown(self, calendar: Tz, offsets: Offsets, named: bool) -> Value {
        match self {
            Self::Day(day) => json!({"date": spelled_day(day)}),
            Self::Time(at) => {
                let shown = if offsets == Offsets::OfCalendar { at.with_timezone(&calendar) } else { at };
                let mut value = json!({"dateTime": spelled(shown)});
                if named {
                    value["timeZone"] = json!(at.timezone().name());
                }
                value
            }
        }
    }
}

/// RFC 3339; an offset of zero is a Z.
fn spelled(at: DateTime<Tz>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, at.offset().fix().local_minus_utc() == 0)
}

fn spelled_day(day: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

/// A wall-clock time in a zone: the earlier of two in autumn, one hour later where spring leaves it out.
pub(crate) fn in_zone(wall: NaiveDateTime, zone: Tz) -> DateTime<Tz> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
        LocalResult::None => match zone.from_local_datetime(&(wall + TimeDelta::hours(1))) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
            LocalResult::None => zone.from_utc_datetime(&wall),
        },
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_come_back_with_the_offset_of_their_zone() {
        fn check(value: &Value, expected: &Value, stamp: &str) {
            let moment = Moment::read(Some(value), Berlin).unwrap_or_else(|fault| panic!("{value}: {fault:?}"));
            let named = value.get("timeZone").is_some();
            assert_eq!(moment.shown(Berlin, Offsets::OfZone, named), *expected, "{value}");
            assert_eq!(moment.stamp(), stamp, "{value}");
        }
        check(&json!({"date": "2026-03-05"}), &json!({"date": "2026-03-05"}), "20260305");
        check(
            &json!({"dateTime": "2026-03-05T14:00:00", "timeZone": "Europe/Berlin"}),
            &json!({"dateTime": "2026-03-05T14:00:00+01:00", "timeZone": "Europe/Berlin"}),
            "20260305T130000Z",
        );
        check(
            &json!({"dateTime": "2026-07-05T12:00:00Z", "timeZone": "America/New_York"}),
            &json!({"dateTime": "2026-07-05T08:00:00-04:00", "timeZone": "America/New_York"}),
            "20260705T120000Z",
        );
        check(
            &json!({"dateTime": "2026-07-05T12:00:00Z"}),
            &json!({"dateTime": "2026-07-05T14:00:00+02:00"}),
            "20260705T120000Z",
        );
        check(
            &json!({"dateTime": "2026-07-05T12:00:00.000Z", "timeZone": "UTC"}),
            &json!({"dateTime": "2026-07-05T12:00:00Z", "timeZone": "UTC"}),
            "20260705T120000Z",
        );
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        fn check(value: &Value, expected: Fault) {
            assert_eq!(Moment::read(Some(value), Berlin), Err(expected), "{value}");
        }
        check(&json!({}), Fault::Missing);
        check(&json!({"date": "2026-03-05", "dateTime": "2026-03-05T14:00:00Z"}), Fault::Malformed);
        check(&json!({"date": "5.3.2026"}), Fault::Malformed);
        check(&json!({"dateTime": "2026-03-05T14:00:00"}), Fault::NoZone);
        check(&json!({"dateTime": "2026-03-05T14:00:00", "timeZone": "W. Europe Standard Time"}), Fault::NoZone);
    }

    #[test]
    fn clock_changes_have_one_meaning() {
        fn check(wall: &str, expected: &str) {
            let wall = wall.parse().unwrap_or_else(|fault| panic!("{wall}: {fault}"));
            assert_eq!(in_zone(wall, Berlin).to_rfc3339(), expected);
        }
        check("2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00");
        check("2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00");
    }
}
