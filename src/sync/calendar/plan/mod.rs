//! What is to be done, from what was read: pure.
//!
//! [`plan`] looks at a whole calendar. It finds out which Termin and which item belong together (`link`), decides for each
//! pair ([`fate`], [`merge`]; `pairs`, `apart` for series that Advoware cannot express), and what is left over is new on
//! its side (`fresh`). [`deletions`] holds back deletions that are too many. Nothing is deleted before the side that lost
//! it has said so by id: that is what the plan's questions are for.

mod apart;
pub mod deletions;
mod draft;
pub mod fate;
mod fresh;
mod link;
pub mod merge;
mod pairs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::entry::Entry;
use super::items::Items;
use super::pair::{Held, Intent, Pair, Prints, Tie};
use super::scope::Scope;
use super::termin::Termin;
pub use draft::{RETIRED, retired, span};

use draft::Draft;
use merge::Merged;

/// All that was read.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Whose, and by which rules.
    pub scope: &'a Scope,
    /// The Termine that were listed, and those that were found by number, by number.
    pub termine: &'a BTreeMap<i64, Termin>,
    /// Numbers of Termine that are there but cannot be read.
    pub unreadable: &'a BTreeSet<i64>,
    /// Numbers of which Advoware says that there is no Termin.
    pub gone: &'a BTreeSet<i64>,
    /// The calendar.
    pub items: &'a Items,
    /// Items of which Google says that there is none, or that they are cancelled.
    pub vanished: &'a BTreeSet<Tie>,
    /// The ledger's pairs.
    pub pairs: &'a BTreeMap<Tie, Pair>,
    /// Its open intents, by the name of the tie; their quiet time is over.
    pub intents: &'a BTreeMap<String, Intent>,
    /// What it holds for a person.
    pub held: &'a BTreeMap<String, Held>,
    /// Whether enough was asked: the bound on deletions is passed already.
    pub asked_enough: bool,
}

/// What has to be known before more can be decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whether there is a Termin with this number.
    Termin(i64),
    /// Whether there is an item.
    Item(Tie),
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Only the ledger: these belong together, or what they agreed on is known better now.
    Pair {
        /// The item.
        tie: Tie,
        /// The pair.
        pair: Pair,
    },
    /// Only the ledger: the pair ends.
    Unpair {
        /// The item.
        tie: Tie,
    },
    /// Only the ledger: an intent is done with.
    Withdraw {
        /// The item whose Termin was to be made.
        name: String,
    },
    /// Only the ledger: something is left to a person.
    Hold {
        /// A tie's name, or `frNr:` and a number.
        name: String,
        /// Why.
        held: Held,
    },
    /// Only the ledger: it is not held any more.
    Release {
        /// The name it was held by.
        name: String,
    },
    /// A Termin gets an event.
    InsertEvent {
        /// The Termin.
        number: i64,
        /// Part of the event's derived id.
        generation: u32,
        /// The item that it takes the place of.
        replaces: Option<Tie>,
    },
    /// A copy at Google is given up for a new one, because what was done to it cannot go to Advoware and cannot be undone
    /// otherwise: it is deleted, then comes back under the next generation.
    Remake {
        /// The item.
        tie: Tie,
        /// The Termin.
        number: i64,
        /// Part of the new event's derived id.
        generation: u32,
    },
    /// The Termin is gone: so goes the event.
    DeleteEvent {
        /// The item.
        tie: Tie,
    },
    /// Fields of a pair go over, in one or both directions.
    Merge {
        /// The item.
        tie: Tie,
        /// The Termin.
        number: i64,
        /// Which fields go where.
        merged: Merged,
    },
    /// An item gets a Termin.
    NewTermin {
        /// The item.
        tie: Tie,
        /// The series whose record it is a copy of, where it was taken out of one.
        like: Option<i64>,
        /// How many POSTs were about to be sent before.
        tries: u32,
    },
    /// The event is gone: so goes the Termin.
    DeleteTermin {
        /// The item.
        tie: Tie,
        /// The Termin.
        number: i64,
    },
    /// A series has been taken apart: only what lies before the window stays in it.
    EndSeries {
        /// The series' event.
        tie: Tie,
        /// The Termin.
        number: i64,
        /// The last day on which an instance may begin; none: nothing is left, so it is deleted.
        until: Option<NaiveDate>,
    },
}

/// Something that a person should know. Holds no party's data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// A stable word, such as `conflict`.
    pub kind: &'static str,
    /// The Termin's number or the item's name.
    pub about: String,
    /// The fields, or another word to it.
    pub fields: Vec<&'static str>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What has to be asked first; whatever depends on it is not among the actions.
    pub questions: Vec<Question>,
    /// What to do, the ledger's own entries first.
    pub actions: Vec<Action>,
    /// What a person should know.
    pub notes: BTreeSet<Note>,
    /// How many deletions are held back.
    pub held_deletions: usize,
}

impl Plan {
    /// Whether there is nothing to ask and nothing to do.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.questions.is_empty() && self.actions.is_empty()
    }
}

/// Plans a calendar.
#[must_use]
pub fn plan(seen: &Seen<'_>) -> Plan {
    let mut draft = Draft::new(seen);
    link::by_marks(&mut draft);
    link::by_intent(&mut draft);
    link::by_content(&mut draft);
    pairs::decide(&mut draft);
    fresh::decide(&mut draft);
    draft.finish()
}

/// The entry of a Termin as Google is to show it (C3).
#[must_use]
pub fn shown(termin: &Termin, scope: &Scope) -> Entry {
    if !scope.anonymised {
        return termin.entry.clone();
    }
    Entry { text: scope.rules.blocked_title.clone(), notiz: String::new(), ort: String::new(), ..termin.entry.clone() }
}

/// The fingerprints of [`shown`].
#[must_use]
pub fn shown_prints(termin: &Termin, scope: &Scope) -> Prints {
    if scope.anonymised { shown(termin, scope).prints() } else { termin.prints }
}

/// The pair of a Termin and an item that agree as they are.
#[must_use]
pub fn agreed(
    termin: &Termin,
    scope: &Scope,
    google: (&Prints, (NaiveDate, Option<NaiveDate>)),
    generation: u32,
) -> Pair {
    let (google, days) = google;
    let (first, last) = span(super::items::days(&termin.entry), days);
    Pair {
        number: termin.number,
        generation,
        anonymised: scope.anonymised,
        advoware: shown_prints(termin, scope),
        google: *google,
        first,
        last,
    }
}
