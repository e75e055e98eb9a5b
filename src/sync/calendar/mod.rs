//! Advoware Termine ↔ Google Calendar events, one calendar an employee (design "Calendar sync", C1 to C10).
//!
//! Both sides are read into one normal form ([`entry`]): a Termin by [`termin`], an event by [`event`]. What Google holds is
//! broken down into items, each the counterpart of one Termin: a single event, a series that Advoware can express, or one
//! instance of a series that it cannot ([`recurrence`]). [`plan`] compares Termine, items and what the ledger knows of their
//! [`pair`]s, and says what to do. All of that is pure; `docs/calendar.md` has the rules.

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
