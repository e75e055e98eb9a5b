//! `dead`: list, show, replay and discard, in both flows.

use advosync::queue::{Flow, RecordAction, Topic};
use serde_json::json;

use super::{Person, bury, ready, update};
use crate::support::redis::Redis;

#[tokio::test]
async fn letters_are_listed_newest_first_and_shown_whole() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let person = Person::at(&redis);
    let none = person.good(&["dead", "list"]).await;
    assert_eq!((none.stdout.as_str(), none.stderr.contains("no dead letters")), ("", true));
    assert_eq!(person.good(&["dead", "list", "--json"]).await.json(), json!([]));

    let record = bury(&queue, &update(), "abc", "field x is refused\nsecond line").await;
    let calendar = bury(&queue, &Topic::CalendarEmployee, "SB", "no such calendar").await;
    let list = person.good(&["dead", "list"]).await.stdout;
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[1].starts_with(&calendar) && lines[2].starts_with(&record), "{list}");
    assert!(lines[2].ends_with("validation: field x is refused") && lines.len() == 3, "{list}");
    let json = person.good(&["dead", "list", "--json", "--flow", "vmh"]).await.json();
    assert_eq!(json.as_array().unwrap().len(), 1);
    for (name, value) in [
        ("id", json!(record)),
        ("flow", json!("vmh")),
        ("topic", json!("vmh.beteiligte.update")),
        ("key", json!("abc")),
        ("attempts", json!(1)),
        ("code", json!("validation")),
        ("error", json!("field x is refused\nsecond line")),
        ("resolved", json!(false)),
    ] {
        assert_eq!(json[0][name], value, "{name}");
    }
    let shown = person.good(&["dead", "show", &record]).await.stdout;
    assert!(shown.contains("attempt 1 at") && shown.contains("second line") && shown.contains("tester"), "{shown}");
    assert_eq!(person.good(&["dead", "show", &record, "--json"]).await.json()["errors"][0]["code"], "validation");
}

#[tokio::test]
async fn an_unknown_id_stops_everything() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let id = bury(&queue, &update(), "abc", "no").await;
    let person = Person::at(&redis);
    for words in [
        &["dead", "replay", &id, "1-1"][..],
        &["dead", "discard", &id, "1-1"],
        &["dead", "show", "1-1"],
        &["dead", "replay", "--flow", "calendar", &id],
    ] {
        let ran = person.bad(words).await;
        assert!(ran.stderr.contains("there is no dead letter"), "{ran:?}");
    }
    let ran = person.bad(&["dead", "replay", &id, "everything"]).await;
    assert!(ran.stderr.contains("is no id"), "{ran:?}");
    assert_eq!((ready(&queue, Flow::Vmh).await, queue.dead_letters(Flow::Vmh, 9).await.unwrap().len()), (0, 1));
}

#[tokio::test]
async fn letters_are_replayed_by_id_topic_time_or_all_at_once() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let person = Person::at(&redis);
    let create = Topic::record("beteiligte", RecordAction::Create);
    let one = bury(&queue, &update(), "one", "no").await;
    bury(&queue, &create, "two", "no").await;
    bury(&queue, &Topic::CalendarEmployee, "SB", "no").await;

    assert_eq!(person.good(&["dead", "replay", &one, &one]).await.stdout, "1 replayed\n");
    assert_eq!(person.good(&["dead", "replay", "--topic", "vmh.beteiligte.create"]).await.stdout, "1 replayed\n");
    assert_eq!(person.good(&["dead", "replay", "--since", "0s"]).await.stdout, "0 replayed\n");
    assert_eq!(person.good(&["dead", "replay", "--all", "--flow", "vmh"]).await.stdout, "0 replayed\n");
    assert_eq!(person.good(&["dead", "replay", "--since", "1h", "--json"]).await.json(), json!({"replayed": 1}));
    assert_eq!((ready(&queue, Flow::Vmh).await, ready(&queue, Flow::Calendar).await), (2, 1));
}

#[tokio::test]
async fn letters_are_replayed_from_one_id_to_another() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let person = Person::at(&redis);
    let mut ids = Vec::new();
    for key in ["a", "b", "c", "d", "e"] {
        ids.push(bury(&queue, &update(), key, "no").await);
    }
    let calendar = bury(&queue, &Topic::CalendarEmployee, "SB", "no such calendar").await;
    let replay = async |words: &[&str]| person.good(&[&["dead", "replay"], words].concat()).await.stdout;
    for words in [["--from", &ids[1], "--to", &ids[0]], ["--from", "soon", "--to", &ids[0]]] {
        let ran = person.bad(&[&["dead", "replay"], &words[..]].concat()).await;
        assert!(ran.stderr.contains("the older id comes first") || ran.stderr.contains("is no id"), "{ran:?}");
    }
    assert_eq!(replay(&["--from", &ids[1], "--to", &ids[2]]).await, "2 replayed\n");
    assert_eq!(replay(&["--to", &ids[2]]).await, "1 replayed\n");
    assert_eq!(replay(&["--from", &ids[4], "--flow", "vmh"]).await, "1 replayed\n");
    // an id is a time: what died then in the other flow is meant as well, unless it is left out
    assert_eq!(replay(&["--from", &ids[0]]).await, "2 replayed\n");
    assert!(ids[0] < calendar);
    assert_eq!((ready(&queue, Flow::Vmh).await, ready(&queue, Flow::Calendar).await), (5, 1));
}

#[tokio::test]
async fn letters_that_stay_are_told_however_they_were_chosen() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let person = Person::at(&redis);
    let (one, _) = (bury(&queue, &update(), "a", "no").await, bury(&queue, &update(), "a", "no").await);
    redis.cli(&["XADD", "jobs:vmh:dead", "*", "nonsense", "x"]);
    let ran = person.good(&["dead", "replay", "--all"]).await;
    assert_eq!(ran.stdout, "1 replayed\n");
    assert!(ran.stderr.contains("1 stay") && ran.stderr.contains("1 cannot be replayed"), "{ran:?}");
    let ran = person.good(&["dead", "replay", "--from", &one]).await;
    assert!(ran.stdout == "0 replayed\n" && ran.stderr.contains("1 stay"), "{ran:?}");
}

#[tokio::test]
async fn letters_are_discarded_for_good() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let person = Person::at(&redis);
    let one = bury(&queue, &update(), "one", "no").await;
    let other = bury(&queue, &Topic::CalendarEmployee, "SB", "no").await;
    assert_eq!(person.good(&["dead", "discard", &one, &other]).await.stdout, "2 discarded\n");
    assert_eq!(person.good(&["dead", "list", "--json"]).await.json(), json!([]));
    assert_eq!(ready(&queue, Flow::Vmh).await, 0);
}

#[tokio::test]
async fn what_is_no_job_cannot_be_replayed() {
    let redis = Redis::start();
    redis.prepared().await;
    let id = redis.cli(&["XADD", "jobs:vmh:dead", "*", "nonsense", "x"]);
    let ran = Person::at(&redis).run(&["dead", "replay", &id]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "0 replayed\n"), "{ran:?}");
    assert!(ran.stderr.contains("cannot be replayed"), "{ran:?}");
}

#[tokio::test]
async fn an_id_of_both_flows_needs_the_flow() {
    let redis = Redis::start();
    redis.prepared().await;
    for stream in ["jobs:vmh:dead", "jobs:calendar:dead"] {
        redis.cli(&["XADD", stream, "5-5", "topic", "calendar_sync_employee", "key", "SB"]);
    }
    let person = Person::at(&redis);
    let ran = person.bad(&["dead", "discard", "5-5"]).await;
    assert!(ran.stderr.contains("--flow"), "{ran:?}");
    assert_eq!(person.good(&["dead", "discard", "5-5", "--flow", "vmh"]).await.stdout, "1 discarded\n");
}
