//! Two existing records: what is to be written where, purely.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::compare::{Evidence, Verdict, whole};
use super::convert::alike;
use super::mapping::{Field, Mapping};
use super::merge::{Merged, Snapshot, merge};
use super::merge_note::{Ignored, note_for, renumbered};
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
    /// The number that the record had before, where somebody has changed it.
    pub left: Option<&'a str>,
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
        // What a renumbered record says of its last sync is about another party.
        let verdict = match both.left {
            Some(_) => Verdict::Initial,
            None => Evidence::read(mapping, both.espocrm, both.advoware).verdict(both.own_user),
        };
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
    merged.tell_unwritable(mapping, &update.unwritable);
    // EspoCRM validates whatever is sent, so a required field that is blank already must not be sent along.
    update.attributes.retain(|attribute, value| both.espocrm.get(attribute) != Some(&*value));
    let note = note_for(mapping, &merged, &update.replaced, now);
    let note = match both.left {
        Some(left) => Some(renumbered(note, left, both.number, now)),
        None => note,
    };
    let row_id = version(mapping, both.advoware);
    let needs_status = put.is_some()
        || !update.attributes.is_empty()
        || !status::is_clean(mapping, both.espocrm, both.number, row_id.as_deref());
    Plan { espocrm, advoware, merged, put, update, note, needs_status, verdict }
}

/// Advoware's version token of a record.
#[must_use]
pub fn version(mapping: &Mapping, record: &Map<String, Value>) -> Option<String> {
    // EspoCRM trims what it stores.
    record.get(&mapping.advoware.version).and_then(Value::as_str).map(|version| version.trim().to_owned())
}

impl Plan {
    /// Whether nothing is to be written to either system.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.put.is_none() && !self.needs_status
    }

    /// Whether an answer to the PUT shows everything that was sent. One that does not says nothing of what was taken.
    #[must_use]
    pub fn is_shown(&self, answered: &Map<String, Value>) -> bool {
        self.merged.to_advoware.iter().all(|(field, _)| answered.contains_key(field))
    }

    /// The fields that Advoware did not take although they were sent: read-only there, it ignores them silently.
    #[must_use]
    pub fn ignored(&self, mapping: &Mapping, answered: &Map<String, Value>) -> Vec<Ignored> {
        let (sent, now) = (&self.merged.to_advoware, mapping.from_advoware(answered));
        let text = |content: &Content, field: &str| content.get(field).text().map(str::to_owned);
        let ignored = |field: &Field| {
            let field = field.advoware.clone();
            Ignored { sent: text(sent, &field), shown: text(&now, &field), field }
        };
        mapping.differing(sent, &now).map(ignored).collect()
    }

    /// The fields that EspoCRM did not take although they were sent: it ignores silently what it does not know, and what
    /// the API user's role may not write.
    #[must_use]
    pub fn ignored_by_espocrm(&self, mapping: &Mapping, answered: &Map<String, Value>) -> Vec<String> {
        mapping.names_differing(&self.merged.to_espocrm, &mapping.from_espocrm(answered))
    }

    /// The fields that Advoware shows otherwise than they were read, although nobody here wrote that: an edit that came in
    /// between. Of a field that was sent this says something only where `answered` was read after the PUT, and not where
    /// Advoware ignores it or keeps it in a form of its own.
    #[must_use]
    pub fn edited_since(&self, mapping: &Mapping, answered: &Map<String, Value>) -> Vec<String> {
        let now = mapping.from_advoware(answered);
        let edited = |field: &&Field| {
            let (read, shown) = (self.advoware.get(&field.advoware), now.get(&field.advoware));
            let sent = self.merged.to_advoware.get(&field.advoware);
            let kept = |sent: Seen<'_>| match (sent, shown) {
                (Seen::Value(sent), Seen::Value(shown)) => alike(sent, shown) || sent.starts_with(shown),
                _ => field.same(sent, shown),
            };
            read.is_known() && shown.is_known() && !field.same(read, shown) && !kept(sent)
        };
        mapping.fields.iter().filter(edited).map(|field| field.advoware.clone()).collect()
    }

    /// The snapshot once Advoware has what it gets, and EspoCRM does not yet. `answered` is Advoware's record after
    /// the PUT; what it does not show is as it was sent. Of fields that this run does not write, what was read counts,
    /// not what is there by now: an edit that came in between must be seen as one by the next run.
    #[must_use]
    pub fn after_put(
        &self,
        mapping: &Mapping,
        base: Option<&Snapshot>,
        answered: Option<&Map<String, Value>>,
    ) -> Snapshot {
        let sent = &self.merged.to_advoware;
        let written = answered.map(|record| sent.overlaid(&mapping.from_advoware(record).restricted(sent)));
        let advoware = self.advoware.overlaid(&written.unwrap_or_default());
        let pending = &self.merged.to_espocrm;
        let settled = |content: &Content| content.filtered(|field| !pending.get(field).is_known());
        base.cloned().unwrap_or_default().after(&settled(&self.espocrm), &settled(&advoware))
    }

    /// The snapshot once EspoCRM has what it gets, too. `answered` is EspoCRM's record after the update; what it does
    /// not show may have been ignored, and is as it was before.
    #[must_use]
    pub fn after_update(&self, mapping: &Mapping, base: &Snapshot, answered: &Map<String, Value>) -> Snapshot {
        let written = mapping.from_espocrm(answered).restricted(&self.merged.to_espocrm);
        base.after(&written, &self.advoware.restricted(&self.merged.to_espocrm))
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
