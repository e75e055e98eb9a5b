//! Around the pages: strangers are asked to sign in, nothing takes for ever, browsers are told what not to do.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::{Console, frame};

/// A page is there within this time, or says why not.
const WITHIN: Duration = Duration::from_secs(8);

/// Lets only visitors through.
pub(super) async fn guard(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let Some(visitor) = console.access.visitor(request.headers(), (console.options.clock)()) else {
        if *request.method() == Method::GET && is_browser(request.headers()) {
            return Redirect::to("/console/sign-in").into_response();
        }
        let what = html! {
            p { "Sign in at " a href="/console/sign-in" { "/console/sign-in" } " or send " code { "Authorization: Bearer <ADVOSYNC_API_TOKEN>" } "." }
        };
        let mut response = frame::message(StatusCode::UNAUTHORIZED, "Not signed in", &what);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    };
    request.extensions_mut().insert(visitor);
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
