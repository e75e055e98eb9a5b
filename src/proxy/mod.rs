//! `/api/advoware/X?q` → `<Advoware base>X?q` with our sign-in and write protection (seed 003; contract, "HTTP").
//!
//! The caller's body is collected first, at most `max_body_bytes`: a body that turns out too long must leave nothing at
//! Advoware, and the one repeat after a refused token needs it whole. Advoware's body is streamed.
//! A caller reaches Advoware's data only: which path is left alone, which headers go along and what an error looks like
//! is decided in `target`, `headers` and `answer`, all pure.

mod answer;
mod headers;
mod target;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Method, Response};
use axum::routing::any;
use futures::StreamExt as _;
use tokio_util::bytes::Bytes;

use crate::callers::{Door, Peer, Scope};
use crate::clients::{Cause, advoware};
use answer::Refusal;

const PREFIX: &str = "/api/advoware/";
/// A caller who sends slower than this loses the place it holds.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A bound on what is passed back; nothing of it is kept in memory.
const MAX_ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// What the proxy must be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who may come through.
    pub callers: Arc<Door>,
    /// The longest body a caller may send.
    pub max_body_bytes: usize,
}

#[derive(Clone)]
struct Proxy {
    advoware: advoware::Client,
    options: Options,
}

/// The routes below `/api/advoware/`, to be merged into a role's router.
pub fn router(advoware: advoware::Client, options: Options) -> Router {
    let proxy = Proxy { advoware, options };
    Router::new().route(PREFIX, any(handle)).route(&format!("{PREFIX}{{*path}}"), any(handle)).with_state(proxy)
}

async fn handle(State(proxy): State<Proxy>, request: Request) -> Response<Body> {
    proxy.pass(request).await.unwrap_or_else(Refusal::into_response)
}

impl Proxy {
    async fn pass(&self, request: Request) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let caller = self.options.callers.admit(&head.headers, Peer::of(&head.extensions), Scope::Proxy)?;
        if ![Method::GET, Method::POST, Method::PUT, Method::DELETE].contains(&head.method) {
            return Err(Refusal::method());
        }
        let rest = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        target::check(rest).map_err(Refusal::path)?;
        let target = match head.uri.query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        let writes = (head.method != Method::GET).then(|| head.method.clone());
        let admission = self.advoware.try_admit(head.method, rest)?;
        let body = self.collected(&head.headers, body).await?;
        let outgoing = advoware::Outgoing { target, headers: headers::onward(&head.headers), body };
        let answer = admission.forward(outgoing).await?;
        if let Some(method) = writes {
            let status = answer.status.as_u16();
            tracing::info!(%method, status, caller = caller.name, "a write was passed on to advoware");
        }
        relayed(answer)
    }

    async fn collected(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
        let limit = self.options.max_body_bytes;
        let stated = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if stated.is_some_and(|length| length > limit) {
            return Err(Refusal::too_large(limit));
        }
        let whole = async {
            let (mut parts, mut whole) = (body.into_data_stream(), Vec::new());
            while let Some(part) = parts.next().await {
                let part = part.map_err(|error| Refusal::broken(&error))?;
                if whole.len() + part.len() > limit {
                    return Err(Refusal::too_large(limit));
                }
                whole.extend_from_slice(&part);
            }
            Ok(Bytes::from(whole))
        };
        tokio::time::timeout(BODY_TIMEOUT, whole).await.unwrap_or_else(|_| Err(Refusal::slow(BODY_TIMEOUT)))
    }
}

/// Advoware's answer with its body still coming in.
fn relayed(answer: advoware::Forwarded) -> Result<Response<Body>, Refusal> {
    let stated = answer.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|length| length > MAX_ANSWER_BYTES) {
        return Err(Refusal::answer_too_large(MAX_ANSWER_BYTES));
    }
    let mut left = MAX_ANSWER_BYTES;
    let body = answer.body.map(move |chunk| {
        let chunk = chunk?;
        left = left
            .checked_sub(chunk.len() as u64)
            .ok_or_else(|| Cause::Unreadable(format!("longer than {MAX_ANSWER_BYTES} bytes")))?;
        Ok::<_, Cause>(chunk)
    });
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers::back(answer.headers);
    Ok(response)
}
