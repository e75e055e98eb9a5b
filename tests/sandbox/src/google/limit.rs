//! Requests a minute and their spacing, by user (google-calendar.md, Limits).

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::refuse;
use crate::options::GoogleOptions;
use crate::wire::Answer;

/// A PATCH costs as much as three other requests.
const PATCH_UNITS: u32 = 3;

/// The accepted requests of the last minute, by user.
#[derive(Debug, Default)]
pub(super) struct Limiter(BTreeMap<String, VecDeque<(DateTime<Utc>, u32)>>);

impl Limiter {
    /// Counts a request, or refuses it; what is refused costs nothing.
    pub(super) fn admit(
        &mut self,
        options: &GoogleOptions,
        user: &str,
        method: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Answer> {
        let units = if method == "PATCH" { PATCH_UNITS } else { 1 };
        let recent = self.0.entry(user.to_owned()).or_default();
        while recent.front().is_some_and(|(at, _)| *at <= now - TimeDelta::seconds(60)) {
            recent.pop_front();
        }
        let spent: u32 = recent.iter().map(|(_, units)| units).sum();
        let too_many = options.units_per_minute.is_some_and(|most| spent + units > most);
        let since = recent.back().map(|(at, _)| (now - *at).num_milliseconds());
        let too_soon = match (options.min_interval_ms, since) {
            (Some(least), Some(since)) => u64::try_from(since).unwrap_or(0) < least,
            _ => false,
        };
        if too_many || too_soon {
            return Err(refusal(options));
        }
        recent.push_back((now, units));
        Ok(())
    }
}

fn refusal(options: &GoogleOptions) -> Answer {
    let answer = if options.limit_status == 429 {
        refuse::error(429, "rateLimitExceeded", "Rate Limit Exceeded")
    } else {
        refuse::error(options.limit_status, "userRateLimitExceeded", "User Rate Limit Exceeded")
    };
    match options.retry_after_seconds {
        Some(seconds) => answer.with("Retry-After", &seconds.to_string()),
        None => answer,
    }
}
