//! What has no counterpart is new on its side.

use super::Action;
use super::draft::Draft;
use super::pairs::tries;
use crate::sync::calendar::pair::Tie;

/// Decides for everything that is left over.
pub(super) fn decide(draft: &mut Draft<'_>) {
    termine(draft);
    items(draft);
}

fn termine(draft: &mut Draft<'_>) {
    let open: Vec<i64> = draft
        .shown
        .iter()
        .filter(|(number, shown)| !draft.is_taken(**number) && !shown.is_foreign())
        .map(|(number, _)| *number)
        .collect();
    for number in open {
        draft.act(Action::InsertEvent { number, generation: 0, replaces: None });
    }
}

fn items(draft: &mut Draft<'_>) {
    let seen = draft.seen;
    for (tie, item) in &seen.items.by_tie {
        if !item.inside || !draft.is_open(tie) {
            continue;
        }
        let series = Tie::Event(tie.master().to_owned());
        // An instance of a series that has a Termin of its own: `apart` decides.
        if matches!(tie, Tie::Instance { .. }) && draft.is_paired(&series) {
            continue;
        }
        // Nothing of an anonymised calendar flows back (C3).
        if seen.scope.anonymised || item.marks.anonymised {
            draft.note("not_taken_over", tie.name(), &[]);
            continue;
        }
        if seen.scope.rules.write_protection {
            draft.note("withheld", tie.name(), &["create"]);
            continue;
        }
        draft.act(Action::NewTermin { tie: tie.clone(), like: None, tries: tries(draft, tie) });
    }
}
