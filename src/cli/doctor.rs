//! What `doctor` says when the settings cannot even be read.

use super::Report;
use super::admin::finding::{Finding, report};
use crate::settings::SettingsError;

/// Every fault, and exit code 1: `doctor` has found something to do.
#[must_use]
pub fn faults(error: &SettingsError) -> Report {
    let mut findings: Vec<Finding> =
        error.faults.iter().map(|fault| Finding::fail("settings", fault.to_string())).collect();
    findings.push(Finding::note("everything else", "not checked: correct the settings first (docs/settings.md)"));
    report(&findings)
}
