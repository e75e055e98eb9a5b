//! Slots of schedules: which one was fired last, and firing one, once over all processes (`migrations/0004_schedules.lua`).

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Queue;
use super::error::QueueError;
use super::functions::Call;
use super::topic::{Lane, Topic};

/// Put before the names of its functions.
const PREFIX: &str = "advosync_4_schedules_";

/// What Redis knows of a schedule. Times are UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slots {
    /// The slot that was fired last, or where the schedule began to count; none: nobody has looked after it yet.
    pub from: Option<DateTime<Utc>>,
    /// The slot that was fired last; none: none was. A schedule that a version before 0004 began counts as one that fired.
    pub last: Option<DateTime<Utc>>,
    /// How many slots were fired since 0004.
    pub fired: u64,
    /// How many slots were left out after a downtime; of each downtime at most as many as the producer counts.
    pub missed: u64,
}

/// A slot to be fired.
#[derive(Debug, Clone)]
pub struct Firing<'a> {
    /// The schedule's name.
    pub schedule: &'a str,
    /// The slot that was read ([`Queue::last_slot`]): if another one was fired since, nothing happens.
    pub after: DateTime<Utc>,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// How many slots between the two are left out.
    pub missed: u32,
    /// The jobs: topics and keys, all for the sweep lane.
    pub jobs: &'a [(Topic, &'a str)],
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fired {
    /// It was fired by this call, with so many jobs that were not queued already.
    Now(usize),
    /// Nothing was done: this slot stands there instead; none: the schedule was forgotten meanwhile. It is the slot itself
    /// where it was fired by another process, or by this call when its first answer was lost.
    Not(Option<DateTime<Utc>>),
}

impl Queue {
    /// The slot that a schedule fired last, or where it began to count; none: nobody has looked after it yet.
    pub async fn last_slot(&self, schedule: &str) -> Result<Option<DateTime<Utc>>, QueueError> {
        let key = self.keys.slot(schedule);
        let text: Option<String> = self.control.query_twice(redis::cmd("HGET").arg(&key).arg("slot")).await?;
        text.map(|text| read(&key, &text)).transpose()
    }

    /// All that is known of a schedule.
    pub async fn slots(&self, schedule: &str) -> Result<Slots, QueueError> {
        let key = self.keys.slot(schedule);
        let all: HashMap<String, String> = self.control.query_twice(redis::cmd("HGETALL").arg(&key)).await?;
        let from = all.get("slot").map(|text| read(&key, text)).transpose()?;
        let count = |name: &str| all.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let has_fired = all.get("slot") != all.get("began");
        Ok(Slots { from, last: from.filter(|_| has_fired), fired: count("fired"), missed: count("missed") })
    }

    /// Lets a schedule that nobody knows yet begin at `now`, without firing. Answers from where it counts, which is
    /// another time if another process was faster. Safe to repeat.
    pub async fn begin_schedule(&self, schedule: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, QueueError> {
        let key = self.keys.slot(schedule);
        let text: String = Call::named(&format!("{PREFIX}begin"))
            .key(&key)
            .arg(now.timestamp_millis().to_string())
            .run_twice(&self.control)
            .await?;
        read(&key, &text)
    }

    /// Fires a slot in one call: all of its jobs are on their streams, and it is marked, or nothing happens. Each slot is
    /// fired once, whoever tries, and slots only grow. Safe to repeat.
    ///
    /// # Errors
    /// `Asked` where a job's topic has no stream; otherwise Redis', and then the slot may be fired or not.
    pub async fn fire_slot(&self, firing: &Firing<'_>) -> Result<Fired, QueueError> {
        let key = self.keys.slot(firing.schedule);
        let mut call = Call::named(&format!("{PREFIX}fire")).key(&key).args([
            firing.after.timestamp_millis().to_string(),
            firing.slot.timestamp_millis().to_string(),
            firing.missed.to_string(),
        ]);
        for (topic, job) in firing.jobs {
            let (Some(flow), Some(pending)) = (topic.flow(), self.keys.pending(topic, Lane::Sweep)) else {
                return Err(QueueError::Asked(format!("no flow runs the topic `{topic}`")));
            };
            call = call.key(self.keys.stream(flow, Lane::Sweep)).key(pending).arg(topic.to_string()).arg(job);
        }
        let (fired, new, stands): (u32, usize, String) = call.run_twice(&self.control).await?;
        if fired == 1 {
            return Ok(Fired::Now(new));
        }
        let stands = Some(stands).filter(|text| !text.is_empty());
        stands.map(|text| read(&key, &text)).transpose().map(Fired::Not)
    }
}

fn read(key: &str, text: &str) -> Result<DateTime<Utc>, QueueError> {
    text.parse().ok().and_then(DateTime::from_timestamp_millis).ok_or_else(|| {
        QueueError::Layout(format!(
            "the field slot of {key} holds {text:?}, which is no time; `HDEL {key} slot` begins anew"
        ))
    })
}
