//! How calendars are synced.

use std::time::Duration;

use super::fault::Problem;
use super::parse;
use super::reader::Reader;

/// The rules of the calendar sync that a firm may choose.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Only these Kürzel are synced by the sweep; none: everybody.
    pub debug_employees: Option<Vec<String>>,
    /// How far back the window reaches.
    pub past: Duration,
    /// How far ahead the window reaches.
    pub future: Duration,
    /// How many deletions of one calendar may happen at once.
    pub max_deletions: MaxDeletions,
    /// The title of events in anonymised mode.
    pub blocked_title: String,
    /// What becomes of entries longer than a day.
    pub multiday: Multiday,
}

/// A bound on deletions: the larger of a count and a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxDeletions {
    /// So many are always allowed.
    pub count: usize,
    /// This share of the calendar's entries is allowed, in percent, rounded down.
    pub percent: usize,
}

impl MaxDeletions {
    /// The most deletions that a calendar of `entries` entries allows at once.
    #[must_use]
    pub fn allowed(self, entries: usize) -> usize {
        self.count.max(entries.saturating_mul(self.percent) / 100)
    }
}

/// What becomes of an entry that is longer than a day (seed 001).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiday {
    /// An all-day event.
    AllDay,
    /// An event with its clock times.
    Timed,
}

impl Calendar {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let window = || parse::duration_in(Duration::ZERO..=Duration::from_hours(87840));
        Self {
            debug_employees: reader.optional("CALENDAR_SYNC_DEBUG_EMPLOYEES", parse::kuerzel_list),
            past: reader.value("CALENDAR_SYNC_PAST", window()),
            future: reader.value("CALENDAR_SYNC_FUTURE", window()),
            max_deletions: reader.value("CALENDAR_SYNC_MAX_DELETIONS", max_deletions),
            blocked_title: reader.value("CALENDAR_SYNC_BLOCKED_TITLE", |text| Ok(text.to_owned())),
            multiday: reader.value("CALENDAR_SYNC_MULTIDAY", multiday),
        }
    }
}

fn max_deletions(text: &str) -> Result<MaxDeletions, Problem> {
    let refused = || {
        Problem::new(
            format!("`{text}` is no bound on deletions"),
            "write max(5,10%), a count such as 5, or a share such as 10%",
        )
    };
    let inner = text.strip_prefix("max(").map_or(Some(text), |rest| rest.strip_suffix(')')).ok_or_else(refused)?;
    let (mut count, mut percent) = (None, None);
    for part in inner.split(',').map(str::trim) {
        let (slot, digits, most) = match part.strip_suffix('%') {
            Some(share) => (&mut percent, share.trim_end(), 100),
            None => (&mut count, part, 1_000_000),
        };
        let number = digits.parse::<usize>().ok().filter(|number| *number <= most).ok_or_else(refused)?;
        if slot.replace(number).is_some() {
            return Err(refused());
        }
    }
    if count.is_some() && percent.is_some() && inner.len() == text.len() {
        return Err(refused());
    }
    Ok(MaxDeletions { count: count.unwrap_or(0), percent: percent.unwrap_or(0) })
}

fn multiday(text: &str) -> Result<Multiday, Problem> {
    match text {
        "all-day" => Ok(Multiday::AllDay),
        "timed" => Ok(Multiday::Timed),
        _ => Err(Problem::new(format!("`{text}` is neither all-day nor timed"), "write all-day or timed")),
    }
}
