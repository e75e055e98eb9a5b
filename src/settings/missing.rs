//! Settings without which a flow cannot run. No fault: its jobs wait, and everything else works.

use super::fault::{Fault, Problem, SettingsError};
use super::reader::Reader;
use super::role::Upstream;

/// What an upstream lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The upstream that cannot be called.
    pub upstream: Upstream,
    /// The settings to set.
    pub names: Vec<&'static str>,
    /// What else there is to say, such as a file that does not exist.
    pub detail: Option<String>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} cannot be called: set {}", self.upstream.name(), self.names.join(", "))?;
        self.detail.iter().try_for_each(|detail| write!(formatter, " ({detail})"))
    }
}

impl Missing {
    /// The same as faults, for a role that is nothing without this upstream.
    #[must_use]
    pub fn as_faults(&self) -> SettingsError {
        let instead = self.detail.clone().unwrap_or_else(|| "set it".to_owned());
        let problem =
            Problem::new(format!("it is not set, and {} cannot be called without it", self.upstream.name()), instead);
        let fault = |name: &&str| Fault { name: (*name).to_owned(), place: None, problem: problem.clone() };
        SettingsError { faults: self.names.iter().map(fault).collect() }
    }
}

/// What of `names` is not set; none if all are.
pub(super) fn required(reader: &Reader<'_>, upstream: Upstream, names: &[&'static str]) -> Option<Missing> {
    let names: Vec<&str> = names.iter().copied().filter(|name| !reader.is_set(name)).collect();
    (!names.is_empty()).then_some(Missing { upstream, names, detail: None })
}
