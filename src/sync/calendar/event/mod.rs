//! Google's events: their ids, and what both directions share.

mod read;
#[cfg(test)]
mod tests;
mod write;

use sha2::{Digest as _, Sha256};

pub use self::read::{Read, Stub, Unusable, read, stub};
pub use self::write::{LONG, SHORT, body, fields, rule};

/// Names of our private extended properties (contract "Events"; C3).
mod property {
    pub(super) const NUMBER: &str = "advoware_frnr";
    pub(super) const KUERZEL: &str = "advoware_kuerzel";
    pub(super) const GENERATION: &str = "advosync_generation";
    pub(super) const HASH: &str = "advosync_hash";
    pub(super) const MODE: &str = "advosync_mode";
    /// The one value of `MODE`.
    pub(super) const ANONYMISED: &str = "anonymised";
}

/// Our private extended properties: they find the Termin of an event again when the ledger was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// `advoware_frnr`, never 0.
    pub number: Option<i64>,
    /// `advoware_kuerzel`
    pub kuerzel: Option<String>,
    /// `advosync_generation`; 0 where there is none.
    pub generation: u32,
    /// `advosync_hash`: the digest of what was agreed on last.
    pub hash: Option<String>,
    /// Whether `advosync_mode` is `anonymised` (C3).
    pub anonymised: bool,
}

/// The id of the event that shows a Termin: derived, so that a repeated insert meets the first one (S4). A deleted event's
/// id stays taken, so each time that the event is made anew has a generation of its own.
#[must_use]
pub fn id(kanzlei: &str, kuerzel: &str, number: i64, generation: u32) -> String {
    let mut hash = Sha256::new();
    for part in [kanzlei, kuerzel, &number.to_string(), &generation.to_string()] {
        // Lengths keep parts apart that would read alike in a row.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    // Within Google's alphabet: digits and `a` to `v`.
    format!("adv{}", hex::encode(&hash.finalize()[..20]))
}

/// Whether an id looks like one that [`id`] gives.
#[must_use]
pub fn is_derived(id: &str) -> bool {
    id.len() == 43 && id.starts_with("adv")
}
