//! Signing in, and what keeps it from being tried.

use std::sync::Arc;

use crate::cli::admin::finding::Finding;
use crate::clients::advoware::MemoryTokenStore;
use crate::roles::Parts;
use crate::settings::{Missing, Upstream};

/// What the settings of an upstream lack.
pub(super) fn missing(parts: &Parts, upstream: Upstream) -> Option<&Missing> {
    parts.settings.missing.iter().find(|missing| missing.upstream == upstream)
}

/// Signs in at Advoware anew, not with the token that the workers share: that one may outlive a changed password.
pub(super) async fn advoware(parts: &Parts) -> Vec<Finding> {
    const ABOUT: &str = "advoware";
    if let Some(missing) = missing(parts, Upstream::Advoware) {
        return vec![Finding::fail(ABOUT, format!("{missing}; until then nothing is synced"))];
    }
    let client = match parts.advoware_with(Arc::new(MemoryTokenStore::new())) {
        Ok(Some(client)) => client,
        Ok(None) => return vec![Finding::fail(ABOUT, "not configured; docs/settings.md lists its settings")],
        Err(error) => return vec![Finding::fail(ABOUT, format!("{error:#}"))],
    };
    let mut findings = vec![match client.ping().await {
        Ok(()) => Finding::ok(ABOUT, "signed in"),
        Err(error) => Finding::fail(ABOUT, error.to_string()),
    }];
    if parts.settings.advoware.as_ref().is_some_and(|it| it.write_protection) {
        findings.push(Finding::warn(
            ABOUT,
            "ADVOWARE_WRITE_PROTECTION is on: nothing is written there, jobs report what would be; set it to false to \
             sync",
        ));
    }
    findings
}
