//! The records of all systems, read and written as a person.
//!
//! The handlers use [`People`], so they log and fire webhooks as its methods do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Fields;
use crate::people::{People, Refused};
use crate::server::Shared;

type Asked = State<Arc<Shared>>;

pub(super) fn people(shared: &Arc<Shared>) -> People<'_> {
    People::new(shared)
}

pub(super) fn found(record: Option<Fields>) -> Response {
    record.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |record| Json(record).into_response())
}

/// All records of all systems.
pub(super) async fn state(State(shared): Asked) -> Json<Value> {
    let (entities, resources) = {
        let world = shared.world();
        let entities: Vec<String> = world.options.espocrm.entities.iter().map(|entity| entity.name.clone()).collect();
        let resources: Vec<String> =
            world.options.advoware.resources.iter().map(|resource| resource.name.clone()).collect();
        (entities, resources)
    };
    let people = people(&shared);
    let espocrm: Fields = entities.into_iter().map(|name| (name.clone(), json!(people.crm_list(&name)))).collect();
    let advoware: Fields =
        resources.into_iter().map(|name| (name.clone(), json!(people.advoware_list(&name)))).collect();
    let google = super::google::state(&shared);
    let world = shared.world();
    let (notes, waiting, given_up) = (&world.espocrm.notes, world.hooks.waiting(), &world.hooks.given_up);
    Json(json!({
        "espocrm": espocrm, "advoware": advoware, "google": google, "notes": notes,
        "webhooks_waiting": waiting, "webhooks_given_up": given_up,
    }))
}

pub(super) async fn crm_list(State(shared): Asked, Path(entity): Path<String>) -> Json<Vec<Fields>> {
    Json(people(&shared).crm_list(&entity))
}

pub(super) async fn crm_get(State(shared): Asked, Path((entity, id)): Path<(String, String)>) -> Response {
    found(people(&shared).crm_get(&entity, &id))
}

pub(super) async fn crm_create(
    State(shared): Asked,
    Path(entity): Path<String>,
    Json(values): Json<Value>,
) -> Result<Response, Refused> {
    let id = people(&shared).crm_create(&entity, &values)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

pub(super) async fn crm_update(
    State(shared): Asked,
    Path((entity, id)): Path<(String, String)>,
    Json(values): Json<Value>,
) -> Result<Json<Fields>, Refused> {
    people(&shared).crm_update(&entity, &id, &values).map(Json)
}

pub(super) async fn crm_delete(
    State(shared): Asked,
    Path((entity, id)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    people(&shared).crm_delete(&entity, &id).map(|()| StatusCode::NO_CONTENT)
}

pub(super) async fn advoware_list(State(shared): Asked, Path(resource): Path<String>) -> Json<Vec<Fields>> {
    Json(people(&shared).advoware_list(&resource))
}

pub(super) async fn advoware_get(State(shared): Asked, Path((resource, number)): Path<(String, i64)>) -> Response {
    found(people(&shared).advoware_get(&resource, number))
}

pub(super) async fn lawyer_create(
    State(shared): Asked,
    Path(resource): Path<String>,
    Json(values): Json<Value>,
) -> Result<Response, Refused> {
    let number = people(&shared).lawyer_create(&resource, &values)?;
    Ok((StatusCode::CREATED, Json(json!({"number": number}))).into_response())
}

pub(super) async fn lawyer_update(
    State(shared): Asked,
    Path((resource, number)): Path<(String, i64)>,
    Json(values): Json<Value>,
) -> Result<Json<Fields>, Refused> {
    people(&shared).lawyer_update(&resource, number, &values).map(Json)
}

pub(super) async fn lawyer_delete(
    State(shared): Asked,
    Path((resource, number)): Path<(String, i64)>,
) -> Result<StatusCode, Refused> {
    people(&shared).lawyer_delete(&resource, number).map(|()| StatusCode::NO_CONTENT)
}
