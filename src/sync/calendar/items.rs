//! A calendar's events as items, each the counterpart of one Termin: a single event, a series that Advoware can express,
//! or one instance of a series that it cannot (C5).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use chrono::NaiveDate;

use super::entry::Entry;
use super::event::Marks;
use super::kept::{Kept, Reading, Said};
use super::mirror::Mirror;
use super::pair::{Original, Tie};
use super::recurrence::{Recurrence, Rule};
use super::scope::Window;

/// More instances of one series than this inside the window are no calendar: about one a day for three years.
pub const MOST_INSTANCES: usize = 1000;

/// The counterpart of one Termin. What it says is shared with the mirror.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    said: Arc<Said>,
    /// Whether it touches the window.
    pub inside: bool,
}

impl Deref for Item {
    type Target = Said;

    fn deref(&self) -> &Said {
        &self.said
    }
}

/// A series whose instances are items of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Apart {
    /// What the series' private properties say.
    pub marks: Marks,
    /// What the series says, with its first instance.
    pub entry: Entry,
    rule: Rule,
    cancelled: BTreeSet<Original>,
}

/// All of a calendar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Items {
    /// Single events and plain series, wherever they are; instances and exceptions of the others, as far as they touch the
    /// window or differ from their series.
    pub by_tie: BTreeMap<Tie, Item>,
    /// The series that are taken apart, by id.
    pub apart: BTreeMap<String, Apart>,
    /// Events that cannot be read, and why.
    pub unusable: BTreeMap<String, &'static str>,
    /// Series with more instances than [`MOST_INSTANCES`] in the window: the later ones are left out.
    pub cut: Vec<String>,
}

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place<'a> {
    /// In the calendar.
    There(&'a Item),
    /// Not in the calendar.
    Missing,
    /// An instance outside of the window.
    Outside,
    /// In the calendar, but it cannot be read.
    Unreadable,
}

impl Items {
    /// Puts a calendar together. `tied` are the series that have instances tied to Termine: they stay apart even when
    /// Advoware could express them again.
    #[must_use]
    pub fn of(mirror: &Mirror, tied: &BTreeSet<&str>, window: Window) -> Self {
        let mut items = Self::default();
        let exceptions = exceptions(mirror);
        for (id, kept) in mirror {
            let of_known_series = kept.instance_of.as_ref().is_some_and(|(series, _)| mirror.contains_key(series));
            if kept.cancelled || of_known_series {
                continue;
            }
            let Reading { said, recurrence } = match &kept.reading {
                Ok(reading) => reading,
                Err(reason) => {
                    items.unusable.insert(id.clone(), reason);
                    continue;
                }
            };
            let exceptions = exceptions.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let whole = exceptions.is_empty() && !tied.contains(id.as_str());
            match recurrence {
                Recurrence::Simple(series) if !whole => {
                    let rule = Rule::of(series, &said.entry.when);
                    items.add_apart(id, said, &rule, exceptions, window);
                }
                Recurrence::Complex(rule) => items.add_apart(id, said, rule, exceptions, window),
                Recurrence::Once | Recurrence::Simple(_) => items.add(Tie::Event(id.clone()), said.clone(), window),
            }
        }
        items
    }

    /// Where an item is, by what the mirror says.
    #[must_use]
    pub fn place(&self, tie: &Tie) -> Place<'_> {
        if let Some(item) = self.by_tie.get(tie) {
            return Place::There(item);
        }
        if self.unusable.contains_key(tie.master()) || self.unusable.contains_key(&tie.event_id()) {
            return Place::Unreadable;
        }
        match tie {
            Tie::Event(_) => Place::Missing,
            Tie::Instance { series, original } => match self.apart.get(series) {
                Some(apart) if !apart.cancelled.contains(original) && apart.rule.occurs(*original) => Place::Outside,
                _ => Place::Missing,
            },
        }
    }

    /// The items of one series that is taken apart.
    pub fn instances<'a>(&'a self, series: &'a str) -> impl Iterator<Item = (&'a Tie, &'a Item)> {
        self.by_tie.iter().filter(move |(tie, _)| matches!(tie, Tie::Instance { series: of, .. } if of == series))
    }

    fn add(&mut self, tie: Tie, said: Arc<Said>, window: Window) {
        let inside = touches(days(&said.entry), window);
        self.by_tie.insert(tie, Item { said, inside });
    }

    fn add_apart(&mut self, id: &str, series: &Said, rule: &Rule, exceptions: &[(Original, &Kept)], window: Window) {
        let (instances, more) = rule.instances(window, MOST_INSTANCES);
        if more {
            self.cut.push(id.to_owned());
        }
        let except: BTreeSet<Original> = exceptions.iter().map(|(original, _)| *original).collect();
        let tie = |original| Tie::Instance { series: id.to_owned(), original };
        for (original, when) in instances {
            if except.contains(&original) {
                continue;
            }
            let entry = Entry { when, series: None, ..series.entry.clone() };
            let (marks, remarks) = (Marks::default(), Vec::new());
            let said = Said { prints: entry.prints(), entry, marks, private: series.private, remarks };
            self.by_tie.insert(tie(original), Item { said: Arc::new(said), inside: true });
        }
        let mut cancelled = BTreeSet::new();
        for (original, kept) in exceptions {
            match &kept.reading {
                _ if kept.cancelled => {
                    cancelled.insert(*original);
                }
                Ok(Reading { said, .. }) => {
                    // An exception that was made from a marked series carries its marks, too.
                    let said = Said { marks: Marks::default(), ..Said::clone(said) };
                    self.add(tie(*original), Arc::new(said), window);
                }
                Err(reason) => {
                    self.unusable.insert(tie(*original).event_id(), reason);
                }
            }
        }
        let entry = Entry { series: None, ..series.entry.clone() };
        let apart = Apart { marks: series.marks.clone(), entry, rule: rule.clone(), cancelled };
        self.apart.insert(id.to_owned(), apart);
    }
}

/// Exceptions by their series.
fn exceptions(mirror: &Mirror) -> BTreeMap<&str, Vec<(Original, &Kept)>> {
    let mut found: BTreeMap<&str, Vec<(Original, &Kept)>> = BTreeMap::new();
    for kept in mirror.values() {
        if let Some((series, original)) = &kept.instance_of {
            found.entry(series).or_default().push((*original, kept));
        }
    }
    found
}

/// The first and the last day that an entry touches; no last day: a series without an end.
#[must_use]
pub fn days(entry: &Entry) -> (NaiveDate, Option<NaiveDate>) {
    let (first, last) = (entry.when.first_day(), entry.when.last_day());
    match entry.series {
        None => (first, Some(last)),
        Some(series) => (first, series.until.map(|until| until.max(last))),
    }
}

/// Whether days touch the window.
#[must_use]
pub fn touches((first, last): (NaiveDate, Option<NaiveDate>), window: Window) -> bool {
    first <= window.to && last.is_none_or(|last| last >= window.from)
}
