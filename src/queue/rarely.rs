//! Keeps a line from being logged by everybody who meets the same thing at the same time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The same line is logged at most this often.
const EVERY: Duration = Duration::from_secs(10);

/// Says when a line may be logged.
#[derive(Debug, Default)]
pub(super) struct Rarely(Mutex<Option<Instant>>);

impl Rarely {
    /// Whether it may be logged now; if so, it counts as logged.
    pub(super) fn now(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| last.elapsed() > EVERY);
        if may {
            *last = Some(Instant::now());
        }
        may
    }
}
