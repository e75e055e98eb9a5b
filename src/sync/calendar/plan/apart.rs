//! A Termin's own series whose event was made into something that Advoware cannot express (C5): it is taken apart into
//! single Termine, one for each instance in the window.

use chrono::Days;

use super::draft::{Draft, RETIRED, retired};
use super::fate;
use super::pairs::{flows_back, termin, tries};
use super::{Action, Question};
use crate::sync::calendar::entry::{Field, Fields};
use crate::sync::calendar::items::days;
use crate::sync::calendar::pair::{Pair, Tie};

/// Decides for one series.
pub(super) fn decide(draft: &mut Draft<'_>, tie: &Tie, pair: &Pair) {
    let seen = draft.seen;
    let number = pair.number;
    if seen.unreadable.contains(&number) {
        return;
    }
    let anonymised = seen.items.apart.get(tie.master()).is_some_and(|apart| apart.marks.anonymised);
    let back = flows_back(draft, pair, None) && !anonymised;
    match termin(draft, pair, back) {
        fate::Termin::Missing | fate::Termin::Outside => return draft.ask(Question::Termin(number)),
        fate::Termin::Gone if back => {
            // An edit beats a delete: its instances go over like those of a person's own series.
            return draft.remember(Action::Unpair { tie: tie.clone() });
        }
        fate::Termin::Gone | fate::Termin::Elsewhere => {
            return draft.delete(Action::DeleteEvent { tie: tie.clone() });
        }
        fate::Termin::There { changed, standing } => {
            if finished(draft, tie, number) {
                draft.remember(Action::Unpair { tie: tie.clone() });
                return draft.hold(retired(number), RETIRED, None);
            }
            let kept = if standing == fate::Standing::NotOurs {
                Some("undone")
            } else if changed {
                Some("conflict")
            } else {
                None
            };
            if let Some(kind) = kept {
                draft.note_fields(kind, number, &Fields::from([Field::Series]));
                let generation = pair.generation + 1;
                return draft.act(Action::Remake { tie: tie.clone(), number, generation });
            }
        }
    }
    if seen.scope.rules.write_protection {
        return draft.note("withheld", number, &["serie"]);
    }
    take_apart(draft, tie, number);
}

/// Whether nothing of the series lies in the window any more, because a run ended it but could not say so.
fn finished(draft: &Draft<'_>, tie: &Tie, number: i64) -> bool {
    let ended = draft.shown.get(&number).is_some_and(|shown| {
        let (_, last) = days(&shown.termin.entry);
        last.is_some_and(|last| last < draft.seen.scope.window.from)
    });
    let (mut all, mut any) = (true, false);
    for (instance, _) in draft.seen.items.instances(tie.master()) {
        let paired = draft.is_paired(instance);
        (all, any) = (all && paired, any || paired);
    }
    ended && all && any
}

fn take_apart(draft: &mut Draft<'_>, tie: &Tie, number: i64) {
    let seen = draft.seen;
    let instances = seen.items.instances(tie.master()).filter(|(_, item)| item.inside);
    let missing: Vec<&Tie> = instances.map(|(tie, _)| tie).filter(|tie| !draft.is_paired(tie)).collect();
    for instance in &missing {
        if draft.is_open(instance) {
            let tries = tries(draft, instance);
            draft.act(Action::NewTermin { tie: (*instance).clone(), like: Some(number), tries });
        }
    }
    if !missing.is_empty() {
        return;
    }
    let Some(shown) = draft.shown.get(&number) else { return };
    let before = seen.scope.window.from.checked_sub_days(Days::new(1));
    let until = before.filter(|before| shown.termin.entry.when.first_day() <= *before);
    draft.act(Action::EndSeries { tie: tie.clone(), number, until });
}
