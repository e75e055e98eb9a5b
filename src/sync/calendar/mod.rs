//! Advoware Termine ↔ Google Calendar events, one calendar an employee (design "Calendar sync", C1 to C10).
//!
//! Both sides have one normal form ([`entry`]): [`termin`] reads a Termin into it, [`event`] writes it as an event, and
//! [`compare`] says whether two of them mean the same. [`mirror`] keeps what Google told, [`items`] are its counterparts of
//! Termine, and [`plan`] decides what becomes of each [`pair`]. All of that is pure. [`execute`] carries it out:
//! `docs/calendar.md` has the rules.

pub mod clock;
pub mod compare;
pub mod entry;
pub mod event;
pub mod execute;
pub mod handler;
mod inspect;
pub mod items;
pub mod kept;
pub mod mirror;
pub mod pair;
pub mod plan;
pub mod recurrence;
pub mod scope;
mod span;
pub mod termin;

/// A record as either system sends it; fields that nobody here knows stay in it.
pub type Record = serde_json::Map<String, serde_json::Value>;
