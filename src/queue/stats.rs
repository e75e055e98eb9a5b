//! How much there is of what, for `status`, the console and metrics.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use redis::Value;
use serde::Serialize;

use super::Queue;
use super::error::QueueError;
use super::functions::Call;
use super::topic::{Flow, Lane};

/// Counts of one flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FlowStats {
    /// Waiting in the first lane.
    pub ready: u64,
    /// Waiting in the sweep lane.
    pub sweep: u64,
    /// Waiting for their time.
    pub scheduled: u64,
    /// Being run.
    pub running: u64,
    /// Locks that somebody waits for.
    pub parked: u64,
    /// Dead letters that no later success has resolved.
    pub dead: u64,
    /// Age of the oldest waiting job, ms.
    pub oldest_age_ms: Option<i64>,
    /// Worker processes that were seen within the last ten seconds.
    pub workers: u64,
}

/// Counts of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// By flow.
    pub flows: BTreeMap<&'static str, FlowStats>,
}

impl Queue {
    /// Counts of both flows, as of `now`.
    pub async fn stats(&self, now: DateTime<Utc>) -> Result<Stats, QueueError> {
        let mut flows = BTreeMap::new();
        for flow in Flow::ALL {
            flows.insert(flow.name(), self.flow_stats(flow, now).await?);
        }
        Ok(Stats { flows })
    }

    async fn flow_stats(&self, flow: Flow, now: DateTime<Utc>) -> Result<FlowStats, QueueError> {
        let rows: Vec<(String, String, i64, i64, Value)> = Call::named("advosync_stats")
            .read_only()
            .keys(Lane::ALL.map(|lane| self.keys.stream(flow, lane)))
            .key(self.keys.scheduled(flow))
            .key(self.keys.parked(flow))
            .key(self.keys.dead(flow))
            .key(self.keys.dead_resolved(flow))
            .run(&self.control)
            .await?;
        let count = |at: usize| rows.get(at).map_or(0, |row| u64::try_from(row.2).unwrap_or(0));
        let running = |at: usize| rows.get(at).map_or(0, |row| u64::try_from(row.3).unwrap_or(0));
        let oldest = rows
            .iter()
            .take(2)
            .filter_map(|row| redis::from_redis_value_ref::<i64>(&row.4).ok())
            .filter(|at| *at >= 0)
            .min();
        let workers = self.workers(flow).await?.len() as u64;
        Ok(FlowStats {
            ready: count(0).saturating_sub(running(0)),
            sweep: count(1).saturating_sub(running(1)),
            scheduled: count(2),
            running: running(0) + running(1),
            parked: count(3),
            dead: count(4).saturating_sub(count(5)),
            oldest_age_ms: oldest.map(|at| (now.timestamp_millis() - at).max(0)),
            workers,
        })
    }
}
