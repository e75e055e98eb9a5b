//! Taking the lock of a job that was read: one call for a whole batch.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Value;
use serde::Deserialize;

use super::Queue;
use super::error::QueueError;
use super::functions::Call;
use super::job::{Job, Malformed};
use super::keys::GROUP;
use super::topic::{Flow, Lane};

/// The right to run a job: the lock's name and value. Whoever holds it must renew it.
#[derive(Debug)]
pub struct Claim {
    pub(super) flow: Flow,
    pub(super) lane: Lane,
    /// The stream entry.
    pub(super) id: String,
    /// The lock's key.
    pub(super) lock: String,
    /// The lock's value, `<lease number>:<consumer>`.
    pub(super) value: String,
    /// The pending set of the job.
    pub(super) pending: Option<String>,
    /// When it was claimed, by Redis' clock.
    pub(super) started_at: DateTime<Utc>,
    /// How often the entry was delivered, this time included.
    pub(super) deliveries: u32,
    /// Kept for as long as the claim lives.
    pub(super) _mark: Mark,
}

impl Claim {
    /// The entry's id in its stream.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The flow it runs in.
    #[must_use]
    pub const fn flow(&self) -> Flow {
        self.flow
    }

    /// The lane it came from.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// The lock and its value, for writes elsewhere that must not outlive the lease.
    #[must_use]
    pub fn fence(&self) -> (&str, &str) {
        (&self.lock, &self.value)
    }

    /// How often the entry was delivered, this time included.
    #[must_use]
    pub const fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// When it was claimed, by Redis' clock, UTC.
    #[must_use]
    pub const fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }
}

/// A job that is ours to run.
#[derive(Debug)]
pub struct Claimed {
    /// The work.
    pub job: Job,
    /// The right to do it.
    pub claim: Claim,
    /// When a retry that this job replaces would have been due, if that is still ahead.
    pub retry_due: Option<DateTime<Utc>>,
}

/// The ids of entries that this process runs: they are in its pending list, but not to be read again.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<String>>>);

impl InFlight {
    pub(super) fn holds(&self, id: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    fn mark(&self, id: &str) -> Mark {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        Mark { all: self.clone(), id: id.to_owned() }
    }
}

/// Takes the id out of `InFlight` when the claim is gone, however it went.
#[derive(Debug)]
pub(super) struct Mark {
    all: InFlight,
    id: String,
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// An entry as it was read from a stream; what people write with redis-cli need not be text.
pub(super) type Entry = (String, Vec<(Vec<u8>, Vec<u8>)>);

/// What `scheduled:jobs` holds for a lock.
#[derive(Deserialize)]
pub(super) struct Scheduled {
    pub(super) due: i64,
    pub(super) fields: Vec<String>,
}

impl Scheduled {
    pub(super) fn job(self, lane: Lane) -> Result<Job, Malformed> {
        let fields = self.fields.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Job::read("", fields, lane)
    }
}

/// Numbers the pending sets of a call: each is passed once.
#[derive(Default)]
pub(super) struct PendingSets(pub(super) Vec<String>);

impl PendingSets {
    /// The set's number, from 1; 0 where there is none.
    pub(super) fn number(&mut self, set: Option<String>) -> usize {
        let Some(set) = set else { return 0 };
        if let Some(at) = self.0.iter().position(|known| *known == set) {
            return at + 1;
        }
        self.0.push(set);
        self.0.len()
    }
}

impl Queue {
    /// Takes the locks of these entries, in one call. What another run holds is parked, what is no job is buried.
    pub(super) async fn claim(
        &self,
        flow: Flow,
        lane: Lane,
        consumer: &str,
        lease: Duration,
        in_flight: &InFlight,
        entries: Vec<Entry>,
    ) -> Result<Vec<Claimed>, QueueError> {
        let mut jobs = Vec::with_capacity(entries.len());
        for (id, fields) in entries {
            match Job::read_raw(&id, fields, lane) {
                Ok(job) => jobs.push((id, job)),
                Err(why) => self.bury(flow, lane, consumer, &id, &why).await?,
            }
        }
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut sets = PendingSets::default();
        let mut args: Vec<String> = Vec::with_capacity(jobs.len() * 3);
        let mut locks = Vec::with_capacity(jobs.len());
        for (id, job) in &jobs {
            let set = sets.number(self.keys.pending(&job.topic, lane));
            args.extend([id.clone(), job.key.clone(), set.to_string()]);
            locks.push(self.keys.lock(&job.topic, &job.key));
        }
        let answers: Vec<Vec<Value>> = Call::new("claim")
            .key(self.keys.stream(flow, lane))
            .key(self.keys.leases(flow))
            .key(self.keys.scheduled(flow))
            .key(self.keys.scheduled_jobs(flow))
            .key(self.keys.parked(flow))
            .key(self.keys.parked_expiry(flow))
            .keys(locks.iter().cloned())
            .keys(sets.0)
            .args([GROUP, consumer, &lease.as_millis().to_string(), lane.name(), &jobs.len().to_string()])
            .args(args)
            .run(&self.bulk)
            .await?;
        let mut claimed = Vec::with_capacity(jobs.len());
        for (((id, mut job), lock), answer) in jobs.into_iter().zip(locks).zip(answers) {
            let Some(granted) = Granted::read(&answer)? else { continue };
            let earlier: Option<Scheduled> = serde_json::from_str(&granted.scheduled).ok();
            let retry_due = earlier
                .as_ref()
                .and_then(|earlier| DateTime::from_timestamp_millis(earlier.due))
                .filter(|due| *due > granted.now);
            if let Some(earlier) = earlier.and_then(|earlier| earlier.job(lane).ok()) {
                job.absorb(earlier);
            }
            let claim = Claim {
                flow,
                lane,
                lock,
                value: format!("{}:{consumer}", granted.lease),
                pending: self.keys.pending(&job.topic, lane),
                started_at: granted.now,
                deliveries: granted.deliveries,
                _mark: in_flight.mark(&id),
                id,
            };
            claimed.push(Claimed { job, claim, retry_due });
        }
        Ok(claimed)
    }

    /// Moves an entry that is no job to the dead letters, whole.
    async fn bury(&self, flow: Flow, lane: Lane, consumer: &str, id: &str, why: &Malformed) -> Result<(), QueueError> {
        tracing::warn!(%flow, entry = id, error = %why, "malformed entry goes to the dead letters");
        let at = Utc::now().timestamp_millis().to_string();
        let error = why.to_string();
        let _moved: i64 = Call::new("bury")
            .key(self.keys.stream(flow, lane))
            .key(self.keys.dead(flow))
            .args([GROUP, consumer, id, "code", "malformed", "error", &error, "failed_at", &at, "worker", consumer])
            .args(["lane", lane.name()])
            .run(&self.bulk)
            .await?;
        Ok(())
    }
}

/// A granted claim as the function answers it.
struct Granted {
    lease: i64,
    deliveries: u32,
    now: DateTime<Utc>,
    scheduled: String,
}

impl Granted {
    /// `None` where the job was parked, joined a quiet time, or belongs to somebody else by now.
    fn read(answer: &[Value]) -> Result<Option<Self>, QueueError> {
        let text = |at: usize| redis::from_redis_value_ref::<String>(answer.get(at).unwrap_or(&Value::Nil));
        let number = |at: usize| redis::from_redis_value_ref::<i64>(answer.get(at).unwrap_or(&Value::Nil));
        let strange = |_| QueueError::Refused("the claim function gave an answer of another layout".into());
        if text(0).map_err(strange)? != "granted" {
            return Ok(None);
        }
        Ok(Some(Self {
            lease: number(1).map_err(strange)?,
            deliveries: u32::try_from(number(2).map_err(strange)?).unwrap_or(1),
            now: DateTime::from_timestamp_millis(number(3).map_err(strange)?).unwrap_or(DateTime::UNIX_EPOCH),
            scheduled: text(4).map_err(strange)?,
        }))
    }
}
