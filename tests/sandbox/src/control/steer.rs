//! Log, options, faults, gates, deliveries and time.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{Fault, Hold, Match, Phase};
use crate::options::Options;
use crate::server::Shared;
use crate::webhooks::deliver::Run;

type Steered = State<Arc<Shared>>;

#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    since: u64,
}

pub(super) async fn effects(State(shared): Steered, Query(Since { since }): Query<Since>) -> Response {
    Json(shared.world().log.effects_since(since)).into_response()
}

pub(super) async fn calls(State(shared): Steered) -> Response {
    Json(shared.world().log.calls()).into_response()
}

pub(super) async fn counts(State(shared): Steered) -> Response {
    Json(shared.world().log.counts()).into_response()
}

pub(super) async fn reset(State(shared): Steered) -> StatusCode {
    shared.world().log.reset();
    StatusCode::NO_CONTENT
}

pub(super) async fn env(State(shared): Steered) -> String {
    crate::env::file(&shared.world())
}

pub(super) async fn options(State(shared): Steered) -> Response {
    Json(&shared.world().options).into_response()
}

/// Merges a part of the options into those that stand, field by field.
pub(super) async fn configure(State(shared): Steered, Json(part): Json<Value>) -> Response {
    let mut world = shared.world();
    let mut whole = serde_json::to_value(&world.options).unwrap_or_default();
    merge(&mut whole, part);
    match serde_json::from_value::<Options>(whole) {
        Ok(options) => {
            world.options = options;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

pub(super) async fn faults(State(shared): Steered) -> Response {
    Json(shared.world().faults.listed()).into_response()
}

/// One rule or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Script {
    Many(Vec<Fault>),
    One(Box<Fault>),
}

pub(super) async fn plant(State(shared): Steered, Json(script): Json<Script>) -> StatusCode {
    let mut world = shared.world();
    match script {
        Script::Many(rules) => rules.into_iter().for_each(|rule| world.faults.plant(rule)),
        Script::One(rule) => world.faults.plant(*rule),
    }
    StatusCode::CREATED
}

pub(super) async fn clear_faults(State(shared): Steered) -> StatusCode {
    shared.world().faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
pub(super) struct NewGate {
    #[serde(flatten)]
    target: Match,
    phase: Phase,
    #[serde(default = "first")]
    nth: u64,
}

fn first() -> u64 {
    1
}

pub(super) async fn gate(State(shared): Steered, Json(wanted): Json<NewGate>) -> Response {
    let (hold, gate) = Hold::pair(wanted.target, wanted.phase, wanted.nth);
    shared.world().faults.hold(hold);
    let mut gates = shared.gates.lock().unwrap_or_else(PoisonError::into_inner);
    gates.push(gate);
    (StatusCode::CREATED, Json(json!({"gate": gates.len() - 1}))).into_response()
}

pub(super) async fn gate_state(State(shared): Steered, Path(index): Path<usize>) -> Response {
    let gates = shared.gates.lock().unwrap_or_else(PoisonError::into_inner);
    match gates.get(index) {
        Some(gate) => Json(json!({"arrived": gate.has_arrived()})).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn release(State(shared): Steered, Path(index): Path<usize>) -> StatusCode {
    let gates = shared.gates.lock().unwrap_or_else(PoisonError::into_inner);
    match gates.get(index) {
        Some(gate) => {
            gate.release();
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

#[derive(Deserialize)]
pub(super) struct Extent {
    #[serde(default)]
    all: bool,
}

pub(super) async fn deliver(State(shared): Steered, Query(Extent { all }): Query<Extent>) -> Json<Run> {
    let run = if all { shared.sender.run_all(&shared).await } else { shared.sender.run(&shared).await };
    Json(run)
}

pub(super) async fn webhooks(State(shared): Steered) -> Response {
    Json(shared.world().hooks.hooks()).into_response()
}

pub(super) async fn forget_webhooks(State(shared): Steered) -> StatusCode {
    shared.world().hooks.forget();
    StatusCode::NO_CONTENT
}

pub(super) async fn revoke_tokens(State(shared): Steered) -> StatusCode {
    let mut world = shared.world();
    world.advoware.tokens.revoke_all();
    world.google.tokens.revoke_all();
    StatusCode::NO_CONTENT
}

pub(super) async fn expire_sync_tokens(State(shared): Steered) -> StatusCode {
    shared.world().google.expire_sync_tokens();
    StatusCode::NO_CONTENT
}

pub(super) async fn push(State(shared): Steered) -> Response {
    Json(crate::google::push::run(&shared).await).into_response()
}

#[derive(Deserialize)]
pub(super) struct Leap {
    seconds: u32,
}

pub(super) async fn advance(State(shared): Steered, Json(Leap { seconds }): Json<Leap>) -> StatusCode {
    shared.world().clock.advance(TimeDelta::seconds(i64::from(seconds)));
    StatusCode::NO_CONTENT
}
