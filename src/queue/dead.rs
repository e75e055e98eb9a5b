//! Dead letters: looking at them and discarding them (Q8).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Queue;
use super::claim::Entry;
use super::error::QueueError;
use super::functions::Call;
use super::job::AttemptError;
use super::topic::Flow;

/// So many letters are read, and thrown away, at once: Redis does nothing else meanwhile.
const PAGE: usize = 500;

/// A job that failed for good, or an entry that never was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The entry's id in the dead-letter stream.
    pub id: String,
    /// The flow, `vmh` or `calendar`.
    pub flow: &'static str,
    /// The topic, if it had one.
    pub topic: Option<String>,
    /// The key, if it had one.
    pub key: Option<String>,
    /// A stable word for the kind of the last error.
    pub code: Option<String>,
    /// What the last attempt said.
    pub error: Option<String>,
    /// When it was buried, UTC.
    pub failed_at: Option<DateTime<Utc>>,
    /// A later job for the same key has succeeded.
    pub resolved: bool,
    /// Every attempt.
    pub errors: Vec<AttemptError>,
    /// All fields as they stand in the stream.
    pub fields: BTreeMap<String, String>,
}

impl Queue {
    /// The newest dead letters of a flow, at most `limit`, newest first.
    pub async fn dead_letters(&self, flow: Flow, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let key = self.keys.dead(flow);
        let mut letters: Vec<DeadLetter> = Vec::new();
        while letters.len() < limit {
            let before = letters.last().map_or_else(|| "+".to_owned(), |oldest| format!("({}", oldest.id));
            let room = PAGE.min(limit - letters.len());
            let mut cmd = redis::cmd("XREVRANGE");
            cmd.arg(&key).arg(before).arg("-").arg("COUNT").arg(room);
            let entries: Vec<Entry> = self.control.query_twice(&cmd).await?;
            let end = entries.len() < room;
            letters.extend(self.read_letters(flow, entries).await?);
            if end {
                break;
            }
        }
        Ok(letters)
    }

    /// One dead letter.
    pub async fn dead_letter(&self, flow: Flow, id: &str) -> Result<Option<DeadLetter>, QueueError> {
        Ok(self.dead_letters_of(flow, &[id.to_owned()]).await?.pop())
    }

    /// Those of these dead letters that are there, in the order of their ids here.
    pub async fn dead_letters_of(&self, flow: Flow, ids: &[String]) -> Result<Vec<DeadLetter>, QueueError> {
        ids.iter().try_for_each(|id| check_id(id))?;
        let key = self.keys.dead(flow);
        let mut letters = Vec::new();
        for some in ids.chunks(PAGE) {
            let mut pipe = redis::pipe();
            for id in some {
                pipe.cmd("XRANGE").arg(&key).arg(id).arg(id);
            }
            let found: Vec<Vec<Entry>> = self.control.pipe_twice(&pipe).await?;
            letters.extend(self.read_letters(flow, found.into_iter().flatten().collect()).await?);
        }
        Ok(letters)
    }

    /// Whether a job under this lock was buried at `since` or later, and nobody has dealt with it yet.
    pub async fn is_buried(&self, flow: Flow, lock: &str, since: DateTime<Utc>) -> Result<bool, QueueError> {
        let open: Option<String> =
            self.control.query_twice(redis::cmd("HGET").arg(self.keys.dead_open(flow)).arg(lock)).await?;
        let at = |id: &str| id.split_once('-')?.0.parse::<i64>().ok();
        Ok(open.is_some_and(|ids| ids.split(' ').filter_map(at).any(|at| at >= since.timestamp_millis())))
    }

    /// Throws dead letters away. Answers how many there were.
    pub async fn discard(&self, flow: Flow, ids: &[String]) -> Result<usize, QueueError> {
        ids.iter().try_for_each(|id| check_id(id))?;
        let mut gone = 0;
        for some in ids.chunks(PAGE) {
            let discarded: usize = Call::named("advosync_discard")
                .key(self.keys.dead(flow))
                .keys([self.keys.dead_open(flow), self.keys.dead_resolved(flow)])
                .args(some)
                .run(&self.bulk)
                .await?;
            gone += discarded;
        }
        Ok(gone)
    }

    async fn read_letters(&self, flow: Flow, entries: Vec<Entry>) -> Result<Vec<DeadLetter>, QueueError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut marks = redis::cmd("HMGET");
        marks.arg(self.keys.dead_resolved(flow)).arg(entries.iter().map(|(id, _)| id).collect::<Vec<_>>());
        let resolved: Vec<Option<String>> = self.control.query_twice(&marks).await?;
        Ok(entries
            .into_iter()
            .zip(resolved)
            .map(|((id, fields), resolved)| {
                let fields: BTreeMap<String, String> = fields
                    .into_iter()
                    .map(|(k, v)| (String::from_utf8_lossy(&k).into_owned(), String::from_utf8_lossy(&v).into_owned()))
                    .collect();
                let text = |name: &str| fields.get(name).cloned();
                DeadLetter {
                    flow: flow.name(),
                    topic: text("topic"),
                    key: text("key"),
                    code: text("code"),
                    error: text("error"),
                    failed_at: text("failed_at")
                        .and_then(|ms| ms.parse().ok())
                        .and_then(DateTime::from_timestamp_millis),
                    resolved: resolved.is_some(),
                    errors: text("errors").and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
                    id,
                    fields,
                }
            })
            .collect())
    }
}

/// A slip of the pen must not be taken for a range.
pub(super) fn check_id(id: &str) -> Result<(), QueueError> {
    if id.contains('-') && id_of(id, 0).is_some() {
        return Ok(());
    }
    Err(QueueError::Asked(format!(
        "{id:?} is no id of a dead letter; `advosync dead list` shows them (such as 1767225600000-0)"
    )))
}

/// An id as its two numbers, which must not be compared as text; the first half alone, with `second` for the other.
pub(super) fn id_of(text: &str, second: u64) -> Option<(u64, u64)> {
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    match text.split_once('-') {
        Some((ms, count)) => Some((number(ms)?, number(count)?)),
        None => Some((number(text)?, second)),
    }
}
