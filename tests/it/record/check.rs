//! What must be so whatever happened, read from both systems.

use std::collections::BTreeMap;

use advosync_sandbox::{Change, Fields, System};
use serde_json::{Value, json};

use super::FIELDS;
use crate::support::world::World;

/// The names apart.
const PLAIN: &[(&str, &str)] = FIELDS.split_at(2).1;

impl World {
    /// The record is linked, clean, and equal on both sides; its number.
    pub fn in_step(&self, id: &str) -> i64 {
        let record = self.record(id);
        let number = self.clean(id);
        let party = self.party(number);
        assert_eq!(name_in_espocrm(&record), name_in_advoware(&party), "{record:?} {party:?}");
        for (ours, theirs) in PLAIN {
            assert_eq!(text(&record, ours), text(&party, theirs), "{ours} of {id}: {record:?} {party:?}");
        }
        number
    }

    /// The record's sync fields say that it is synced, truly; its number.
    pub fn clean(&self, id: &str) -> i64 {
        let record = self.record(id);
        assert_eq!(record["syncStatus"], "clean", "{record:?}");
        let number = self.number(id);
        let party = self.party(number);
        assert_eq!(record["advowareRowId"], party["rowId"], "{id}: the version that was seen last");
        assert_eq!(record["syncErrorMessage"], Value::Null, "{record:?}");
        assert_eq!(record["syncRetryCount"], json!(0), "{record:?}");
        assert!(record["advowareLastSync"].is_string(), "{record:?}");
        number
    }

    /// Every party belongs to exactly one of these records, and the other way round; no party was ever made in vain.
    pub fn one_to_one(&self, ids: &[String]) {
        let mut owners: BTreeMap<i64, &str> = BTreeMap::new();
        for id in ids {
            if let Some(other) = owners.insert(self.in_step(id), id) {
                panic!("{id} and {other} share a party");
            }
        }
        assert_eq!(self.parties().len(), ids.len(), "parties without a record: {:?}", self.parties());
        assert_eq!(self.creates(), ids.len(), "creates that took effect");
    }

    /// How many creates of ours took effect in Advoware.
    pub fn creates(&self) -> usize {
        self.writes_to(System::Advoware, 0).iter().filter(|effect| effect.change == Change::Create).count()
    }
}

fn name_in_espocrm(record: &Fields) -> (String, String) {
    let first = text(record, "firstName");
    let name = if first.is_empty() { text(record, "firmenname") } else { text(record, "lastName") };
    (first, name)
}

fn name_in_advoware(party: &Fields) -> (String, String) {
    (text(party, "vorname"), text(party, "name"))
}

fn text(record: &Fields, name: &str) -> String {
    record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
