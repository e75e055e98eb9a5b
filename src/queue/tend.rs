//! What has to be looked after from time to time: due retries, waiters without a holder, names nobody uses any more.

use std::time::Duration;

use super::Queue;
use super::claim::{PendingSets, Scheduled};
use super::error::QueueError;
use super::functions::Call;
use super::keys::GROUP;
use super::topic::{Flow, Lane};

/// How much one call looks at, so that a backlog never stalls Redis.
const AT_ONCE: usize = 100;
/// A worker that was not seen for this long counts as gone.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// A consumer that was not seen for this long and has nothing pending is forgotten.
const FORGET_AFTER: Duration = Duration::from_mins(10);

/// What a look after a flow did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tended {
    /// Jobs that were due and are on their stream again.
    pub promoted: usize,
    /// Locks whose holder had vanished and whose waiters are on their stream again.
    pub unparked: usize,
    /// How long until the next scheduled job is due, if there is one.
    pub next_due: Option<Duration>,
}

/// What the function `due` answers: ms until the next, lock and job in turn, locks that waiters wait for.
type Due = (i64, Vec<String>, Vec<String>);

impl Queue {
    /// Moves what is due back to its stream, and waiters whose holder vanished.
    pub async fn tend(&self, flow: Flow) -> Result<Tended, QueueError> {
        let (next_due, due, waited_for): Due = Call::new("due")
            .read_only()
            .key(self.keys.scheduled(flow))
            .key(self.keys.scheduled_jobs(flow))
            .key(self.keys.parked_expiry(flow))
            .arg(AT_ONCE.to_string())
            .run(&self.control)
            .await?;
        let promoted = self.promote(flow, &due).await?;
        let unparked = self.unpark(flow, waited_for).await?;
        Ok(Tended { promoted, unparked, next_due: u64::try_from(next_due).ok().map(Duration::from_millis) })
    }

    async fn promote(&self, flow: Flow, due: &[String]) -> Result<usize, QueueError> {
        if due.is_empty() {
            return Ok(0);
        }
        let mut sets = PendingSets::default();
        let mut args = Vec::with_capacity(due.len());
        for pair in due.chunks_exact(2) {
            let job = serde_json::from_str::<Scheduled>(&pair[1]).ok().and_then(|job| job.job(Lane::First).ok());
            let lane = if pair[1].contains(r#""lane","sweep""#) { Lane::Sweep } else { Lane::First };
            let set = sets.number(job.and_then(|job| self.keys.pending(&job.topic, lane)).as_ref());
            args.extend([pair[0].clone(), set.to_string()]);
        }
        Call::new("promote")
            .keys(Lane::ALL.map(|lane| self.keys.stream(flow, lane)))
            .key(self.keys.scheduled(flow))
            .key(self.keys.scheduled_jobs(flow))
            .keys(sets.0)
            .arg((due.len() / 2).to_string())
            .args(args)
            .run(&self.bulk)
            .await
    }

    async fn unpark(&self, flow: Flow, locks: Vec<String>) -> Result<usize, QueueError> {
        if locks.is_empty() {
            return Ok(0);
        }
        Call::new("unpark")
            .keys(Lane::ALL.map(|lane| self.keys.stream(flow, lane)))
            .key(self.keys.parked(flow))
            .key(self.keys.parked_expiry(flow))
            .keys(locks)
            .run(&self.bulk)
            .await
    }

    /// Shows that a worker process is alive; to be called every second or so.
    pub async fn show_alive(&self, flow: Flow, consumer: &str) -> Result<(), QueueError> {
        let _: i64 = Call::new("seen")
            .key(self.keys.workers(flow))
            .args([consumer, &FORGET_AFTER.as_millis().to_string()])
            .run(&self.control)
            .await?;
        Ok(())
    }

    /// A worker says goodbye.
    pub(super) async fn forget(&self, flow: Flow, consumer: &str) -> Result<(), QueueError> {
        let _: i64 = self.control.query(redis::cmd("ZREM").arg(self.keys.workers(flow)).arg(consumer)).await?;
        Ok(())
    }

    /// The worker processes of a flow that were seen lately.
    pub(super) async fn workers(&self, flow: Flow) -> Result<Vec<String>, QueueError> {
        let ms = ALIVE_WITHIN.as_millis().to_string();
        Call::new("workers").read_only().key(self.keys.workers(flow)).arg(ms).run(&self.control).await
    }

    /// Once a minute: forgets consumers that are gone, and pending ids of a queue that holds nothing.
    pub async fn tidy(&self, flow: Flow, entities: &[String]) -> Result<(), QueueError> {
        self.tidy_after(flow, entities, FORGET_AFTER).await
    }

    /// As [`Queue::tidy`], for consumers that were not seen for this long.
    pub async fn tidy_after(&self, flow: Flow, entities: &[String], unseen: Duration) -> Result<(), QueueError> {
        let _healed: i64 = Call::new("heal")
            .keys(Lane::ALL.map(|lane| self.keys.stream(flow, lane)))
            .key(self.keys.parked(flow))
            .key(self.keys.scheduled(flow))
            .key(self.keys.suspects(flow))
            .key(self.keys.progress(flow))
            .keys(self.keys.pending_sets(flow, entities))
            .run(&self.bulk)
            .await?;
        let alive = self.workers(flow).await?;
        for lane in Lane::ALL {
            for (name, idle, pending) in self.consumers(flow, lane).await? {
                if pending == 0 && idle >= unseen && !alive.contains(&name) {
                    self.reap(flow, lane, &name).await?;
                }
            }
        }
        Ok(())
    }

    /// Name, time since it was last seen, and how many entries it runs, for each consumer of a stream.
    pub(super) async fn consumers(&self, flow: Flow, lane: Lane) -> Result<Vec<(String, Duration, u64)>, QueueError> {
        let rows: Result<Vec<std::collections::HashMap<String, redis::Value>>, redis::RedisError> =
            self.control.query(redis::cmd("XINFO").arg("CONSUMERS").arg(self.keys.stream(flow, lane)).arg(GROUP)).await;
        let rows = match rows {
            // Neither stream nor group: nobody was ever here.
            Err(error) if error.code() == Some("NOGROUP") || error.to_string().contains("no such key") => {
                return Ok(Vec::new());
            }
            other => other?,
        };
        let number = |row: &std::collections::HashMap<String, redis::Value>, name: &str| {
            row.get(name).and_then(|value| redis::from_redis_value_ref::<u64>(value).ok()).unwrap_or(0)
        };
        Ok(rows
            .iter()
            .filter_map(|row| {
                let name = redis::from_redis_value_ref::<String>(row.get("name")?).ok()?;
                Some((name, Duration::from_millis(number(row, "idle")), number(row, "pending")))
            })
            .collect())
    }

    /// Deletes a consumer's name if nothing is pending for it.
    pub(super) async fn reap(&self, flow: Flow, lane: Lane, consumer: &str) -> Result<bool, QueueError> {
        let gone: Result<i64, QueueError> =
            Call::new("reap").key(self.keys.stream(flow, lane)).args([GROUP, consumer]).run(&self.bulk).await;
        match gone {
            Err(QueueError::Refused(why)) if why.contains("NOGROUP") => Ok(false),
            other => Ok(other? == 1),
        }
    }
}
