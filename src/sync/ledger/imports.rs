//! What became of the imports of parties that only Advoware had (`ledger:<entity>:imports`).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::records::{Dissolved, Ledger, Written};
use super::{Fence, json, parsed, replace};
use crate::queue::QueueError;
use crate::sync::record::merge::Snapshot;

/// So many entries are read at once: no call may hold Redis up.
const AT_ONCE: usize = 500;
/// What a person does about an entry that cannot be read.
const REMEDY: &str = "look whether EspoCRM has that party, then delete the entry with HDEL and replay the job";

/// What became of the import of one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// When that was, UTC. Of a create in EspoCRM: when its POST was about to be sent; the quiet time counts from here.
    pub at: DateTime<Utc>,
    /// How far it came.
    #[serde(flatten)]
    pub progress: Progress,
}

/// How far an import came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Progress {
    /// The POST to EspoCRM was about to be sent: it may or may not have taken effect.
    Begun(Box<Posted>),
    /// The party was given a record. It is never given another one, whatever becomes of that.
    Done {
        /// EspoCRM's id of it.
        id: String,
    },
    /// A person has to do something first.
    Left {
        /// What, and about which records.
        why: String,
    },
}

/// A POST to EspoCRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// How many POSTs were about to be sent for this number.
    pub tries: u32,
    /// The time of the last sync that it carried, which tells our record from one that somebody else linked.
    pub last_sync: String,
    /// Advoware's version of what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_id: Option<String>,
    /// What was sent, and what Advoware's record was like.
    pub sent: Snapshot,
}

impl Ledger {
    /// What became of the import of a number.
    pub async fn import(&self, number: &str) -> Result<Option<Import>, QueueError> {
        let text: Option<String> = self.store.query(redis::cmd("HGET").arg(&self.imports).arg(number)).await?;
        text.map(|text| parsed(&self.imports, number, &text, REMEDY)).transpose()
    }

    /// What became of the imports of these numbers; those that nothing is known of are left out.
    pub async fn imports(&self, numbers: &[String]) -> Result<HashMap<String, Import>, QueueError> {
        let mut known = HashMap::new();
        for numbers in numbers.chunks(AT_ONCE) {
            let texts: Vec<Option<String>> =
                self.store.query(redis::cmd("HMGET").arg(&self.imports).arg(numbers)).await?;
            for (number, text) in numbers.iter().zip(texts).filter_map(|(number, text)| Some((number, text?))) {
                known.insert(number.clone(), parsed(&self.imports, number, &text, REMEDY)?);
            }
        }
        Ok(known)
    }

    /// Those of these numbers that are paired with a record.
    pub async fn owned(&self, numbers: &[String]) -> Result<HashSet<String>, QueueError> {
        let mut owned = HashSet::new();
        for numbers in numbers.chunks(AT_ONCE) {
            let owners = self.owners(numbers).await?;
            owned.extend(numbers.iter().zip(owners).filter(|(_, owner)| owner.is_some()).map(|(it, _)| it.clone()));
        }
        Ok(owned)
    }

    /// The numbers of all pairs that have ended, read by pieces. What comes or goes meanwhile may be there or not.
    pub async fn dissolved_numbers(&self) -> Result<HashSet<String>, QueueError> {
        let mut numbers = HashSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(&self.dissolved).arg(&cursor).arg("COUNT").arg(AT_ONCE);
            let (next, entries): (String, Vec<(String, String)>) = self.store.query(&scan).await?;
            for (id, text) in entries {
                let remedy = "mend it or delete it with HDEL; then replay the job";
                let dissolved: Dissolved = parsed(&self.dissolved, &id, &text, remedy)?;
                numbers.extend(dissolved.number);
            }
            if next == "0" {
                return Ok(numbers);
            }
            cursor = next;
        }
    }

    /// Stores what became of the import of a number, or forgets it. `fence`: the lock of the import.
    pub async fn set_import(
        &self,
        fence: Fence<'_>,
        number: &str,
        import: Option<&Import>,
    ) -> Result<Written, QueueError> {
        let stored = replace(&self.store, fence, &self.imports, &[(number, import.map(json))]).await?;
        Ok(if stored { Written::Stored } else { Written::Fenced })
    }
}
