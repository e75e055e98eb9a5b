//! When things happened, by the clock that all processes of the machine share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What stands before the number of jobs that began.
const RAN: &str = "ran";

/// How many jobs began, and when.
pub(crate) struct Stamps {
    count: AtomicU64,
    times: Option<Mutex<Vec<(String, u64)>>>,
}

impl Stamps {
    /// Counts, and with `timed` notes each job's time.
    pub(crate) fn new(timed: bool) -> Self {
        Self { count: AtomicU64::new(0), times: timed.then(Mutex::default) }
    }

    /// This job begins now.
    pub(crate) fn add(&self, key: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = &self.times {
            let at = now();
            times.lock().unwrap_or_else(PoisonError::into_inner).push((key.to_owned(), at));
        }
    }

    /// Tells the parent.
    pub(crate) fn print(&self) {
        println!("{RAN} {}", self.count.load(Ordering::Relaxed));
        if let Some(times) = &self.times {
            for (key, at) in times.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                println!("{key} {at}");
            }
        }
    }
}

/// How many jobs a child ran, by what it printed.
pub(crate) fn ran(lines: &[String]) -> Option<u64> {
    read(lines).get(RAN).copied()
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
