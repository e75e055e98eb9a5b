//! What a history of accepted jobs and runs must fulfil, judged by nothing but what the producers were answered and what
//! the runs wrote down. Knows nothing of Redis.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::runlog::{Event, Run, Which};

/// What the queue answered to one key of an enqueue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Accepted, and not queued before.
    New,
    /// Accepted: queued already.
    Already,
    /// No answer: it may be queued or not.
    Unknown,
}

/// One key of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What was asked for.
    pub job: Which,
    /// Before it was sent, ns since the epoch: what changed before then, a run must see.
    pub at: u64,
    /// What was answered.
    pub answer: Answer,
}

/// Everything that is known from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// What was enqueued.
    pub asked: Vec<Asked>,
    /// What ran, in the order of its beginning.
    pub runs: Vec<Run>,
    /// Processes that were killed, and when they were certainly gone.
    pub deaths: HashMap<u32, u64>,
    /// From a kill of Redis until the time when all were at work again.
    pub outages: Vec<(u64, u64)>,
    /// How long after its end a run may still be on its way to Redis, ns.
    pub grace: u64,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Accepted, and no run that began afterwards settled it.
    Lost(Asked),
    /// Two runs under one lock at one time.
    Overlap(Box<(Run, Run)>),
    /// The lease number of a later run is not greater.
    Lease(Box<(Run, Run)>),
    /// More runs than were asked for, or explained by a kill: job, runs, at most.
    Doubled(Which, usize, usize),
    /// A run whose process lived to the end and which never ended.
    Endless(Box<Run>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(asked) => write!(f, "LOST: {asked:?} was accepted, and no later run settled it"),
            Self::Overlap(two) => write!(f, "OVERLAP under one lock:\n  {:?}\n  {:?}", two.0, two.1),
            Self::Lease(two) => write!(f, "LEASE NUMBER does not grow:\n  {:?}\n  {:?}", two.0, two.1),
            Self::Doubled(job, runs, most) => write!(f, "DOUBLED: {job:?} ran {runs} times, {most} can be explained"),
            Self::Endless(run) => write!(f, "ENDLESS: {run:?}"),
        }
    }
}

impl History {
    /// Every promise that was broken.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.lost();
        faults.extend(self.overlaps());
        faults.extend(self.doubled());
        faults.extend(self.endless());
        faults
    }

    /// How long each new job waited for its first run, ns, ascending.
    pub fn waits(&self) -> Vec<u64> {
        let by_job = self.by_job();
        let new = self.asked.iter().filter(|asked| asked.answer == Answer::New);
        let first = |asked: &Asked| by_job.get(&asked.job)?.iter().map(|run| run.began.at).find(|at| *at >= asked.at);
        let mut waits: Vec<u64> = new.filter_map(|asked| Some(first(asked)? - asked.at)).collect();
        waits.sort_unstable();
        waits
    }

    fn lost(&self) -> Vec<Fault> {
        let (by_job, by_lock) = (self.by_job(), self.by_lock());
        let is_settled = |asked: &Asked| {
            let later = by_job.get(&asked.job).into_iter().flatten().filter(|run| run.began.at >= asked.at);
            later.into_iter().any(|run| match run.end {
                Some((_, Event::Done | Event::Dead)) => true,
                // A retry is taken over by whatever runs next under its lock, whoever asked for that.
                Some((_, Event::Failed)) => {
                    by_lock[run.began.lock.as_str()].iter().any(|next| next.began.at > run.began.at && next.is_done())
                }
                _ => false,
            })
        };
        let accepted = self.asked.iter().filter(|asked| asked.answer != Answer::Unknown);
        accepted.filter(|asked| !is_settled(asked)).cloned().map(Fault::Lost).collect()
    }

    fn overlaps(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for runs in self.by_lock().values() {
            let mut last: Option<&Run> = None;
            for run in runs {
                let Some(before) = last.replace(run) else { continue };
                let two = || Box::new((before.clone(), (*run).clone()));
                if self.end_of(before) > run.began.at {
                    faults.push(Fault::Overlap(two()));
                }
                if before.began.lease >= run.began.lease {
                    faults.push(Fault::Lease(two()));
                }
            }
        }
        faults
    }

    fn doubled(&self) -> Vec<Fault> {
        let mut most: HashMap<&Which, usize> = HashMap::new();
        for asked in
            self.asked.iter().filter(|asked| asked.answer != Answer::Already || self.is_shaken(asked.at, asked.at))
        {
            *most.entry(&asked.job).or_default() += 1;
        }
        let mut faults = Vec::new();
        for (job, runs) in self.by_job() {
            let settled = runs.iter().filter(|run| matches!(run.end, Some((_, Event::Done | Event::Dead)))).count();
            let untold = runs.iter().filter(|run| run.end.is_some_and(|(at, _)| self.is_untold(run, at))).count();
            let most = most.get(job).copied().unwrap_or(0) + untold;
            if settled > most {
                faults.push(Fault::Doubled(job.clone(), settled, most));
            }
        }
        faults
    }

    fn endless(&self) -> Vec<Fault> {
        let never = |run: &&Run| run.end.is_none() && !self.deaths.contains_key(&run.began.pid);
        self.runs.iter().filter(never).map(|run| Fault::Endless(Box::new(run.clone()))).collect()
    }

    /// When a run was over: when it said so, or else with its process.
    fn end_of(&self, run: &Run) -> u64 {
        let death = self.deaths.get(&run.began.pid).copied().unwrap_or(u64::MAX);
        run.end.map_or(death, |(at, _)| at)
    }

    /// Whether a run that ended then may never have been told to Redis, or its answer never have come back.
    fn is_untold(&self, run: &Run, ended: u64) -> bool {
        let died = self.deaths.get(&run.began.pid).is_some_and(|died| *died <= ended + self.grace);
        died || self.is_shaken(run.began.at, ended + self.grace)
    }

    fn is_shaken(&self, from: u64, to: u64) -> bool {
        self.outages.iter().any(|(down, up)| from <= *up && *down <= to)
    }

    fn by_job(&self) -> BTreeMap<&Which, Vec<&Run>> {
        let mut by_job: BTreeMap<&Which, Vec<&Run>> = BTreeMap::new();
        for run in &self.runs {
            by_job.entry(&run.began.job).or_default().push(run);
        }
        by_job
    }

    fn by_lock(&self) -> BTreeMap<&str, Vec<&Run>> {
        let mut by_lock: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
        for run in &self.runs {
            by_lock.entry(&run.began.lock).or_default().push(run);
        }
        by_lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::runlog::Line;

    const UPDATE: &str = "vmh.beteiligte.update";

    fn asked(key: &str, at: u64, answer: Answer) -> Asked {
        Asked { job: Which::first(UPDATE, key), at, answer }
    }

    /// A run of the process `pid` with this lease number, which begins at a time and ends at another.
    fn run(topic: &str, key: &str, (pid, lease): (u32, u64), at: u64, end: Option<(u64, Event)>) -> Run {
        let began = Line {
            event: Event::Started,
            at,
            pid,
            run: lease,
            consumer: format!("w{pid}"),
            job: Which::first(topic, key),
            lock: format!("lock:{key}"),
            lease,
            attempt: 1,
        };
        Run { began, end }
    }

    fn done(key: &str, who: (u32, u64), at: u64) -> Run {
        run(UPDATE, key, who, at, Some((at + 10, Event::Done)))
    }

    fn check(history: &History, expected: &[&str]) {
        let faults = history.faults();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        assert!(told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{told:#?}");
    }

    /// One job that is done, one that fails at first, one that is dead, one that is asked for again during its run.
    fn good() -> History {
        History {
            asked: vec![
                asked("a", 100, Answer::New),
                asked("b", 100, Answer::New),
                asked("c", 100, Answer::New),
                asked("d", 100, Answer::New),
                asked("d", 115, Answer::New),
                asked("d", 116, Answer::Already),
                asked("e", 100, Answer::Unknown),
            ],
            runs: vec![
                done("a", (1, 1), 110),
                run(UPDATE, "b", (1, 2), 110, Some((120, Event::Failed))),
                run(UPDATE, "c", (1, 3), 110, Some((120, Event::Dead))),
                done("d", (1, 4), 110),
                done("d", (2, 5), 121),
                done("b", (2, 6), 150),
            ],
            grace: 5,
            ..History::default()
        }
    }

    #[test]
    fn a_good_history_has_no_faults() {
        check(&good(), &[]);
        assert_eq!(good().waits(), [6, 10, 10, 10, 10]);
    }

    #[test]
    fn a_lost_job_is_found() {
        let mut history = good();
        history.runs.remove(0);
        check(&history, &["LOST: Asked { job: Which { topic: \"vmh.beteiligte.update\", key: \"a\""]);
    }

    #[test]
    fn a_change_after_the_last_run_began_is_lost() {
        let mut history = good();
        history.asked.push(asked("a", 111, Answer::Already));
        check(&history, &["LOST"]);
    }

    #[test]
    fn a_run_that_began_before_the_change_does_not_count_and_one_of_another_topic_neither() {
        let mut history = good();
        history.asked.push(asked("f", 200, Answer::New));
        history.runs.push(done("f", (1, 7), 199));
        history.runs.push(run("vmh.beteiligte.create", "f", (1, 8), 210, Some((220, Event::Done))));
        check(&history, &["LOST", "DOUBLED"]);
    }

    #[test]
    fn a_run_that_only_failed_or_was_stopped_settles_nothing() {
        let mut history = good();
        history.runs.pop();
        check(&history, &["LOST"]);
        history.runs[1].end = Some((120, Event::Dropped));
        check(&history, &["LOST"]);
    }

    #[test]
    fn a_failed_run_is_settled_by_another_topic_of_its_lock() {
        let mut history = good();
        history.runs.pop();
        history.asked.push(Asked { job: Which::first("vmh.beteiligte.create", "b"), at: 140, answer: Answer::New });
        history.runs.push(run("vmh.beteiligte.create", "b", (2, 6), 150, Some((160, Event::Done))));
        check(&history, &[]);
    }

    #[test]
    fn a_doubled_run_is_found() {
        let mut history = good();
        history.runs.push(done("a", (2, 7), 200));
        check(&history, &["DOUBLED: Which { topic: \"vmh.beteiligte.update\", key: \"a\""]);
        history.asked.push(asked("a", 150, Answer::Unknown));
        check(&history, &[]);
    }

    #[test]
    fn a_double_is_explained_by_a_kill_right_after_the_run_and_by_nothing_later() {
        let mut history = good();
        history.runs[3].end = Some((112, Event::Done));
        history.runs.push(done("a", (2, 7), 200));
        history.deaths = HashMap::from([(1, 124)]);
        check(&history, &[]);
        history.deaths = HashMap::from([(1, 126)]);
        check(&history, &["DOUBLED"]);
    }

    #[test]
    fn a_double_is_explained_by_an_outage_at_its_time_and_by_no_other() {
        let mut history = good();
        history.runs.push(done("a", (2, 7), 200));
        history.outages = vec![(124, 130)];
        check(&history, &[]);
        history.outages = vec![(126, 130)];
        check(&history, &["DOUBLED"]);
    }

    #[test]
    fn two_runs_at_once_are_found_whoever_asked_for_them() {
        let mut history = good();
        history.asked.push(Asked { job: Which::first("vmh.beteiligte.create", "a"), at: 100, answer: Answer::New });
        history.runs.insert(1, run("vmh.beteiligte.create", "a", (2, 7), 119, Some((130, Event::Done))));
        check(&history, &["OVERLAP"]);
        history.runs[1].began.at = 120;
        check(&history, &[]);
    }

    #[test]
    fn a_run_that_never_ended_goes_on_until_its_process_is_killed() {
        let mut history = good();
        history.runs[0].end = None;
        history.runs.push(done("a", (2, 7), 200));
        check(&history, &["OVERLAP", "ENDLESS"]);
        history.deaths = HashMap::from([(1, 201)]);
        check(&history, &["OVERLAP"]);
        history.deaths = HashMap::from([(1, 200)]);
        check(&history, &[]);
    }

    #[test]
    fn a_lease_number_that_does_not_grow_is_found() {
        let mut history = good();
        history.runs[4].began.lease = 4;
        check(&history, &["LEASE NUMBER"]);
    }
}
