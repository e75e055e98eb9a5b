//! The pace of calls to Google Calendar in Redis: one for all workers that act as the same user.

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::clients::GOOGLE;
use crate::clients::google::{Limiter, LimiterError};
use crate::queue::{Queue, QueueError, Throttle, Turn};
use crate::settings::Google;

/// A [`Limiter`] that all processes share.
pub(super) struct SharedPace {
    throttle: Throttle,
}

impl SharedPace {
    /// The pace of whoever acts as `user`: Google counts by user, so two firms in one Redis have one each.
    pub(super) fn new(queue: &Queue, settings: &Google, user: &str) -> Self {
        Self { throttle: queue.throttle(&name(user), spacing(settings.min_interval, settings.max_rate)) }
    }
}

/// Without the address itself, which is somebody's.
fn name(user: &str) -> String {
    let hash = Sha256::digest(user.trim().to_lowercase());
    format!("{GOOGLE}:{}", hex::encode(&hash[..6]))
}

/// Both settings kept: `GOOGLE_MIN_INTERVAL` may be none, `GOOGLE_MAX_RATE` is a number a second.
fn spacing(min_interval: Duration, max_rate: u32) -> Duration {
    min_interval.max(Duration::from_secs(1) / max_rate.max(1))
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn away(error: QueueError) -> LimiterError {
    LimiterError(error.to_string())
}

#[async_trait]
impl Limiter for SharedPace {
    async fn take(&self) -> Result<Duration, LimiterError> {
        // The client waits a minute at most, and takes more for a line that is too long.
        match self.throttle.take().await.map_err(away)? {
            Turn::In(wait) | Turn::Far(wait) => Ok(wait),
        }
    }

    async fn pause(&self, at_least: Duration) -> Result<(), LimiterError> {
        self.throttle.pause(at_least).await.map_err(away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wider_of_both_settings_counts_and_a_user_has_one_name() {
        let check = |interval_ms, rate, expected_us| {
            let found = spacing(Duration::from_millis(interval_ms), rate);
            assert_eq!(found, Duration::from_micros(expected_us), "{interval_ms} ms, {rate} a second");
        };
        check(100, 8, 125_000);
        check(200, 8, 200_000);
        check(0, 10, 100_000);
        check(0, 1000, 1_000);
        assert_eq!(name("Kanzlei@Example.com "), name("kanzlei@example.com"));
        assert_ne!(name("kanzlei@example.com"), name("andere@example.com"));
        assert_eq!(name("kanzlei@example.com").len(), "google:".len() + 12);
    }
}
