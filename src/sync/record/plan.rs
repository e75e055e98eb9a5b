//! Two existing records: what is to be written where, purely.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::compare::{Evidence, Verdict, whole};
use super::mapping::Mapping;
use super::merge::{Merged, Snapshot, merge};
use super::merge_note::{Ignored, note_for};
use super::normal::{Content, Seen};
use super::normal_write::EspocrmWrite;
use super::status;
use crate::sync::ledger::Pair;

/// What was read of a pair of records.
#[derive(Debug, Clone, Copy)]
pub struct Both<'a> {
    /// EspoCRM's record.
    pub espocrm: &'a Map<String, Value>,
    /// Advoware's record.
    pub advoware: &'a Map<String, Value>,
    /// What the ledger knows of them.
    pub pair: Option<&'a Pair>,
    /// Advoware's number.
    pub number: &'a str,
    /// The EspoCRM user that we sign in as, where it is known.
    pub own_user: Option<&'a str>,
}

/// What is to be done about a pair of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Both sides as they were read.
    pub espocrm: Content,
    /// Both sides as they were read.
    pub advoware: Content,
    /// What flows where.
    pub merged: Merged,
    /// The whole object for Advoware's PUT, where something flows there.
    pub put: Option<Map<String, Value>>,
    /// The attributes for EspoCRM, where something flows there.
    pub update: EspocrmWrite,
    /// What people are to be told on the record's stream.
    pub note: Option<String>,
    /// EspoCRM's status fields are not what they should be, or something flows.
    pub needs_status: bool,
    /// The rules that were used, where no snapshot was there.
    pub verdict: Option<Verdict>,
}

/// Whether the rules without a snapshot will be used, which need to know our own user.
#[must_use]
pub fn needs_own_user(pair: Option<&Pair>) -> bool {
    pair.is_none_or(|pair| pair.snapshot.is_none())
}

/// Decides by field against the last agreement, or by the seed's rules where none is known.
#[must_use]
pub fn plan(mapping: &Mapping, both: Both<'_>, now: DateTime<Utc>) -> Plan {
    let espocrm = mapping.from_espocrm(both.espocrm);
    let advoware = mapping.from_advoware(both.advoware);
    let snapshot = both.pair.and_then(|pair| pair.snapshot.as_ref());
    let (mut merged, verdict) = if let Some(snapshot) = snapshot {
        (merge(mapping, snapshot, &espocrm, &advoware), None)
    } else {
        let verdict = Evidence::read(mapping, both.espocrm, both.advoware).verdict(both.own_user);
        (whole(mapping, verdict, &espocrm, &advoware), Some(verdict))
    };
    merged.tell_unreadable(&espocrm, &advoware);
    let put = (!merged.to_advoware.is_empty()).then(|| {
        let mut whole = both.advoware.clone();
        mapping.write_advoware(&merged.to_advoware, &mut whole);
        whole
    });
    // A change that leaves every byte as it was (spelling that means the same) is none.
    let put = put.filter(|whole| whole != both.advoware);
    let mut update = mapping.write_espocrm(&merged.to_espocrm, both.espocrm);
    // EspoCRM validates whatever is sent, so a required field that is blank already must not be sent along.
    update.attributes.retain(|attribute, value| both.espocrm.get(attribute) != Some(&*value));
    let note = note_for(mapping, &merged, &update.replaced, now);
    let row_id = version(mapping, both.advoware);
    let needs_status = put.is_some()
        || !update.attributes.is_empty()
        || !status::is_clean(mapping, both.espocrm, both.number, row_id.as_deref());
    Plan { espocrm, advoware, merged, put, update, note, needs_status, verdict }
}

/// Advoware's version token of a record.
#[must_use]
pub fn version(mapping: &Mapping, record: &Map<String, Value>) -> Option<String> {
    record.get(&mapping.advoware.version).and_then(Value::as_str).map(str::to_owned)
}

impl Plan {
    /// Whether nothing is to be written to either system.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.put.is_none() && !self.needs_status
    }

    /// The fields that Advoware did not take although they were sent: read-only there, it ignores them silently.
    #[must_use]
    pub fn ignored(&self, mapping: &Mapping, answered: &Map<String, Value>) -> Vec<Ignored> {
        let now = mapping.from_advoware(answered);
        let mut all = Vec::new();
        for field in &mapping.fields {
            let (sent, shown) = (self.merged.to_advoware.get(&field.advoware), now.get(&field.advoware));
            if sent.is_known() && shown.is_known() && !field.same(sent, shown) {
                let text = |seen: Seen<'_>| seen.text().map(str::to_owned);
                all.push(Ignored { field: field.advoware.clone(), sent: text(sent), shown: text(shown) });
            }
        }
        all
    }

    /// The snapshot once Advoware has what it gets, and EspoCRM does not yet. `answered` is Advoware's record after
    /// the PUT. Of fields that this run does not write, what was read counts, not what is there by now: an edit that
    /// came in between must be seen as one by the next run.
    #[must_use]
    pub fn after_put(
        &self,
        mapping: &Mapping,
        base: Option<&Snapshot>,
        answered: Option<&Map<String, Value>>,
    ) -> Snapshot {
        let written = answered.map(|record| restricted(&mapping.from_advoware(record), &self.merged.to_advoware));
        let advoware = self.advoware.overlaid(&written.unwrap_or_default());
        let pending = &self.merged.to_espocrm;
        let settled = |content: &Content| without(content, pending);
        base.cloned().unwrap_or_default().after(&settled(&self.espocrm), &settled(&advoware))
    }

    /// The snapshot once EspoCRM has what it gets, too. `answered` is EspoCRM's record after the update.
    #[must_use]
    pub fn after_update(&self, mapping: &Mapping, base: &Snapshot, answered: &Map<String, Value>) -> Snapshot {
        let now = mapping.from_espocrm(answered);
        let written = restricted(&now, &self.merged.to_espocrm);
        let espocrm = self.espocrm.overlaid(&self.merged.to_espocrm).overlaid(&written);
        let taken = restricted(&self.advoware, &self.merged.to_espocrm);
        base.after(&restricted(&espocrm, &self.merged.to_espocrm), &taken)
    }
}

/// Only the fields that `of` names.
fn restricted(content: &Content, of: &Content) -> Content {
    let mut out = Content::default();
    for (field, _) in of.iter() {
        out.set(field, content.get(field));
    }
    out
}

/// All but the fields that `of` names.
fn without(content: &Content, of: &Content) -> Content {
    let mut out = content.overlaid(&Content::default());
    for (field, _) in of.iter() {
        out.set(field, Seen::Absent);
    }
    out
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
