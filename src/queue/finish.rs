//! Ending runs and keeping their leases: whole batches in one call, each guarded by the lock's value (Q3, Q6).

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Queue;
use super::claim::{Claim, Claimed, PendingSets};
use super::error::QueueError;
use super::functions::Call;
use super::job::{AttemptError, Job, REASON};
use super::keys::GROUP;
use super::outcome::{Fault, Outcome};
use super::topic::{Flow, Lane};

/// How many finished jobs are kept to look at.
const DONE_KEPT: &str = "10000";

/// A run that ended, to be told to Redis.
#[derive(Debug)]
pub struct Finish {
    /// What ran.
    pub claimed: Claimed,
    /// What came of it.
    pub outcome: Outcome,
    /// The worker process that ran it.
    pub worker: String,
    /// When it ended, UTC.
    pub ended_at: DateTime<Utc>,
}

/// What Redis said to a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The job has moved.
    Moved,
    /// The lease was lost before; nothing changed, and another run has the job.
    Stale,
}

impl Finish {
    /// The verb of the finish function, the delay in ms, and the fields that the job takes along.
    fn order(&self) -> (&'static str, u128, Vec<String>) {
        let job = &self.claimed.job;
        match &self.outcome {
            Outcome::Done { result, detail } => ("done", 0, self.done_fields(result, detail.as_ref())),
            Outcome::Skipped { reason } => ("skip", 0, self.done_fields(reason, None)),
            Outcome::Retry { after, error } => ("retry", after.as_millis(), self.failed(error).fields()),
            Outcome::Hold { after, reason } => ("hold", after.as_millis(), with_reason(job, reason)),
            Outcome::Later { after, reason } => ("retry", after.as_millis(), with_reason(job, reason)),
            Outcome::Dead { error } => ("dead", 0, self.dead_fields(error)),
            Outcome::Back => ("back", 0, job.fields()),
        }
    }

    /// The job with one more failed attempt on it.
    fn failed(&self, error: &Fault) -> Job {
        let mut job = without_reason(&self.claimed.job);
        job.errors.push(AttemptError {
            attempt: job.attempt(),
            at: self.ended_at,
            code: error.code.clone(),
            error: error.message.clone(),
            worker: self.worker.clone(),
            trace: job.traceparent.clone(),
        });
        job.failures += 1;
        job
    }

    fn dead_fields(&self, error: &Fault) -> Vec<String> {
        let mut fields = self.failed(error).fields();
        for (name, value) in [
            ("code", error.code.clone()),
            ("error", error.message.clone()),
            ("failed_at", self.ended_at.timestamp_millis().to_string()),
            ("worker", self.worker.clone()),
        ] {
            fields.extend([name.to_owned(), value]);
        }
        fields
    }

    fn done_fields(&self, result: &str, detail: Option<&serde_json::Value>) -> Vec<String> {
        let (job, claim) = (&self.claimed.job, &self.claimed.claim);
        let mut fields = vec!["topic".to_owned(), job.topic.to_string()];
        let mut put = |name: &str, value: String| fields.extend([name.to_owned(), value]);
        put("key", job.key.clone());
        put("lane", job.lane.name().to_owned());
        put("result", result.to_owned());
        put("attempt", job.attempt().to_string());
        put("enqueued_at", job.enqueued_at.timestamp_millis().to_string());
        put("started_at", claim.started_at.timestamp_millis().to_string());
        put("ended_at", self.ended_at.timestamp_millis().to_string());
        put("worker", self.worker.clone());
        if let Some(source) = &job.source {
            put("source", source.clone());
        }
        if let Some(trace) = &job.traceparent {
            put("traceparent", trace.clone());
        }
        if let Some(detail) = detail {
            put("detail", detail.to_string());
        }
        fields
    }
}

fn without_reason(job: &Job) -> Job {
    let mut job = job.clone();
    job.extra.retain(|(name, _)| name != REASON);
    job
}

fn with_reason(job: &Job, reason: &str) -> Vec<String> {
    let mut job = without_reason(job);
    job.extra.push((REASON.to_owned(), reason.to_owned()));
    job.fields()
}

impl Queue {
    /// Ends these runs, one call for each stream they came from. The answers are in the order of `batch`.
    ///
    /// Safe to repeat: a run that was ended already answers `Stale`.
    pub async fn finish(&self, consumer: &str, batch: &[Finish]) -> Result<Vec<Finished>, QueueError> {
        let mut answers = vec![Finished::Stale; batch.len()];
        for flow in Flow::ALL {
            for lane in Lane::ALL {
                let of_stream = |claim: &Claim| claim.flow == flow && claim.lane == lane;
                let places: Vec<usize> = (0..batch.len()).filter(|at| of_stream(&batch[*at].claimed.claim)).collect();
                if places.is_empty() {
                    continue;
                }
                let moved = self.finish_stream(flow, lane, consumer, places.iter().map(|at| &batch[*at])).await?;
                for (at, moved) in places.into_iter().zip(moved) {
                    answers[at] = if moved == 1 { Finished::Moved } else { Finished::Stale };
                }
            }
        }
        Ok(answers)
    }

    async fn finish_stream<'a>(
        &self,
        flow: Flow,
        lane: Lane,
        consumer: &str,
        batch: impl Iterator<Item = &'a Finish>,
    ) -> Result<Vec<i64>, QueueError> {
        let mut sets = PendingSets::default();
        let (mut locks, mut args) = (Vec::new(), Vec::new());
        for finish in batch {
            let (claim, job) = (&finish.claimed.claim, &finish.claimed.job);
            let (verb, due, fields) = finish.order();
            let set = sets.number(claim.pending.clone());
            locks.push(claim.lock.clone());
            args.extend([claim.id.clone(), claim.value.clone(), verb.to_owned(), due.to_string(), set.to_string()]);
            args.extend([job.key.clone(), json!(fields).to_string()]);
        }
        Call::new("finish")
            .key(self.keys.stream(flow, lane))
            .keys(Lane::ALL.map(|lane| self.keys.stream(flow, lane)))
            .key(self.keys.scheduled(flow))
            .key(self.keys.scheduled_jobs(flow))
            .key(self.keys.parked(flow))
            .key(self.keys.parked_expiry(flow))
            .key(self.keys.dead(flow))
            .key(self.keys.done(flow))
            .key(self.keys.dead_open(flow))
            .key(self.keys.dead_resolved(flow))
            .keys(locks.iter().cloned())
            .keys(sets.0)
            .args([GROUP, consumer, DONE_KEPT, &locks.len().to_string()])
            .args(args)
            .run_twice(&self.bulk)
            .await
    }

    /// Renews these leases. Answers, in their order, which are still held; a run whose lease is lost must stop.
    pub async fn renew(&self, consumer: &str, lease: Duration, leases: &[Lease]) -> Result<Vec<bool>, QueueError> {
        let mut held = vec![false; leases.len()];
        for flow in Flow::ALL {
            for lane in Lane::ALL {
                let places: Vec<usize> =
                    (0..leases.len()).filter(|at| leases[*at].flow == flow && leases[*at].lane == lane).collect();
                if places.is_empty() {
                    continue;
                }
                let answers: Vec<i64> = Call::new("renew")
                    .key(self.keys.stream(flow, lane))
                    .keys(places.iter().map(|at| leases[*at].lock.clone()))
                    .args([GROUP, consumer, &lease.as_millis().to_string(), &places.len().to_string()])
                    .args(places.iter().flat_map(|at| [leases[*at].id.clone(), leases[*at].value.clone()]))
                    .run_twice(&self.control)
                    .await?;
                for (at, answer) in places.into_iter().zip(answers) {
                    held[at] = answer == 1;
                }
            }
        }
        Ok(held)
    }
}

/// What is needed to renew a claim while its run owns the claim itself.
#[derive(Debug, Clone)]
pub struct Lease {
    flow: Flow,
    lane: Lane,
    id: String,
    lock: String,
    value: String,
}

impl Claim {
    /// What renews this claim.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease {
            flow: self.flow,
            lane: self.lane,
            id: self.id.clone(),
            lock: self.lock.clone(),
            value: self.value.clone(),
        }
    }
}
