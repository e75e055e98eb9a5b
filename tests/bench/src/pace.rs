//! What a sync costs of our own time at a steady pace: arrivals by schedule, not as fast as answers come.
//!
//! Our own time is that from a job's claim to its finish, both by Redis' clock, without what the sandbox took to answer the
//! run's calls. The way to the sandbox and back is ours, and so is waiting for the disk that Redis writes to before it answers.
//! The sandbox runs on the same machine. Where others use its disk, `TMPDIR=/dev/shm` shows what is not the disk's.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use advosync::queue::{Batch, Lane, RecordAction, Topic};
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Call, System};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::raw::Read;
use crate::report::Figure;
use crate::world::World;

/// Arrivals a second.
const PACE: u32 = 50;
/// Records that are there before; each has its turn again after ten seconds.
const RECORDS: usize = 500;
/// How long after the last one everything must be done, and how long nothing may end.
const PATIENCE_MS: &str = "20000";
/// How far the clocks of Redis, the worker and the sandbox may read apart, ms.
const APART: i64 = 2;

/// What a sync is asked to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    ToAdvoware,
    ToEspoCrm,
    Unchanged,
}

const KINDS: [Kind; 4] = [Kind::Create, Kind::ToAdvoware, Kind::ToEspoCrm, Kind::Unchanged];

/// A sync that is to come.
struct Arrival {
    kind: Kind,
    due: Instant,
}

/// A sync that has been.
struct Ended {
    key: String,
    result: String,
    /// By Redis' clock, ms since the epoch.
    claimed: i64,
    finished: i64,
    seen: Instant,
}

/// What a sync took, ms.
struct Took {
    kind: Kind,
    own: f64,
    since_due: f64,
}

/// So many seconds of syncs of all kinds.
pub(crate) async fn measure(world: &World, seconds: u32) -> Result<Vec<Figure>> {
    let mut done = Done { redis: world.redis.connect().await?, last: "0".to_owned() };
    let mut ids = Vec::with_capacity(RECORDS);
    for n in 0..RECORDS {
        ids.push(new_record(world, &format!("Bestand{n}"))?);
    }
    world.queue.enqueue(&Batch::new(topic(), Lane::First, &ids, "bench")).await?;
    done.collect(RECORDS).await?;
    world.sandbox.reset_counts();

    let total = seconds * PACE;
    let load = load();
    let reader = tokio::spawn(async move { done.collect(usize::try_from(total)?).await });
    let arrivals = arrive(world, &ids, total).await?;
    let ended = reader.await??;
    let took = own_times(world, arrivals, &ended)?;
    println!("load of the machine: {load} before, {} after", self::load());
    Ok(figures(&took, seconds))
}

/// Makes changes and asks for syncs, each at its time. Answers what is to come of it, by record.
async fn arrive(world: &World, ids: &[String], total: u32) -> Result<HashMap<String, VecDeque<Arrival>>> {
    let mut arrivals: HashMap<String, VecDeque<Arrival>> = HashMap::new();
    let mut asked = JoinSet::new();
    let begin = Instant::now();
    let mut existing = ids.iter().cycle();
    for n in 0..total {
        let due = begin + Duration::from_secs(1) * n / PACE;
        tokio::time::sleep_until(due).await;
        let kind = match n % 10 {
            0 => Kind::Create,
            1..=3 => Kind::ToAdvoware,
            4..=6 => Kind::ToEspoCrm,
            _ => Kind::Unchanged,
        };
        let id = match kind {
            Kind::Create => new_record(world, &format!("Neu{n}"))?,
            _ => existing.next().context("no records")?.clone(),
        };
        change(world, kind, &id, n)?;
        arrivals.entry(id.clone()).or_default().push_back(Arrival { kind, due });
        let queue = world.queue.clone();
        // The next one does not wait for this one's way to the disk.
        asked.spawn(async move { queue.enqueue(&Batch::new(topic(), Lane::First, &[id], "bench")).await });
    }
    while let Some(asked) = asked.join_next().await {
        asked??;
    }
    Ok(arrivals)
}

fn topic() -> Topic {
    Topic::record("beteiligte", RecordAction::SyncCheck)
}

fn new_record(world: &World, name: &str) -> Result<String> {
    let record = json!({ "firstName": "Max", "lastName": name, "emailAddress": "max@example.org" });
    world.sandbox.people().crm_create(CBETEILIGTE, &record).map_err(|refused| anyhow!("{refused}"))
}

fn change(world: &World, kind: Kind, id: &str, n: u32) -> Result<()> {
    let people = world.sandbox.people();
    let mail = format!("max{n}@example.org");
    match kind {
        Kind::Create | Kind::Unchanged => {}
        Kind::ToAdvoware => drop(people.crm_update(CBETEILIGTE, id, &json!({ "emailAddress": mail }))?),
        Kind::ToEspoCrm => {
            let number = number(world, id)?;
            drop(people.lawyer_update(BETEILIGTE, number, &json!({ "emailGesch": mail }))?);
        }
    }
    Ok(())
}

fn number(world: &World, id: &str) -> Result<i64> {
    let record = world.sandbox.people().crm_get(CBETEILIGTE, id).context("a record is gone")?;
    record["advowareId"].as_i64().with_context(|| format!("{id} has no number"))
}

/// The stream of jobs that ended.
struct Done {
    redis: redis::aio::MultiplexedConnection,
    last: String,
}

impl Done {
    /// The next so many.
    async fn collect(&mut self, count: usize) -> Result<Vec<Ended>> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let mut read = redis::cmd("XREAD");
            read.arg(&["BLOCK", PATIENCE_MS, "COUNT", "100", "STREAMS", "jobs:vmh:done", &self.last]);
            let read: Read = read.query_async(&mut self.redis).await?;
            let seen = Instant::now();
            let entries = read.into_iter().flatten().flat_map(|(_, entries)| entries).collect::<Vec<_>>();
            ensure!(!entries.is_empty(), "only {} of {count} syncs have ended", all.len());
            for (id, runs) in entries {
                // Runs that ended together stand in one entry.
                for (_, run) in runs {
                    all.push(ended(&id, &run, seen)?);
                }
                self.last = id;
            }
        }
        ensure!(all.len() == count, "more syncs have ended than were asked for");
        Ok(all)
    }
}

fn ended(id: &str, run: &[u8], seen: Instant) -> Result<Ended> {
    let run: Value = serde_json::from_slice(run)?;
    let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
    let finished = id.split('-').next().unwrap_or_default().parse()?;
    let claimed = run["started_at"].as_i64().context("a run without its start")?;
    Ok(Ended { key: text("key"), result: text("result"), claimed, finished, seen })
}

/// Takes from each sync's time what its calls took at the sandbox.
fn own_times(world: &World, mut arrivals: HashMap<String, VecDeque<Arrival>>, ended: &[Ended]) -> Result<Vec<Took>> {
    let mut names = HashMap::new();
    for id in arrivals.keys() {
        let record = world.sandbox.people().crm_get(CBETEILIGTE, id).context("a record is gone")?;
        let name = record["lastName"].as_str().unwrap_or_default();
        names.extend([id.clone(), number(world, id)?.to_string(), name.to_owned()].map(|name| (name, id.clone())));
    }
    let calls = world.sandbox.calls();
    let mut by_record: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in &calls {
        let id = subject(call).and_then(|name| names.get(&name));
        by_record.entry(id.with_context(|| format!("nobody's call: {call:?}"))?).or_default().push(call);
    }
    let mut all = Vec::with_capacity(ended.len());
    for it in ended {
        let arrival = arrivals.get_mut(&it.key).and_then(VecDeque::pop_front).context("nobody asked for this sync")?;
        let expected = match arrival.kind {
            Kind::Create => "created",
            Kind::Unchanged => "unchanged",
            _ => "updated",
        };
        ensure!(it.result == expected, "{}: ended as {}, not {expected}", it.key, it.result);
        let during = it.claimed - APART..=it.finished + APART;
        let mine = by_record.get(it.key.as_str()).into_iter().flatten();
        let mine: Vec<&&Call> = mine.filter(|call| during.contains(&call.at.timestamp_millis())).collect();
        let to = |system| mine.iter().filter(|call| call.system == system).count();
        let bound = if arrival.kind == Kind::Unchanged { (1, 1) } else { (3, 2) };
        let (advoware, espocrm) = (to(System::Advoware), to(System::EspoCrm));
        ensure!(advoware > 0 && espocrm > 0, "the calls of a sync are not known");
        ensure!(advoware <= bound.0 && espocrm <= bound.1, "{expected}: {advoware} and {espocrm} calls");
        let upstream: f64 = mine.iter().filter_map(|call| call.took_ms).sum();
        let took = Duration::from_millis(u64::try_from(it.finished - it.claimed)?);
        let own = (ms(took) - upstream).max(0.0);
        all.push(Took { kind: arrival.kind, own, since_due: ms(it.seen.duration_since(arrival.due)) });
    }
    Ok(all)
}

/// The record that a call is about: its id, its number, or for a search and a create the party's name.
fn subject(call: &Call) -> Option<String> {
    let last = call.path.rsplit('/').next()?;
    if last != BETEILIGTE {
        return Some(last.to_owned());
    }
    if let Some(name) = call.query.split('&').find_map(|pair| pair.strip_prefix("name=")) {
        return Some(name.to_owned());
    }
    let body: Value = serde_json::from_str(&call.body).ok()?;
    Some(body["name"].as_str()?.to_owned())
}

fn figures(took: &[Took], seconds: u32) -> Vec<Figure> {
    for kind in KINDS {
        let mine: Vec<&Took> = took.iter().filter(|it| it.kind == kind).collect();
        let own = Sorted::of(mine.iter().map(|it| it.own));
        let line = format!("{kind:?}: {} syncs", mine.len());
        println!("{line:<24} own time p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", own.at(50), own.at(99), own.at(100));
    }
    let own = Sorted::of(took.iter().map(|it| it.own));
    let whole = Sorted::of(took.iter().map(|it| it.since_due));
    let verdict = if own.at(99) < 10.0 { "under" } else { "NOT under" };
    println!(
        "{PACE} a second for {seconds} s: own time p50 {:.2} ms, p99 {:.2} ms ({verdict} 10 ms), most {:.2} ms; from arrival to \
         done p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        own.at(50),
        own.at(99),
        own.at(100),
        whole.at(50),
        whole.at(99),
        whole.at(100)
    );
    let figure = |name: &str, value, goal| Figure::of_product(format!("pace_{name}"), value, "ms", goal);
    vec![
        figure("own_p50", own.at(50), None),
        figure("own_p99", own.at(99), Some(10.0)),
        figure("own_most", own.at(100), None),
        figure("done_p50", whole.at(50), None),
        figure("done_p99", whole.at(99), None),
    ]
}

struct Sorted(Vec<f64>);

impl Sorted {
    fn of(times: impl Iterator<Item = f64>) -> Self {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn at(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last * percent).div_ceil(100)).copied().unwrap_or(f64::NAN)
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// How busy the machine is: other work on it makes the slowest syncs slower.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
