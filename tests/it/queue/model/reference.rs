//! The reference: a level-triggered queue as `docs/queue.md` promises it (Q1 to Q8), in memory, one event at a time.
//!
//! It knows jobs, locks and places, and nothing of Redis but the ids that entries get there. Where the promises leave
//! two outcomes open it keeps both: a count of failures is a range, and the pending ids have a lower bound (`pending`,
//! what must be coalesced) and an upper one (`waits`, what may be).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use advosync::queue::{Lane, RecordAction, Topic};

use super::ops::Verb;

/// Attempts in all, as the model's workers count them.
pub(super) const ATTEMPTS: u32 = 3;

/// Whether the words of a retry must be said even where a job with other words replaces it. The queue says the newer
/// job's only; `true` would have the sequences fail.
const BOTH_ARE_SAID: bool = false;

/// What is coalesced: a topic, a key and words of its own for the handler (a payload), in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) action: RecordAction,
    pub(super) key: &'static str,
    pub(super) lane: Lane,
    pub(super) words: Option<u8>,
}

impl Kind {
    pub(super) fn topic(self) -> Topic {
        Topic::record("beteiligte", self.action)
    }

    pub(super) fn payload(self) -> Option<String> {
        self.words.map(|words| format!(r#"{{"words":{words}}}"#))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action.name(), self.key)?;
        self.words.map_or(Ok(()), |words| write!(f, " {words}"))?;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kind: Kind,
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
    words: Option<u8>,
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
    /// Runs that ended well since somebody looked, and the entry that told of the last one before.
    pub(super) done: usize,
    pub(super) last_done: Option<String>,
    /// The newest lease number.
    pub(super) last_lease: u64,
    /// The last change of each key that no run which began later has covered.
    pub(super) owed: BTreeMap<&'static str, u64>,
    /// Words that were asked for, and when last, that no run which began later has said.
    pub(super) unsaid: BTreeMap<(&'static str, u8), u64>,
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
    pub(super) fn enqueue(&mut self, kind: Kind) -> bool {
        self.asked(kind);
        let new = !self.seen_pending.contains(&kind);
        if new {
            self.add(Job { kind, failures: Count::default() });
            self.now_pending(kind);
        }
        new
    }

    /// A job that a person wrote, past all coalescing.
    pub(super) fn by_hand(&mut self, kind: Kind) {
        self.asked(kind);
        self.add(Job { kind, failures: Count::default() });
    }

    fn asked(&mut self, kind: Kind) {
        let at = self.tick();
        self.owed.insert(kind.key, at);
        self.unsaid.extend(kind.words.map(|words| ((kind.key, words), at)));
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
        let job = self.entries.remove(at).job;
        if kind.words.is_some() {
            // The run that comes after the quiet time would not say them.
            self.pending.remove(&kind);
            self.park(job);
            return Verdict::Parked;
        }
        quiet.job.failures = quiet.job.failures.perhaps(job.failures);
        self.started(kind);
        Verdict::Joined
    }

    fn park(&mut self, job: Job) {
        let waiting = self.parked.entry(job.kind.key).or_default();
        // Neither has started, so one later run sees both changes, and has failed as often as either.
        match waiting.iter_mut().find(|other| other.kind == job.kind) {
            Some(twin) => twin.failures = twin.failures.larger(job.failures),
            None => waiting.push(job),
        }
    }

    /// What a run of this entry is told: it goes on for the retry that it replaces, with its count and, having none of
    /// its own, with its words.
    pub(super) fn told(&self, at: usize) -> Job {
        let mut job = self.entries[at].job;
        if let Some(Scheduled { job: kept, .. }) = self.scheduled.get(job.kind.key) {
            job.failures = job.failures.larger(kept.failures);
            job.kind.words = job.kind.words.or(kept.kind.words);
        }
        job
    }

    /// The run of a granted entry begins.
    pub(super) fn grant(&mut self, at: usize, worker: &str, lease: u64, failures: u32) {
        let started = self.tick();
        let words = self.told(at).kind.words;
        let entry = &mut self.entries[at];
        entry.place = Place::Given { worker: worker.to_owned(), started: true };
        let (kind, id) = (entry.job.kind, entry.id.clone().unwrap_or_default());
        if let Some(scheduled) = self.scheduled.get_mut(kind.key) {
            scheduled.waiting = false;
            if let Some(dropped) = scheduled.job.kind.words.filter(|kept| Some(*kept) != words && !BOTH_ARE_SAID) {
                self.unsaid.remove(&(kind.key, dropped));
            }
        }
        self.runs.insert(kind.key, Run { lease, lane: kind.lane, id, failures, words, started });
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
        job.kind.words = run.words;
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
                // What an earlier run left stays as it is: its letters, and the retry whose place this run had taken.
                if let Some(kept) = self.scheduled.get_mut(key) {
                    kept.waiting = true;
                }
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
        if let Some(words) = run.words
            && self.unsaid.get(&(key, words)).is_some_and(|asked| *asked < run.started)
        {
            self.unsaid.remove(&(key, words));
        }
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

    /// The process stops. A job of its kind that is queued already will do instead, unless this one has a count to tell.
    fn back(&mut self, job: Job) {
        if !job.failures.holds(0) || !self.seen_pending.contains(&job.kind) {
            self.now_pending(job.kind);
            self.add(job);
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
            self.asked(kind);
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
