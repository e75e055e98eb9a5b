//! Bad elements beside good ones, and much of it.

use serde_json::json;

use super::support::Home;
use crate::support::redis::Redis;

const UPDATE: &str = "/vmh/webhook/beteiligte/update";

#[test]
fn good_events_do_not_die_with_bad_ones() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let longest = "x".repeat(64);
    let body = json!([
        {"id": "good-1"}, {"id": "bad\u{1}id"}, {"id": "bad\r\nid"}, {"id": "x".repeat(10_000)}, {"id": "x".repeat(65)},
        {"id": longest}, {"id": "a b"}, {"id": "Ü"}, {"id": ""}, {"id": "../x"}, {"id": 5}, {"id": null},
        {"id": {"id": "x"}}, {"name": "no id"}, 7, null, [], "good-2", {"id": "good_2"}, {"id": "good-1"},
    ]);
    let expected =
        r#"{"status":"received","action":"update","new_ids_count":3,"total_ids_in_batch":3,"rejected_count":16}"#;
    ingress.http().post(UPDATE, &body.to_string()).is(200, expected);
    let pending = redis.cli(&["SMEMBERS", "vmh:beteiligte:update_pending"]);
    let mut pending: Vec<_> = pending.lines().collect();
    pending.sort_unstable();
    assert_eq!(pending, ["good-1", "good_2", &longest]);
    let warning = ingress.says("elements of a webhook have no valid id and were left out");
    assert_eq!((&warning["level"], &warning["rejected"]), (&json!("WARN"), &json!(16)));
    let metrics = ingress.http().get("/metrics").body;
    assert!(metrics.contains(r#"advosync_webhook_rejected_elements_total{entity="beteiligte"} 16"#), "{metrics}");
}

#[test]
fn ten_thousand_at_once() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let batch = |from: usize| {
        let all: Vec<_> = (from..from + 10_000).map(|number| json!({"id": format!("id-{number}")})).collect();
        json!(all).to_string()
    };
    let post = |body: &str| ingress.http().post(UPDATE, body);
    post(&batch(0))
        .is(200, r#"{"status":"received","action":"update","new_ids_count":10000,"total_ids_in_batch":10000}"#);
    post(&batch(9_990))
        .is(200, r#"{"status":"received","action":"update","new_ids_count":9990,"total_ids_in_batch":10000}"#);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "19990");
    assert_eq!(redis.cli(&["SCARD", "vmh:beteiligte:update_pending"]), "19990");
}

#[test]
fn depth_costs_nothing() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let post = |body: &str| ingress.http().post(UPDATE, body);
    post(&"[".repeat(500_000)).is_error(400, "not_json");
    post(&r#"{"a":"#.repeat(200_000)).is_error(400, "not_json");
    let nested = format!(r#"[{{"id":"a","deep":{}1{}}}]"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(post(&nested).status, 200);
    assert_eq!(ingress.http().get("/healthz").status, 200);
}

#[test]
fn same_events_at_the_same_time_are_queued_once() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let new = |number: usize| {
        let body = json!([{"id": "same"}, {"id": format!("own-{number}")}]).to_string();
        let answer: serde_json::Value = serde_json::from_str(&ingress.http().post(UPDATE, &body).body).unwrap();
        answer["new_ids_count"].as_u64().unwrap()
    };
    let counted: u64 = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..16).map(|number| scope.spawn(move || new(number))).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    assert_eq!(counted, 17);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "17");
}
