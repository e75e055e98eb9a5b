//! The trials of records that have failed for good.
//!
//! | key | what |
//! | --- | --- |
//! | `ledger:<entity>:trials` | hash: EspoCRM id → [`Trials`], as long as the record is failed for good |

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::json;
use super::records::Ledger;
use crate::queue::QueueError;

/// What was tried since a record failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trials {
    /// When it failed for good, or was seen so first, UTC.
    pub since: DateTime<Utc>,
    /// How many trials were queued.
    #[serde(default)]
    pub tried: u32,
    /// When the last one was queued, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<DateTime<Utc>>,
}

impl Trials {
    /// None yet.
    #[must_use]
    pub const fn since(since: DateTime<Utc>) -> Self {
        Self { since, tried: 0, last: None }
    }
}

impl Ledger {
    /// What was tried, by EspoCRM id. An entry that cannot be read is left out, so its record is one that nothing is known of:
    /// at worst it is tried some days longer.
    pub async fn all_trials(&self) -> Result<BTreeMap<String, Trials>, QueueError> {
        let all: BTreeMap<String, String> = self.store.query(redis::cmd("HGETALL").arg(&self.trials)).await?;
        Ok(all.into_iter().filter_map(|(id, text)| Some((id, serde_json::from_str(&text).ok()?))).collect())
    }

    /// What was tried of one record.
    pub async fn trials(&self, id: &str) -> Result<Option<Trials>, QueueError> {
        let text: Option<String> = self.store.query(redis::cmd("HGET").arg(&self.trials).arg(id)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Remembers what was tried of these records, whatever was known of them.
    pub async fn remember_trials(&self, trials: &BTreeMap<String, Trials>) -> Result<(), QueueError> {
        if trials.is_empty() {
            return Ok(());
        }
        let mut cmd = redis::cmd("HSET");
        cmd.arg(&self.trials);
        for (id, trials) in trials {
            cmd.arg(id).arg(json(trials));
        }
        let _: i64 = self.store.query(&cmd).await?;
        Ok(())
    }

    /// These records are not failed for good any more.
    pub async fn forget_trials(&self, ids: &[String]) -> Result<(), QueueError> {
        if ids.is_empty() {
            return Ok(());
        }
        let _: i64 = self.store.query(redis::cmd("HDEL").arg(&self.trials).arg(ids)).await?;
        Ok(())
    }
}
