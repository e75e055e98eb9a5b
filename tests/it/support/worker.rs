//! Workers as processes of their own: the product's pool around a handler that does what each job tells it.
//!
//! The process is this very test binary, started again on one of its tests ([`child`]), so there is nothing else to build.

mod behaviour;
mod child;
mod crew;
mod site;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use advosync::queue::Flow;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

pub use behaviour::Behaviour;
pub use crew::Crew;
pub use site::{Site, keys};

use super::runlog;

/// Where the child finds its options.
const ASKED: &str = "ADVOSYNC_TEST_WORKER";
/// The test that acts as a worker when it is asked to.
const ACTOR: &str = "support::worker::child::a_worker_without_a_log_is_refused";
/// How long an orderly stop may take beyond the time to drain.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a worker process is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The address of its Redis.
    pub redis: String,
    /// Its name in this test: where it leaves its messages and its metrics.
    pub label: String,
    /// Its name among the workers, which is to be its own.
    pub consumer: String,
    /// Where its runs write what they do.
    pub log: PathBuf,
    /// Where it leaves `<label>.log` and `<label>.metrics`.
    pub folder: PathBuf,
    /// The flows it serves, by name.
    pub flows: Vec<String>,
    /// The entities whose topics it knows.
    pub entities: Vec<String>,
    /// Jobs at once, a flow.
    pub concurrency: usize,
    /// How long a lock lasts without renewal.
    pub lease: Duration,
    /// How long running jobs may go on when it stops.
    pub drain: Duration,
    /// The waits between attempts.
    pub waits: Vec<Duration>,
}

impl Setup {
    /// The defaults of the product, for one flow.
    pub fn new(redis: &str, name: &str, folder: PathBuf) -> Self {
        let minutes = [1, 5, 15, 60].map(Duration::from_mins);
        Self {
            redis: redis.to_owned(),
            label: name.to_owned(),
            consumer: name.to_owned(),
            log: folder.join("runs"),
            folder,
            flows: vec![Flow::Vmh.name().to_owned()],
            entities: vec!["beteiligte".to_owned()],
            concurrency: 16,
            lease: Duration::from_secs(15),
            drain: Duration::from_secs(25),
            waits: minutes.to_vec(),
        }
    }

    /// A file that it leaves.
    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.label))
    }

    /// Reads what the parent wrote; a slip is told by the field's name.
    fn read(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("{ASKED} cannot be used: {error}"))
    }
}

/// A running worker. Killed when it is dropped; what it said is shown when the test fails.
pub struct Worker {
    child: Child,
    setup: Setup,
}

impl Worker {
    /// Starts one.
    pub fn start(setup: Setup) -> Self {
        let out = File::create(setup.file("log")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", ACTOR, "--nocapture"])
            .env(ASKED, serde_json::to_string(&setup).unwrap())
            // Never written to: it closes when this process ends, however that happens, and the child ends with it.
            .stdin(Stdio::piped())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .expect("this very binary can be started");
        Self { child, setup }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its name in this test.
    pub fn name(&self) -> &str {
        &self.setup.label
    }

    /// SIGKILL. Answers its process number and a time at which it was certainly gone, ns since the epoch.
    pub fn kill(mut self) -> (u32, u64) {
        self.end();
        (self.pid(), runlog::now())
    }

    /// SIGTERM, then waits for its end, which must be an orderly one. Answers what it had counted.
    pub async fn stop(mut self) -> Metrics {
        self.signal(Signal::SIGTERM);
        let status = self.ended(self.setup.drain + PATIENCE).await;
        assert!(status.success(), "{} did not stop in order: {status}", self.name());
        Metrics(std::fs::read_to_string(self.setup.file("metrics")).expect("who stops in order leaves its metrics"))
    }

    /// Waits for the end of one that dies by itself. Answers the signal that ended it.
    pub async fn died(mut self) -> Option<i32> {
        self.ended(PATIENCE).await.signal()
    }

    /// Whether it has ended by itself.
    pub fn is_gone(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGSTOP: it stands still, as in a machine that is being moved.
    pub fn freeze(&self) {
        super::frozen::freeze(self.child.id());
    }

    /// SIGCONT: it goes on as if no time had passed.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.setup.file("log")).unwrap_or_default()
    }

    async fn ended(&mut self, patience: Duration) -> ExitStatus {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < patience, "{} does not end", self.name());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let said = self.said();
            // The last lines say most, and a long test may have thousands.
            let from = said.lines().count().saturating_sub(40);
            let last: Vec<&str> = said.lines().skip(from).collect();
            eprintln!("──── {} ────\n{}", self.name(), last.join("\n"));
        }
    }
}

/// What a worker had counted when it stopped.
pub struct Metrics(String);

impl Metrics {
    /// A counter, over all its labels.
    pub fn count(&self, name: &str) -> u64 {
        let of = |line: &&str| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "));
        let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<u64>().ok());
        self.0.lines().filter(of).filter_map(value).sum()
    }
}
