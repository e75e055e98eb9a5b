//! The whole client against a stand-in of EspoCRM.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::clients::Secret;
use crate::clients::stand_in::{Seen, StandIn, answer, nobody};

const E: &str = "CBeteiligte";

fn client_at(base_url: Url, timeout: Duration) -> Client {
    let credentials = Credentials::api_user(Secret::new("key123"), None);
    Client::new(Options { base_url, credentials, timeout }).unwrap()
}

fn client(server: &StandIn) -> Client {
    client_at(server.url("/api/v1/"), Duration::from_secs(20))
}

async fn espocrm(respond: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> StandIn {
    StandIn::start(move |seen| {
        let response = respond(&seen);
        async { response }
    })
    .await
}

fn fields(value: &Value) -> Record {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn each_call_is_what_the_contract_says() {
    let server = espocrm(|seen| match seen.method.as_str() {
        "POST" => answer(201, json!({ "id": "new1" }).to_string()),
        _ => answer(200, json!({ "id": "65a1", "lastName": "Meier" }).to_string()),
    })
    .await;
    let client = client(&server);
    assert_eq!(client.get(E, "65a1").await.unwrap()["lastName"], "Meier");
    client.update(E, "65a1", &fields(&json!({ "lastName": "M" })), Some(7)).await.unwrap();
    client.update(E, "65a1", &fields(&json!({})), None).await.unwrap();
    assert_eq!(client.create(E, &fields(&json!({ "lastName": "M" })), true).await.unwrap()["id"], "new1");
    assert_eq!(client.note_on_record(E, "65a1", "Konflikt @sb").await.unwrap(), "new1");
    client.call(reqwest::Method::POST, "Admin/fieldManager/CBeteiligte", Some(&json!({}))).await.unwrap();

    let lines = [
        "GET /api/v1/CBeteiligte/65a1",
        "PUT /api/v1/CBeteiligte/65a1",
        "PUT /api/v1/CBeteiligte/65a1",
        "POST /api/v1/CBeteiligte",
        "POST /api/v1/Note",
        "POST /api/v1/Admin/fieldManager/CBeteiligte",
    ];
    assert_eq!(server.lines(), lines);
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.header("x-api-key") == Some("key123")));
    assert_eq!((seen[1].header("x-version-number"), seen[2].header("x-version-number")), (Some("7"), None));
    assert_eq!((seen[1].json(), seen[2].json()), (json!({ "lastName": "M" }), json!({})));
    for write in [&seen[1], &seen[3]] {
        assert_eq!(write.header("x-skip-duplicate-check"), Some("true"));
    }
    let note = json!({ "type": "Post", "post": "Konflikt @sb", "parentType": E, "parentId": "65a1" });
    assert_eq!((seen[4].json(), seen[4].header("x-skip-duplicate-check")), (note, None));
}

#[tokio::test]
async fn a_signed_request_signs_the_path_that_is_sent() {
    let server = espocrm(|_| answer(200, r#"{"id":"abc"}"#)).await;
    let credentials = Credentials::api_user(Secret::new("key123"), Some(Secret::new("secret456")));
    let timeout = Duration::from_secs(20);
    let client = Client::new(Options { base_url: server.url("/crm/api/v1"), credentials, timeout }).unwrap();
    client.get(E, "abc").await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.line(), "GET /crm/api/v1/CBeteiligte/abc");
    assert_eq!(
        seen.header("x-hmac-authorization"),
        Some("a2V5MTIzOmViNDVkNWFkODJmMDMyMDIzMDRlNzBlYjIzODlmM2M5YTMyNmJlM2QzNzJmZjQ5NjYxNjJiOWIwYmRkN2U3YmQ=")
    );
    assert_eq!(seen.header("x-api-key"), None);
}

#[tokio::test]
async fn lists_go_through_search_params() {
    let server = espocrm(|seen| {
        let total = if seen.header("x-no-total") == Some("true") { -1 } else { 12 };
        answer(200, json!({ "total": total, "list": [{ "id": "a" }, { "id": "b" }] }).to_string())
    })
    .await;
    let client = client(&server);
    let mut search = Search { where_: vec![Where::equals("syncStatus", "dirty & ü")], ..Search::default() };
    let page = client.list(E, &search).await.unwrap();
    assert_eq!((page.total, page.list.len()), (Some(12), 2));
    search.no_total = true;
    assert_eq!(client.list(E, &search).await.unwrap().total, None);

    let sent = url::form_urlencoded::parse(server.seen()[0].uri.query().unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect::<Vec<_>>();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, "searchParams");
    assert_eq!(serde_json::from_str::<Value>(&sent[0].1).unwrap(), search.params());

    search.max_size = 201;
    assert!(matches!(client.list(E, &search).await, Err(Error::Invalid { .. })));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn answers_that_are_not_the_record_are_errors() {
    for body in ["", "[]", "true", "<html>", r#"{"lastName":"x"}"#, r#"{"id":""}"#, r#"{"id":7}"#, r#"{"id":"other"}"#]
    {
        let server = espocrm(move |_| answer(200, body)).await;
        let client = client(&server);
        for outcome in [client.get(E, "65a1").await, client.update(E, "65a1", &Record::new(), None).await] {
            let error = outcome.unwrap_err();
            assert!(error.effect_unknown() && !error.upstream_down(), "{body}: {error:?}");
            assert!(error.to_string().contains("CBeteiligte/65a1"), "{error}");
        }
        client.list(E, &Search::default()).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_missing_record_is_missing_only_when_espocrm_says_so() {
    let kind = async |reason: Option<&'static str>, status: u16, body: &'static str| {
        let server = espocrm(move |_| {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            if let Some(reason) = reason {
                response.headers_mut().insert("x-status-reason", reason.parse().unwrap());
            }
            response
        })
        .await;
        client(&server).get(E, "65a1").await.unwrap_err()
    };
    let error = kind(Some("Record 65a1 does not exist."), 404, "").await;
    assert!(matches!(error, Error::RecordMissing { .. }), "{error:?}");
    let error = kind(None, 404, "<html>nginx").await;
    assert!(matches!(error, Error::Misdirected { status: 404, .. }), "{error:?}");
    let error = kind(None, 403, "").await;
    assert!(matches!(error, Error::LockedOut { .. }) && error.retry_after() == Some(Duration::from_mins(1)));
    assert!(error.to_string().contains("wait a minute"), "{error}");
    let error = kind(Some("No read access."), 403, "").await;
    assert!(error.to_string().contains("No read access."), "{error}");
    assert!(kind(None, 401, "").await.is_configuration());
}

#[tokio::test]
async fn what_a_failure_means_for_a_write() {
    // (not sent, unknown, down)
    let check = async |base: Url, timeout: Duration, expected: (bool, bool, bool)| {
        let error = client_at(base, timeout).create(E, &Record::new(), false).await.unwrap_err();
        let not_sent = matches!(error, Error::NotSent { .. });
        assert_eq!((not_sent, error.effect_unknown(), error.upstream_down()), expected, "{error:?}");
        error
    };
    let long = Duration::from_secs(20);
    check(nobody("/api/v1").await, long, (true, false, true)).await;
    assert!(!check(StandIn::raw(b"").await.url("/api/v1"), long, (false, true, true)).await.may_yet_happen());
    let silent = StandIn::start(|_| std::future::pending()).await;
    let late = check(silent.url("/api/v1"), Duration::from_millis(200), (false, true, true)).await;
    assert!(late.may_yet_happen());
    for (status, may_yet_happen) in [(500, false), (502, false), (503, false), (504, true)] {
        let error = check(espocrm(move |_| answer(status, "")).await.url("/api/v1"), long, (false, true, true)).await;
        assert_eq!(error.may_yet_happen(), may_yet_happen, "{error:?}");
    }
    check(espocrm(|_| answer(400, "")).await.url("/api/v1"), long, (false, false, false)).await;
}

#[tokio::test]
async fn our_own_id_is_asked_for_once() {
    let server = espocrm(|_| answer(200, r#"{"user":{"id":"u1","userName":"sync"}}"#)).await;
    let client = client(&server);
    assert_eq!(client.own_user().await.unwrap(), "u1");
    assert_eq!(client.clone().own_user().await.unwrap(), "u1");
    assert_eq!(server.lines(), ["GET /api/v1/App/user"]);
    client.ping().await.unwrap();
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn a_base_that_is_not_the_api_is_refused() {
    let check = |base: &str, expected: bool| {
        let credentials = Credentials::ApiKey(Secret::new("k"));
        let options = Options { base_url: base.parse().unwrap(), credentials, timeout: Duration::from_secs(1) };
        assert_eq!(Client::new(options).is_ok(), expected, "{base}");
    };
    check("https://crm.example/api/v1", true);
    check("https://crm.example/x/api/v1/", true);
    check("https://crm.example", false);
    check("ftp://crm.example/api/v1", false);
}
