//! Small marks that processes leave for each other: answers to inspections.

use std::time::Duration;

use super::Queue;
use super::error::QueueError;
use super::topic::Topic;

/// An answer to an inspection is kept this long.
const INSPECTION_KEPT: Duration = Duration::from_mins(1);

impl Queue {
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
