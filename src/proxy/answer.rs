//! Answers of our own: `{"error":{"code","message"}}`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::json;

use crate::callers;
use crate::clients::advoware::Error;

/// A place is free again after a call, so soon.
const BUSY_SECONDS: u64 = 1;

/// A request that gets no answer from Advoware.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Use GET, POST, PUT or DELETE.")
            .with(ALLOW, HeaderValue::from_static("GET, POST, PUT, DELETE"))
    }

    pub(super) fn path(why: &str) -> Self {
        let message = format!("The path does not lead to Advoware's data: {why}.");
        Self::new(StatusCode::BAD_REQUEST, "bad_path", message)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("The body is longer than {limit} bytes (ADVOSYNC_MAX_BODY_BYTES); nothing was sent.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    pub(super) fn broken(error: &axum::Error) -> Self {
        let message = format!("The body ended before it was complete ({error}); nothing was sent.");
        Self::new(StatusCode::BAD_REQUEST, "body_unreadable", message)
    }

    pub(super) fn slow(limit: Duration) -> Self {
        let message = format!("The body was not here within {} seconds; nothing was sent.", limit.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
    }

    pub(super) fn answer_too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "answer_too_large",
            format!("Advoware's answer is longer than {limit} bytes."),
        )
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<callers::Refusal> for Refusal {
    fn from(refusal: callers::Refusal) -> Self {
        Self { header: refusal.header(), ..Self::new(refusal.status(), refusal.code(), refusal.message()) }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            Error::WriteProtected { .. } => (StatusCode::FORBIDDEN, "write_protected"),
            Error::Busy { .. } => (StatusCode::TOO_MANY_REQUESTS, "busy"),
            Error::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "bad_path"),
            Error::TokenStore { .. } => (StatusCode::SERVICE_UNAVAILABLE, "token_store_unavailable"),
            Error::Configuration { .. } => (StatusCode::BAD_GATEWAY, "advoware_misconfigured"),
            error if error.timed_out() => (StatusCode::GATEWAY_TIMEOUT, "advoware_timeout"),
            _ => (StatusCode::BAD_GATEWAY, "advoware_unreachable"),
        };
        let refusal = Self::new(status, code, format!("{error}."));
        let wait = match &error {
            Error::Busy { .. } => Some(BUSY_SECONDS),
            error => error.retry_after().map(|wait| wait.as_secs().max(1)),
        };
        match wait {
            Some(seconds) => refusal.with(RETRY_AFTER, seconds),
            None => refusal,
        }
    }
}
