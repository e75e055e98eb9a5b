//! What is remembered between runs: a ledger of records, and one of calendars.
//!
//! Keys are spelled here and in the queue only. Every write is fenced by the lock of the run: one that has lost its lease
//! changes nothing here.

pub mod calendar;
mod drift;
mod imports;
mod looks;
mod records;
mod trials;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use imports::{Import, Posted, Progress};
pub use looks::{Full, Swept};
pub use records::{Dissolved, Intent, Known, Ledger, Pair, Written};
pub use trials::Trials;

use crate::queue::{Flow, QueueError, Store};

/// The function that writes hashes under a lock (`migrations/0003_calendar.lua`; it came with calendars, and knows nothing of
/// them).
const WRITE: &str = "advosync_3_calendar_write";

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

/// Makes these the fields of a hash; one without a value is dropped. `false`: the lease was lost, nothing is stored.
async fn replace(
    store: &Store,
    fence: Fence<'_>,
    hash: &str,
    fields: &[(&str, Option<String>)],
) -> Result<bool, QueueError> {
    let (lock, value) = fence;
    let mut words = vec![value.to_owned()];
    for (name, value) in fields {
        let verb = if value.is_some() { "put" } else { "drop" };
        words.extend([verb.to_owned(), "1".to_owned(), (*name).to_owned(), value.clone().unwrap_or_default()]);
    }
    let keys = vec![lock.to_owned(), hash.to_owned()];
    let answer: Vec<String> = store.call(Flow::Vmh, WRITE, keys, &words).await?;
    Ok(answer.first().is_some_and(|word| word == "ok"))
}
