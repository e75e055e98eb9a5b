//! Keeps a log line that a caller can provoke from flooding the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The same line is logged at most this often.
const PAUSE: Duration = Duration::from_secs(10);

/// Says when a line may be logged again.
#[derive(Debug, Default)]
pub(crate) struct Hush(Mutex<(Option<Instant>, u64)>);

impl Hush {
    /// `Some` when the line may be logged now, with how many were left unsaid since the last one.
    pub(crate) fn may_speak(&self, now: Instant) -> Option<u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_some_and(|last| now.duration_since(last) < PAUSE) {
            held.1 += 1;
            return None;
        }
        held.0 = Some(now);
        Some(std::mem::take(&mut held.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_unsaid_is_counted() {
        let (hush, start) = (Hush::default(), Instant::now());
        assert_eq!(hush.may_speak(start), Some(0));
        assert_eq!(hush.may_speak(start), None);
        assert_eq!(hush.may_speak(start + PAUSE / 2), None);
        assert_eq!(hush.may_speak(start + PAUSE), Some(2));
    }
}
