//! The whole client against a stand-in of Google Calendar and its token address.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::response::Response;
use base64::Engine as _;
use serde_json::json;

use super::*;
use crate::clients::stand_in::{Seen, StandIn, answer};

/// Made for these tests and known to nobody else.
const KEY: &str = include_str!("test_key.pem");

#[derive(Default)]
struct Recording(Mutex<Vec<Duration>>);

#[async_trait]
impl Limiter for Recording {
    async fn take(&self) -> Result<Duration, LimiterError> {
        Ok(Duration::ZERO)
    }

    async fn pause(&self, at_least: Duration) -> Result<(), LimiterError> {
        self.0.lock().unwrap().push(at_least);
        Ok(())
    }
}

/// Issues tokens `t1`, `t2`, …; everything else goes to `data`.
async fn google(data: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> StandIn {
    let issued = Arc::new(AtomicUsize::new(0));
    StandIn::start(move |seen| {
        let response = if seen.uri.path() == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            let token = json!({ "access_token": format!("t{number}"), "expires_in": 3600, "token_type": "Bearer" });
            answer(200, token.to_string())
        } else {
            data(&seen)
        };
        async { response }
    })
    .await
}

fn made(server: &StandIn, limiter: Arc<dyn Limiter>) -> Result<Client, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let key = json!({ "private_key": KEY, "client_email": "sync@x", "token_uri": server.url("/token").as_str() });
    std::fs::write(&path, key.to_string()).unwrap();
    let subject = Some("kanzlei@x".to_owned());
    let (timeout, backoff_unit) = (Duration::from_secs(20), Duration::from_micros(10));
    Client::new(
        Options { base_url: server.url("/v3/"), service_account: path, subject, timeout, backoff_unit },
        limiter,
    )
}

fn client(server: &StandIn) -> Client {
    made(server, Arc::new(NoLimiter)).unwrap()
}

fn calls(server: &StandIn) -> Vec<String> {
    server.lines().into_iter().filter(|line| line != "POST /token").collect()
}

#[tokio::test]
async fn the_sign_in_acts_as_the_subject_and_is_done_once() {
    let server = google(|_| answer(200, "{}")).await;
    let client = client(&server);
    client.ping().await.unwrap();
    client.ping().await.unwrap();
    assert_eq!(server.lines().len(), 3);
    let form: Vec<_> = url::form_urlencoded::parse(&server.seen()[0].body).into_owned().collect();
    let claims = form[1].1.split('.').nth(1).unwrap().trim_end_matches('=').to_owned();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], "kanzlei@x");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/calendar");
    assert_eq!(server.seen()[1].header("authorization"), Some("Bearer t1"));
}

#[tokio::test]
async fn a_refused_grant_is_configuration_and_an_outage_is_not() {
    let check = async |status, body: &'static str, configuration| {
        let server = StandIn::start(move |_| async move { answer(status, body) }).await;
        let error = client(&server).ping().await.unwrap_err();
        assert_eq!((error.is_configuration(), error.effect_unknown()), (configuration, false), "{error}");
    };
    check(400, r#"{"error":"invalid_grant"}"#, true).await;
    check(401, r#"{"error":"unauthorized_client"}"#, true).await;
    check(503, "<html>", false).await;
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let data = |seen: &Seen| match seen.header("authorization") {
        Some("Bearer t2") => answer(200, "{}"),
        _ => answer(401, ""),
    };
    let server = google(data).await;
    client(&server).ping().await.unwrap();
    assert_eq!((calls(&server).len(), server.lines().len()), (2, 4));
    let server = google(|_| answer(401, "")).await;
    assert!(matches!(client(&server).ping().await, Err(Error::Unauthorised { .. })));
    assert_eq!(calls(&server).len(), 2);
}

#[tokio::test]
async fn rate_limits_are_waited_for_and_told() {
    let server = google(|_| answer(429, "")).await;
    let limiter = Arc::new(Recording::default());
    let error = made(&server, limiter.clone()).unwrap().ping().await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error}");
    assert_eq!(calls(&server).len(), 4);
    assert_eq!(*limiter.0.lock().unwrap(), [40, 160, 600].map(Duration::from_micros));
}

#[tokio::test]
async fn a_long_retry_after_is_left_to_the_caller() {
    let limited = |_: &Seen| {
        let mut response = answer(429, "");
        response.headers_mut().insert("retry-after", "61".parse().unwrap());
        response
    };
    let server = google(limited).await;
    let error = client(&server).ping().await.unwrap_err();
    assert_eq!((error.retry_after(), calls(&server).len()), (Some(Duration::from_secs(61)), 1));
}

#[tokio::test]
async fn all_pages_are_read_even_behind_an_empty_one() {
    let data = |seen: &Seen| match seen.uri.query() {
        Some(query) if query.contains("pageToken=b") => answer(200, r#"{"items":[{"id":"e"}],"nextSyncToken":"s"}"#),
        _ => answer(200, r#"{"items":[],"nextPageToken":"b"}"#),
    };
    let server = google(data).await;
    let listing = client(&server).list("a#b@x", Some("old")).await.unwrap();
    assert_eq!((listing.events.len(), listing.next_sync_token.as_str(), listing.pages), (1, "s", 2));
    let first = "GET /v3/calendars/a%23b%40x/events?singleEvents=false&maxResults=2500&syncToken=old";
    assert_eq!(calls(&server)[0], first);
    let server = google(|_| answer(200, r#"{"items":[]}"#)).await;
    assert!(client(&server).list("c", None).await.unwrap_err().effect_unknown());
}

#[tokio::test]
async fn writes_are_quiet_and_carry_the_etag() {
    let server = google(|_| answer(200, r#"{"id":"e"}"#)).await;
    let client = client(&server);
    let event = Event::from_iter([("id".to_owned(), json!("e"))]);
    client.insert("c", &event).await.unwrap();
    client.update("c", "e", "\"1\"", &event).await.unwrap();
    client.delete("c", "e", "\"1\"").await.unwrap();
    let path = "/v3/calendars/c/events";
    let expected = [("POST", ""), ("PUT", "/e"), ("DELETE", "/e")];
    assert_eq!(calls(&server), expected.map(|(method, id)| format!("{method} {path}{id}?sendUpdates=none")));
    let etags: Vec<_> = server.seen()[1..].iter().map(|seen| seen.header("if-match").map(str::to_owned)).collect();
    assert_eq!(etags, [None, Some("\"1\"".to_owned()), Some("\"1\"".to_owned())]);
}

#[tokio::test]
async fn what_is_gone_is_deleted_and_an_outage_is_sent_once() {
    for status in [404, 410] {
        let server = google(move |_| answer(status, "")).await;
        client(&server).delete("c", "e", "\"1\"").await.unwrap();
    }
    let server = google(|_| answer(503, "<html>")).await;
    let error = client(&server).delete("c", "e", "\"1\"").await.unwrap_err();
    assert!(error.effect_unknown() && error.upstream_down());
    assert_eq!(calls(&server).len(), 1);
}

#[test]
fn a_missing_key_file_is_named_by_its_setting() {
    let base_url = "http://127.0.0.1:1/v3".parse().unwrap();
    let (timeout, backoff_unit) = (Duration::from_secs(1), Duration::from_secs(1));
    let options = Options { base_url, service_account: "/nowhere.json".into(), subject: None, timeout, backoff_unit };
    let error = Client::new(options, Arc::new(NoLimiter)).err().unwrap();
    assert!(error.is_configuration() && error.to_string().contains("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"));
}
