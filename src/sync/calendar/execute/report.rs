//! What a run did, for whoever waits for the job, for the history, and for the console. Numbers and ids, no content.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::sync::calendar::plan::Note;
use crate::worker::Success;

/// So many notes of a kind are told one by one.
const TOLD: usize = 20;

/// What to do about deletions that are held back.
const HELD: &str = "none of these deletions was done, there are too many at once; look at both sides, then sync with \
                    --confirm-deletions";

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How often what was done, by a stable word such as `events_inserted`.
    pub done: BTreeMap<&'static str, usize>,
    /// What a person should know.
    pub notes: BTreeSet<Note>,
    /// Entries that could not be done and were passed over: which, and why.
    pub passed: BTreeMap<String, String>,
    /// How many deletions are held back until somebody confirms them.
    pub held_deletions: usize,
    /// Whether Termine were busy, so that one more run was queued.
    pub again: bool,
}

impl Report {
    /// Counts something that was done.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// The one word for lists.
    #[must_use]
    pub fn result(&self) -> &'static str {
        if self.held_deletions > 0 {
            "held_deletions"
        } else if self.notes.iter().any(|note| note.kind == "withheld") {
            "withheld"
        } else if self.done.is_empty() {
            "unchanged"
        } else {
            "synced"
        }
    }
}

impl From<Report> for Success {
    fn from(report: Report) -> Self {
        let mut detail = Map::new();
        for (what, times) in &report.done {
            detail.insert((*what).to_owned(), json!(times));
        }
        if report.held_deletions > 0 {
            detail.insert("held_deletions".to_owned(), json!(report.held_deletions));
            detail.insert("hint".to_owned(), json!(HELD));
        }
        if report.again {
            detail.insert("queued_again".to_owned(), json!(true));
        }
        let mut kinds: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
        report.notes.iter().for_each(|note| kinds.entry(note.kind).or_default().push(note));
        for (kind, notes) in kinds {
            let told: Vec<String> = notes.iter().take(TOLD).map(|note| told(note)).collect();
            let more = notes.len().saturating_sub(TOLD);
            let told = if more == 0 { json!(told) } else { json!({ "first": told, "more": more }) };
            detail.insert(kind.to_owned(), told);
        }
        if !report.passed.is_empty() {
            let told: BTreeMap<_, _> = report.passed.iter().take(TOLD).collect();
            detail.insert("passed_over".to_owned(), json!({ "entries": report.passed.len(), "first": told }));
        }
        let detail = (!detail.is_empty()).then_some(Value::Object(detail));
        Self { result: report.result().to_owned(), detail }
    }
}

fn told(note: &Note) -> String {
    if note.fields.is_empty() { note.about.clone() } else { format!("{} ({})", note.about, note.fields.join(", ")) }
}
