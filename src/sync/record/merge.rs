//! Three-way merge by field, against what both sides looked like when they last agreed.
//!
//! | EspoCRM | Advoware | result |
//! | --- | --- | --- |
//! | changed | unchanged | EspoCRM's value goes over |
//! | unchanged | changed | Advoware's value goes over |
//! | changed | changed to the same | nothing |
//! | changed | changed differently | EspoCRM's value goes over, a conflict is told |
//! | absent | any | EspoCRM counts as unchanged (and likewise for Advoware) |
//!
//! **A field that the snapshot lacks** (the mapping names it since, or it was hidden) is first seen: a value that
//! equals what the other side agreed on is unchanged; otherwise a blank side is filled from the other, and two
//! different values count as a conflict, which EspoCRM wins.
//!
//! **Person or company.** `vorname` and `name` are merged like other fields, so a first name and a last name that were
//! corrected at different ends both survive. But where one side turns a person into a company (or back) while the
//! other edits a name, fields would mix into a party that never existed ("Moritz Muster GmbH"): then EspoCRM's names
//! win as a group, and every edit that loses is told. A name group that would leave the name blank is blocked whole.

use serde::{Deserialize, Serialize};

use super::mapping::{Field, Mapping, Source};
use super::normal::{Content, Seen};
use super::normal_write::Unwritable;

/// Both sides as they were when they last agreed. They may differ in a field (after linking, or where Advoware ignores
/// a read-only field); that alone is no change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// EspoCRM's side.
    pub espocrm: Content,
    /// Advoware's side.
    pub advoware: Content,
}

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// EspoCRM.
    Espocrm,
    /// Advoware.
    Advoware,
}

/// A field whose values differ, and which one stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Canonical field.
    pub field: String,
    /// EspoCRM's value, `None` for blank.
    pub espocrm: Option<String>,
    /// Advoware's value, `None` for blank.
    pub advoware: Option<String>,
    /// Whose value stays.
    pub winner: Side,
}

/// A change that does not go over, and is told instead of lost in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Canonical field.
    pub field: String,
    /// The side that changed.
    pub from: Side,
    /// Its value, `None` for blank.
    pub value: Option<String>,
    /// Why it stays.
    pub reason: BlockReason,
}

/// Why a change does not go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockReason {
    /// The mapping lets this field flow the other way only.
    Direction,
    /// Advoware would ignore it silently.
    ReadOnly,
    /// A required field is never written blank.
    Required,
    /// EspoCRM would refuse the value, and with it the whole PUT.
    Refused(&'static str),
}

/// What is to be written, and what is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Changes for Advoware.
    pub to_advoware: Content,
    /// Changes for EspoCRM.
    pub to_espocrm: Content,
    /// Both sides changed the field, differently.
    pub conflicts: Vec<Difference>,
    /// A value that goes although its side did not change it now: the whole-record rules without a snapshot, or a
    /// difference that was never agreed on.
    pub replaced: Vec<Difference>,
    /// Changes that stay where they are.
    pub blocked: Vec<Blocked>,
}

impl Merged {
    /// Whether nothing is to be written to either side.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.to_advoware.is_empty() && self.to_espocrm.is_empty()
    }

    /// A value that could not be read counts as absent, so the other side's edit may go over it: then it is told as it was,
    /// for nobody else remembers it.
    pub(super) fn tell_unreadable(&mut self, espocrm: &Content, advoware: &Content) {
        for (winner, losing) in [(Side::Advoware, espocrm), (Side::Espocrm, advoware)] {
            let written = if winner == Side::Advoware { &self.to_espocrm } else { &self.to_advoware };
            for problem in losing.problems().iter().filter(|problem| written.get(&problem.field).is_known()) {
                let (lost, value) = (Some(problem.unreadable.value.clone()), written.get(&problem.field).text());
                let value = value.map(str::to_owned);
                let (espocrm, advoware) = if winner == Side::Advoware { (lost, value) } else { (value, lost) };
                self.replaced.push(Difference { field: problem.field.clone(), espocrm, advoware, winner });
            }
        }
    }
}

impl Merged {
    /// Names that cannot be written, for nobody can say whether the record is a person, stay in Advoware and are told.
    /// Names are written together or not at all.
    pub(super) fn tell_unwritable(&mut self, mapping: &Mapping, unwritable: &[Unwritable]) {
        let is_name = |it: &&Unwritable| mapping.field(&it.field).is_some_and(Field::is_name);
        let Some(why) = unwritable.iter().find(is_name) else { return };
        for field in mapping.fields.iter().filter(|field| field.is_name()) {
            let value = self.to_espocrm.get(&field.advoware);
            if value.is_known() {
                let (value, reason) = (value.text().map(str::to_owned), BlockReason::Refused(why.reason));
                self.blocked.push(Blocked { field: field.advoware.clone(), from: Side::Advoware, value, reason });
                self.to_espocrm.set(&field.advoware, Seen::Absent);
            }
        }
    }
}

impl Snapshot {
    /// The next snapshot: both sides as read after the run. A field that is hidden now keeps its last known value.
    #[must_use]
    pub fn after(&self, espocrm: &Content, advoware: &Content) -> Self {
        Self { espocrm: self.espocrm.overlaid(espocrm), advoware: self.advoware.overlaid(advoware) }
    }
}

/// How one side's value relates to the last agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    No,
    Yes,
    FirstSeen,
}

/// What happens with one field, before the mapping's restrictions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision<'a> {
    pub(super) field: &'a Field,
    pub(super) espocrm: Seen<'a>,
    pub(super) advoware: Seen<'a>,
    /// Whose value goes over; none where nothing does.
    pub(super) winner: Option<Side>,
    pub(super) loser: Loser,
}

/// What is said about the value that loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loser {
    /// It was agreed on and is simply outdated.
    Outdated,
    /// It was edited too.
    Conflict,
    /// It was never agreed on.
    Replaced,
}

/// Merges both sides against the last agreement.
#[must_use]
pub fn merge(mapping: &Mapping, base: &Snapshot, espocrm: &Content, advoware: &Content) -> Merged {
    let mut decisions = Vec::new();
    let mut changes = Vec::new();
    for field in &mapping.fields {
        let name = &field.advoware;
        let (ours, theirs) = (espocrm.get(name), advoware.get(name));
        let (our_base, their_base) = (base.espocrm.get(name), base.advoware.get(name));
        let our_change = change(field, ours, our_base, their_base);
        let their_change = change(field, theirs, their_base, our_base);
        let mut decision = Decision { field, espocrm: ours, advoware: theirs, winner: None, loser: Loser::Outdated };
        decide(&mut decision, our_change, their_change);
        let (old, agreed) = match decision.winner {
            Some(Side::Espocrm) => (theirs, our_base),
            _ => (ours, their_base),
        };
        if decision.loser == Loser::Outdated && old.text().is_some() && !field.same(old, agreed) {
            decision.loser = Loser::Replaced;
        }
        decisions.push(decision);
        changes.push((our_change != Change::No, their_change != Change::No));
    }
    if mixes_kinds(base, &decisions, &changes) {
        for (decision, (_, theirs_changed)) in decisions.iter_mut().zip(&changes) {
            let known = decision.espocrm.is_known() && decision.advoware.is_known();
            if decision.field.is_name() && known && !decision.agrees() {
                decision.winner = Some(Side::Espocrm);
                decision.loser = if *theirs_changed { Loser::Conflict } else { decision.loser };
            }
        }
    }
    settle(&decisions)
}

fn change(field: &Field, now: Seen<'_>, own_base: Seen<'_>, other_base: Seen<'_>) -> Change {
    let base = if own_base.is_known() { own_base } else { other_base };
    match (now, own_base) {
        (Seen::Absent, _) => Change::No,
        _ if field.same(now, base) => Change::No,
        (_, Seen::Absent) => Change::FirstSeen,
        _ => Change::Yes,
    }
}

fn decide(decision: &mut Decision<'_>, ours: Change, theirs: Change) {
    let hidden = !decision.espocrm.is_known() || !decision.advoware.is_known();
    decision.winner = match (ours, theirs) {
        _ if decision.agrees() => None,
        (Change::No, Change::No) => None,
        (Change::Yes, Change::No) => Some(Side::Espocrm),
        (Change::No, Change::Yes) => Some(Side::Advoware),
        (Change::Yes, _) | (_, Change::Yes) => {
            decision.loser = Loser::Conflict;
            Some(Side::Espocrm)
        }
        _ if hidden => None,
        _ if decision.espocrm == Seen::Blank => Some(Side::Advoware),
        _ => {
            decision.loser = if decision.advoware == Seen::Blank { Loser::Outdated } else { Loser::Conflict };
            Some(Side::Espocrm)
        }
    };
}

/// Whether one side changed between person and company while the other changed a name as well. What both changed alike
/// is no edit that could be mixed.
fn mixes_kinds(base: &Snapshot, decisions: &[Decision<'_>], changes: &[(bool, bool)]) -> bool {
    let open = || decisions.iter().zip(changes).filter(|(decision, _)| decision.field.is_name() && !decision.agrees());
    let both = open().any(|(_, changed)| changed.0) && open().any(|(_, changed)| changed.1);
    let turned = |now: Seen<'_>, then: Seen<'_>| {
        now.is_known() && then.is_known() && now.text().is_some() != then.text().is_some()
    };
    both && open().filter(|(decision, _)| decision.field.source == Source::First).any(|(decision, _)| {
        let name = &decision.field.advoware;
        turned(decision.espocrm, base.espocrm.get(name)) || turned(decision.advoware, base.advoware.get(name))
    })
}

/// Applies the mapping's restrictions and sorts every decision into what is written and what is told.
pub(super) fn settle(decisions: &[Decision<'_>]) -> Merged {
    let mut merged = Merged::default();
    // The name decides over its group: half of a party without a name is written nowhere.
    let name = decisions.iter().find(|decision| decision.field.source == Source::Name);
    let leaves_blank = |winner: Side| {
        name.is_some_and(|name| {
            let source = if name.winner == Some(winner) { winner } else { winner.other() };
            name.value(source) == Seen::Blank
        })
    };
    for decision in decisions {
        let Some(wanted) = decision.winner else { continue };
        let field = decision.field;
        let may_flow = |side| match side {
            Side::Espocrm => field.may_flow_to_advoware(),
            Side::Advoware => field.may_flow_to_espocrm(),
        };
        // Edited on both sides, and only the loser's edit may flow: then that one stays.
        let turn = !may_flow(wanted) && decision.loser == Loser::Conflict && decision.value(wanted.other()).is_known();
        let winner = if turn { wanted.other() } else { wanted };
        let value = decision.value(winner);
        let refused = value.text().and_then(|text| field.espocrm_refuses(text));
        let reason = match (winner, refused) {
            _ if !may_flow(winner) && field.read_only => Some(BlockReason::ReadOnly),
            _ if !may_flow(winner) => Some(BlockReason::Direction),
            _ if field.required && value == Seen::Blank => Some(BlockReason::Required),
            _ if field.is_name() && leaves_blank(winner) => Some(BlockReason::Required),
            (Side::Advoware, Some(why)) => Some(BlockReason::Refused(why)),
            _ => None,
        };
        if let Some(reason) = reason {
            let value = value.text().map(str::to_owned);
            merged.blocked.push(Blocked { field: field.advoware.clone(), from: winner, value, reason });
            continue;
        }
        match winner {
            Side::Espocrm => merged.to_advoware.set(&field.advoware, value),
            Side::Advoware => merged.to_espocrm.set(&field.advoware, value),
        }
        match decision.loser {
            Loser::Outdated => {}
            Loser::Conflict => merged.conflicts.push(decision.difference(winner)),
            Loser::Replaced => merged.replaced.push(decision.difference(winner)),
        }
    }
    merged
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Espocrm => Self::Advoware,
            Self::Advoware => Self::Espocrm,
        }
    }
}

impl<'a> Decision<'a> {
    pub(super) fn agrees(&self) -> bool {
        self.field.same(self.espocrm, self.advoware)
    }

    fn value(&self, side: Side) -> Seen<'a> {
        match side {
            Side::Espocrm => self.espocrm,
            Side::Advoware => self.advoware,
        }
    }

    fn difference(&self, winner: Side) -> Difference {
        Difference {
            field: self.field.advoware.clone(),
            espocrm: self.espocrm.text().map(str::to_owned),
            advoware: self.advoware.text().map(str::to_owned),
            winner,
        }
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
