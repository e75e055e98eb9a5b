//! The list of dead letters, newest first.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Visitor;
use super::{Console, frame};
use crate::queue::{DeadLetter, Flow, QueueError};

/// More than this nobody reads; `advosync dead` handles them in bulk.
const SHOWN: usize = 200;
/// Of an error the list shows this much.
const SHORT: usize = 160;

/// What was done last, after an action's redirect.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Done {
    Replayed,
    Discarded,
    Decided,
}

#[derive(Default, Deserialize)]
pub(super) struct Ask {
    done: Option<Done>,
}

pub(super) async fn show(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    ask: Result<Query<Ask>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let done = ask.map(|Query(ask)| ask).unwrap_or_default().done;
    match newest(&console).await {
        Ok(letters) => frame::page(&console, &visitor, "Dead letters", &render(&console, &letters, done)),
        Err(error) => frame::failed(&error),
    }
}

async fn newest(console: &Console) -> Result<Vec<DeadLetter>, QueueError> {
    let mut all = Vec::new();
    for flow in Flow::ALL {
        all.extend(console.options.queue.dead_letters(flow, SHOWN).await?);
    }
    all.sort_by_key(|letter| std::cmp::Reverse(buried(&letter.id)));
    all.truncate(SHOWN);
    Ok(all)
}

/// Stream ids are two numbers, and must not be compared as text.
fn buried(id: &str) -> Option<(u64, u64)> {
    let (ms, number) = id.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

fn render(console: &Console, letters: &[DeadLetter], done: Option<Done>) -> Markup {
    html! {
        @match done {
            Some(Done::Replayed) => p.note { "The job is queued again, at its first attempt." },
            Some(Done::Decided) => p.note { "The decision is queued; the letter is settled once it is carried out." },
            Some(Done::Discarded) => p.note { "The dead letter was thrown away." },
            None => {}
        }
        p { "Jobs that failed for good. They stay here until somebody replays or discards them." }
        @if letters.is_empty() { p.good { "There are none." } } @else {
            table {
                tr { @for name in ["Failed", "Topic", "Key", "Error", ""] { th { (name) } } }
                @for letter in letters { (row(console, letter)) }
            }
        }
        @if letters.len() == SHOWN {
            p.soft { "These are the newest " (SHOWN) "; " code { "advosync dead list" } " shows all." }
        }
    }
}

fn row(console: &Console, letter: &DeadLetter) -> Markup {
    let error = letter.error.as_deref().unwrap_or("no error is noted");
    html! {
        tr {
            td { @match letter.failed_at { Some(at) => (console.local(at)), None => "–" } }
            td { code { (letter.topic.as_deref().unwrap_or("–")) } }
            td { code { (letter.key.as_deref().unwrap_or("–")) } }
            td {
                @if let Some(code) = &letter.code { strong { (code) } ": " }
                (error.chars().take(SHORT).collect::<String>())
                @if error.chars().count() > SHORT { "…" }
                @if letter.resolved { " " span.good { "(a later run succeeded)" } }
            }
            td { a href=(format!("/console/dead/{}/{}", letter.flow, letter.id)) { "Open" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_are_numbers() {
        assert!(buried("999-0") < buried("1000-0"));
        assert!(buried("1000-9") < buried("1000-10"));
        assert_eq!(buried("text"), None);
    }
}
