//! Replay and discard, asked for by our own forms only.

use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::access::Visitor;
use super::letter::{GONE, Which, which};
use super::{Console, frame};
use crate::queue::{Flow, Selection};

#[derive(Default, Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    form_key: String,
    /// What a person decided, where a form asks for that.
    #[serde(default)]
    pub(super) decision: String,
}

/// A form as it arrives; one that cannot be read is one without a key.
pub(super) type Posted = Result<Form<Sent>, FormRejection>;

pub(super) async fn replay(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    path: Which,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let (flow, id) = match meant(&console, &visitor, &headers, posted, path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    match console.options.queue.replay(flow, &Selection::Ids(vec![id.clone()]), &console.options.entities).await {
        Ok(0) => {
            let what = html! {
                p { "Either a job for the same key is queued already, and its success will resolve this letter; or this "
                    "entry names no job, because it has no topic or no key." }
            };
            frame::message(StatusCode::CONFLICT, "It was not replayed", &what)
        }
        Ok(_) => {
            tracing::info!(%flow, id, caller = visitor.name(), "a dead letter was replayed from the console");
            Redirect::to("/console/dead?done=replayed").into_response()
        }
        Err(error) => frame::failed(&error),
    }
}

pub(super) async fn discard(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    path: Which,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let (flow, id) = match meant(&console, &visitor, &headers, posted, path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    match console.options.queue.discard(flow, std::slice::from_ref(&id)).await {
        Ok(_) => {
            tracing::info!(%flow, id, caller = visitor.name(), "a dead letter was discarded from the console");
            Redirect::to("/console/dead?done=discarded").into_response()
        }
        Err(error) => frame::failed(&error),
    }
}

/// The dead letter that a form of our own is about; otherwise the answer to send instead.
async fn meant(
    console: &Console,
    visitor: &Visitor,
    headers: &HeaderMap,
    posted: Posted,
    path: Which,
) -> Result<(Flow, String), Response> {
    may_act(visitor)?;
    own_form(console, visitor, headers, posted)?;
    find(console, path).await
}

/// 403 for whoever may only look.
#[expect(clippy::result_large_err, reason = "the error is the answer itself, made once a request at most")]
pub(super) fn may_act(visitor: &Visitor) -> Result<(), Response> {
    if visitor.may_act() {
        return Ok(());
    }
    let what = html! { p { "Your token opens the pages only. Replaying, discarding and deciding need the scope " code { "admin" } "." } };
    Err(frame::message(StatusCode::FORBIDDEN, "Nothing was done", &what))
}

/// 403 for forms that did not come from our own pages.
#[expect(clippy::result_large_err, reason = "the error is the answer itself, made once a request at most")]
pub(super) fn own_form(
    console: &Console,
    visitor: &Visitor,
    headers: &HeaderMap,
    posted: Posted,
) -> Result<(), Response> {
    let sent = posted.map(|Form(sent)| sent).unwrap_or_default();
    if console.access.is_own_form(visitor, headers, &sent.form_key) {
        return Ok(());
    }
    let what = html! {
        p { "The form did not come from a page of this console, or your sign-in has changed since. Open the page again and repeat." }
    };
    Err(frame::message(StatusCode::FORBIDDEN, "Nothing was done", &what))
}

/// The flow, if it holds this letter: somebody else may have been faster.
async fn find(console: &Console, path: Which) -> Result<(Flow, String), Response> {
    let (flow, id) = which(path).ok_or_else(|| frame::not_found(GONE))?;
    match console.options.queue.dead_letter(flow, &id).await {
        Ok(Some(_)) => Ok((flow, id)),
        Ok(None) => Err(frame::not_found(GONE)),
        Err(error) => Err(frame::failed(&error)),
    }
}
