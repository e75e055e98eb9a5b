//! Signing in, against a stand-in of Google's token address.

use base64::Engine as _;
use futures::future::join_all;

use super::*;

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
    let claims: Value = serde_json::from_slice(&claims).unwrap();
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
async fn many_callers_with_a_bad_key_are_one_sign_in() {
    let server = StandIn::start(|_| async { answer(400, r#"{"error":"invalid_grant"}"#) }).await;
    let client = client(&server);
    let outcomes = join_all((0..20).map(|_| client.ping())).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(Error::is_configuration)), "{outcomes:?}");
    assert_eq!(server.lines(), ["POST /token"]);
    client.ping().await.unwrap_err();
    assert_eq!(server.lines().len(), 2, "later callers try again");
}

#[tokio::test]
async fn a_sign_in_that_fails_in_passing_means_that_nothing_was_sent() {
    let data = says(200, "{}").await;
    let check = async |token: Url, timeout: Duration| {
        let client = keyed(&key(&token).to_string(), data.url("/v3/"), timeout, Arc::new(NoLimiter)).unwrap();
        let error = client.ping().await.unwrap_err();
        assert!(matches!(error, Error::NotSent { .. }) && error.upstream_down(), "{error:?}");
        assert!(error.to_string().contains("POST http://127.0.0.1:"), "{error}");
        error
    };
    let error = check(nobody("/token").await, LONG).await;
    assert!(matches!(error, Error::NotSent { cause: Cause::Connect(_), .. }), "{error:?}");
    let error = check(StandIn::raw(b"").await.url("/token"), LONG).await;
    assert!(matches!(error, Error::NotSent { cause: Cause::Cut(_), .. }), "{error:?}");
    let half = StandIn::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await;
    check(half.url("/token"), LONG).await;
    let silent = StandIn::start(|_| std::future::pending()).await;
    let error = check(silent.url("/token"), Duration::from_millis(200)).await;
    assert!(matches!(error, Error::NotSent { cause: Cause::Timeout(_), .. }), "{error:?}");
    for (status, body) in [(502, "<html>"), (200, "{}"), (503, r#"{"error":"internal_failure"}"#)] {
        check(StandIn::start(move |_| async move { answer(status, body) }).await.url("/token"), LONG).await;
    }
    assert_eq!(data.lines(), [""; 0]);
}

#[test]
fn key_files_are_judged_when_the_client_is_made() {
    let check = |text: &str, hint: &str| {
        let base = Url::parse("http://127.0.0.1:1/v3").unwrap();
        let error = keyed(text, base, LONG, Arc::new(NoLimiter)).err().unwrap();
        let told = error.to_string();
        assert!(error.is_configuration() && told.contains("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"), "{told}");
        assert!(told.contains(hint) && !told.contains("MIIEv"), "{told}");
    };
    let with = |name: &str, value: Value| {
        let mut key = key(&Url::parse("http://127.0.0.1:1/token").unwrap());
        key[name] = value;
        key.to_string()
    };
    check("", "no service account's key");
    check(&json!(KEY).to_string(), "no service account's key");
    check(&with("client_email", json!(17)), "no service account's key");
    check(&with("type", json!("authorized_user")), "another kind");
    check(&with("private_key", json!("-----BEGIN PRIVATE KEY-----\nMIIEv\n-----END PRIVATE KEY-----")), "no RSA key");
    check(&with("private_key", json!("MIIEv")), "no RSA key");
    check(&with("token_uri", json!("oauth2.example/token")), "token_uri");
    check(&with("token_uri", json!("file:///token")), "token_uri");
}

#[test]
fn a_missing_key_file_is_named_by_its_setting() {
    let base_url = Url::parse("http://127.0.0.1:1/v3").unwrap();
    let unit = Duration::from_secs(1);
    let options =
        Options { base_url, service_account: "/nowhere.json".into(), subject: None, timeout: LONG, backoff_unit: unit };
    let error = Client::new(options, Arc::new(NoLimiter)).err().unwrap();
    assert!(error.is_configuration() && error.to_string().contains("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"), "{error}");
}
