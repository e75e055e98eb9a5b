//! Around the pages: strangers are asked to sign in, nothing takes for ever, browsers are told what not to do.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::{Console, frame};
use crate::callers::{Peer, Refusal};

/// A page is there within this time, or says why not.
const WITHIN: Duration = Duration::from_secs(8);

/// Lets only visitors through.
pub(super) async fn guard(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let from = Peer::of(request.extensions());
    let visitor = match console.access.visitor(request.headers(), from, (console.options.clock)()) {
        Ok(visitor) => visitor,
        Err(Refusal::Missing) if *request.method() == Method::GET && is_browser(request.headers()) => {
            return Redirect::to("/console/sign-in").into_response();
        }
        Err(refusal) => return stranger(&refusal),
    };
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

/// The page for whoever is not let in.
fn stranger(refusal: &Refusal) -> Response {
    let what = html! {
        p { (refusal.message()) "." }
        p { "People sign in at " a href="/console/sign-in" { "/console/sign-in" } "." }
    };
    let mut response = frame::message(refusal.status(), "Not signed in", &what);
    response.headers_mut().extend(refusal.header());
    response
}

/// Answers 503 when a page, or whoever sends a form, takes too long.
pub(super) async fn deadline(request: Request, next: Next) -> Response {
    tokio::time::timeout(WITHIN, next.run(request)).await.unwrap_or_else(|_| {
        frame::unavailable("redis did not answer in time; check that it runs and that REDIS_URL is right")
    })
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|types| types.contains("text/html"))
}

/// Adds what keeps a browser from running, framing, leaking or keeping these pages.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    const POLICY: &str =
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let mut response = next.run(request).await;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`, with which browsers would send `Origin: null` along with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
