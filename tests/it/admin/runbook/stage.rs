//! The installation in which the runbook's commands are run, and what happens in it between them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use advosync::queue::{Batch, Consumer, Fault, Finish, Firing, Flow, Lane, Outcome, RecordAction, Topic};
use advosync_sandbox::{Fault as Refusal, System};
use serde_json::json;
use tempfile::TempDir;

use crate::support::world::World;

/// Two attempts, as soon as possible; nothing on the console but what a person is told.
const SETTINGS: [(&str, &str); 5] = [
    ("ADVOSYNC_MAX_ATTEMPTS", "2"),
    ("ADVOSYNC_RETRY_SCHEDULE", "50ms"),
    ("ADVOSYNC_LEASE", "15s"),
    ("ADVOSYNC_WORKER_CONCURRENCY", "1"),
    // A firm without Google's key: its calendar jobs wait, also for the tester's hand.
    ("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", "service-account.json"),
];
const REFUSED: &str = "Der Datensatz ist gesperrt.";
/// Longer than a change at EspoCRM takes, also on a busy machine.
const LEASE: Duration = Duration::from_mins(1);

/// An installation and a shell in it.
pub struct Stage {
    world: World,
    /// The records, in the order of their numbers in Advoware.
    records: Vec<String>,
    shell: TempDir,
    /// Assignments so far.
    set: Vec<String>,
}

impl Stage {
    /// Five records whose last change Advoware refuses, one that lacks a name, and one that was changed since.
    pub async fn set() -> Self {
        let world = World::with(&SETTINGS).await;
        let mut records = Vec::new();
        for name in ["Muster", "Beispiel", "Sommer", "Winter", "Herbst", "Lenz"] {
            records.push(world.created(&json!({ "firstName": "Max", "lastName": name })).await.0);
        }
        let stage = Self { world, records, shell: tempfile::tempdir().unwrap(), set: Vec::new() };
        stage.shell_programs();
        let world = &stage.world;
        world.sandbox.fault(Refusal::on(System::Advoware).put("*/Beteiligte/*").answer(400, REFUSED));
        for id in &stage.records[..5] {
            stage.change(id).await;
        }
        world.create(&json!({ "emailAddress": "nobody@example.org" }));
        world.deliver().await;
        world.settle_all().await;
        world.sandbox.clear_faults();
        stage.change(&stage.records[5]).await;
        stage.bury(Topic::CalendarEmployee, &["SB"]).await;
        for schedule in ["calendar", "records"] {
            let (queue, now) = (&stage.world.queue, chrono::Utc::now());
            let after = queue.begin_schedule(schedule, now - chrono::TimeDelta::days(1)).await.unwrap();
            let firing = Firing { schedule, after, slot: now, missed: 0, jobs: &[] };
            queue.fire_slot(&firing).await.unwrap();
        }
        stage
    }

    /// Makes happen what a stage direction says. `false`: nobody knows it.
    pub async fn play(&mut self, direction: &str) -> bool {
        match direction {
            "the worker is stopped" => drop(self.world.take_worker().terminate(Duration::from_secs(20)).await),
            "what was replayed is done, and four jobs fail" => {
                self.do_all().await;
                let keys: Vec<&str> = self.records[..4].iter().map(String::as_str).collect();
                self.bury(Topic::record("beteiligte", RecordAction::Update), &keys).await;
            }
            "one of them fails once more" => {
                let key = [self.records[0].as_str()];
                self.bury(Topic::record("beteiligte", RecordAction::Update), &key).await;
            }
            "redis is emptied" => {
                self.world.redis.cli(&["FLUSHALL"]);
                let swept = async || self.world.redis.cli(&["XLEN", "jobs:vmh:sweep"]) == "1";
                self.world.until("everything is compared again", swept).await;
            }
            _ => return false,
        }
        true
    }

    /// Runs a command as a person would; what is printed, on stderr as well.
    pub async fn run(&self, command: &str) -> String {
        let script = format!("exec 2>&1\n{}\n{command}\n", self.set.join("\n"));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).current_dir(self.shell.path()).env_clear();
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", self.shell.path().display()));
        shell.envs(self.world.environment().iter().map(|(name, value)| (name, value))).env("RUST_LOG", "error");
        // The processes here fire none, but a person's settings have both schedules.
        shell.env_remove("ADVOSYNC_CRON_CALENDAR").env_remove("ADVOSYNC_CRON_RECORDS");
        let out = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
        // What it asked for is done before the next command is given, where somebody is there to do it.
        if self.world.has_worker() {
            self.world.settle_all().await;
        }
        String::from_utf8(out.stdout).unwrap()
    }

    /// For the commands that follow.
    pub fn assign(&mut self, assignment: &str) {
        self.set.push(assignment.to_owned());
    }

    /// `advosync` as it was built, and a `redis-cli` that knows the address and prints as on a terminal.
    fn shell_programs(&self) {
        let folder = self.shell.path();
        symlink(env!("CARGO_BIN_EXE_advosync"), folder.join("advosync")).unwrap();
        let script = format!(
            "#!/bin/sh\nexec {} -u {} --no-raw \"$@\"\n",
            program("redis-cli").display(),
            self.world.redis.url()
        );
        let file = folder.join("redis-cli");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A user changes a record, and everything comes to rest.
    async fn change(&self, id: &str) {
        self.world.edit(id, &json!({ "phoneNumber": "+494099900011" }));
        self.world.deliver().await;
        self.world.settle_all().await;
    }

    /// Does what waits, without a worker.
    async fn do_all(&self) {
        let mut consumer = Consumer::new(&self.world.queue, Flow::Vmh, "tester", LEASE);
        while self.world.stats().await.ready > 0 {
            for claimed in consumer.next(100, 0).await.unwrap() {
                self.end(claimed, Outcome::Done { result: "updated".to_owned(), detail: None }).await;
            }
        }
        consumer.leave().await.unwrap();
    }

    /// Jobs that fail for good, one after the other, without a worker.
    async fn bury(&self, topic: Topic, keys: &[&str]) {
        let queue = &self.world.queue;
        let flow = topic.flow().unwrap();
        let mut consumer = Consumer::new(queue, flow, "tester", LEASE);
        for key in keys {
            let keys = [(*key).to_owned()];
            queue.enqueue(&Batch::new(topic.clone(), Lane::First, &keys, "webhook")).await.unwrap();
            let error = self.error(&topic, key);
            if flow == Flow::Vmh {
                let first = consumer.next(1, 0).await.unwrap().remove(0);
                self.end(first, Outcome::Retry { after: Duration::ZERO, error: error.clone() }).await;
                while queue.tend(flow).await.unwrap().promoted == 0 {}
            }
            let last = consumer.next(1, 0).await.unwrap().remove(0);
            self.end(last, Outcome::Dead { error }).await;
        }
        consumer.leave().await.unwrap();
    }

    /// What the program says where these fail.
    fn error(&self, topic: &Topic, key: &str) -> Fault {
        if let Some(at) = self.records.iter().position(|id| id == key) {
            let put = format!("PUT api/v1/advonet/Beteiligte/{}", 100_001 + at);
            return Fault::new("advoware_refused", format!("Advoware refused {put} with 400: {REFUSED}"));
        }
        let why = "for a day; discard it, or replay it once a worker does";
        Fault::new("unknown_topic", format!("no worker has known the topic `{topic}` {why}"))
    }

    async fn end(&self, claimed: advosync::queue::Claimed, outcome: Outcome) {
        let finish = Finish { claimed, outcome, worker: "tester".to_owned(), ended_at: chrono::Utc::now() };
        self.world.queue.finish(&[finish]).await.unwrap();
    }
}

/// Where a program lies.
fn program(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is installed (`make test` installs it)"))
}
