//! Both systems, the ledger, and an executor without network.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use proptest::sample::Index;
use serde_json::{Value, json};

use super::super::{Action, Plan, Question, RETIRED, Seen, agreed, plan, retired, shown, span, with};
use crate::sync::calendar::Record;
use crate::sync::calendar::entry::{Entry, Field, Fields, Series, Unit, When};
use crate::sync::calendar::event::{self, Marks};
use crate::sync::calendar::items::{Item, Items, Place, days};
use crate::sync::calendar::mirror::{self, Mirror};
use crate::sync::calendar::pair::{Held, Intent, Original, Pair, Prints, Tie};
use crate::sync::calendar::scope::{MaxDeletions, Multiday, Rules, Scope, Window};
use crate::sync::calendar::termin::{self, Belongs, Termin};

const KUERZEL: &str = "SB";
/// More rounds than this are a plan that does not come to an end.
const ROUNDS: usize = 12;

/// What people and fate do.
#[derive(Debug, Clone)]
pub(super) enum Op {
    NewTermin { day: u32, text: u8, shared: bool },
    NewSeries { day: u32, text: u8 },
    NewEvent { day: u32, text: u8 },
    NewRecurring { day: u32, complex: bool },
    EditTermin { which: Index, day: u32, text: u8 },
    EditEvent { which: Index, day: u32, text: u8 },
    DeleteTermin(Index),
    DeleteEvent(Index),
    Instance { which: Index, instance: u32, cancel: bool },
    Copy(Index),
    LoseLedger,
    LoseMarks,
    LoseBoth,
    Anonymise(bool),
    MoveWindow(u32),
    Sync,
}

impl Op {
    /// Whether something of what we know is lost.
    pub(super) const fn is_loss(&self) -> bool {
        matches!(self, Self::LoseLedger | Self::LoseMarks | Self::LoseBoth)
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Setup {
    pub(super) anonymised: bool,
    pub(super) write_protection: bool,
}

/// What a sync wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) google: Vec<String>,
    pub(super) advoware: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) termine: BTreeMap<i64, Record>,
    events: Mirror,
    /// Ids of deleted events, which stay taken.
    tombs: BTreeSet<String>,
    pairs: BTreeMap<Tie, Pair>,
    intents: BTreeMap<String, Intent>,
    held: BTreeMap<String, Held>,
    scope: Scope,
    next: i64,
}

fn base() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 20).unwrap()
}

fn on(day: u32) -> NaiveDate {
    base() + Days::new(day.into())
}

fn entry(day: u32, text: u8) -> Entry {
    let start = on(day).and_time(NaiveTime::from_hms_opt(9, 0, 0).unwrap());
    let when = match day % 3 {
        0 => When::AllDay { first: on(day), last: on(day + day % 2) },
        _ => When::Timed { start, end: start + TimeDelta::hours(1) },
    };
    Entry { when, text: format!("Termin {text}"), notiz: String::new(), ort: String::new(), series: None }
}

fn rules(write_protection: bool) -> Rules {
    Rules {
        kanzlei: "K".into(),
        multiday: Multiday::AllDay,
        blocked_title: "blocked".into(),
        max_deletions: MaxDeletions { count: 1000, percent: 100 },
        write_protection,
    }
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let window = Window { from: base() - Days::new(10), to: base() + Days::new(40) };
        let scope = Scope {
            kuerzel: KUERZEL.into(),
            rules: rules(setup.write_protection),
            anonymised: setup.anonymised,
            window,
            confirm_deletions: false,
            first_contact: true,
        };
        Self {
            termine: BTreeMap::new(),
            events: Mirror::new(),
            tombs: BTreeSet::new(),
            pairs: BTreeMap::new(),
            intents: BTreeMap::new(),
            held: BTreeMap::new(),
            scope,
            next: 0,
        }
    }

    // What people do.

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::NewTermin { day, text, shared } => {
                let mut record = termin::new(&entry(*day, *text), KUERZEL, false);
                if *shared {
                    record.insert("sb".into(), json!("XY"));
                }
                self.add_termin(record);
            }
            Op::NewSeries { day, text } => {
                let first = on(*day);
                let until = Some(first + Days::new(20));
                let series = Some(Series { unit: Unit::Week, interval: 1, until });
                let when = When::AllDay { first, last: first };
                let record = termin::new(&Entry { when, series, ..entry(*day, *text) }, KUERZEL, false);
                self.add_termin(record);
            }
            Op::NewEvent { day, text } => {
                let id = self.fresh_id();
                let event = event::fields(&entry(*day, *text));
                self.put_event(&id, event);
            }
            Op::NewRecurring { day, complex } => {
                let id = self.fresh_id();
                let first = on(*day);
                let mut event = event::fields(&Entry { when: When::AllDay { first, last: first }, ..entry(*day, 9) });
                let rule = if *complex { "RRULE:FREQ=DAILY;COUNT=4;BYDAY=MO,TU,WE" } else { "RRULE:FREQ=WEEKLY;COUNT=3" };
                event.insert("recurrence".into(), json!([rule]));
                self.put_event(&id, event);
            }
            Op::EditTermin { which, day, text } => {
                let Some(number) = pick(which, self.termine.keys()) else { return };
                let Some(raw) = self.termine.get(&number).cloned() else { return };
                let Some(now) = self.read(&raw) else { return };
                let target = Entry { series: now.entry.series, when: moved(&now.entry, *day), ..entry(*day, *text) };
                let fields = Fields::from([Field::When, Field::Text]);
                let body = termin::changed(&raw, &fields, &target, &self.scope.rules);
                self.termine.insert(number, body);
            }
            Op::EditEvent { which, day, text } => {
                let Some(id) = pick(which, self.events.keys()) else { return };
                let Some(event) = self.events.get_mut(&id).filter(|event| event["status"] != "cancelled") else { return };
                event.insert("summary".into(), json!(format!("Termin {text}")));
                if event.get("recurrence").is_none_or(Value::is_null) && !event.contains_key("recurringEventId") {
                    let fields = event::fields(&entry(*day, *text));
                    for name in ["start", "end"] {
                        event.insert(name.into(), fields[name].clone());
                    }
                }
            }
            Op::DeleteTermin(which) => {
                if let Some(number) = pick(which, self.termine.keys()) {
                    self.termine.remove(&number);
                }
            }
            Op::DeleteEvent(which) => {
                if let Some(id) = pick(which, self.events.keys()) {
                    self.delete_event(&id);
                }
            }
            Op::Instance { which, instance, cancel } => self.edit_instance(which, *instance, *cancel),
            Op::Copy(which) => {
                let Some(id) = pick(which, self.events.keys()) else { return };
                let event = self.events[&id].clone();
                if event["status"] != "cancelled" && !event.contains_key("recurringEventId") {
                    let id = self.fresh_id();
                    self.put_event(&id, event);
                }
            }
            Op::LoseLedger => {
                self.pairs.clear();
                self.held.clear();
                self.intents.clear();
                self.scope.first_contact = true;
            }
            Op::LoseMarks => {
                self.events.values_mut().for_each(|event| {
                    event.remove("extendedProperties");
                });
            }
            Op::LoseBoth => {
                self.apply(&Op::LoseLedger);
                self.apply(&Op::LoseMarks);
            }
            Op::Anonymise(anonymised) => self.scope.anonymised = *anonymised,
            Op::MoveWindow(days) => {
                self.scope.window.from = self.scope.window.from + Days::new((*days).into());
                self.scope.window.to = self.scope.window.to + Days::new((*days).into());
            }
            Op::Sync => {}
        }
    }

    fn edit_instance(&mut self, which: &Index, instance: u32, cancel: bool) {
        let masters = self.events.iter().filter(|(_, event)| event.get("recurrence").is_some_and(Value::is_array));
        let Some(id) = pick(which, masters.map(|(id, _)| id)) else { return };
        let mut forced = BTreeSet::new();
        forced.insert(id.as_str());
        let wide = Window { from: base(), to: base() + Days::new(60) };
        let items = Items::of(&self.events, &forced, wide, self.scope.rules.multiday);
        let instances: Vec<(Tie, Item)> = items.instances(&id).map(|(tie, item)| (tie.clone(), item.clone())).collect();
        let Some((tie, item)) = instances.into_iter().nth(instance as usize) else { return };
        let mut event = self.instance(&tie, &item);
        event.insert("status".into(), json!(if cancel { "cancelled" } else { "confirmed" }));
        event.insert("summary".into(), json!("geändert"));
        self.put_event(&tie.event_id(), event);
    }

    fn fresh_id(&mut self) -> String {
        self.next += 1;
        format!("own{:05}", self.next)
    }

    fn add_termin(&mut self, mut record: Record) -> i64 {
        self.next += 1;
        record.insert("frNr".into(), json!(self.next));
        record.entry("fremd").or_insert(json!("bleibt"));
        self.termine.insert(self.next, record);
        self.next
    }

    fn put_event(&mut self, id: &str, mut event: Record) {
        event.insert("id".into(), json!(id));
        event.entry("status").or_insert(json!("confirmed"));
        event.entry("fremd").or_insert(json!("bleibt"));
        // Google drops what is null.
        event.retain(|_, value| !value.is_null());
        for name in ["start", "end"] {
            if let Some(Value::Object(time)) = event.get_mut(name) {
                time.retain(|_, value| !value.is_null());
            }
        }
        mirror::take_one(&mut self.events, event);
    }

    fn delete_event(&mut self, id: &str) {
        self.tombs.insert(id.to_owned());
        let stub = [("id", json!(id)), ("status", json!("cancelled"))];
        mirror::take_one(&mut self.events, stub.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    }

    fn read(&self, record: &Record) -> Option<Termin> {
        Termin::read(record, KUERZEL, &self.scope.rules).ok()
    }

    /// What Advoware lists.
    fn listed(&self) -> BTreeMap<i64, Termin> {
        let all = self.termine.iter().filter_map(|(number, record)| Some((*number, self.read(record)?)));
        all.filter(|(_, termin)| super::super::super::items::touches(days(&termin.entry), self.scope.window)).collect()
    }

    fn items(&self) -> Items {
        let tied: BTreeSet<&str> =
            self.pairs.keys().filter(|tie| matches!(tie, Tie::Instance { .. })).map(Tie::master).collect();
        Items::of(&self.events, &tied, self.scope.window, self.scope.rules.multiday)
    }

    fn plan_with(&self, found: &Found) -> Plan {
        let mut termine = self.listed();
        termine.extend(found.termine.clone());
        plan(&Seen {
            scope: &self.scope,
            termine: &termine,
            unreadable: &BTreeSet::new(),
            gone: &found.gone,
            items: &self.items(),
            vanished: &found.vanished,
            pairs: &self.pairs,
            intents: &self.intents,
            held: &self.held,
            asked_enough: false,
        })
    }

    pub(super) fn plan(&self) -> Plan {
        self.plan_with(&Found::default())
    }

    pub(super) fn size(&self) -> usize {
        self.termine.len() + self.items().by_tie.len() + self.pairs.len()
    }

    /// The same, as it comes of lists in another order.
    pub(super) fn shuffled(&self, seed: u64) -> Self {
        let mut events: Vec<Record> = self.events.values().cloned().collect();
        let mut state = seed | 1;
        for at in (1..events.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            events.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut other = self.clone();
        mirror::take(&mut other.events, events, true);
        other
    }

    // A run.

    /// Syncs until nothing is left; the answer is what was written.
    pub(super) fn sync(&mut self) -> Done {
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
                let there = self.events.get(&tie.event_id()).is_some_and(|event| event["status"] != "cancelled");
                assert!(!there, "{tie:?} was asked for although it is there");
                found.vanished.insert(tie.clone());
            }
        }
    }

    fn item(&self, tie: &Tie) -> Option<Item> {
        self.items().by_tie.get(tie).cloned()
    }

    /// An instance as Google gives it.
    fn instance(&self, tie: &Tie, item: &Item) -> Record {
        let Tie::Instance { series, original } = tie else { panic!("{tie:?}") };
        if let Some(event) = self.events.get(&tie.event_id()) {
            return event.clone();
        }
        let mut event = self.events[series].clone();
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
        let held = self.events.get(id).cloned();
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

    fn merge(
        &mut self,
        tie: &Tie,
        number: i64,
        merged: &super::super::merge::Merged,
        found: &mut Found,
        done: &mut Done,
    ) {
        let item = self.item(tie).unwrap();
        let raw = self.termine[&number].clone();
        let now = self.read(&raw).unwrap();
        let pair = self.pairs[tie].clone();
        let mut target = now.entry.clone();
        if !merged.to_advoware.is_empty() {
            assert!(number > 0);
            done.advoware.push(format!("update {number}"));
            target = with(target, &merged.to_advoware, &item.entry);
            let body = termin::changed(&raw, &merged.to_advoware, &target, &self.scope.rules);
            self.termine.insert(number, body);
            found.termine.remove(&number);
        }
        let now = self.read(&self.termine[&number]).unwrap();
        let to_google: Fields = merged.to_google.union(&merged.undone).copied().collect();
        let wanted = with(item.entry.clone(), &to_google, &shown(&now, &self.scope));
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

    // The promises.

    /// Every Termin has one counterpart that says the same, and every counterpart a Termin.
    pub(super) fn check(&self) {
        let (items, listed) = (self.items(), self.listed());
        let mut numbers = BTreeSet::new();
        for (tie, pair) in &self.pairs {
            assert!(numbers.insert(pair.number), "two items have the Termin {}", pair.number);
            let place = items.place(tie);
            if listed.contains_key(&pair.number) {
                assert!(matches!(place, Place::There(_) | Place::Outside), "the Termin {} lost {tie:?}", pair.number);
            }
            if matches!(place, Place::There(item) if item.inside) {
                assert!(self.termine.contains_key(&pair.number), "{tie:?} shows a Termin that is gone");
            }
            // What lies outside of the window nobody looks at (C2).
            let (Some(item), Some(termin)) = (items.by_tie.get(tie), listed.get(&pair.number)) else { continue };
            assert_eq!(shown(termin, &self.scope).prints(), item.prints, "{tie:?} {termin:?} {item:?}");
        }
        for (number, record) in &self.termine {
            assert_eq!(record["fremd"], "bleibt", "{number}");
            let (listed, held) = (listed.contains_key(number), !self.held.is_empty());
            assert!(!listed || held || numbers.contains(number), "the Termin {number} is not shown");
        }
        for (tie, item) in &items.by_tie {
            // Our own write is the only one that could drop it.
            assert_eq!(self.events[tie.master()]["fremd"], "bleibt", "{tie:?}");
            if item.inside && !self.scope.anonymised && !item.marks.anonymised {
                let known = self.pairs.contains_key(tie) || self.held.contains_key(&tie.name());
                assert!(known, "{tie:?} has no Termin");
            }
        }
    }

    /// Nothing of a Termin but its times is shown.
    pub(super) fn check_anonymised(&self) {
        for (tie, item) in &self.items().by_tie {
            if self.pairs.contains_key(tie) && item.inside {
                assert_eq!((item.entry.text.as_str(), item.entry.notiz.as_str()), ("blocked", ""), "{tie:?}");
            }
        }
    }
}

/// What questions brought.
#[derive(Debug, Default)]
struct Found {
    termine: BTreeMap<i64, Termin>,
    gone: BTreeSet<i64>,
    vanished: BTreeSet<Tie>,
}

fn pick<'a, K: Clone + 'a>(which: &Index, keys: impl Iterator<Item = &'a K>) -> Option<K> {
    let keys: Vec<K> = keys.cloned().collect();
    (!keys.is_empty()).then(|| keys[which.index(keys.len())].clone())
}

/// The time on another day; a series keeps its own.
fn moved(now: &Entry, day: u32) -> When {
    if now.series.is_some() { now.when } else { entry(day, 0).when }
}
