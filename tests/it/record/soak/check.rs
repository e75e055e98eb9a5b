//! What must be so at the end, by the sandbox's log and by what both systems show; nothing that the program says of itself
//! counts.
//!
//! A value that a person gave a field may go in four ways: a person at the same side replaces it; it goes over, and is
//! replaced by what somebody at the other side gave the field afterwards; the program replaces it by what the other side has,
//! and says so in a note; or it is there at the end. There is a fifth: it came in between a run's reading and its writing, and neither
//! system can be asked to write only what is unchanged. Those are counted, and proved: no request had read it.

use std::collections::{BTreeMap, BTreeSet};

use advosync_sandbox::{Change, Fields, System};
use serde_json::Value;

use super::history::{Field, History, Log, NAME, Place, Side, Step, fields, first_with, value_at};
use super::notes::{Told, told};
use crate::support::world::US;

/// What both systems show at the end.
#[derive(Debug, Default, Clone)]
pub struct Shown {
    /// `EspoCRM`'s records.
    pub records: Vec<Fields>,
    /// Advoware's parties.
    pub parties: Vec<Fields>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Everything that is wrong.
    pub faults: Vec<String>,
    /// Values that the program replaced, and said so.
    pub noted: usize,
    /// Values that went over and were replaced by newer ones.
    pub outdated: usize,
    /// Values that came in between reading and writing, by the write that went over them.
    pub unseen: BTreeMap<u64, Vec<String>>,
    /// Lines of notes that tell of a conflict which was settled otherwise before it was written.
    pub settled_otherwise: usize,
    /// Lines that were written once more after a crash.
    pub repeated: usize,
    /// Other lines and notes.
    pub others: Vec<String>,
}

/// Judges all of it.
pub fn verdict(log: &Log, shown: &Shown) -> Verdict {
    let history = History::of(log);
    let (told, others) = told(&history);
    let mut court = Court { history: &history, told: &told, used: BTreeSet::new(), verdict: Verdict::default() };
    court.pairs(shown);
    court.doubles(shown);
    for (id, number) in &history.links {
        if !history.deleted.contains(id) {
            for field in fields() {
                court.losses(id, number, field);
            }
        }
    }
    court.notes();
    Verdict { others, ..court.verdict }
}

fn text(record: &Fields, name: &str) -> String {
    match record.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

struct Court<'a> {
    history: &'a History<'a>,
    told: &'a [Told],
    /// Lines that tell of what was really replaced.
    used: BTreeSet<usize>,
    verdict: Verdict,
}

impl Court<'_> {
    fn fault(&mut self, what: String) {
        self.verdict.faults.push(what);
    }

    /// Each record is equal to its party, and says so.
    fn pairs(&mut self, shown: &Shown) {
        let parties: BTreeMap<String, &Fields> = shown.parties.iter().map(|it| (text(it, "betNr"), it)).collect();
        for record in &shown.records {
            let (id, number) = (text(record, "id"), text(record, "advowareId"));
            let Some(party) = parties.get(&number) else {
                self.fault(format!("ALONE: {id} shows the party {number:?}, which is not there"));
                continue;
            };
            for field in fields() {
                let (ours, theirs) = (field.read(Side::Crm, record), field.read(Side::Advoware, party));
                if ours != theirs {
                    self.fault(format!("UNEQUAL: {} of {id} ({number}): {ours:?}, and {theirs:?}", field.advoware));
                }
            }
            if record["syncStatus"] != "clean" || !text(record, "syncErrorMessage").is_empty() {
                self.fault(format!("NOT CLEAN: {id}: {} {}", record["syncStatus"], record["syncErrorMessage"]));
            }
            if text(record, "advowareRowId") != text(party, "rowId") {
                self.fault(format!("STALE: {id} does not show the version of {number}"));
            }
        }
    }

    /// Each party is of one record, each record has one party, and none was made in vain.
    fn doubles(&mut self, shown: &Shown) {
        let links = &self.history.links;
        for (id, number) in links {
            if let Some((other, _)) = links.iter().find(|it| it.1 == *number && it.0 != *id) {
                self.fault(format!("SHARED: the party {number} of {id} and {other}"));
            }
            if let Some((_, other)) = links.iter().find(|it| it.0 == *id && it.1 > *number) {
                self.fault(format!("DOUBLE: {id} had the parties {number} and {other}"));
            }
        }
        let made =
            self.history.effects().iter().filter(|it| it.system == System::Advoware && it.change == Change::Create);
        for effect in made {
            if links.iter().any(|(_, number)| *number == effect.key) || self.was_left_behind(&effect.key) {
                continue;
            }
            self.fault(format!(
                "DOUBLE: the party {} of {} belongs to no record: {:?}",
                effect.key, effect.by, effect.body
            ));
        }
        for party in &shown.parties {
            let number = text(party, "betNr");
            let showing = |it: &&Fields| text(it, "advowareId") == number;
            let records: Vec<String> = shown.records.iter().filter(showing).map(|it| text(it, "id")).collect();
            if records.len() > 1 {
                self.fault(format!("SHARED: the party {number} of {records:?}"));
            }
        }
    }

    /// Whether the record of a party was deleted before it could be told of it.
    fn was_left_behind(&self, number: &str) -> bool {
        let name =
            |place: Place| self.history.line(&place, NAME).iter().map(|it| it.value.clone()).collect::<BTreeSet<_>>();
        let its = name((Side::Advoware, number.to_owned()));
        let alone = |id: &&String| !self.history.links.iter().any(|link| link.0 == **id);
        let mut deleted = self.history.deleted.iter().filter(alone);
        deleted.any(|id| !its.is_disjoint(&name((Side::Crm, id.clone()))))
    }

    /// What became of each value that a person gave a field.
    fn losses(&mut self, id: &str, number: &str, field: Field) {
        for side in [Side::Crm, Side::Advoware] {
            let place = |of| (of, if of == Side::Crm { id.to_owned() } else { number.to_owned() });
            let (here, there) = (place(side), place(side.other()));
            let (line, other) = (self.history.line(&here, field), self.history.line(&there, field));
            for two in line.windows(2).filter(|two| !two[0].ours && two[1].ours) {
                self.replaced(&here, &there, field, (&two[0], &two[1]), (line, other));
            }
        }
    }

    /// The program has replaced what a person wrote.
    fn replaced(
        &mut self,
        here: &Place,
        there: &Place,
        field: Field,
        (old, new): (&Step, &Step),
        lines: (&[Step], &[Step]),
    ) {
        let (line, other) = lines;
        let id = if here.0 == Side::Crm { &here.1 } else { &there.1 };
        let what = format!(
            "{} of {id}: {:?} (effect {}) by {:?} (effect {}) in {:?}",
            field.advoware, old.value, old.number, new.value, new.number, here.0
        );
        let went_over = first_with(other, &old.value, old.number, new.number);
        let news = other.iter().rev().find(|it| !it.ours && it.number < new.number && it.value == new.value);
        if let Some(over) = went_over {
            if news.is_some_and(|news| news.number > over) {
                self.verdict.outdated += 1;
            } else if self.is_unseen(here, old, new) {
                self.verdict.unseen.entry(new.number).or_default().push(what);
            } else if !field.is_name() {
                self.fault(format!("TURNED BACK: {what}, although it had gone over"));
            }
            return;
        }
        if went_back(line, other, old) {
            self.verdict.outdated += 1;
            return;
        }
        let line_of_note = Told {
            number: 0,
            id: id.clone(),
            field,
            loser: here.0,
            lost: field.shown(&old.value),
            stays: field.shown(&new.value),
        };
        let said: Vec<usize> = (0..self.told.len()).filter(|at| self.told[*at].says(&line_of_note)).collect();
        if said.is_empty() {
            if self.is_unseen(here, old, new) {
                self.verdict.unseen.entry(new.number).or_default().push(what);
            } else {
                self.fault(format!("LOST: {what}, and no note says so"));
            }
            return;
        }
        self.used.extend(said);
        self.verdict.noted += 1;
        // Only what is new at the other side is a reason to replace anything. Names go over together.
        let placed = other.iter().rev().find(|it| it.number < new.number && it.value == new.value);
        let is_news = placed.is_some_and(|placed| self.is_new(placed, line, old.number));
        if !is_news && !field.is_name() {
            self.fault(format!("NOT NEWS: {what}"));
        }
    }

    fn is_unseen(&self, place: &Place, old: &Step, new: &Step) -> bool {
        self.history.had_seen(place, new.number).is_some_and(|seen| seen < old.number)
    }

    /// Each line of a note tells of a conflict that there was, and none is there twice but after a crash.
    fn notes(&mut self) {
        for (at, line) in self.told.iter().enumerate() {
            let earlier = self.told[..at].iter().rev().find(|it| line.says(it));
            match earlier {
                Some(earlier) if self.history.is_interrupted(earlier.number) => self.verdict.repeated += 1,
                Some(_) => self.fault(format!("TWICE: {line:?}")),
                None => {}
            }
            if self.used.contains(&at) || self.history.deleted.contains(&line.id) {
                continue;
            }
            if self.was_so(line) {
                self.verdict.settled_otherwise += 1;
            } else {
                self.fault(format!("UNTRUE: {line:?}"));
            }
        }
    }

    /// Whether both sides had these values at one time, and both were new.
    fn was_so(&self, told: &Told) -> bool {
        let Some((_, number)) = self.history.links.iter().find(|it| it.0 == told.id) else { return false };
        let place = |side| (side, if side == Side::Crm { told.id.clone() } else { number.clone() });
        let line = self.history.line(&place(told.loser), told.field);
        let other = self.history.line(&place(told.loser.other()), told.field);
        let mut times: Vec<u64> = line.iter().chain(other).map(|it| it.number).filter(|it| *it < told.number).collect();
        times.sort_unstable();
        times.into_iter().any(|time| {
            let (lost, stays) = (value_at(line, time), value_at(other, time));
            if told.field.shown(lost) != told.lost || told.field.shown(stays) != told.stays {
                return false;
            }
            let new = |line: &[Step], other| {
                let placed = line.iter().rev().find(|it| it.number <= time);
                placed.is_some_and(|placed| self.is_new(placed, other, time))
            };
            new(line, other) && (told.field.is_name() || new(other, line))
        })
    }

    /// Whether a value was one that the program did not know from the other side, and had not taken over there until then, as
    /// far as it could know.
    fn is_new(&self, placed: &Step, other: &[Step], time: u64) -> bool {
        if placed.ours {
            return self.history.is_interrupted(placed.number);
        }
        let over = first_with(other, &placed.value, placed.number, time);
        over.is_none_or(|over| self.history.is_interrupted(over))
    }
}

/// Whether a value is again what both sides had when they were equal last: that is no edit.
fn went_back(line: &[Step], other: &[Step], old: &Step) -> bool {
    let mut times: Vec<u64> = line.iter().chain(other).map(|it| it.number).filter(|it| *it < old.number).collect();
    times.push(0);
    times.sort_unstable();
    let equal = times.into_iter().rev().find(|time| value_at(line, *time) == value_at(other, *time));
    equal.is_some_and(|time| value_at(line, time) == old.value)
}

/// How often the program wrote: created, updated in Advoware, updated in `EspoCRM`, notes.
pub fn writes(log: &Log) -> [usize; 4] {
    let ours = |system, change, note: bool| {
        let of = |it: &&advosync_sandbox::Effect| {
            it.by == US && it.system == system && it.change == change && (it.entity == "Note") == note
        };
        log.effects.iter().filter(of).count()
    };
    [
        ours(System::Advoware, Change::Create, false),
        ours(System::Advoware, Change::Update, false),
        ours(System::EspoCrm, Change::Update, false),
        ours(System::EspoCrm, Change::Create, true),
    ]
}
