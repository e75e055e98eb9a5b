//! Reads single fields of a Termin, however Advoware has written them (contract "Termine").

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc};
use serde_json::Value;

use crate::sync::calendar::{Record, clock};

/// A date, or a date and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// The day, Europe/Berlin.
    pub(super) date: NaiveDate,
    /// The time of day that came with it, Europe/Berlin; none where it was midnight, which Advoware writes for "no time".
    pub(super) time: Option<NaiveTime>,
}

/// A field that was not there, or could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Not there, or a value that means so.
    Missing,
    /// There, but not understood.
    Unreadable,
}

/// A text with LF, without blanks at its ends; empty where there is none.
pub(super) fn text(record: &Record, name: &str) -> String {
    record.get(name).and_then(Value::as_str).unwrap_or_default().replace("\r\n", "\n").trim().to_owned()
}

/// A whole number, written as a number, a string or a boolean.
pub(super) fn number(record: &Record, name: &str) -> Option<i64> {
    match record.get(name)? {
        Value::Bool(yes) => Some(i64::from(*yes)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok()),
        _ => None,
    }
}

/// A time of day, `HH:MM:SS` or `HH:MM`.
pub(super) fn time(record: &Record, name: &str) -> Result<NaiveTime, Absent> {
    let text = written(record, name)?;
    let read = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(&text, form).ok());
    read.and_then(|time| time.with_nanosecond(0)).ok_or(Absent::Unreadable)
}

/// A date with or without a time; one with `Z` or an offset is an instant, any other is wall time in Berlin. The years 1
/// and 9999 mean that there is none.
pub(super) fn moment(record: &Record, name: &str) -> Result<Moment, Absent> {
    let text = written(record, name)?;
    let at = wall(&text).ok_or(Absent::Unreadable)?;
    if !known(at.date()) {
        return Err(Absent::Missing);
    }
    let time = at.time().with_nanosecond(0).filter(|time| *time != NaiveTime::MIN);
    Ok(Moment { date: at.date(), time })
}

fn written(record: &Record, name: &str) -> Result<String, Absent> {
    match record.get(name) {
        None | Some(Value::Null) => Err(Absent::Missing),
        Some(Value::String(text)) if text.trim().is_empty() => Err(Absent::Missing),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(_) => Err(Absent::Unreadable),
    }
}

fn wall(text: &str) -> Option<NaiveDateTime> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        // What means "no date" stays as written: no zone may move it into a year that means one.
        let written = at.naive_local();
        return Some(if known(written.date()) { clock::berlin(at.with_timezone(&Utc)) } else { written });
    }
    let plain = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let timed = plain.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    timed.or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
}

fn known(date: NaiveDate) -> bool {
    (2..9999).contains(&date.year())
}
