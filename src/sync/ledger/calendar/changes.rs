//! What a run stores of a calendar, put together before it is sent.

use serde::Serialize;

use super::{Part, STATE, State};
use crate::sync::calendar::kept::Kept;
use crate::sync::calendar::pair::{Held, Intent, Pair, Tie};
use crate::sync::ledger::json;

/// Changes that are stored in one call, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Four words each, see `write` in `migrations/0003_calendar.lua`.
    pub(super) words: Vec<String>,
}

impl Changes {
    /// The calendar itself, as a whole.
    pub fn state(&mut self, state: &State) -> &mut Self {
        self.put(Part::State, STATE, state)
    }

    /// An event as Google sent it.
    pub fn mirror(&mut self, id: &str, event: &Kept) -> &mut Self {
        self.change("put", Part::Mirror, id, event.text().to_owned())
    }

    /// An event that Google has no longer.
    pub fn unmirror(&mut self, id: &str) -> &mut Self {
        self.change("drop", Part::Mirror, id, String::new())
    }

    /// All events are listed anew.
    pub fn clear_mirror(&mut self) -> &mut Self {
        self.change("clear", Part::Mirror, "", String::new())
    }

    /// What belongs together.
    pub fn pair(&mut self, tie: &Tie, pair: &Pair) -> &mut Self {
        self.put(Part::Pairs, &tie.name(), pair)
    }

    /// A pair has ended.
    pub fn unpair(&mut self, tie: &Tie) -> &mut Self {
        self.change("drop", Part::Pairs, &tie.name(), String::new())
    }

    /// All pairs are void: it is another calendar.
    pub fn clear_pairs(&mut self) -> &mut Self {
        self.change("clear", Part::Pairs, "", String::new())
    }

    /// A POST to Advoware is about to be sent.
    pub fn intend(&mut self, name: &str, intent: &Intent) -> &mut Self {
        self.put(Part::Intents, name, intent)
    }

    /// What became of a POST is known.
    pub fn withdraw(&mut self, name: &str) -> &mut Self {
        self.change("drop", Part::Intents, name, String::new())
    }

    /// A person has to decide on this.
    pub fn hold(&mut self, name: &str, held: &Held) -> &mut Self {
        self.put(Part::Held, name, held)
    }

    /// It is decided.
    pub fn release(&mut self, name: &str) -> &mut Self {
        self.change("drop", Part::Held, name, String::new())
    }

    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn put<T: Serialize>(&mut self, part: Part, field: &str, value: &T) -> &mut Self {
        self.change("put", part, field, json(value))
    }

    fn change(&mut self, verb: &str, part: Part, field: &str, value: String) -> &mut Self {
        self.words.extend([verb.to_owned(), (part as u8).to_string(), field.to_owned(), value]);
        self
    }
}
