//! `POST /vmh/webhook/<entity>/<action>`: `EspoCRM` says that something happened to records.
//!
//! Every answer is chosen by what `EspoCRM` makes of it (contract `EspoCRM`, "What our answer does"): 503 while Redis
//! cannot take the jobs, because it tries again after that; 400 only for what can never be accepted.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use super::answer::ApiError;
use super::events::{self, Events};
use super::signature;
use super::state::App;
use crate::queue::{Batch, Lane, RecordAction, Topic};

/// Ids that one call takes. `EspoCRM` sends at most 50; the bound keeps a huge request from holding up Redis.
const AT_ONCE: usize = 10_000;

#[derive(Debug, Serialize)]
pub(super) struct Receipt {
    status: &'static str,
    action: &'static str,
    new_ids_count: usize,
    total_ids_in_batch: usize,
    #[serde(skip_serializing_if = "is_zero")]
    rejected_count: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub(super) async fn receive(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Json<Receipt>, ApiError> {
    let (head, body) = request.into_parts();
    let body = app.reader.read(body).await?;
    let (entity, action) = path.ok().and_then(|Path(names)| known(&app.options.entities, &names)).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "unknown_webhook",
            "no mapping has this entity, or the action is none of create, update and delete: correct the webhook's address",
        )
    })?;
    check_signature(&app, &head.headers, body.bytes())?;
    let Events { ids, rejected } = events::read(body.bytes()).map_err(|why| {
        tracing::warn!(entity, action = action.name(), code = why.code(), "webhook refused, its body is unusable");
        ApiError::bad_request(why.code(), why.to_string())
    })?;
    if rejected > 0 {
        metrics::counter!("advosync_webhook_rejected_elements_total", "entity" => entity.clone())
            .increment(rejected as u64);
        tracing::warn!(
            entity,
            action = action.name(),
            rejected,
            "elements of a webhook have no valid id and were left out"
        );
    }
    let trace = app.trace();
    let topic = Topic::record(&entity, action);
    let mut new = 0;
    for keys in ids.chunks(AT_ONCE) {
        let batch = Batch { traceparent: trace.as_deref(), ..Batch::new(topic.clone(), Lane::First, keys, "webhook") };
        new += app.enqueue(&batch).await?.new.len();
    }
    tracing::info!(entity, action = action.name(), new, total = ids.len(), rejected, "webhook received");
    Ok(Json(Receipt {
        status: "received",
        action: action.name(),
        new_ids_count: new,
        total_ids_in_batch: ids.len(),
        rejected_count: rejected,
    }))
}

fn known(entities: &[String], (entity, action): &(String, String)) -> Option<(String, RecordAction)> {
    let action = match RecordAction::parse(action)? {
        RecordAction::SyncCheck => return None,
        event => event,
    };
    entities.contains(entity).then(|| (entity.clone(), action))
}

fn check_signature(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let Some(secrets) = &app.options.webhook_secrets else { return Ok(()) };
    signature::verify(secrets, headers, body).map_err(|refusal| {
        if let Some(unsaid) = app.refusals.may_speak(Instant::now()) {
            tracing::warn!(%refusal, unsaid, "webhook refused, its signature is not accepted");
        }
        ApiError::new(StatusCode::UNAUTHORIZED, "bad_signature", refusal.to_string())
    })
}
