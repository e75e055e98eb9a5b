//! Reading jobs: a connection of its own, both lanes, and what crashed consumers left behind.

use std::time::Duration;

use redis::RedisError;

use super::Queue;
use super::claim::{Claimant, Claimed, Entry, InFlight, Origin};
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

/// How often a look for abandoned entries goes on before others get their turn.
const LOOKS: usize = 20;

/// The most entries of one read: a larger batch saves nothing and makes others wait.
const AT_ONCE: usize = 100;

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
    /// By lane: the last read brought as much as there was room for, so there is more, to be asked for at once.
    busy: [bool; 2],
    /// A time, by Redis' clock (ms), before the read that is under way.
    since: i64,
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
            busy: [false; 2],
            since: 0,
            lost: 0,
        }
    }

    /// The next jobs, at most `free` in all and `sweep` of the sweep lane; waits for up to a second when there are none.
    ///
    /// Must not be dropped while it waits: an entry that Redis delivers to a reader that is gone stays in its pending
    /// list until it is reclaimed.
    pub async fn next(&mut self, free: usize, sweep: usize) -> Result<Vec<Claimed>, QueueError> {
        match self.read(free.min(AT_ONCE), sweep.min(AT_ONCE)).await {
            Ok((origin, lanes)) => {
                let mut claimed = Vec::new();
                for (lane, entries) in lanes {
                    claimed.extend(self.claim(lane, origin, entries).await?);
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

    /// Whether more jobs are known to wait than the last call of [`Consumer::next`] had room for: those of the first lane,
    /// and those of the sweep lane.
    #[must_use]
    pub const fn more(&self) -> (bool, bool) {
        (self.busy[0], self.busy[1])
    }

    /// Takes over entries whose consumer has not shown itself for longer than a lease, at most `free` in all and `sweep` of
    /// the sweep lane.
    pub async fn reclaim(&mut self, free: usize, sweep: usize) -> Result<Vec<Claimed>, QueueError> {
        let mut claimed = Vec::new();
        for (lane, most) in [(Lane::First, free), (Lane::Sweep, sweep)] {
            let before = claimed.len();
            let room = most.min(free.saturating_sub(before)).min(AT_ONCE);
            // A look gives up after ten times as many entries as are asked for; behind a hundred that are kept, one that
            // is abandoned would be found looks later.
            for _ in 0..LOOKS {
                let taken = claimed.len() - before;
                if room <= taken {
                    break;
                }
                let (entries, end) = self.abandoned(lane, room - taken).await?;
                claimed.extend(self.claim(lane, Origin::Lost, entries).await?);
                if end {
                    break;
                }
            }
        }
        Ok(claimed)
    }

    /// Goes on looking for abandoned entries, and makes them ours. Answers whether that was the end of the list.
    async fn abandoned(&mut self, lane: Lane, room: usize) -> Result<(Vec<Entry>, bool), QueueError> {
        let at = usize::from(lane == Lane::Sweep);
        let idle = (self.lease + RECLAIM_MARGIN).as_millis().to_string();
        let mut cmd = redis::cmd("XAUTOCLAIM");
        cmd.arg(self.queue.keys.stream(self.flow, lane)).arg(GROUP).arg(&self.name).arg(idle).arg(&self.cursors[at]);
        cmd.arg("COUNT").arg(room);
        let answer: Result<AutoClaimed, RedisError> = self.queue.bulk.query(&cmd).await;
        let (cursor, entries, deleted) = match answer {
            Err(error) if error.code() == Some("NOGROUP") => return Ok((Vec::new(), true)),
            other => other?,
        };
        self.cursors[at] = cursor;
        if !deleted.is_empty() {
            self.lost += deleted.len() as u64;
            tracing::error!(flow = %self.flow, entries = ?deleted, lost = self.lost,
                "entries were deleted from the stream while they were pending: jobs are lost, was the stream trimmed");
        }
        let entries: Vec<Entry> =
            entries.into_iter().flatten().filter(|(id, _)| !self.in_flight.holds(lane, id)).collect();
        if !entries.is_empty() {
            tracing::warn!(flow = %self.flow, jobs = entries.len(), "taking over jobs of a worker that is gone");
        }
        Ok((entries, self.cursors[at] == "0-0"))
    }

    /// Says goodbye: the consumer's name is deleted if nothing is pending for it.
    pub async fn leave(&self) -> Result<(), QueueError> {
        self.queue.forget(self.flow, &self.name).await?;
        for lane in Lane::ALL {
            self.queue.reap(self.flow, lane, &self.name).await?;
        }
        Ok(())
    }

    async fn claim(&mut self, lane: Lane, origin: Origin, entries: Vec<Entry>) -> Result<Vec<Claimed>, QueueError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let by =
            Claimant { flow: self.flow, lane, consumer: &self.name, lease: self.lease, in_flight: &self.in_flight };
        match self.queue.claim(&by, origin, entries).await {
            Ok((claimed, now)) => {
                self.since = now.unwrap_or(self.since);
                Ok(claimed)
            }
            Err(error) => {
                // What was read is in our pending list; it is read again from there.
                self.recover = true;
                Err(error)
            }
        }
    }

    /// First what we may have missed, then the first lane, then whatever comes.
    async fn read(&mut self, free: usize, sweep: usize) -> Result<(Origin, Vec<(Lane, Vec<Entry>)>), RedisError> {
        if self.recover {
            let missed = self.read_own(free).await?;
            if !missed.is_empty() {
                return Ok((Origin::Own, missed));
            }
            self.recover = false;
        }
        let origin = Origin::Read { since: self.since };
        if self.busy != [false; 2] {
            let known = self.read_known(free, sweep).await?;
            if !known.is_empty() || self.busy[1] {
                return Ok((origin, known));
            }
        }
        // Waiting on both lanes may bring entries of both: half the room each. With one place left that may be one more
        // than there is room for.
        let (count, lanes) =
            if sweep == 0 { (free, &Lane::ALL[..1]) } else { ((free / 2).max(1).min(sweep), &Lane::ALL[..]) };
        let read = self.xreadgroup(count, Some(BLOCK), lanes, ">").await?;
        for (lane, entries) in &read {
            self.busy[usize::from(*lane == Lane::Sweep)] = entries.len() == count;
        }
        Ok((origin, read))
    }

    /// What is known to wait, first lane first, without waiting.
    async fn read_known(&mut self, free: usize, sweep: usize) -> Result<Vec<(Lane, Vec<Entry>)>, RedisError> {
        for (at, room) in [free, sweep.min(free)].into_iter().enumerate() {
            if room == 0 || at == 1 && !self.busy[1] {
                continue;
            }
            let read = self.xreadgroup(room, None, &[Lane::ALL[at]], ">").await?;
            self.busy[at] = read.iter().any(|(_, entries)| entries.len() == room);
            if !read.is_empty() {
                return Ok(read);
            }
        }
        Ok(Vec::new())
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
                entries.retain(|(id, fields)| !self.in_flight.holds(lane, id) && !fields.is_empty());
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
