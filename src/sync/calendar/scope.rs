//! Whose calendar is synced, and by which rules: all that a plan needs besides what was read.

use chrono::NaiveDate;

pub use crate::settings::{MaxDeletions, Multiday};

/// The days that are synced, Europe/Berlin; both belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
}

/// How a firm's calendars are synced.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The firm, as Advoware knows it: part of the derived event ids.
    pub kanzlei: String,
    /// What lasts longer than a day.
    pub multiday: Multiday,
    /// The title of anonymised events (C3).
    pub blocked_title: String,
    /// How much may be deleted at once.
    pub max_deletions: MaxDeletions,
    /// Whether nothing may be written to Advoware.
    pub write_protection: bool,
}

/// One employee's calendar in one run.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Whose.
    pub kuerzel: String,
    /// The firm's rules.
    pub rules: Rules,
    /// Whether events show times only, and nothing flows back (C3).
    pub anonymised: bool,
    /// The days that count.
    pub window: Window,
    /// Whether a person has confirmed the deletions that were held back.
    pub confirm_deletions: bool,
    /// Whether a ledger that was lost may have known pairs of this calendar: then what looks alike may be the same (C5).
    pub first_contact: bool,
}
