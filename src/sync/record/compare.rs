//! The rules without a snapshot: first contact, or Redis lost (design "Record sync").
//!
//! Seed 004 compares rowIds first and timestamps only where a rowId is missing, and then takes one side's record as a
//! whole. One thing is different here: our own status writes bump `modifiedAt`, so EspoCRM counts as changed only
//! where somebody else modified it, and more than [`GRACE_SECONDS`] after the last sync.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use serde_json::{Map, Value};

use super::convert::plain;
use super::mapping::{Direction, Field, Mapping, Source};
use super::merge::{Decision, Loser, Merged, Side, settle};
use super::normal::{Content, Seen};
use super::status::says_failed;

/// EspoCRM's clock and ours may differ, and `modifiedAt` has whole seconds.
pub const GRACE_SECONDS: i64 = 5;

/// Which side's record is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Only EspoCRM changed.
    EspocrmNewer,
    /// Only Advoware changed.
    AdvowareNewer,
    /// Both changed: EspoCRM wins.
    Conflict,
    /// Neither changed.
    NoChange,
    /// Never synced: EspoCRM's record goes to Advoware, and what only Advoware has comes over.
    Initial,
}

/// What a verdict rests on, read from both records. A missing or blank value is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// rowId that EspoCRM remembers.
    pub espocrm_row_id: Option<String>,
    /// rowId that Advoware shows.
    pub advoware_row_id: Option<String>,
    /// `advowareLastSync`.
    pub last_sync: Option<DateTime<Utc>>,
    /// EspoCRM's `modifiedAt`.
    pub espocrm_modified: Option<DateTime<Utc>>,
    /// EspoCRM's `modifiedById`; of a record that was never modified, `createdById`.
    pub espocrm_modified_by: Option<String>,
    /// Whether the record says that its last run failed: then we wrote last, whoever edited it before.
    pub espocrm_failed: bool,
    /// Advoware's change time, where the mapping names one and the server sends it.
    pub advoware_modified: Option<DateTime<Utc>>,
}

impl Evidence {
    /// Reads the evidence. A time that cannot be understood counts as missing.
    #[must_use]
    pub fn read(mapping: &Mapping, espocrm: &Map<String, Value>, advoware: &Map<String, Value>) -> Self {
        let ours = |attribute: &str| text(espocrm, attribute);
        Self {
            espocrm_row_id: ours(&mapping.espocrm.row_id),
            advoware_row_id: text(advoware, &mapping.advoware.version),
            last_sync: ours(&mapping.espocrm.last_sync).and_then(|time| espocrm_time(&time)),
            espocrm_modified: modified_at(espocrm),
            // Whoever made a record that nobody has modified since was its last writer: we, where it was imported.
            espocrm_modified_by: ours("modifiedById").or_else(|| ours("createdById")),
            espocrm_failed: says_failed(mapping, espocrm),
            advoware_modified: mapping
                .advoware
                .modified
                .as_ref()
                .and_then(|field| text(advoware, field))
                .and_then(|time| advoware_time(&time)),
        }
    }

    /// The verdict. `own_user` is the EspoCRM user that we sign in as; while it is unknown, times alone decide.
    ///
    /// No (readable) last sync is [`Verdict::Initial`]. A missing `modifiedAt` counts as unchanged, a missing
    /// `modifiedById` as somebody else. Where a rowId is missing and Advoware sends no time either, Advoware counts as
    /// unchanged, as in seed 004.
    #[must_use]
    pub fn verdict(&self, own_user: Option<&str>) -> Verdict {
        let Some(last_sync) = self.last_sync else { return Verdict::Initial };
        let after =
            |time: Option<DateTime<Utc>>| time.is_some_and(|time| time > last_sync + TimeDelta::seconds(GRACE_SECONDS));
        let own = own_user.is_some() && self.espocrm_modified_by.as_deref() == own_user;
        let espocrm_changed = !own && after(self.espocrm_modified);
        let advoware_changed = match (&self.espocrm_row_id, &self.advoware_row_id) {
            (Some(remembered), Some(shown)) => remembered != shown,
            _ => after(self.advoware_modified),
        };
        match (espocrm_changed, advoware_changed) {
            (true, true) => Verdict::Conflict,
            (true, false) => Verdict::EspocrmNewer,
            (false, true) => Verdict::AdvowareNewer,
            // Our report of the failure hides the edit that it failed on.
            (false, false) if self.espocrm_failed && after(self.espocrm_modified) => Verdict::EspocrmNewer,
            (false, false) => Verdict::NoChange,
        }
    }
}

/// Takes one side's record as a whole. Every non-blank value that goes is in `replaced`; absent values stay out of it,
/// and a field that flows one way only flows that way.
#[must_use]
pub fn whole(mapping: &Mapping, verdict: Verdict, espocrm: &Content, advoware: &Content) -> Merged {
    let newer = match verdict {
        Verdict::NoChange => return Merged::default(),
        Verdict::AdvowareNewer => Side::Advoware,
        Verdict::EspocrmNewer | Verdict::Conflict | Verdict::Initial => Side::Espocrm,
    };
    let same_name = mapping
        .fields
        .iter()
        .filter(|field| field.source == Source::Name)
        .all(|field| field.same(espocrm.get(&field.advoware), advoware.get(&field.advoware)));
    // A first name goes with its name: beside another one it is somebody else's.
    let comes = |field: &Field, ours: Seen, theirs: Seen| {
        ours == Seen::Blank && theirs.text().is_some() && (same_name || !field.is_name())
    };
    let mut decisions = Vec::new();
    for field in &mapping.fields {
        let (ours, theirs) = (espocrm.get(&field.advoware), advoware.get(&field.advoware));
        let winner = match field.direction {
            // Where the two have never been in step, a blank in EspoCRM is nobody's edit.
            Direction::Both if verdict == Verdict::Initial && comes(field, ours, theirs) => Side::Advoware,
            Direction::Both => newer,
            Direction::ToAdvoware => Side::Espocrm,
            Direction::ToEspocrm => Side::Advoware,
        };
        let (value, old) = if winner == Side::Espocrm { (ours, theirs) } else { (theirs, ours) };
        let loser = if old.text().is_some() { Loser::Replaced } else { Loser::Outdated };
        let winner = (value.is_known() && !field.same(ours, theirs)).then_some(winner);
        decisions.push(Decision { field, espocrm: ours, advoware: theirs, winner, loser });
    }
    settle(&decisions)
}

fn text(record: &Map<String, Value>, attribute: &str) -> Option<String> {
    record.get(attribute).and_then(|value| plain(value).ok()).flatten()
}

/// When EspoCRM says that a record was modified, UTC; a time that cannot be understood counts as missing.
#[must_use]
pub fn modified_at(espocrm: &Map<String, Value>) -> Option<DateTime<Utc>> {
    text(espocrm, "modifiedAt").and_then(|time| espocrm_time(&time))
}

/// EspoCRM's `YYYY-MM-DD HH:mm:ss` in UTC; RFC 3339 is understood too.
fn espocrm_time(text: &str) -> Option<DateTime<Utc>> {
    naive(text).map(|time| time.and_utc()).or_else(|| with_offset(text))
}

/// Advoware's times without an offset are Europe/Berlin; in the doubled hour of autumn the later one is meant, so
/// that a change is rather seen twice than missed.
fn advoware_time(text: &str) -> Option<DateTime<Utc>> {
    let local = naive(text).and_then(|time| Berlin.from_local_datetime(&time).latest());
    local.map(|time| time.with_timezone(&Utc)).or_else(|| with_offset(text))
}

fn naive(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
