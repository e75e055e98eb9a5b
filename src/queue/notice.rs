//! Small marks that producers and readers leave for each other: fired cron slots, answers to inspections.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Queue;
use super::error::QueueError;
use super::functions::Call;
use super::topic::Topic;

/// An answer to an inspection is kept this long.
const INSPECTION_KEPT: Duration = Duration::from_mins(1);

impl Queue {
    /// The slot that a schedule fired last, if it ever fired.
    pub async fn last_slot(&self, schedule: &str) -> Result<Option<DateTime<Utc>>, QueueError> {
        let ms: Option<i64> = self.control.query(redis::cmd("HGET").arg(self.keys.slot(schedule)).arg("slot")).await?;
        Ok(ms.and_then(DateTime::from_timestamp_millis))
    }

    /// Takes a slot of a schedule. `true` for exactly one of all processes that try; never for a slot at or before the
    /// last one taken.
    pub async fn take_slot(&self, schedule: &str, slot: DateTime<Utc>) -> Result<bool, QueueError> {
        let taken: i64 = Call::new("slot")
            .key(self.keys.slot(schedule))
            .arg(slot.timestamp_millis().to_string())
            .run(&self.control)
            .await?;
        Ok(taken == 1)
    }

    /// Leaves the answer to an inspection (JSON) for whoever asked.
    pub async fn leave_inspection(&self, topic: &Topic, key: &str, answer: &str) -> Result<(), QueueError> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys.inspection(topic, key)).arg(answer).arg("PX").arg(INSPECTION_KEPT.as_millis().to_string());
        Ok(self.control.query(&set).await?)
    }

    /// The answer to an inspection, taken away as it is read.
    pub async fn take_inspection(&self, topic: &Topic, key: &str) -> Result<Option<String>, QueueError> {
        Ok(self.control.query(redis::cmd("GETDEL").arg(self.keys.inspection(topic, key))).await?)
    }
}
