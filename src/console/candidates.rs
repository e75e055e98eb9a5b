//! A record that no rule can match with a party: both sides side by side, and what a person decides.
//!
//! A worker looks at the record (an inspection, which writes nothing) and leaves its answer in Redis; the decision is a job
//! again, whose success resolves the letter.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::access::Visitor;
use super::actions::{Posted, may_act, own_form};
use super::letter::{GONE, Which, which};
use super::{Console, frame};
use crate::queue::{Batch, DeadLetter, Lane, QueueError, RecordAction, Topic};

/// The code of letters that wait for a decision.
pub(super) const NEEDS_PERSON: &str = "needs_person";
/// How long a page waits for a worker, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(100);
/// What says that the party is to be created.
const CREATE: &str = "create";

/// The record that a letter asks about: its entity and its key.
pub(super) fn asks_about(letter: &DeadLetter) -> Option<(String, String)> {
    let Topic::Record { entity, .. } = Topic::parse(letter.topic.as_deref()?) else { return None };
    (letter.code.as_deref() == Some(NEEDS_PERSON)).then_some((entity, letter.key.clone()?))
}

pub(super) async fn show(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    path: Which,
) -> Response {
    let (letter, entity, key) = match meant(&console, path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    match look(&console, &entity, &key).await {
        Ok(Some(answer)) => {
            frame::page(&console, &visitor, "Which party is it?", &render(&console, &visitor, &letter, &answer))
        }
        Ok(None) => {
            let what = html! { p { "No worker has answered within " (PATIENCE.as_secs()) " seconds. Does one run? Reload this page then." } };
            frame::message(StatusCode::SERVICE_UNAVAILABLE, "Nobody answers", &what)
        }
        Err(error) => frame::failed(&error),
    }
}

pub(super) async fn decide(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    path: Which,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let decision = posted.as_ref().map(|form| form.decision.trim().to_owned()).unwrap_or_default();
    if let Err(answer) = may_act(&visitor) {
        return answer;
    }
    if let Err(answer) = own_form(&console, &visitor, &headers, posted) {
        return answer;
    }
    let (letter, entity, key) = match meant(&console, path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    if decision.is_empty() {
        let what = html! { p { "Say which party it is, or that it is to be created." } };
        return frame::message(StatusCode::BAD_REQUEST, "Nothing was decided", &what);
    }
    let words = if decision == CREATE { json!(CREATE) } else { json!({ "this": decision }) };
    let payload = json!({ "decision": words }).to_string();
    let (topic, keys) = (Topic::record(&entity, RecordAction::SyncCheck), [key]);
    let batch = Batch { payload: Some(&payload), ..Batch::new(topic, Lane::First, &keys, "console") };
    match console.options.queue.enqueue(&batch).await {
        Ok(_) => {
            tracing::info!(letter, record = keys[0], caller = visitor.name(), "a person has decided about a record");
            Redirect::to("/console/dead?done=decided").into_response()
        }
        Err(error) => frame::failed(&error),
    }
}

/// The letter that an address means, if it asks about a record.
async fn meant(console: &Console, path: Which) -> Result<(String, String, String), Response> {
    let (flow, id) = which(path).ok_or_else(|| frame::not_found(GONE))?;
    let letter = console.options.queue.dead_letter(flow, &id).await.map_err(|error| frame::failed(&error))?;
    let letter = letter.ok_or_else(|| frame::not_found(GONE))?;
    let (entity, key) = asks_about(&letter).ok_or_else(|| frame::not_found("This letter asks for no decision."))?;
    Ok((format!("{flow}/{id}"), entity, key))
}

/// Has a worker look at the record, and waits for its answer.
async fn look(console: &Console, entity: &str, key: &str) -> Result<Option<Value>, QueueError> {
    let queue = &console.options.queue;
    let topic = Topic::Inspect { entity: entity.to_owned() };
    let keys = [key.to_owned()];
    queue.enqueue(&Batch::new(topic.clone(), Lane::First, &keys, "console")).await?;
    let by = Instant::now() + PATIENCE;
    while Instant::now() < by {
        if let Some(answer) = queue.take_inspection(&topic, key).await? {
            return Ok(serde_json::from_str(&answer).ok());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(None)
}

fn render(console: &Console, visitor: &Visitor, letter: &str, answer: &Value) -> Markup {
    let candidates = answer["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields = answer["fields"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let ask = answer["would"]["ask_a_person"].as_str();
    let address = format!("/console/dead/{letter}/decide");
    let form = |decision: &str, label: &str| {
        html! {
            form.inline method="post" action=(address) {
                (frame::form_key(console, visitor))
                input type="hidden" name="decision" value=(decision);
                button { (label) }
            }
        }
    };
    html! {
        @match ask {
            Some(why) => p { (why) "." },
            None => p.good { "Nobody has to decide any more; a replay would do this: " code { (answer["would"].to_string()) } }
        }
        table {
            tr {
                th {} th { "EspoCRM" }
                @for candidate in candidates { th { "Advoware " (text(&candidate["number"])) } }
            }
            @for name in fields {
                tr {
                    th { (name) } td { (text(&answer["espocrm"][name])) }
                    @for candidate in candidates { td { (text(&candidate["advoware"][name])) } }
                }
            }
            tr {
                th { "belongs to" } td { "–" }
                @for candidate in candidates { td { (text(&candidate["owner"])) } }
            }
            @if ask.is_some() && visitor.may_act() {
                tr {
                    th {} td { (form(CREATE, "None of them: create it")) }
                    @for candidate in candidates {
                        td { @if candidate["owner"].is_null() { (form(&text(&candidate["number"]), "This one")) } }
                    }
                }
            }
        }
        p.soft { "To leave it as it is, discard the " a href=(format!("/console/dead/{letter}")) { "letter" } "." }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
