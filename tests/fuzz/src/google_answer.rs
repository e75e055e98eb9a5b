//! Whatever Google answers is classified: never a panic, never a success that the answer does not say, never a secret in an
//! error.

use std::sync::Arc;
use std::time::Duration;

use advosync::clients::google::{Client, Error, Event, NoLimiter, Options};
use serde_json::{Value, json};
use url::Url;

use crate::harness::{run, runtime};
use crate::upstream::{Answer, TOKEN, Upstream};

/// Made for tests and known to nobody else.
const KEY: &str = include_str!("../../../src/clients/google/test_key.pem");
const SECRET: &str = "t0ken-of-the-tests";
/// Characters of a sentence: 200 of the answer, and ours around them.
const LONGEST_ERROR: usize = 600;

/// An input is an answer, as [`Answer::of`] reads it.
#[test]
fn an_answer_of_google_is_never_taken_for_another() {
    let runtime = runtime();
    let upstream = runtime.block_on(Upstream::start());
    let client = client(&upstream);
    let new = json!({ "id": "adv1", "summary": "x" }).as_object().unwrap().clone();
    run("google_answer", 150, |input| {
        let answer = Answer::of(input);
        upstream.says(answer.clone());
        let body = answer.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&answer.body);
        let json: Option<Value> = serde_json::from_slice(body).ok().filter(|_| answer.is_success() && !answer.cut);
        let object = json.as_ref().and_then(Value::as_object);
        runtime.block_on(async {
            for token in [None, Some("old")] {
                let listed = judged(&answer, client.list("c", token).await);
                if let Some(listing) = listed {
                    let items = object.unwrap().get("items").and_then(Value::as_array);
                    let events: Vec<&Event> =
                        items.into_iter().flatten().map(|item| item.as_object().unwrap()).collect();
                    assert_eq!((listing.events.iter().collect::<Vec<_>>(), listing.pages), (events, 1));
                    assert_eq!(object.unwrap()["nextSyncToken"], json!(listing.next_sync_token));
                }
            }
            let got = judged(&answer, client.get("c", "adv1").await);
            let gone = matches!(answer.status, 404 | 410);
            assert_eq!(got.as_ref().and_then(Option::as_ref), object);
            assert!(got != Some(None) || gone, "an event that is there was taken for none");
            assert_eq!(judged(&answer, client.insert("c", &new).await).as_ref(), object);
            assert_eq!(judged(&answer, client.update("c", "adv1", "\"1\"", &new).await).as_ref(), object);
            judged(&answer, client.delete("c", "adv1", "\"1\"").await);
            let calendars = judged(&answer, client.calendars().await).unwrap_or_default();
            assert!(calendars.iter().all(|calendar| !calendar.id.is_empty()), "{calendars:?}");
            let made = judged(&answer, client.create_calendar("AW-SB", "Europe/Berlin").await);
            let id = object.and_then(|object| object.get("id")?.as_str()).filter(|id| !id.is_empty());
            assert_eq!(made.as_deref(), id);
        });
    });
}

fn client(upstream: &Upstream) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let service_account = folder.path().join("key.json");
    let token_uri = format!("{}{TOKEN}", upstream.origin);
    let key = json!({ "private_key": KEY, "client_email": "sync@x", "token_uri": token_uri });
    std::fs::write(&service_account, key.to_string()).unwrap();
    let options = Options {
        base_url: Url::parse(&format!("{}/v3/", upstream.origin)).unwrap(),
        service_account,
        subject: None,
        timeout: Duration::from_secs(4),
        backoff_unit: Duration::from_nanos(1),
    };
    Client::new(options, Arc::new(NoLimiter)).unwrap()
}

/// The result, after what holds for every call. That something is gone is a result of some calls.
fn judged<T>(answer: &Answer, result: Result<T, Error>) -> Option<T> {
    let arrives = answer.is_success() && !answer.cut;
    let error = match result {
        Ok(result) => {
            assert!(arrives || matches!(answer.status, 404 | 410), "a success of {answer:?}");
            return Some(result);
        }
        Err(error) => error,
    };
    let text = error.to_string();
    // The plain text of a 2xx is quoted as it stands.
    assert!(answer.is_success() || !text.contains(SECRET), "a secret: {text}");
    assert!(text.chars().count() <= LONGEST_ERROR && !text.contains(char::is_control), "{text:?}");
    match answer.status {
        200..400 | 408 | 500.. => assert!(error.effect_unknown(), "{}: {error:?}", answer.status),
        _ => assert!(!error.effect_unknown(), "{}: {error:?}", answer.status),
    }
    None
}
