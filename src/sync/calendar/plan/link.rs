//! Which Termin and which item belong together, where the ledger does not know: by the event's private properties, by an
//! interrupted POST, by equal content.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDateTime;

use super::draft::{Draft, RETIRED, retired};
use super::merge::Base;
use super::{Action, Question};
use crate::sync::calendar::event::{self, Marks};
use crate::sync::calendar::items::{Item, days, touches};
use crate::sync::calendar::pair::{Held, Intent, Pair, Prints, Tie};
use crate::sync::calendar::termin::Termin;

/// Held: the Termin that the event's properties name is gone.
const ORPHAN: &str = "orphan";
/// Held: an instance and a Termin begin together but differ.
const AMBIGUOUS: &str = "ambiguous";

/// How many generations of a Termin's event are looked for where the properties are lost.
const GENERATIONS: u32 = 4;

/// Pairs what the events' properties say, after a loss of the ledger.
pub(super) fn by_marks(draft: &mut Draft<'_>) {
    let seen = draft.seen;
    let derived = derived(draft);
    let mut claims: BTreeMap<i64, Vec<(&Tie, &Item)>> = BTreeMap::new();
    for (tie, item) in seen.items.by_tie.iter().filter(|(tie, _)| draft.is_open(tie)) {
        let Tie::Event(id) = tie else { continue };
        let number = named(&item.marks, &seen.scope.kuerzel).or_else(|| derived.get(id).copied());
        if let Some(number) = number {
            claims.entry(number).or_default().push((tie, item));
        }
    }
    for (number, mut claimants) in claims {
        let is_ours = |tie: &Tie, item: &Item| {
            let rules = &seen.scope.rules;
            tie.master() == event::id(&rules.kanzlei, &seen.scope.kuerzel, number, item.marks.generation)
        };
        claimants.sort_by_key(|(tie, item)| (!is_ours(tie, item), *tie));
        let mut rest = claimants.into_iter();
        if (!draft.is_taken(number) || is_retired(draft, number))
            && let Some((tie, item)) = rest.next()
        {
            claim(draft, number, tie, item, is_ours(tie, item));
        }
        // The others are copies that a person made, and new events; unless the id is one that we gave: then it is the
        // Termin's other generation, whose insert was interrupted or whose deletion was undone.
        for (tie, _) in rest.filter(|(tie, item)| is_ours(tie, item)) {
            draft.note("twin_event", tie.name(), &[]);
            draft.leave_item(tie);
        }
    }
    apart_by_marks(draft, &derived);
}

fn is_retired(draft: &Draft<'_>, number: i64) -> bool {
    draft.seen.held.get(&retired(number)).is_some_and(|held| held.reason == RETIRED)
}

/// The Termin that the properties name, if they are of this calendar: an event that was copied from elsewhere keeps the
/// properties of its origin.
fn named(marks: &Marks, kuerzel: &str) -> Option<i64> {
    marks.number.filter(|_| marks.kuerzel.as_deref() == Some(kuerzel))
}

/// The ids of events whose properties are lost but whose ids were derived from a Termin.
fn derived(draft: &Draft<'_>) -> HashMap<String, i64> {
    let seen = draft.seen;
    let lost = |id: &str, marks: &Marks| marks.number.is_none() && event::is_derived(id);
    let single = |tie: &Tie, item: &Item| matches!(tie, Tie::Event(id) if lost(id, &item.marks)) && draft.is_open(tie);
    let items = seen.items;
    let any = items.by_tie.iter().any(|(tie, item)| single(tie, item));
    if !any && !items.apart.iter().any(|(id, apart)| lost(id, &apart.marks)) {
        return HashMap::new();
    }
    let (kanzlei, kuerzel) = (&seen.scope.rules.kanzlei, &seen.scope.kuerzel);
    let open = draft.shown.keys().filter(|number| !draft.is_taken(**number));
    open.flat_map(|number| {
        (0..GENERATIONS).map(move |generation| (event::id(kanzlei, kuerzel, *number, generation), *number))
    })
    .collect()
}

/// One event says that it shows a Termin.
fn claim(draft: &mut Draft<'_>, number: i64, tie: &Tie, item: &Item, is_ours: bool) {
    let seen = draft.seen;
    let Some(shown) = draft.shown.get(&number) else {
        // While the ledger knows all pairs, such an event is a copy that a person made of one whose pair has ended.
        if is_ours || seen.scope.first_contact || seen.held.contains_key(&tie.name()) {
            draft.leave_item(tie);
            orphan(draft, number, tie, item);
        }
        return;
    };
    let hash = item.marks.hash.as_deref().unwrap_or_default();
    let (advoware, google) = (shown.prints, item.prints);
    let pair = match Base::of_hash(hash, &advoware, &google) {
        _ if advoware == google => draft.pair_of(number, item, advoware, google),
        Some(Base::AdvowareUnchanged) => draft.pair_of(number, item, advoware, advoware),
        Some(_) => draft.pair_of(number, item, google, google),
        None => {
            // Nobody can say who changed it: Advoware is the central calendar.
            draft.note_fields("conflict", number, &advoware.differing(&google));
            draft.pair_of(number, item, google, google)
        }
    };
    draft.pair(tie, pair);
    if seen.held.contains_key(&tie.name()) {
        draft.release(tie.name());
    }
}

/// The Termin that the properties name is not among those that are known.
fn orphan(draft: &mut Draft<'_>, number: i64, tie: &Tie, item: &Item) {
    let seen = draft.seen;
    let held = Held { reason: ORPHAN.to_owned(), prints: Some(item.prints) };
    if seen.gone.contains(&number) || seen.held.get(&tie.name()) == Some(&held) {
        draft.note("orphan", tie.name(), &[]);
        draft.hold(tie.name(), ORPHAN, held.prints);
    } else if item.inside && !seen.unreadable.contains(&number) {
        draft.ask(Question::Termin(number));
    }
}

/// Series that are taken apart, whose own Termin is still there.
fn apart_by_marks(draft: &mut Draft<'_>, derived: &HashMap<String, i64>) {
    let seen = draft.seen;
    for (id, apart) in &seen.items.apart {
        let tie = Tie::Event(id.clone());
        let number = named(&apart.marks, &seen.scope.kuerzel).or_else(|| derived.get(id).copied());
        let Some(number) = number.filter(|_| !draft.is_paired(&tie)) else { continue };
        let Some(shown) = draft.shown.get(&number) else { continue };
        let (first, last) = days(&shown.termin.entry);
        // What is left of a series that was taken apart counts again only where it reaches into the window: a pair that is
        // found and ended in one plan would never come to rest.
        let again = || is_retired(draft, number) && touches((first, last), seen.scope.window);
        if draft.is_taken(number) && !again() {
            continue;
        }
        let (advoware, google) = (shown.prints, apart.entry.prints());
        let pair = Pair {
            number,
            generation: apart.marks.generation,
            anonymised: apart.marks.anonymised,
            advoware,
            google,
            first,
            last,
        };
        draft.pair(&tie, pair);
    }
}

/// Finds the Termine of interrupted POSTs (S4); their quiet time is over.
pub(super) fn by_intent(draft: &mut Draft<'_>) {
    let seen = draft.seen;
    for (name, intent) in seen.intents {
        let Some(tie) = Tie::parse(name) else { continue };
        let Some(sent) = sent(draft, intent) else { continue };
        let candidates: Vec<i64> = draft
            .shown
            .values()
            .filter(|shown| !draft.is_taken(shown.termin.number) && !intent.known.contains(&shown.termin.number))
            .filter(|shown| !shown.termin.is_generated() && shown.termin.prints == sent)
            .map(|shown| shown.termin.number)
            .collect();
        match *candidates {
            [number] => {
                adopt(draft, &tie, number, sent);
                draft.remember(Action::Withdraw { name: name.clone() });
            }
            [] if seen.items.by_tie.contains_key(&tie) => {}
            [] => draft.remember(Action::Withdraw { name: name.clone() }),
            _ => {
                // Which of them is ours only a person can say; once the others have changed, one is left.
                draft.note("undecided", name.clone(), &[]);
                draft.leave_item(&tie);
                for number in candidates {
                    draft.leave_termin(number);
                }
            }
        }
    }
}

/// The fingerprints of what was about to be sent, as Advoware would give it back.
fn sent(draft: &Draft<'_>, intent: &Intent) -> Option<Prints> {
    let mut body = intent.body.clone();
    body.insert("frNr".to_owned(), serde_json::Value::from(1));
    let scope = draft.seen.scope;
    Termin::read(&body, &scope.kuerzel, &scope.rules).ok().map(|termin| termin.prints)
}

fn adopt(draft: &mut Draft<'_>, tie: &Tie, number: i64, sent: Prints) {
    let Some(shown) = draft.shown.get(&number) else { return };
    let (first, last) = days(&shown.termin.entry);
    let pair = Pair { number, generation: 0, anonymised: false, advoware: shown.prints, google: sent, first, last };
    draft.pair(tie, pair);
}

/// Pairs what says the same on both sides, one to one (C5). Without it, a loss of everything would double everything.
pub(super) fn by_content(draft: &mut Draft<'_>) {
    let anonymised = draft.seen.scope.anonymised;
    let mut open: HashMap<Prints, Vec<i64>> = HashMap::new();
    // The lowest number is taken first.
    for (number, shown) in draft.shown.iter().rev() {
        if !draft.is_taken(*number) && !shown.is_foreign() {
            open.entry(shown.prints).or_default().push(*number);
        }
    }
    for (tie, item) in waiting(draft) {
        let Some(number) = open.get_mut(&item.prints).and_then(Vec::pop) else { continue };
        let pair = draft.pair_of(number, item, item.prints, item.prints);
        draft.pair(tie, Pair { generation: 0, anonymised, ..pair });
        draft.release(tie.name());
    }
    hold_ambiguous(draft);
}

/// Items that have no Termin yet.
fn waiting<'a>(draft: &Draft<'a>) -> Vec<(&'a Tie, &'a Item)> {
    let all = draft.seen.items.by_tie.iter();
    all.filter(|(tie, item)| draft.is_open(tie) && !item.marks.anonymised).collect()
}

/// An instance whose Termin was edited before the ledger was lost looks like a stranger to it.
fn hold_ambiguous(draft: &mut Draft<'_>) {
    let seen = draft.seen;
    let was_held = |tie: &Tie| seen.held.get(&tie.name()).is_some_and(|held| held.reason == AMBIGUOUS);
    let mut doubtful = waiting(draft);
    doubtful.retain(|(tie, _)| matches!(tie, Tie::Instance { .. }) && (seen.scope.first_contact || was_held(tie)));
    if doubtful.is_empty() {
        return;
    }
    let mut beginning: HashMap<NaiveDateTime, Vec<i64>> = HashMap::new();
    for (number, shown) in draft.shown.iter().filter(|(number, _)| !draft.is_taken(**number)) {
        beginning.entry(shown.termin.entry.when.start()).or_default().push(*number);
    }
    for (tie, item) in doubtful {
        let Some(rivals) = beginning.get(&item.entry.when.start()) else {
            draft.release(tie.name());
            continue;
        };
        draft.note("ambiguous", tie.name(), &[]);
        draft.hold(tie.name(), AMBIGUOUS, None);
        draft.leave_item(tie);
        for number in rivals {
            draft.leave_termin(*number);
        }
    }
}
