//! What surrounds all routes of a process: answers for what is no route, panics, counting, the request's span.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::answer::ApiError;
use crate::telemetry::Hush;

/// Puts the edge around a process' routes, merged before: unknown routes, wrong methods and panics are answered in the
/// form of all errors, and requests are counted by route and status.
pub fn around(routes: Router) -> Router {
    routes
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such address here: check the path for slips")
        })
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take this method; the `Allow` header says which ones it takes",
            )
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observe))
}

/// How long a handler may take.
#[derive(Clone)]
pub(super) struct Deadline {
    within: Duration,
    late: Arc<Hush>,
}

impl Deadline {
    pub(super) fn new(within: Duration) -> Self {
        Self { within, late: Arc::default() }
    }
}

/// Answers 503 when a handler takes longer than this; the caller tries again.
pub(super) async fn deadline(State(limit): State<Deadline>, request: Request, next: Next) -> Response {
    tokio::time::timeout(limit.within, next.run(request)).await.unwrap_or_else(|_| {
        if let Some(unsaid) = limit.late.may_speak(Instant::now()) {
            tracing::warn!(unsaid, "a request was not done in time and is answered with 503");
        }
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "this took too long (a slow sender, or redis does not answer): send it again later",
        )
        .into_response()
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is given by the layer")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(message, "a handler panicked");
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "something went wrong here that should not: send it again later, and report what the log says",
    )
    .into_response()
}

async fn observe(request: Request, next: Next) -> Response {
    // The pattern, not the path: a path is the caller's choice, and each distinct label stays in memory.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = method_name(request.method());
    let started = Instant::now();
    let span = tracing::info_span!("request", method, route, caller = tracing::field::Empty);
    let response = next.run(request).instrument(span).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("advosync_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("advosync_http_request_seconds", "route" => route).record(started.elapsed());
    response
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
