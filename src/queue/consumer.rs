//! Reading jobs: a connection of its own, both lanes, and what crashed consumers left behind.

use std::time::Duration;

use redis::RedisError;

use super::Queue;
use super::claim::{Claimed, Entry, InFlight};
use super::error::QueueError;
use super::functions::create_groups;
use super::keys::GROUP;
use super::link::Link;
use super::topic::{Flow, Lane};

/// How long a read waits for a job, and so how long a stop may wait for the reader.
pub(super) const BLOCK: Duration = Duration::from_secs(1);

/// An entry may be reclaimed this long after its lease would have run out.
const RECLAIM_MARGIN: Duration = Duration::from_secs(1);

/// What XAUTOCLAIM answers: where to go on, what was taken over, what was pending and is deleted.
type AutoClaimed = (String, Vec<Option<Entry>>, Vec<String>);
/// What XREADGROUP answers: stream → entries.
pub(super) type Read = Option<Vec<(String, Vec<Entry>)>>;

/// Reads and claims the jobs of one flow, under a name of its own.
pub struct Consumer {
    queue: Queue,
    flow: Flow,
    name: String,
    lease: Duration,
    /// Nobody else uses this connection: a blocking read would hold up whatever shares it.
    reader: Link,
    in_flight: InFlight,
    /// Where the search for abandoned entries goes on; starting over each time would starve those at the end.
    cursors: [String; 2],
    /// An answer may have been lost: our own pending list holds entries that we never saw.
    recover: bool,
    /// What XAUTOCLAIM found to be deleted while pending: somebody trimmed the stream by hand.
    lost: u64,
}

impl Consumer {
    /// A consumer of `flow`. The name must be unique to this process.
    #[must_use]
    pub fn new(queue: &Queue, flow: Flow, name: &str, lease: Duration) -> Self {
        Self {
            queue: queue.clone(),
            flow,
            name: name.to_owned(),
            lease,
            reader: queue.bulk.another(BLOCK),
            in_flight: InFlight::default(),
            cursors: ["0-0".to_owned(), "0-0".to_owned()],
            recover: true,
            lost: 0,
        }
    }

    /// The next jobs, at most `free` in all and `sweep` of the sweep lane; waits for up to a second when there are none.
    ///
    /// Must not be dropped while it waits: an entry that Redis delivers to a reader that is gone stays in its pending
    /// list until it is reclaimed.
    pub async fn next(&mut self, free: usize, sweep: usize) -> Result<Vec<Claimed>, QueueError> {
        let read = self.read(free, sweep).await;
        match read {
            Ok(lanes) => {
                let mut claimed = Vec::new();
                for (lane, entries) in lanes {
                    claimed.extend(self.claim(lane, entries).await?);
                }
                Ok(claimed)
            }
            Err(error) => {
                self.recover = true;
                if error.code() == Some("NOGROUP") {
                    create_groups(&self.queue.bulk, &self.queue.keys, self.flow).await?;
                    return Ok(Vec::new());
                }
                Err(error.into())
            }
        }
    }

    /// Takes over entries whose consumer has not shown itself for longer than a lease.
    pub async fn reclaim(&mut self, free: usize) -> Result<Vec<Claimed>, QueueError> {
        let idle = (self.lease + RECLAIM_MARGIN).as_millis().to_string();
        let mut claimed = Vec::new();
        for (at, lane) in Lane::ALL.into_iter().enumerate() {
            let room = free.saturating_sub(claimed.len());
            if room == 0 {
                break;
            }
            let mut cmd = redis::cmd("XAUTOCLAIM");
            cmd.arg(self.queue.keys.stream(self.flow, lane))
                .arg(GROUP)
                .arg(&self.name)
                .arg(&idle)
                .arg(&self.cursors[at]);
            cmd.arg("COUNT").arg(room.min(100));
            let answer: Result<AutoClaimed, RedisError> = self.queue.bulk.query(&cmd).await;
            let (cursor, entries, deleted) = match answer {
                Err(error) if error.code() == Some("NOGROUP") => continue,
                other => other?,
            };
            self.cursors[at] = cursor;
            if !deleted.is_empty() {
                self.lost += deleted.len() as u64;
                tracing::error!(flow = %self.flow, entries = ?deleted, lost = self.lost,
                    "entries were deleted from the stream while they were pending: jobs are lost, was the stream trimmed");
            }
            let entries: Vec<Entry> =
                entries.into_iter().flatten().filter(|(id, _)| !self.in_flight.holds(id)).collect();
            if !entries.is_empty() {
                tracing::warn!(flow = %self.flow, jobs = entries.len(), "taking over jobs of a worker that is gone");
            }
            claimed.extend(self.claim(lane, entries).await?);
        }
        Ok(claimed)
    }

    /// Says goodbye: the consumer's name is deleted if nothing is pending for it.
    pub async fn leave(&self) -> Result<(), QueueError> {
        self.queue.forget(self.flow, &self.name).await?;
        for lane in Lane::ALL {
            self.queue.reap(self.flow, lane, &self.name).await?;
        }
        Ok(())
    }

    async fn claim(&mut self, lane: Lane, entries: Vec<Entry>) -> Result<Vec<Claimed>, QueueError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let claimed = self.queue.claim(self.flow, lane, &self.name, self.lease, &self.in_flight, entries).await;
        if claimed.is_err() {
            // What was read is in our pending list; it is read again from there.
            self.recover = true;
        }
        claimed
    }

    /// First what we may have missed, then the first lane, then whatever comes.
    async fn read(&mut self, free: usize, sweep: usize) -> Result<Vec<(Lane, Vec<Entry>)>, RedisError> {
        if self.recover {
            let missed = self.read_own(free).await?;
            if !missed.is_empty() {
                return Ok(missed);
            }
            self.recover = false;
        }
        let first = self.xreadgroup(free, None, &[Lane::First], ">").await?;
        if !first.is_empty() {
            return Ok(first);
        }
        // Waiting on both lanes may bring entries of both: half the room each. With one slot left, the first lane
        // waits alone and the sweep lane is looked at in between.
        let half = (free / 2).min(sweep);
        if half > 0 {
            return self.xreadgroup(half, Some(BLOCK), &Lane::ALL, ">").await;
        }
        if sweep > 0 {
            let swept = self.xreadgroup(1, None, &[Lane::Sweep], ">").await?;
            if !swept.is_empty() {
                return Ok(swept);
            }
        }
        self.xreadgroup(free, Some(BLOCK / 5), &[Lane::First], ">").await
    }

    /// Our own pending entries that we do not run: their delivery got lost on the way.
    async fn read_own(&self, free: usize) -> Result<Vec<(Lane, Vec<Entry>)>, RedisError> {
        let mut out = Vec::new();
        let mut room = free;
        for lane in Lane::ALL {
            // Entries in flight stand in the list too, so ask for more than the room.
            let read = self.xreadgroup(room + 1_000, None, &[lane], "0").await?;
            for (lane, mut entries) in read {
                // An entry that was deleted meanwhile comes without fields.
                entries.retain(|(id, fields)| !self.in_flight.holds(id) && !fields.is_empty());
                entries.truncate(room);
                room -= entries.len();
                if !entries.is_empty() {
                    out.push((lane, entries));
                }
            }
            if room == 0 {
                break;
            }
        }
        Ok(out)
    }

    async fn xreadgroup(
        &self,
        count: usize,
        block: Option<Duration>,
        lanes: &[Lane],
        from: &str,
    ) -> Result<Vec<(Lane, Vec<Entry>)>, RedisError> {
        let mut cmd = redis::cmd("XREADGROUP");
        cmd.arg("GROUP").arg(GROUP).arg(&self.name).arg("COUNT").arg(count);
        if let Some(block) = block {
            cmd.arg("BLOCK").arg(block.as_millis().to_string());
        }
        cmd.arg("STREAMS");
        for lane in lanes {
            cmd.arg(self.queue.keys.stream(self.flow, *lane));
        }
        for _ in lanes {
            cmd.arg(from);
        }
        let answer: Read = self.reader.query(&cmd).await?;
        let lane_of =
            |stream: &str| lanes.iter().copied().find(|lane| self.queue.keys.stream(self.flow, *lane) == stream);
        Ok(answer
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(stream, entries)| Some((lane_of(&stream)?, entries)))
            .filter(|(_, entries)| !entries.is_empty())
            .collect())
    }
}
