//! The reference: a level-triggered queue as `docs/queue.md` promises it (Q1 to Q8), in memory, one event at a time.
//!
//! It knows jobs, locks and places, and nothing of Redis but the ids that entries get there. Where the promises leave
//! two outcomes open it keeps both: a count of failures is a range, and the pending ids have a lower bound (`pending`,
//! what must be coalesced) and an upper one (`waits`, what may be).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use advosync::queue::{Lane, RecordAction, Topic};

use super::ops::Verb;

/// Jobs with a payload are never coalesced away, and a retry that is coalesced leaves its count to the one that waits.
/// `false` until the queue does so.
pub(super) const PAYLOADS_STAY: bool = false;
/// Attempts in all, as the model's workers count them.
pub(super) const ATTEMPTS: u32 = 3;

/// What is coalesced: a topic and a key in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) action: RecordAction,
    pub(super) key: &'static str,
    pub(super) lane: Lane,
}

impl Kind {
    pub(super) fn topic(self) -> Topic {
        Topic::record("beteiligte", self.action)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action.name(), self.key)?;
        if self.lane == Lane::Sweep { f.write_str(" (sweep)") } else { Ok(()) }
    }
}

/// Failed attempts: exactly known, or within bounds where a coalesced job may or may not have left its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    least: u32,
    most: u32,
}

impl Count {
    const fn exactly(failures: u32) -> Self {
        Self { least: failures, most: failures }
    }

    pub(super) fn holds(self, failures: u32) -> bool {
        (self.least..=self.most).contains(&failures)
    }

    /// One run goes on for both: the larger count decides.
    fn larger(self, other: Self) -> Self {
        Self { least: self.least.max(other.least), most: self.most.max(other.most) }
    }

    /// It may or may not have taken over the other's count.
    fn perhaps(self, other: Self) -> Self {
        Self { least: self.least, most: self.most.max(other.most) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) payload: Option<String>,
    pub(super) failures: Count,
}

/// Where an entry of a stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Nobody was given it.
    Ready,
    /// It was given to this worker; `started`: a run of it has begun, which may be lost by now.
    Given { worker: String, started: bool },
}

/// An entry of a stream. Those that were just added have no id yet.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: Option<String>,
    pub(super) job: Job,
    pub(super) place: Place,
}

impl Entry {
    /// Neither running nor abandoned in the middle of a run: its run will see every change so far.
    const fn unstarted(&self) -> bool {
        !matches!(self.place, Place::Given { started: true, .. })
    }
}

/// A run whose lease is live.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) lease: u64,
    lane: Lane,
    id: String,
    failures: u32,
    started: u64,
}

impl Run {
    fn is_of(&self, entry: &Entry) -> bool {
        entry.id.as_ref() == Some(&self.id) && entry.job.kind.lane == self.lane
    }
}

/// The one retry or quiet time of a lock.
#[derive(Debug, Clone)]
pub(super) struct Scheduled {
    job: Job,
    hold: bool,
    pub(super) due: bool,
    /// `false`: a run has taken its place, and only its count is kept, lest a crash of that run forgets it.
    pub(super) waiting: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) id: Option<String>,
    pub(super) job: Job,
    pub(super) errors: usize,
    pub(super) resolved: bool,
}

/// What becomes of an entry that a worker was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    Parked,
    Joined,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    /// Both streams.
    pub(super) entries: Vec<Entry>,
    /// Live leases by key: all actions of a record share its lock.
    pub(super) runs: BTreeMap<&'static str, Run>,
    pub(super) parked: BTreeMap<&'static str, Vec<Job>>,
    pub(super) scheduled: BTreeMap<&'static str, Scheduled>,
    pub(super) letters: Vec<Letter>,
    /// What must not be queued again.
    pub(super) pending: HashSet<Kind>,
    /// The pending ids as they were last seen in Redis, somewhere between `pending` and what waits.
    pub(super) seen_pending: HashSet<Kind>,
    /// Finished runs.
    pub(super) done: usize,
    /// The newest lease number.
    pub(super) last_lease: u64,
    /// The last change of each key that no run which began later has covered.
    pub(super) owed: BTreeMap<&'static str, u64>,
    clock: u64,
}

impl Model {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn add(&mut self, job: Job) {
        self.entries.push(Entry { id: None, job, place: Place::Ready });
    }

    fn now_pending(&mut self, kind: Kind) {
        self.pending.insert(kind);
        self.seen_pending.insert(kind);
    }

    fn started(&mut self, kind: Kind) {
        self.pending.remove(&kind);
        self.seen_pending.remove(&kind);
    }

    /// Whether a job of this kind is somewhere in a stream or parked and will begin a run of its own.
    pub(super) fn waits(&self, kind: Kind) -> bool {
        self.entries.iter().any(|entry| entry.unstarted() && entry.job.kind == kind)
            || self.parked.values().flatten().any(|job| job.kind == kind)
    }

    /// How many nobody was given yet.
    pub(super) fn ready(&self, lane: Lane) -> usize {
        self.entries.iter().filter(|entry| entry.place == Place::Ready && entry.job.kind.lane == lane).count()
    }

    /// The keys of entries that were given to a worker.
    pub(super) fn given_keys(&self) -> Vec<&'static str> {
        let given = self.entries.iter().filter(|entry| entry.place != Place::Ready);
        given.map(|entry| entry.job.kind.key).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The keys whose retry or quiet time is not over.
    pub(super) fn waiting_keys(&self) -> Vec<&'static str> {
        self.scheduled.iter().filter(|(_, job)| job.waiting && !job.due).map(|(key, _)| *key).collect()
    }

    pub(super) fn is_live(&self, key: &str, lease: u64) -> bool {
        self.runs.get(key).is_some_and(|run| run.lease == lease)
    }

    /// A change is told. Answers whether it is queued anew; if not, a job that waits will see it (Q4).
    pub(super) fn enqueue(&mut self, kind: Kind, payload: Option<String>) -> bool {
        let at = self.tick();
        self.owed.insert(kind.key, at);
        let always = PAYLOADS_STAY && payload.is_some();
        let new = always || !self.seen_pending.contains(&kind);
        if new {
            self.add(Job { kind, payload, failures: Count::default() });
        }
        if !always {
            self.now_pending(kind);
        }
        new
    }

    /// A job that a person wrote, past all coalescing.
    pub(super) fn by_hand(&mut self, kind: Kind) {
        let at = self.tick();
        self.owed.insert(kind.key, at);
        self.add(Job { kind, payload: None, failures: Count::default() });
    }

    /// A worker was given this entry. A granted one stays where it is until `grant`.
    pub(super) fn deliver(&mut self, at: usize) -> Verdict {
        let kind = self.entries[at].job.kind;
        if self.runs.contains_key(kind.key) {
            let job = self.entries.remove(at).job;
            self.park(job);
            return Verdict::Parked;
        }
        let quiet = self.scheduled.get_mut(kind.key).filter(|scheduled| scheduled.hold && !scheduled.due);
        let Some(quiet) = quiet else { return Verdict::Granted };
        quiet.job.failures = quiet.job.failures.perhaps(self.entries[at].job.failures);
        let job = self.entries.remove(at).job;
        if PAYLOADS_STAY && job.payload.is_some() {
            self.park(job);
            return Verdict::Parked;
        }
        self.started(kind);
        Verdict::Joined
    }

    fn park(&mut self, job: Job) {
        let waiting = self.parked.entry(job.kind.key).or_default();
        let twin = waiting.iter_mut().find(|other| other.kind == job.kind);
        match twin {
            Some(twin) if !(PAYLOADS_STAY && job.payload.is_some()) => {
                let (kept, lost) = (twin.failures, job.failures);
                twin.failures = if PAYLOADS_STAY { kept.larger(lost) } else { kept.perhaps(lost) };
            }
            _ => waiting.push(job),
        }
    }

    /// The failures that a run of this entry must report: its own, or those of the retry that it replaces.
    pub(super) fn failures(&self, at: usize) -> Count {
        let job = &self.entries[at].job;
        let kept = self.scheduled.get(job.kind.key).map(|scheduled| scheduled.job.failures);
        kept.map_or(job.failures, |kept| job.failures.larger(kept))
    }

    /// The run of a granted entry begins.
    pub(super) fn grant(&mut self, at: usize, worker: &str, lease: u64, failures: u32) {
        let started = self.tick();
        let entry = &mut self.entries[at];
        entry.place = Place::Given { worker: worker.to_owned(), started: true };
        let (kind, id) = (entry.job.kind, entry.id.clone().unwrap_or_default());
        if let Some(scheduled) = self.scheduled.get_mut(kind.key) {
            scheduled.waiting = false;
        }
        self.runs.insert(kind.key, Run { lease, lane: kind.lane, id, failures, started });
        self.last_lease = lease;
        self.started(kind);
    }

    /// A run ends. Answers whether that counted: one whose lease is lost changes nothing (Q6).
    pub(super) fn finish(&mut self, key: &'static str, lease: u64, verb: Verb) -> bool {
        if !self.is_live(key, lease) {
            return false;
        }
        let Some(run) = self.runs.remove(key) else { return false };
        let Some(at) = self.entries.iter().position(|entry| run.is_of(entry)) else { return false };
        let mut job = self.entries.remove(at).job;
        job.failures = Count::exactly(run.failures);
        let failed = |mut job: Job| {
            job.failures = Count::exactly(run.failures + 1);
            job
        };
        match verb {
            Verb::Fail if run.failures + 1 >= ATTEMPTS => self.bury(failed(job), &run),
            Verb::Fail => self.schedule(failed(job), false, false),
            Verb::Retry { far } => self.schedule(failed(job), false, far),
            Verb::Later { far } => self.schedule(job, false, far),
            Verb::Hold { far } => self.schedule(job, true, far),
            Verb::Dead => self.bury(failed(job), &run),
            Verb::Done => {
                self.scheduled.remove(key);
                self.letters.iter_mut().filter(|letter| letter.job.kind.key == key).for_each(|l| l.resolved = true);
                self.ran(key, &run);
            }
            Verb::Skip => {
                // What an earlier run left stays; whether the skipped job's own count does is nobody's promise.
                let own = Count { least: 0, most: run.failures };
                let kept = Scheduled { job: Job { failures: own, ..job }, hold: false, due: true, waiting: false };
                self.scheduled.entry(key).or_insert(kept);
                self.ran(key, &run);
            }
            Verb::Back => self.back(job),
        }
        for job in self.parked.remove(key).unwrap_or_default() {
            self.add(job);
        }
        true
    }

    fn ran(&mut self, key: &'static str, run: &Run) {
        self.done += 1;
        self.covered(key, run);
    }

    fn covered(&mut self, key: &'static str, run: &Run) {
        if self.owed.get(key).is_some_and(|change| *change < run.started) {
            self.owed.remove(key);
        }
    }

    fn schedule(&mut self, job: Job, hold: bool, far: bool) {
        self.scheduled.insert(job.kind.key, Scheduled { job, hold, due: !far, waiting: true });
    }

    fn bury(&mut self, job: Job, run: &Run) {
        let key = job.kind.key;
        self.scheduled.remove(key);
        let errors = usize::try_from(run.failures).unwrap_or(0) + 1;
        self.letters.push(Letter { id: None, job, errors, resolved: false });
        self.covered(key, run);
    }

    /// The process stops; a job of its kind that is queued already will do instead.
    fn back(&mut self, job: Job) {
        let always = PAYLOADS_STAY && job.payload.is_some();
        if always || !self.seen_pending.contains(&job.kind) {
            if !always {
                self.now_pending(job.kind);
            }
            self.add(job);
            return;
        }
        let entries = self.entries.iter_mut().filter(|entry| entry.unstarted()).map(|entry| &mut entry.job);
        for twin in entries.chain(self.parked.values_mut().flatten()).filter(|twin| twin.kind == job.kind) {
            twin.failures = twin.failures.perhaps(job.failures);
        }
    }

    /// Nobody renewed this lease.
    pub(super) fn lease_runs_out(&mut self, key: &str) {
        self.runs.remove(key);
    }

    /// What is due, and waiters whose holder vanished, go back to their stream. Answers how many, and how many locks.
    pub(super) fn tend(&mut self) -> (usize, usize) {
        let due: Vec<&str> =
            self.scheduled.iter().filter(|(_, job)| job.waiting && job.due).map(|(key, _)| *key).collect();
        for key in &due {
            if let Some(scheduled) = self.scheduled.remove(key) {
                self.now_pending(scheduled.job.kind);
                self.add(scheduled.job);
            }
        }
        let free: Vec<&str> = self.parked.keys().copied().filter(|key| !self.runs.contains_key(key)).collect();
        for key in &free {
            for job in self.parked.remove(key).unwrap_or_default() {
                self.add(job);
            }
        }
        (due.len(), free.len())
    }

    /// A person wants these dead letters to run again, from the first attempt on. Answers how many do: where a job of
    /// the same kind is queued, the letter stays (Q8).
    pub(super) fn replay(&mut self, mut wanted: impl FnMut(&Letter) -> bool) -> usize {
        let mut replayed = 0;
        for letter in std::mem::take(&mut self.letters) {
            let kind = letter.job.kind;
            if !wanted(&letter) || self.seen_pending.contains(&kind) {
                self.letters.push(letter);
                continue;
            }
            let at = self.tick();
            self.owed.insert(kind.key, at);
            self.now_pending(kind);
            self.add(Job { failures: Count::default(), ..letter.job });
            replayed += 1;
        }
        replayed
    }

    /// Q2 in the model itself: every change is followed by a run that begins later, has run, or is a dead letter.
    pub(super) fn lost(&self) -> Option<&'static str> {
        let runs_later = |key: &str, change: u64| {
            let live = self.runs.get(key);
            // An abandoned run begins anew, and that will be later; one whose lease is live may have read too early.
            let begins = |entry: &Entry| entry.job.kind.key == key && !live.is_some_and(|run| run.is_of(entry));
            self.scheduled.get(key).is_some_and(|scheduled| scheduled.waiting)
                || self.parked.contains_key(key)
                || live.is_some_and(|run| run.started > change)
                || self.entries.iter().any(begins)
        };
        self.owed.iter().find(|(key, change)| !runs_later(key, **change)).map(|(key, _)| *key)
    }
}
