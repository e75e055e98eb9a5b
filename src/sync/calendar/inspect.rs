//! Explains one calendar without writing anything: what a run would do now.

use serde_json::{Value, json};

use super::execute::{Asked, Sync};
use super::plan::Plan;
use crate::worker::{Failure, Run};

/// So many actions are shown.
const SHOWN: usize = 50;

impl Sync {
    /// What a run would ask and do.
    pub(super) async fn explain(&self, kuerzel: &str, asked: Asked, run: &Run) -> Result<Value, Failure> {
        let seen = self.look(kuerzel, asked, run).await?;
        let Plan { questions, actions, notes, held_deletions } = &seen.plan;
        Ok(json!({
            "kuerzel": kuerzel, "calendar": seen.calendar, "anonymised": asked.anonymised,
            "termine": seen.termine, "items": seen.items, "pairs": seen.pairs,
            "open_creates": seen.intents, "held": seen.held,
            "would": {
                "questions": questions.len(), "actions": actions.len(), "held_deletions": held_deletions,
                "first": actions.iter().take(SHOWN).map(|action| format!("{action:?}")).collect::<Vec<_>>(),
            },
            "notes": notes.iter().take(SHOWN)
                .map(|note| json!({ "kind": note.kind, "about": note.about, "fields": note.fields })).collect::<Vec<_>>(),
        }))
    }
}
