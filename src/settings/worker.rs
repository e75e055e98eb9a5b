//! How jobs are run.

use std::time::Duration;

use super::parse;
use super::reader::Reader;

/// The pool of workers and its queue.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Jobs at once, for each flow.
    pub concurrency: usize,
    /// How long a lock outlives its worker.
    pub lease: Duration,
    /// Waits between attempts; the last one repeats. Never empty.
    pub retry_schedule: Vec<Duration>,
    /// Attempts in all.
    pub max_attempts: u32,
    /// How long to wait after a create whose outcome is unknown.
    pub quiet_time: Duration,
}

impl Worker {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        Self {
            concurrency: reader.value("ADVOSYNC_WORKER_CONCURRENCY", parse::number(1..=1024)),
            // Shorter than 200 ms, a renewal at a quarter would lose against an ordinary pause of the scheduler.
            lease: reader.value("ADVOSYNC_LEASE", parse::duration_in(second / 5..=hour)),
            retry_schedule: reader.value("ADVOSYNC_RETRY_SCHEDULE", parse::durations),
            max_attempts: reader.value("ADVOSYNC_MAX_ATTEMPTS", parse::number(1..=1000)),
            quiet_time: reader.value("ADVOSYNC_QUIET_TIME", parse::duration_in(Duration::from_millis(1)..=hour)),
        }
    }
}
