//! Lists the records that need a run and enqueues them (seed 004, "Cron"): what no webhook told us is found.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::execute::{Sync, espocrm_failure};
use crate::clients::espocrm::{Search, Where};
use crate::queue::{Batch, Job, Lane, Queue, QueueError, RecordAction, Topic};
use crate::worker::{Failure, Success};

/// States that want a run. `syncing` and `conflict` are left by the older system; nothing here writes them.
const UNCLEAN: [&str; 5] = ["pending_sync", "dirty", "failed", "syncing", "conflict"];

/// Where the jobs of a sweep come from.
pub(super) const SOURCE: &str = "sweep";

/// Which records a sweep is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// Those that want a run, by what `EspoCRM` says of them.
    Unclean,
    /// All of them: Redis has lost jobs, and what it knew of both sides, so that `clean` says too little.
    Everything,
}

impl Range {
    /// What the job asks for; a payload that says nothing of it is that of an ordinary sweep.
    fn of(payload: Option<&str>) -> Self {
        let full = payload.and_then(|text| serde_json::from_str::<Value>(text).ok()).map(|asked| asked["full"] == true);
        if full == Some(true) { Self::Everything } else { Self::Unclean }
    }

    fn conditions(self, status: &str) -> Vec<Where> {
        match self {
            // A record whose create webhook was lost has no status yet.
            Self::Unclean => vec![Where::or([Where::is_in(status, UNCLEAN), Where::is_null(status)])],
            Self::Everything => Vec::new(),
        }
    }
}

impl Sync {
    /// Enqueues every record that is not clean, or simply every one if the job says so. Pages go by id, so that records
    /// which become clean meanwhile do not shift others out of sight.
    pub(super) async fn sweep(&self, job: &Job, queue: &Queue, now: DateTime<Utc>) -> Result<Success, Failure> {
        let range = Range::of(job.payload.as_deref());
        let ends = &self.mapping.espocrm;
        let (mut after, mut listed, mut enqueued) = (String::new(), 0, 0);
        loop {
            let mut conditions = range.conditions(&ends.status);
            if !after.is_empty() {
                conditions.push(Where::greater_than("id", after.as_str()));
            }
            let size = u16::try_from(self.mapping.sweep.page).unwrap_or(200);
            let search = Search {
                where_: conditions,
                order_by: Some("id".to_owned()),
                max_size: size,
                no_total: true,
                ..Search::default()
            };
            let page = self.espocrm.list(&ends.entity, &search).await.map_err(|error| espocrm_failure(&error))?;
            let ids: Vec<String> =
                page.list.iter().filter_map(|record| Some(record.get("id")?.as_str()?.to_owned())).collect();
            // An answer that does not go on would never end.
            let Some(last) = ids.last().filter(|last| **last > after).cloned() else { break };
            listed += ids.len();
            let topic = Topic::record(&self.mapping.name, RecordAction::SyncCheck);
            let done = queue.enqueue(&Batch::new(topic, Lane::Sweep, &ids, SOURCE)).await.map_err(away)?;
            enqueued += done.new.len();
            if ids.len() < usize::from(size) {
                break;
            }
            after = last;
        }
        let full = range == Range::Everything;
        let trials = if full { 0 } else { self.sweep_trials(queue, now).await? };
        Ok(Success {
            result: "swept".to_owned(),
            detail: Some(json!({ "full": full, "listed": listed, "enqueued": enqueued, "trials": trials })),
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn away(error: QueueError) -> Failure {
    Failure::Later { after: std::time::Duration::from_secs(2), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_payload_that_says_so_asks_for_everything() {
        assert_eq!(Range::of(Some(r#"{"full":true}"#)), Range::Everything);
        for other in [None, Some(""), Some("full"), Some("{}"), Some(r#"{"full":"true"}"#), Some("[true]")] {
            assert_eq!(Range::of(other), Range::Unclean, "{other:?}");
        }
    }
}
