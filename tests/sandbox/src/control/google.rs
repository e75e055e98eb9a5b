//! Google's calendars, read and written as the employee.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::people::{found, people};
use crate::Fields;
use crate::people::Refused;
use crate::server::Shared;

type Asked = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/google", get(calendars).post(create_calendar))
        .route("/google/{calendar}", axum::routing::delete(delete_calendar))
        .route("/google/{calendar}/acl", get(acl))
        .route("/google/{calendar}/instances", get(instances))
        .route("/google/{calendar}/events", get(events).post(create))
        .route("/google/{calendar}/events/{event}", get(event).put(update).delete(delete))
        .route("/google/{calendar}/events/{event}/{day}", put(edit_instance).delete(cancel_instance))
}

/// Every calendar with its ACL and live events, the channels, and who got an e-mail.
pub(super) fn state(shared: &Arc<Shared>) -> Value {
    let people = people(shared);
    let calendars = people.google_calendars().into_iter().map(|calendar| {
        let id = calendar.get("id").and_then(Value::as_str).unwrap_or_default();
        let (acl, events) = (people.google_acl(id), people.google_events(id));
        json!({"calendar": calendar, "acl": acl, "events": events})
    });
    let calendars: Vec<Value> = calendars.collect();
    json!({"calendars": calendars, "channels": shared.world().google.channels, "mails": people.google_mails()})
}

async fn calendars(State(shared): Asked) -> Json<Vec<Fields>> {
    Json(people(&shared).google_calendars())
}

#[derive(Deserialize)]
struct NewCalendar {
    summary: String,
}

async fn create_calendar(State(shared): Asked, Json(wanted): Json<NewCalendar>) -> Result<Response, Refused> {
    let id = people(&shared).google_create_calendar(&wanted.summary)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

async fn delete_calendar(State(shared): Asked, Path(calendar): Path<String>) -> Result<StatusCode, Refused> {
    people(&shared).google_delete_calendar(&calendar).map(|()| StatusCode::NO_CONTENT)
}

async fn acl(State(shared): Asked, Path(calendar): Path<String>) -> Json<Vec<Fields>> {
    Json(people(&shared).google_acl(&calendar))
}

#[derive(Deserialize)]
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

async fn instances(State(shared): Asked, Path(calendar): Path<String>, Query(span): Query<Span>) -> Json<Vec<Fields>> {
    Json(people(&shared).google_instances(&calendar, span.from, span.to))
}

async fn events(State(shared): Asked, Path(calendar): Path<String>) -> Json<Vec<Fields>> {
    Json(people(&shared).google_events(&calendar))
}

async fn create(
    State(shared): Asked,
    Path(calendar): Path<String>,
    Json(values): Json<Value>,
) -> Result<Response, Refused> {
    let id = people(&shared).google_create(&calendar, &values)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

type OfEvent = Path<(String, String)>;

async fn event(State(shared): Asked, Path((calendar, event)): OfEvent) -> Response {
    found(people(&shared).google_get(&calendar, &event))
}

async fn update(
    State(shared): Asked,
    Path((calendar, event)): OfEvent,
    Json(values): Json<Value>,
) -> Result<Json<Fields>, Refused> {
    people(&shared).google_update(&calendar, &event, &values).map(Json)
}

async fn delete(State(shared): Asked, Path((calendar, event)): OfEvent) -> Result<StatusCode, Refused> {
    people(&shared).google_delete(&calendar, &event).map(|()| StatusCode::NO_CONTENT)
}

type OfInstance = Path<(String, String, NaiveDate)>;

async fn edit_instance(
    State(shared): Asked,
    Path((calendar, series, day)): OfInstance,
    Json(values): Json<Value>,
) -> Result<Json<Fields>, Refused> {
    people(&shared).google_edit_instance(&calendar, &series, day, &values).map(Json)
}

async fn cancel_instance(
    State(shared): Asked,
    Path((calendar, series, day)): OfInstance,
) -> Result<StatusCode, Refused> {
    people(&shared).google_cancel_instance(&calendar, &series, day).map(|()| StatusCode::NO_CONTENT)
}
