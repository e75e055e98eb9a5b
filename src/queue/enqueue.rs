//! Putting jobs on their stream: a whole batch in one call, without doubles (Q1, Q4).

use super::error::QueueError;
use super::functions::Call;
use super::topic::{Lane, Topic};
use super::{Flow, Queue};

/// So many keys are asked for in one command.
const AT_ONCE: usize = 500;

/// How a calendar is shown (C3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Full,
    /// Times only.
    Anonymised,
}

impl Mode {
    /// The word that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Anonymised => "anonymised",
        }
    }
}

/// Jobs of one topic.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// What they are about.
    pub topic: Topic,
    /// Who asks.
    pub lane: Lane,
    /// Distinct keys; what stands twice is queued once.
    pub keys: &'a [String],
    /// Where they come from, such as `webhook`.
    pub source: &'a str,
    /// The trace they belong to, W3C form.
    pub traceparent: Option<&'a str>,
    /// Further words to the handler, JSON. A job that has some is queued even where its key is queued without them.
    pub payload: Option<&'a str>,
    /// A mode that is chosen with this trigger; stored in the same call, also for keys that are queued already.
    pub mode: Option<Mode>,
}

impl<'a> Batch<'a> {
    /// A batch without trace, payload and mode.
    #[must_use]
    pub const fn new(topic: Topic, lane: Lane, keys: &'a [String], source: &'a str) -> Self {
        Self { topic, lane, keys, source, traceparent: None, payload: None, mode: None }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// The keys that were not queued before.
    pub new: Vec<String>,
    /// How many were queued already.
    pub already: usize,
}

impl Queue {
    /// Enqueues a batch in one call. When this answers `Ok`, Redis has every job (Q1).
    ///
    /// Safe to repeat: what was queued by a call whose answer was lost counts as queued already.
    pub async fn enqueue(&self, batch: &Batch<'_>) -> Result<Enqueued, QueueError> {
        let flow = batch.topic.flow();
        let (Some(flow), Some(pending)) = (flow, self.keys.pending(&batch.topic, batch.lane)) else {
            return Err(QueueError::Asked(format!("no flow runs the topic `{}`", batch.topic)));
        };
        let mut keys: Vec<&str> = batch.keys.iter().map(String::as_str).collect();
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        keys.retain(|key| seen.insert(*key));
        if keys.is_empty() {
            return Ok(Enqueued { new: Vec::new(), already: 0 });
        }
        // Whoever claims it would have to bury it as malformed: better that who asks is told.
        if seen.contains("") {
            return Err(QueueError::Asked(format!(
                "a job of `{}` cannot have an empty key; none of this batch is queued",
                batch.topic
            )));
        }
        let mut call = Call::new("enqueue").key(self.keys.stream(flow, batch.lane)).key(pending);
        if flow == Flow::Calendar {
            call = call.key(self.keys.modes());
        }
        let already: Vec<usize> = call
            .arg(batch.topic.to_string())
            .arg(batch.source)
            .arg(batch.traceparent.unwrap_or_default())
            .arg(batch.payload.unwrap_or_default())
            .arg(batch.mode.map_or("", Mode::name))
            .args(&keys)
            .run_twice(&self.bulk)
            .await?;
        let mut queued = already.iter().map(|place| place - 1).peekable();
        let new = keys.iter().enumerate().filter(|(at, _)| queued.next_if_eq(at).is_none());
        Ok(Enqueued { new: new.map(|(_, key)| (*key).to_owned()).collect(), already: already.len() })
    }

    /// For each of these keys, whether a retry or a quiet time of it is scheduled, or being run. Whoever only looks after
    /// things leaves those alone: a job would find nothing new, and a failing record would use up its attempts.
    pub async fn are_scheduled(&self, topic: &Topic, keys: &[String]) -> Result<Vec<bool>, QueueError> {
        let Some(flow) = topic.flow() else { return Ok(vec![false; keys.len()]) };
        let mut all = Vec::with_capacity(keys.len());
        for some in keys.chunks(AT_ONCE) {
            let mut cmd = redis::cmd("HMGET");
            cmd.arg(self.keys.scheduled_jobs(flow));
            for key in some {
                cmd.arg(self.keys.lock(topic, key));
            }
            let found: Vec<Option<Vec<u8>>> = self.bulk.query_twice(&cmd).await?;
            all.extend(found.iter().map(Option::is_some));
        }
        Ok(all)
    }

    /// How many jobs of a lane wait on its stream or run.
    pub async fn lane_length(&self, flow: Flow, lane: Lane) -> Result<usize, QueueError> {
        Ok(self.bulk.query_twice(redis::cmd("XLEN").arg(self.keys.stream(flow, lane))).await?)
    }

    /// The mode chosen for each Kürzel (and for `ALL`), with the time of the choice in ms since the epoch.
    pub async fn modes(&self) -> Result<Vec<(String, Mode, i64)>, QueueError> {
        let all: Vec<(String, String)> = self.bulk.query(redis::cmd("HGETALL").arg(self.keys.modes())).await?;
        Ok(all
            .into_iter()
            .filter_map(|(kuerzel, text)| {
                let (mode, at) = text.split_once(' ')?;
                let mode = [Mode::Full, Mode::Anonymised].into_iter().find(|m| m.name() == mode)?;
                Some((kuerzel, mode, at.parse().ok()?))
            })
            .collect())
    }
}
