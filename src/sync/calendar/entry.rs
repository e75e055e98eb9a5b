//! The normal form that both sides are read into (seed 001, "Datenmapping und Standardisierung").

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// An appointment, whichever side it was read from. Times are wall time in Europe/Berlin and exist there: a reader moves a
/// time in the hour that a clock change leaves out to the first instant after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it is; of a series, when its first instance is.
    pub when: When,
    /// The title (Google: `summary`). Line ends are LF, blanks at its ends are gone; so in the other texts.
    pub text: String,
    /// The note (Google: `description`). As the side holds it, so HTML where Google has some; compare it by
    /// [`Entry::prints`], which look through that.
    pub notiz: String,
    /// The place (Google: `location`).
    pub ort: String,
    /// How it recurs, where it does in a way that Advoware can express.
    pub series: Option<Series>,
}

impl Entry {
    /// This, with some fields taken from another.
    #[must_use]
    pub fn with(mut self, fields: &Fields, from: &Self) -> Self {
        for field in fields {
            match field {
                Field::When => self.when = from.when,
                Field::Series => self.series = from.series,
                Field::Text => self.text.clone_from(&from.text),
                Field::Notiz => self.notiz.clone_from(&from.notiz),
                Field::Ort => self.ort.clone_from(&from.ort),
            }
        }
        self
    }
}

/// When an appointment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Whole days.
    AllDay {
        /// The first day.
        first: NaiveDate,
        /// The last day, which belongs to it (Google's `end.date` is the day after).
        last: NaiveDate,
    },
    /// Between two times; both may be the same.
    Timed {
        /// Its start, Europe/Berlin.
        start: NaiveDateTime,
        /// Its end, Europe/Berlin, never before the start.
        end: NaiveDateTime,
    },
}

impl When {
    /// The day on which it begins.
    #[must_use]
    pub const fn first_day(&self) -> NaiveDate {
        match self {
            Self::AllDay { first, .. } => *first,
            Self::Timed { start, .. } => start.date(),
        }
    }

    /// When it begins, Europe/Berlin; whole days begin at midnight.
    #[must_use]
    pub const fn start(&self) -> NaiveDateTime {
        match self {
            Self::AllDay { first, .. } => first.and_time(NaiveTime::MIN),
            Self::Timed { start, .. } => *start,
        }
    }

    /// The last day that it touches.
    #[must_use]
    pub const fn last_day(&self) -> NaiveDate {
        match self {
            Self::AllDay { last, .. } => *last,
            Self::Timed { end, .. } => end.date(),
        }
    }
}

/// A recurrence that Advoware can express: `turnus`, `turnusArt` and `datumBis` of a `dauertermin` (seed 003).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// `turnusArt`
    pub unit: Unit,
    /// `turnus`, at least 1.
    pub interval: u32,
    /// The last day on which an instance may begin; `None`: no end (Advoware stores 2037-12-31).
    pub until: Option<NaiveDate>,
}

/// Advoware's `turnusArt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// 1
    Day,
    /// 2
    Week,
    /// 3; the 31st is left out where a month has none (RFC 5545).
    Month,
    /// 4; 29 February is left out where a year has none (RFC 5545).
    Year,
}

/// The parts of an appointment that are merged one by one (C4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Start, end and whether it lasts whole days: one thing, so that no merge makes an end before a start.
    When,
    /// The recurrence.
    Series,
    /// The title.
    Text,
    /// The note.
    Notiz,
    /// The place.
    Ort,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::When, Self::Series, Self::Text, Self::Notiz, Self::Ort];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::When => "zeit",
            Self::Series => "serie",
            Self::Text => "text",
            Self::Notiz => "notiz",
            Self::Ort => "ort",
        }
    }
}

/// Some of the fields.
pub type Fields = BTreeSet<Field>;
