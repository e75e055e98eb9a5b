//! What `doctor` says when the settings cannot even be read.

use super::Report;
use crate::settings::SettingsError;

/// The faults, and exit code 1: `doctor` has found something to do.
#[must_use]
pub fn faults(error: &SettingsError) -> Report {
    Report { stdout: format!("{error}\n"), stderr: Vec::new(), exit: 1 }
}
