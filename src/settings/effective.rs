//! What is in effect and where each value came from: the answer of `advosync config`.

use super::catalogue::{self, Fallback};
use super::reader::shown;
use super::source::{Origin, Source};

/// One setting as it is in effect; secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The setting's name.
    pub name: &'static str,
    /// Its value; none where it is not set and has no default.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// Where exactly, such as `.env line 3`; `default` for a default.
    pub place: String,
}

/// Every setting in the order of the documentation. Values are shown as they were written, valid or not.
#[must_use]
pub fn effective(source: &Source) -> Vec<Effective> {
    catalogue::entries()
        .map(|entry| {
            if let Some(found) = source.find(entry.name) {
                let value = found.problem.is_none().then(|| shown(entry.secrecy, &found.text));
                return Effective { name: entry.name, value, origin: found.origin, place: found.place };
            }
            let value = match entry.fallback {
                Fallback::Value(default) => Some(default.to_owned()),
                Fallback::Told(_) => None,
            };
            let origin = Origin::Default;
            Effective { name: entry.name, value, origin, place: origin.label().to_owned() }
        })
        .collect()
}
