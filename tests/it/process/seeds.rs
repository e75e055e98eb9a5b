//! The calls that the seeds show, as they are printed there.

use advosync_sandbox::{Options, Sandbox, TERMINE};
use serde_json::{Value, json};

use super::support::{Home, until};
use crate::support::redis::Redis;

#[test]
fn seed_002_a_batch_is_taken_once_and_is_seen_in_redis() {
    let redis = Redis::start();
    let ingress = Home::at(&redis);
    let ingress = ingress.ready("ingress");
    let batch = r#"[
  {
    "id": "entity-123",
    "name": "Max Mustermann",
    "createdAt": "2026-02-07T10:00:00Z"
  },
  {
    "id": "entity-456",
    "name": "Maria Schmidt"
  }
]"#;
    let post = |body: &str| ingress.http().post("/vmh/webhook/beteiligte/create", body);
    post(batch).is(200, r#"{"status":"received","action":"create","new_ids_count":2,"total_ids_in_batch":2}"#);
    post(r#"[{"id": "test-123", "name": "Test"}]"#)
        .is(200, r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#);
    post(batch).is(200, r#"{"status":"received","action":"create","new_ids_count":0,"total_ids_in_batch":2}"#);

    let pending = redis.cli(&["SMEMBERS", "vmh:beteiligte:create_pending"]);
    let mut pending: Vec<_> = pending.lines().collect();
    pending.sort_unstable();
    assert_eq!(pending, ["entity-123", "entity-456", "test-123"]);
    assert_eq!(redis.cli(&["TTL", "vmh:beteiligte:create_pending"]), "-1", "no TTL (permanent until processed)");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "3");

    // "Clear Redis (testing)": the jobs stay, and the next webhook adds one more rather than none.
    assert_eq!(redis.cli(&["DEL", "vmh:beteiligte:create_pending"]), "1");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "3");
    post(r#"[{"id": "test-123", "name": "Test"}]"#)
        .is(200, r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "4");
}

#[test]
fn seed_003_a_single_object_at_the_second_address() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    for action in ["create", "update", "delete"] {
        let path = format!("/webhooks/vmh/beteiligte/{action}");
        let answer = ingress.http().post(&path, r#"{"id": "123", "name": "Test Beteiligte"}"#);
        let once = format!(r#"{{"status":"received","action":"{action}","new_ids_count":1,"total_ids_in_batch":1}}"#);
        answer.is(200, &once);
        assert_eq!(redis.cli(&["SMEMBERS", &format!("vmh:beteiligte:{action}_pending")]), "123");
        // Both addresses mean the same queue.
        let again = once.replace("new_ids_count\":1", "new_ids_count\":0");
        ingress.http().post(&format!("/vmh/webhook/beteiligte/{action}"), r#"[{"id":"123"}]"#).is(200, &again);
    }
    let job = redis.cli(&["XRANGE", "jobs:vmh", "-", "+", "COUNT", "1"]);
    assert!(job.contains("topic\nvmh.beteiligte.create\nkey\n123"), "{job}");
}

#[test]
fn seed_000_the_calendar_trigger() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let check = |body: &str, expected: &str| {
        ingress.http().post("/advoware/calendar/sync", body).is(200, expected);
    };
    check(
        r#"{"full_content": true}"#,
        r#"{"status":"triggered","kuerzel":"ALL","message":"Calendar sync triggered for ALL"}"#,
    );
    check(
        r#"{"kuerzel": "SB", "full_content": true}"#,
        r#"{"status":"triggered","kuerzel":"SB","message":"Calendar sync triggered for SB"}"#,
    );
    check(
        r#"{"kuerzel": "SB", "full_content": false}"#,
        r#"{"status":"triggered","kuerzel":"SB","message":"Calendar sync triggered for SB","deduplicated":true}"#,
    );
    check(
        r#"{"kuerzel": "ALL", "full_content": true}"#,
        r#"{"status":"triggered","kuerzel":"ALL","message":"Calendar sync triggered for ALL","deduplicated":true}"#,
    );
    check(
        "",
        r#"{"status":"triggered","kuerzel":"ALL","message":"Calendar sync triggered for ALL","deduplicated":true}"#,
    );
    let jobs = redis.cli(&["XRANGE", "jobs:calendar", "-", "+"]);
    assert_eq!(redis.cli(&["XLEN", "jobs:calendar"]), "2", "{jobs}");
    assert!(jobs.contains("topic\ncalendar_sync_all"), "{jobs}");
    assert!(jobs.contains("topic\ncalendar_sync_employee\nkey\nSB"), "{jobs}");
    // A choice counts although the job was queued already; the later one of a Kürzel wins.
    assert!(redis.cli(&["HGET", "calendar_sync:mode", "SB"]).contains("anonymised"));
    assert!(redis.cli(&["HGET", "calendar_sync:mode", "ALL"]).contains("full"));
}

/// The three calls of its chapter "Testing", with everything behind them.
#[tokio::test(flavor = "multi_thread")]
async fn seed_000_its_examples_fill_the_calendars() {
    let redis = Redis::start();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let people = sandbox.people();
    let day = chrono::Utc::now().date_naive() + chrono::Days::new(3);
    for kuerzel in ["SB", "MH"] {
        let employee = json!({ "kuerzel": kuerzel, "name": "N", "vorname": "V", "aktiv": true });
        people.lawyer_create("Mitarbeiter", &employee).unwrap();
        let title = format!("Verhandlung {kuerzel}");
        let termin = json!({ "datum": day, "text": title, "notiz": "Akte 17/26", "anwalt": kuerzel, "sb": kuerzel });
        people.lawyer_create(TERMINE, &termin).unwrap();
    }
    let shown = |kuerzel: &str| -> Vec<Value> {
        let events = people.google_events(&format!("AW-{kuerzel}"));
        events.iter().map(|event| json!([event["summary"], event.get("description")])).collect()
    };
    let full = |kuerzel: &str| vec![json!([format!("Verhandlung {kuerzel}"), "Akte 17/26"])];

    let home = Home::at(&redis).with_all(sandbox.env()).with("GOOGLE_MIN_INTERVAL", "0s");
    let up = home.ready("up");
    let post = |body: &str, kuerzel: &str| {
        let message = format!("Calendar sync triggered for {kuerzel}");
        let expected = json!({ "status": "triggered", "kuerzel": kuerzel, "message": message }).to_string();
        up.http().post("/advoware/calendar/sync", body).is(200, &expected);
    };
    post(r#"{"full_content": true}"#, "ALL");
    until("both calendars are filled", || shown("SB") == full("SB") && shown("MH") == full("MH"));

    people.lawyer_create(TERMINE, &json!({ "datum": day, "text": "Neu", "anwalt": "SB", "sb": "SB" })).unwrap();
    settled(&redis);
    post(r#"{"kuerzel": "SB", "full_content": true}"#, "SB");
    until("the one calendar has the new one", || shown("SB").len() == 2);

    settled(&redis);
    post(r#"{"kuerzel": "SB", "full_content": false}"#, "SB");
    until("the one calendar shows times only", || shown("SB") == [json!(["blocked", null]), json!(["blocked", null])]);
    assert_eq!(shown("MH"), full("MH"), "a choice for one is none for others");
    settled(&redis);
    assert_eq!(redis.cli(&["XLEN", "jobs:calendar:dead"]), "0");
    assert_eq!(people.advoware_list(TERMINE).len(), 3, "nothing anonymised came back");
    up.stop().with_code(0);
}

/// No calendar job waits or runs, so the next trigger queues one.
fn settled(redis: &Redis) {
    until("no calendar job is left", || {
        redis.cli(&["XLEN", "jobs:calendar"]) == "0" && redis.cli(&["SCARD", "calendar_sync:pending"]) == "0"
    });
}

#[test]
fn what_an_admin_types_at_redis_cli() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    home.run(&["migrate"]).with_code(0);
    let id = redis.cli(&["XADD", "jobs:calendar", "*", "topic", "calendar_sync_employee", "key", "SB"]);
    assert!(id.contains('-'), "{id}");
    assert_eq!(redis.cli(&["XRANGE", "jobs:vmh:dead", "-", "+"]), "");
    assert!(redis.cli(&["XINFO", "GROUPS", "jobs:vmh"]).starts_with("name\nworkers\n"));

    let bury = |key: &str, topic: &str| {
        redis.cli(&["XADD", "jobs:vmh:dead", "*", "topic", topic, "key", key, "attempt", "5", "errors", "[]"])
    };
    let (first, second) = (bury("a", "vmh.beteiligte.create"), bury("b", "vmh.beteiligte.update"));
    bury("c", "vmh.beteiligte.update");
    assert_eq!(redis.cli(&["FCALL", "advosync_discard", "1", "jobs:vmh:dead", &first]), "1");
    assert_eq!(redis.cli(&["FCALL", "advosync_discard", "1", "jobs:vmh:dead", &first]), "0");
    assert_eq!(redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", &second]), "1");
    assert!(
        redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", &second]).contains("no dead letter")
    );
    let topic = ["topic", "vmh.beteiligte.update"];
    assert_eq!(redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", topic[0], topic[1]]), "1");
    bury("d", "vmh.beteiligte.delete");
    assert_eq!(
        redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", "since", "9999999999999"]),
        "0"
    );
    assert_eq!(redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", "since", "0"]), "1");
    bury("e", "vmh.beteiligte.delete");
    let pending = ["jobs:vmh:dead", "jobs:vmh", "vmh:beteiligte:delete_pending", "all"];
    assert_eq!(redis.cli(&[&["FCALL", "advosync_replay", "3"], &pending[..]].concat()), "1");
    assert_eq!(redis.cli(&["SMEMBERS", "vmh:beteiligte:delete_pending"]), "e");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:dead"]), "0");
    let jobs = redis.cli(&["XRANGE", "jobs:vmh", "-", "+"]);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "4", "{jobs}");
    assert!(!jobs.contains("attempt"), "a replay starts at its first attempt: {jobs}");

    let stats = redis.cli(&["FCALL_RO", "advosync_stats", "2", "jobs:vmh", "jobs:vmh:dead"]);
    assert!(stats.starts_with("jobs:vmh\nstream\n4\n0\n"), "{stats}");
    assert!(stats.contains("jobs:vmh:dead\nstream\n0\n0\n-1"), "{stats}");
}
