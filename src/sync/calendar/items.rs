//! A calendar's events as items, each the counterpart of one Termin: a single event, a series that Advoware can express,
//! or one instance of a series that it cannot (C5).

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::Record;
use super::entry::Entry;
use super::event::{self, Marks, Read};
use super::mirror::Mirror;
use super::pair::{Original, Prints, Tie};
use super::recurrence::{self, Recurrence, Rule};
use super::scope::{Multiday, Window};

/// More instances of one series than this inside the window are no calendar: about one a day for three years.
pub const MOST_INSTANCES: usize = 1000;

/// The counterpart of one Termin.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it says.
    pub entry: Entry,
    /// Its fingerprints.
    pub prints: Prints,
    /// What its private properties say; of an instance nothing, since they are its series'.
    pub marks: Marks,
    /// Whether only its owner may see it.
    pub private: bool,
    /// Whether it touches the window.
    pub inside: bool,
    /// What was odd about it, as stable words for reports.
    pub remarks: Vec<&'static str>,
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
    /// Reads a calendar. `tied` are the series that have instances tied to Termine: they stay apart even when Advoware
    /// could express them again.
    #[must_use]
    pub fn of(mirror: &Mirror, tied: &BTreeSet<&str>, window: Window, multiday: Multiday) -> Self {
        let mut items = Self::default();
        let exceptions = exceptions(mirror);
        for (id, record) in mirror {
            let Some(stub) = event::stub(record) else {
                items.unusable.insert(id.clone(), "bad_original");
                continue;
            };
            let of_known_series = stub.instance_of.is_some_and(|(series, _)| mirror.contains_key(series));
            if stub.cancelled || of_known_series {
                continue;
            }
            let mut read = match event::read(record, multiday) {
                Ok(read) => read,
                Err(unusable) => {
                    items.unusable.insert(id.clone(), unusable.reason);
                    continue;
                }
            };
            let mut exceptions = exceptions.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let lines: Vec<&str> = read.recurrence.iter().map(String::as_str).collect();
            let recurrence = match recurrence::read(&lines, &read.entry.when, read.zone) {
                Ok(recurrence) => recurrence,
                Err(reason) => {
                    items.unusable.insert(id.clone(), reason);
                    continue;
                }
            };
            let is_tied = tied.contains(id.as_str());
            let (series, rule) = match recurrence {
                Recurrence::Once => {
                    exceptions = &[];
                    (None, None)
                }
                Recurrence::Simple(series) if exceptions.is_empty() && !is_tied => (Some(series), None),
                Recurrence::Simple(series) => (None, Some(Rule::of(&series, &read.entry.when))),
                Recurrence::Complex(rule) => (None, Some(rule)),
            };
            match rule {
                None => {
                    read.entry.series = series;
                    items.add(Tie::Event(id.clone()), read, window);
                }
                Some(rule) => items.add_apart(id, read, rule, exceptions, window, multiday),
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

    fn add(&mut self, tie: Tie, read: Read, window: Window) {
        let item = Item {
            inside: touches(days(&read.entry), window),
            prints: read.entry.prints(),
            entry: read.entry,
            marks: read.marks,
            private: read.private,
            remarks: read.remarks,
        };
        self.by_tie.insert(tie, item);
    }

    fn add_apart(
        &mut self,
        id: &str,
        read: Read,
        rule: Rule,
        exceptions: &[(Original, &Record)],
        window: Window,
        multiday: Multiday,
    ) {
        let (instances, more) = rule.instances(window, MOST_INSTANCES);
        if more {
            self.cut.push(id.to_owned());
        }
        let except: BTreeSet<Original> = exceptions.iter().map(|(original, _)| *original).collect();
        for (original, when) in instances {
            if except.contains(&original) {
                continue;
            }
            let entry = Entry { when, series: None, ..read.entry.clone() };
            let item = Item {
                inside: true,
                prints: entry.prints(),
                entry,
                marks: Marks::default(),
                private: read.private,
                remarks: Vec::new(),
            };
            self.by_tie.insert(Tie::Instance { series: id.to_owned(), original }, item);
        }
        let mut cancelled = BTreeSet::new();
        for (original, record) in exceptions {
            match event::read(record, multiday) {
                Ok(exception) if !exception.cancelled => {
                    let tie = Tie::Instance { series: id.to_owned(), original: *original };
                    // An exception that was made from a marked series carries its marks, too.
                    self.add(tie, Read { marks: Marks::default(), ..exception }, window);
                }
                Err(unusable) if !is_cancelled(record) => {
                    let tie = Tie::Instance { series: id.to_owned(), original: *original };
                    self.unusable.insert(tie.event_id(), unusable.reason);
                }
                _ => {
                    cancelled.insert(*original);
                }
            }
        }
        self.apart.insert(id.to_owned(), Apart { marks: read.marks, entry: read.entry, rule, cancelled });
    }
}

fn is_cancelled(record: &Record) -> bool {
    event::stub(record).is_some_and(|stub| stub.cancelled)
}

/// Exceptions by their series.
fn exceptions(mirror: &Mirror) -> BTreeMap<&str, Vec<(Original, &Record)>> {
    let mut found: BTreeMap<&str, Vec<(Original, &Record)>> = BTreeMap::new();
    for record in mirror.values() {
        if let Some((series, original)) = event::stub(record).and_then(|stub| stub.instance_of) {
            found.entry(series).or_default().push((original, record));
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
