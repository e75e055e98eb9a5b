//! What is remembered between runs: a ledger of records, and one of calendars.
//!
//! Keys are spelled here and in the queue only. Every write is fenced by the lock of the run: one that has lost its lease
//! changes nothing here.

pub mod calendar;
mod drift;
mod records;
mod trials;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use records::{Dissolved, Intent, Known, Ledger, Pair, Written};
pub use trials::Trials;

use crate::queue::QueueError;

/// The lock of the run and its value, as `worker::Run` has them.
pub type Fence<'a> = (&'a str, &'a str);

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with string keys always serialises")
}

/// Reads an entry. Never guesses: an intent that cannot be read could be a create that happened.
fn parsed<T: DeserializeOwned>(key: &str, field: &str, text: &str, remedy: &str) -> Result<T, QueueError> {
    serde_json::from_str(text).map_err(|error| unreadable(key, field, &error.to_string(), remedy))
}

fn unreadable(key: &str, field: &str, why: &str, remedy: &str) -> QueueError {
    QueueError::Asked(format!("the ledger's entry {key} {field} cannot be read ({why}); {remedy}"))
}
