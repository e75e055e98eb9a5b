//! A whole installation: a Redis, the sandbox of the outside systems, the ingress and workers as processes.

use std::time::{Duration, Instant};

use advosync::queue::{Batch, Ended, FlowStats, Lane, Queue, RecordAction, Topic};
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Effect, Entity, Fields, Options, Sandbox, System};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Process, borrowed, command};
use super::redis::{Redis, free_port};
use super::secrets::assert_untold;

/// How long anything that is waited for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// The user name under which the program writes, in both systems.
pub const US: &str = "advosync";

/// Short enough for tests, and long enough that a busy machine changes no outcome.
const SETTINGS: [(&str, &str); 7] = [
    ("ADVOSYNC_RETRY_SCHEDULE", "200ms,500ms"),
    ("ADVOSYNC_QUIET_TIME", "11s"),
    ("ADVOWARE_API_TIMEOUT_SECONDS", "10"),
    ("ADVOSYNC_LEASE", "3s"),
    ("ADVOSYNC_CRON_RECORDS", "off"),
    ("ADVOSYNC_CRON_CALENDAR", "off"),
    ("RUST_LOG", "info,advosync=debug"),
];

/// For tests in which an answer is lost: the quiet time is as short as the API's timeout allows.
pub const HASTY: [(&str, &str); 3] =
    [("ADVOWARE_API_TIMEOUT_SECONDS", "1"), ("ADVOSYNC_QUIET_TIME", "1500ms"), ("ADVOSYNC_LEASE", "1500ms")];

/// The running installation. Everything ends with it.
pub struct World {
    // Processes go first, so that they do not complain about the rest being gone.
    workers: Vec<Process>,
    ingress: Process,
    /// The outside systems.
    pub sandbox: Sandbox,
    /// The queue, for looking at it and for enqueuing as the command line does.
    pub queue: Queue,
    /// The Redis of this installation alone.
    pub redis: Redis,
    settings: Vec<(String, String)>,
    started: usize,
    folder: TempDir,
}

impl World {
    /// With one worker, and all choices as they are.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With one worker and further settings, which beat the usual ones.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let mut world = Self::idle(settings, Options::default()).await;
        world.start_worker();
        world
    }

    /// Without a worker: what is enqueued waits.
    pub async fn idle(settings: &[(&str, &str)], options: Options) -> Self {
        Self::idle_at(Redis::start(), settings, options).await
    }

    /// Likewise, with this Redis.
    pub async fn idle_at(redis: Redis, settings: &[(&str, &str)], mut options: Options) -> Self {
        // Companies have no lastName; the requirement is lifted, as doctor asks for.
        let lifted = |entity: Entity| if entity.name == CBETEILIGTE { entity.not_required("lastName") } else { entity };
        options.espocrm.entities = options.espocrm.entities.into_iter().map(lifted).collect();
        let sandbox = Sandbox::start(options).await.unwrap();
        let queue = redis.prepared().await;
        let address = format!("127.0.0.1:{}", free_port());
        for entity in sandbox.options().espocrm.entities {
            let name = entity.name.trim_start_matches('C').to_lowercase();
            sandbox.register_webhooks(&entity.name, &format!("http://{address}/vmh/webhook/{name}"));
        }
        let mut all = sandbox.env();
        all.push(("REDIS_URL".to_owned(), redis.url()));
        let chosen = SETTINGS.iter().chain(settings).map(|&(name, value)| (name.to_owned(), value.to_owned()));
        all.extend(chosen);
        let folder = tempfile::tempdir().unwrap();
        let listening = [all.as_slice(), &[("ADVOSYNC_LISTEN".to_owned(), address.clone())]].concat();
        let ingress = Process::start(folder.path(), "ingress", "ingress", &listening);
        let world = Self { workers: Vec::new(), ingress, sandbox, queue, redis, settings: all, started: 0, folder };
        world.until("the ingress listens", async || tokio::net::TcpStream::connect(&address).await.is_ok()).await;
        world
    }

    /// One more worker.
    pub fn start_worker(&mut self) {
        self.started += 1;
        let name = format!("worker-{}", self.started);
        self.workers.push(Process::start(self.folder.path(), &name, "worker", &self.settings));
    }

    /// A process of another role, with the settings of the workers.
    pub fn start_role(&self, role: &str) -> Process {
        Process::start(self.folder.path(), role, role, &self.settings)
    }

    /// What each process has logged so far: its name and its lines, which are JSON.
    pub fn logs(&self) -> Vec<(String, Vec<Value>)> {
        let all = std::iter::once(&self.ingress).chain(&self.workers);
        all.map(|process| (process.name().to_owned(), process.lines())).collect()
    }

    /// Ends the oldest worker by SIGKILL.
    pub fn kill_worker(&mut self) {
        self.workers.remove(0).kill();
    }

    /// Takes the oldest worker out, for a SIGTERM.
    pub fn take_worker(&mut self) -> Process {
        self.workers.remove(0)
    }

    /// Takes a worker in again, as the youngest.
    pub fn add_worker(&mut self, worker: Process) {
        self.workers.push(worker);
    }

    /// Sets a setting for workers that start from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command to its end; its exit code and what it printed.
    pub async fn run(&self, words: &[&str]) -> (i32, String) {
        let mut command = command(self.folder.path(), &self.settings);
        command.args(words);
        let out = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let (stdout, stderr) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
        assert_untold(borrowed(&self.settings), &words.join(" "), &format!("{stdout}{stderr}"));
        (out.status.code().unwrap_or(-1), stdout)
    }

    /// Whether a worker runs.
    pub const fn has_worker(&self) -> bool {
        !self.workers.is_empty()
    }

    /// The environment of its processes.
    pub fn environment(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Waits for something that will be so, looking again and again.
    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let by = Instant::now() + PATIENCE;
        while !so().await {
            assert!(Instant::now() < by, "waited in vain until {what}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Counts of the record flow.
    pub async fn stats(&self) -> FlowStats {
        self.queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"]
    }

    /// `EspoCRM` sends what waits; the ingress takes all of it. Settled means done, so this goes before.
    pub async fn deliver(&self) {
        for delivery in self.sandbox.deliver_all_webhooks().await.deliveries {
            assert_eq!(delivery.status, Some(200), "{} {}", delivery.body, delivery.answer);
        }
    }

    /// Waits until nothing waits for a worker or runs; retries may still wait for their time.
    pub async fn settle(&self) {
        self.until("nothing waits or runs", async || {
            let stats = self.stats().await;
            stats.ready + stats.sweep + stats.running + stats.parked == 0
        })
        .await;
    }

    /// Waits until nothing is left to be done, retries included.
    pub async fn settle_all(&self) {
        self.until("no job is left", async || {
            let stats = self.stats().await;
            stats.ready + stats.sweep + stats.running + stats.parked + stats.scheduled == 0
        })
        .await;
    }

    /// Delivers webhooks and runs jobs until neither is left, as hours would.
    pub async fn rest(&self) {
        for _ in 0..20 {
            self.deliver().await;
            self.settle_all().await;
            if self.sandbox.webhooks_waiting() == 0 {
                return;
            }
        }
        panic!("webhooks and writes never come to rest");
    }

    /// Asks for a comparison of a record, as a person does, and waits for its end.
    pub async fn sync(&self, id: &str) -> Ended {
        let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
        let mut waiter = self.queue.waiter(topic.clone(), id).await.unwrap();
        self.queue.enqueue(&Batch::new(topic, Lane::First, &[id.to_owned()], "test")).await.unwrap();
        let by = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = waiter.poll().await.unwrap() {
                return ended;
            }
            assert!(Instant::now() < by, "the job of {id} does not end");
        }
    }

    /// [`World::sync`], which must be done; its one-word result.
    pub async fn done(&self, id: &str) -> String {
        match self.sync(id).await {
            Ended::Done { result, .. } => result,
            other => panic!("{id} is not done: {other:?}"),
        }
    }

    /// A user makes a record.
    pub fn create(&self, values: &Value) -> String {
        self.sandbox.people().crm_create(CBETEILIGTE, values).unwrap()
    }

    /// A user makes a record; it is synced before this returns.
    pub async fn created(&self, values: &Value) -> (String, i64) {
        let id = self.create(values);
        self.deliver().await;
        self.settle_all().await;
        let number = self.number(&id);
        (id, number)
    }

    /// A user changes a record.
    pub fn edit(&self, id: &str, values: &Value) {
        self.sandbox.people().crm_update(CBETEILIGTE, id, values).unwrap();
    }

    /// The lawyer changes a party.
    pub fn lawyer(&self, number: i64, values: &Value) {
        self.sandbox.people().lawyer_update(BETEILIGTE, number, values).unwrap();
    }

    /// A record as it is at `EspoCRM`.
    pub fn record(&self, id: &str) -> Fields {
        self.sandbox.people().crm_get(CBETEILIGTE, id).unwrap_or_else(|| panic!("{id} is gone"))
    }

    /// A party as it is in Advoware.
    pub fn party(&self, number: i64) -> Fields {
        self.sandbox.people().advoware_get(BETEILIGTE, number).unwrap_or_else(|| panic!("{number} is gone"))
    }

    /// All parties.
    pub fn parties(&self) -> Vec<Fields> {
        self.sandbox.people().advoware_list(BETEILIGTE)
    }

    /// The number that a record shows.
    pub fn number(&self, id: &str) -> i64 {
        let record = self.record(id);
        record["advowareId"].as_i64().unwrap_or_else(|| panic!("{id} has no number: {record:?}"))
    }

    /// Redis forgets what both sides looked like, as after a loss.
    pub fn lose_ledger(&self) {
        let parts = ["pairs", "numbers", "intents", "intent_keys", "dissolved"];
        let keys = parts.map(|part| format!("ledger:beteiligte:{part}"));
        let words: Vec<&str> = std::iter::once("DEL").chain(keys.iter().map(String::as_str)).collect();
        self.redis.cli(&words);
    }

    /// The number of the last effect so far.
    pub fn mark(&self) -> u64 {
        self.sandbox.effects().len() as u64
    }

    /// What the program has written to either system since a mark.
    pub fn writes(&self, since: u64) -> Vec<Effect> {
        self.sandbox.effects_since(since).into_iter().filter(|effect| effect.by == US).collect()
    }

    /// What the program has written to one system since a mark, notes apart.
    pub fn writes_to(&self, system: System, since: u64) -> Vec<Effect> {
        let of = |effect: &Effect| effect.system == system && effect.entity != "Note";
        self.writes(since).into_iter().filter(of).collect()
    }

    /// Calls to Advoware and to `EspoCRM` since [`Sandbox::reset_counts`].
    pub fn calls(&self) -> (u64, u64) {
        (self.sandbox.count(System::Advoware).calls, self.sandbox.count(System::EspoCrm).calls)
    }

    /// Whether a webhook has told the program of a record's state, such as our own `clean`.
    pub fn heard_of(&self, state: &str) -> bool {
        let text = format!("\"syncStatus\":\"{state}\"");
        self.sandbox.calls().iter().any(|call| call.system == System::Webhooks && call.body.contains(&text))
    }

    /// The texts of the messages to a user, in order.
    pub fn messages(&self, user: &str) -> Vec<String> {
        let notes = self.sandbox.people().crm_notes();
        let to = |note: &&Fields| {
            note["targetType"] == "users"
                && note["usersIds"].as_array().is_some_and(|ids| ids.iter().any(|id| id == user))
        };
        notes.iter().filter(to).map(|note| note["post"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The texts of the notes on a record.
    pub fn notes(&self, id: &str) -> Vec<String> {
        let notes = self.sandbox.people().crm_notes();
        let of = notes.iter().filter(|note| note["parentId"] == id);
        of.map(|note| note["post"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
