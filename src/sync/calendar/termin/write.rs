//! Writes the normal form as a Termin (seed 001, "Standard → Advoware"; contract "Termine"; C6, C9).
//!
//! A change is tried from the least intrusion to the most, and the first that reads back as what is wanted is written: so
//! the ways in which Advoware may have written a Termin are known to the reader only.

#[cfg(test)]
mod tests;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value, json};

use super::field::Absent;
use super::{Termin, field, form, is_open, open_end};
use crate::sync::calendar::entry::{Entry, Field, Fields, Series, Unit, When};
use crate::sync::calendar::scope::Rules;
use crate::sync::calendar::{Record, compare, span};

/// How often a text is looked through for markup within markup.
const PASSES: usize = 8;

/// The body of a POST for a new Termin of one employee. What Google has marked as private is `privat`.
#[must_use]
pub fn new(entry: &Entry, kuerzel: &str, private: bool) -> Record {
    let mut record = Record::new();
    for (name, text) in texts(entry) {
        record.insert(name.into(), json!(expressible(text)));
    }
    Times::of(entry).write_all(&mut record);
    for name in ["anwalt", "sb"] {
        record.insert(name.into(), json!(kuerzel));
    }
    record.insert("vorbereitungsDauer".into(), json!("00:00:00"));
    record.insert("privat".into(), json!(i64::from(private)));
    record
}

/// The body of a PUT: the record as it is, with some fields of an entry. The entry is the whole merged one: its other fields
/// are the Termin's own.
#[must_use]
pub fn changed(raw: &Record, fields: &Fields, entry: &Entry, rules: &Rules) -> Record {
    let mut record = raw.clone();
    for (field, (name, text)) in [Field::Text, Field::Notiz, Field::Ort].into_iter().zip(texts(entry)) {
        if fields.contains(&field) {
            put_text(&mut record, name, text);
        }
    }
    if fields.contains(&Field::When) || fields.contains(&Field::Series) {
        record = retimed(&record, fields, entry, rules);
    }
    record
}

/// The body of a POST for a Termin of its own that was an instance of a series: the series' record, so that what nobody here
/// knows survives, with this entry. Whose it is stays as the series has it.
#[must_use]
pub fn single(series: &Record, entry: &Entry) -> Record {
    let mut record = series.clone();
    for name in ["frNr", "rowId"] {
        record.remove(name);
    }
    for (name, text) in texts(entry) {
        put_text(&mut record, name, text);
    }
    Times::of(&Entry { series: None, ..entry.clone() }).write_all(&mut record);
    record
}

/// An entry as Advoware gives it back once it was written.
#[must_use]
pub fn expressed(entry: &Entry, rules: &Rules) -> Entry {
    let mut record = new(entry, "", false);
    record.insert("frNr".into(), json!(1));
    // Only a year that means "no date" to Advoware cannot be read back.
    Termin::read(&record, "", rules).map_or_else(|_| entry.clone(), |termin| termin.entry)
}

fn texts(entry: &Entry) -> [(&'static str, &str); 3] {
    [("text", &entry.text), ("notiz", &entry.notiz), ("ort", &entry.ort)]
}

/// A text without Google's markup, which Advoware would show as it stands.
fn expressible(text: &str) -> String {
    let mut said = compare::plain(text);
    // A text about markup holds some more, which would be taken for markup once it is read.
    for _ in 0..PASSES {
        let again = compare::plain(&said);
        if again == said {
            break;
        }
        said = again;
    }
    said
}

fn put_text(record: &mut Record, name: &str, text: &str) {
    let held = record.get(name).and_then(Value::as_str).unwrap_or_default();
    if compare::plain(held) == compare::plain(text) {
        return;
    }
    let said = expressible(text);
    let said = if held.contains("\r\n") { said.replace('\n', "\r\n") } else { said };
    record.insert(name.into(), json!(said));
}

/// Moves a Termin to the entry's times.
fn retimed(raw: &Record, fields: &Fields, entry: &Entry, rules: &Rules) -> Record {
    let times = Times::of(entry);
    let mut whole = raw.clone();
    times.write_all(&mut whole);
    let read = |record: &Record| Termin::read(record, "", rules).ok().map(|termin| termin.entry);
    let (Some(was), Some(wanted)) = (read(raw), read(&whole)) else { return whole };
    let lasting = field::number(raw, "dauertermin") == Some(1);
    let recurring = lasting && field::number(raw, "turnus").is_some_and(|turnus| turnus >= 1);
    // Of a series that nobody here understands, `datumBis` is still its end.
    let keeps_end = recurring && entry.series.is_none() && !fields.contains(&Field::Series);
    let mut tries = vec![raw.clone()];
    let all_day = |when: &When| matches!(when, When::AllDay { .. });
    if all_day(&was.when) == all_day(&wanted.when) {
        let mut dates = raw.clone();
        times.write_dates(&mut dates, keeps_end, true);
        tries.push(dates);
    }
    if !fields.contains(&Field::When) {
        let mut kind = raw.clone();
        times.write_dates(&mut kind, keeps_end, true);
        times.write_kind(&mut kind);
        tries.push(kind);
    }
    if lasting || !all_day(&wanted.when) {
        let mut clock = raw.clone();
        times.write_dates(&mut clock, keeps_end, false);
        times.write_clock(&mut clock);
        tries.push(clock);
    }
    let fits = |record: &Record| read(record).is_some_and(|it| (it.when, it.series) == (wanted.when, wanted.series));
    tries.into_iter().find(fits).unwrap_or(whole)
}

/// The times of a Termin, as its fields have them.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// `datum` and `uhrzeitVon`
    start: NaiveDateTime,
    /// `uhrzeitBis`
    until: NaiveTime,
    /// `datumBis`
    last: NaiveDate,
    /// `dauertermin`
    lasting: bool,
    /// `turnus` and `turnusArt`, both 0 where it does not recur.
    turnus: (i64, i64),
}

impl Times {
    fn of(entry: &Entry) -> Self {
        let (all_day, start, end) = match entry.when {
            When::AllDay { first, last } => (true, first.and_time(NaiveTime::MIN), last.and_time(span::day_end())),
            When::Timed { start, end } => (false, start, span::before_midnight(start, end)),
        };
        // One that ends before it begins has no instance; Advoware would hold it in its first day's place for ever.
        let series = entry.series.filter(|series| series.until.is_none_or(|until| until >= start.date()));
        match series {
            None => Self { start, until: end.time(), last: end.date(), lasting: all_day, turnus: (0, 0) },
            Some(series) => Self {
                start,
                // An instance lasts no longer than its day.
                until: if end.date() > start.date() { span::day_end() } else { end.time() },
                last: series.until.unwrap_or_else(|| open_end().max(start.date())),
                lasting: true,
                turnus: turnus(&series),
            },
        }
    }

    fn write_all(&self, record: &mut Record) {
        self.write_dates(record, false, false);
        self.write_clock(record);
        self.write_kind(record);
    }

    fn write_kind(&self, record: &mut Record) {
        form::put_number(record, "dauertermin", i64::from(self.lasting));
        form::put_number(record, "turnus", self.turnus.0);
        form::put_number(record, "turnusArt", self.turnus.1);
    }

    /// `keeps_clock`: a time of day that stands in `datum` stays.
    fn write_dates(&self, record: &mut Record, keeps_end: bool, keeps_clock: bool) {
        let model = record.get("datum").cloned();
        form::put_day(record, "datum", self.start, keeps_clock, None);
        if keeps_end || (self.turnus.0 > 0 && is_open(self.last) && self.is_open_in(record)) {
            return;
        }
        // The end of a series is a day.
        let until = if self.turnus.0 > 0 { NaiveTime::MIN } else { self.until };
        form::put_day(record, "datumBis", self.last.and_time(until), keeps_clock, model.as_ref());
    }

    /// Whether a record's series has no end already, however that is written there.
    fn is_open_in(&self, record: &Record) -> bool {
        match field::moment(record, "datumBis") {
            Ok(moment) => is_open(moment.date) && moment.date >= self.start.date(),
            Err(Absent::Missing) => field::number(record, "turnus").is_some_and(|turnus| turnus >= 1),
            Err(Absent::Unreadable) => false,
        }
    }

    fn write_clock(&self, record: &mut Record) {
        form::put_time(record, "uhrzeitVon", self.start.time());
        form::put_time(record, "uhrzeitBis", self.until);
    }
}

fn turnus(series: &Series) -> (i64, i64) {
    let unit = match series.unit {
        Unit::Day => 1,
        Unit::Week => 2,
        Unit::Month => 3,
        Unit::Year => 4,
    };
    (i64::from(series.interval.max(1)), unit)
}
