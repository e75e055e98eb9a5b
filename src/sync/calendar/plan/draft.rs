//! A plan in the making: what was seen, which pairs were found on the way, and what was decided so far.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::deletions::{self, Verdict};
use super::{Action, Note, Plan, Question, Seen, shown_prints};
use crate::sync::calendar::entry::{Field, Fields};
use crate::sync::calendar::event;
use crate::sync::calendar::items::{Item, days};
use crate::sync::calendar::pair::{Held, Pair, Prints, Tie};
use crate::sync::calendar::termin::{Belongs, Termin};

/// A Termin as Google is to show it.
#[derive(Debug, Clone)]
pub(super) struct Shown<'a> {
    pub(super) termin: &'a Termin,
    /// Of what Google is to show.
    pub(super) prints: Prints,
}

impl Shown<'_> {
    /// Whether the deletion or an edit of one employee's copy may reach it.
    pub(super) fn is_shared(&self) -> bool {
        self.termin.belongs == Belongs::Shared
    }

    pub(super) fn is_foreign(&self) -> bool {
        self.termin.belongs == Belongs::Foreign
    }
}

/// What a note is about: a Termin's number, or the name of an item.
pub(super) struct About(String);

impl From<i64> for About {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<String> for About {
    fn from(name: String) -> Self {
        Self(name)
    }
}

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub(super) seen: &'a Seen<'a>,
    pub(super) shown: BTreeMap<i64, Shown<'a>>,
    /// Pairs that the ledger does not know yet.
    pub(super) found: BTreeMap<Tie, Pair>,
    /// Termine that have an item, or are held: no other item may have them, and no new event shows them.
    taken: BTreeSet<i64>,
    /// Items that have a Termin, or are left alone.
    spoken_for: BTreeSet<Tie>,
    ledger: Vec<Action>,
    effects: Vec<Action>,
    deletions: Vec<Action>,
    questions: BTreeSet<Question>,
    notes: BTreeSet<Note>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(seen: &'a Seen<'a>) -> Self {
        let shown = seen.termine.iter().map(|(number, termin)| (*number, shown_as(termin, seen))).collect();
        let mut draft = Self {
            seen,
            shown,
            found: BTreeMap::new(),
            taken: seen.pairs.values().map(|pair| pair.number).collect(),
            spoken_for: BTreeSet::new(),
            ledger: Vec::new(),
            effects: Vec::new(),
            deletions: Vec::new(),
            questions: BTreeSet::new(),
            notes: BTreeSet::new(),
        };
        let retired = seen.held.iter().filter(|(_, held)| held.reason == RETIRED);
        draft.taken.extend(retired.filter_map(|(name, _)| name.strip_prefix(NUMBER)?.parse::<i64>().ok()));
        draft.note_oddities();
        draft
    }

    fn note_oddities(&mut self) {
        for number in self.seen.unreadable {
            self.note("unreadable_termin", *number, &[]);
        }
        for (id, reason) in &self.seen.items.unusable {
            self.note("unreadable_event", id.clone(), &[reason]);
        }
        for id in &self.seen.items.cut {
            self.note("too_many_instances", id.clone(), &[]);
        }
        for termin in self.seen.termine.values().filter(|termin| !termin.remarks.is_empty()) {
            self.note("odd_termin", termin.number, &termin.remarks);
        }
        for (tie, item) in &self.seen.items.by_tie {
            // Many people give no title to what is theirs; that is no reason to bother anybody.
            let odd: Vec<&'static str> = item.remarks.iter().copied().filter(|remark| *remark != "no_title").collect();
            if !odd.is_empty() {
                self.note("odd_event", tie.name(), &odd);
            }
        }
    }

    /// Notes something for a person.
    pub(super) fn note(&mut self, kind: &'static str, about: impl Into<About>, fields: &[&'static str]) {
        self.notes.insert(Note { kind, about: about.into().0, fields: fields.to_vec() });
    }

    /// Notes something about fields.
    pub(super) fn note_fields(&mut self, kind: &'static str, about: impl Into<About>, fields: &Fields) {
        if !fields.is_empty() {
            let fields: Vec<&'static str> = fields.iter().map(|field| field.name()).collect();
            self.note(kind, about, &fields);
        }
    }

    /// Asks, unless the answer is known or enough was asked.
    pub(super) fn ask(&mut self, question: Question) {
        let answered = match &question {
            Question::Termin(number) => self.seen.gone.contains(number) || self.shown.contains_key(number),
            Question::Item(tie) => self.seen.vanished.contains(tie),
        };
        if !answered && !self.seen.asked_enough {
            self.questions.insert(question);
        }
    }

    /// A pair that the ledger does not know, or not so.
    pub(super) fn pair(&mut self, tie: &Tie, pair: Pair) {
        self.taken.insert(pair.number);
        self.ledger.push(Action::Pair { tie: tie.clone(), pair: pair.clone() });
        self.found.insert(tie.clone(), pair);
    }

    /// An entry in the ledger only.
    pub(super) fn remember(&mut self, action: Action) {
        self.ledger.push(action);
    }

    /// Holds something, unless it is held so already.
    pub(super) fn hold(&mut self, name: String, reason: &str, prints: Option<Prints>) {
        let held = Held { reason: reason.to_owned(), prints };
        if self.seen.held.get(&name) != Some(&held) {
            self.ledger.push(Action::Hold { name, held });
        }
    }

    /// Ends a hold, if there is one.
    pub(super) fn release(&mut self, name: String) {
        if self.seen.held.contains_key(&name) {
            self.ledger.push(Action::Release { name });
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.effects.push(action);
    }

    /// A deletion whose proof is complete; whether it is done depends on how many there are.
    pub(super) fn delete(&mut self, action: Action) {
        self.deletions.push(action);
    }

    pub(super) fn is_paired(&self, tie: &Tie) -> bool {
        self.seen.pairs.contains_key(tie) || self.found.contains_key(tie)
    }

    /// Whether an item waits for a Termin.
    pub(super) fn is_open(&self, tie: &Tie) -> bool {
        !self.is_paired(tie) && !self.spoken_for.contains(tie)
    }

    /// Leaves an item alone in this run.
    pub(super) fn leave_item(&mut self, tie: &Tie) {
        self.spoken_for.insert(tie.clone());
    }

    /// Leaves a Termin alone in this run: no item gets it, and no new event shows it.
    pub(super) fn leave_termin(&mut self, number: i64) {
        self.taken.insert(number);
    }

    pub(super) fn is_taken(&self, number: i64) -> bool {
        self.taken.contains(&number)
    }

    /// A pair of a Termin and an item, with what they last agreed on.
    pub(super) fn pair_of(&self, number: i64, item: &Item, advoware: Prints, google: Prints) -> Pair {
        let item_days = days(&item.entry);
        let (first, last) = match self.shown.get(&number) {
            Some(shown) => span(days(&shown.termin.entry), item_days),
            None => item_days,
        };
        Pair {
            number,
            generation: item.marks.generation,
            anonymised: item.marks.anonymised,
            advoware,
            google,
            first,
            last,
        }
    }

    pub(super) fn finish(self) -> Plan {
        let mut actions = self.ledger;
        actions.extend(self.effects);
        // What this plan ends is counted, too: many pairs that vanish at once are what the bound is for.
        let (pairs, deletions) = (self.seen.pairs.len() + self.found.len(), self.deletions.len());
        let mut held_deletions = 0;
        match deletions::judge(self.seen.scope, pairs, deletions) {
            Verdict::Done => actions.extend(self.deletions),
            Verdict::HeldBack => held_deletions = deletions,
        }
        Plan { questions: self.questions.into_iter().collect(), actions, notes: self.notes, held_deletions }
    }
}

/// Put before the number of a Termin that is held.
const NUMBER: &str = "frNr:";
/// Held: the Termin of a series that was taken apart; what is left of it lies before the window.
pub const RETIRED: &str = "retired";

/// The name by which the Termin of a series is held that was taken apart.
#[must_use]
pub fn retired(number: i64) -> String {
    format!("{NUMBER}{number}")
}

fn shown_as<'a>(termin: &'a Termin, seen: &Seen<'_>) -> Shown<'a> {
    Shown { termin, prints: shown_prints(termin, seen.scope) }
}

/// The days that either of two touches.
#[must_use]
pub fn span(
    one: (NaiveDate, Option<NaiveDate>),
    other: (NaiveDate, Option<NaiveDate>),
) -> (NaiveDate, Option<NaiveDate>) {
    (one.0.min(other.0), one.1.zip(other.1).map(|(one, other)| one.max(other)))
}

/// The fields that Google shows cut, so that they must not flow back.
pub(super) fn one_way(termin: &Termin) -> Fields {
    let cut = [
        (Field::Text, &termin.entry.text, event::SHORT),
        (Field::Notiz, &termin.entry.notiz, event::LONG),
        (Field::Ort, &termin.entry.ort, event::SHORT),
    ];
    // Bytes first: hardly any text is long enough to be counted.
    let too_long = |text: &str, most: usize| text.len() > most && text.chars().nth(most).is_some();
    cut.into_iter().filter(|(_, text, most)| too_long(text, *most)).map(|(field, _, _)| field).collect()
}
