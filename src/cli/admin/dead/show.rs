//! Dead letters as a list and one by one.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::cli::admin::show::{age, clean, first_line, local, table};
use crate::queue::{AttemptError, DeadLetter};

/// Of an error the list shows this much.
const SHORT: usize = 100;

/// A table, newest first; empty where there are none.
pub(super) fn list(letters: &[DeadLetter], now: DateTime<Utc>) -> String {
    if letters.is_empty() {
        return String::new();
    }
    let mut rows = vec![["ID", "FLOW", "TOPIC", "KEY", "AGE", "ATTEMPTS", "ERROR"].map(str::to_owned).to_vec()];
    for letter in letters {
        let text = |part: Option<&String>| part.map_or_else(|| "-".to_owned(), |text| first_line(text, SHORT));
        let code = letter.code.as_ref().map(|code| format!("{}: ", first_line(code, SHORT))).unwrap_or_default();
        let settled = if letter.resolved { "(resolved by a later run) " } else { "" };
        rows.push(vec![
            letter.id.clone(),
            letter.flow.to_owned(),
            text(letter.topic.as_ref()),
            text(letter.key.as_ref()),
            died_at(letter).map_or_else(|| "-".to_owned(), |at| age((now - at).num_milliseconds())),
            letter.errors.len().to_string(),
            format!("{settled}{code}{}", text(letter.error.as_ref())),
        ]);
    }
    table(&rows)
}

/// The list for scripts; errors whole.
pub(super) fn list_json(letters: &[DeadLetter], now: DateTime<Utc>) -> Value {
    letters
        .iter()
        .map(|letter| {
            json!({
                "id": letter.id,
                "flow": letter.flow,
                "topic": letter.topic,
                "key": letter.key,
                "failed_at": died_at(letter),
                "age_ms": died_at(letter).map(|at| (now - at).num_milliseconds().max(0)),
                "attempts": letter.errors.len(),
                "code": letter.code,
                "error": letter.error,
                "resolved": letter.resolved,
            })
        })
        .collect()
}

/// Everything there is to say of one.
pub(super) fn whole(letter: &DeadLetter, zone: Tz) -> String {
    let plain = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| clean(text));
    let mut rows = vec![
        vec!["id".to_owned(), letter.id.clone()],
        vec!["flow".to_owned(), letter.flow.to_owned()],
        vec!["topic".to_owned(), plain(letter.topic.as_ref())],
        vec!["key".to_owned(), plain(letter.key.as_ref())],
        vec!["failed".to_owned(), died_at(letter).map_or_else(|| "-".to_owned(), |at| local(at, zone))],
        vec!["resolved".to_owned(), if letter.resolved { "by a later run of the same key" } else { "no" }.to_owned()],
    ];
    // What is shown above or below already is left out.
    let told = ["topic", "key", "errors", "error", "code", "failed_at"];
    let rest = letter.fields.iter().filter(|(name, _)| !told.contains(&name.as_str()));
    rows.extend(rest.map(|(name, value)| vec![clean(name), clean(value)]));
    let text = table(&rows);
    if letter.errors.is_empty() {
        let code = letter.code.as_ref().map(|code| format!("{}: ", clean(code))).unwrap_or_default();
        return text + &format!("\nno attempt is noted; {code}{}\n", plain(letter.error.as_ref()));
    }
    letter.errors.iter().fold(text, |text, attempt| text + "\n" + &one_attempt(attempt, zone))
}

fn one_attempt(attempt: &AttemptError, zone: Tz) -> String {
    let trace = attempt.trace.as_ref().map(|trace| format!(", trace {}", clean(trace))).unwrap_or_default();
    let at = local(attempt.at, zone);
    let error = clean(&attempt.error).replace('\n', "\n  ");
    let (worker, code) = (clean(&attempt.worker), clean(&attempt.code));
    format!("attempt {} at {at} on {worker}{trace}\n  {code}: {error}\n", attempt.attempt)
}

/// Entries that were written by hand have no time of death; their id has one.
fn died_at(letter: &DeadLetter) -> Option<DateTime<Utc>> {
    let added = || letter.id.split('-').next()?.parse().ok().and_then(DateTime::from_timestamp_millis);
    letter.failed_at.or_else(added)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-28T12:00:00Z".parse().unwrap()
    }

    fn letter() -> DeadLetter {
        let at = now() - chrono::TimeDelta::hours(3);
        let attempt = |attempt| AttemptError {
            attempt,
            at,
            code: "validation".to_owned(),
            error: "field x is refused\nsecond line".to_owned(),
            worker: "host-1".to_owned(),
            trace: None,
        };
        DeadLetter {
            id: "1780000000000-0".to_owned(),
            flow: "vmh",
            topic: Some("vmh.beteiligte.update".to_owned()),
            key: Some("abc".to_owned()),
            code: Some("validation".to_owned()),
            error: Some("field x is refused\nsecond line".to_owned()),
            failed_at: Some(at),
            resolved: false,
            errors: vec![attempt(1), attempt(2)],
            fields: BTreeMap::from([("source".to_owned(), "webhook".to_owned()), ("key".to_owned(), "abc".to_owned())]),
        }
    }

    #[test]
    fn the_list_has_a_line_for_each() {
        let malformed = DeadLetter {
            topic: None,
            key: Some("\u{1b}[2J".to_owned()),
            failed_at: None,
            resolved: true,
            errors: Vec::new(),
            ..letter()
        };
        let text = list(&[letter(), malformed], now());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..7], ["1780000000000-0", "vmh", "vmh.beteiligte.update", "abc", "3", "h", "2"]);
        assert!(text.lines().nth(1).unwrap().ends_with("validation: field x is refused"), "{text}");
        assert!(text.contains("(resolved by a later run)") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(list(&[], now()), "");
        assert_eq!(list_json(&[letter()], now())[0]["age_ms"], 3 * 3_600_000);
    }

    #[test]
    fn one_is_shown_with_every_attempt() {
        let text = whole(&letter(), chrono_tz::Europe::Berlin);
        assert!(
            text.contains(
                "attempt 1 at 2026-03-28 10:00:00 CET on host-1\n  validation: field x is refused\n  second line"
            ),
            "{text}"
        );
        assert!(text.contains("attempt 2 at") && text.contains("source    webhook"), "{text}");
        assert_eq!(text.matches("abc").count(), 1, "{text}");
    }
}
