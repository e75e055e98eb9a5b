//! Waiting until a job that was enqueued has run, for `--wait`.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::RedisError;
use serde_json::Value;

use super::Queue;
use super::claim::{Entry, Scheduled};
use super::consumer::{BLOCK, Read};
use super::error::QueueError;
use super::finish::RunRecord;
use super::link::Link;
use super::topic::{Flow, Lane, Topic};

/// How a run that somebody waited for ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Done, with its one-word result and details.
    Done {
        /// Such as `created`.
        result: String,
        /// What the handler reported.
        detail: Option<Value>,
    },
    /// An attempt failed; it is tried again later.
    Failed {
        /// What the attempt said.
        error: String,
    },
    /// It failed for good.
    Dead {
        /// What the last attempt said.
        error: String,
    },
}

/// Looks out for the end of a run that starts after the waiter was made.
pub struct Waiter {
    queue: Queue,
    link: Link,
    flow: Flow,
    topic: Topic,
    key: String,
    since: DateTime<Utc>,
    /// The ends of the streams when the waiter was made.
    start: Ends,
    seen: Ends,
}

/// The last ids of the two streams in which a job ends.
#[derive(Clone)]
struct Ends {
    done: String,
    dead: String,
}

impl Queue {
    /// A waiter for a job of this topic and key. Make it before enqueuing.
    pub async fn waiter(&self, topic: Topic, key: &str) -> Result<Waiter, QueueError> {
        let flow = topic.flow().ok_or_else(|| QueueError::Asked(format!("no flow runs the topic `{topic}`")))?;
        let (seconds, micros): (i64, u32) = self.control.query(&redis::cmd("TIME")).await?;
        let since = DateTime::from_timestamp(seconds, micros / 1000 * 1_000_000).unwrap_or_default();
        let start =
            Ends { done: self.last_id(&self.keys.done(flow)).await?, dead: self.last_id(&self.keys.dead(flow)).await? };
        Ok(Waiter {
            link: self.control.another(BLOCK),
            seen: start.clone(),
            start,
            queue: self.clone(),
            flow,
            topic,
            key: key.to_owned(),
            since,
        })
    }

    async fn last_id(&self, stream: &str) -> Result<String, QueueError> {
        let last: Vec<Entry> =
            self.control.query(redis::cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1)).await?;
        Ok(last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
    }
}

impl Waiter {
    /// A waiter for another job of the same flow that looks out from the same moment on, for jobs that only turn out
    /// to be awaited when they may have ended already.
    #[must_use]
    pub fn another(&self, topic: Topic, key: &str) -> Self {
        Self {
            queue: self.queue.clone(),
            link: self.link.clone(),
            flow: self.flow,
            topic,
            key: key.to_owned(),
            since: self.since,
            start: self.start.clone(),
            seen: self.start.clone(),
        }
    }

    /// Waits for up to a second, or until any job of the flow ends; `None`: not yet.
    pub async fn poll(&mut self) -> Result<Option<Ended>, QueueError> {
        self.read(Some(BLOCK / 5)).await
    }

    /// As [`Waiter::poll`], without waiting.
    pub async fn look(&mut self) -> Result<Option<Ended>, QueueError> {
        self.read(None).await
    }

    async fn read(&mut self, block: Option<Duration>) -> Result<Option<Ended>, QueueError> {
        let (done_key, dead_key) = (self.queue.keys.done(self.flow), self.queue.keys.dead(self.flow));
        let mut cmd = redis::cmd("XREAD");
        if let Some(block) = block {
            cmd.arg("BLOCK").arg(block.as_millis().to_string());
        }
        cmd.arg("STREAMS");
        cmd.arg(&done_key).arg(&dead_key).arg(&self.seen.done).arg(&self.seen.dead);
        let read: Result<Read, RedisError> = self.link.query(&cmd).await;
        let streams = read?.unwrap_or_default();
        let of = |key: &str| {
            streams
                .iter()
                .filter(|(stream, _)| stream == key)
                .flat_map(|(_, entries)| entries.clone())
                .collect::<Vec<_>>()
        };
        for (id, fields) in of(&done_key) {
            self.seen.done = id;
            for (_, run) in fields {
                let Ok(run) = serde_json::from_slice::<RunRecord<'_>>(&run) else { continue };
                if self.is_mine(Some(&run.topic), Some(&run.key)) && run.started_at >= self.since.timestamp_millis() {
                    let detail = run.detail.map(Cow::into_owned);
                    return Ok(Some(Ended::Done { result: run.result.into_owned(), detail }));
                }
            }
        }
        for (id, fields) in of(&dead_key) {
            self.seen.dead = id;
            if self.is_mine(text(&fields, "topic").as_deref(), text(&fields, "key").as_deref()) {
                return Ok(Some(Ended::Dead { error: text(&fields, "error").unwrap_or_default() }));
            }
        }
        self.failed_attempt().await
    }

    /// A retry that was scheduled since we wait, with what the attempt said.
    async fn failed_attempt(&self) -> Result<Option<Ended>, QueueError> {
        let lock = self.queue.keys.lock(&self.topic, &self.key);
        let text: Option<String> = self
            .queue
            .control
            .query(redis::cmd("HGET").arg(self.queue.keys.scheduled_jobs(self.flow)).arg(lock))
            .await?;
        let job = text
            .and_then(|text| serde_json::from_str::<Scheduled>(&text).ok())
            .and_then(|scheduled| scheduled.job(Lane::First).ok());
        Ok(job
            .and_then(|job| job.errors.into_iter().next_back())
            .filter(|error| error.at >= self.since)
            .map(|error| Ended::Failed { error: error.error }))
    }

    /// The same lock is the same record or employee, whichever action asked.
    fn is_mine(&self, topic: Option<&str>, key: Option<&str>) -> bool {
        key == Some(&self.key)
            && topic.map(Topic::parse).is_some_and(|topic| topic.lock(&self.key) == self.topic.lock(&self.key))
    }
}

fn text(fields: &[(Vec<u8>, Vec<u8>)], name: &str) -> Option<String> {
    fields
        .iter()
        .find(|(field, _)| field == name.as_bytes())
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// How long `--wait` may reasonably take before a person is told to look at `status` instead.
pub const PATIENCE: Duration = Duration::from_mins(30);
