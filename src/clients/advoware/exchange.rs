//! One request and its answer: write protection, permit, token, and the one repeat after a 401.

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::bytes::Bytes;

use super::address;
use super::classify::{Refusal, configuration};
use super::client::Client;
use super::error::Error;
use crate::clients::{Call, Cause, Secret, http};

/// What is to be sent.
pub(super) struct Request {
    pub(super) call: Call,
    /// Path and query below the base, encoded.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    /// A request with a JSON body, or none.
    pub(super) fn json(call: Call, target: String, body: Option<&Value>) -> Self {
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            bytes = body.to_string().into();
        }
        Self { call, target, headers, body: bytes }
    }
}

impl Client {
    /// Sends and reads a whole answer; anything but 2xx is an error.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Bytes, Error> {
        self.check_protection(&request.call)?;
        // Never closed, so an error cannot happen; it would be told as "busy".
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await.map_err(|_| self.busy())?;
        let (answer, token) = self.sent(request).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = http::read(answer, http::MAX_ANSWER_BYTES, self.shared.options.timeout).await;
        drop(permit);
        if status.is_success() {
            return body.map_err(|cause| Error::Unknown { call: request.call.clone(), cause });
        }
        // The status decides; a body that could not be read only has nothing to add.
        let body = body.unwrap_or_default();
        let retry_after = http::retry_after(&headers, Utc::now());
        let (options, sent) = (&self.shared.options, http::json(&request.body));
        let secrets = [token.expose(), options.password.expose(), options.api_key.expose()];
        let hidden = [&secrets, http::sent_texts(sent.as_ref()).as_slice()].concat();
        let refusal = Refusal { status, body: &body, retry_after, hidden: &hidden };
        Err(refusal.of_call(request.call.clone()))
    }

    /// A permit without waiting.
    pub(super) fn permit_now(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.shared.permits).try_acquire_owned().map_err(|_| self.busy())
    }

    fn busy(&self) -> Error {
        Error::Busy { limit: self.shared.options.max_concurrency.min(Semaphore::MAX_PERMITS) }
    }

    /// Refuses every method but GET while write protection is on (seed: whoever asks).
    pub(super) fn check_protection(&self, call: &Call) -> Result<(), Error> {
        if self.shared.options.write_protection && call.method != Method::GET {
            return Err(Error::WriteProtected { call: call.clone() });
        }
        Ok(())
    }

    /// Sends once, and once more with a new token after a 401. The answer's body is not read yet. The caller holds a
    /// permit.
    pub(super) async fn sent(&self, request: &Request) -> Result<(reqwest::Response, Secret), Error> {
        let token = self.shared.tokens.current().await?;
        let answer = self.sent_with(request, &token).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok((answer, token));
        }
        drop(answer);
        self.shared.tokens.refused(&token).await?;
        let token = self.shared.tokens.current().await?;
        Ok((self.sent_with(request, &token).await?, token))
    }

    /// The only way out to Advoware's data.
    async fn sent_with(&self, request: &Request, token: &Secret) -> Result<reqwest::Response, Error> {
        let Request { call, target, headers, body } = request;
        self.check_protection(call)?;
        let shared = &self.shared;
        let base = shared.base.current(&shared.connections, &shared.options).await?;
        let url = address::under(&base, target).map_err(|reason| Error::Invalid { call: call.clone(), reason })?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            configuration("Advoware issued a token that cannot be sent. Please check ADVOWARE_AUTH_URL")
        })?;
        bearer.set_sensitive(true);
        let mut request = shared.connections.request(call.method.clone(), url).headers(headers.clone());
        request = request.header(AUTHORIZATION, bearer);
        if !body.is_empty() || call.method != Method::GET {
            request = request.body(body.clone());
        }
        let started = Instant::now();
        let outcome = request.send().await;
        let status = outcome.as_ref().ok().map(|answer| answer.status().as_u16());
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(method = %call.method, path = call.path, status, elapsed_ms, "advoware call");
        outcome.map_err(|error| failed(call, http::transport(error, shared.options.timeout)))
    }
}

/// `Ok` is a request that went out, `Err` one that did not.
fn failed(call: &Call, cause: Result<Cause, Cause>) -> Error {
    match cause {
        Ok(cause) => Error::Unknown { call: call.clone(), cause },
        Err(cause) => Error::NotSent { call: call.clone(), cause },
    }
}
