//! Reads Advoware's Termine into the normal form, and writes them (seed 001, "Datenmapping und Standardisierung"; contract "Termine").

mod field;
mod form;
#[cfg(test)]
mod tests;
mod write;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use self::field::{Absent, Moment};
pub use self::write::{changed, expressed, new, single};
use super::entry::{Entry, Series, Unit, When};
use super::pair::Prints;
use super::scope::{Multiday, Rules};
use super::{Record, span};

/// A Termin, read for one employee's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Termin {
    /// Its `frNr`.
    pub number: i64,
    /// Its `rowId`, where it has one.
    pub row_id: Option<String>,
    /// What it says.
    pub entry: Entry,
    /// The fingerprints of that.
    pub prints: Prints,
    /// Whose it is.
    pub belongs: Belongs,
    /// What was odd about it, as stable words for reports: `reversed`, `bad_time`, `bad_date`, `unknown_turnus_art`.
    pub remarks: Vec<&'static str>,
    /// As it came: a PUT sends the whole of it back.
    pub raw: Record,
}

/// Whose a Termin is, as seen by one employee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// The employee's alone.
    Own,
    /// The employee's and somebody else's, or everybody's (`anwalt` empty, `ALLE` or `Allgemein`).
    Shared,
    /// Somebody else's.
    Foreign,
}

/// A Termin that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a termin cannot be read: {reason}")]
pub struct Unusable {
    /// Its `frNr`, where it has one.
    pub number: Option<i64>,
    /// Why, as a stable word: `no_number`, `no_date`, `bad_date`.
    pub reason: &'static str,
}

impl Termin {
    /// Reads one for the calendar of an employee. A field that is missing or cannot be read gets its default (seed 001),
    /// the latter with a remark; only a Termin without a number or a first day is unusable.
    pub fn read(record: &Record, kuerzel: &str, rules: &Rules) -> Result<Self, Unusable> {
        let number = field::number(record, "frNr").filter(|number| *number != 0);
        let number = number.ok_or(Unusable { number: None, reason: "no_number" })?;
        let datum = field::moment(record, "datum").map_err(|absent| {
            let reason = if absent == Absent::Missing { "no_date" } else { "bad_date" };
            Unusable { number: Some(number), reason }
        })?;
        let mut reader = Reader { record, remarks: Vec::new() };
        let (when, series) = reader.times(datum, rules.multiday);
        let entry = Entry {
            when,
            text: field::text(record, "text"),
            notiz: field::text(record, "notiz"),
            ort: field::text(record, "ort"),
            series,
        };
        let row_id = Some(field::text(record, "rowId")).filter(|id| !id.is_empty());
        let belongs = belongs(&field::text(record, "anwalt"), &field::text(record, "sb"), kuerzel);
        let prints = entry.prints();
        Ok(Self { number, row_id, entry, prints, belongs, remarks: reader.remarks, raw: record.clone() })
    }

    /// Whether Advoware made it itself (travel time, holiday): shown, never written.
    #[must_use]
    pub const fn is_generated(&self) -> bool {
        self.number < 0
    }
}

fn belongs(anwalt: &str, sb: &str, kuerzel: &str) -> Belongs {
    let ours = |name: &str| name.to_lowercase() == kuerzel.trim().to_lowercase();
    let everybody = ["", "alle", "allgemein"].contains(&anwalt.to_lowercase().as_str());
    match (ours(anwalt), ours(sb)) {
        _ if everybody => Belongs::Shared,
        (true, true) => Belongs::Own,
        (true, false) if sb.is_empty() => Belongs::Own,
        (false, false) => Belongs::Foreign,
        _ => Belongs::Shared,
    }
}

struct Reader<'a> {
    record: &'a Record,
    remarks: Vec<&'static str>,
}

impl Reader<'_> {
    fn times(&mut self, datum: Moment, multiday: Multiday) -> (When, Option<Series>) {
        let from = self.time("uhrzeitVon").or(datum.time).unwrap_or_else(|| hour(9));
        let start = datum.date.and_time(from);
        let last = self.last_day();
        if field::number(self.record, "dauertermin") != Some(1) {
            return (self.single(start, last, multiday), None);
        }
        match field::number(self.record, "turnus").filter(|turnus| *turnus >= 1) {
            None => (self.whole_days(datum.date, last), None),
            Some(turnus) => (self.instance(start), self.series(datum.date, last, turnus)),
        }
    }

    fn single(&mut self, start: NaiveDateTime, last: Option<NaiveDate>, multiday: Multiday) -> When {
        let end = match last {
            None => start + TimeDelta::hours(1),
            Some(last) => self.end(start, last, last > start.date()),
        };
        span::single(start, end, multiday)
    }

    fn whole_days(&mut self, first: NaiveDate, last: Option<NaiveDate>) -> When {
        let last = last.unwrap_or(first);
        if last < first {
            self.remark("reversed");
        }
        When::AllDay { first, last: last.max(first) }
    }

    /// The first instance of a series, which lasts no longer than its day.
    fn instance(&mut self, start: NaiveDateTime) -> When {
        let day = start.date();
        let end = self.end(start, day, true);
        span::instance(span::timed(start, end))
    }

    fn series(&mut self, first: NaiveDate, last: Option<NaiveDate>, turnus: i64) -> Option<Series> {
        let unit = match field::number(self.record, "turnusArt") {
            Some(1) => Some(Unit::Day),
            Some(2) => Some(Unit::Week),
            Some(3) => Some(Unit::Month),
            Some(4) => Some(Unit::Year),
            _ => None,
        };
        let Some((unit, interval)) = unit.zip(u32::try_from(turnus).ok()) else {
            self.remark("unknown_turnus_art");
            return None;
        };
        if last.is_some_and(|last| last < first) {
            self.remark("reversed");
            return None;
        }
        Some(Series { unit, interval, until: last.filter(|last| !is_open(*last)) })
    }

    /// The end on a day; midnight may stand for the end of that day (seed 001).
    fn end(&mut self, start: NaiveDateTime, day: NaiveDate, midnight_is_day_end: bool) -> NaiveDateTime {
        let to = self.time("uhrzeitBis").unwrap_or_else(|| hour(10));
        let to = if midnight_is_day_end && to == NaiveTime::MIN { span::day_end() } else { to };
        let end = day.and_time(to);
        if end < start {
            self.remark("reversed");
            return span::before_midnight(start, start + TimeDelta::hours(1));
        }
        end
    }

    fn last_day(&mut self) -> Option<NaiveDate> {
        let read = field::moment(self.record, "datumBis");
        if read == Err(Absent::Unreadable) {
            self.remark("bad_date");
        }
        read.ok().map(|moment| moment.date)
    }

    fn time(&mut self, name: &str) -> Option<NaiveTime> {
        let read = field::time(self.record, name);
        if read == Err(Absent::Unreadable) {
            self.remark("bad_time");
        }
        read.ok()
    }

    fn remark(&mut self, remark: &'static str) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

/// What Advoware stores as the end of a series that has none.
fn open_end() -> NaiveDate {
    NaiveDate::from_ymd_opt(2037, 12, 31).unwrap_or(NaiveDate::MAX)
}

fn is_open(last: NaiveDate) -> bool {
    last >= open_end()
}

fn hour(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN)
}
