//! A webhook's body is taken, or refused for good: never a panic, never half, never an id that is none.

use std::collections::BTreeSet;

use axum::http::{Method, Uri};
use serde_json::{Value, json};

use crate::harness::{run, runtime};
use crate::json::{Json, read};
use crate::redis::Redis;
use crate::requests::{MOST, ingress, send};

const PENDING: &str = "vmh:beteiligte:update_pending";

#[test]
fn a_webhook_is_taken_whole_or_refused() {
    let runtime = runtime();
    let mut redis = runtime.block_on(Redis::start());
    let routes = ingress(&redis.queue);
    run("webhook_body", 5_000, |body| {
        runtime.block_on(async {
            redis.ask::<()>(&["DEL", PENDING, "jobs:vmh"]).await;
            let target = Uri::from_static("/vmh/webhook/beteiligte/update");
            let answer = send(&routes, Method::POST, target, body).await;
            let queued: BTreeSet<String> = redis.ask(&["SMEMBERS", PENDING]).await;
            let jobs: usize = redis.ask(&["XLEN", "jobs:vmh"]).await;
            let status = answer.status.as_u16();
            assert_eq!(body.len() > MOST, status == 413, "{status} for {} bytes", body.len());
            match status {
                200 => {
                    let receipt = answer.json();
                    assert_eq!(receipt["new_ids_count"], json!(queued.len()), "{receipt}");
                    assert_eq!(receipt["total_ids_in_batch"], json!(queued.len()), "{receipt}");
                    assert_eq!(jobs, queued.len(), "{receipt}");
                    assert!(queued.iter().all(|id| is_id(id)), "{queued:?}");
                    let rejected = receipt.get("rejected_count").and_then(Value::as_u64).unwrap_or(0);
                    match read(body) {
                        Json::Is(value) => {
                            let (ids, bad) = said(&value).unwrap();
                            assert_eq!((&queued, rejected), (&ids, bad), "{receipt}");
                        }
                        Json::Beyond => {}
                        Json::Not => panic!("taken though it is no JSON: {receipt}"),
                    }
                }
                400 | 413 => {
                    let code = answer.code();
                    assert!(queued.is_empty() && jobs == 0, "{code}, but {queued:?} was queued");
                    let expected: &[&str] = match read(body) {
                        _ if status == 413 => &["body_too_large"],
                        Json::Is(value) => said(&value).unwrap_err(),
                        // Half a character within a text may be looked at, or passed over.
                        Json::Beyond => &["not_json", "no_valid_id", "not_an_array"],
                        Json::Not => &["not_json"],
                    };
                    assert!(expected.contains(&code.as_str()), "{code}, not {expected:?}");
                }
                _ => panic!("{status}: {}", answer.body.escape_ascii()),
            }
        });
    });
}

/// The distinct ids of a body and how many elements have none; or how it is refused.
fn said(body: &Value) -> Result<(BTreeSet<String>, u64), &'static [&'static str]> {
    let elements = match body {
        Value::Array(elements) => elements.as_slice(),
        Value::Object(_) => std::slice::from_ref(body),
        _ => return Err(&["not_an_array"]),
    };
    let (mut ids, mut bad) = (BTreeSet::new(), 0);
    for element in elements {
        match element.get("id").and_then(Value::as_str).filter(|id| is_id(id)) {
            Some(id) => drop(ids.insert(id.to_owned())),
            None => bad += 1,
        }
    }
    if ids.is_empty() && bad > 0 { Err(&["no_valid_id"]) } else { Ok((ids, bad)) }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}
