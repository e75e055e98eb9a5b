//! The sync fields of an EspoCRM record (seed 004, design "Record sync"): one write after each run that needs one.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::mapping::Mapping;
use super::route::number_in;

/// The state of a record that waits for a person.
pub const FOR_GOOD: &str = "permanently_failed";
/// EspoCRM's limit of the error field (seed 004).
const MESSAGE_CHARS: usize = 2000;

/// Whether the sync fields say already that the record is synced with this number and version. A field that EspoCRM does not
/// show (it was never set up, or the role hides it) says nothing: written to again and again, it would stay as it is.
#[must_use]
pub fn is_clean(mapping: &Mapping, record: &Map<String, Value>, number: &str, row_id: Option<&str>) -> bool {
    let ends = &mapping.espocrm;
    let text = |attribute: &str| record.get(attribute).and_then(Value::as_str).filter(|text| !text.is_empty());
    let hidden = |attribute: &str| !record.contains_key(attribute);
    (hidden(&ends.status) || text(&ends.status) == Some("clean"))
        && (hidden(&ends.link) || number_in(record, &ends.link).as_deref() == Some(number))
        && (hidden(&ends.row_id) || row_id.is_none() || text(&ends.row_id) == row_id)
        && (hidden(&ends.last_sync) || text(&ends.last_sync).is_some())
        && text(&ends.error).is_none()
        && number_in(record, &ends.retries).is_none()
}

/// The sync fields of a record that is in step, as of `now`.
#[must_use]
pub fn clean(mapping: &Mapping, number: &str, row_id: Option<&str>, now: DateTime<Utc>) -> Map<String, Value> {
    let ends = &mapping.espocrm;
    let mut out = Map::new();
    out.insert(ends.link.clone(), link(number));
    if let Some(row_id) = row_id {
        out.insert(ends.row_id.clone(), json!(row_id));
    }
    out.insert(ends.last_sync.clone(), json!(now.format("%Y-%m-%d %H:%M:%S").to_string()));
    out.insert(ends.status.clone(), json!("clean"));
    out.insert(ends.error.clone(), Value::Null);
    out.insert(ends.retries.clone(), json!(0));
    out
}

/// A number as EspoCRM keeps it: an int (contract, "Custom entity and fields").
#[must_use]
pub fn link(number: &str) -> Value {
    number.parse::<i64>().map_or_else(|_| json!(number), |number| json!(number))
}

/// The sync fields after a failed attempt. The time of the last sync stays: moving it would hide edits made since.
#[must_use]
pub fn failed(mapping: &Mapping, message: &str, attempt: u32, for_good: bool) -> Map<String, Value> {
    let ends = &mapping.espocrm;
    let mut out = Map::new();
    out.insert(ends.status.clone(), json!(if for_good { FOR_GOOD } else { "failed" }));
    out.insert(ends.error.clone(), json!(message.chars().take(MESSAGE_CHARS).collect::<String>()));
    out.insert(ends.retries.clone(), json!(attempt));
    out
}

/// What people are told of a record that has failed for good, after so many attempts. German, as they read it.
#[must_use]
pub fn failure_note(message: &str, attempts: u32) -> String {
    let attempts = if attempts == 1 { "einem Versuch".to_owned() } else { format!("{attempts} Versuchen") };
    format!(
        "Der Abgleich mit Advoware ist nach {attempts} endgültig gescheitert und wartet auf eine Entscheidung:\n{message}"
    )
}

/// Whether a record says that its last run failed.
#[must_use]
pub fn says_failed(mapping: &Mapping, record: &Map<String, Value>) -> bool {
    matches!(record.get(&mapping.espocrm.status).and_then(Value::as_str), Some("failed" | FOR_GOOD))
}

/// One word for everything of a record that a run goes by. Two equal ones: nobody has changed anything that matters.
#[must_use]
pub fn fingerprint(mapping: &Mapping, record: &Map<String, Value>) -> String {
    let link = number_in(record, &mapping.espocrm.link);
    let text = json!([link, mapping.from_espocrm(record)]).to_string();
    hex::encode(Sha256::digest(text))
}
