//! Redis is away in every way that it can be: afterwards the program goes on by itself, within five seconds, with
//! everything that Redis kept, and has said so once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use advosync_sandbox::{Delivery, Gate, Match, Options, Phase, System};
use serde_json::{Value, json};

use crate::support::wire::Wire;
use crate::support::world::World;

/// From the moment when Redis is back to the end of a job that was told to the ingress after it.
const SOON: Duration = Duration::from_secs(5);
/// How often a process may say the same about one outage.
const OFTEN: usize = 2;
/// What is said of each job and each request.
const OF_ONE_JOB: [&str; 5] = [
    "webhook received",
    "job ended",
    "a run did not succeed",
    "a run was stopped because its lease was lost",
    "a finish came after its lease was lost and changed nothing",
];
/// What is said of connections that broke or gave no answer in time.
const LOST: &str = "a connection to redis was lost, it is made again";
/// One job at a time: others wait behind it in the stream.
const NARROW: (&str, &str) = ("ADVOSYNC_WORKER_CONCURRENCY", "1");
/// Room for more: the worker waits in a blocking read, and what it must not run yet is parked.
const WIDE: (&str, &str) = ("ADVOSYNC_WORKER_CONCURRENCY", "4");

/// An installation with one run under way and a job that waits for its end, however the worker waits.
struct Busy {
    world: World,
    ids: Vec<String>,
    gate: Gate,
    /// How many lines each process had logged when Redis went away.
    logged: BTreeMap<String, usize>,
}

fn person(name: &str) -> Value {
    json!({ "firstName": "Max", "lastName": name, "emailAddress": format!("{}@example.org", name.to_lowercase()) })
}

impl Busy {
    async fn new(room: (&str, &str)) -> Self {
        Self::begin(World::with(&[room]).await).await
    }

    async fn begin(world: World) -> Self {
        let create = Match::on(System::Advoware).request("POST", "*/Beteiligte").containing("Eins");
        let gate = world.sandbox.gate(create, Phase::Before);
        let ids = ["Eins", "Zwei", "Drei"].map(|name| world.create(&person(name))).to_vec();
        world.deliver().await;
        gate.arrived().await;
        world.edit(&ids[0], &json!({ "emailAddress": "neu@example.org" }));
        world.deliver().await;
        world
            .until("a job waits for the run", async || {
                let stats = world.stats().await;
                stats.parked == 1 && stats.running == 1 || stats.ready > 0
            })
            .await;
        let logged = world.logs().into_iter().map(|(name, lines)| (name, lines.len())).collect();
        Self { world, ids, gate, logged }
    }

    /// Returns while a worker waits in a blocking read.
    async fn reads(&self) {
        let reads = |client: &str| client.contains("cmd=xreadgroup") && client.contains("flags=b");
        let is_so = async || self.world.redis.cli(&["CLIENT", "LIST"]).lines().any(reads);
        self.world.until("a worker waits in a blocking read", is_so).await;
    }

    /// Redis goes away for a while; `EspoCRM` sends a webhook meanwhile.
    async fn meanwhile(&mut self, words: &'static [&'static str]) {
        let id = self.world.create(&person("Mittendrin"));
        let away = self.world.redis.later(words);
        let answers = async || tokio::time::timeout(Duration::from_millis(100), self.world.queue.ping()).await.is_ok();
        self.world.until("redis does not answer", async || !answers().await).await;
        self.until_accepted().await;
        self.ids.push(id);
        away.await;
    }

    /// Redis is back: everything goes on, and nothing was lost.
    async fn goes_on(mut self, what: &str, told: &str) {
        self.does_what_is_new(what).await;
        self.says_it_once(what);
        self.was_told(told);
        self.world.one_to_one(&self.ids);
        assert_eq!(self.world.party(self.world.number(&self.ids[0]))["emailGesch"], "neu@example.org");
        assert_eq!(self.world.stats().await.dead, 0);
    }

    /// Redis is back: a new job is done soon, and in the end everything is.
    async fn does_what_is_new(&mut self, what: &str) {
        let back = Instant::now();
        self.gate.release();
        let id = self.world.create(&person("Neu"));
        self.until_accepted().await;
        let accepted = back.elapsed();
        self.world
            .until("what came afterwards is done", async || self.world.record(&id)["syncStatus"] == "clean")
            .await;
        let took = back.elapsed();
        self.ids.push(id);
        // What Redis kept waits in it; what it lost is found by a full sweep.
        let clean = |id: &String| self.world.record(id)["syncStatus"] == "clean";
        self.world.until("everything is done", async || self.ids.iter().all(clean)).await;
        self.world.settle_all().await;
        eprintln!("{what}: accepted {accepted:?}, done {took:?}, all done {:?} after redis was back", back.elapsed());
        assert!(took < SOON, "{what}: a new job was done only {took:?} after redis was back");
    }

    /// `EspoCRM` sends what waits again and again until it is taken.
    async fn until_accepted(&self) {
        let refused = |delivery: &Delivery| delivery.status != Some(200);
        let mut left = self.world.sandbox.deliver_all_webhooks().await.deliveries;
        loop {
            left.retain(refused);
            let Some(delivery) = left.pop() else { return };
            left.extend(self.world.sandbox.redeliver(&delivery).await);
        }
    }

    /// Somebody has said this since Redis went away.
    fn was_told(&self, message: &str) {
        let logs = self.world.logs();
        let mut lines = logs.iter().flat_map(|(name, lines)| lines.iter().skip(self.logged[name]));
        assert!(lines.any(|line| line["message"] == message), "nobody said {message:?}");
    }

    /// No process repeats itself; what it says of single jobs and requests apart.
    fn says_it_once(&self, what: &str) {
        for (name, lines) in self.world.logs() {
            let mut said: BTreeMap<&str, usize> = BTreeMap::new();
            for line in lines.iter().skip(self.logged[&name]) {
                let message = line["message"].as_str().unwrap_or_default();
                if line["level"] != "DEBUG" && !OF_ONE_JOB.contains(&message) {
                    *said.entry(message).or_default() += 1;
                }
            }
            eprintln!("{what}: {name} said {said:?}");
            assert!(said.values().all(|times| *times <= OFTEN), "{what}: {name} said {said:?}");
        }
    }
}

#[tokio::test]
async fn restarted() {
    for room in [NARROW, WIDE] {
        let mut busy = Busy::new(room).await;
        busy.world.redis.restart();
        busy.goes_on("restart", LOST).await;
    }
}

#[tokio::test]
async fn killed_and_away_for_a_while() {
    let mut busy = Busy::new(WIDE).await;
    busy.reads().await;
    busy.world.redis.kill();
    let id = busy.world.create(&person("Mittendrin"));
    let refused = busy.world.sandbox.deliver_all_webhooks().await.deliveries;
    assert!(refused.iter().all(|delivery| delivery.status == Some(503)), "{refused:?}");
    // Nothing is ordered by this: it is an outage in which everything is tried several times.
    tokio::time::sleep(Duration::from_secs(4)).await;
    busy.world.redis.up();
    for delivery in &refused {
        assert_eq!(busy.world.sandbox.redeliver(delivery).await.unwrap().status, Some(200));
    }
    busy.ids.push(id);
    busy.goes_on("kill -9", LOST).await;
}

#[tokio::test]
async fn paused() {
    let mut busy = Busy::new(WIDE).await;
    busy.meanwhile(&["CLIENT", "PAUSE", "7000", "ALL"]).await;
    busy.goes_on("client pause", LOST).await;
}

#[tokio::test]
async fn paused_for_writes() {
    let busy = Busy::new(NARROW).await;
    busy.world.redis.cli(&["CLIENT", "PAUSE", "7000", "WRITE"]);
    busy.world.redis.cli(&["SET", "paused", "1"]);
    busy.goes_on("client pause write", LOST).await;
}

#[tokio::test]
async fn asleep() {
    let mut busy = Busy::new(WIDE).await;
    busy.meanwhile(&["DEBUG", "SLEEP", "7"]).await;
    busy.goes_on("debug sleep", LOST).await;
}

#[tokio::test]
async fn behind_a_wire_that_went_dead() {
    for room in [NARROW, WIDE] {
        let wire = Wire::start().await;
        let url = wire.url();
        let mut world = World::idle(&[room, ("REDIS_URL", url.as_str())], Options::default()).await;
        wire.leads_to(&world.redis.url());
        world.start_worker();
        let busy = Busy::begin(world).await;
        wire.cut();
        busy.goes_on("dead wire", LOST).await;
    }
}

#[tokio::test]
async fn connections_dropped_in_the_middle_of_a_blocking_read() {
    for room in [NARROW, WIDE] {
        let busy = Busy::new(room).await;
        if room == WIDE {
            busy.reads().await;
        }
        busy.world.redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        busy.goes_on("client kill", LOST).await;
    }
}

#[tokio::test]
async fn without_its_groups() {
    for room in [NARROW, WIDE] {
        let busy = Busy::new(room).await;
        for stream in ["jobs:vmh", "jobs:vmh:sweep"] {
            busy.world.redis.cli(&["XGROUP", "DESTROY", stream, "workers"]);
        }
        busy.goes_on("xgroup destroy", "groups of job streams were missing in redis and were made").await;
    }
}

#[tokio::test]
async fn without_its_functions() {
    for room in [NARROW, WIDE] {
        let busy = Busy::new(room).await;
        busy.world.redis.cli(&["FUNCTION", "FLUSH"]);
        busy.goes_on("function flush", "functions were missing in redis and were loaded").await;
    }
}

#[tokio::test]
async fn emptied() {
    for room in [NARROW, WIDE] {
        let mut busy = Busy::new(room).await;
        busy.world.redis.cli(&["FLUSHALL"]);
        busy.does_what_is_new("flushall").await;
        busy.says_it_once("flushall");
        // The job that waited is gone, and with the ledger all knowledge of the create that was under way. It is linked
        // to what it made, not made again; which side a difference came from, nobody can tell.
        assert_eq!(busy.world.parties().len(), busy.ids.len(), "{:?}", busy.world.parties());
        let numbers: std::collections::BTreeSet<_> = busy.ids.iter().map(|id| busy.world.clean(id)).collect();
        assert_eq!(numbers.len(), busy.ids.len());
        assert_eq!(busy.world.stats().await.dead, 0);
    }
}
