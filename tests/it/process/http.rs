//! Every row of the HTTP table, and the form of every error.

use super::support::{Home, Http};
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";
const TRIGGER: &str = "/advoware/calendar/sync";

#[test]
fn what_monitors_ask() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let http = ingress.http();
    http.get("/healthz").is(200, r#"{"status":"ok"}"#);
    http.get("/readyz").is(200, r#"{"status":"ready"}"#);
    http.post(WEBHOOK, r#"[{"id":"a"}]"#);
    let metrics = http.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.headers["content-type"].starts_with("text/plain"));
    for line in metrics.body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    let counted =
        r#"advosync_http_requests_total{method="POST",route="/vmh/webhook/{entity}/{action}",status="200"} 1"#;
    assert!(metrics.body.contains(counted), "{}", metrics.body);
    for path in ["/healthz", "/readyz", "/metrics"] {
        http.send("POST", path, &[], b"").is_error(405, "method_not_allowed");
    }
}

#[test]
fn what_is_not_there_and_what_is_not_allowed() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let http = ingress.http();
    let check = |method: &str, path: &str, status: u16, code: &str| {
        http.send(method, path, &[], b"[]").is_error(status, code);
    };
    check("POST", "/vmh/webhook/unbekannt/create", 404, "unknown_webhook");
    check("POST", "/webhooks/vmh/unbekannt/create", 404, "unknown_webhook");
    check("POST", "/vmh/webhook/beteiligte/sync_check", 404, "unknown_webhook");
    check("POST", "/vmh/webhook/beteiligte/sweep", 404, "unknown_webhook");
    check("POST", "/vmh/webhook/Beteiligte/create", 404, "unknown_webhook");
    check("POST", "/vmh/webhook/beteiligte", 404, "not_found");
    check("POST", "/vmh/webhook/beteiligte/create/more", 404, "not_found");
    check("POST", "/", 404, "not_found");
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        check(method, WEBHOOK, 405, "method_not_allowed");
        check(method, TRIGGER, 405, "method_not_allowed");
    }
    check("GET", "/google/calendar/notify", 405, "method_not_allowed");
    // Nobody has told a channel token, so whatever comes is a stranger's.
    check("POST", "/google/calendar/notify?kuerzel=SB", 401, "channel_token");
    let given = [("X-Goog-Channel-Token", ""), ("X-Goog-Resource-State", "exists")];
    http.send("POST", "/google/calendar/notify?kuerzel=SB", &given, b"").is_error(401, "channel_token");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "0");
    assert_eq!(redis.cli(&["XLEN", "jobs:calendar"]), "0");
}

#[test]
fn bodies_that_can_never_be_accepted() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let check = |body: &str, code: &str| ingress.http().post(WEBHOOK, body).is_error(400, code);
    check("", "not_json");
    check("[", "not_json");
    check(r#"[{"id":"a"}"#, "not_json");
    check(r#"[{"id":"a"}] trailing"#, "not_json");
    check("id=a", "not_json");
    check("<html>", "not_json");
    check("\"a\"", "not_an_array");
    check("17", "not_an_array");
    check("null", "not_an_array");
    check("true", "not_an_array");
    check("{}", "no_valid_id");
    check("[{}]", "no_valid_id");
    check(r#"[{"id":5},{"id":null},{"id":""},"a",["id"]]"#, "no_valid_id");
    check(r#"{"ID":"a"}"#, "no_valid_id");
    ingress.http().send("POST", WEBHOOK, &[], b"[{\"id\":\"a\xff\"}]").is_error(400, "not_json");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "0");
    let nothing = r#"{"status":"received","action":"create","new_ids_count":0,"total_ids_in_batch":0}"#;
    ingress.http().post(WEBHOOK, "[]").is(200, nothing);
    ingress.http().post(WEBHOOK, " [ ] \n").is(200, nothing);
}

#[test]
fn the_content_type_is_not_policed() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    for (number, kind) in ["text/plain", "application/x-www-form-urlencoded", "nonsense"].iter().enumerate() {
        let body = format!(r#"[{{"id":"a{number}"}}]"#);
        let answer = ingress.http().send("POST", WEBHOOK, &[("Content-Type", kind)], body.as_bytes());
        answer.is(200, r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#);
    }
    assert_eq!(ingress.http().send("POST", TRIGGER, &[], br#"{"kuerzel":"SB"}"#).status, 200);
}

#[test]
fn a_body_may_be_as_large_as_it_says() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_MAX_BODY_BYTES", "100");
    let ingress = home.ready("ingress");
    let padded = |length: usize| format!("[{}]", " ".repeat(length - 2));
    assert_eq!(ingress.http().post(WEBHOOK, &padded(100)).status, 200);
    ingress.http().post(WEBHOOK, &padded(101)).is_error(413, "body_too_large");
    ingress.http().post(TRIGGER, &padded(101)).is_error(413, "body_too_large");
    drop(ingress);
    // The default is 16 MiB.
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    assert_eq!(ingress.http().post(WEBHOOK, &padded(16 << 20)).status, 200);
    ingress.http().post(WEBHOOK, &padded((16 << 20) + 1)).is_error(413, "body_too_large");
}

#[test]
fn who_a_kuerzel_may_be() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let trigger = |kuerzel: &str| ingress.http().post(TRIGGER, &serde_json::json!({ "kuerzel": kuerzel }).to_string());
    for good in ["SB", "s", "MÜ", "Ä_ß-9", "ABCDEFGHIJKLMNOPQRST", "ÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖ"] {
        let expected =
            format!(r#"{{"status":"triggered","kuerzel":"{good}","message":"Calendar sync triggered for {good}"}}"#);
        trigger(good).is(200, &expected);
    }
    for all in ["ALL", "all", "All"] {
        let answer = trigger(all);
        assert!(answer.body.starts_with(r#"{"status":"triggered","kuerzel":"ALL","#), "{answer:?}");
    }
    for bad in ["", " ", "S B", "SB\n", "a.b", "a:b", "*", "ABCDEFGHIJKLMNOPQRSTU", "S\u{0}", "€"] {
        trigger(bad).is_error(400, "bad_kuerzel");
    }
    let check = |body: &str, code: &str| ingress.http().post(TRIGGER, body).is_error(400, code);
    check("[]", "not_an_object");
    check("SB", "not_an_object");
    check("{", "not_json");
    check(r#"{"kuerzel":5}"#, "wrong_type");
    check(r#"{"full_content":"false"}"#, "wrong_type");
    assert_eq!(redis.cli(&["SCARD", "calendar_sync:pending"]), "7");
}

#[test]
fn a_trigger_without_a_choice_keeps_the_one_before() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let mode = || redis.cli(&["HGET", "calendar_sync:mode", "SB"]);
    let trigger = |body: &str| assert_eq!(ingress.http().post(TRIGGER, body).status, 200);
    trigger(r#"{"kuerzel":"SB"}"#);
    assert_eq!(mode(), "", "nothing was chosen yet");
    trigger(r#"{"kuerzel":"SB","full_content":false}"#);
    let chosen = mode();
    assert!(chosen.contains("anonymised"), "{chosen}");
    trigger(r#"{"kuerzel":"SB"}"#);
    trigger(r#"{"kuerzel":"SB","full_content":null}"#);
    assert_eq!(mode(), chosen);
    trigger(r#"{"full_content":true}"#);
    assert_eq!(mode(), chosen, "ALL stores an entry of its own");
    trigger(r#"{"kuerzel":"SB","full_content":true}"#);
    assert!(mode().contains("full"), "{}", mode());
}

#[test]
fn the_token_opens_the_trigger_and_nothing_else_does() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_API_TOKEN", "geheim-1");
    let ingress = home.ready("ingress");
    let trigger = |headers: &[(&str, &str)]| ingress.http().send("POST", TRIGGER, headers, b"");
    for refused in [None, Some("Bearer geheim-2"), Some("Bearer geheim-"), Some("Basic geheim-1"), Some("geheim-1")] {
        let headers: Vec<_> = refused.map(|value| ("Authorization", value)).into_iter().collect();
        let answer = trigger(&headers);
        answer.is_error(401, "token_required");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(redis.cli(&["XLEN", "jobs:calendar"]), "0");
    assert_eq!(trigger(&[("Authorization", "Bearer geheim-1")]).status, 200);
    // Webhooks have their signatures, monitors have nothing.
    assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 200);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ingress.http().get(path).status, 200, "{path}");
    }
}

#[test]
fn each_role_serves_its_own_routes() {
    let redis = Redis::start();
    let is_there = |http: Http, method: &str, path: &str| http.send(method, path, &[], b"").status != 404;
    for (role, routes) in
        [("ingress", [true, false]), ("worker", [false, false]), ("cron", [false, false]), ("console", [false, true])]
    {
        let home = Home::at(&redis);
        let process = home.ready(role);
        let http = process.http();
        assert_eq!([is_there(http, "POST", WEBHOOK), is_there(http, "GET", "/console")], routes, "{role}");
        assert_eq!(http.get("/healthz").status, 200, "{role}");
        assert_eq!(http.get("/metrics").status, 200, "{role}");
        process.stop().with_code(0);
    }
}
