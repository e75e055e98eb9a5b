//! What becomes of each pair.

use super::draft::{Draft, one_way};
use super::fate::{self, Fate, Standing};
use super::merge::{Base, Flow, Sides, merge};
use super::{Action, Question, apart};
use crate::sync::calendar::items::{Item, Place, days, touches};
use crate::sync::calendar::pair::{Pair, Tie};

/// Decides for all pairs, those that were just found among them.
pub(super) fn decide(draft: &mut Draft<'_>) {
    let seen = draft.seen;
    let found = draft.found.clone();
    let known = seen.pairs.iter().filter(|(tie, _)| !found.contains_key(tie));
    for (tie, pair) in known.chain(&found) {
        if seen.items.apart.contains_key(tie.master()) && matches!(tie, Tie::Event(_)) {
            apart::decide(draft, tie, pair);
        } else {
            one(draft, tie, pair);
        }
    }
}

/// Whether edits at Google may reach the Termin.
pub(super) fn flows_back(draft: &Draft<'_>, pair: &Pair, item: Option<&Item>) -> bool {
    let anonymised = draft.seen.scope.anonymised || pair.anonymised || item.is_some_and(|item| item.marks.anonymised);
    !anonymised && pair.number > 0
}

fn one(draft: &mut Draft<'_>, tie: &Tie, pair: &Pair) {
    let seen = draft.seen;
    if seen.unreadable.contains(&pair.number) {
        return;
    }
    let item = match seen.items.place(tie) {
        Place::Unreadable => return,
        Place::There(item) => fate::Item::There { changed: item.prints != pair.google && !is_ours(item) },
        Place::Missing if seen.vanished.contains(tie) => fate::Item::Gone,
        Place::Missing => fate::Item::Missing,
        Place::Outside => fate::Item::Outside,
    };
    let there = seen.items.by_tie.get(tie);
    let back = flows_back(draft, pair, there);
    let termin = termin(draft, pair, back);
    // Nobody looked for the instance, so nothing proves what became of it (C2).
    if (termin, item) == (fate::Termin::Gone, fate::Item::Outside) {
        return;
    }
    match fate::decide(termin, item, back) {
        Fate::Leave => {}
        Fate::AskTermin => draft.ask(Question::Termin(pair.number)),
        Fate::AskItem => draft.ask(Question::Item(tie.clone())),
        Fate::Merge => {
            if let Some(item) = there {
                both(draft, tie, pair, item, back);
            }
        }
        Fate::DeleteEvent => draft.delete(Action::DeleteEvent { tie: tie.clone() }),
        Fate::DeleteTermin if seen.scope.rules.write_protection => {
            draft.note("withheld", pair.number, &["delete"]);
        }
        Fate::DeleteTermin => draft.delete(Action::DeleteTermin { tie: tie.clone(), number: pair.number }),
        // What lies outside of the window is not listed, so an interrupted POST of it could never be found again.
        Fate::NewTermin if there.is_some_and(|item| !item.inside) => {}
        Fate::NewTermin => {
            draft.note("edit_beats_delete", tie.name(), &[]);
            if seen.scope.rules.write_protection {
                draft.note("withheld", tie.name(), &["create"]);
            } else {
                draft.act(Action::NewTermin { tie: tie.clone(), like: None, tries: tries(draft, tie) });
            }
        }
        Fate::ComesBack => {
            draft.note("came_back", pair.number, &[]);
            let generation = pair.generation + 1;
            draft.act(Action::InsertEvent { number: pair.number, generation, replaces: Some(tie.clone()) });
        }
        Fate::End => draft.remember(Action::Unpair { tie: tie.clone() }),
    }
}

/// What is known of a pair's Termin.
pub(super) fn termin(draft: &Draft<'_>, pair: &Pair, flows_back: bool) -> fate::Termin {
    let seen = draft.seen;
    match draft.shown.get(&pair.number) {
        Some(shown) if shown.is_foreign() => fate::Termin::Elsewhere,
        Some(shown) => {
            let standing = if shown.is_shared() || !flows_back { Standing::NotOurs } else { Standing::Own };
            fate::Termin::There { changed: shown.prints != pair.advoware, standing }
        }
        None if seen.gone.contains(&pair.number) => fate::Termin::Gone,
        None if touches((pair.first, pair.last), seen.scope.window) => fate::Termin::Missing,
        None => fate::Termin::Outside,
    }
}

/// How many POSTs for an item were about to be sent.
pub(super) fn tries(draft: &Draft<'_>, tie: &Tie) -> u32 {
    draft.seen.intents.get(&tie.name()).map_or(0, |intent| intent.tries)
}

/// Both sides are there.
fn both(draft: &mut Draft<'_>, tie: &Tie, pair: &Pair, item: &Item, flows_back: bool) {
    let seen = draft.seen;
    let Some(shown) = draft.shown.get(&pair.number) else { return };
    let (prints, is_anonymised) = (shown.prints, seen.scope.anonymised);
    let settled = pair.advoware == prints && pair.google == item.prints && pair.anonymised == is_anonymised;
    if settled && item.marks.anonymised == is_anonymised {
        return;
    }
    let flow = match flows_back {
        false => Flow::ToGoogle,
        true if seen.scope.rules.write_protection => Flow::Withheld,
        true => Flow::BothWays,
    };
    // Our own write, after which the run was killed, is no edit of a person's.
    let base = if item.prints != pair.google && is_ours(item) {
        Base::GoogleUnchanged
    } else {
        Base::Known { advoware: pair.advoware, google: pair.google }
    };
    let sides = Sides { advoware: prints, google: item.prints, base: Some(base) };
    let merged = merge(&sides, flow, &one_way(shown.termin));
    let entry = &shown.termin.entry;
    draft.note_fields("conflict", pair.number, &merged.conflicts);
    draft.note_fields("undone", pair.number, &merged.undone);
    draft.note_fields("withheld", pair.number, &merged.withheld);
    // A change of the mode is a write also where the content stays, as for a Termin that has nothing but a time.
    let remark = tie_is_own(tie, item) && item.marks.anonymised != is_anonymised;
    if !merged.is_quiet() || remark {
        return draft.act(Action::Merge { tie: tie.clone(), number: pair.number, merged });
    }
    if let Some(Base::Known { advoware, google }) = merged.settled(&sides).base {
        let (first, last) = super::draft::span(days(entry), days(&item.entry));
        let next = Pair { advoware, google, anonymised: is_anonymised, first, last, ..pair.clone() };
        if next != *pair {
            draft.remember(Action::Pair { tie: tie.clone(), pair: next });
        }
    }
}

/// Whether an event says what we wrote last, by its own word (`advosync_hash`): so nobody has edited it since, also where the
/// run that wrote it did not live to put that in the ledger.
fn is_ours(item: &Item) -> bool {
    item.marks.hash.as_deref().is_some_and(|hash| hash == item.prints.digest())
}

/// Whether an event carries our properties, so that the mode can stand in them.
fn tie_is_own(tie: &Tie, item: &Item) -> bool {
    matches!(tie, Tie::Event(_)) && item.marks.number.is_some()
}
