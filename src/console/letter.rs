//! One dead letter: every attempt's error, all fields, and what can be done about it.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use super::access::Visitor;
use super::{Console, frame};
use crate::queue::{AttemptError, DeadLetter, Flow};

/// What is said of a letter that is not there.
pub(super) const GONE: &str = "There is no such dead letter (any more): it was replayed or discarded.";

/// The flow and id in an address, if it can be read.
pub(super) type Which = Result<Path<(String, String)>, PathRejection>;

/// The flow and id that an address means.
pub(super) fn which(path: Which) -> Option<(Flow, String)> {
    let Path((flow, id)) = path.ok()?;
    Some((Flow::parse(&flow)?, id))
}

pub(super) async fn show(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    path: Which,
) -> Response {
    let Some((flow, id)) = which(path) else { return frame::not_found(GONE) };
    match console.options.queue.dead_letter(flow, &id).await {
        Ok(Some(letter)) => frame::page(&console, &visitor, "Dead letter", &render(&console, &visitor, &letter)),
        Ok(None) => frame::not_found(GONE),
        Err(error) => frame::failed(&error),
    }
}

fn render(console: &Console, visitor: &Visitor, letter: &DeadLetter) -> Markup {
    let address = format!("/console/dead/{}/{}", letter.flow, letter.id);
    let is_job = letter.topic.is_some() && letter.key.is_some();
    html! {
        p {
            code { (letter.topic.as_deref().unwrap_or("no topic")) } " "
            code { (letter.key.as_deref().unwrap_or("no key")) }
            @if let Some(at) = letter.failed_at { ", failed for good " (console.local(at)) }
        }
        @if letter.resolved { p.good { "A later run of the same key succeeded: this one is settled and can be discarded." } }
        p.bad {
            @if let Some(code) = &letter.code { strong { (code) } ": " }
            (letter.error.as_deref().unwrap_or("no error is noted"))
        }
        @if super::candidates::asks_about(letter).is_some() && !letter.resolved {
            p { a href=(format!("{address}/candidates")) { "Look at both sides and decide" } }
        }
        @if !visitor.may_act() {
            p.soft { "Your token opens the pages only: replaying and discarding need the scope " code { "admin" } "." }
        } @else if is_job {
            form.inline method="post" action=(format!("{address}/replay")) {
                (frame::form_key(console, visitor))
                button { "Replay" }
            }
            span.soft { "Queues the job again, at its first attempt." }
        } @else {
            p.soft { "This entry names no job, so it cannot be replayed. Correct it with redis-cli, then discard it." }
        }
        // Asks once more without a script.
        @if visitor.may_act() {
            details {
                summary { "Discard…" }
                form.inline method="post" action=(format!("{address}/discard")) {
                    (frame::form_key(console, visitor))
                    button { "Discard for ever" }
                }
                span.soft { "Nothing is left of it then." }
            }
        }
        h2 { "Attempts" }
        @if letter.errors.is_empty() { p.soft { "None is noted." } } @else {
            table {
                tr { @for name in ["", "Ended", "Error", "Worker", "Trace"] { th { (name) } } }
                @for attempt in &letter.errors { (attempt_row(console, attempt)) }
            }
        }
        h2 { "Fields" }
        table {
            @for (name, value) in letter.fields.iter().filter(|(name, _)| *name != "errors") {
                tr { th { (name) } td { code { (value) } } }
            }
        }
    }
}

fn attempt_row(console: &Console, attempt: &AttemptError) -> Markup {
    html! {
        tr {
            td { (attempt.attempt) }
            td { (console.local(attempt.at)) }
            td { strong { (attempt.code) } ": " (attempt.error) }
            td { (attempt.worker) }
            td { code { (attempt.trace.as_deref().unwrap_or("–")) } }
        }
    }
}
