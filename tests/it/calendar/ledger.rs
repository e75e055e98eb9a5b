//! What is remembered of a calendar, on a real Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use advosync::queue::Queue;
use advosync::sync::calendar::Record;
use advosync::sync::calendar::kept::Kept;
use advosync::sync::calendar::pair::{Held, Intent, Original, Pair, Prints, Tie};
use advosync::sync::calendar::scope::Multiday;
use advosync::sync::ledger::calendar::{CalendarLedger, Changes, Channel, Known, State, Written};
use chrono::Utc;
use serde_json::json;

use crate::support::redis::Redis;

const LOCK: &str = "calendar_sync:lock:SB";
const MULTIDAY: Multiday = Multiday::AllDay;
const OURS: (&str, &str) = (LOCK, "7:worker");

/// A Redis whose calendar's lock is ours, and the ledger of that calendar.
async fn desk() -> (Redis, Queue, CalendarLedger) {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["SET", OURS.0, OURS.1]);
    let ledger = CalendarLedger::new(queue.store(), "SB");
    (redis, queue, ledger)
}

fn event(id: &str) -> Record {
    let event = json!({ "id": id, "summary": "Müller ./. Schmidt 😀", "unknown": { "kept": [1, null] } });
    event.as_object().unwrap().clone()
}

fn kept(event: &Record) -> Kept {
    Kept::of(event, MULTIDAY)
}

fn pair(number: i64) -> Pair {
    Pair {
        number,
        generation: 1,
        anonymised: true,
        advoware: Prints([0, 1, 2, 3, u64::MAX]),
        google: Prints([4; 5]),
        first: "2026-12-01".parse().unwrap(),
        last: None,
    }
}

fn instance() -> Tie {
    Tie::Instance { series: "abc".into(), original: Original::Instant("2026-12-01T09:00:00Z".parse().unwrap()) }
}

/// One of everything.
fn all() -> Known {
    let state = State {
        found: true,
        calendar: Some("sb@group".into()),
        sync_token: Some("token==".into()),
        creating_since: Some("2026-12-01T09:00:00Z".parse().unwrap()),
        shared_with: Some("kanzlei@example.com".into()),
        channel: Some(Channel {
            id: "channel".into(),
            resource_id: "resource".into(),
            expires: "2026-12-08T09:00:00Z".parse().unwrap(),
            opened_with: "digest".into(),
        }),
    };
    let at = "2026-12-01T09:00:00Z".parse().unwrap();
    let intent = Intent { at, body: event("17"), known: vec![1, 2], tries: 1 };
    Known {
        state,
        mirror: BTreeMap::from([("a".into(), kept(&event("a"))), ("b".into(), kept(&event("b")))]),
        pairs: BTreeMap::from([(Tie::Event("a".into()), pair(17)), (instance(), pair(-3))]),
        intents: BTreeMap::from([("b".into(), intent)]),
        held: BTreeMap::from([("abc".into(), Held { reason: "orphan".into(), prints: Some(Prints([9; 5])) })]),
    }
}

fn changes(known: &Known) -> Changes {
    let mut changes = Changes::default();
    changes.state(&known.state);
    known.mirror.iter().for_each(|(id, event)| _ = changes.mirror(id, event));
    known.pairs.iter().for_each(|(tie, pair)| _ = changes.pair(tie, pair));
    known.intents.iter().for_each(|(name, intent)| _ = changes.intend(name, intent));
    known.held.iter().for_each(|(name, held)| _ = changes.hold(name, held));
    changes
}

#[tokio::test]
async fn what_is_stored_is_read_back_and_belongs_to_one_kuerzel() {
    let (_redis, queue, ledger) = desk().await;
    assert_eq!(ledger.read(MULTIDAY).await.unwrap(), Known::default());
    assert_eq!(ledger.write(OURS, &changes(&all())).await.unwrap(), Written::Stored);
    assert_eq!(ledger.read(MULTIDAY).await.unwrap(), all());
    let another = CalendarLedger::new(queue.store(), "AB");
    assert_eq!(another.read(MULTIDAY).await.unwrap(), Known::default());
}

#[tokio::test]
async fn changes_are_made_in_their_order_and_twice_is_as_once() {
    let (_redis, _queue, ledger) = desk().await;
    ledger.write(OURS, &changes(&all())).await.unwrap();
    let mut next = Changes::default();
    assert!(next.is_empty());
    next.clear_mirror().mirror("c", &kept(&event("c"))).mirror("d", &kept(&event("d"))).unmirror("d");
    next.clear_pairs().pair(&instance(), &pair(4)).withdraw("b").release("abc").unpair(&Tie::Event("never".into()));
    let expected = Known {
        mirror: BTreeMap::from([("c".into(), kept(&event("c")))]),
        pairs: BTreeMap::from([(instance(), pair(4))]),
        intents: BTreeMap::new(),
        held: BTreeMap::new(),
        ..all()
    };
    for _ in 0..2 {
        assert_eq!(ledger.write(OURS, &next).await.unwrap(), Written::Stored);
        assert_eq!(ledger.read(MULTIDAY).await.unwrap(), expected);
    }
    let mut unpaired = Changes::default();
    unpaired.unpair(&instance());
    ledger.write(OURS, &unpaired).await.unwrap();
    assert_eq!(ledger.read(MULTIDAY).await.unwrap().pairs, BTreeMap::new());
}

#[tokio::test]
async fn a_run_that_lost_its_lock_changes_nothing() {
    let (redis, _queue, ledger) = desk().await;
    ledger.write(OURS, &changes(&all())).await.unwrap();
    let mut next = Changes::default();
    next.clear_mirror().clear_pairs().state(&State::default());
    for lost in [&["SET", LOCK, "8:another"][..], &["DEL", LOCK]] {
        redis.cli(lost);
        assert_eq!(ledger.write(OURS, &next).await.unwrap(), Written::Fenced);
        assert_eq!(ledger.read(MULTIDAY).await.unwrap(), all());
    }
}

#[tokio::test]
async fn a_large_calendar_is_one_call_and_nothing_of_it_is_missed() {
    let (redis, _queue, ledger) = desk().await;
    let mut large = Changes::default();
    let note = "ö".repeat(500);
    for number in 0..10_000 {
        let mut event = event(&format!("adv{number}"));
        event.insert("description".into(), json!(note));
        large.mirror(&format!("adv{number}"), &kept(&event)).pair(&Tie::Event(format!("adv{number}")), &pair(number));
    }
    assert_eq!(ledger.write(OURS, &large).await.unwrap(), Written::Stored);
    let known = ledger.read(MULTIDAY).await.unwrap();
    assert_eq!((known.mirror.len(), known.pairs.len()), (10_000, 10_000));
    assert_eq!(known.mirror["adv9999"].record()["description"], json!(note));
    assert_eq!(known.pairs[&Tie::Event("adv9999".into())], pair(9_999));
    assert_eq!(redis.cli(&["HLEN", "jobs:calendar:progress"]), "1", "the run is on its way");
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_stops_everything_and_names_the_remedy() {
    let (redis, _queue, ledger) = desk().await;
    for (part, field, text, remedy) in [
        ("state", "state", "[", "made anew from Google"),
        ("mirror", "b", "[]", "made anew from Google"),
        ("pairs", "a", "{}", "HDEL"),
        ("pairs", "a yesterday", &serde_json::to_string(&pair(1)).unwrap(), "HDEL"),
        ("intents", "x", "{}", "Advoware has that Termin"),
        ("held", "x", "17", "decided anew"),
    ] {
        let key = format!("ledger:calendar:SB:{part}");
        redis.cli(&["DEL", &key]);
        ledger.write(OURS, &changes(&all())).await.unwrap();
        redis.cli(&["HSET", &key, field, text]);
        let error = ledger.read(MULTIDAY).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{key} {field} ")) && error.contains(remedy), "{error}");
        redis.cli(&["DEL", &key]);
    }
}

#[tokio::test]
async fn a_redis_that_an_older_program_set_up_gets_the_functions() {
    let (redis, queue, ledger) = desk().await;
    redis.cli(&["FUNCTION", "DELETE", "advosync_3_calendar"]);
    assert_eq!(ledger.write(OURS, &changes(&all())).await.unwrap(), Written::Stored, "on the way,");
    assert_eq!(ledger.read(MULTIDAY).await.unwrap(), all());
    redis.cli(&["FUNCTION", "DELETE", "advosync_3_calendar"]);
    redis.cli(&["HSET", "advosync:layout", "code", "older"]);
    queue.prepare(Utc::now()).await.unwrap();
    let there = redis.cli(&["FUNCTION", "LIST", "LIBRARYNAME", "advosync_3_calendar"]);
    assert!(there.contains("advosync_3_calendar_write"), "and when a role starts: {there}");
}

#[tokio::test]
async fn a_shared_termin_is_written_by_one_at_a_time() {
    let (redis, queue, sb) = desk().await;
    let ab = CalendarLedger::new(queue.store(), "AB");
    let long = Duration::from_mins(1);
    let lock = sb.try_lock(17, "SB", long).await.unwrap().unwrap();
    assert!(ab.try_lock(17, "AB", long).await.unwrap().is_none());
    assert!(sb.try_lock(17, "SB", long).await.unwrap().is_none(), "not even the same owner takes it twice");
    let other = ab.try_lock(18, "AB", long).await.unwrap().unwrap();
    assert!(redis.cli(&["GET", "calendar_sync:termin_lock:17"]).starts_with("SB "));
    assert!(lock.release().await.unwrap() && other.release().await.unwrap());

    let stale = ab.try_lock(17, "AB", Duration::from_millis(1)).await.unwrap().unwrap();
    while redis.cli(&["EXISTS", "calendar_sync:termin_lock:17"]) == "1" {}
    let next = sb.try_lock(17, "SB", long).await.unwrap().unwrap();
    assert!(!stale.release().await.unwrap(), "it had ended");
    assert!(redis.cli(&["GET", "calendar_sync:termin_lock:17"]).starts_with("SB "), "the successor's stays");
    assert!(next.release().await.unwrap());
    assert_eq!(redis.cli(&["KEYS", "calendar_sync:termin_lock:*"]), "");
}
