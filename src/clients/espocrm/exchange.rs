//! One request and its answer.

use std::time::Instant;

use chrono::Utc;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio_util::bytes::Bytes;
use url::Url;

use super::classify::Refusal;
use super::client::Client;
use super::error::Error;
use crate::clients::{Call, Cause, http, path};

/// What is to be sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// The parts of the path behind `/api/v1/`, not yet encoded.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, String)],
    pub(super) headers: HeaderMap,
    pub(super) body: Option<&'a Value>,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: &'a [&'a str]) -> Self {
        Self { method, path, query: &[], headers: HeaderMap::new(), body: None }
    }

    pub(super) fn call(&self) -> Call {
        Call { method: self.method.clone(), path: self.path.join("/") }
    }
}

impl Client {
    /// Sends once and reads the whole answer as JSON; anything but 2xx is an error.
    pub(super) async fn exchange(&self, request: Request<'_>) -> Result<Value, Error> {
        let call = request.call();
        let body = self.send(request).await?;
        http::json(&body).ok_or_else(|| unreadable(&call, &http::described(&body, &[])))
    }

    /// Sends once and reads the whole answer; anything but 2xx is an error.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Bytes, Error> {
        let shared = &self.shared;
        let timeout = shared.options.timeout;
        let call = request.call();
        let invalid = |reason: String| Error::Invalid { call: call.clone(), reason };

        let path = path::joined(request.path).map_err(invalid)?;
        let mut url = Url::parse(&format!("{}{path}", shared.base)).map_err(|error| invalid(error.to_string()))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let (name, value) = shared.options.credentials.header(&request.method, &path).map_err(|_| {
            Error::Configuration { message: "ESPOCRM_API_KEY holds characters that cannot be sent".to_owned() }
        })?;
        let mut sending = shared.connections.request(request.method, url).headers(request.headers);
        sending = sending.header(ACCEPT, HeaderValue::from_static("application/json")).header(name, value);
        if let Some(body) = request.body {
            sending = sending.json(body);
        }

        let started = Instant::now();
        let outcome = sending.send().await;
        let status = outcome.as_ref().ok().map(|answer| answer.status().as_u16());
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(method = %call.method, path = call.path, status, elapsed_ms, "espocrm call");

        let answer = match outcome.map_err(|error| http::transport(error, timeout)) {
            Ok(answer) => answer,
            Err(Ok(cause)) => return Err(Error::Unknown { call, cause }),
            Err(Err(cause)) => return Err(Error::NotSent { call, cause }),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = http::read(answer, http::MAX_ANSWER_BYTES, timeout).await;
        if !status.is_success() {
            // The status decides; a body that could not be read only has nothing to add.
            let body = body.unwrap_or_default();
            let reason = headers.get("x-status-reason").map(|value| http::text(value.as_bytes()));
            let reason = reason.filter(|reason| !reason.trim().is_empty());
            let retry_after = http::retry_after(&headers, Utc::now());
            let hidden = http::sent_texts(request.body);
            return Err(Refusal { status, reason, body: &body, retry_after, hidden: &hidden }.into_error(call));
        }
        body.map_err(|cause| Error::Unknown { call, cause })
    }
}

/// A 2xx answer that is not what was promised: for a write, its effect is unknown.
pub(super) fn unreadable(call: &Call, came: &str) -> Error {
    Error::Unknown { call: call.clone(), cause: Cause::Unreadable(came.to_owned()) }
}
