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
    /// Workers died while they ran this job.
    pub(super) suspicion: Option<Suspicion>,
    /// Kept for as long as the claim lives.
    pub(super) _mark: Mark,
}

/// A job whose workers died while they ran it, and that was not seen to be innocent (Q10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspicion {
    /// Deliveries whose worker died without having made progress.
    pub losses: u32,
    /// How many of them while the job was alone in its process.
    pub alone: u32,
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

    /// Whether workers died while they ran this job.
    #[must_use]
    pub const fn suspicion(&self) -> Option<Suspicion> {
        self.suspicion
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

/// The entries that this process runs: they are in its pending list, but not to be read again. By lane, as both streams
/// may give the same id in the same millisecond.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<(Lane, String)>>>);

impl InFlight {
    pub(super) fn holds(&self, lane: Lane, id: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(lane, id.to_owned()))
    }

    fn mark(&self, lane: Lane, id: &str) -> Mark {
        let entry = (lane, id.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.clone());
        Mark { all: self.clone(), entry }
    }
}

/// Takes the id out of `InFlight` when the claim is gone, however it went.
#[derive(Debug)]
pub(super) struct Mark {
    all: InFlight,
    entry: (Lane, String),
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
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
    pub(super) fn number(&mut self, set: Option<&String>) -> usize {
        let Some(set) = set else { return 0 };
        if let Some(at) = self.0.iter().position(|known| known == set) {
            return at + 1;
        }
        self.0.push(set.clone());
        self.0.len()
    }
}

/// How entries came to us, which says what may have happened to them before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Read from the stream, after this time by Redis' clock (ms); nobody had them before.
    Read { since: i64 },
    /// Our own, whose delivery we never saw.
    Own,
    /// Taken over from a consumer that is gone.
    Lost,
}

/// Who claims, and from where.
pub(super) struct Claimant<'a> {
    pub(super) flow: Flow,
    pub(super) lane: Lane,
    pub(super) consumer: &'a str,
    pub(super) lease: Duration,
    pub(super) in_flight: &'a InFlight,
}

impl Queue {
    /// Takes the locks of these entries, in one call. What another run holds is parked, what is no job is buried.
    /// Answers what is ours to run, and Redis' time, ms.
    pub(super) async fn claim(
        &self,
        by: &Claimant<'_>,
        origin: Origin,
        entries: Vec<Entry>,
    ) -> Result<(Vec<Claimed>, Option<i64>), QueueError> {
        let mut jobs = Vec::with_capacity(entries.len());
        for (id, fields) in entries {
            match Job::read_raw(&id, fields, by.lane) {
                Ok(job) => jobs.push((id, job)),
                Err(why) => self.bury(by.flow, by.lane, by.consumer, &id, &why).await?,
            }
        }
        if jobs.is_empty() {
            return Ok((Vec::new(), None));
        }
        let mut sets = PendingSets::default();
        let pending: Vec<(usize, Option<String>)> = jobs
            .iter()
            .map(|(_, job)| self.keys.pending(&job.topic, by.lane))
            .map(|set| (sets.number(set.as_ref()), set))
            .collect();
        let sets_differ = pending.iter().any(|(number, _)| *number != pending[0].0);
        let locks: Vec<String> = jobs.iter().map(|(_, job)| self.keys.lock(&job.topic, &job.key)).collect();
        let (how, since) = match origin {
            Origin::Read { since } => ("read", since),
            Origin::Own => ("own", 0),
            Origin::Lost => ("lost", 0),
        };
        let (now, first, exceptions) = Call::new("claim")
            .key(self.keys.stream(by.flow, by.lane))
            .key(self.keys.leases(by.flow))
            .key(self.keys.scheduled(by.flow))
            .key(self.keys.scheduled_jobs(by.flow))
            .key(self.keys.parked(by.flow))
            .key(self.keys.parked_expiry(by.flow))
            .key(self.keys.suspects(by.flow))
            .key(self.keys.progress(by.flow))
            .key(self.keys.workers(by.flow))
            .keys(&locks)
            .keys(&sets.0)
            .args([GROUP, by.consumer, &by.lease.as_millis().to_string(), by.lane.name(), how])
            .args([since.to_string(), jobs.len().to_string()])
            .args(jobs.iter().map(|(id, _)| id))
            .args(jobs.iter().map(|(_, job)| job.member().as_bytes().to_vec()))
            .args(pending.iter().map(|(number, _)| number.to_string()).take(if sets_differ { jobs.len() } else { 1 }))
            .run(&self.bulk)
            .await
            .and_then(|answer| read_answer(answer, jobs.len()))?;
        let started_at = DateTime::from_timestamp_millis(now).unwrap_or(DateTime::UNIX_EPOCH);
        let places = jobs.into_iter().zip(locks).zip(pending).zip(exceptions);
        let mut claimed = Vec::with_capacity(places.len());
        for ((place, (((id, mut job), lock), (_, pending))), exception) in
            (0_i64..).zip(places).map(|(at, (p, e))| ((at, p), e))
        {
            let granted = match exception {
                None => Granted::default(),
                Some(Exception::Granted(granted)) => granted,
                Some(Exception::Moved) => continue,
            };
            let earlier: Option<Scheduled> = serde_json::from_str(&granted.scheduled).ok();
            let retry_due = earlier
                .as_ref()
                .and_then(|earlier| DateTime::from_timestamp_millis(earlier.due))
                .filter(|due| *due > started_at);
            if let Some(earlier) = earlier.and_then(|earlier| earlier.job(by.lane).ok()) {
                job.absorb(earlier);
            }
            let claim = Claim {
                flow: by.flow,
                lane: by.lane,
                lock,
                value: format!("{first}{place:03}:{}", by.consumer),
                pending,
                started_at,
                deliveries: granted.deliveries,
                suspicion: granted.suspicion,
                _mark: by.in_flight.mark(by.lane, &id),
                id,
            };
            claimed.push(Claimed { job, claim, retry_due });
        }
        Ok((claimed, Some(now)))
    }

    /// Moves an entry that is no job to the dead letters, whole.
    async fn bury(&self, flow: Flow, lane: Lane, consumer: &str, id: &str, why: &Malformed) -> Result<(), QueueError> {
        tracing::warn!(%flow, entry = id, error = %why, "malformed entry goes to the dead letters");
        let error = why.to_string();
        let _moved: i64 = Call::new("bury")
            .key(self.keys.stream(flow, lane))
            .key(self.keys.dead(flow))
            .args([GROUP, consumer, id, "code", "malformed", "error", &error, "worker", consumer])
            .args(["lane", lane.name()])
            .run(&self.bulk)
            .await?;
        Ok(())
    }
}

/// What the function says of a job that is not simply granted for the first time.
#[derive(Clone)]
enum Exception {
    Granted(Granted),
    /// Parked, joined a quiet time, or somebody else's by now.
    Moved,
}

/// A granted claim.
#[derive(Clone)]
struct Granted {
    deliveries: u32,
    scheduled: String,
    suspicion: Option<Suspicion>,
}

impl Default for Granted {
    fn default() -> Self {
        Self { deliveries: 1, scheduled: String::new(), suspicion: None }
    }
}

/// Redis' time, the first lease number, and what is said of each of `jobs` jobs.
fn read_answer(answer: Vec<Value>, jobs: usize) -> Result<(i64, i64, Vec<Option<Exception>>), QueueError> {
    let strange = || QueueError::Refused("the claim function gave an answer of another layout".into());
    let mut rows = answer.into_iter();
    let mut head = || rows.next().and_then(|value| redis::from_redis_value::<i64>(value).ok()).ok_or_else(strange);
    let (now, first) = (head()?, head()?);
    let mut exceptions = vec![None; jobs];
    for row in rows {
        let row: Vec<Value> = redis::from_redis_value(row).map_err(|_| strange())?;
        let number = |at: usize| row.get(at).and_then(|it| redis::from_redis_value_ref::<i64>(it).ok());
        let text = |at: usize| row.get(at).and_then(|it| redis::from_redis_value_ref::<String>(it).ok());
        let place = number(0).and_then(|place| usize::try_from(place - 1).ok()).filter(|place| *place < jobs);
        let place = place.ok_or_else(strange)?;
        exceptions[place] = Some(match text(1).as_deref() {
            Some("granted") => Exception::Granted(Granted {
                deliveries: number(2).and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
                scheduled: text(3).unwrap_or_default(),
                suspicion: number(4).and_then(|losses| u32::try_from(losses).ok()).filter(|losses| *losses > 0).map(
                    |losses| Suspicion {
                        losses,
                        alone: number(5).and_then(|alone| u32::try_from(alone).ok()).unwrap_or(0),
                    },
                ),
            }),
            Some(_) => Exception::Moved,
            None => return Err(strange()),
        });
    }
    Ok((now, first, exceptions))
}
