//! What truly ran: the handlers' own log, one line an event, written by the runs themselves and by nobody else.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use advosync::queue::{Job, Lane};
use serde::{Deserialize, Serialize};

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It began.
    Started,
    /// It reached its end.
    Done,
    /// It failed; what becomes of the job is the pool's business.
    Failed,
    /// It failed for good: the job has to be dead.
    Dead,
    /// It was stopped: its lease was lost, its process stops, or it panicked.
    Dropped,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What happened.
    pub event: Event,
    /// When, ns since the epoch.
    pub at: u64,
    /// The process.
    pub pid: u32,
    /// The run's number in its process.
    pub run: u64,
    /// The process' name among the workers.
    pub consumer: String,
    /// What ran.
    pub job: Which,
    /// The lock under which it runs.
    pub lock: String,
    /// The lease number; of two runs under one lock the later one has the greater.
    pub lease: u64,
    /// From 1.
    pub attempt: u32,
}

/// What coalesces: jobs that are equal here are one while they wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Which {
    /// The topic.
    pub topic: String,
    /// The key.
    pub key: String,
    /// Whether it came by the sweep lane.
    pub sweep: bool,
}

impl Which {
    /// A job of the first lane.
    pub fn first(topic: &str, key: &str) -> Self {
        Self { topic: topic.to_owned(), key: key.to_owned(), sweep: false }
    }

    /// What `job` is.
    pub fn of(job: &Job) -> Self {
        Self { topic: job.topic.to_string(), key: job.key.clone(), sweep: job.lane == Lane::Sweep }
    }
}

/// A run, put together from its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its first line.
    pub began: Line,
    /// When and how it ended, if it lived to say so.
    pub end: Option<(u64, Event)>,
}

impl Run {
    /// Whether it did what was asked for.
    pub fn is_done(&self) -> bool {
        matches!(self.end, Some((_, Event::Done)))
    }
}

/// Where runs write. Several processes may have it open: every line is one `write`, so lines never mix.
pub struct RunLog(File);

impl RunLog {
    /// Opens it, makes it if need be.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Writes a line.
    pub fn write(&self, line: &Line) {
        let mut text = serde_json::to_string(line).unwrap();
        text.push('\n');
        let written = (&self.0).write(text.as_bytes()).expect("the disk has room for a line");
        assert_eq!(written, text.len(), "a line is written whole or lines mix");
    }
}

/// All runs of a log, in the order in which they began. A log that is not there yet has none.
pub fn read(path: &Path) -> Vec<Run> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    pair_up(whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))))
}

/// Puts lines together to runs.
pub fn pair_up(lines: impl IntoIterator<Item = Line>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open: HashMap<(u32, u64), usize> = HashMap::new();
    for line in lines {
        let id = (line.pid, line.run);
        if line.event == Event::Started {
            assert!(open.insert(id, runs.len()).is_none(), "run {id:?} began twice");
            runs.push(Run { began: line, end: None });
        } else {
            let at = open.remove(&id).unwrap_or_else(|| panic!("run {id:?} ended and never began"));
            runs[at].end = Some((line.at, line.event));
        }
    }
    runs.sort_by_key(|run| run.began.at);
    runs
}

/// Now, ns since the epoch, by the clock that all processes of this machine share.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_nanos()).expect("nanoseconds fit until the year 2554")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_writers_are_read_back_as_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs");
        assert_eq!(read(&path), [], "no log, no runs");
        let line = |pid, run, event, at| Line {
            event,
            at,
            pid,
            run,
            consumer: format!("w{pid}"),
            job: Which::first("vmh.beteiligte.update", "ä \n\u{1}{}"),
            lock: "l".into(),
            lease: 1,
            attempt: 1,
        };
        std::thread::scope(|threads| {
            for pid in 0..4 {
                let (path, line) = (&path, &line);
                threads.spawn(move || {
                    let log = RunLog::open(path).unwrap();
                    for run in 0..200 {
                        log.write(&line(pid, run, Event::Started, run * 10));
                        if run < 199 {
                            log.write(&line(pid, run, Event::Done, run * 10 + 5));
                        }
                    }
                });
            }
        });
        RunLog::open(&path).unwrap().0.write_all(b"{\"event\":\"sta").unwrap();
        let runs = read(&path);
        assert_eq!(runs.len(), 800, "and what is on its way is no line yet");
        assert_eq!(runs.iter().filter(|run| run.end.is_none()).count(), 4);
        assert!(runs.iter().filter(|run| run.is_done()).all(|run| run.end == Some((run.began.at + 5, Event::Done))));
    }
}
