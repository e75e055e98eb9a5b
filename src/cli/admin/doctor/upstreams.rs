//! Signing in, and what keeps it from being tried.

use std::sync::Arc;

use crate::cli::admin::finding::Finding;
use crate::clients::advoware::MemoryTokenStore;
use crate::clients::google::Calendar;
use crate::roles::Parts;
use crate::settings::{Google, Missing, Upstream};

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

/// Signs in at Google Calendar and looks at whose the calendars are.
pub(super) async fn google(parts: &Parts) -> Vec<Finding> {
    const ABOUT: &str = "google";
    if let Some(missing) = missing(parts, Upstream::Google) {
        let meanwhile = "until then a worker with these settings does not read the flow calendar, and its jobs wait";
        return vec![Finding::fail(ABOUT, format!("{missing}; {meanwhile}"))];
    }
    let (client, settings) = match (parts.google_alone(), &parts.settings.google) {
        (Ok(Some(client)), Some(settings)) => (client, settings),
        (Err(error), _) => return vec![Finding::fail(ABOUT, format!("{error:#}"))],
        (Ok(_), _) => return vec![Finding::fail(ABOUT, "not configured; docs/settings.md lists its settings")],
    };
    let mut findings = Vec::new();
    match client.calendars().await {
        Ok(calendars) => {
            findings.push(Finding::ok(ABOUT, format!("signed in, sees {} calendars", calendars.len())));
            findings.extend(ownership(settings, &calendars).map(|text| Finding::warn(ABOUT, text)));
        }
        Err(error) => findings.push(Finding::fail(ABOUT, error.to_string())),
    }
    if settings.owner.is_none() {
        findings.push(Finding::warn(
            ABOUT,
            "GOOGLE_CALENDAR_OWNER is not set, so calendars are shared with nobody; set it to the firm's main account",
        ));
    }
    findings
}

/// What it means that calendars belong to the service account (contract, "Sign-in").
fn ownership(settings: &Google, calendars: &[Calendar]) -> Option<String> {
    if settings.subject.is_some() {
        return None;
    }
    let ours = |it: &&Calendar| it.access_role == "owner" && it.summary.starts_with("AW-");
    let count = calendars.iter().filter(ours).count();
    (count > 0).then(|| {
        format!(
            "{count} of our calendars belong to the service account for good, Google moves no ownership: whoever deletes \
             that account deletes them. With Google Workspace, set GOOGLE_CALENDAR_SUBJECT before calendars are made; \
             without it there is no other way"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn whose_the_calendars_are_matters_only_without_a_subject() {
        let check = |subject: Option<&str>, summary: &str, role: &str, expected: bool| {
            let settings = Google {
                service_account: "key.json".into(),
                base_url: "https://www.googleapis.com/calendar/v3/".parse().unwrap(),
                owner: None,
                subject: subject.map(str::to_owned),
                min_interval: Duration::ZERO,
                max_rate: 8,
            };
            let calendar = Calendar { id: "id".to_owned(), summary: summary.to_owned(), access_role: role.to_owned() };
            assert_eq!(ownership(&settings, &[calendar]).is_some(), expected, "{subject:?} {summary} {role}");
        };
        check(None, "AW-SB", "owner", true);
        check(Some("kanzlei@example.com"), "AW-SB", "owner", false);
        check(None, "AW-SB", "writer", false);
        check(None, "Urlaub", "owner", false);
    }
}
