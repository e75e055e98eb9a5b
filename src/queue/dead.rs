//! Dead letters: looking at them, replaying and discarding them (Q8).

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Queue;
use super::claim::Entry;
use super::error::QueueError;
use super::functions::Call;
use super::job::AttemptError;
use super::topic::{Flow, Lane};

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

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These entries.
    Ids(Vec<String>),
    /// All of a flow.
    All,
    /// Those of one topic.
    Topic(String),
    /// Those buried since then.
    Since(DateTime<Utc>),
}

impl Queue {
    /// The newest dead letters of a flow, at most `limit`, newest first.
    pub async fn dead_letters(&self, flow: Flow, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let key = self.keys.dead(flow);
        let entries: Vec<Entry> =
            self.control.query(redis::cmd("XREVRANGE").arg(&key).arg("+").arg("-").arg("COUNT").arg(limit)).await?;
        self.read_letters(flow, entries).await
    }

    /// One dead letter.
    pub async fn dead_letter(&self, flow: Flow, id: &str) -> Result<Option<DeadLetter>, QueueError> {
        check_id(id)?;
        let entries: Vec<Entry> =
            self.control.query(redis::cmd("XRANGE").arg(self.keys.dead(flow)).arg(id).arg(id)).await?;
        Ok(self.read_letters(flow, entries).await?.pop())
    }

    /// Puts dead letters back on their stream, at attempt 0. Answers how many.
    pub async fn replay(&self, flow: Flow, which: &Selection, entities: &[String]) -> Result<usize, QueueError> {
        let args = match which {
            Selection::Ids(ids) => {
                ids.iter().try_for_each(|id| check_id(id))?;
                ids.clone()
            }
            Selection::All => vec!["all".to_owned()],
            Selection::Topic(topic) => vec!["topic".to_owned(), topic.clone()],
            Selection::Since(when) => vec!["since".to_owned(), when.timestamp_millis().to_string()],
        };
        Call::admin("advosync_replay")
            .key(self.keys.dead(flow))
            .keys(Lane::ALL.map(|lane| self.keys.stream(flow, lane)))
            .key(self.keys.dead_resolved(flow))
            .keys(self.keys.pending_sets(flow, entities))
            .args(args)
            .run(&self.bulk)
            .await
    }

    /// Throws dead letters away. Answers how many there were.
    pub async fn discard(&self, flow: Flow, ids: &[String]) -> Result<usize, QueueError> {
        ids.iter().try_for_each(|id| check_id(id))?;
        Call::admin("advosync_discard")
            .key(self.keys.dead(flow))
            .key(self.keys.dead_resolved(flow))
            .args(ids)
            .run(&self.bulk)
            .await
    }

    async fn read_letters(&self, flow: Flow, entries: Vec<Entry>) -> Result<Vec<DeadLetter>, QueueError> {
        let resolved: HashSet<String> =
            self.control.query(redis::cmd("HKEYS").arg(self.keys.dead_resolved(flow))).await?;
        Ok(entries
            .into_iter()
            .map(|(id, fields)| {
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
                    resolved: resolved.contains(&id),
                    errors: text("errors").and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
                    id,
                    fields,
                }
            })
            .collect())
    }
}

/// A slip of the pen must not be taken for a range.
fn check_id(id: &str) -> Result<(), QueueError> {
    let mut parts = id.split('-');
    let number =
        |part: Option<&str>| part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if number(parts.next()) && number(parts.next()) && parts.next().is_none() {
        return Ok(());
    }
    Err(QueueError::Asked(format!(
        "{id:?} is no id of a dead letter; `advosync dead list` shows them (such as 1767225600000-0)"
    )))
}
