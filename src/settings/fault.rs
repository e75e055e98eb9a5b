//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting's name, or the file that is at fault.
    pub name: String,
    /// Where the value came from, as a person would look for it: `environment`, `.env`, `advosync.toml line 3`.
    pub place: Option<String>,
    /// What is wrong, and what to write instead.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if let Some(place) = &self.place {
            write!(formatter, " ({place})")?;
        }
        write!(formatter, ": {}; {}", self.problem.what, self.problem.instead)
    }
}

/// What is wrong with a value and what to write instead; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, such as "`15` has no unit".
    pub what: String,
    /// What to do, such as "write 15s".
    pub instead: String,
}

impl Problem {
    pub(super) fn new(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { what: what.into(), instead: instead.into() }
    }
}

/// The settings cannot be used: the process ends with [`SettingsError::EXIT_CODE`] and starts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// Every fault, in the order of the documentation; never empty.
    pub faults: Vec<Fault>,
}

impl SettingsError {
    /// The exit code for bad settings (`EX_CONFIG` of sysexits.h).
    pub const EXIT_CODE: u8 = 78;
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        let noun = if count == 1 { "fault" } else { "faults" };
        write!(formatter, "{count} {noun} in the settings, nothing was started:")?;
        for fault in &self.faults {
            write!(formatter, "\n  {fault}")?;
        }
        write!(
            formatter,
            "\nEvery setting is described in docs/settings.md; `advosync config` shows what is in effect."
        )
    }
}

impl std::error::Error for SettingsError {}
