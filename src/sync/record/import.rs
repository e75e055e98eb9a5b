//! Parties that exist only in Advoware, and the mapping wants them in EspoCRM (`import = true`): which ones, and what one
//! run does about one of them, purely. Never two EspoCRM records for one party, and none for a party that had one before.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::mapping::Mapping;
use super::normal::{Content, Seen};
use super::route::number_in;
use crate::sync::ledger::{Import, Posted, Progress};

/// What was left for a person is looked at again after this long; likewise an import whose job has come to an end before
/// it was known whether its record was made.
pub const LEFT_FOR: TimeDelta = TimeDelta::hours(24);

/// Put before a number, it is the name under which the ledger keeps other creates with equal search keys waiting. No id of
/// EspoCRM has a colon.
const RESERVATION: &str = "import:";

/// What the ledger knows of the parties in a list.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Numbers that are paired with an EspoCRM record.
    pub owned: HashSet<String>,
    /// What became of earlier imports, by number.
    pub imports: HashMap<String, Import>,
    /// Numbers whose EspoCRM record was deleted.
    pub dissolved: HashSet<String>,
}

/// What to do about a party, by the records that EspoCRM has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An earlier POST of this import took effect: this is its record.
    Ours(String),
    /// These have the party's number: nothing is created, their own runs pair them.
    Exists(Vec<String>),
    /// These may be the party, and their own runs will link them (S3) or tell why not.
    Unlinked(Vec<String>),
    /// None of them is the party.
    Nothing,
}

/// The name under which the ledger reserves the search keys of a number.
#[must_use]
pub fn reservation(number: &str) -> String {
    format!("{RESERVATION}{number}")
}

/// The number of a reservation; `None` for an EspoCRM id.
#[must_use]
pub fn reserved_number(id: &str) -> Option<&str> {
    id.strip_prefix(RESERVATION)
}

/// The numbers in a list of Advoware that the mapping's filter wants, each once.
#[must_use]
pub fn wanted(mapping: &Mapping, list: &[Map<String, Value>]) -> Vec<String> {
    let mut seen = HashSet::new();
    let numbers = list.iter().filter(|record| mapping.wants_import(record));
    numbers
        .filter_map(|record| number_in(record, &mapping.advoware.id))
        .filter(|number| seen.insert(number.clone()))
        .collect()
}

/// The numbers in a list of Advoware that are to be imported now.
#[must_use]
pub fn candidates(mapping: &Mapping, list: &[Map<String, Value>], facts: &Facts, now: DateTime<Utc>) -> Vec<String> {
    let open = |number: &String| {
        !facts.owned.contains(number)
            && !facts.dissolved.contains(number)
            && facts.imports.get(number).is_none_or(|import| match import.progress {
                Progress::Done { .. } => false,
                Progress::Begun(_) | Progress::Left { .. } => now - import.at >= LEFT_FOR,
            })
    };
    wanted(mapping, list).into_iter().filter(open).collect()
}

/// What a new EspoCRM record is like after the POST of this body: what was not sent is blank.
#[must_use]
pub fn sent(mapping: &Mapping, body: &Map<String, Value>) -> Content {
    let mut content = mapping.from_espocrm(body);
    for field in &mapping.fields {
        if !content.get(&field.advoware).is_known() {
            content.set(&field.advoware, Seen::Blank);
        }
    }
    content
}

/// The records that EspoCRM lists for a number. `posted`: a POST of this import whose outcome is unknown.
#[must_use]
pub fn by_number(mapping: &Mapping, number: &str, listed: &[Map<String, Value>], posted: Option<&Posted>) -> Found {
    let ends = &mapping.espocrm;
    let having = |record: &&Map<String, Value>| number_in(record, &ends.link).as_deref() == Some(number);
    let found: Vec<&Map<String, Value>> = listed.iter().filter(having).collect();
    match (found.as_slice(), posted) {
        ([], _) => Found::Nothing,
        // A person may have entered the number in another record meanwhile; that one does not show our time.
        ([one], Some(posted)) if text(one, &ends.last_sync) == Some(&posted.last_sync) => {
            text(one, "id").map_or(Found::Nothing, |id| Found::Ours(id.to_owned()))
        }
        (several, _) => Found::Exists(ids(several)),
    }
}

/// The records without a number that EspoCRM lists for the party's search keys, those that are proven different left out.
#[must_use]
pub fn by_keys(mapping: &Mapping, party: &Content, listed: &[Map<String, Value>]) -> Found {
    let fits = |record: &&Map<String, Value>| {
        let content = mapping.from_espocrm(record);
        number_in(record, &mapping.espocrm.link).is_none()
            && mapping.same_search_keys(party, &content)
            && !mapping.proven_different(party, &content)
    };
    let found: Vec<&Map<String, Value>> = listed.iter().filter(fits).collect();
    if found.is_empty() { Found::Nothing } else { Found::Unlinked(ids(&found)) }
}

/// The records that EspoCRM's own check takes for the party's doubles. Those that have other numbers are namesakes.
#[must_use]
pub fn by_duplicate_check(mapping: &Mapping, number: &str, named: &[Map<String, Value>]) -> Found {
    if let Found::Exists(ids) = by_number(mapping, number, named, None) {
        return Found::Exists(ids);
    }
    let unlinked = |record: &&Map<String, Value>| number_in(record, &mapping.espocrm.link).is_none();
    let found: Vec<&Map<String, Value>> = named.iter().filter(unlinked).collect();
    if found.is_empty() { Found::Nothing } else { Found::Unlinked(ids(&found)) }
}

fn ids(records: &[&Map<String, Value>]) -> Vec<String> {
    records.iter().filter_map(|record| text(record, "id")).map(str::to_owned).collect()
}

fn text<'r>(record: &'r Map<String, Value>, attribute: &str) -> Option<&'r str> {
    record.get(attribute).and_then(Value::as_str)
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
