//! What is remembered of one employee's calendar (design "Calendar sync"; `docs/calendar.md`).
//!
//! | key | what |
//! | --- | --- |
//! | `ledger:calendar:<kuerzel>:state` | hash, field `state`: [`State`] |
//! | `ledger:calendar:<kuerzel>:mirror` | hash: event id → the event as Google sent it |
//! | `ledger:calendar:<kuerzel>:pairs` | hash: name of a [`Tie`] → [`Pair`] |
//! | `ledger:calendar:<kuerzel>:intents` | hash: name → [`Intent`] of a POST to Advoware that may or may not have happened |
//! | `ledger:calendar:<kuerzel>:held` | hash: name → [`Held`] |
//! | `calendar_sync:termin_lock:<frNr>` | string, expires: who writes to a shared Termin (C6) |

mod changes;
mod termin_lock;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use changes::Changes;
pub use termin_lock::TerminLock;

use super::{Fence, WRITE, parsed, unreadable};
use crate::queue::{Flow, QueueError, Store};
use crate::sync::calendar::Record;
use crate::sync::calendar::kept::Kept;
use crate::sync::calendar::mirror::Mirror;
use crate::sync::calendar::pair::{Held, Intent, Pair, Tie};
use crate::sync::calendar::scope::Multiday;

/// The one field of the state's hash.
const STATE: &str = "state";
/// So many entries are read at once: text and value of a whole calendar never stand side by side.
const AT_ONCE: usize = 200;

/// The calendar itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Google's id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Whether it was there before this ledger knew of it: then a ledger that was lost may have known its pairs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// Whence the mirror goes on; none: all events must be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_token: Option<String>,
    /// When its creation was begun whose outcome is not known, UTC: a POST of a calendar has no idempotency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creating_since: Option<DateTime<Utc>>,
    /// The e-mail address of the owner that it is shared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<String>,
    /// Over which Google tells of changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

/// A push channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Our id of it.
    pub id: String,
    /// Google's id of what is watched; needed to stop it.
    pub resource_id: String,
    /// When it ends, UTC.
    pub expires: DateTime<Utc>,
    /// A digest of the address and the token that it was opened with.
    #[serde(default)]
    pub opened_with: String,
}

/// All that is known of a calendar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// The calendar itself.
    pub state: State,
    /// All of its events.
    pub mirror: Mirror,
    /// What belongs together.
    pub pairs: BTreeMap<Tie, Pair>,
    /// Open POSTs to Advoware.
    pub intents: BTreeMap<String, Intent>,
    /// What a person has to decide on.
    pub held: BTreeMap<String, Held>,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// The lease was lost; nothing is stored.
    Fenced,
}

/// The hashes, by their place among the keys of `write`.
#[derive(Debug, Clone, Copy)]
enum Part {
    State = 1,
    Mirror,
    Pairs,
    Intents,
    Held,
}

impl Part {
    const ALL: [Self; 5] = [Self::State, Self::Mirror, Self::Pairs, Self::Intents, Self::Held];

    const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Mirror => "mirror",
            Self::Pairs => "pairs",
            Self::Intents => "intents",
            Self::Held => "held",
        }
    }

    /// What a person does about an entry that cannot be read.
    const fn remedy(self) -> &'static str {
        match self {
            // A mirror that lacks an event is only mended by reading all of them, which the state's sync token prevents.
            Self::State | Self::Mirror => {
                "delete both this calendar's keys `state` and `mirror` with DEL, they are made anew from Google; then \
                 replay the job"
            }
            Self::Pairs => {
                "mend it or delete it with HDEL, the event itself says what it belongs to; then replay the job"
            }
            // The Termin and the event are linked then by their equal content.
            Self::Intents => {
                "look whether Advoware has that Termin as it should be, then delete the entry with HDEL and replay the job"
            }
            Self::Held => "mend it or delete it with HDEL, then it is decided anew; then replay the job",
        }
    }
}

/// The ledger of one employee's calendar.
#[derive(Clone)]
pub struct CalendarLedger {
    store: Store,
    kuerzel: String,
}

impl CalendarLedger {
    /// The ledger of the calendar of this Kürzel.
    #[must_use]
    pub fn new(store: Store, kuerzel: &str) -> Self {
        Self { store, kuerzel: kuerzel.to_owned() }
    }

    /// All that is known of the calendar; its events are read by the firm's rule for what lasts longer than a day. To be read under the calendar's lock: parts are read one after the other.
    ///
    /// # Errors
    /// Also where a single entry cannot be read; then nothing may be decided.
    pub async fn read(&self, multiday: Multiday) -> Result<Known, QueueError> {
        let named = |name: &str| Some(name.to_owned());
        let kept = |event: Record, text| Kept::of_text(text, &event, multiday);
        let mut state = self.entries(Part::State, named, alone).await?;
        Ok(Known {
            state: state.remove(STATE).unwrap_or_default(),
            mirror: self.entries(Part::Mirror, named, kept).await?,
            pairs: self.entries(Part::Pairs, Tie::parse, alone).await?,
            intents: self.entries(Part::Intents, named, alone).await?,
            held: self.entries(Part::Held, named, alone).await?,
        })
    }

    /// Stores changes, all or none of them. Nothing to store is stored.
    pub async fn write(&self, fence: Fence<'_>, changes: &Changes) -> Result<Written, QueueError> {
        if changes.is_empty() {
            return Ok(Written::Stored);
        }
        let (lock, value) = fence;
        let keys = std::iter::once(lock.to_owned()).chain(Part::ALL.iter().map(|part| self.key(*part))).collect();
        let args: Vec<&str> = std::iter::once(value).chain(changes.words.iter().map(String::as_str)).collect();
        let answer: Vec<String> = self.store.call(Flow::Calendar, WRITE, keys, &args).await?;
        match answer.first().map(String::as_str) {
            Some("ok") => Ok(Written::Stored),
            Some("fenced") => Ok(Written::Fenced),
            _ => Err(QueueError::Refused(format!("the function {WRITE} gave an answer of another layout"))),
        }
    }

    fn key(&self, part: Part) -> String {
        self.store.key(&format!("ledger:calendar:{}:{}", self.kuerzel, part.name()))
    }

    /// A hash, read by pieces; `keep` makes of an entry and its text what is kept of it. What is taken away meanwhile is
    /// not there.
    async fn entries<N: Ord, T: DeserializeOwned, K>(
        &self,
        part: Part,
        name: impl Fn(&str) -> Option<N>,
        keep: impl Fn(T, String) -> K,
    ) -> Result<BTreeMap<N, K>, QueueError> {
        let key = self.key(part);
        let fields: Vec<String> = self.store.query(redis::cmd("HKEYS").arg(&key)).await?;
        let mut entries = BTreeMap::new();
        for fields in fields.chunks(AT_ONCE) {
            let texts: Vec<Option<String>> = self.store.query(redis::cmd("HMGET").arg(&key).arg(fields)).await?;
            for (field, text) in fields.iter().zip(texts).filter_map(|(field, text)| Some((field, text?))) {
                let name =
                    name(field).ok_or_else(|| unreadable(&key, field, "its name is no event's", part.remedy()))?;
                let entry = parsed(&key, field, &text, part.remedy())?;
                entries.insert(name, keep(entry, text));
            }
        }
        Ok(entries)
    }
}

/// Keeps an entry without its text.
fn alone<T>(entry: T, _text: String) -> T {
    entry
}
