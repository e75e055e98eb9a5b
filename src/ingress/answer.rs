//! Errors as callers see them: `{"error":{"code":"…","message":"…"}}` (contract, section HTTP).

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::callers::Refusal;
use crate::queue::QueueError;

/// An answer that is an error. The code is stable; the message tells a person what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// An error with this status.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    /// 400: this request can never be accepted.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 503: Redis did not take the job. Never 502 or 429: `EspoCRM` would give up on its events for ever.
    #[must_use]
    pub fn queue(error: &QueueError) -> Self {
        let code = if error.is_unavailable() { "redis_unavailable" } else { "queue_error" };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, format!("nothing was accepted, send it again later: {error}"))
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": { "code": self.code, "message": self.message } }));
        let mut response = (self.status, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self { header: refusal.header(), ..Self::new(refusal.status(), refusal.code(), refusal.message()) }
    }
}
