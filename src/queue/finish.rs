//! Ending runs and keeping their leases: whole batches in one call, each guarded by the lock's value (Q3, Q6).

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

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

/// The fields of an entry, name and value in turn.
type Fields<'a> = Vec<Cow<'a, str>>;

impl Finish {
    /// The verb of the finish function, the delay in ms, and the fields that the job takes along.
    fn order(&self) -> (&'static str, u128, Fields<'_>) {
        let job = &self.claimed.job;
        match &self.outcome {
            Outcome::Done { result, detail } => ("done", 0, self.done_fields(result, detail.as_ref())),
            Outcome::Skipped { reason } => ("skip", 0, self.done_fields(reason, None)),
            Outcome::Retry { after, error } => ("retry", after.as_millis(), owned(self.failed(error).fields())),
            Outcome::Hold { after, reason } => ("hold", after.as_millis(), owned(with_reason(job, reason))),
            Outcome::Later { after, reason } => ("retry", after.as_millis(), owned(with_reason(job, reason))),
            Outcome::Dead { error } => ("dead", 0, owned(self.dead_fields(error))),
            Outcome::Back => ("back", 0, owned(job.fields())),
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

    fn done_fields<'a>(&'a self, result: &'a str, detail: Option<&serde_json::Value>) -> Fields<'a> {
        let (job, claim) = (&self.claimed.job, &self.claimed.claim);
        let ms = |time: DateTime<Utc>| Cow::from(time.timestamp_millis().to_string());
        let fields = [
            ("topic", Some(job.topic.to_string().into())),
            ("key", Some(job.key.as_str().into())),
            ("lane", Some(job.lane.name().into())),
            ("result", Some(result.into())),
            ("attempt", Some(job.attempt().to_string().into())),
            ("enqueued_at", Some(ms(job.enqueued_at))),
            ("started_at", Some(ms(claim.started_at))),
            ("ended_at", Some(ms(self.ended_at))),
            ("worker", Some(self.worker.as_str().into())),
            ("source", job.source.as_deref().map(Cow::from)),
            ("traceparent", job.traceparent.as_deref().map(Cow::from)),
            ("detail", detail.map(|detail| detail.to_string().into())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some([Cow::from(name), value?])).flatten().collect()
    }
}

fn owned(fields: Vec<String>) -> Fields<'static> {
    fields.into_iter().map(Cow::from).collect()
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
    pub async fn finish(&self, batch: &[Finish]) -> Result<Vec<Finished>, QueueError> {
        let mut answers = vec![Finished::Stale; batch.len()];
        for flow in Flow::ALL {
            for lane in Lane::ALL {
                let of_stream = |claim: &Claim| claim.flow == flow && claim.lane == lane;
                let places: Vec<usize> = (0..batch.len()).filter(|at| of_stream(&batch[*at].claimed.claim)).collect();
                if places.is_empty() {
                    continue;
                }
                let stale = self.finish_stream(flow, lane, places.iter().map(|at| &batch[*at])).await?;
                places.iter().for_each(|at| answers[*at] = Finished::Moved);
                stale.iter().filter_map(|place| places.get(place - 1)).for_each(|at| answers[*at] = Finished::Stale);
            }
        }
        Ok(answers)
    }

    /// Ends runs whose jobs came from one stream. Answers the places, from 1, of those that were stale.
    async fn finish_stream<'a>(
        &self,
        flow: Flow,
        lane: Lane,
        batch: impl Iterator<Item = &'a Finish> + Clone,
    ) -> Result<Vec<usize>, QueueError> {
        let mut sets = PendingSets::default();
        let claims = || batch.clone().map(|finish| &finish.claimed.claim);
        let numbers: Vec<usize> = claims().map(|claim| sets.number(claim.pending.as_ref())).collect();
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
            .args([GROUP, DONE_KEPT, &numbers.len().to_string()])
            .args(claims().map(|claim| &claim.id))
            .args(claims().map(|claim| &claim.value));
        for (finish, set) in batch.zip(numbers) {
            let (verb, due, fields) = finish.order();
            call = call
                .args([verb, &due.to_string(), &set.to_string(), &finish.claimed.job.key, &fields.len().to_string()])
                .args(fields.iter().map(|field| field.as_bytes()));
        }
        call.run_twice(&self.bulk).await
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
