//! What is really there: read from Redis after each step, as a person at redis-cli would, and held against the model.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use advosync::queue::{DeadLetter, Flow, Lane, Queue, RecordAction};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use redis::aio::MultiplexedConnection;

use super::again;
use super::ops::{ACTIONS, KEYS, WORDS};
use super::reference::{Entry, Kind, Letter, Model, Place};

pub(super) type Checked<T = ()> = Result<T, TestCaseError>;

/// An entry that was given to a worker, as XPENDING shows it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) worker: String,
    pub(super) idle: Duration,
}

/// What XRANGE answers.
type Entries = Vec<(String, HashMap<String, String>)>;
/// What XPENDING answers: id, worker, ms since it was delivered or renewed, deliveries.
type Givens = Vec<(String, String, u64, u64)>;

/// What XRANGE answers where a field's name may stand more than once.
type Told = Vec<(String, Vec<(String, String)>)>;
/// What a pipeline answers, one after the other.
type Answers = std::vec::IntoIter<redis::Value>;

fn answer<T: redis::FromRedisValue>(answers: &mut Answers) -> T {
    redis::from_redis_value(answers.next().unwrap()).unwrap()
}

/// Both streams with their pending lists; each id with its lane.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) entries: BTreeMap<(Lane, Id), HashMap<String, String>>,
    pub(super) given: BTreeMap<(Lane, Id), Given>,
}

/// An entry's id, in the order of its stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u64, u64);

impl Id {
    pub(super) fn of(text: &str) -> Self {
        let (ms, number) = text.split_once('-').unwrap();
        Self(ms.parse().unwrap(), number.parse().unwrap())
    }
}

pub(super) const fn stream(lane: Lane) -> &'static str {
    match lane {
        Lane::First => "jobs:vmh",
        Lane::Sweep => "jobs:vmh:sweep",
    }
}

pub(super) fn lock(key: &str) -> String {
    format!("sync_lock:beteiligte:{key}")
}

pub(super) fn pending_set(action: RecordAction, lane: Lane) -> String {
    let tail = if lane == Lane::Sweep { ":sweep" } else { "" };
    format!("vmh:beteiligte:{}_pending{tail}", action.name())
}

impl Streams {
    pub(super) async fn read(raw: &mut MultiplexedConnection) -> Self {
        let mut pipe = redis::pipe();
        Self::ask(&mut pipe);
        Self::read_from(&mut pipe.query_async::<Vec<redis::Value>>(raw).await.unwrap().into_iter())
    }

    fn ask(pipe: &mut redis::Pipeline) {
        for lane in Lane::ALL {
            pipe.cmd("XRANGE").arg(stream(lane)).arg("-").arg("+");
            pipe.cmd("XPENDING").arg(stream(lane)).arg("workers").arg("-").arg("+").arg(10_000);
        }
    }

    fn read_from(answers: &mut Answers) -> Self {
        let mut streams = Self::default();
        for lane in Lane::ALL {
            let (entries, given) = (answer(answers), answer(answers));
            streams.add(lane, entries, given);
        }
        streams
    }

    fn add(&mut self, lane: Lane, entries: Entries, given: Givens) {
        self.entries.extend(entries.into_iter().map(|(id, fields)| ((lane, Id::of(&id)), fields)));
        let given = given
            .into_iter()
            .map(|(id, worker, idle, _)| ((lane, Id::of(&id)), Given { worker, idle: Duration::from_millis(idle) }));
        self.given.extend(given);
    }
}

/// Each key with what it holds: a stream and a string as Redis would dump them, others in an order of their own.
pub(super) type Everything = BTreeMap<String, Vec<Vec<u8>>>;

/// Everything that is in Redis but the times to live, for what must change nothing.
pub(super) async fn everything(raw: &mut MultiplexedConnection) -> Everything {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(raw).await.unwrap();
    let (mut types, mut values) = (redis::pipe(), redis::pipe());
    for key in &keys {
        types.cmd("TYPE").arg(key);
    }
    let types: Vec<String> = types.query_async(raw).await.unwrap();
    for (key, kind) in keys.iter().zip(&types) {
        match kind.as_str() {
            "set" => values.cmd("SMEMBERS").arg(key),
            "hash" => values.cmd("HGETALL").arg(key),
            "zset" => values.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
            _ => values.cmd("DUMP").arg(key),
        };
    }
    let values: Vec<redis::Value> = values.query_async(raw).await.unwrap();
    let mut all = Everything::new();
    for ((key, kind), value) in keys.into_iter().zip(types).zip(values) {
        let mut parts: Vec<Vec<u8>> = match value {
            redis::Value::BulkString(dump) => vec![dump],
            other => redis::from_redis_value(other).unwrap(),
        };
        if kind == "hash" {
            parts = parts.chunks(2).map(<[_]>::concat).collect();
        }
        // The members of a set come in an order that looking at them changes.
        parts.sort_unstable();
        all.insert(key, parts);
    }
    all
}

/// Which keys differ.
pub(super) fn changed(before: &Everything, after: &Everything) -> Vec<String> {
    let keys: HashSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

/// Holds all of Redis against the model, and learns the ids of what is new.
pub(super) async fn compare(queue: &Queue, raw: &mut MultiplexedConnection, model: &mut Model) -> Checked<Streams> {
    let mut pipe = redis::pipe();
    Streams::ask(&mut pipe);
    pipe.cmd("MGET").arg(KEYS.map(lock).as_slice());
    for (action, lane) in sets() {
        pipe.cmd("SMEMBERS").arg(pending_set(action, lane));
    }
    pipe.cmd("ZCARD").arg("jobs:vmh:scheduled").cmd("HLEN").arg("jobs:vmh:parked");
    let after = model.last_done.as_ref().map_or("-".to_owned(), |last| format!("({last}"));
    pipe.cmd("XRANGE").arg("jobs:vmh:done").arg(after).arg("+");
    pipe.cmd("XRANGE").arg("jobs:vmh:dead").arg("-").arg("+").cmd("HKEYS").arg("jobs:vmh:dead:resolved");
    let mut answers = pipe.query_async::<Vec<redis::Value>>(raw).await.unwrap().into_iter();
    let streams = Streams::read_from(&mut answers);
    entries(&streams, model)?;
    locks(answer(&mut answers), model)?;
    pending(sets().map(|_| answer(&mut answers)).collect(), model)?;
    let waiting = model.scheduled.values().filter(|job| job.waiting).count();
    let found: [usize; 2] = std::array::from_fn(|_| answer(&mut answers));
    prop_assert_eq!(found, [waiting, model.parked.len()], "scheduled, parked");
    done(&answer::<Told>(&mut answers), model)?;
    let (dead, resolved): (Entries, HashSet<String>) = (answer(&mut answers), answer(&mut answers));
    prop_assert!(resolved.iter().all(|id| dead.iter().any(|(dead, _)| dead == id)), "resolved, and not there");
    let learned: Vec<(&str, bool)> = dead.iter().map(|(id, _)| (id.as_str(), resolved.contains(id))).collect();
    let known: Vec<(&str, bool)> =
        model.letters.iter().map(|letter| (letter.id.as_deref().unwrap_or_default(), letter.resolved)).collect();
    if learned != known {
        letters(queue, model).await?;
    }
    prop_assert!(model.lost().is_none(), "a change of {:?} is followed by no run that begins later", model.lost());
    Ok(streams)
}

/// Each run that ended well since the last look is told once; what ended together is one entry.
fn done(new: &Told, model: &mut Model) -> Checked {
    let runs = new.iter().flat_map(|(_, fields)| fields).filter(|(name, _)| name == "run").count();
    prop_assert_eq!(runs, std::mem::take(&mut model.done), "finished runs that are told");
    if let Some((id, _)) = new.last() {
        model.last_done = Some(id.clone());
    }
    Ok(())
}

/// What `status` would show.
pub(super) async fn status(queue: &Queue, model: &Model) -> Checked {
    let stats = again(async || queue.stats(chrono::Utc::now()).await).await?.flows["vmh"];
    let given = model.entries.iter().filter(|entry| entry.place != Place::Ready).count();
    let places = |numbers: [u64; 6]| {
        let [ready, sweep, running, scheduled, parked, dead] = numbers;
        format!("ready {ready}, sweep {sweep}, running {running}, scheduled {scheduled}, parked {parked}, dead {dead}")
    };
    let expected = [
        model.ready(Lane::First),
        model.ready(Lane::Sweep),
        given,
        model.scheduled.values().filter(|job| job.waiting).count(),
        model.parked.len(),
        model.letters.iter().filter(|letter| !letter.resolved).count(),
    ];
    let found = [stats.ready, stats.sweep, stats.running, stats.scheduled, stats.parked, stats.dead];
    prop_assert_eq!(places(found), places(expected.map(|n| n as u64)), "the numbers of status");
    Ok(())
}

/// Each entry of the model is in its stream, and nothing else is.
fn entries(streams: &Streams, model: &mut Model) -> Checked {
    let mut unknown: Vec<_> = streams.entries.keys().collect();
    for entry in &model.entries {
        let Some(id) = &entry.id else { continue };
        let at = (entry.job.kind.lane, Id::of(id));
        prop_assert!(streams.entries.contains_key(&at), "{} ({id}) is no longer in its stream: lost", entry.job.kind);
        unknown.retain(|other| **other != at);
    }
    for entry in model.entries.iter_mut().filter(|entry| entry.id.is_none()) {
        let is_it = |at: &&&(Lane, Id)| at.0 == entry.job.kind.lane && fits(entry, &streams.entries[**at]);
        let Some(at) = unknown.iter().find(is_it).copied() else {
            return Err(TestCaseError::fail(format!("{} did not come to its stream: lost", entry.job.kind)));
        };
        entry.id = Some(format!("{}-{}", at.1.0, at.1.1));
        unknown.retain(|other| *other != at);
    }
    let surplus: Vec<_> = unknown.iter().map(|at| &streams.entries[*at]).collect();
    prop_assert!(surplus.is_empty(), "in a stream, and nobody asked for it: {surplus:?}");
    model.entries.sort_by_key(|entry| (entry.job.kind.lane, entry.id.as_deref().map(Id::of)));
    for entry in &model.entries {
        let at = (entry.job.kind.lane, Id::of(entry.id.as_deref().unwrap_or("0-0")));
        let given = streams.given.get(&at).map(|given| given.worker.as_str());
        let expected = match &entry.place {
            Place::Ready => None,
            Place::Given { worker, .. } => Some(worker.as_str()),
        };
        prop_assert_eq!(given, expected, "whose {} is", entry.job.kind);
    }
    prop_assert_eq!(streams.given.keys().find(|at| !streams.entries.contains_key(at)), None, "pending, yet deleted");
    Ok(())
}

fn fits(entry: &Entry, fields: &HashMap<String, String>) -> bool {
    let attempt = fields.get("attempt").map_or(Ok(0), |text| text.parse());
    fields.get("topic") == Some(&entry.job.kind.topic().to_string())
        && fields.get("key").map(String::as_str) == Some(entry.job.kind.key)
        && fields.get("payload") == entry.job.kind.payload().as_ref()
        && attempt.is_ok_and(|failures| entry.job.failures.holds(failures))
}

/// A lock is held exactly as long as the lease of its run is live.
fn locks(found: Vec<Option<String>>, model: &Model) -> Checked {
    for (key, value) in KEYS.iter().zip(found) {
        let lease = value.as_deref().and_then(lease_number);
        prop_assert_eq!(lease, model.runs.get(key).map(|run| run.lease), "the lock of {}", key);
    }
    Ok(())
}

/// The lease number in a lock's value.
pub(super) fn lease_number(value: &str) -> Option<u64> {
    value.split_once(':')?.0.parse().ok()
}

/// The pending sets that the sequences use.
fn sets() -> impl Iterator<Item = (RecordAction, Lane)> {
    ACTIONS.into_iter().flat_map(|action| Lane::ALL.map(|lane| (action, lane)))
}

/// What stands in the pending set for a job.
fn member(kind: Kind) -> String {
    kind.payload().map_or_else(|| kind.key.to_owned(), |payload| format!("{} {payload}", kind.key))
}

/// What is pending waits: else a later webhook would be swallowed. What must be coalesced is pending.
fn pending(found: Vec<HashSet<String>>, model: &mut Model) -> Checked {
    model.seen_pending.clear();
    for ((action, lane), found) in sets().zip(found) {
        for (key, words) in KEYS.iter().flat_map(|key| WORDS.map(|words| (*key, words))) {
            let kind = Kind { action, key, lane, words };
            let is_pending = found.contains(&member(kind));
            prop_assert!(
                !is_pending || model.waits(kind),
                "{kind} is pending and waits nowhere: the next is swallowed"
            );
            prop_assert!(is_pending || !model.pending.contains(&kind), "{kind} waits and is not pending: doubles");
            if is_pending {
                model.seen_pending.insert(kind);
            }
        }
        let known = model.seen_pending.iter().filter(|kind| (kind.action, kind.lane) == (action, lane)).count();
        prop_assert_eq!(found.len(), known, "pending, and nobody asked for it: {:?}", found);
    }
    Ok(())
}

/// Each dead letter of the model is there, whole, and no other.
async fn letters(queue: &Queue, model: &mut Model) -> Checked {
    let mut found = again(async || queue.dead_letters(Flow::Vmh, 10_000).await).await?;
    // Those with an id first: what is left over then is new.
    model.letters.sort_by_key(|letter| letter.id.is_none());
    for letter in &mut model.letters {
        let Some(at) = found.iter().position(|there| is_letter(letter, there)) else {
            return Err(TestCaseError::fail(format!("the dead letter of {} is gone", letter.job.kind)));
        };
        let there = found.swap_remove(at);
        prop_assert_eq!(there.resolved, letter.resolved, "whether the letter of {} is resolved", letter.job.kind);
        prop_assert_eq!(there.errors.len(), letter.errors, "errors on the letter of {}", letter.job.kind);
        letter.id = Some(there.id);
    }
    prop_assert!(found.is_empty(), "dead, and nobody buried it: {found:?}");
    model.letters.sort_by_key(|letter| letter.id.as_deref().map(Id::of));
    Ok(())
}

fn is_letter(letter: &Letter, there: &DeadLetter) -> bool {
    let kind = letter.job.kind;
    letter.id.as_ref().is_none_or(|id| *id == there.id)
        && there.topic.as_deref() == Some(&kind.topic().to_string())
        && there.key.as_deref() == Some(kind.key)
        && there.fields.get("lane").map(String::as_str) == Some(kind.lane.name())
        && there.fields.get("payload") == kind.payload().as_ref()
}
