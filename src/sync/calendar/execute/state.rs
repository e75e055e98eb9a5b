//! What is known of a calendar during a run, and the changes that keep it and the ledger in step.

use std::collections::{BTreeMap, BTreeSet};

use crate::sync::calendar::Record;
use crate::sync::calendar::items::Items;
use crate::sync::calendar::mirror::{self, Mirror};
use crate::sync::calendar::pair::{Held, Intent, Pair, Tie};
use crate::sync::calendar::plan::{Plan, Seen, plan};
use crate::sync::calendar::scope::Scope;
use crate::sync::calendar::termin::{Belongs, Termin};
use crate::sync::ledger::calendar::{Changes, Known};

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) mirror: Mirror,
    pub(super) pairs: BTreeMap<Tie, Pair>,
    pub(super) intents: BTreeMap<String, Intent>,
    pub(super) held: BTreeMap<String, Held>,
    pub(super) termine: BTreeMap<i64, Termin>,
    pub(super) unreadable: BTreeMap<i64, &'static str>,
    pub(super) gone: BTreeSet<i64>,
    pub(super) vanished: BTreeSet<Tie>,
}

/// What an effect changes.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Events as Google holds them now; none: deleted.
    pub(super) events: Vec<(String, Option<Record>)>,
    /// Termine as Advoware holds them now; none: there is none.
    pub(super) termine: Vec<(i64, Option<Record>)>,
    pub(super) pairs: Vec<(Tie, Option<Pair>)>,
    pub(super) intents: Vec<(String, Option<Intent>)>,
    pub(super) held: Vec<(String, Option<Held>)>,
    /// Items of which Google says that there is none.
    pub(super) vanished: Vec<Tie>,
}

impl State {
    /// What the ledger knows, without Termine.
    pub(super) fn of(known: Known) -> Self {
        let Known { mirror, pairs, intents, held, state: _ } = known;
        Self { mirror, pairs, intents, held, ..Self::default() }
    }

    /// Takes a Termin in.
    pub(super) fn take_termin(&mut self, record: &Record, scope: &Scope) {
        match Termin::read(record, &scope.kuerzel, &scope.rules) {
            Ok(termin) => {
                self.gone.remove(&termin.number);
                self.unreadable.remove(&termin.number);
                self.termine.insert(termin.number, termin);
            }
            Err(unusable) => {
                // One without a number cannot even be named.
                let number = unusable.number.unwrap_or_default();
                self.termine.remove(&number);
                self.unreadable.insert(number, unusable.reason);
            }
        }
    }

    /// Takes a delta in; the answer is what the ledger has to store.
    pub(super) fn take(&mut self, delta: Delta, scope: &Scope) -> Changes {
        let mut changes = Changes::default();
        for (id, event) in delta.events {
            let event = event.unwrap_or_else(|| deleted(&id));
            let touched = mirror::take_one(&mut self.mirror, event, scope.rules.multiday);
            for id in touched {
                match self.mirror.get(&id) {
                    Some(event) => changes.mirror(&id, event),
                    None => changes.unmirror(&id),
                };
            }
        }
        for (number, record) in delta.termine {
            if let Some(record) = record {
                self.take_termin(&record, scope);
            } else {
                self.termine.remove(&number);
                self.gone.insert(number);
            }
        }
        for (tie, pair) in delta.pairs {
            if let Some(pair) = pair {
                changes.pair(&tie, &pair);
                self.pairs.insert(tie, pair);
            } else {
                changes.unpair(&tie);
                self.pairs.remove(&tie);
            }
        }
        for (name, intent) in delta.intents {
            if let Some(intent) = intent {
                changes.intend(&name, &intent);
                self.intents.insert(name, intent);
            } else {
                changes.withdraw(&name);
                self.intents.remove(&name);
            }
        }
        for (name, held) in delta.held {
            if let Some(held) = held {
                changes.hold(&name, &held);
                self.held.insert(name, held);
            } else {
                changes.release(&name);
                self.held.remove(&name);
            }
        }
        self.vanished.extend(delta.vanished);
        changes
    }

    /// The calendar's items.
    pub(super) fn items(&self, scope: &Scope) -> Items {
        let tied = self.pairs.keys().filter(|tie| matches!(tie, Tie::Instance { .. })).map(Tie::master);
        let open: Vec<Tie> = self.intents.keys().filter_map(|name| Tie::parse(name)).collect();
        let open = open.iter().filter(|tie| matches!(tie, Tie::Instance { .. })).map(Tie::master);
        let tied: BTreeSet<&str> = tied.chain(open).collect();
        Items::of(&self.mirror, &tied, scope.window)
    }

    /// What is to be done.
    pub(super) fn plan(&self, items: &Items, scope: &Scope) -> Plan {
        let unreadable: BTreeSet<i64> = self.unreadable.keys().copied().collect();
        plan(&Seen {
            scope,
            termine: &self.termine,
            unreadable: &unreadable,
            gone: &self.gone,
            items,
            vanished: &self.vanished,
            pairs: &self.pairs,
            intents: &self.intents,
            held: &self.held,
            asked_enough: self.asked_enough(scope),
        })
    }

    /// Whether as many have turned out to be gone as may be deleted at once: then there is no use in asking on.
    pub(super) fn asked_enough(&self, scope: &Scope) -> bool {
        let allowed = scope.rules.max_deletions.allowed(self.pairs.len());
        // Most runs find little that is gone, and need not look any closer.
        let gone = self.gone.len() + self.vanished.len();
        !scope.confirm_deletions
            && gone > allowed
            && self.pairs.iter().filter(|(tie, pair)| self.may_go(tie, pair, scope)).nth(allowed).is_some()
    }

    /// Whether one side of a pair is gone and the other would go with it. What is gone on both sides, or comes back, is no
    /// deletion, however much of it there is.
    fn may_go(&self, tie: &Tie, pair: &Pair, scope: &Scope) -> bool {
        let shown = match tie {
            Tie::Event(id) => self.mirror.contains_key(id),
            // Whether it occurs is for the plan to say.
            Tie::Instance { .. } => true,
        };
        let vanished = self.vanished.contains(tie);
        match self.termine.get(&pair.number) {
            None => self.gone.contains(&pair.number) && shown && !vanished,
            Some(termin) => {
                let own = termin.belongs == Belongs::Own && !termin.is_generated();
                vanished && own && !scope.anonymised && !pair.anonymised
            }
        }
    }
}

fn deleted(id: &str) -> Record {
    let fields = [("id", id), ("status", "cancelled")];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
