//! A calendar trigger is understood or refused: never somebody else's calendar, never a Kürzel that is none.

use axum::http::{Method, Uri};
use serde_json::{Value, json};

use crate::harness::{run, runtime};
use crate::json::{Json, read};
use crate::redis::Redis;
use crate::requests::{MOST, ingress, send};

const PENDING: &str = "calendar_sync:pending";

#[test]
fn a_trigger_names_one_calendar_or_all_or_is_refused() {
    let runtime = runtime();
    let mut redis = runtime.block_on(Redis::start());
    let routes = ingress(&redis.queue);
    run("trigger_body", 2_500, |body| {
        runtime.block_on(async {
            redis.ask::<()>(&["DEL", PENDING, "jobs:calendar"]).await;
            let answer = send(&routes, Method::POST, Uri::from_static("/advoware/calendar/sync"), body).await;
            let queued: Vec<String> = redis.ask(&["SMEMBERS", PENDING]).await;
            let jobs: usize = redis.ask(&["XLEN", "jobs:calendar"]).await;
            let status = answer.status.as_u16();
            assert_eq!(body.len() > MOST, status == 413, "{status} for {} bytes", body.len());
            let asked = asked(body);
            match status {
                200 => {
                    let said = answer.json();
                    let kuerzel = said["kuerzel"].as_str().unwrap().to_owned();
                    assert!(is_kuerzel(&kuerzel), "{said}");
                    assert_eq!(
                        said,
                        json!({
                            "status": "triggered", "kuerzel": kuerzel,
                            "message": format!("Calendar sync triggered for {kuerzel}"),
                        })
                    );
                    assert_eq!((queued, jobs), (vec![kuerzel.clone()], 1), "{said}");
                    let right = match asked {
                        Asked::For(meant) => meant == kuerzel,
                        Asked::Nothing => false,
                        Asked::Unclear => true,
                    };
                    assert!(right, "{said}");
                }
                400 | 413 => {
                    let code = answer.code();
                    assert!(queued.is_empty() && jobs == 0, "{code}, but {queued:?} was queued");
                    // Of two fields of one name a tree of values shows only the last.
                    let twice = code == "not_json";
                    assert!(twice || status == 413 || !matches!(asked, Asked::For(_)), "{code}");
                }
                _ => panic!("{status}: {}", answer.body.escape_ascii()),
            }
        });
    });
}

/// What a body asks for.
enum Asked {
    /// This calendar, or all.
    For(String),
    /// Nothing that can be done.
    Nothing,
    /// This reader cannot tell.
    Unclear,
}

fn asked(body: &[u8]) -> Asked {
    if body.trim_ascii().is_empty() {
        return Asked::For("ALL".to_owned());
    }
    let value = match read(body) {
        Json::Is(value) => value,
        Json::Beyond => return Asked::Unclear,
        Json::Not => return Asked::Nothing,
    };
    let mode = matches!(value.get("full_content"), None | Some(Value::Null | Value::Bool(_)));
    let kuerzel = match (&value, value.get("kuerzel")) {
        (Value::Object(_), None | Some(Value::Null)) => Some("ALL".to_owned()),
        (Value::Object(_), Some(Value::String(text))) if text.eq_ignore_ascii_case("all") => Some("ALL".to_owned()),
        (Value::Object(_), Some(Value::String(text))) => Some(text.clone()).filter(|text| is_kuerzel(text)),
        _ => None,
    };
    kuerzel.filter(|_| mode).map_or(Asked::Nothing, Asked::For)
}

fn is_kuerzel(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic() || c.is_ascii_digit() || *c == '_' || *c == '-').count();
    (1..=20).contains(&letters) && letters == text.chars().count()
}
