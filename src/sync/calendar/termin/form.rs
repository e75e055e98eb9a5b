//! Puts values into single fields of a Termin, in the form in which Advoware has written them. A field that says the value
//! already stays as it is.

use chrono::{DateTime, FixedOffset, NaiveDateTime, NaiveTime, SecondsFormat};
use serde_json::{Value, json};

use super::field;
use crate::sync::calendar::{Record, clock};

pub(super) fn put_number(record: &mut Record, name: &str, number: i64) {
    if field::number(record, name) == Some(number) {
        return;
    }
    let value = match record.get(name) {
        Some(Value::Bool(_)) if number == 0 || number == 1 => json!(number == 1),
        Some(Value::String(_)) => json!(number.to_string()),
        _ => json!(number),
    };
    record.insert(name.into(), value);
}

pub(super) fn put_time(record: &mut Record, name: &str, time: NaiveTime) {
    if field::time(record, name) != Ok(time) {
        record.insert(name.into(), json!(time.format("%H:%M:%S").to_string()));
    }
}

/// Puts a day. Where the field holds a time of day as well, so does the new value: the one given, or, with `keeps_clock`, the
/// old one. `model` is a field whose form counts where this one holds no date.
pub(super) fn put_day(record: &mut Record, name: &str, to: NaiveDateTime, keeps_clock: bool, model: Option<&Value>) {
    let held = record.get(name).and_then(Value::as_str).map(str::trim);
    let was = field::moment(record, name).ok();
    // Midnight stands for "no time" there, and goes on doing so.
    let clock = was.map(|was| was.time.unwrap_or(NaiveTime::MIN));
    let time = match clock {
        Some(NaiveTime::MIN) => NaiveTime::MIN,
        Some(clock) if keeps_clock => clock,
        _ => to.time(),
    };
    if was.is_some_and(|was| was.date == to.date()) && clock == Some(time) {
        return;
    }
    let form = if was.is_some() { held } else { model.and_then(Value::as_str).map(str::trim) };
    record.insert(name.into(), json!(written(to.date().and_time(time), form.unwrap_or_default())));
}

/// A date as another one is written: alone, or with a time, its fraction and its zone.
fn written(at: NaiveDateTime, like: &str) -> String {
    let day_only = like.len() == 10 && like.is_ascii();
    if day_only {
        return at.format("%Y-%m-%d").to_string();
    }
    let digits = like.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    let fraction = if digits > 0 { format!(".{}", "0".repeat(digits.min(9))) } else { String::new() };
    if DateTime::parse_from_rfc3339(like).is_ok() {
        let instant = clock::instant(at);
        let text = if like.ends_with(['Z', 'z']) {
            instant.to_rfc3339_opts(SecondsFormat::Secs, true)
        } else {
            let offset = i32::try_from((at - instant.naive_utc()).num_seconds()).ok().and_then(FixedOffset::east_opt);
            offset.map_or_else(
                || instant.to_rfc3339_opts(SecondsFormat::Secs, true),
                |offset| instant.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, false),
            )
        };
        // The fraction stands behind the seconds, before the zone.
        return format!("{}{fraction}{}", &text[..19], &text[19..]);
    }
    let gap = if like.contains(' ') { ' ' } else { 'T' };
    format!("{}{gap}{}{fraction}", at.format("%Y-%m-%d"), at.format("%H:%M:%S"))
}
