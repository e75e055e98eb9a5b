//! An executor without network: answers questions and carries actions out, in memory.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Done, KUERZEL, World};
use crate::sync::calendar::Record;
use crate::sync::calendar::entry::{Entry, Field, Fields, Series};
use crate::sync::calendar::event::{self, Marks};
use crate::sync::calendar::items::{Item, days};
use crate::sync::calendar::kept::Kept;
use crate::sync::calendar::pair::{Held, Original, Pair, Prints, Tie};
use crate::sync::calendar::plan::merge::Merged;
use crate::sync::calendar::plan::{Action, Question, RETIRED, agreed, retired, shown, span};
use crate::sync::calendar::termin::{self, Belongs, Termin};

/// More rounds than this are a plan that does not come to an end.
const ROUNDS: usize = 12;

/// What questions brought.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) termine: BTreeMap<i64, Termin>,
    pub(super) gone: BTreeSet<i64>,
    pub(super) vanished: BTreeSet<Tie>,
}

impl World {
    /// Syncs until nothing is left; the answer is what was written.
    pub(in super::super) fn sync(&mut self) -> Done {
        self.scope.first_contact = self.pairs.is_empty();
        let mut found = Found::default();
        let mut done = Done::default();
        for _ in 0..ROUNDS {
            let plan = self.plan_with(&found);
            if plan.is_quiet() {
                return done;
            }
            if !plan.questions.is_empty() {
                plan.questions.iter().for_each(|question| self.answer(question, &mut found));
                continue;
            }
            for action in plan.actions {
                self.act(&action, &mut found, &mut done);
            }
        }
        panic!("no end: {:#?}", self.plan_with(&found));
    }

    fn answer(&self, question: &Question, found: &mut Found) {
        match question {
            Question::Termin(number) => match self.termine.get(number).and_then(|record| self.read(record)) {
                Some(termin) => drop(found.termine.insert(*number, termin)),
                None => drop(found.gone.insert(*number)),
            },
            Question::Item(tie) => {
                let there = self.events.get(&tie.event_id()).is_some_and(|kept| kept.record()["status"] != "cancelled");
                assert!(!there, "{tie:?} was asked for although it is there");
                found.vanished.insert(tie.clone());
            }
        }
    }

    fn item(&self, tie: &Tie) -> Option<Item> {
        self.items().by_tie.get(tie).cloned()
    }

    /// An instance as Google gives it.
    pub(super) fn instance(&self, tie: &Tie, item: &Item) -> Record {
        let Tie::Instance { series, original } = tie else { panic!("{tie:?}") };
        if let Some(kept) = self.events.get(&tie.event_id()) {
            return kept.record();
        }
        let mut event = self.events[series].record();
        event.remove("recurrence");
        event.extend(event::fields(&item.entry));
        event.remove("recurrence");
        event.insert("recurringEventId".into(), json!(series));
        let at = match original {
            Original::Day(day) => json!({ "date": day.to_string() }),
            Original::Instant(at) => json!({ "dateTime": at.to_rfc3339() }),
        };
        event.insert("originalStartTime".into(), at);
        event
    }

    fn act(&mut self, action: &Action, found: &mut Found, done: &mut Done) {
        match action {
            Action::Pair { tie, pair } => drop(self.pairs.insert(tie.clone(), pair.clone())),
            Action::Unpair { tie } => drop(self.pairs.remove(tie)),
            Action::Withdraw { name } => drop(self.intents.remove(name)),
            Action::Hold { name, held } => drop(self.held.insert(name.clone(), held.clone())),
            Action::Release { name } => drop(self.held.remove(name)),
            Action::InsertEvent { number, generation, replaces } => {
                done.google.push(format!("insert {number}"));
                self.insert_event(*number, *generation, replaces.as_ref(), found);
            }
            Action::Remake { tie, number, generation } => {
                done.google.push(format!("remake {number}"));
                self.delete_event(tie.master());
                self.insert_event(*number, *generation, Some(tie), found);
            }
            Action::DeleteEvent { tie } => {
                done.google.push(format!("delete {}", tie.name()));
                assert!(self.pairs.contains_key(tie), "a deletion without a pair: {tie:?}");
                match tie {
                    Tie::Event(id) => self.delete_event(id),
                    Tie::Instance { .. } => {
                        let item = self.item(tie).unwrap();
                        let mut event = self.instance(tie, &item);
                        event.insert("status".into(), json!("cancelled"));
                        self.put_event(&tie.event_id(), event);
                    }
                }
                self.pairs.remove(tie);
            }
            Action::DeleteTermin { tie, number } => {
                done.advoware.push(format!("delete {number}"));
                assert!(self.pairs.contains_key(tie), "a deletion without a pair: {tie:?}");
                assert!(*number > 0);
                assert_eq!(self.read(&self.termine[number]).unwrap().belongs, Belongs::Own);
                self.termine.remove(number);
                found.gone.insert(*number);
                found.termine.remove(number);
                self.pairs.remove(tie);
            }
            Action::Merge { tie, number, merged } => self.merge(tie, *number, merged, found, done),
            Action::NewTermin { tie, like, .. } => {
                done.advoware.push(format!("new {}", tie.name()));
                let item = self.item(tie).unwrap();
                let body = match like {
                    Some(number) => termin::single(&self.termine[number], &item.entry),
                    None => termin::new(&item.entry, KUERZEL, item.private),
                };
                let number = self.add_termin(body);
                let made = self.read(&self.termine[&number]).unwrap();
                let (first, last) = span(days(&made.entry), days(&item.entry));
                let advoware = made.entry.prints();
                let google = item.prints;
                let pair = Pair { number, generation: 0, anonymised: false, advoware, google, first, last };
                self.pairs.insert(tie.clone(), pair);
                if let Tie::Event(id) = tie {
                    let marks = self.marks(number, 0, &item.prints);
                    self.write(id, &item.entry, &marks);
                }
            }
            Action::EndSeries { tie, number, until } => {
                done.advoware.push(format!("end {number}"));
                found.termine.remove(number);
                match until {
                    Some(until) => {
                        let raw = self.termine[number].clone();
                        let now = self.read(&raw).unwrap();
                        if let Some(series) = now.entry.series {
                            let series = Some(Series { until: Some(*until), ..series });
                            let target = Entry { series, ..now.entry };
                            let fields = Fields::from([Field::Series]);
                            let body = termin::changed(&raw, &fields, &target, &self.scope.rules);
                            self.termine.insert(*number, body);
                        }
                        self.held.insert(retired(*number), Held { reason: RETIRED.into(), prints: None });
                    }
                    None => drop(self.termine.remove(number)),
                }
                self.pairs.remove(tie);
            }
        }
    }

    fn marks(&self, number: i64, generation: u32, prints: &Prints) -> Marks {
        Marks {
            number: Some(number),
            kuerzel: Some(KUERZEL.into()),
            generation,
            hash: Some(prints.digest()),
            anonymised: self.scope.anonymised,
        }
    }

    fn write(&mut self, id: &str, entry: &Entry, marks: &Marks) {
        let held = self.events.get(id).map(Kept::record);
        let body = event::body(held.as_ref(), id, entry, marks, self.scope.rules.multiday);
        self.put_event(id, body);
    }

    fn insert_event(&mut self, number: i64, generation: u32, replaces: Option<&Tie>, found: &Found) {
        let termin = self.termine.get(&number).and_then(|record| self.read(record));
        let termin = termin.or_else(|| found.termine.get(&number).cloned()).unwrap();
        let entry = shown(&termin, &self.scope);
        if let Some(tie) = replaces {
            self.pairs.remove(tie);
        }
        for generation in generation.. {
            let id = event::id("K", KUERZEL, number, generation);
            if self.tombs.contains(&id) && !self.events.contains_key(&id) {
                continue;
            }
            if self.events.contains_key(&id) {
                return;
            }
            let marks = self.marks(number, generation, &entry.prints());
            self.write(&id, &entry, &marks);
            let tie = Tie::Event(id);
            let item = self.item(&tie).unwrap();
            self.pairs.insert(tie, agreed(&termin, &self.scope, (&item.prints, days(&item.entry)), generation));
            return;
        }
    }

    fn merge(&mut self, tie: &Tie, number: i64, merged: &Merged, found: &mut Found, done: &mut Done) {
        let item = self.item(tie).unwrap();
        let raw = self.termine[&number].clone();
        let now = self.read(&raw).unwrap();
        let pair = self.pairs[tie].clone();
        let mut target = now.entry.clone();
        if !merged.to_advoware.is_empty() {
            assert!(number > 0);
            done.advoware.push(format!("update {number}"));
            target = target.with(&merged.to_advoware, &item.entry);
            let body = termin::changed(&raw, &merged.to_advoware, &target, &self.scope.rules);
            self.termine.insert(number, body);
            found.termine.remove(&number);
        }
        let now = self.read(&self.termine[&number]).unwrap();
        let to_google: Fields = merged.to_google.union(&merged.undone).copied().collect();
        let wanted = item.entry.clone().with(&to_google, &shown(&now, &self.scope));
        if !to_google.is_empty() {
            done.google.push(format!("update {}", tie.name()));
        }
        match tie {
            Tie::Event(id) => {
                let marks = self.marks(number, pair.generation, &wanted.prints());
                self.write(id, &wanted, &marks);
            }
            Tie::Instance { .. } if !to_google.is_empty() => {
                let held = self.instance(tie, &item);
                let id = tie.event_id();
                let body = event::body(Some(&held), &id, &wanted, &Marks::default(), self.scope.rules.multiday);
                self.put_event(&id, body);
            }
            Tie::Instance { .. } => {}
        }
        let item = self.item(tie).unwrap();
        let settled: Fields = Field::ALL.into_iter().filter(|field| !merged.withheld.contains(field)).collect();
        let next = Pair {
            advoware: pair.advoware.with(&settled, &shown(&now, &self.scope).prints()),
            google: pair.google.with(&settled, &item.prints),
            anonymised: self.scope.anonymised,
            ..pair
        };
        self.pairs.insert(tie.clone(), next);
    }
}
