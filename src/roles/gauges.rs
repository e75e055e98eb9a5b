//! Reads how long the queue is, whether the upstreams work and whether schedules fire, for `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::parts::Parts;
use crate::cron::{Planned, slots_due};
use crate::queue::{BreakerState, FlowStats, Queue, QueueError, Stats, Upstream};
use crate::telemetry::{Gauge, Gauges};

/// How often they are read; scrapes come less often than this.
const EVERY: Duration = Duration::from_secs(3);
/// How long they are shown when they cannot be read again.
pub(super) const FRESH_FOR: Duration = Duration::from_secs(10);
/// Of slots that are due at most so many are counted: it is bad enough then.
const DUE_AT_MOST: u32 = 100;

/// Where they stand, and where they are shown.
pub(super) struct Source {
    queue: Queue,
    upstreams: Vec<String>,
    /// Those that are not off.
    schedules: Vec<Planned>,
    /// A schedule that nobody has ever looked after counts from here.
    started: DateTime<Utc>,
    gauges: Arc<Gauges>,
}

impl Source {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            queue: parts.queue.clone(),
            upstreams: Parts::upstreams(),
            schedules: parts.cron().schedules,
            started: Utc::now(),
            gauges: Arc::clone(&parts.gauges),
        }
    }

    async fn read(&self) -> Result<[Gauge; 4], QueueError> {
        let now = Utc::now();
        let stats = self.queue.stats(now).await?;
        let mut upstreams = Vec::with_capacity(self.upstreams.len());
        for name in &self.upstreams {
            upstreams.push((name.as_str(), self.queue.upstream(name).await?));
        }
        let mut due = Vec::with_capacity(self.schedules.len());
        for schedule in &self.schedules {
            let name = schedule.work.name();
            let last = self.queue.last_slot(name).await?.unwrap_or(self.started);
            due.push((name, slots_due(last, now, &*schedule.next, DUE_AT_MOST)));
        }
        Ok(all(&stats, &upstreams, &due))
    }
}

/// Reads them from `ready` until `stop`. Where Redis is away they are not shown; that it is away, others tell.
pub(super) async fn keep(source: Source, ready: CancellationToken, stop: CancellationToken) {
    if stop.run_until_cancelled(ready.cancelled()).await.is_none() {
        return;
    }
    while let Some(read) = stop.run_until_cancelled(source.read()).await {
        match read {
            Ok(gauges) => source.gauges.show(&gauges),
            Err(_) => source.gauges.hide(),
        }
        stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of jobs and ages in ms are far below 2^52")]
fn all(stats: &Stats, upstreams: &[(&str, Upstream)], due: &[(&'static str, u32)]) -> [Gauge; 4] {
    let flow = |name: &&'static str| ("flow", (*name).to_owned());
    let counts = |it: &FlowStats| {
        [
            ("ready", it.ready),
            ("sweep", it.sweep),
            ("scheduled", it.scheduled),
            ("running", it.running),
            ("parked", it.parked),
            ("dead", it.dead),
        ]
    };
    let length = stats.flows.iter().flat_map(|(name, it)| {
        counts(it).map(|(state, count)| (vec![flow(name), ("state", state.to_owned())], count as f64))
    });
    let oldest = stats.flows.iter().map(|(name, it)| (vec![flow(name)], it.oldest_age_ms.unwrap_or(0) as f64 / 1000.0));
    let up = upstreams.iter().filter(|(_, it)| it.known).map(|(name, it)| {
        let works = it.state == BreakerState::Closed;
        (vec![("upstream", (*name).to_owned())], f64::from(u8::from(works)))
    });
    let due = due.iter().map(|(name, count)| (vec![("schedule", (*name).to_owned())], f64::from(*count)));
    [
        Gauge {
            name: "advosync_queue_length",
            help: "Jobs by where they are; the same from every process.",
            rows: length.collect(),
        },
        Gauge {
            name: "advosync_queue_oldest_seconds",
            help: "Age of the oldest job that waits to be started, 0 where none does.",
            rows: oldest.collect(),
        },
        Gauge {
            name: "advosync_upstream_up",
            help: "1 while jobs that need it are started, 0 while its breaker is open; absent before the first call.",
            rows: up.collect(),
        },
        Gauge {
            name: "advosync_cron_slots_due",
            help: "Slots of a schedule since the one that fired last, at most 100; the same from every process.",
            rows: due.collect(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_a_row_and_what_is_not_known_has_none() {
        let flow = FlowStats {
            ready: 1,
            sweep: 2,
            scheduled: 3,
            running: 4,
            parked: 5,
            dead: 6,
            oldest_age_ms: Some(1_500),
            workers: 7,
        };
        let stats = Stats { flows: [("vmh", flow), ("calendar", FlowStats::default())].into() };
        let upstream = |state, known| Upstream { state, known, failures: 0, opened_at: None, error: None };
        let upstreams = [
            ("advoware", upstream(BreakerState::Open, true)),
            ("espocrm", upstream(BreakerState::Closed, true)),
            ("google", upstream(BreakerState::Closed, false)),
        ];
        let gauges = Gauges::new(FRESH_FOR);
        gauges.show(&all(&stats, &upstreams, &[("records", 2)]));
        let page = gauges.render();
        let rows: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            r#"advosync_queue_length{flow="vmh",state="ready"} 1"#,
            r#"advosync_queue_length{flow="vmh",state="sweep"} 2"#,
            r#"advosync_queue_length{flow="vmh",state="scheduled"} 3"#,
            r#"advosync_queue_length{flow="vmh",state="running"} 4"#,
            r#"advosync_queue_length{flow="vmh",state="parked"} 5"#,
            r#"advosync_queue_length{flow="vmh",state="dead"} 6"#,
            r#"advosync_queue_oldest_seconds{flow="vmh"} 1.5"#,
            r#"advosync_queue_oldest_seconds{flow="calendar"} 0"#,
            r#"advosync_upstream_up{upstream="advoware"} 0"#,
            r#"advosync_upstream_up{upstream="espocrm"} 1"#,
            r#"advosync_cron_slots_due{schedule="records"} 2"#,
        ];
        for row in expected {
            assert!(rows.contains(&row), "{row} is missing in {page}");
        }
        assert_eq!(rows.len(), 6 * 2 + 2 + 2 + 1, "{page}");
    }
}
