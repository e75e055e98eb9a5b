//! Signing in with the token, and out again.

use axum::Extension;
use axum::extract::{Form, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::access::{COOKIE, Visitor, is_same_origin};
use super::actions::{Posted, own_form};
use super::{Console, frame};
use crate::callers::{Peer, Refusal};

#[derive(Deserialize)]
pub(super) struct Credentials {
    token: String,
}

pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    if console.access.is_signed_in(&headers, (console.options.clock)()) {
        return Redirect::to("/console").into_response();
    }
    form(StatusCode::OK, None)
}

pub(super) async fn enter(State(console): State<Console>, request: Request) -> Response {
    let (headers, from) = (request.headers().clone(), Peer::of(request.extensions()));
    if !is_same_origin(&headers) {
        return form(StatusCode::FORBIDDEN, Some("The form did not come from this page. Sign in here."));
    }
    let posted = Form::<Credentials>::from_request(request, &()).await;
    let given = posted.map_or_else(|_| String::new(), |Form(given)| given.token);
    match console.access.sign_in(given.trim(), from, (console.options.clock)()) {
        Ok((caller, session)) => {
            tracing::info!(caller, "somebody signed in at the console");
            with_cookie(&headers, &session, "")
        }
        Err(refusal) => {
            let fault = match &refusal {
                Refusal::Missing | Refusal::Wrong => {
                    "That is no token. It is the value of ADVOSYNC_API_TOKEN, or one of ADVOSYNC_CALLERS_FILE."
                        .to_owned()
                }
                other => other.message(),
            };
            let mut response = form(refusal.status(), Some(&fault));
            response.headers_mut().extend(refusal.header());
            response
        }
    }
}

pub(super) async fn leave(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    if let Err(refused) = own_form(&console, &visitor, &headers, posted) {
        return refused;
    }
    with_cookie(&headers, "", "; Max-Age=0")
}

/// Back to the start, with this cookie. Kept until the browser closes, and never given to scripts or other sites.
fn with_cookie(headers: &HeaderMap, value: &str, more: &str) -> Response {
    // Behind a proxy that speaks TLS the cookie must not travel without it.
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}{more}");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/console")).into_response()
}

fn form(status: StatusCode, fault: Option<&str>) -> Response {
    let content = html! {
        @if let Some(fault) = fault { p.bad { (fault) } }
        form method="post" action="/console/sign-in" {
            label for="token" { "Token " }
            input id="token" type="password" name="token" autocomplete="current-password" required autofocus;
            " " button { "Sign in" }
        }
        p.soft { "It is the value of ADVOSYNC_API_TOKEN, or a token with the scope read or admin." }
    };
    (status, Html(frame::document("Sign in", &html! {}, &content).into_string())).into_response()
}
