//! The pace that all processes keep together with an outside system: turns at least so far apart, by Redis' clock.

use std::time::Duration;

use super::Queue;
use super::error::QueueError;
use super::functions::Call;

/// Nobody waits in line for longer; a line that is as long means that there is more work than the pace allows.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The longest pause; whoever is asked for more keeps away by other means.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Put before the names of its functions (`migrations/0003_calendar.lua`).
const PREFIX: &str = "advosync_3_calendar_";

/// A line in which whoever calls an outside system takes a turn.
#[derive(Clone)]
pub struct Throttle {
    queue: Queue,
    key: String,
    spacing: Duration,
}

/// What taking a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is ours, and begins after this long.
    In(Duration),
    /// None was taken: the next one would begin only after this long, more than a minute.
    Far(Duration),
}

impl Queue {
    /// The line of this name, in which turns begin at least `spacing` apart.
    #[must_use]
    pub fn throttle(&self, name: &str, spacing: Duration) -> Throttle {
        Throttle { queue: self.clone(), key: self.keys.throttle(name), spacing }
    }
}

impl Throttle {
    /// Takes the next turn. A lost answer takes one more, which passes unused.
    pub async fn take(&self) -> Result<Turn, QueueError> {
        let args = [micros(self.spacing), micros(LONGEST_WAIT)];
        let (taken, wait): (i64, u64) = self.call("turn").args(args).run_twice(&self.queue.control).await?;
        let wait = Duration::from_micros(wait);
        Ok(if taken == 1 { Turn::In(wait) } else { Turn::Far(wait) })
    }

    /// Lets no turn begin for this long, at most an hour. Turns that were taken before begin as they were to; a longer
    /// pause stays as it is.
    pub async fn pause(&self, at_least: Duration) -> Result<(), QueueError> {
        let at_least = micros(at_least.min(LONGEST_PAUSE));
        let _: i64 = self.call("pause").arg(at_least).run_twice(&self.queue.control).await?;
        Ok(())
    }

    fn call(&self, function: &str) -> Call {
        Call::named(&format!("{PREFIX}{function}")).key(&self.key)
    }
}

fn micros(duration: Duration) -> String {
    duration.as_nanos().div_ceil(1000).to_string()
}
