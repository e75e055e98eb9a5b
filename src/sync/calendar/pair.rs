//! What the ledger keeps of a Termin and its counterpart at Google.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Record;

/// What at Google is the counterpart of one Termin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// A single event, or a whole series that Advoware can express.
    Event(String),
    /// One instance of a series that Advoware cannot express (C5).
    Instance {
        /// The series' event id.
        series: String,
        /// Which one.
        original: Original,
    },
}

/// When an instance was to begin by its series' rule; Google's `originalStartTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Original {
    /// Of an all-day series.
    Day(NaiveDate),
    /// Of a timed one.
    Instant(DateTime<Utc>),
}

impl Original {
    const INSTANT: &'static str = "%Y%m%dT%H%M%SZ";
    const DAY: &'static str = "%Y%m%d";

    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, Self::INSTANT) {
            return Some(Self::Instant(at.and_utc()));
        }
        NaiveDate::parse_from_str(text, Self::DAY).ok().map(Self::Day)
    }
}

impl fmt::Display for Original {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(out, "{}", day.format(Self::DAY)),
            Self::Instant(at) => write!(out, "{}", at.format(Self::INSTANT)),
        }
    }
}

impl Tie {
    /// The id under which Google knows it. An instance's is its series' with the original start behind it.
    #[must_use]
    pub fn event_id(&self) -> String {
        match self {
            Self::Event(id) => id.clone(),
            Self::Instance { series, original } => format!("{series}_{original}"),
        }
    }

    /// The name in the ledger, in reports and in logs.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Event(id) => id.clone(),
            Self::Instance { series, original } => format!("{series} {original}"),
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once(' ') {
            None => Some(Self::Event(name.to_owned())),
            Some((series, original)) => {
                Some(Self::Instance { series: series.to_owned(), original: Original::parse(original)? })
            }
        }
    }

    /// The event that holds it: itself, or its series.
    #[must_use]
    pub fn master(&self) -> &str {
        match self {
            Self::Event(id) => id,
            Self::Instance { series, .. } => series,
        }
    }
}

/// Fingerprints of an entry's fields, in the order of [`super::entry::Field::ALL`]: all that a merge needs of what both
/// sides once agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prints(pub [u64; 5]);

/// A Termin and its counterpart, as they were when they last agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The Termin's `frNr`.
    pub number: i64,
    /// How often the event was made anew; part of its derived id. 0 also where the event is an employee's own.
    #[serde(default)]
    pub generation: u32,
    /// Whether the event holds anonymised content, which must never flow back.
    #[serde(default)]
    pub anonymised: bool,
    /// The Termin.
    pub advoware: Prints,
    /// The event, as Google returned it.
    pub google: Prints,
    /// The first day that it touches, at either side.
    pub first: NaiveDate,
    /// The last day that it touches, at either side; none: a series without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<NaiveDate>,
}

/// A POST to Advoware that was about to be sent (S4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// When it was about to be sent, UTC. The quiet time counts from here.
    pub at: DateTime<Utc>,
    /// The exact body.
    pub body: Record,
    /// The numbers of Termine with equal content that were there already.
    pub known: Vec<i64>,
    /// How many POSTs were about to be sent.
    pub tries: u32,
}

/// Why something is left alone until a person or a change of its content decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// A stable word: `ambiguous`, `orphan`, `retired`, `undecided`.
    pub reason: String,
    /// The content that it was held with.
    pub prints: Option<Prints>,
}
