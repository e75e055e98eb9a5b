//! Reads Google's events into the normal form (seed 001, "Google → Standard"; contract "Events").

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike as _, Utc};
use chrono_tz::Europe::Berlin;
use chrono_tz::Tz;
use serde_json::Value;

use super::{Marks, property};
use crate::sync::calendar::entry::{Entry, When};
use crate::sync::calendar::pair::Original;
use crate::sync::calendar::scope::Multiday;
use crate::sync::calendar::{Record, clock, span};

/// An event as Google sent it, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its id.
    pub id: String,
    /// Its `etag`, for `If-Match`; empty where it has none.
    pub etag: String,
    /// Whether it is deleted: `status` is `cancelled`.
    pub cancelled: bool,
    /// What it says, Europe/Berlin. Its `series` is always none: see `recurrence`.
    pub entry: Entry,
    /// The lines of its recurrence as Google holds them; empty where it does not recur.
    pub recurrence: Vec<String>,
    /// The zone in which it recurs, where Google names one that the IANA knows; none for whole days.
    pub zone: Option<Tz>,
    /// Our private extended properties.
    pub marks: Marks,
    /// Whether others may see only that there is something: `visibility` is `private` or `confidential`.
    pub private: bool,
    /// Of an exception: the id of its series, and which instance it is.
    pub instance_of: Option<(String, Original)>,
    /// What was odd about it, as stable words for reports: `reversed` (ends before it begins), `bad_end` (has an end that
    /// cannot be read), `bad_zone` (its times name neither offset nor known zone; Berlin is assumed), `no_title`.
    pub remarks: Vec<&'static str>,
}

/// An event that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event cannot be read: {reason}")]
pub struct Unusable {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Why, as a stable word: `no_id`, `no_times`, `bad_times`, `bad_original` (an exception of nobody knows which
    /// instance).
    pub reason: &'static str,
}

/// What even a deleted event says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stub<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether it is deleted.
    pub cancelled: bool,
    /// Of an exception: the id of its series, and which instance it is.
    pub instance_of: Option<(&'a str, Original)>,
}

/// Reads an event that may hold nothing else, such as a delta's `{id, status: cancelled}`. None: it has no id, or is an
/// exception of nobody knows which instance.
#[must_use]
pub fn stub(event: &Record) -> Option<Stub<'_>> {
    let id = name(event, "id")?;
    let instance_of = instance_of(event, id).ok()?;
    Some(Stub { id, cancelled: name(event, "status") == Some("cancelled"), instance_of })
}

/// Reads an event. Whatever zone it has, its times become wall time in Berlin; fractions of a second are dropped.
pub fn read(event: &Record, multiday: Multiday) -> Result<Read, Unusable> {
    let id = name(event, "id").ok_or(Unusable { id: None, reason: "no_id" })?;
    let unusable = |reason| Unusable { id: Some(id.to_owned()), reason };
    let instance_of = instance_of(event, id).map_err(|Unreadable| unusable("bad_original"))?;
    let recurrence = recurrence(event);
    let mut remarks = Vec::new();
    let start = moment(event.get("start"), None).map_err(|Unreadable| unusable("bad_times"))?;
    let when = match start.ok_or_else(|| unusable("no_times"))? {
        Moment::Day(first) => whole_days(first, event, &mut remarks),
        Moment::At(start) => timed(start, event, multiday, &mut remarks),
    };
    let recurs = !recurrence.is_empty() || instance_of.is_some();
    let entry = Entry {
        when: if recurs { span::instance(when) } else { when },
        text: text(event, "summary"),
        notiz: text(event, "description"),
        ort: text(event, "location"),
        series: None,
    };
    if entry.text.is_empty() {
        remarks.push("no_title");
    }
    // Whole days are in no zone, whatever else stands there.
    let zone = event.get("start").filter(|start| given(start, "dateTime").is_some()).and_then(zone);
    Ok(Read {
        id: id.to_owned(),
        etag: name(event, "etag").unwrap_or_default().to_owned(),
        cancelled: name(event, "status") == Some("cancelled"),
        entry,
        recurrence,
        zone,
        marks: marks(event),
        private: matches!(name(event, "visibility"), Some("private" | "confidential")),
        instance_of: instance_of.map(|(series, original)| (series.to_owned(), original)),
        remarks,
    })
}

/// A text that names something: not empty.
fn name<'a>(event: &'a Record, key: &str) -> Option<&'a str> {
    event.get(key).and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty())
}

/// A text with LF, without blanks at its ends, as a Termin's are read.
fn text(event: &Record, key: &str) -> String {
    event.get(key).and_then(Value::as_str).unwrap_or_default().replace("\r\n", "\n").trim().to_owned()
}

fn recurrence(event: &Record) -> Vec<String> {
    let lines = event.get("recurrence").and_then(Value::as_array).into_iter().flatten();
    lines.filter_map(Value::as_str).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn marks(event: &Record) -> Marks {
    let held = event.get("extendedProperties").and_then(|held| held.get("private"));
    let said = |key| {
        let said = match held?.get(key)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(said).filter(|said| !said.is_empty())
    };
    Marks {
        number: said(property::NUMBER).and_then(|said| said.parse().ok()).filter(|number| *number != 0),
        kuerzel: said(property::KUERZEL),
        generation: said(property::GENERATION).and_then(|said| said.parse().ok()).unwrap_or(0),
        hash: said(property::HASH),
        anonymised: said(property::MODE).as_deref() == Some(property::ANONYMISED),
    }
}

/// There, but not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unreadable;

fn instance_of<'a>(event: &'a Record, id: &str) -> Result<Option<(&'a str, Original)>, Unreadable> {
    let Some(series) = name(event, "recurringEventId") else { return Ok(None) };
    let original = match moment(event.get("originalStartTime"), None) {
        Ok(Some(Moment::Day(day))) => Some(Original::Day(day)),
        Ok(Some(Moment::At(at))) => Some(Original::Instant(at.instant)),
        // An instance's id ends with it.
        _ => id.strip_prefix(series).and_then(|rest| rest.strip_prefix('_')).and_then(Original::parse),
    };
    original.map(|original| Some((series, original))).ok_or(Unreadable)
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Day(NaiveDate),
    At(At),
}

#[derive(Debug, Clone, Copy)]
struct At {
    instant: DateTime<Utc>,
    /// In Berlin.
    wall: NaiveDateTime,
    /// Whether neither an offset nor a zone said which instant it is.
    assumed: bool,
}

/// Reads a start or an end; `other` is the zone of the start, which an end without any has, too.
fn moment(value: Option<&Value>, other: Option<Tz>) -> Result<Option<Moment>, Unreadable> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    if let Some(written) = given(value, "dateTime") {
        return at(written.as_str().ok_or(Unreadable)?.trim(), zone(value).or(other)).map(Moment::At).map(Some);
    }
    let Some(written) = given(value, "date") else { return Ok(None) };
    let day = written.as_str().and_then(|text| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok());
    day.filter(|day| known(*day)).map(Moment::Day).map(Some).ok_or(Unreadable)
}

fn given<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| !value.is_null())
}

fn zone(value: &Value) -> Option<Tz> {
    value.get("timeZone")?.as_str()?.trim().parse().ok()
}

fn at(text: &str, zone: Option<Tz>) -> Result<At, Unreadable> {
    let exact = DateTime::parse_from_rfc3339(text).ok();
    let instant = match exact {
        Some(at) => at.to_utc(),
        None => instant(local(text)?, zone.unwrap_or(Berlin)),
    };
    let instant = instant.with_nanosecond(0).ok_or(Unreadable)?;
    let wall = clock::berlin(instant);
    let at = At { instant, wall, assumed: exact.is_none() && zone.is_none() };
    if known(wall.date()) { Ok(at) } else { Err(Unreadable) }
}

fn local(text: &str) -> Result<NaiveDateTime, Unreadable> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let wall = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    // Before any arithmetic with it: chrono's calendar ends somewhere.
    wall.filter(|wall| known(wall.date())).ok_or(Unreadable)
}

/// Other years mean to Advoware that there is no date.
fn known(day: NaiveDate) -> bool {
    (2..9999).contains(&day.year())
}

/// The instant of a wall time anywhere, as [`clock::instant`] has it for Berlin.
fn instant(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    if let Some(at) = zone.from_local_datetime(&wall).earliest() {
        return at.to_utc();
    }
    // Samoa once left out a whole day.
    let before = TimeDelta::hours(25);
    let earlier = zone.from_local_datetime(&(wall - before)).earliest();
    earlier.map_or_else(|| wall.and_utc(), |at| at.to_utc() + before)
}

fn whole_days(first: NaiveDate, event: &Record, remarks: &mut Vec<&'static str>) -> When {
    let last = match moment(event.get("end"), None) {
        Ok(None) => first,
        // The end does not belong to it; where it is the start, Google shows one day.
        Ok(Some(Moment::Day(end))) if end >= first => end.checked_sub_days(Days::new(1)).unwrap_or(end).max(first),
        Ok(Some(Moment::Day(_))) => {
            remarks.push("reversed");
            first
        }
        Ok(Some(Moment::At(_))) | Err(Unreadable) => {
            remarks.push("bad_end");
            first
        }
    };
    When::AllDay { first, last }
}

fn timed(start: At, event: &Record, multiday: Multiday, remarks: &mut Vec<&'static str>) -> When {
    let hour = start.wall + TimeDelta::hours(1);
    let mut assumed = start.assumed;
    let end = match moment(event.get("end"), event.get("start").and_then(zone)) {
        Ok(None) => hour,
        Ok(Some(Moment::At(end))) if end.instant >= start.instant => {
            assumed |= end.assumed;
            // Where the clocks were set back in between, an hour by the wall may end before it begins: it keeps its length.
            if end.wall < start.wall { start.wall + (end.instant - start.instant) } else { end.wall }
        }
        Ok(Some(Moment::At(_))) => {
            remarks.push("reversed");
            hour
        }
        Ok(Some(Moment::Day(_))) | Err(Unreadable) => {
            remarks.push("bad_end");
            hour
        }
    };
    if assumed {
        remarks.push("bad_zone");
    }
    span::single(start.wall, end, multiday)
}
