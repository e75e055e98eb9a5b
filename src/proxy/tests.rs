//! The proxy between a caller and a stand-in of Advoware.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use futures::channel::mpsc;
use futures::stream;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::callers::Token;
use crate::clients::Secret;
use crate::clients::advoware::{Client, MemoryTokenStore};
use crate::clients::stand_in::{Seen, StandIn, answer, nobody};

/// Issues tokens `t1`, `t2`, …; everything else goes to `data`.
async fn advoware(data: impl Fn(&Seen) -> Response<Body> + Clone + Send + Sync + 'static) -> StandIn {
    let issued = Arc::new(AtomicU32::new(0));
    StandIn::start(move |seen| {
        let response = if seen.uri.path() == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            answer(200, json!({ "access_token": format!("t{number}") }).to_string())
        } else {
            data(&seen)
        };
        async { response }
    })
    .await
}

fn settings(server: &StandIn) -> advoware::Options {
    advoware::Options {
        base_url: Some(server.url("/firm/")),
        auth_url: server.url("/token"),
        discovery_url: server.url("/discovery"),
        product_id: 64,
        app_id: "app".to_owned(),
        api_key: Secret::new("a2V5"),
        kanzlei: "k".to_owned(),
        database: "d".to_owned(),
        user: "u".to_owned(),
        role: 2,
        password: Secret::new("p"),
        token_lifetime: Duration::from_mins(55),
        timeout: Duration::from_secs(20),
        write_protection: false,
        max_concurrency: 4,
    }
}

fn proxy(settings: advoware::Options) -> Router {
    let client = Client::new(settings, Arc::new(MemoryTokenStore::new())).unwrap();
    router(client, Options { callers: Arc::default(), max_body_bytes: 1000 })
}

fn request(method: &str, uri: &str, body: impl Into<Body>) -> Request {
    Request::builder().method(method).uri(uri).body(body.into()).unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

/// The answer must be an error of our own with this status and code; returns its message.
async fn refused(response: Response<Body>, status: u16, code: &str) -> String {
    assert_eq!(response.status().as_u16(), status, "{response:?}");
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(body["error"]["code"], code, "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn path_query_and_body_arrive_unchanged_and_the_answer_comes_back() {
    let server = advoware(|_| {
        let headers = [("content-type", "text/csv; charset=latin1"), ("set-cookie", "s=1"), ("x-total", "7")];
        (StatusCode::IM_A_TEAPOT, headers, "a;b").into_response()
    })
    .await;
    let proxy = proxy(settings(&server));
    let path = "api/v1/advonet/Termine/x%20y;v=1?frnr=-17&name=M%C3%BCller+%26&url=http://a/../b&q=%0D%0A&&x";
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let mut request = request(method, &format!("/api/advoware/{path}"), "{\"a\": 1}");
        for (name, value) in [
            ("content-type", "application/json"),
            ("authorization", "Bearer caller"),
            ("cookie", "a=b"),
            ("x-http-method-override", "DELETE"),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = proxy.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(response.headers()["content-type"], "text/csv; charset=latin1");
        assert_eq!(response.headers()["x-total"], "7");
        assert!(!response.headers().contains_key("set-cookie"));
        assert_eq!(text(response).await, "a;b");

        let seen = server.seen().pop().unwrap();
        assert_eq!(seen.line(), format!("{method} /firm/{path}"));
        assert_eq!(seen.body, b"{\"a\": 1}");
        assert_eq!(seen.header("authorization"), Some("Bearer t1"));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!((seen.header("cookie"), seen.header("x-http-method-override")), (None, None));
    }
}

#[tokio::test]
async fn errors_and_redirects_of_advoware_come_back_as_they_are() {
    let elsewhere = advoware(|_| answer(200, "")).await;
    let target = elsewhere.url("/x").to_string();
    let server = advoware(move |seen| match seen.uri.path() {
        "/firm/moved" => (StatusCode::FOUND, [("location", target.clone())]).into_response(),
        "/firm/broken" => answer(500, "kaputt"),
        _ => answer(404, "fehlt"),
    })
    .await;
    let proxy = proxy(settings(&server));
    let get = async |path: &str| proxy.clone().oneshot(request("GET", path, "")).await.unwrap();
    let moved = get("/api/advoware/moved").await;
    assert_eq!(moved.status(), 302);
    assert_eq!(elsewhere.lines(), [""; 0]);
    let broken = get("/api/advoware/broken").await;
    assert_eq!((broken.status().as_u16(), text(broken).await.as_str()), (500, "kaputt"));
    let missing = get("/api/advoware/").await;
    assert_eq!((missing.status().as_u16(), text(missing).await.as_str()), (404, "fehlt"));
}

#[tokio::test]
async fn a_refused_token_is_renewed_with_the_whole_body_again() {
    let server = advoware(|seen| match seen.header("authorization") {
        Some("Bearer t1") => answer(401, ""),
        _ => answer(200, "17"),
    })
    .await;
    let response = proxy(settings(&server)).oneshot(request("POST", "/api/advoware/x", "body")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.lines(), ["POST /token", "POST /firm/x", "POST /token", "POST /firm/x"]);
    assert_eq!(server.seen()[3].body, b"body");
}

#[tokio::test]
async fn a_path_that_leaves_the_base_goes_nowhere() {
    let server = advoware(|_| answer(200, "")).await;
    let proxy = proxy(settings(&server));
    for path in ["../x", "a/%2e%2e/b", "a%2fb", "/evil.example/x", "http://evil.example/", "a%0d%0ab", "a%00"] {
        let response = proxy.clone().oneshot(request("GET", &format!("/api/advoware/{path}"), "")).await.unwrap();
        refused(response, 400, "bad_path").await;
    }
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test]
async fn the_token_opens_the_door() {
    let server = advoware(|_| answer(200, "")).await;
    let client = Client::new(settings(&server), Arc::new(MemoryTokenStore::new())).unwrap();
    let callers = Arc::new(Door::new(vec![Token::of_setting(&Secret::new("s3cret"))]));
    let proxy = router(client, Options { callers, max_body_bytes: 1000 });
    let call = async |header: Option<&str>| {
        let mut request = request("GET", "/api/advoware/x", "");
        if let Some(header) = header {
            request.headers_mut().insert("authorization", header.parse().unwrap());
        }
        proxy.clone().oneshot(request).await.unwrap()
    };
    for header in [None, Some("Bearer"), Some("Bearer s3cre"), Some("Bearer s3cret2"), Some("Basic s3cret"), Some("ü")]
    {
        refused(call(header).await, 401, "token_required").await;
    }
    assert_eq!(server.lines(), [""; 0]);
    assert_eq!(call(Some("bearer s3cret")).await.status(), 200);
}

#[tokio::test]
async fn write_protection_names_its_setting_and_sends_nothing() {
    let server = advoware(|_| answer(200, "")).await;
    let proxy = proxy(advoware::Options { write_protection: true, ..settings(&server) });
    for method in ["POST", "PUT", "DELETE"] {
        let response = proxy.clone().oneshot(request(method, "/api/advoware/x", "")).await.unwrap();
        let message = refused(response, 403, "write_protected").await;
        assert!(message.contains("ADVOWARE_WRITE_PROTECTION"), "{message}");
    }
    assert_eq!(server.lines(), [""; 0]);
    assert_eq!(proxy.oneshot(request("GET", "/api/advoware/x", "")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let server = advoware(|_| answer(200, "")).await;
    for method in ["HEAD", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        let response = proxy(settings(&server)).oneshot(request(method, "/api/advoware/x", "")).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET, POST, PUT, DELETE");
    }
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test]
async fn a_body_that_is_too_long_leaves_nothing_at_advoware() {
    let server = advoware(|_| answer(200, "")).await;
    let proxy = proxy(settings(&server));
    let mut stated = request("POST", "/api/advoware/x", "");
    stated.headers_mut().insert("content-length", 1001.into());
    let chunks = stream::iter((0..11).map(|_| Ok::<_, std::io::Error>([b'x'; 100])).map(|chunk| chunk.map(Vec::from)));
    let chunked = request("POST", "/api/advoware/x", Body::from_stream(chunks));
    for request in [stated, chunked] {
        refused(proxy.clone().oneshot(request).await.unwrap(), 413, "payload_too_large").await;
    }
    assert_eq!(server.lines(), [""; 0]);
    let fits = request("POST", "/api/advoware/x", vec![b'x'; 1000]);
    assert_eq!(proxy.oneshot(fits).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_answer_is_streamed_and_holds_its_place_until_its_end() {
    let (mut chunks, source) = mpsc::unbounded::<Result<&'static str, std::io::Error>>();
    let source = Arc::new(std::sync::Mutex::new(Some(source)));
    let server = advoware(move |_| match source.lock().unwrap().take() {
        Some(source) => Response::new(Body::from_stream(source)),
        None => answer(200, "next"),
    })
    .await;
    let proxy = proxy(advoware::Options { max_concurrency: 1, ..settings(&server) });
    let call = async || proxy.clone().oneshot(request("GET", "/api/advoware/x", "")).await.unwrap();

    chunks.start_send(Ok("one")).unwrap();
    let first = call().await;
    let mut body = first.into_body().into_data_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "one", "before the answer is complete");

    let busy = call().await;
    assert_eq!(busy.headers()["retry-after"], "1");
    refused(busy, 429, "busy").await;

    chunks.start_send(Ok("two")).unwrap();
    chunks.close_channel();
    assert_eq!(body.next().await.unwrap().unwrap(), "two");
    assert!(body.next().await.is_none());
    drop(body);
    assert_eq!(text(call().await).await, "next");
}

#[tokio::test]
async fn an_advoware_that_does_not_answer() {
    let server = advoware(|_| answer(200, "")).await;
    let check = async |settings: advoware::Options, status: u16, code: &str| {
        let response = proxy(settings).oneshot(request("GET", "/api/advoware/x", "")).await.unwrap();
        refused(response, status, code).await;
    };
    let at = |base| advoware::Options { base_url: Some(base), ..settings(&server) };
    check(at(nobody("/").await), 502, "advoware_unreachable").await;
    check(at(StandIn::raw(b"").await.url("/")), 502, "advoware_unreachable").await;

    let silent = StandIn::start(|_| std::future::pending()).await;
    let short = Duration::from_millis(200);
    check(advoware::Options { timeout: short, ..at(silent.url("/")) }, 504, "advoware_timeout").await;
    let auth_url = silent.url("/token");
    check(advoware::Options { timeout: short, auth_url, ..settings(&server) }, 504, "advoware_timeout").await;

    let wrong = StandIn::start(|_| async { answer(400, "Falscher Name oder falsches Kennwort") }).await;
    let auth_url = wrong.url("/token");
    check(advoware::Options { auth_url, ..settings(&server) }, 502, "advoware_misconfigured").await;
}
