//! What the pool asks of a handler, and what a handler may ask of the pool.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::queue::{Claim, Job, Outcome, Topic};

/// Does the work of some topics. Runs many jobs at once, but never two of one key.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Whether it knows this topic.
    fn serves(&self, topic: &Topic) -> bool;

    /// Does the work. May be dropped at any await: when the lease is lost, or when the process has to stop.
    async fn run(&self, job: &Job, run: &Run) -> Result<Success, Failure>;

    /// Whether this job only tries whether a key that has failed for good works by now. Such a job has one attempt: when it
    /// fails, what an earlier run left (dead letters, a retry) stays as it is, and [`Handler::failed`] is not told.
    fn is_trial(&self, _: &Job) -> bool {
        false
    }

    /// Is told, still under the lock, what a failed run means for the job, before the queue is.
    async fn failed(&self, job: &Job, run: &Run, outcome: &Outcome);
}

/// Asks an upstream that counts as down whether it is back.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// The upstream's name in `status`.
    fn name(&self) -> &'static str;

    /// A cheap call; `Err` says what went wrong.
    async fn ping(&self) -> Result<(), String>;
}

/// A run that reached its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Success {
    /// One word for lists, such as `created` or `unchanged`.
    pub result: String,
    /// What a person who waits for the job should see.
    pub detail: Option<Value>,
}

/// A run that did not reach its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It failed and counts as an attempt.
    #[error("{message}")]
    Failed {
        /// A stable word for the kind.
        code: &'static str,
        /// What happened, to which record, what to do.
        message: String,
        /// The upstream asked for at least this long a pause.
        retry_after: Option<Duration>,
    },
    /// It failed for good: only a person can decide.
    #[error("{message}")]
    Final {
        /// A stable word for the kind.
        code: &'static str,
        /// What happened, to which record, what to do.
        message: String,
    },
    /// An upstream cannot be reached or is broken. Counts for its breaker; an attempt only while the breaker is closed.
    #[error("{message}")]
    Upstream {
        /// The upstream's name in `status`.
        upstream: &'static str,
        /// What it said.
        message: String,
        /// It asked for at least this long a pause.
        retry_after: Option<Duration>,
        /// Trying again cannot help before somebody acts (a wrong password): count it as down at once.
        park: bool,
    },
    /// Nothing failed, but neither this nor any other job of the key may go on before this time.
    #[error("waiting: {reason}")]
    Hold {
        /// From now.
        after: Duration,
        /// Why.
        reason: String,
        /// The upstream whose failure led here, if one did.
        upstream: Option<(&'static str, String)>,
    },
    /// Nothing failed, but it cannot go on now.
    #[error("later: {reason}")]
    Later {
        /// From now.
        after: Duration,
        /// Why.
        reason: String,
    },
    /// There is nothing to do for this job (an echo of our own write).
    #[error("nothing to do: {reason}")]
    Skip {
        /// Why.
        reason: &'static str,
    },
    /// The lease was lost: another run has the job, this one must not touch anything.
    #[error("the lease was lost")]
    LeaseLost,
}

/// The lease was lost: whatever comes next must not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost")]
pub struct LeaseLost;

impl From<LeaseLost> for Failure {
    fn from(_: LeaseLost) -> Self {
        Self::LeaseLost
    }
}

/// The circumstances of one run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The lock and its value, for writes elsewhere that must not outlive the lease.
    pub fence: (String, String),
    /// When it was claimed, by Redis' clock, UTC.
    pub started_at: DateTime<Utc>,
    /// When the retry that this job replaces would have been due, if that is still ahead.
    pub retry_due: Option<DateTime<Utc>>,
    /// The entry was delivered before: an earlier run of this very job may have had effects and ended without a word.
    pub redelivered: bool,
    freshness: Arc<Freshness>,
    memo: Arc<OnceLock<String>>,
    only_asked: Arc<OnceLock<&'static str>>,
}

/// When the lease was known to be held for the last time.
#[derive(Debug)]
pub(super) struct Freshness {
    start: Instant,
    confirmed_ms: AtomicU64,
    lease: Duration,
}

impl Freshness {
    fn confirm_as_of(&self, asked_at: Instant) {
        let ms = u64::try_from(asked_at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        self.confirmed_ms.fetch_max(ms, Ordering::Release);
    }

    /// How much of the lease is left for certain.
    fn left(&self) -> Duration {
        let confirmed = self.start + Duration::from_millis(self.confirmed_ms.load(Ordering::Acquire));
        self.lease.saturating_sub(confirmed.elapsed())
    }

    /// Does work as long as the lease is held for certain, and not a step further: a process that was frozen past its lease
    /// would go on where it stood, also behind its last look at the lease. `None`: it was lost.
    async fn guard<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| if self.left().is_zero() { Poll::Ready(None) } else { work.as_mut().poll(context).map(Some) })
            .await
    }
}

impl Run {
    /// The circumstances of a claim that was just granted.
    pub(super) fn new(claim: &Claim, retry_due: Option<DateTime<Utc>>, lease: Duration, claimed_at: Instant) -> Self {
        let (lock, value) = claim.fence();
        Self {
            fence: (lock.to_owned(), value.to_owned()),
            started_at: claim.started_at(),
            retry_due,
            redelivered: claim.deliveries() > 1,
            freshness: Arc::new(Freshness { start: claimed_at, confirmed_ms: AtomicU64::new(0), lease }),
            memo: Arc::new(OnceLock::new()),
            only_asked: Arc::new(OnceLock::new()),
        }
    }

    /// To be asked before every write: a process that was frozen past its lease must not go on as if nothing happened.
    pub fn check(&self) -> Result<(), LeaseLost> {
        if self.freshness.left().is_zero() { Err(LeaseLost) } else { Ok(()) }
    }

    /// Does work as long as the lease is held, and not a step further. `None`: it was lost.
    pub(super) async fn while_held<F: Future>(&self, work: F) -> Option<F::Output> {
        self.freshness.guard(work).await
    }

    /// Now, by Redis' clock: the one clock that all workers share, however their own are set.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.started_at + TimeDelta::from_std(self.freshness.start.elapsed()).unwrap_or_default()
    }

    /// Keeps a word from [`Handler::run`] for [`Handler::failed`]; the first one stays.
    pub fn memorise(&self, word: String) {
        let _ = self.memo.set(word);
    }

    /// What was kept.
    #[must_use]
    pub fn memorised(&self) -> Option<&str> {
        self.memo.get().map(String::as_str)
    }

    /// Says that the run needs no other upstream than this one: its success says nothing about the others.
    pub fn asks_only(&self, upstream: &'static str) {
        let _ = self.only_asked.set(upstream);
    }

    /// Whether a success of the run shows that this upstream works.
    pub(super) fn speaks_for(&self, upstream: &str) -> bool {
        self.only_asked.get().is_none_or(|only| *only == upstream)
    }

    pub(super) fn left(&self) -> Duration {
        self.freshness.left()
    }

    pub(super) fn confirm_as_of(&self, asked_at: Instant) {
        self.freshness.confirm_as_of(asked_at);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn work_goes_no_step_further_than_its_lease() {
        let check = async |lease: Duration, expected: Option<&str>| {
            let held = Freshness { start: Instant::now(), confirmed_ms: AtomicU64::new(0), lease };
            let mut went_on = false;
            let work = async {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "stands still as a frozen process does, timers included"
                )]
                std::thread::sleep(Duration::from_millis(30));
                tokio::task::yield_now().await;
                went_on = true;
                sleep(Duration::from_millis(1)).await;
                "done"
            };
            assert_eq!(held.guard(work).await, expected);
            assert_eq!(went_on, expected.is_some());
        };
        check(Duration::from_millis(20), None).await;
        check(Duration::from_mins(1), Some("done")).await;
    }
}
