//! What monitors ask: alive, ready, metrics. Every role has these.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};

use super::answer::ApiError;
use crate::queue::Queue;

/// A monitor gets its answer within this time.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Renders all metrics in Prometheus' text format.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// What the routes for monitors need.
#[derive(Clone)]
pub struct OpsOptions {
    /// Asked whether it is ready.
    pub queue: Queue,
    /// The metrics.
    pub metrics: Render,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn ops_router(options: OpsOptions) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(options)
}

async fn ready(State(options): State<OpsOptions>) -> Result<Json<Value>, ApiError> {
    let why = match tokio::time::timeout(READY_WITHIN, options.queue.ready()).await {
        Ok(Ok(())) => return Ok(Json(json!({ "status": "ready" }))),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "redis did not answer within 2 seconds; check that it runs and that REDIS_URL is right".to_owned(),
    };
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why))
}

async fn render(State(options): State<OpsOptions>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], (options.metrics)())
}
