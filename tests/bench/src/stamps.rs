//! When things happened, by the clock that all processes of the machine share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// When jobs began.
#[derive(Default)]
pub(crate) struct Stamps(Mutex<Vec<(String, u64)>>);

impl Stamps {
    /// This job begins now.
    pub(crate) fn add(&self, key: &str) {
        let at = now();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((key.to_owned(), at));
    }

    /// Tells the parent.
    pub(crate) fn print(&self) {
        for (key, at) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            println!("{key} {at}");
        }
    }
}

/// What a child printed: key → time.
pub(crate) fn read(lines: &[String]) -> HashMap<&str, u64> {
    let stamps = lines.iter().filter_map(|line| line.split_once(' '));
    stamps.filter_map(|(key, at)| Some((key, at.parse().ok()?))).collect()
}

/// Microseconds since the epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
