//! A comparison of everything, for when Redis has lost what was waiting and what was known.

use crate::queue::{Batch, Lane, Queue, QueueError, Topic};

/// The key of a full sweep; that of an ordinary one is another, so that the one never stands for the other.
const FULL: &str = "full";
/// Tells the sweep's handler to leave no record out.
const PAYLOAD: &str = r#"{"full":true}"#;

/// Enqueues a full sweep over the records of each mapping and a sync of all calendars; answers how many jobs are new.
/// Safe to repeat: what is queued already is not doubled.
pub async fn compare_everything(queue: &Queue, entities: &[String]) -> Result<usize, QueueError> {
    let mut new = 0;
    for entity in entities {
        let keys = [FULL.to_owned()];
        let topic = Topic::Sweep { entity: entity.clone() };
        let batch = Batch { payload: Some(PAYLOAD), ..Batch::new(topic, Lane::Sweep, &keys, "loss") };
        new += queue.enqueue(&batch).await?.new.len();
    }
    for (topic, key) in super::Work::Calendar.jobs(entities) {
        let keys = [key.to_owned()];
        new += queue.enqueue(&Batch::new(topic, Lane::Sweep, &keys, "loss")).await?.new.len();
    }
    Ok(new)
}
