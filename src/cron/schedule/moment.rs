//! A point in time as a person types it: with an offset, or as wall time of a zone.

use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

/// A time such as `2026-03-29T01:00:00Z` (fixed), or `2026-03-29T02:30` or `2026-03-29` (wall time of a zone).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It carried an offset.
    Instant(DateTime<Utc>),
    /// It carried none; [`Moment::in_zone`] says when it is.
    Wall(NaiveDateTime),
}

/// The text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: write 2026-03-29T02:30 (wall time), 2026-03-29, or 2026-03-29T00:30:00Z")]
pub struct MomentError(String);

impl Moment {
    /// The instant that is meant: a wall time that comes twice is its first pass, one that is missing is the first instant
    /// after the gap, as for fire times.
    #[must_use]
    pub fn in_zone(self, zone: Tz) -> DateTime<Utc> {
        let wall = match self {
            Self::Instant(instant) => return instant,
            Self::Wall(wall) => wall,
        };
        match zone.from_local_datetime(&wall) {
            LocalResult::Single(only) | LocalResult::Ambiguous(only, _) => only.to_utc(),
            LocalResult::None => {
                GapInfo::new(&wall, &zone).and_then(|gap| gap.end).map_or_else(|| wall.and_utc(), |end| end.to_utc())
            }
        }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let text = text.trim();
        let refused = || MomentError(text.to_owned());
        // Four-digit years only: far beyond, date arithmetic would leave chrono's range.
        let four_digits = text.len() >= 10 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit);
        if !four_digits || text.as_bytes()[4] != b'-' {
            return Err(refused());
        }
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Instant(instant.to_utc()));
        }
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .or_else(|| text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN)))
            .map(Self::Wall)
            .ok_or_else(refused)
    }
}
