//! The breaker of an upstream, shared by all workers (Q9).

use chrono::{DateTime, Utc};

use super::Queue;
use super::error::QueueError;
use super::functions::Call;

/// Failures in a row after which an upstream counts as down.
const OPENS_AFTER: &str = "5";
/// Somebody tries a down upstream this often, ms; one process at a time.
const PROBE_EVERY_MS: u64 = 5_000;

/// Whether jobs that need an upstream are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It works, as far as is known.
    Closed,
    /// It is down; jobs wait, one process probes.
    Open,
}

/// What is known of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Whether jobs that need it are started.
    pub state: BreakerState,
    /// Whether anything is known: a run that succeeded, or a call that failed because the upstream did.
    pub known: bool,
    /// Failures in a row.
    pub failures: u64,
    /// When it was found to be down, ms since the epoch.
    pub opened_at: Option<i64>,
    /// What it said last when it failed.
    pub error: Option<String>,
}

impl Queue {
    /// Tells that a call to an upstream failed, and what it said; `at_once` opens the breaker without waiting for more.
    /// Answers the state after that.
    pub async fn fail_upstream(&self, name: &str, message: &str, at_once: bool) -> Result<BreakerState, QueueError> {
        let opens_after = if at_once { "1" } else { OPENS_AFTER };
        let state = self.tell_upstream(name, ["fail", opens_after, message]).await?;
        Ok(if state == "open" { BreakerState::Open } else { BreakerState::Closed })
    }

    /// Tells that an upstream works: a row of failures ends, its jobs are started again. A call that began, by Redis'
    /// clock, before the upstream was found to be down (`since`) says nothing about it any more.
    pub async fn restore_upstream(&self, name: &str, since: Option<DateTime<Utc>>) -> Result<(), QueueError> {
        let since = since.map_or_else(String::new, |since| since.timestamp_millis().to_string());
        self.tell_upstream(name, ["ok", &since, ""]).await.map(|_| ())
    }

    async fn tell_upstream(&self, name: &str, args: [&str; 3]) -> Result<String, QueueError> {
        let (state, _failures): (String, i64) =
            Call::new("upstream").key(self.keys.upstream(name)).args(args).run(&self.control).await?;
        Ok(state)
    }

    /// What is known of an upstream.
    pub async fn upstream(&self, name: &str) -> Result<Upstream, QueueError> {
        let all: std::collections::HashMap<String, String> =
            self.control.query(redis::cmd("HGETALL").arg(self.keys.upstream(name))).await?;
        let open = all.get("state").is_some_and(|state| state == "open");
        Ok(Upstream {
            state: if open { BreakerState::Open } else { BreakerState::Closed },
            known: !all.is_empty(),
            failures: all.get("failures").and_then(|n| n.parse().ok()).unwrap_or(0),
            opened_at: all.get("opened_at").and_then(|at| at.parse().ok()),
            error: all.get("error").cloned(),
        })
    }

    /// Whether this process is the one to probe a down upstream now.
    pub async fn may_probe(&self, name: &str) -> Result<bool, QueueError> {
        let key = self.keys.at(&format!("upstream:{name}:probe"));
        let set: Option<String> =
            self.control.query(redis::cmd("SET").arg(key).arg("1").arg("NX").arg("PX").arg(PROBE_EVERY_MS)).await?;
        Ok(set.is_some())
    }
}
