//! One event of the mirror: its text as Google sent it, and what was read of it when it came.
//!
//! A calendar is planned several times in a run, and most of its events have not changed since the last one: so each is
//! read once. Its text, which only a write to it needs, stays text, since that is far smaller than a tree of values.

use std::sync::Arc;

use super::Record;
use super::entry::Entry;
use super::event::{self, Marks, Read};
use super::pair::{Original, Prints};
use super::recurrence::{self, Recurrence};
use super::scope::Multiday;

/// What an event or an instance says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What it says; with its series where Advoware can express it.
    pub entry: Entry,
    /// Its fingerprints.
    pub prints: Prints,
    /// What its private properties say; of an instance nothing, since they are its series'.
    pub marks: Marks,
    /// Whether only its owner may see it.
    pub private: bool,
    /// What was odd about it, as stable words for reports.
    pub remarks: Vec<&'static str>,
}

/// An event that is there, or an exception that may be cancelled.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    text: Box<str>,
    pub(super) cancelled: bool,
    /// Of an exception: the id of its series, and which instance it is.
    pub(super) instance_of: Option<(String, Original)>,
    pub(super) reading: Result<Reading, &'static str>,
}

/// An event that could be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) said: Arc<Said>,
    pub(super) recurrence: Recurrence,
}

impl Kept {
    /// Reads an event. One that cannot be read is kept as well, with the reason.
    #[must_use]
    pub fn of(event: &Record, multiday: Multiday) -> Self {
        let text = serde_json::to_string(event).unwrap_or_default();
        Self::of_text(text, event, multiday)
    }

    /// The same where its text is at hand.
    #[must_use]
    pub fn of_text(text: String, event: &Record, multiday: Multiday) -> Self {
        let (text, stub) = (text.into_boxed_str(), event::stub(event));
        let cancelled = stub.is_some_and(|stub| stub.cancelled);
        let instance_of =
            stub.and_then(|stub| stub.instance_of).map(|(series, original)| (series.to_owned(), original));
        let reading = event::read(event, multiday).map_err(|unusable| unusable.reason).and_then(Reading::of);
        Self { text, cancelled, instance_of, reading }
    }

    /// What it says; none where it cannot be read.
    #[must_use]
    pub fn said(self) -> Option<Arc<Said>> {
        self.reading.ok().map(|reading| reading.said)
    }

    /// As Google sent it, as compact JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As Google sent it: a PUT sends the whole of it back.
    #[must_use]
    pub fn record(&self) -> Record {
        // The text was a record before. Nothing could be written with an empty one, since that has no `etag`.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Reading {
    fn of(read: Read) -> Result<Self, &'static str> {
        let Read { mut entry, recurrence, zone, marks, private, instance_of, remarks, .. } = read;
        let recurrence = match instance_of {
            // An exception is one instance, whatever stands in it.
            Some(_) => Recurrence::Once,
            None => recurrence::read(&recurrence, &entry.when, zone)?,
        };
        if let Recurrence::Simple(series) = recurrence {
            entry.series = Some(series);
        }
        let said = Said { prints: entry.prints(), entry, marks, private, remarks };
        Ok(Self { said: Arc::new(said), recurrence })
    }
}
