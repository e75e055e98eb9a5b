//! What both sides looked like when they last agreed, and which creates are under way (design "Record sync", S3, S4).
//!
//! | key | what |
//! | --- | --- |
//! | `ledger:<entity>:pairs` | hash: EspoCRM id → [`Pair`] |
//! | `ledger:<entity>:numbers` | hash: Advoware number → EspoCRM id |
//! | `ledger:<entity>:intents` | hash: EspoCRM id → [`Intent`] of a create that may or may not have happened |
//! | `ledger:<entity>:intent_keys` | hash: digest of the search keys → EspoCRM id with an open intent |
//! | `ledger:<entity>:failed` | hash: EspoCRM id → fingerprint of the record that a run failed on |
//! | `ledger:<entity>:imports` | hash: Advoware number → what became of its import, see [`super::Import`] |
//! | `ledger:<entity>:trials` | hash, see [`super::Trials`] |
//! | `ledger:<entity>:drift` | hash, see [`Ledger::count_drift`] |
//! | `ledger:<entity>:dissolved` | hash: EspoCRM id → [`Dissolved`] pair of a deleted record |
//!
//! Every write is fenced by the record's lock: a run that has lost its lease changes nothing here.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Fence, json, parsed};
use crate::queue::{Flow, QueueError, Store};
use crate::sync::record::merge::Snapshot;

/// Put before the names of its functions (`migrations/0001_ledger.lua`).
const FUNCTIONS: &str = "advosync_1_ledger_";

/// Two records that are one party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Advoware's number (betNr).
    pub number: String,
    /// Advoware's version when they last agreed; a hint only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_id: Option<String>,
    /// Both sides when they last agreed; none before the first agreement is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// A note that is owed to the record's readers: its effect may have happened before it could be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When an update was sent, to either side, that nobody answered and that may still be under way, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard: Option<DateTime<Utc>>,
    /// What the users to whom the record is assigned are still to be sent: a note that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When this was written, UTC.
    pub at: DateTime<Utc>,
}

impl Pair {
    /// A pair of which nobody is owed anything, as of `at` (UTC).
    #[must_use]
    pub fn new(number: &str, row_id: Option<String>, snapshot: Option<Snapshot>, at: DateTime<Utc>) -> Self {
        Self { number: number.to_owned(), row_id, snapshot, note: None, unheard: None, message: None, at }
    }
}

/// A create that was about to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Of the search keys; empty where the record cannot be searched for.
    pub digest: String,
    /// When the POST was about to be sent, UTC. The quiet time counts from here.
    pub at: DateTime<Utc>,
    /// The exact body.
    pub body: Map<String, Value>,
    /// Numbers of the records that had equal search keys already.
    pub known: Vec<String>,
    /// How many POSTs were about to be sent for this record.
    pub tries: u32,
}

/// What is kept of a pair whose EspoCRM record was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dissolved {
    /// Advoware's number, where there was one.
    pub number: Option<String>,
    /// When, UTC.
    pub at: DateTime<Utc>,
    /// Why, for a person who looks later.
    pub reason: String,
}

/// All that is known of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its pair.
    pub pair: Option<Pair>,
    /// Its open create.
    pub intent: Option<Intent>,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// The lease was lost; nothing is stored.
    Fenced,
    /// The number belongs to this other record already.
    Taken(String),
    /// This other record, with equal search keys, is being created.
    Busy(String),
}

/// The ledger of one entity.
#[derive(Clone)]
pub struct Ledger {
    pub(super) store: Store,
    pub(super) pairs: String,
    numbers: String,
    intents: String,
    intent_keys: String,
    pub(super) dissolved: String,
    failed: String,
    pub(super) imports: String,
    pub(super) looked: String,
    pub(super) changed: String,
    pub(super) sweep: String,
    pub(super) full: String,
    pub(super) trials: String,
    pub(super) drift: String,
}

impl Ledger {
    /// The ledger of the mapping with this name.
    #[must_use]
    pub fn new(store: Store, entity: &str) -> Self {
        let key = |part: &str| store.key(&format!("ledger:{entity}:{part}"));
        Self {
            pairs: key("pairs"),
            numbers: key("numbers"),
            intents: key("intents"),
            intent_keys: key("intent_keys"),
            dissolved: key("dissolved"),
            failed: key("failed"),
            imports: key("imports"),
            looked: key("looked"),
            changed: key("changed"),
            sweep: key("sweep"),
            full: key("full"),
            trials: key("trials"),
            drift: key("drift"),
            store,
        }
    }

    /// All that is known of a record.
    pub async fn read(&self, id: &str) -> Result<Known, QueueError> {
        Ok(Known { pair: self.get(&self.pairs, id).await?, intent: self.get(&self.intents, id).await? })
    }

    /// Which records these Advoware numbers are paired with.
    pub async fn owners(&self, numbers: &[String]) -> Result<Vec<Option<String>>, QueueError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        self.store.query(redis::cmd("HMGET").arg(&self.numbers).arg(numbers)).await
    }

    /// Stores a pair and closes the record's own intent. `digest` is that of the search keys where this is a new link
    /// that nobody has confirmed: then no other record with equal keys may be under way.
    pub async fn pair(&self, fence: Fence<'_>, id: &str, pair: &Pair, digest: &str) -> Result<Written, QueueError> {
        let keys = [&self.pairs, &self.numbers, &self.intents, &self.intent_keys];
        self.write("pair", fence, &keys, &[id, &pair.number, &json(pair), digest]).await
    }

    /// Stores that a create is about to begin.
    pub async fn intend(&self, fence: Fence<'_>, id: &str, intent: &Intent) -> Result<Written, QueueError> {
        let keys = [&self.intents, &self.intent_keys];
        self.write("intend", fence, &keys, &[id, &intent.digest, &json(intent)]).await
    }

    /// Closes an intent whose create is known not to have happened.
    pub async fn withdraw(&self, fence: Fence<'_>, id: &str) -> Result<Written, QueueError> {
        self.write("withdraw", fence, &[&self.intents, &self.intent_keys], &[id]).await
    }

    /// Ends a pair and closes the record's intent; what is known stays for a person who looks later.
    pub async fn dissolve(&self, fence: Fence<'_>, id: &str, dissolved: &Dissolved) -> Result<Written, QueueError> {
        let keys = [&self.pairs, &self.numbers, &self.intents, &self.intent_keys, &self.dissolved];
        self.write("dissolve", fence, &keys, &[id, &json(dissolved)]).await
    }

    /// Remembers what a record looked like when a run failed on it, so that our own report of that is known again.
    pub async fn remember_failure(&self, id: &str, fingerprint: &str) -> Result<(), QueueError> {
        let _: i64 = self.store.query(redis::cmd("HSET").arg(&self.failed).arg(id).arg(fingerprint)).await?;
        Ok(())
    }

    /// What the record looked like when a run failed on it last.
    pub async fn failure(&self, id: &str) -> Result<Option<String>, QueueError> {
        self.store.query(redis::cmd("HGET").arg(&self.failed).arg(id)).await
    }

    /// A run has succeeded.
    pub async fn forget_failure(&self, id: &str) -> Result<(), QueueError> {
        let _: i64 = self.store.query(redis::cmd("HDEL").arg(&self.failed).arg(id)).await?;
        Ok(())
    }

    async fn write(
        &self,
        function: &str,
        fence: Fence<'_>,
        keys: &[&String],
        args: &[&str],
    ) -> Result<Written, QueueError> {
        let (lock, value) = fence;
        let keys = std::iter::once(lock.to_owned()).chain(keys.iter().map(|key| (*key).clone())).collect();
        let args: Vec<&str> = std::iter::once(value).chain(args.iter().copied()).collect();
        let answer: Vec<String> = self.store.call(Flow::Vmh, &format!("{FUNCTIONS}{function}"), keys, &args).await?;
        let other = || answer.get(1).cloned().unwrap_or_default();
        match answer.first().map(String::as_str) {
            Some("ok") => Ok(Written::Stored),
            Some("fenced") => Ok(Written::Fenced),
            Some("taken") => Ok(Written::Taken(other())),
            Some("busy") => Ok(Written::Busy(other())),
            _ => Err(QueueError::Refused(format!("the ledger function {function} gave an answer of another layout"))),
        }
    }

    async fn get<T: DeserializeOwned>(&self, key: &str, id: &str) -> Result<Option<T>, QueueError> {
        let text: Option<String> = self.store.query(redis::cmd("HGET").arg(key).arg(id)).await?;
        let remedy = "mend it or delete it with HDEL, then replay the job";
        text.map(|text| parsed(key, id, &text, remedy)).transpose()
    }
}
