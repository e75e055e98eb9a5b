//! One request and its answer, with the pace and the second tries that Google asks for.

use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::Method;
use reqwest::header::{HeaderValue, IF_MATCH};
use serde_json::Value;
use tokio_util::bytes::Bytes;
use url::Url;

use super::classify::{Gone, Refusal};
use super::client::Client;
use super::error::Error;
use crate::clients::{Call, Cause, Secret, http, path};

/// The waits after a rate limit, in units (seed 001: base 4, at most 4 tries, at most 60 s).
const WAITS: [u32; 3] = [4, 16, 60];
/// Google asking for more than this is the caller's to wait for.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What is to be sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// The parts of the path below the base, not yet encoded.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) etag: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
    /// What a 410 would be about.
    pub(super) gone: Gone,
    /// Hidden wherever the answer repeats it; may be empty.
    pub(super) secret: &'a str,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: &'a [&'a str]) -> Self {
        Self { method, path, query: &[], etag: None, body: None, gone: Gone::Thing, secret: "" }
    }

    pub(super) fn call(&self) -> Call {
        Call { method: self.method.clone(), path: self.path.join("/") }
    }
}

impl Client {
    /// Sends and reads the answer as JSON.
    pub(super) async fn exchange(&self, request: &Request<'_>) -> Result<Value, Error> {
        let body = self.send(request).await?;
        http::json(&body).ok_or_else(|| unreadable(&request.call(), &http::described(&body, &[request.secret])))
    }

    /// Sends, again after a rate limit, and reads the whole answer; anything but 2xx is an error.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Bytes, Error> {
        let mut waits = WAITS.iter().map(|units| (self.shared.options.backoff_unit * *units).min(LONGEST_WAIT));
        loop {
            let error = match self.signed(request).await {
                Err(error @ Error::RateLimited { .. }) => error,
                outcome => return outcome,
            };
            let Some(next) = waits.next() else { return Err(error) };
            let wait = match error.retry_after() {
                Some(asked) if asked > LONGEST_WAIT => return Err(error),
                Some(asked) => asked,
                None => {
                    self.pause(next).await;
                    next
                }
            };
            tracing::info!(wait_ms = wait.as_millis(), "google asks to slow down");
            tokio::time::sleep(wait).await;
        }
    }

    /// Tells all workers. They meet the same limit if they cannot be told, so that is no reason to fail.
    async fn pause(&self, at_least: Duration) {
        if let Err(error) = self.shared.limiter.pause(at_least).await {
            tracing::warn!(%error, "a pause that google asks for cannot be told to other workers");
        }
    }

    /// Waits for a place in the line that all workers share. A line that is longer than a minute is the caller's to wait
    /// in: a job must not sleep through somebody's Retry-After.
    async fn turn(&self, call: &Call) -> Result<(), Error> {
        let wait = self.shared.limiter.take().await.map_err(|error| Error::Limiter { message: error.0 })?;
        if wait > LONGEST_WAIT {
            return Err(Error::RateLimited { call: call.clone(), retry_after: Some(wait) });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Sends once, and once more with a new token after a 401.
    async fn signed(&self, request: &Request<'_>) -> Result<Bytes, Error> {
        let token = self.shared.sign_in.token(None).await?;
        match self.sent_with(request, &token).await {
            Err(Error::Unauthorised { .. }) => {
                let token = self.shared.sign_in.token(Some(&token)).await?;
                self.sent_with(request, &token).await
            }
            outcome => outcome,
        }
    }

    /// The only way out to Google's data.
    async fn sent_with(&self, request: &Request<'_>, token: &Secret) -> Result<Bytes, Error> {
        let shared = &self.shared;
        let timeout = shared.options.timeout;
        let call = request.call();
        let invalid = |reason: String| Error::Invalid { call: call.clone(), reason };
        let path = path::joined(request.path).map_err(invalid)?;
        let mut url = Url::parse(&format!("{}{path}", shared.base)).map_err(|error| invalid(error.to_string()))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let mut sending = shared.connections.request(request.method.clone(), url).bearer_auth(token.expose());
        if let Some(etag) = request.etag {
            sending = sending.header(IF_MATCH, precondition(etag).map_err(invalid)?);
        }
        if let Some(body) = request.body {
            sending = sending.json(body);
        }
        self.turn(&call).await?;
        let started = Instant::now();
        let outcome = sending.send().await;
        let status = outcome.as_ref().ok().map(|answer| answer.status().as_u16());
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(method = %call.method, path = call.path, status, elapsed_ms, "google call");
        let answer = match outcome.map_err(|error| http::transport(error, timeout)) {
            Ok(answer) => answer,
            Err(Ok(cause)) => return Err(Error::Unknown { call, cause }),
            Err(Err(cause)) => return Err(Error::NotSent { call, cause }),
        };
        let (status, retry_after) = (answer.status(), http::retry_after(answer.headers(), Utc::now()));
        let body = http::read(answer, http::MAX_ANSWER_BYTES, timeout).await;
        if status.is_success() {
            return body.map_err(|cause| Error::Unknown { call, cause });
        }
        // The status decides; a body that could not be read only has nothing to add.
        let body = body.unwrap_or_default();
        let hidden = [&[token.expose(), request.secret], http::sent_texts(request.body).as_slice()].concat();
        let refusal = Refusal { status, body: &body, retry_after, gone: request.gone, hidden: &hidden };
        let error = refusal.into_error(call);
        if let Some(asked) = error.retry_after() {
            // It holds for everybody, also where this call gives up.
            self.pause(asked).await;
        }
        Err(error)
    }
}

/// A 2xx answer that is not what was promised: for a write, its effect is unknown.
pub(super) fn unreadable(call: &Call, came: &str) -> Error {
    Error::Unknown { call: call.clone(), cause: Cause::Unreadable(came.to_owned()) }
}

/// The etag as a header. Nothing, or a star, would overwrite whatever is there.
fn precondition(etag: &str) -> Result<HeaderValue, String> {
    if etag.trim().is_empty() || etag.trim() == "*" {
        return Err("an event is only written where its etag is known".to_owned());
    }
    HeaderValue::from_str(etag).map_err(|_| "the etag cannot be sent".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_blindly() {
        let check = |etag: &str, expected: bool| assert_eq!(precondition(etag).is_ok(), expected, "{etag:?}");
        check("\"3181161784712000\"", true);
        check("", false);
        check(" ", false);
        check("*", false);
        check("\"1\"\r\nX: y", false);
    }
}
