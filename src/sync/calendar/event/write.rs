//! Writes the normal form as a Google event (seed 001, "Standard → Google"; contract "Events").

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone as _, Utc};
use chrono_tz::Europe::Berlin;
use serde_json::{Value, json};

use super::{Marks, property, read};
use crate::sync::calendar::entry::{Entry, Series, Unit, When};
use crate::sync::calendar::scope::Multiday;
use crate::sync::calendar::{Record, clock, compare};

/// The most characters of a title or a place.
pub const SHORT: usize = 1024;
/// The most characters of a description.
pub const LONG: usize = 8192;
/// What stands at the end of a text that was cut.
const CUT: &str = "… (gekürzt, vollständig in Advoware)";

/// The fields of an event that are ours. What is empty is null, so that it is cleared wherever it is sent.
#[must_use]
pub fn fields(entry: &Entry) -> Record {
    let recurrence = entry.series.as_ref().map_or(Value::Null, |series| json!([rule(series, &entry.when)]));
    let (start, end) = match entry.when {
        When::AllDay { first, last } => (day(first), day(after(last))),
        When::Timed { start, end } => (time(start), time(end)),
    };
    let text = |text: &str, most| if text.is_empty() { Value::Null } else { json!(cut(text, most)) };
    let fields = [
        ("start", start),
        ("end", end),
        ("recurrence", recurrence),
        ("summary", text(&entry.text, SHORT)),
        ("description", text(&description(&entry.notiz), LONG)),
        ("location", text(&entry.ort, SHORT)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A note as a description, which is HTML. Where spelling it out would make it too long, it is better kept whole.
fn description(notiz: &str) -> String {
    let spelled = compare::spelled(notiz);
    if spelled.chars().nth(LONG).is_some() { notiz.to_owned() } else { spelled }
}

/// The body of a PUT or a POST: the event as it is (nothing of a new one) with our fields and properties set. What a person
/// or another program put into it stays; so does what already says what the entry says, such as a description's HTML, the
/// zone of its times, or the clock times of what is shown as whole days (C9).
///
/// An event whose recurrence Advoware cannot express is no counterpart, and must not be written with this: it would no longer
/// recur.
#[must_use]
pub fn body(raw: Option<&Record>, id: &str, entry: &Entry, marks: &Marks, multiday: Multiday) -> Record {
    let mut body = raw.cloned().unwrap_or_default();
    let mut ours = fields(entry);
    for (name, text) in [("summary", &entry.text), ("description", &entry.notiz), ("location", &entry.ort)] {
        let held = body.get(name).and_then(Value::as_str).unwrap_or_default();
        let meant = compare::plain(text);
        if !meant.is_empty() && compare::plain(held) == meant {
            ours.remove(name);
        }
    }
    if says(&body, entry, multiday) {
        let timed = body["start"]["dateTime"].is_string();
        if let (Some(series), When::AllDay { first, .. }, true) = (&entry.series, entry.when, timed) {
            // The rule's end has the form of the times that stay: from midnight to midnight.
            let day = first.and_time(NaiveTime::MIN);
            ours.insert("recurrence".into(), json!([rule(series, &When::Timed { start: day, end: day })]));
        }
        ours.remove("start");
        ours.remove("end");
    }
    body.extend(ours);
    if body.get("recurringEventId").is_some_and(Value::is_string) {
        // An instance has none of its own.
        body.remove("recurrence");
    }
    body.insert("id".into(), json!(id));
    mark(&mut body, marks);
    if raw.is_none() {
        // A new event has nothing to be cleared.
        body.retain(|_, value| !value.is_null());
        for name in ["start", "end"] {
            if let Some(Value::Object(time)) = body.get_mut(name) {
                time.retain(|_, value| !value.is_null());
            }
        }
    }
    body
}

/// Whether an event's times are the entry's. A series recurs by the clock of its zone, which has to be Berlin's.
fn says(event: &Record, entry: &Entry, multiday: Multiday) -> bool {
    let read = read(event, multiday).ok().filter(|read| read.remarks.iter().all(|remark| *remark == "no_title"));
    read.is_some_and(|read| read.entry.when == entry.when && (entry.series.is_none() || read.zone == Some(Berlin)))
}

fn mark(body: &mut Record, marks: &Marks) {
    let held = body.entry("extendedProperties").or_insert(Value::Null);
    if !held.is_object() {
        *held = json!({});
    }
    let held = &mut held["private"];
    if !held.is_object() {
        *held = json!({});
    }
    let ours = [
        (property::NUMBER, marks.number.map(|number| number.to_string())),
        (property::KUERZEL, marks.kuerzel.clone()),
        (property::GENERATION, Some(marks.generation.to_string())),
        (property::HASH, marks.hash.clone()),
        (property::MODE, marks.anonymised.then(|| property::ANONYMISED.to_owned())),
    ];
    if let Value::Object(held) = held {
        for (name, value) in ours {
            match value {
                Some(value) => held.insert(name.to_owned(), json!(value)),
                None => held.remove(name),
            };
        }
    }
}

/// Google's `end.date` does not belong to the event.
fn after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX)
}

fn day(day: NaiveDate) -> Value {
    json!({ "date": day.to_string(), "dateTime": null, "timeZone": null })
}

fn time(wall: NaiveDateTime) -> Value {
    let at = Berlin.from_utc_datetime(&clock::instant(wall).naive_utc());
    json!({ "date": null, "dateTime": at.to_rfc3339_opts(SecondsFormat::Secs, false), "timeZone": "Europe/Berlin" })
}

/// Seed 003, "RRULE-Generierung". UNTIL has the form of the event's times: a day, or the end of that day in UTC.
#[must_use]
pub fn rule(series: &Series, when: &When) -> String {
    let freq = match series.unit {
        Unit::Day => "DAILY",
        Unit::Week => "WEEKLY",
        Unit::Month => "MONTHLY",
        Unit::Year => "YEARLY",
    };
    let until = match (series.until, when) {
        (None, _) => String::new(),
        (Some(until), When::AllDay { .. }) => format!(";UNTIL={}", until.format("%Y%m%d")),
        (Some(until), When::Timed { .. }) => format!(";UNTIL={}", end_of(until).format("%Y%m%dT%H%M%SZ")),
    };
    format!("RRULE:FREQ={freq};INTERVAL={}{until}", series.interval)
}

/// The last second of a day in Berlin.
fn end_of(day: NaiveDate) -> chrono::DateTime<Utc> {
    clock::instant(after(day).and_time(NaiveTime::MIN)) - chrono::TimeDelta::seconds(1)
}

/// At most so many characters, the last ones a sign that there were more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - CUT.chars().count()).collect();
    kept + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn timed(start: &str, end: &str) -> When {
        When::Timed { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    fn entry(when: When) -> Entry {
        Entry { when, text: "Termin 😀".into(), notiz: String::new(), ort: String::new(), series: None }
    }

    #[test]
    fn times_carry_their_offset_through_both_clock_changes() {
        let check = |wall: &str, expected: &str| {
            let fields = fields(&entry(timed(wall, wall)));
            assert_eq!(fields["start"]["dateTime"], expected);
            assert_eq!(
                (&fields["start"]["timeZone"], &fields["start"]["date"]),
                (&json!("Europe/Berlin"), &Value::Null)
            );
        };
        check("2026-03-05T14:00:00", "2026-03-05T14:00:00+01:00");
        check("2026-03-29T03:30:00", "2026-03-29T03:30:00+02:00");
        check("2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00");
        check("2026-10-25T03:00:00", "2026-10-25T03:00:00+01:00");
    }

    #[test]
    fn whole_days_end_on_the_day_after() {
        let fields = fields(&entry(When::AllDay { first: date("2028-02-28"), last: date("2028-02-29") }));
        assert_eq!((&fields["start"]["date"], &fields["end"]["date"]), (&json!("2028-02-28"), &json!("2028-03-01")));
        assert_eq!(fields["start"]["dateTime"], Value::Null);
        for name in ["description", "location", "recurrence"] {
            assert_eq!(fields[name], Value::Null, "{name}");
        }
        assert_eq!(fields["summary"], "Termin 😀");
    }

    #[test]
    fn rules_have_the_form_of_seed_003() {
        let all_day = When::AllDay { first: date("2025-11-01"), last: date("2025-11-01") };
        let at_nine = timed("2025-11-01T09:00:00", "2025-11-01T10:00:00");
        let check = |unit, interval, until: Option<&str>, when: &When, expected: &str| {
            let series = Series { unit, interval, until: until.map(date) };
            assert_eq!(rule(&series, when), expected);
        };
        check(Unit::Day, 3, Some("2025-12-24"), &all_day, "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20251224");
        check(Unit::Day, 3, Some("2025-12-24"), &at_nine, "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20251224T225959Z");
        check(Unit::Week, 1, Some("2026-07-01"), &at_nine, "RRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20260701T215959Z");
        check(Unit::Month, 2, None, &at_nine, "RRULE:FREQ=MONTHLY;INTERVAL=2");
        check(Unit::Year, 1, None, &all_day, "RRULE:FREQ=YEARLY;INTERVAL=1");
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let mut long = entry(timed("2026-03-05T14:00:00", "2026-03-05T15:00:00"));
        long.notiz = "ä".repeat(100_000);
        let fields = fields(&long);
        let shown = fields["description"].as_str().unwrap();
        assert_eq!(shown.chars().count(), LONG);
        assert!(shown.ends_with(CUT));
        assert_eq!(cut(&"ä".repeat(SHORT), SHORT), "ä".repeat(SHORT));
    }
}
