//! Ending runs and keeping their leases: whole batches in one call, each guarded by the lock's value (Q3, Q6).

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
/// So many characters of an error are kept: some upstreams answer with whole pages, and every attempt's error travels along.
const ERROR_KEPT: usize = 2_000;

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

/// What is kept of a run that ended well: a field `run` of an entry in the done stream, JSON. What ended together is one
/// entry, because Redis works for each, and for each field.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunRecord<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) key: Cow<'a, str>,
    /// One word, such as `created`.
    pub(super) result: Cow<'a, str>,
    attempt: u32,
    lane: Cow<'a, str>,
    /// First enqueued, ms since the epoch.
    enqueued_at: i64,
    /// Claimed, ms since the epoch, by Redis' clock.
    pub(super) started_at: i64,
    /// Ended, ms since the epoch, by the worker's clock.
    ended_at: i64,
    worker: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<Cow<'a, Value>>,
}

/// What is to be done with a job that is suspected of killing its workers (Q10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Run it, alone: nothing is proved.
    Run,
    /// Judge it again after this time: if no other worker dies until then, it was the job.
    Wait(Duration),
    /// It kills its workers.
    Bury,
    /// The lease was lost.
    Lost,
}

impl Finish {
    const fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done { .. })
    }

    /// The part of the finish function's arguments that is this job's own.
    fn order(&self, set: usize, call: Call) -> Call {
        let job = &self.claimed.job;
        let with = |call: Call, fields: Vec<String>| call.arg(fields.len().to_string()).args(fields);
        let later = |call: Call, verb: &str, after: &Duration, fields| {
            with(call.args([verb, &after.as_millis().to_string()]), fields)
        };
        match &self.outcome {
            Outcome::Done { result, detail } => self.ended(call, result, detail.as_ref()),
            Outcome::Skipped { reason } => self.ended(call.arg("skip"), &cut(reason), None),
            Outcome::Retry { after, error } => later(call, "retry", after, self.failed(error).fields()),
            Outcome::Hold { after, reason } => later(call, "hold", after, with_reason(job, reason)),
            Outcome::Later { after, reason } => later(call, "retry", after, with_reason(job, reason)),
            Outcome::Dead { error } => with(call.arg("dead"), self.dead_fields(error)),
            Outcome::Back => with(call.args(["back", &set.to_string(), &*job.member()]), job.fields()),
        }
    }

    fn ended(&self, call: Call, result: &str, detail: Option<&Value>) -> Call {
        let (job, claim) = (&self.claimed.job, &self.claimed.claim);
        let run = RunRecord {
            topic: job.topic.to_string().into(),
            key: job.key.as_str().into(),
            result: result.into(),
            enqueued_at: job.enqueued_at.timestamp_millis(),
            started_at: claim.started_at.timestamp_millis(),
            ended_at: self.ended_at.timestamp_millis(),
            attempt: job.attempt(),
            lane: job.lane.name().into(),
            worker: self.worker.as_str().into(),
            source: job.source.as_deref().map(Cow::from),
            traceparent: job.traceparent.as_deref().map(Cow::from),
            detail: detail.map(Cow::Borrowed),
        };
        call.arg(serde_json::to_string(&run).unwrap_or_default())
    }

    /// The job with one more failed attempt on it.
    fn failed(&self, error: &Fault) -> Job {
        let mut job = without_reason(&self.claimed.job);
        job.errors.push(AttemptError {
            attempt: job.attempt(),
            at: self.ended_at,
            code: error.code.clone(),
            error: cut(&error.message),
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
            ("error", cut(&error.message)),
            ("failed_at", self.ended_at.timestamp_millis().to_string()),
            ("worker", self.worker.clone()),
        ] {
            fields.extend([name.to_owned(), value]);
        }
        fields
    }
}

/// At most [`ERROR_KEPT`] characters of a text, the last one a sign that there were more.
fn cut(text: &str) -> String {
    match text.char_indices().nth(ERROR_KEPT) {
        None => text.to_owned(),
        Some(_) => text.chars().take(ERROR_KEPT - 1).chain(['…']).collect(),
    }
}

fn without_reason(job: &Job) -> Job {
    let mut job = job.clone();
    job.extra.retain(|(name, _)| name != REASON);
    job
}

fn with_reason(job: &Job, reason: &str) -> Vec<String> {
    let mut job = without_reason(job);
    job.extra.push((REASON.to_owned(), cut(reason)));
    job.fields()
}

impl Queue {
    /// Ends these runs, one call for each stream they came from. The answers are in the order of `batch`.
    ///
    /// Safe to repeat: a run that was ended already answers `Stale`.
    pub async fn finish(&self, batch: &[Finish]) -> Result<Vec<Finished>, QueueError> {
        let mut answers = vec![Finished::Stale; batch.len()];
        for flow in Flow::ALL {
            for lane in Lane::ALL {
                let of_stream = |claim: &Claim| claim.flow == flow && claim.lane == lane;
                let mut places: Vec<usize> =
                    (0..batch.len()).filter(|at| of_stream(&batch[*at].claimed.claim)).collect();
                places.sort_by_key(|at| !batch[*at].is_done());
                if places.is_empty() {
                    continue;
                }
                let stale = self.finish_stream(flow, lane, places.iter().map(|at| &batch[*at])).await?;
                for (place, at) in (1..).zip(places) {
                    answers[at] = if stale.contains(&place) { Finished::Stale } else { Finished::Moved };
                }
            }
        }
        Ok(answers)
    }

    /// Ends runs whose jobs came from one stream, those that are done first. Answers the places, from 1, of those that were stale.
    async fn finish_stream<'a>(
        &self,
        flow: Flow,
        lane: Lane,
        batch: impl Iterator<Item = &'a Finish> + Clone,
    ) -> Result<Vec<usize>, QueueError> {
        let mut sets = PendingSets::default();
        let claims = || batch.clone().map(|finish| &finish.claimed.claim);
        let numbers: Vec<usize> = claims().map(|claim| sets.number(claim.pending.as_ref())).collect();
        let done = batch.clone().filter(|finish| finish.is_done()).count();
        let mut call = Call::new("finish")
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
            .key(self.keys.suspects(flow))
            .key(self.keys.progress(flow))
            .keys(claims().map(|claim| &claim.lock))
            .keys(sets.0)
            .args([GROUP, DONE_KEPT, &numbers.len().to_string(), &done.to_string()])
            .args(claims().map(|claim| &claim.id))
            .args(claims().map(|claim| &claim.value));
        for (finish, set) in batch.zip(numbers) {
            call = finish.order(set, call);
        }
        call.run_twice(&self.bulk).await
    }

    /// Judges a job that is suspected of killing its workers (Q10); at most this long a wait comes out of it.
    pub async fn judge(&self, lease: &Lease, at_most: Duration) -> Result<Verdict, QueueError> {
        let (what, ms): (String, u64) = Call::new("judge")
            .key(self.keys.suspects(lease.flow))
            .key(&lease.lock)
            .key(self.keys.workers(lease.flow))
            .args([&lease.value, &at_most.as_millis().to_string()])
            .run_twice(&self.control)
            .await?;
        Ok(match what.as_str() {
            "run" => Verdict::Run,
            "wait" => Verdict::Wait(Duration::from_millis(ms)),
            "bury" => Verdict::Bury,
            _ => Verdict::Lost,
        })
    }

    /// Tells that a suspect is about to run, with nothing beside it in this process (Q10). `false`: its lease was lost.
    pub async fn begin_alone(&self, consumer: &str, lease: &Lease) -> Result<bool, QueueError> {
        let begun: i64 = Call::new("alone")
            .key(self.keys.suspects(lease.flow))
            .key(&lease.lock)
            .args([&lease.value, consumer])
            .run_twice(&self.control)
            .await?;
        Ok(begun == 1)
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
                    .keys(places.iter().map(|at| &leases[*at].lock))
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
