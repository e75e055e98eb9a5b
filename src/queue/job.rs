//! A job, as it stands in a stream entry: flat fields, so that an admin can read and write one with redis-cli.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::topic::{Lane, Topic};

/// The field that says why a job waits.
pub(super) const REASON: &str = "reason";
/// A job has a dozen fields; Redis' Lua moves at most some thousands of values at once.
const MAX_FIELDS: usize = 1_000;

/// A failed attempt, kept on the entry until it succeeds or is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// When it ended, UTC.
    pub at: DateTime<Utc>,
    /// A short stable word for the kind of error.
    pub code: String,
    /// What happened, to which record, what to do.
    pub error: String,
    /// The worker process that ran it.
    pub worker: String,
    /// The trace that shows it, W3C form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// Work that names a topic and a key and never carries the state to write: the handler reads the systems again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it is about.
    pub topic: Topic,
    /// A record id or a Kürzel.
    pub key: String,
    /// Who asked first.
    pub lane: Lane,
    /// Where it came from, such as `webhook`.
    pub source: Option<String>,
    /// Failed attempts so far.
    pub failures: u32,
    /// When it was enqueued first, UTC.
    pub enqueued_at: DateTime<Utc>,
    /// The trace it belongs to, W3C form.
    pub traceparent: Option<String>,
    /// Further words to the handler, JSON.
    pub payload: Option<String>,
    /// What the failed attempts said.
    pub errors: Vec<AttemptError>,
    /// Fields that this version does not know; they travel along unchanged.
    pub extra: Vec<(String, String)>,
}

/// Why an entry is no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field that every job has is missing or empty.
    #[error("the entry has no field `{0}`; write it as: XADD jobs:vmh '*' topic vmh.beteiligte.sync_check key <id>")]
    Missing(&'static str),
    /// More fields than could ever be moved.
    #[error("the entry has {0} fields, a job has at most {MAX_FIELDS}")]
    TooManyFields(usize),
    /// Fields are text.
    #[error("a field of the entry is not UTF-8 text")]
    NotText,
    /// A field holds what cannot be.
    #[error("the field `{0}` holds {1:?}, which is no {2}")]
    Unreadable(&'static str, String, &'static str),
}

impl Job {
    /// Reads a stream entry as Redis gives it.
    pub(super) fn read_raw(id: &str, fields: Vec<(Vec<u8>, Vec<u8>)>, lane: Lane) -> Result<Self, Malformed> {
        if fields.len() > MAX_FIELDS {
            return Err(Malformed::TooManyFields(fields.len()));
        }
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Malformed::NotText);
        let fields: Result<Vec<_>, _> =
            fields.into_iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect();
        Self::read(id, fields?, lane)
    }

    /// Reads a stream entry. `id` is the entry's own, whose first half is the time when it was added.
    pub(super) fn read(id: &str, fields: Vec<(String, String)>, lane: Lane) -> Result<Self, Malformed> {
        let added = id.split('-').next().and_then(|ms| ms.parse().ok()).and_then(DateTime::from_timestamp_millis);
        let mut topic = None;
        let mut job = Self {
            topic: Topic::Unknown(String::new()),
            key: String::new(),
            lane,
            source: None,
            failures: 0,
            enqueued_at: added.unwrap_or(DateTime::UNIX_EPOCH),
            traceparent: None,
            payload: None,
            errors: Vec::new(),
            extra: Vec::new(),
        };
        for (name, value) in fields {
            match name.as_str() {
                "topic" => topic = Some(Topic::parse(&value)),
                "key" => job.key = value,
                "source" => job.source = Some(value),
                "traceparent" => job.traceparent = Some(value),
                "payload" => job.payload = Some(value),
                "attempt" => {
                    job.failures =
                        value.parse().map_err(|_| Malformed::Unreadable("attempt", value, "count of attempts"))?;
                }
                // A time that cannot be read costs only the job's age, not the job.
                "enqueued_at" => job.enqueued_at = read_time(&value).unwrap_or(job.enqueued_at),
                "errors" => job.errors = serde_json::from_str(&value).unwrap_or_default(),
                // The stream that an entry lies in says this better than a copy of it.
                "lane" => {}
                _ => job.extra.push((name, value)),
            }
        }
        match topic {
            Some(Topic::Unknown(name)) if name.trim().is_empty() => return Err(Malformed::Missing("topic")),
            None => return Err(Malformed::Missing("topic")),
            Some(topic) => job.topic = topic,
        }
        if job.key.is_empty() {
            return Err(Malformed::Missing("key"));
        }
        Ok(job)
    }

    /// What stands in the pending set for it: its key, with its words to the handler where it has some. As the functions
    /// put it together.
    pub(super) fn member(&self) -> Cow<'_, str> {
        match self.payload.as_deref() {
            None | Some("") => Cow::from(&self.key),
            Some(payload) => Cow::from(format!("{} {payload}", self.key)),
        }
    }

    /// The attempt that runs now, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// Whether it, or a job that it replaces, was begun before and had to wait.
    #[must_use]
    pub fn has_waited(&self) -> bool {
        self.failures > 0 || self.extra.iter().any(|(name, _)| name == REASON)
    }

    /// The flat fields of a stream entry.
    pub(super) fn fields(&self) -> Vec<String> {
        let mut out = vec!["topic".into(), self.topic.to_string(), "key".into(), self.key.clone()];
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                out.push(name.to_owned());
                out.push(value);
            }
        };
        put("source", self.source.clone());
        put("traceparent", self.traceparent.clone());
        put("payload", self.payload.clone());
        put("enqueued_at", Some(self.enqueued_at.timestamp_millis().to_string()));
        put("lane", Some(self.lane.name().to_owned()));
        if self.failures > 0 {
            put("attempt", Some(self.failures.to_string()));
        }
        if !self.errors.is_empty() {
            put("errors", serde_json::to_string(&self.errors).ok());
        }
        for (name, value) in &self.extra {
            put(name, Some(value.clone()));
        }
        out
    }

    /// Takes over what a scheduled retry of the same key has gone through: its count goes on, it is not started anew.
    pub(super) fn absorb(&mut self, earlier: Self) {
        if earlier.failures > self.failures {
            self.failures = earlier.failures;
            self.errors = earlier.errors;
        }
        self.payload = self.payload.take().or(earlier.payload);
        if !self.has_waited() {
            self.extra.extend(earlier.extra.into_iter().filter(|(name, _)| name == REASON));
        }
    }
}

/// Milliseconds since the epoch, or a time as people write it.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    text.parse()
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(flat: &[String]) -> Vec<(String, String)> {
        flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }

    #[test]
    fn an_entry_written_by_hand_is_a_job() {
        let fields = vec![("topic".into(), "calendar_sync_employee".into()), ("key".into(), "SB".into())];
        let job = Job::read("1700000000000-0", fields, Lane::First).unwrap();
        assert_eq!(job.topic, Topic::CalendarEmployee);
        assert_eq!((job.attempt(), job.enqueued_at.timestamp_millis()), (1, 1_700_000_000_000));
    }

    #[test]
    fn what_is_no_job_says_why() {
        let check = |fields: &[(&str, &str)], expected: &str| {
            let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let error = Job::read("1-0", fields, Lane::First).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[("key", "SB")], "no field `topic`");
        check(&[("topic", " "), ("key", "SB")], "no field `topic`");
        check(&[("topic", "calendar_sync_all")], "no field `key`");
        check(&[("topic", "calendar_sync_all"), ("key", "ALL"), ("attempt", "many")], "no count of attempts");
    }

    proptest! {
        #[test]
        fn a_job_survives_the_way_through_the_stream(
            key in "[A-Za-z0-9_ {}äöü-]{1,30}", failures in 0u32..9, payload in proptest::option::of("[ -~]{0,40}"),
            extra in proptest::collection::vec(("[x-z]{1,6}", "[ -~]{0,20}"), 0..3),
        ) {
            let job = Job {
                topic: Topic::parse("vmh.beteiligte.update"), key, lane: Lane::Sweep, source: Some("webhook".into()), failures,
                enqueued_at: DateTime::from_timestamp_millis(1_767_225_600_123).unwrap(), traceparent: None, payload,
                errors: (1..=failures).map(|attempt| AttemptError {
                    attempt, at: DateTime::UNIX_EPOCH, code: "x".into(), error: "y \"z\"".into(), worker: "w".into(), trace: None,
                }).collect(),
                extra,
            };
            prop_assert_eq!(Job::read("5-0", pairs(&job.fields()), Lane::Sweep).unwrap(), job);
        }
    }
}
