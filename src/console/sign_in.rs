//! Signing in with the token, and out again.

use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::access::{COOKIE, Visitor, is_same_origin};
use super::actions::{Posted, own_form};
use super::{Console, frame};

#[derive(Deserialize)]
pub(super) struct Credentials {
    token: String,
}

pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    if console.access.visitor(&headers, (console.options.clock)()).is_some() {
        return Redirect::to("/console").into_response();
    }
    form(StatusCode::OK, None)
}

pub(super) async fn enter(
    State(console): State<Console>,
    headers: HeaderMap,
    posted: Result<Form<Credentials>, FormRejection>,
) -> Response {
    if !is_same_origin(&headers) {
        return form(StatusCode::FORBIDDEN, Some("The form did not come from this page. Sign in here."));
    }
    let session = posted.ok().and_then(|Form(given)| console.access.sign_in(&given.token, (console.options.clock)()));
    let Some(session) = session else {
        tracing::warn!("a sign-in at the console failed");
        return form(StatusCode::UNAUTHORIZED, Some("That is not the token. It is set as ADVOSYNC_API_TOKEN."));
    };
    tracing::info!("somebody signed in at the console");
    with_cookie(&headers, &session, "")
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
        p.soft { "It is the value of ADVOSYNC_API_TOKEN." }
    };
    (status, Html(frame::document("Sign in", &html! {}, &content).into_string())).into_response()
}
