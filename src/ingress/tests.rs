//! The face towards callers, against a real Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::testing::{Answer, Redis, Vector, request, send, stream};
use super::*;
use crate::callers::{Door, Token};
use crate::queue::{Flow, Lane, Mode};
use crate::secret::Secret;
use crate::settings::WebhookSecrets;

const CREATE: &str = "/vmh/webhook/beteiligte/create";
const TRIGGER: &str = "/advoware/calendar/sync";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn options(redis: &Redis) -> Options {
    Options {
        queue: redis.queue(),
        entities: vec!["beteiligte".into(), "akten".into()],
        webhook_secrets: None,
        callers: Arc::default(),
        channel_token: None,
        max_body_bytes: 16 * 1024 * 1024,
        deadline: Duration::from_secs(8),
        trace: Arc::new(|| Some(TRACE.to_owned())),
    }
}

fn routes(redis: &Redis, options: Options) -> Router {
    let ops = OpsOptions { queue: redis.queue(), metrics: Arc::new(|| "up 1\n".to_owned()) };
    let broken = Router::new().route("/broken", axum::routing::get(async || -> () { panic!("broken on purpose") }));
    around(router(options).merge(ops_router(ops)).merge(broken))
}

async fn open() -> (Redis, Router) {
    let redis = Redis::start().await;
    redis.queue().prepare(Utc::now()).await.unwrap();
    let routes = routes(&redis, options(&redis));
    (redis, routes)
}

async fn post(routes: &Router, path: &str, body: impl Into<Body>) -> Answer {
    send(routes, request("POST", path, &[], body)).await
}

/// Topics and keys on a stream, oldest first.
async fn queued(redis: &Redis, flow: Flow) -> Vec<HashMap<String, String>> {
    let entries: Vec<(String, Vec<(String, String)>)> =
        redis.command(&["XRANGE", &stream(flow, Lane::First), "-", "+"]).await;
    entries.into_iter().map(|(_, fields)| fields.into_iter().collect()).collect()
}

#[tokio::test]
async fn the_seeds_example_is_received_and_its_replay_adds_nothing() {
    let (redis, routes) = open().await;
    let body = r#"[{"id":"entity-123","name":"Max Mustermann"},{"id":"entity-456","name":"Maria Schmidt"}]"#;
    let answer = post(&routes, CREATE, body).await;
    assert_eq!(answer.body, r#"{"status":"received","action":"create","new_ids_count":2,"total_ids_in_batch":2}"#);
    let jobs = queued(&redis, Flow::Vmh).await;
    assert_eq!(jobs.len(), 2);
    let expected =
        [("topic", "vmh.beteiligte.create"), ("key", "entity-123"), ("source", "webhook"), ("traceparent", TRACE)];
    assert_eq!(jobs[0], expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());

    let again = post(&routes, CREATE, body).await;
    assert_eq!(again.body, r#"{"status":"received","action":"create","new_ids_count":0,"total_ids_in_batch":2}"#);
    // The other address, a single object, another action and another entity.
    let other = post(&routes, "/webhooks/vmh/beteiligte/update", r#"{"id":"entity-123"}"#).await;
    assert_eq!(other.body, r#"{"status":"received","action":"update","new_ids_count":1,"total_ids_in_batch":1}"#);
    let other = post(&routes, "/vmh/webhook/akten/delete", r#"[{"id":"entity-123"},{"id":"entity-123"}]"#).await;
    assert_eq!(other.body, r#"{"status":"received","action":"delete","new_ids_count":1,"total_ids_in_batch":1}"#);
    assert_eq!(queued(&redis, Flow::Vmh).await.len(), 4);
}

#[tokio::test]
async fn good_events_do_not_die_with_bad_ones() {
    let (redis, routes) = open().await;
    let elements = json!([{"id": "good"}, {"id": "x".repeat(10_000)}, {"id": "a\u{0}\n\u{7f}"}, {"id": 5}, "good", {"id": "good"}]);
    let answer = post(&routes, CREATE, elements.to_string()).await;
    assert_eq!(
        answer.body,
        r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1,"rejected_count":4}"#
    );
    assert_eq!(queued(&redis, Flow::Vmh).await.len(), 1);
    let answer = post(&routes, CREATE, "[]").await;
    assert_eq!(answer.body, r#"{"status":"received","action":"create","new_ids_count":0,"total_ids_in_batch":0}"#);
}

#[tokio::test]
async fn ten_thousand_and_more_in_one_request() {
    let (redis, routes) = open().await;
    let ids = |count: usize| json!((0..count).map(|n| json!({ "id": format!("id-{n}") })).collect::<Vec<Value>>());
    let answer = post(&routes, CREATE, ids(10_000).to_string()).await;
    assert_eq!(
        (&answer.json()["new_ids_count"], &answer.json()["total_ids_in_batch"]),
        (&json!(10_000), &json!(10_000))
    );
    let answer = post(&routes, CREATE, ids(25_000).to_string()).await;
    assert_eq!(
        (&answer.json()["new_ids_count"], &answer.json()["total_ids_in_batch"]),
        (&json!(15_000), &json!(25_000))
    );
    let length: usize = redis.command(&["XLEN", &stream(Flow::Vmh, Lane::First)]).await;
    assert_eq!(length, 25_000);
}

#[tokio::test]
async fn errors_have_one_form() {
    let (redis, _) = open().await;
    let routes = routes(&redis, Options { max_body_bytes: 1_000, ..options(&redis) });
    let check = async |method: &str, path: &str, body: &str, status: u16, code: &str| {
        let answer = send(&routes, request(method, path, &[], body.to_owned())).await;
        assert_eq!(answer.error(), (status, code.to_owned()), "{method} {path}");
        assert_eq!(answer.headers["content-type"], "application/json");
        answer
    };
    check("POST", CREATE, "no json", 400, "not_json").await;
    check("POST", CREATE, "", 400, "not_json").await;
    check("POST", CREATE, "\"text\"", 400, "not_an_array").await;
    check("POST", CREATE, r#"[{"id":1},{}]"#, 400, "no_valid_id").await;
    check("POST", CREATE, &" ".repeat(1_001), 413, "body_too_large").await;
    check("POST", TRIGGER, &" ".repeat(1_001), 413, "body_too_large").await;
    check("POST", TRIGGER, r#"{"kuerzel":7}"#, 400, "wrong_type").await;
    check("POST", TRIGGER, r#"{"kuerzel":"S B"}"#, 400, "bad_kuerzel").await;
    check("POST", TRIGGER, "[]", 400, "not_an_object").await;
    for path in [
        "/vmh/webhook/unknown/create",
        "/webhooks/vmh/unknown/create",
        "/vmh/webhook/beteiligte/rename",
        "/vmh/webhook/beteiligte/sync_check",
        "/vmh/webhook/beteiligte/%ff",
        "/vmh/webhook/Beteiligte/create",
    ] {
        check("POST", path, r#"{"id":"a"}"#, 404, "unknown_webhook").await;
    }
    for path in ["/", "/vmh/webhook/beteiligte", "/vmh/webhook/beteiligte/create/more", "/unknown"] {
        check("POST", path, "", 404, "not_found").await;
    }
    for (method, path) in
        [("GET", CREATE), ("PUT", CREATE), ("GET", TRIGGER), ("POST", "/healthz"), ("DELETE", "/readyz")]
    {
        let answer = check(method, path, "", 405, "method_not_allowed").await;
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
    }
    check("GET", "/broken", "", 500, "internal").await;
    check("POST", "/google/calendar/notify?kuerzel=SB", "", 401, "channel_token").await;
    assert_eq!(queued(&redis, Flow::Vmh).await.len() + queued(&redis, Flow::Calendar).await.len(), 0);
    // The content type is not policed.
    let odd = request("POST", CREATE, &[("content-type", "text/plain")], r#"{"id":"a"}"#);
    assert_eq!(send(&routes, odd).await.status, 200);
}

#[tokio::test]
async fn only_signed_webhooks_are_let_in() {
    let (redis, _) = open().await;
    let real = Vector::real();
    let secrets = WebhookSecrets::ByWebhook(vec![(real.webhook_id.clone(), Secret::new(&real.secret))]);
    let routes = routes(&redis, Options { webhook_secrets: Some(secrets), ..options(&redis) });
    let signed = [("Signature", real.signature.as_str()), ("X-Signature", real.x_signature.as_str())];
    let answer = send(&routes, request("POST", CREATE, &signed, real.body.clone())).await;
    assert_eq!(answer.body, r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#);
    assert_eq!(queued(&redis, Flow::Vmh).await[0]["key"], "6b023b1e1e37dc49a");
    // The signature is checked before anything is parsed.
    for (headers, body) in
        [(&[][..], real.body.clone()), (&signed[..], "no json".into()), (&signed[1..], real.body.clone() + " ")]
    {
        let answer = send(&routes, request("POST", CREATE, headers, body)).await;
        assert_eq!(answer.error(), (401, "bad_signature".to_owned()));
    }
}

#[tokio::test]
async fn the_trigger_table() {
    let (redis, routes) = open().await;
    let check = async |body: &str, expected: &str| {
        assert_eq!(post(&routes, TRIGGER, body.to_owned()).await.body, expected, "{body}");
    };
    check("", r#"{"status":"triggered","kuerzel":"ALL","message":"Calendar sync triggered for ALL"}"#).await;
    check(
        r#"{"kuerzel":"SB","full_content":true}"#,
        r#"{"status":"triggered","kuerzel":"SB","message":"Calendar sync triggered for SB"}"#,
    )
    .await;
    check(
        r#"{"kuerzel":"SB","full_content":false}"#,
        r#"{"status":"triggered","kuerzel":"SB","message":"Calendar sync triggered for SB","deduplicated":true}"#,
    )
    .await;
    check(
        r#"{"kuerzel":"all"}"#,
        r#"{"status":"triggered","kuerzel":"ALL","message":"Calendar sync triggered for ALL","deduplicated":true}"#,
    )
    .await;
    check(r#"{"kuerzel":"MÜ"}"#, r#"{"status":"triggered","kuerzel":"MÜ","message":"Calendar sync triggered for MÜ"}"#)
        .await;
    let jobs = queued(&redis, Flow::Calendar).await;
    let jobs: Vec<_> = jobs.iter().map(|job| (job["topic"].as_str(), job["key"].as_str())).collect();
    let employee = "calendar_sync_employee";
    assert_eq!(jobs, [("calendar_sync_all", "ALL"), (employee, "SB"), (employee, "MÜ")]);
    // The newest choice is kept, also where the job was queued already; no choice leaves no trace.
    let modes = redis.queue().modes().await.unwrap();
    assert_eq!(modes.iter().map(|(k, mode, _)| (k.as_str(), *mode)).collect::<Vec<_>>(), [("SB", Mode::Anonymised)]);
}

#[tokio::test]
async fn tokens_are_asked_for_where_they_are_set() {
    let (redis, _) = open().await;
    let routes = routes(
        &redis,
        Options {
            callers: Arc::new(Door::new(vec![Token::of_setting(&Secret::new("geheim"))])),
            channel_token: Some(Secret::new("kanal")),
            ..options(&redis)
        },
    );
    let trigger = async |headers: &[(&str, &str)]| send(&routes, request("POST", TRIGGER, headers, "")).await;
    assert_eq!(trigger(&[("authorization", "Bearer geheim")]).await.status, 200);
    for headers in [&[][..], &[("authorization", "Bearer falsch")], &[("authorization", "Basic geheim")]] {
        let answer = trigger(headers).await;
        assert_eq!(answer.error(), (401, "token_required".to_owned()));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    // Webhooks have signatures instead.
    assert_eq!(post(&routes, CREATE, "[]").await.status, 200);

    let notify = async |token: &str, query: &str| {
        let path = format!("/google/calendar/notify{query}");
        send(&routes, request("POST", &path, &[("x-goog-channel-token", token)], "")).await.status.as_u16()
    };
    assert_eq!(notify("falsch", "?kuerzel=SB").await, 401);
    assert_eq!(notify("kanal", "?kuerzel=SB").await, 200);
    assert_eq!(notify("kanal", "?kuerzel=ALL").await, 400);
    assert_eq!(notify("kanal", "").await, 400);
    let jobs = queued(&redis, Flow::Calendar).await;
    assert_eq!((jobs.len(), jobs[1]["key"].as_str(), jobs[1]["source"].as_str()), (2, "SB", "google"));
}

#[tokio::test]
async fn without_redis_everything_is_503_until_it_is_back() {
    let (mut redis, routes) = open().await;
    let get = async |path: &str| send(&routes, request("GET", path, &[], "")).await;
    assert_eq!(get("/readyz").await.status, 200);
    redis.stop();
    let down = post(&routes, CREATE, r#"[{"id":"a"}]"#).await;
    assert_eq!(down.error(), (503, "redis_unavailable".to_owned()));
    assert_eq!(post(&routes, TRIGGER, "").await.error().0, 503);
    assert_eq!(get("/readyz").await.error(), (503, "not_ready".to_owned()));
    assert_eq!(get("/healthz").await.body, r#"{"status":"ok"}"#);
    let metrics = get("/metrics").await;
    assert_eq!(
        (metrics.body.as_str(), metrics.headers["content-type"].as_bytes()),
        ("up 1\n", &b"text/plain; version=0.0.4"[..])
    );
    // What can never be accepted is told without Redis.
    assert_eq!(post(&routes, CREATE, "no json").await.status, 400);

    redis.resume().await;
    assert_eq!(post(&routes, CREATE, r#"[{"id":"a"}]"#).await.json()["new_ids_count"], 1);
    assert_eq!(get("/readyz").await.status, 200);
}

#[tokio::test]
async fn an_empty_redis_is_not_ready() {
    let redis = Redis::start().await;
    let routes = routes(&redis, options(&redis));
    let answer = send(&routes, request("GET", "/readyz", &[], "")).await;
    assert_eq!(answer.error(), (503, "not_ready".to_owned()));
    assert!(answer.body.contains("migrate"), "{}", answer.body);
}

#[tokio::test]
async fn whoever_sends_too_slowly_is_told_to_come_again() {
    let (redis, _) = open().await;
    let routes = routes(&redis, Options { deadline: Duration::from_millis(50), ..options(&redis) });
    let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let answer = post(&routes, CREATE, never).await;
    assert_eq!(answer.error(), (503, "timeout".to_owned()));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let (_redis, routes) = open().await;
    post(&routes, CREATE, r#"[{"id":"a"},{"id":1}]"#).await;
    post(&routes, "/vmh/webhook/unknown/create", "").await;
    send(&routes, request("GET", "/secret/path", &[], "")).await;
    send(&routes, request("BREW", "/healthz", &[], "")).await;
    send(&routes, request("GET", "/broken", &[], "")).await;
    let text = handle.render();
    for line in [
        r#"advosync_http_requests_total{method="POST",route="/vmh/webhook/{entity}/{action}",status="200"} 1"#,
        r#"advosync_http_requests_total{method="POST",route="/vmh/webhook/{entity}/{action}",status="404"} 1"#,
        r#"advosync_http_requests_total{method="GET",route="other",status="404"} 1"#,
        r#"advosync_http_requests_total{method="other",route="/healthz",status="405"} 1"#,
        r#"advosync_http_requests_total{method="GET",route="/broken",status="500"} 1"#,
        r#"advosync_webhook_rejected_elements_total{entity="beteiligte"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// A client that is cut off while it still sends would never see why.
#[tokio::test]
async fn too_large_a_body_is_answered_and_not_cut_off() {
    let (redis, _) = open().await;
    let routes = routes(&redis, Options { max_body_bytes: 1_000, ..options(&redis) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(serve(listener, routes, shutdown.clone(), Duration::from_secs(5)));
    let head = format!("POST {CREATE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; 4_000_000]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    shutdown.cancel();
    server.await.unwrap();
}
