//! What can be chosen at Google (google-calendar.md). The defaults are the harder case wherever a client could forget
//! something, and no limits, so that tests run at full speed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Google Calendar: who signs in, how lists behave, limits, and how events are rewritten.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of one imitated system, set by name")]
pub struct GoogleOptions {
    /// The service account's address, which is `by` in the log of effects.
    pub service_account: String,
    /// Where the service account's key file is written when the settings are asked for; `None`: into a temporary folder
    /// that goes with the sandbox. Only what it is at the start counts.
    pub key_file: Option<PathBuf>,
    /// `GOOGLE_CALENDAR_OWNER`: the firm's main account.
    pub owner: String,
    /// The address of the employee who works with the calendars.
    pub person: String,
    /// Users that the service account may act as.
    pub subjects: Vec<String>,
    /// An access token's life in seconds.
    pub token_lifetime_seconds: i64,
    /// A write of an event without If-Match is refused with 428. The real one lets it pass and overwrites.
    pub require_if_match: bool,
    /// The largest page of a list, whatever is asked for.
    pub page_size: usize,
    /// Every list of events begins with an empty page that carries a nextPageToken.
    pub empty_page: bool,
    /// Lists of events run from the last id to the first, so exceptions come before their series.
    pub reverse_order: bool,
    /// A sync token's life in seconds; `None`: without end.
    pub sync_token_lifetime_seconds: Option<i64>,
    /// A change of a calendar's ACL ends its sync tokens.
    pub acl_expires_tokens: bool,
    /// The first list's timeMin and timeMax bind its deltas, too; the contract says that this is not known.
    pub delta_keeps_window: bool,
    /// A deleted event can be written again with status `confirmed`; otherwise that is refused with 403.
    pub revive_deleted: bool,
    /// Longest description in characters.
    pub description_limit: Option<usize>,
    /// Units a minute and user; a PATCH costs 3, everything else 1. 600 at the real one.
    pub units_per_minute: Option<u32>,
    /// The shortest time between two requests of a user, in ms.
    pub min_interval_ms: Option<u64>,
    /// The answer beyond these limits: 403 `userRateLimitExceeded` or 429 `rateLimitExceeded`.
    pub limit_status: u16,
    /// Retry-After of that answer.
    pub retry_after_seconds: Option<u32>,
    /// New calendars, after which every write is refused with 403 `quotaExceeded`. About 60 at the real one.
    pub calendar_budget: Option<usize>,
    /// Insertions into ACLs, after which they are refused with 403 `quotaExceeded`.
    pub acl_budget: Option<usize>,
    /// A channel's address must be https, as at the real one; receivers on loopback have no certificate.
    pub push_https: bool,
    /// A channel's life in seconds, at most.
    pub channel_lifetime_seconds: i64,
    /// How events are rewritten.
    pub normalise: Normalising,
}

impl Default for GoogleOptions {
    fn default() -> Self {
        Self {
            service_account: "advosync@sandbox.iam.gserviceaccount.com".into(),
            key_file: None,
            owner: "kanzlei@example.com".into(),
            person: "mitarbeiter@example.com".into(),
            subjects: vec!["kanzlei@example.com".into()],
            token_lifetime_seconds: 3600,
            require_if_match: true,
            page_size: 2500,
            empty_page: false,
            reverse_order: false,
            sync_token_lifetime_seconds: Some(30 * 24 * 3600),
            acl_expires_tokens: true,
            delta_keeps_window: false,
            revive_deleted: false,
            description_limit: Some(8192),
            units_per_minute: None,
            min_interval_ms: None,
            limit_status: 403,
            retry_after_seconds: None,
            calendar_budget: None,
            acl_budget: None,
            push_https: false,
            channel_lifetime_seconds: 7 * 24 * 3600,
            normalise: Normalising::default(),
        }
    }
}

/// What Google makes of an event before it stores it (google-calendar.md, Normalising).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of one imitated system, set by name")]
pub struct Normalising {
    /// A rule's parts are put into Google's order: FREQ, WKST, UNTIL, COUNT, INTERVAL, then the rest.
    pub rule_order: bool,
    /// What becomes of `INTERVAL=1`.
    pub interval_one: IntervalOne,
    /// In descriptions `<br/>` becomes `<br>`, unknown tags go, a bare `&` becomes `&amp;`.
    pub html: bool,
    /// CRLF becomes LF.
    pub line_ends: bool,
    /// Blanks at a title's end go.
    pub trim_summary: bool,
    /// The spelling of a dateTime.
    pub offsets: Offsets,
    /// A title, description or location that is empty is left out.
    pub drop_empty: bool,
}

impl Default for Normalising {
    fn default() -> Self {
        Self {
            rule_order: true,
            interval_one: IntervalOne::Dropped,
            html: true,
            line_ends: true,
            trim_summary: true,
            offsets: Offsets::OfZone,
            drop_empty: true,
        }
    }
}

/// What becomes of `INTERVAL=1` in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalOne {
    /// It stays as it was written.
    AsWritten,
    /// It is left out.
    Dropped,
    /// It is added where no interval is given.
    Added,
}

/// How a dateTime comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offsets {
    /// As it was written.
    AsWritten,
    /// With the offset of the event's own zone.
    OfZone,
    /// With the offset of the calendar's zone, whatever zone the event names.
    OfCalendar,
}
