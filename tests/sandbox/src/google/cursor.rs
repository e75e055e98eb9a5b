//! Page tokens and sync tokens. Both are opaque to a caller; here they carry all that a list needs to go on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::refuse;
use crate::options::GoogleOptions;
use crate::wire::Answer;

/// Where a list goes on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Page {
    /// The last change when the first page was read: what comes later belongs to the next delta.
    pub(super) change: u64,
    /// The id of the last item.
    pub(super) after: Option<String>,
}

/// What a delta begins at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sync {
    calendar: String,
    epoch: u64,
    pub(super) change: u64,
    issued: DateTime<Utc>,
    /// The first list's window.
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
}

impl Sync {
    pub(super) fn new(
        calendar: &Calendar,
        change: u64,
        issued: DateTime<Utc>,
        window: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    ) -> Self {
        let (from, to) = window;
        Self { calendar: calendar.id.clone(), epoch: calendar.epoch, change, issued, from, to }
    }

    /// Reads a token; an unknown or old one means that everything has to be read again.
    pub(super) fn read(
        text: &str,
        calendar: &Calendar,
        options: &GoogleOptions,
        now: DateTime<Utc>,
    ) -> Result<Self, Answer> {
        let token: Self = decoded(text).ok_or_else(refuse::full_sync_required)?;
        let lifetime = options.sync_token_lifetime_seconds;
        let old = lifetime.is_some_and(|seconds| token.issued + TimeDelta::seconds(seconds) <= now);
        if old || token.calendar != calendar.id || token.epoch != calendar.epoch {
            return Err(refuse::full_sync_required());
        }
        Ok(token)
    }
}

pub(super) fn encoded(token: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(token).unwrap_or_default())
}

pub(super) fn decoded<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
