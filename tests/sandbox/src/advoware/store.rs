//! Records of one resource. Every write draws a new rowId, also one that changes nothing.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::resource::Resource;
use crate::Fields;

/// The records by number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Store {
    pub(crate) records: BTreeMap<i64, Fields>,
    next: i64,
}

impl Store {
    /// A new record from the fields that the resource knows; returns its number.
    pub(crate) fn create(&mut self, resource: &Resource, body: &Fields, all_fields: bool) -> i64 {
        self.next = self.next.max(resource.first_key);
        let wanted = body.get(&resource.key).and_then(Value::as_i64).filter(|_| all_fields);
        let number = wanted.unwrap_or(self.next);
        self.next = self.next.max(number + 1);
        let mut record = Fields::new();
        record.insert(resource.key.clone(), json!(number));
        record.insert("rowId".into(), json!(row_id()));
        for name in &resource.fields {
            record.insert(name.clone(), body.get(name).cloned().unwrap_or(Value::Null));
        }
        if all_fields {
            extend(&mut record, resource, body);
        }
        self.records.insert(number, record);
        number
    }

    /// Replaces a record as PUT does: a field that is missing in the body becomes null, read-only and unknown ones are
    /// ignored. Returns what changed, `None` where there is no such record.
    pub(crate) fn replace(&mut self, resource: &Resource, number: i64, body: &Fields) -> Option<Fields> {
        let record = self.records.get_mut(&number)?;
        let writable: Vec<String> = record.keys().filter(|name| !is_fixed(resource, name)).cloned().collect();
        let mut changed = Fields::new();
        for name in writable {
            let value = body.get(&name).cloned().unwrap_or(Value::Null);
            if record.get(&name) != Some(&value) {
                changed.insert(name.clone(), value.clone());
                record.insert(name, value);
            }
        }
        record.insert("rowId".into(), json!(row_id()));
        Some(changed)
    }

    /// Changes single fields as the lawyer does in the program, also fields that the API's list does not name.
    pub(crate) fn patch(&mut self, resource: &Resource, number: i64, body: &Fields) -> Option<Fields> {
        let record = self.records.get_mut(&number)?;
        let before = record.clone();
        extend(record, resource, body);
        record.insert("rowId".into(), json!(row_id()));
        Some(body.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(clone_pair).collect())
    }
}

fn extend(record: &mut Fields, resource: &Resource, body: &Fields) {
    let own = body.iter().filter(|(name, _)| **name != resource.key && *name != "rowId");
    record.extend(own.map(clone_pair));
}

fn clone_pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn is_fixed(resource: &Resource, name: &str) -> bool {
    name == resource.key || name == "rowId" || resource.read_only.iter().any(|fixed| fixed == name)
}

/// 40 characters of base64 (advoware.md: about 40).
fn row_id() -> String {
    let random = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    BASE64_STANDARD.encode(&random[..30])
}
