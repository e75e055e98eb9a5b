//! Advoware Termine ↔ Google Calendar events, one calendar an employee (design "Calendar sync", C1 to C10).
//!
//! Both sides have one normal form ([`entry`]): [`termin`] reads a Termin into it, [`event`] writes it as an event, and
//! [`compare`] says whether two of them mean the same. [`plan`] decides what becomes of a [`pair`]. All of that is pure, and
//! nothing carries it out yet: `docs/calendar.md` has the rules, and says what is missing.

pub mod clock;
pub mod compare;
pub mod entry;
pub mod event;
pub mod pair;
pub mod plan;
pub mod recurrence;
pub mod scope;
pub mod termin;

/// A record as either system sends it; fields that nobody here knows stay in it.
pub type Record = serde_json::Map<String, serde_json::Value>;
