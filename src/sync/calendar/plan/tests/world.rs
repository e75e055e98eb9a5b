//! Both systems and the ledger, what people do, and what is promised.

mod run;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use proptest::sample::Index;
use serde_json::{Value, json};

use self::run::Found;
use super::super::{Plan, Seen, plan, shown};
use crate::sync::calendar::Record;
use crate::sync::calendar::entry::{Entry, Field, Fields, Series, Unit, When};
use crate::sync::calendar::event;
use crate::sync::calendar::items::{Item, Items, Place, days, touches};
use crate::sync::calendar::kept::Kept;
use crate::sync::calendar::mirror::{self, Mirror};
use crate::sync::calendar::pair::{Held, Intent, Pair, Tie};
use crate::sync::calendar::scope::{MaxDeletions, Multiday, Rules, Scope, Window};
use crate::sync::calendar::termin::{self, Termin};

const KUERZEL: &str = "SB";

/// What people and fate do.
#[derive(Debug, Clone)]
pub(super) enum Op {
    NewTermin {
        day: u32,
        text: u8,
        shared: bool,
    },
    NewSeries {
        day: u32,
        text: u8,
    },
    /// Travel time, holiday: Advoware's own, with a number below 0.
    NewGenerated {
        day: u32,
        text: u8,
    },
    NewEvent {
        day: u32,
        text: u8,
    },
    NewRecurring {
        day: u32,
        complex: bool,
    },
    EditTermin {
        which: Index,
        day: u32,
        text: u8,
    },
    EditEvent {
        which: Index,
        day: u32,
        text: u8,
    },
    DeleteTermin(Index),
    DeleteEvent(Index),
    Instance {
        which: Index,
        instance: u32,
        cancel: bool,
    },
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
            Op::NewGenerated { day, text } => self.add_generated(*day, *text),
            Op::NewEvent { day, text } => {
                let id = self.fresh_id();
                let event = event::fields(&entry(*day, *text));
                self.put_event(&id, event);
            }
            Op::NewRecurring { day, complex } => {
                let id = self.fresh_id();
                let first = on(*day);
                let mut event = event::fields(&Entry { when: When::AllDay { first, last: first }, ..entry(*day, 9) });
                let rule =
                    if *complex { "RRULE:FREQ=DAILY;COUNT=4;BYDAY=MO,TU,WE" } else { "RRULE:FREQ=WEEKLY;COUNT=3" };
                event.insert("recurrence".into(), json!([rule]));
                self.put_event(&id, event);
            }
            Op::EditTermin { which, day, text } => {
                let Some(number) = pick(*which, self.termine.keys()) else { return };
                let Some(raw) = self.termine.get(&number).cloned() else { return };
                let Some(now) = self.read(&raw) else { return };
                let target = Entry { series: now.entry.series, when: moved(&now.entry, *day), ..entry(*day, *text) };
                let fields = Fields::from([Field::When, Field::Text]);
                let body = termin::changed(&raw, &fields, &target, &self.scope.rules);
                self.termine.insert(number, body);
            }
            Op::EditEvent { which, day, text } => {
                let Some(id) = pick(*which, self.events.keys()) else { return };
                let mut event = self.events[&id].record();
                if event["status"] == "cancelled" {
                    return;
                }
                event.insert("summary".into(), json!(format!("Termin {text}")));
                if event.get("recurrence").is_none_or(Value::is_null) && !event.contains_key("recurringEventId") {
                    let fields = event::fields(&entry(*day, *text));
                    for name in ["start", "end"] {
                        event.insert(name.into(), fields[name].clone());
                    }
                }
                self.events.insert(id, Kept::of(&event, self.scope.rules.multiday));
            }
            Op::DeleteTermin(which) => {
                if let Some(number) = pick(*which, self.termine.keys()) {
                    self.termine.remove(&number);
                }
            }
            Op::DeleteEvent(which) => {
                if let Some(id) = pick(*which, self.events.keys()) {
                    self.delete_event(&id);
                }
            }
            Op::Instance { which, instance, cancel } => self.edit_instance(*which, *instance, *cancel),
            Op::Copy(which) => {
                let Some(id) = pick(*which, self.events.keys()) else { return };
                let event = self.events[&id].record();
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
                self.events.values_mut().for_each(|kept| {
                    let mut event = kept.record();
                    event.remove("extendedProperties");
                    *kept = Kept::of(&event, self.scope.rules.multiday);
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

    fn edit_instance(&mut self, which: Index, instance: u32, cancel: bool) {
        let masters =
            self.events.iter().filter(|(_, kept)| kept.record().get("recurrence").is_some_and(Value::is_array));
        let Some(id) = pick(which, masters.map(|(id, _)| id)) else { return };
        let mut forced = BTreeSet::new();
        forced.insert(id.as_str());
        let wide = Window { from: base(), to: base() + Days::new(60) };
        let items = Items::of(&self.events, &forced, wide);
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

    fn add_generated(&mut self, day: u32, text: u8) {
        let mut record = termin::new(&entry(day, text), KUERZEL, false);
        self.next += 1;
        record.insert("frNr".into(), json!(-self.next));
        record.insert("fremd".into(), json!("bleibt"));
        self.termine.insert(-self.next, record);
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
        mirror::take_one(&mut self.events, event, self.scope.rules.multiday);
    }

    fn delete_event(&mut self, id: &str) {
        self.tombs.insert(id.to_owned());
        let stub = [("id", json!(id)), ("status", json!("cancelled"))];
        let stub = stub.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        mirror::take_one(&mut self.events, stub, self.scope.rules.multiday);
    }

    fn read(&self, record: &Record) -> Option<Termin> {
        Termin::read(record, KUERZEL, &self.scope.rules).ok()
    }

    /// What Advoware lists.
    fn listed(&self) -> BTreeMap<i64, Termin> {
        let all = self.termine.iter().filter_map(|(number, record)| Some((*number, self.read(record)?)));
        all.filter(|(_, termin)| touches(days(&termin.entry), self.scope.window)).collect()
    }

    fn items(&self) -> Items {
        let tied: BTreeSet<&str> =
            self.pairs.keys().filter(|tie| matches!(tie, Tie::Instance { .. })).map(Tie::master).collect();
        Items::of(&self.events, &tied, self.scope.window)
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

    pub(super) fn holds_something(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        self.termine.len() + self.items().by_tie.len() + self.pairs.len()
    }

    /// The same, as it comes of lists in another order.
    pub(super) fn shuffled(&self, seed: u64) -> Self {
        let mut events: Vec<Record> = self.events.values().map(Kept::record).collect();
        let mut state = seed | 1;
        for at in (1..events.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            events.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut other = self.clone();
        mirror::take(&mut other.events, events, true, self.scope.rules.multiday);
        other
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
            assert_eq!(self.events[tie.master()].record()["fremd"], "bleibt", "{tie:?}");
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

fn pick<'a, K: Clone + 'a>(which: Index, keys: impl Iterator<Item = &'a K>) -> Option<K> {
    let keys: Vec<K> = keys.cloned().collect();
    (!keys.is_empty()).then(|| keys[which.index(keys.len())].clone())
}

/// The time on another day; a series keeps its own.
fn moved(now: &Entry, day: u32) -> When {
    if now.series.is_some() { now.when } else { entry(day, 0).when }
}
