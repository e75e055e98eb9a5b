//! The sandbox's clock: the real one, which a test may move forward.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// Real time plus what tests have added.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: TimeDelta,
}

impl Clock {
    /// The time of the machine, for what a caller signs by its own clock.
    pub(crate) fn real() -> DateTime<Utc> {
        Utc::now()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }

    pub(crate) fn advance(&mut self, by: TimeDelta) {
        self.ahead += by;
    }
}

/// `EspoCRM`'s form of a moment: UTC, whole seconds (espocrm.md, modifiedAt).
pub(crate) fn espo_time(at: DateTime<Utc>) -> String {
    at.format(ESPO_TIME).to_string()
}

/// Whether a text is a moment as `EspoCRM` accepts it; microseconds are refused.
pub(crate) fn is_espo_time(text: &str) -> bool {
    NaiveDateTime::parse_from_str(text, ESPO_TIME).is_ok_and(|at| at.format(ESPO_TIME).to_string() == text)
}

const ESPO_TIME: &str = "%Y-%m-%d %H:%M:%S";
