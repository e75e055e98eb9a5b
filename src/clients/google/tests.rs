//! The whole client against a stand-in of Google Calendar and its token address.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::Response;
use chrono::DateTime;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::clients::stand_in::{Seen, StandIn, answer, nobody};
use crate::clients::{Cause, Secret};

mod limits;
mod sign_in;

/// Made for these tests and known to nobody else.
const KEY: &str = include_str!("test_key.pem");
const LONG: Duration = Duration::from_secs(20);

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

/// A client whose key file holds just that.
fn keyed(key: &str, base_url: Url, timeout: Duration, limiter: Arc<dyn Limiter>) -> Result<Client, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    std::fs::write(&path, key).unwrap();
    let subject = Some("kanzlei@x".to_owned());
    let backoff_unit = Duration::from_micros(10);
    Client::new(Options { base_url, service_account: path, subject, timeout, backoff_unit }, limiter)
}

fn key(token_uri: &Url) -> Value {
    json!({ "private_key": KEY, "client_email": "sync@x", "token_uri": token_uri.as_str() })
}

fn made(server: &StandIn, limiter: Arc<dyn Limiter>) -> Result<Client, Error> {
    keyed(&key(&server.url("/token")).to_string(), server.url("/v3/"), LONG, limiter)
}

fn client(server: &StandIn) -> Client {
    made(server, Arc::new(NoLimiter)).unwrap()
}

async fn says(status: u16, body: &'static str) -> StandIn {
    google(move |_| answer(status, body)).await
}

fn event(value: &Value) -> Event {
    value.as_object().unwrap().clone()
}

fn calls(server: &StandIn) -> Vec<String> {
    server.lines().into_iter().filter(|line| line != "POST /token").collect()
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
async fn pages_that_repeat_come_to_an_end() {
    let data = |seen: &Seen| {
        let next = if seen.uri.query().is_some_and(|query| query.contains("pageToken=a")) { "b" } else { "a" };
        answer(200, json!({ "items": [], "nextPageToken": next }).to_string())
    };
    let server = google(data).await;
    assert!(client(&server).list("c", None).await.unwrap_err().effect_unknown());
    assert_eq!(calls(&server).len(), 3);
}

#[tokio::test]
async fn a_sync_token_that_is_gone_is_told_apart_from_an_event() {
    let server = says(410, r#"{"error":{"errors":[{"reason":"deleted"}]}}"#).await;
    let client = client(&server);
    assert!(matches!(client.list("c", Some("old")).await, Err(Error::SyncTokenGone { .. })));
    assert!(matches!(client.list("c", None).await, Err(Error::NotFound { .. })));
    assert_eq!(client.get("c", "e").await, Ok(None));
}

#[tokio::test]
async fn reading_one_event() {
    let get = async |status, body| client(&says(status, body).await).get("c", "e").await;
    let cancelled = event(&json!({ "id": "e", "status": "cancelled" }));
    assert_eq!(get(200, r#"{"id":"e","status":"cancelled"}"#).await, Ok(Some(cancelled)));
    assert_eq!(get(404, "{}").await, Ok(None));
    assert!(matches!(get(404, "<html>").await, Err(Error::Misdirected { .. })));
    for body in ["", "[]", "<html>"] {
        assert!(get(200, body).await.unwrap_err().effect_unknown(), "{body}");
    }
}

#[tokio::test]
async fn what_is_refused_of_a_write() {
    let new = event(&json!({ "id": "e" }));
    let server = says(409, "{}").await;
    assert!(matches!(client(&server).insert("c", &new).await, Err(Error::Exists { .. })));
    let server = says(412, "{}").await;
    let client = client(&server);
    assert!(matches!(client.update("c", "e", "\"1\"", &new).await, Err(Error::Changed { .. })));
    assert!(matches!(client.delete("c", "e", "\"1\"").await, Err(Error::Changed { .. })));
    let sent = calls(&server).len();
    let blind = [
        client.insert("c", &Event::new()).await.unwrap_err(),
        client.update("c", "e", "", &new).await.unwrap_err(),
        client.delete("c", "e", "*").await.unwrap_err(),
        client.delete("c", "", "\"1\"").await.unwrap_err(),
    ];
    assert!(blind.iter().all(|error| matches!(error, Error::Invalid { .. })), "{blind:?}");
    assert_eq!(calls(&server).len(), sent);
}

#[tokio::test]
async fn only_what_google_says_is_gone_counts_as_deleted() {
    let delete = async |status, body| client(&says(status, body).await).delete("c", "e", "\"1\"").await;
    for (status, body) in [(204, ""), (404, ""), (410, ""), (404, "{}"), (410, "{}")] {
        assert_eq!(delete(status, body).await, Ok(()), "{status} {body}");
    }
    assert!(matches!(delete(404, "<html>").await, Err(Error::Misdirected { .. })));
    assert!(delete(200, "<html>").await.unwrap_err().effect_unknown());
}

#[tokio::test]
async fn what_a_failure_means_for_a_write() {
    // (not sent, unknown, down)
    let check = async |base: Url, timeout: Duration, expected: (bool, bool, bool)| {
        let auth = says(200, "").await;
        let key = key(&auth.url("/token")).to_string();
        let client = keyed(&key, base, timeout, Arc::new(NoLimiter)).unwrap();
        let error = client.insert("c", &event(&json!({ "id": "e" }))).await.unwrap_err();
        let not_sent = matches!(error, Error::NotSent { .. });
        assert_eq!((not_sent, error.effect_unknown(), error.upstream_down()), expected, "{error:?}");
        assert!(error.to_string().contains("POST calendars/c/events") && !error.to_string().contains('?'), "{error}");
    };
    check(nobody("/").await, LONG, (true, false, true)).await;
    check(StandIn::raw(b"").await.url("/"), LONG, (false, true, true)).await;
    let cut = StandIn::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":\"e").await;
    check(cut.url("/"), LONG, (false, true, true)).await;
    let silent = StandIn::start(|_| std::future::pending()).await;
    check(silent.url("/"), Duration::from_millis(500), (false, true, true)).await;
    let page = says(200, "<html>Anmeldung").await;
    check(page.url("/"), LONG, (false, true, false)).await;
    let down = says(503, "<html>").await;
    check(down.url("/"), LONG, (false, true, true)).await;
    assert_eq!(calls(&down).len(), 1, "the caller decides about a repeat");
}

#[tokio::test]
async fn calendars_and_their_sharing() {
    let server = google(|seen| {
        let second = seen.uri.query().is_some_and(|query| query.contains("pageToken"));
        let body = match (seen.method.as_str(), seen.uri.path()) {
            ("GET", "/v3/users/me/calendarList") if second => {
                json!({ "items": [{ "id": "b@x", "summary": "AW-SB", "accessRole": "owner" }] })
            }
            ("GET", "/v3/users/me/calendarList") => json!({ "items": [], "nextPageToken": "2" }),
            ("GET", _) => json!({ "items": [{ "role": "reader", "scope": { "type": "default" } }] }),
            _ => json!({ "id": "new@x" }),
        };
        answer(200, body.to_string())
    })
    .await;
    let client = client(&server);
    let found = client.calendars().await.unwrap();
    let expected = Calendar { id: "b@x".to_owned(), summary: "AW-SB".to_owned(), access_role: "owner".to_owned() };
    assert_eq!(found, [expected]);
    assert_eq!(client.create_calendar("AW-SB", "Europe/Berlin").await.unwrap(), "new@x");
    let rule = AclRule { role: "reader".to_owned(), scope_type: "default".to_owned(), scope_value: String::new() };
    assert_eq!(client.acl("b@x").await.unwrap(), [rule]);
    client.share("b@x", "kanzlei@x", "owner").await.unwrap();

    let expected = [
        "GET /v3/users/me/calendarList?maxResults=250&showHidden=true",
        "GET /v3/users/me/calendarList?maxResults=250&showHidden=true&pageToken=2",
        "POST /v3/calendars",
        "GET /v3/calendars/b%40x/acl?maxResults=250",
        "POST /v3/calendars/b%40x/acl?sendNotifications=false",
    ];
    assert_eq!(calls(&server), expected);
    let seen = server.seen();
    assert_eq!(seen[3].json(), json!({ "summary": "AW-SB", "timeZone": "Europe/Berlin" }));
    assert_eq!(seen[5].json(), json!({ "role": "owner", "scope": { "type": "user", "value": "kanzlei@x" } }));
}

#[tokio::test]
async fn push_channels() {
    let channel = NewChannel {
        id: "k1".to_owned(),
        token: Secret::new("geheim"),
        address: "https://sync.example/google/calendar/notify".parse().unwrap(),
        ttl: Duration::from_hours(24),
    };
    let server = says(200, r#"{"resourceId":"r1","expiration":"1426325213000"}"#).await;
    let opened = client(&server).watch("b@x", &channel).await.unwrap();
    assert_eq!(opened.expires_at, DateTime::from_timestamp(1_426_325_213, 0));
    client(&server).stop_channel("k1", &opened.resource_id).await.unwrap();
    assert_eq!(calls(&server), ["POST /v3/calendars/b%40x/events/watch", "POST /v3/channels/stop"]);
    let expected = json!({
        "id": "k1", "type": "web_hook", "address": "https://sync.example/google/calendar/notify", "token": "geheim",
        "params": { "ttl": "86400" },
    });
    assert_eq!(
        (server.seen()[1].json(), server.seen()[3].json()),
        (expected, json!({ "id": "k1", "resourceId": "r1" }))
    );

    client(&says(404, "{}").await).stop_channel("k1", "r1").await.unwrap();
    for (status, body) in [(400, r#"{"error":{"message":"bad token geheim"}}"#), (200, "geheim")] {
        let error = client(&says(status, body).await).watch("b@x", &channel).await.unwrap_err();
        assert!(error.to_string().contains("***") && !format!("{error:?}").contains("geheim"), "{error:?}");
    }
}
