//! A body as Google takes it: what can be written, what is refused, and how it is rewritten (google-calendar.md, Events).

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::time::{Fault, Moment};
use super::{html, refuse, rules, series::Series};
use crate::Fields;
use crate::options::GoogleOptions;
use crate::wire::Answer;

/// Fields of an event that a body sets; all others are ignored without a word.
const WRITABLE: [&str; 22] = [
    "summary",
    "description",
    "location",
    "start",
    "end",
    "recurrence",
    "status",
    "transparency",
    "visibility",
    "colorId",
    "reminders",
    "attendees",
    "extendedProperties",
    "source",
    "conferenceData",
    "attachments",
    "eventType",
    "guestsCanModify",
    "guestsCanInviteOthers",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "attendeesOmitted",
];

/// The limits of extended properties: characters of a key and of a value, and how many.
const KEY_LENGTH: usize = 44;
const VALUE_LENGTH: usize = 1024;
const MOST_PROPERTIES: usize = 300;

/// The part of a body that can be written, without nulls: at Google null is the same as not there.
pub(super) fn writable(body: &Fields) -> Fields {
    let part = body.iter().filter(|(name, value)| WRITABLE.contains(&name.as_str()) && !value.is_null());
    part.map(|(name, value)| (name.clone(), without_nulls(value.clone()))).collect()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        value => value,
    }
}

/// What a PATCH makes of an event: objects are merged, an explicit null clears, everything else is replaced.
pub(super) fn patched(event: &Fields, patch: &Fields) -> Fields {
    let mut whole = Value::Object(writable(event));
    let known = patch.iter().filter(|(name, _)| WRITABLE.contains(&name.as_str()));
    merge(&mut whole, Value::Object(known.map(|(name, value)| (name.clone(), value.clone())).collect()));
    whole.as_object().cloned().unwrap_or_default()
}

fn merge(whole: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *whole = without_nulls(patch);
        return;
    };
    if !whole.is_object() {
        *whole = Value::Object(Map::new());
    }
    let Some(whole) = whole.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            whole.shift_remove(&name);
        } else {
            merge(whole.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Checks the writable fields of an event and rewrites them as Google stores them. An exception has no rule of its own.
pub(super) fn settled(
    options: &GoogleOptions,
    calendar: Tz,
    mut fields: Fields,
    exception: bool,
) -> Result<Fields, Answer> {
    if exception {
        fields.shift_remove("recurrence");
    }
    let lines: Vec<Value> = fields.get("recurrence").and_then(Value::as_array).cloned().unwrap_or_default();
    times(options, calendar, &mut fields, &lines)?;
    if lines.is_empty() {
        fields.shift_remove("recurrence");
    } else {
        let spelled = lines.iter().filter_map(Value::as_str).map(|line| rules::spelled(line, &options.normalise));
        fields.insert("recurrence".into(), spelled.collect());
    }
    texts(options, &mut fields)?;
    properties(&fields)?;
    fields.entry("status").or_insert_with(|| json!("confirmed"));
    fields.entry("reminders").or_insert_with(|| json!({"useDefault": true}));
    fields.entry("eventType").or_insert_with(|| json!("default"));
    Ok(fields)
}

fn times(options: &GoogleOptions, calendar: Tz, fields: &mut Fields, lines: &[Value]) -> Result<(), Answer> {
    let read = |name: &str, fields: &Fields| {
        Moment::read(fields.get(name), calendar).map_err(|fault| match fault {
            Fault::Missing => refuse::required(&format!("Missing {name} time.")),
            Fault::Malformed => refuse::invalid(&format!("Invalid {name} time.")),
            Fault::NoZone => refuse::required(&format!("Missing time zone definition for {name} time.")),
        })
    };
    let (start, end) = (read("start", fields)?, read("end", fields)?);
    if start.is_day() != end.is_day() {
        return Err(refuse::invalid("Invalid start or end: date and dateTime exclude each other."));
    }
    let (from, to) = (start.instant(calendar), end.instant(calendar));
    // The end of an all-day event is exclusive.
    if to < from || (start.is_day() && to == from) {
        return Err(refuse::error(400, "timeRangeEmpty", "The specified time range is empty."));
    }
    let named = |name: &str, fields: &Fields| fields.get(name).is_some_and(|value| value.get("timeZone").is_some());
    if !lines.is_empty() {
        if !start.is_day() && !named("start", fields) {
            return Err(refuse::required("Missing time zone definition for start time."));
        }
        Series::read(start, lines).map_err(|fault| refuse::invalid(&format!("Invalid recurrence rule. {fault}")))?;
    }
    if options.normalise.offsets != crate::options::Offsets::AsWritten {
        for (name, moment) in [("start", start), ("end", end)] {
            let shown = moment.shown(calendar, options.normalise.offsets, named(name, fields));
            fields.insert(name.into(), shown);
        }
    }
    Ok(())
}

fn texts(options: &GoogleOptions, fields: &mut Fields) -> Result<(), Answer> {
    let normalise = &options.normalise;
    for name in ["summary", "description", "location"] {
        let Some(value) = fields.get(name) else { continue };
        let Some(text) = value.as_str() else { return Err(refuse::invalid(&format!("Invalid value for: {name}"))) };
        if name == "description" && options.description_limit.is_some_and(|most| text.chars().count() > most) {
            return Err(refuse::invalid("The description is too long."));
        }
        let mut text = text.to_owned();
        if normalise.line_ends {
            text = text.replace("\r\n", "\n");
        }
        if normalise.trim_summary && name == "summary" {
            text.truncate(text.trim_end().len());
        }
        if normalise.html && name == "description" {
            text = html::cleaned(&text);
        }
        if normalise.drop_empty && text.is_empty() {
            fields.shift_remove(name);
        } else {
            fields.insert(name.into(), text.into());
        }
    }
    Ok(())
}

fn properties(fields: &Fields) -> Result<(), Answer> {
    let Some(extended) = fields.get("extendedProperties") else { return Ok(()) };
    for kind in ["private", "shared"] {
        let Some(properties) = extended.get(kind).and_then(Value::as_object) else { continue };
        let fits = |(key, value): (&String, &Value)| {
            let short = value.as_str().is_some_and(|text| text.chars().count() <= VALUE_LENGTH);
            short && (1..=KEY_LENGTH).contains(&key.chars().count())
        };
        if properties.len() > MOST_PROPERTIES || !properties.iter().all(fits) {
            return Err(refuse::invalid("Extended properties: at most 300, a key of 44, a value of 1024 characters."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> Fields {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_patch_merges_and_a_null_clears() {
        fn check(event: &Value, patch: &Value, expected: &Value) {
            assert_eq!(Value::Object(patched(&object(event), &object(patch))), *expected, "{patch}");
        }
        let event = json!({
            "id": "read-only", "summary": "A", "location": "B", "start": {"dateTime": "x", "timeZone": "y"},
            "extendedProperties": {"private": {"a": "1", "b": "2"}},
        });
        let kept = json!({"private": {"a": "1", "b": "2"}});
        check(
            &event,
            &json!({"summary": null, "id": "mine", "start": {"date": "z", "dateTime": null, "timeZone": null}}),
            &json!({"location": "B", "start": {"date": "z"}, "extendedProperties": kept}),
        );
        check(
            &event,
            &json!({"extendedProperties": {"private": {"b": null, "c": "3"}}}),
            &json!({"summary": "A", "location": "B", "start": {"dateTime": "x", "timeZone": "y"},
                "extendedProperties": {"private": {"a": "1", "c": "3"}}}),
        );
        check(&json!({"recurrence": ["a", "b"]}), &json!({"recurrence": ["c"]}), &json!({"recurrence": ["c"]}));
    }

    #[test]
    fn null_is_the_same_as_not_there() {
        let body = json!({"summary": null, "start": {"date": "2026-03-05", "dateTime": null}, "unknown": 1});
        assert_eq!(Value::Object(writable(&object(&body))), json!({"start": {"date": "2026-03-05"}}));
    }
}
