//! The whole client against a stand-in of Advoware and its security service.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use chrono::DateTime;
use futures::future::join_all;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio_util::bytes::Bytes;
use url::Url;

use super::*;
use crate::clients::stand_in::{Seen, StandIn, answer, nobody};
use crate::clients::{Cause, Secret};

const B: &str = "api/v1/advonet/Beteiligte";

pub(crate) fn options(base: Url, auth: Url) -> Options {
    Options {
        base_url: Some(base),
        discovery_url: auth.clone(),
        auth_url: auth,
        product_id: 64,
        app_id: "app-123".to_owned(),
        api_key: Secret::new("dGVzdC1zZWNyZXQta2V5"),
        kanzlei: "Muster & Söhne".to_owned(),
        database: "db".to_owned(),
        user: "sync".to_owned(),
        role: 2,
        password: Secret::new("kennwort-7"),
        token_lifetime: Duration::from_mins(55),
        timeout: Duration::from_secs(20),
        write_protection: false,
        max_concurrency: 64,
    }
}

fn memory() -> Arc<MemoryTokenStore> {
    Arc::new(MemoryTokenStore::new())
}

fn client(server: &StandIn) -> Client {
    Client::new(options(server.url("/firm/"), server.url("/token")), memory()).unwrap()
}

fn record(value: &Value) -> Record {
    value.as_object().unwrap().clone()
}

/// Issues tokens `t1`, `t2`, …; everything else goes to `data`.
async fn advoware(data: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> StandIn {
    let issued = Arc::new(AtomicU32::new(0));
    StandIn::start(move |seen| {
        let response = if seen.uri.path() == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            answer(200, json!({ "access_token": format!("t{number}"), "expires_in": 3600 }).to_string())
        } else {
            data(&seen)
        };
        async { response }
    })
    .await
}

fn count(server: &StandIn, start: &str) -> usize {
    server.lines().iter().filter(|line| line.starts_with(start)).count()
}

#[tokio::test]
async fn the_sign_in_is_what_the_contract_says() {
    let server = advoware(|_| answer(200, "[]")).await;
    let stamp = Stamp {
        nonce: "nonce-abc".to_owned(),
        now: DateTime::parse_from_rfc3339("2026-08-30T00:00:00Z").unwrap().to_utc(),
    };
    let options = options(server.url("/firm"), server.url("/token"));
    let client = Client::with_stamps(options, memory(), move || stamp.clone()).unwrap();
    client.ping().await.unwrap();

    let seen = server.seen();
    assert_eq!(server.lines(), ["POST /token", "GET /firm/api/v1/advonet/Mitarbeiter?aktiv=true"]);
    assert_eq!(seen[1].header("authorization"), Some("Bearer t1"));
    let expected = json!({
        "AppID": "app-123", "Kanzlei": "Muster & Söhne", "Database": "db", "User": "sync", "Role": 2, "Product": 64,
        "Password": "kennwort-7", "Nonce": "nonce-abc", "RequestTimeStamp": "2026-08-30T00:00:00.000Z",
        "HMAC512Signature":
            "o7rz9KmoXZs550HfzO6ffiG17XwiPmlBHlksUYKZ3jcfolELow51Fw5KlrQqCK5y41aIValDjrh1iQ2GZ2WtqQ==",
    });
    assert_eq!(seen[0].json(), expected);
}

#[tokio::test]
async fn the_base_is_discovered_by_the_firms_name() {
    let relay = advoware(|_| answer(200, "[]")).await;
    let base = relay.url("/found/").to_string();
    let discovery = StandIn::start(move |_| {
        let body = json!({ "relayUrl": base, "connectorUrl": null, "securityGateway": "x" }).to_string();
        async { answer(200, body) }
    })
    .await;
    let options = Options {
        base_url: None,
        discovery_url: discovery.url("/api/Url"),
        ..options(relay.url("/"), relay.url("/token"))
    };
    let client = Client::new(options, memory()).unwrap();
    client.ping().await.unwrap();
    client.ping().await.unwrap();
    assert_eq!(discovery.lines(), ["GET /api/Url?Kanzlei=Muster+%26+S%C3%B6hne"]);
    assert_eq!(count(&relay, "GET /found/api/v1/advonet/Mitarbeiter"), 2);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_repeated_once() {
    let server = advoware(|seen| match seen.header("authorization") {
        Some("Bearer t1") => answer(401, ""),
        _ => answer(200, "4711"),
    })
    .await;
    let client = client(&server);
    let created = client.post(B, &record(&json!({ "name": "Meier" }))).await.unwrap();
    assert_eq!(created, Created::Number(4711));
    assert_eq!(server.lines(), ["POST /token", &format!("POST /firm/{B}"), "POST /token", &format!("POST /firm/{B}")]);
    assert_eq!(server.seen()[3].json(), json!({ "name": "Meier" }));

    client.post(B, &Record::new()).await.unwrap();
    assert_eq!(count(&server, "POST /token"), 2, "the new token is kept");
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_is_the_end() {
    let server = advoware(|_| answer(401, "Keine Rechte")).await;
    let error = client(&server).get(B, "17").await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorised { message, .. } if message == "Keine Rechte"), "{error:?}");
    assert_eq!((count(&server, "POST /token"), count(&server, "GET ")), (2, 2));
}

#[tokio::test]
async fn many_callers_of_two_processes_share_one_sign_in() {
    let server = advoware(|_| answer(200, "[]")).await;
    let store = memory();
    let process = || Client::new(options(server.url("/"), server.url("/token")), store.clone()).unwrap();
    let (one, two) = (process(), process());
    let calls = (0..40).map(|number| if number % 2 == 0 { one.ping() } else { two.ping() });
    for outcome in join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!((count(&server, "POST /token"), count(&server, "GET ")), (1, 40));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_for_all_who_wait() {
    let server = StandIn::start(|_| async { answer(400, "Falscher Name oder falsches Kennwort: kennwort-7") }).await;
    let client = client(&server);
    for outcome in join_all((0..20).map(|_| client.ping())).await {
        let error = outcome.unwrap_err();
        assert!(error.is_configuration() && !error.upstream_down(), "{error:?}");
        assert!(error.to_string().contains("ADVOWARE_PASSWORD"), "{error}");
        assert!(!format!("{error} {error:?}").contains("kennwort-7"), "{error}");
    }
    assert_eq!(server.lines(), ["POST /token"]);
    // The lease was given back: the next caller may try at once.
    client.ping().await.unwrap_err();
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn a_renewal_outlives_the_caller_that_started_it() {
    let (arrived, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (signal, wait) = (arrived.clone(), gate.clone());
    let server = StandIn::start(move |seen| {
        let (signal, wait) = (signal.clone(), wait.clone());
        async move {
            if seen.uri.path() != "/token" {
                return answer(200, "[]");
            }
            signal.notify_one();
            let _permit = wait.acquire().await.unwrap();
            answer(200, r#"{"access_token":"t"}"#)
        }
    })
    .await;
    let client = client(&server);
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    arrived.notified().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    client.ping().await.unwrap();
    assert_eq!(count(&server, "POST /token"), 1);
}

#[tokio::test]
async fn another_users_token_is_not_used() {
    let server = advoware(|_| answer(200, "[]")).await;
    let store = memory();
    let settings = || options(server.url("/"), server.url("/token"));
    Client::new(settings(), store.clone()).unwrap().ping().await.unwrap();
    let other = Options { user: "other".to_owned(), ..settings() };
    Client::new(other, store).unwrap().ping().await.unwrap();
    assert_eq!(server.seen()[3].header("authorization"), Some("Bearer t2"));
}

#[tokio::test]
async fn write_protection_lets_nothing_out() {
    let server = advoware(|_| answer(200, "{}")).await;
    let settings = Options { write_protection: true, ..options(server.url("/"), server.url("/token")) };
    let client = Client::new(settings, memory()).unwrap();
    let refused = |error: Error| {
        assert!(matches!(error, Error::WriteProtected { .. }), "{error:?}");
        assert!(error.to_string().contains("ADVOWARE_WRITE_PROTECTION"), "{error}");
        assert!(!error.upstream_down() && !error.effect_unknown());
    };
    refused(client.post(B, &Record::new()).await.unwrap_err());
    refused(client.put(B, "17", &Record::new()).await.unwrap_err());
    refused(client.delete(B, "17").await.unwrap_err());
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD] {
        refused(client.try_admit(method, "x").err().unwrap());
    }
    assert_eq!(server.lines(), [""; 0]);
    client.get(B, "17").await.unwrap();
}

#[tokio::test]
async fn every_shape_of_an_answer() {
    let get = async |body: &'static str| {
        let server = advoware(move |_| answer(200, body)).await;
        client(&server).get(B, "17").await.map_err(|error| error.to_string())
    };
    let meier = record(&json!({ "betNr": 17 }));
    assert_eq!(get(r#"{"betNr":17}"#).await.as_ref(), Ok(&meier));
    assert_eq!(get("\u{feff}[{\"betNr\":17}]").await.as_ref(), Ok(&meier));
    assert_eq!(get("[]").await.unwrap_err(), format!("Not found in Advoware: GET {B}/17"));
    for (body, came) in [
        ("[{},{}]", "an array of 2 that starts with an object"),
        ("17", "the number 17"),
        ("", "empty"),
        ("<html>Anmeldung</html>", "no JSON but: <html>Anmeldung</html>"),
    ] {
        let error = get(body).await.unwrap_err();
        assert!(error.contains(&format!("GET {B}/17")) && error.contains(came), "{error}");
    }

    let post = async |body: &'static str| {
        let server = advoware(move |_| answer(201, body)).await;
        client(&server).post(B, &Record::new()).await
    };
    for body in ["17", " 17\n", "\"17\"", "[17]"] {
        assert_eq!(post(body).await, Ok(Created::Number(17)), "{body}");
    }
    assert_eq!(post(r#"[{"betNr":17}]"#).await, Ok(Created::Record(meier.clone())));
    assert_eq!(post(r#"{"betNr":17}"#).await, Ok(Created::Record(meier.clone())));
    for body in ["", "null", "\"ok\"", "[1,2]", "<html>"] {
        let error = post(body).await.unwrap_err();
        assert!(error.effect_unknown() && !error.upstream_down(), "{body}: {error:?}");
    }

    let put = async |body: &'static str| {
        let server = advoware(move |_| answer(200, body)).await;
        client(&server).put(B, "17", &Record::new()).await
    };
    for body in ["", "true", "17"] {
        assert_eq!(put(body).await, Ok(None), "{body}");
    }
    assert_eq!(put(r#"[{"betNr":17}]"#).await, Ok(Some(meier)));
    assert!(put("<html>").await.unwrap_err().effect_unknown());

    let list = async |body: &'static str| {
        let server = advoware(move |_| answer(200, body)).await;
        client(&server).list(B, &[("name", "Meier")]).await
    };
    assert_eq!(list("[]").await, Ok(Vec::new()));
    assert_eq!(list("[{},{}]").await.map(|found| found.len()), Ok(2));
    for body in ["{}", "", "null", "[1]", "<html>"] {
        assert!(list(body).await.unwrap_err().effect_unknown(), "{body}");
    }
}

#[tokio::test]
async fn records_in_the_query_and_in_the_path() {
    let server = advoware(|_| answer(200, "{}")).await;
    let client = client(&server);
    client.get("api/v1/advonet/Termine", Key::Query("frnr", "-17")).await.unwrap();
    client.delete("/api/v1/advonet/Termine/", Key::Query("frnr", "17")).await.unwrap();
    client.put(B, "5", &Record::new()).await.unwrap();
    assert_eq!(
        server.lines()[1..],
        [
            "GET /firm/api/v1/advonet/Termine?frnr=-17",
            "DELETE /firm/api/v1/advonet/Termine?frnr=17",
            "PUT /firm/api/v1/advonet/Beteiligte/5"
        ]
    );
    let invalid = [client.get(B, "").await.unwrap_err(), client.get("../../x", "1").await.unwrap_err()];
    assert!(invalid.iter().all(|error| matches!(error, Error::Invalid { .. })), "{invalid:?}");
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn what_a_failure_means_for_a_write() {
    // (not sent, unknown, down)
    let check = async |base: Url, timeout: Duration, expected: (bool, bool, bool)| {
        let auth = advoware(|_| answer(200, "")).await;
        let settings = Options { timeout, ..options(base.clone(), auth.url("/token")) };
        let client = Client::new(settings, memory()).unwrap();
        let error = client.post(B, &Record::new()).await.unwrap_err();
        let not_sent = matches!(error, Error::NotSent { .. });
        assert_eq!((not_sent, error.effect_unknown(), error.upstream_down()), expected, "{error:?}");
        assert!(error.to_string().contains(&format!("POST {B}")), "{error}");
        error
    };
    let long = Duration::from_secs(20);
    check(nobody("/").await, long, (true, false, true)).await;
    check("http://host.invalid/".parse().unwrap(), long, (true, false, true)).await;
    // TLS towards a port that speaks plain HTTP.
    let plain = StandIn::raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let mut tls = plain.url("/");
    tls.set_scheme("https").unwrap();
    check(tls, long, (true, false, true)).await;

    check(StandIn::raw(b"").await.url("/"), long, (false, true, true)).await;
    let cut = StandIn::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"betNr\":1").await;
    assert!(!check(cut.url("/"), long, (false, true, true)).await.may_yet_happen());
    let silent = StandIn::start(|_| std::future::pending()).await;
    let error = check(silent.url("/"), Duration::from_millis(200), (false, true, true)).await;
    assert!(error.timed_out() && error.may_yet_happen());

    let says =
        async |status: u16, body: &'static str| StandIn::start(move |_| async move { answer(status, body) }).await;
    for (status, may_yet_happen) in [(500, false), (502, false), (504, true)] {
        let error = check(says(status, "").await.url("/"), long, (false, true, true)).await;
        assert_eq!(error.may_yet_happen(), may_yet_happen, "{error:?}");
    }
    check(says(503, "Wartung").await.url("/"), long, (false, true, true)).await;
    check(says(408, "").await.url("/"), long, (false, true, true)).await;
    check(says(400, "Name fehlt").await.url("/"), long, (false, false, false)).await;
    check(says(404, "").await.url("/"), long, (false, false, false)).await;
    check(says(400, "Die Kanzlei ist nicht angemeldet").await.url("/"), long, (true, false, true)).await;
    let error = check(says(200, "<html>Anmeldung").await.url("/"), long, (false, true, false)).await;
    assert!(error.to_string().contains("<html>Anmeldung"), "{error}");
}

#[tokio::test]
async fn a_sign_in_that_fails_means_that_nothing_was_sent() {
    let data = advoware(|_| answer(200, "17")).await;
    let check = async |auth: Url, timeout: Duration, down: bool| {
        let settings = Options { timeout, ..options(data.url("/"), auth) };
        let error = Client::new(settings, memory()).unwrap().post(B, &Record::new()).await.unwrap_err();
        assert!(!error.effect_unknown(), "{error:?}");
        assert_eq!(error.upstream_down(), down, "{error:?}");
    };
    let long = Duration::from_secs(20);
    check(nobody("/token").await, long, true).await;
    check(StandIn::raw(b"").await.url("/token"), long, true).await;
    check(StandIn::start(|_| async { answer(502, "") }).await.url("/token"), long, true).await;
    check(StandIn::start(|_| std::future::pending()).await.url("/token"), Duration::from_millis(200), true).await;
    check(StandIn::start(|_| async { answer(200, "{}") }).await.url("/token"), long, false).await;
    assert_eq!(data.lines(), [""; 0]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = advoware(|_| answer(200, "17")).await;
    let target = elsewhere.url("/x").to_string();
    let server =
        advoware(move |_| (axum::http::StatusCode::TEMPORARY_REDIRECT, [("location", target.clone())]).into_response())
            .await;
    let error = client(&server).post(B, &Record::new()).await.unwrap_err();
    assert!(matches!(&error, Error::Unknown { cause: Cause::Unreadable(_), .. }), "{error:?}");
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_told() {
    let server =
        advoware(|_| (axum::http::StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], "langsam").into_response())
            .await;
    let error = client(&server).get(B, "1").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn places_are_bounded_and_waiting_can_be_cancelled() {
    let server = advoware(|_| answer(200, "{}")).await;
    let settings = Options { max_concurrency: 1, ..options(server.url("/"), server.url("/token")) };
    let client = Client::new(settings, memory()).unwrap();
    let admission = client.try_admit(Method::GET, "x").unwrap();
    assert!(matches!(client.try_admit(Method::GET, "x").err(), Some(Error::Busy { limit: 1 })));

    let mut waiting = Box::pin(client.get(B, "1"));
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(waiting);

    let outgoing = Outgoing { target: "x".to_owned(), headers: HeaderMap::new(), body: Bytes::new() };
    let forwarded = admission.forward(outgoing).await.unwrap();
    assert!(client.try_admit(Method::GET, "x").is_err(), "the place is held while the body is not read");
    drop(forwarded);
    client.get(B, "1").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_repeats_a_secret_shows_none_in_its_error() {
    let server = advoware(|_| answer(400, "t1, kennwort-7, dGVzdC1zZWNyZXQta2V5")).await;
    let shown = client(&server).get(B, "1").await.unwrap_err().to_string();
    assert!(shown.contains("400: ***, ***, ***"), "{shown}");
}

#[tokio::test]
async fn settings_never_show_their_secrets() {
    let shown = format!("{:?}", options(nobody("/").await, nobody("/").await));
    assert!(!shown.contains("kennwort-7") && !shown.contains("dGVzdC1zZWNyZXQta2V5"), "{shown}");
}
