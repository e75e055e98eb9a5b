//! What is known of the failures of one key: its retry, and its open dead letters.

use chrono::{DateTime, Utc};

use super::Queue;
use super::claim::Scheduled;
use super::dead::DeadLetter;
use super::error::QueueError;
use super::job::{AttemptError, REASON};
use super::topic::{Lane, Topic};

/// The failures of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// What is scheduled for it.
    pub retry: Option<Retry>,
    /// Its dead letters that nobody has dealt with, oldest first.
    pub letters: Vec<DeadLetter>,
}

/// A job that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// When it is due, UTC.
    pub due: Option<DateTime<Utc>>,
    /// Why it waits, where it has not failed.
    pub reason: Option<String>,
    /// What its failed attempts said; none where it only waits.
    pub errors: Vec<AttemptError>,
}

impl Queue {
    /// What is known of the failures of whatever has the lock of this topic and key.
    pub async fn troubles(&self, topic: &Topic, key: &str) -> Result<Troubles, QueueError> {
        let Some(flow) = topic.flow() else { return Ok(Troubles::default()) };
        let lock = self.keys.lock(topic, key);
        let mut pipe = redis::pipe();
        pipe.cmd("HGET").arg(self.keys.scheduled_jobs(flow)).arg(&lock);
        pipe.cmd("HGET").arg(self.keys.dead_open(flow)).arg(&lock);
        let (scheduled, open): (Option<String>, Option<String>) = self.control.pipe_twice(&pipe).await?;
        let ids: Vec<String> = open.iter().flat_map(|ids| ids.split_whitespace()).map(str::to_owned).collect();
        Ok(Troubles { retry: scheduled.as_deref().and_then(retry), letters: self.dead_letters_of(flow, &ids).await? })
    }
}

fn retry(text: &str) -> Option<Retry> {
    let scheduled: Scheduled = serde_json::from_str(text).ok()?;
    let due = DateTime::from_timestamp_millis(scheduled.due);
    let job = scheduled.job(Lane::First).ok()?;
    let reason = job.extra.into_iter().find(|(name, _)| name == REASON).map(|(_, reason)| reason);
    Some(Retry { due, reason, errors: job.errors })
}
