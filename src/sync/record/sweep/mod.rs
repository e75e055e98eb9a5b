//! Finds what no event told us, and enqueues it (seed 004, "Cron"; `docs/schedules.md`). Reads lists, writes to neither
//! system.
//!
//! An ordinary sweep does five things, most in a file of their own: it asks for EspoCRM's records that say of themselves that
//! they want a run ([`unclean`]), and for trials of those that failed for good (`execute/trials.rs`); where Advoware's list is due, it compares the versions in it with those of the last
//! agreement ([`list`]); it walks on through EspoCRM's records and asks for those that are not what was agreed on ([`walk`]);
//! and it takes the share of the daily comparison that no list stands for ([`single`]). [`everything`] asks for all.

mod everything;
mod list;
mod single;
mod unclean;
mod walk;

use serde_json::{Value, json};

use super::execute::{Sync, espocrm_failure, ledger_failure};
use super::looks::{Pace, SHORTEST};
use crate::clients::espocrm::{Page, Search, Where};
use crate::queue::{Batch, Job, Lane, Queue, RecordAction, Topic};
use crate::sync::ledger::Swept;
use crate::worker::{Failure, Run, Success};

/// The most that one page of EspoCRM's holds (contract, "Errors").
const PAGE: u16 = 200;

/// Where the jobs of a sweep come from.
pub(super) const SOURCE: &str = "sweep";

/// One sweep under way.
struct Sweeper<'a> {
    sync: &'a Sync,
    queue: &'a Queue,
    run: &'a Run,
}

/// What was found, for the job's report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    /// Records that were looked at.
    listed: usize,
    /// Jobs that are new in the queue.
    enqueued: usize,
}

impl Sync {
    /// Runs a sweep, or what the job asks for instead.
    pub(super) async fn sweep(&self, job: &Job, run: &Run, queue: &Queue) -> Result<Success, Failure> {
        let sweeper = Sweeper { sync: self, queue, run };
        match everything::asked_for(job.payload.as_deref()) {
            Some(asked) => sweeper.everything(asked).await,
            None => sweeper.ordinary(&job.key).await,
        }
    }
}

impl Sweeper<'_> {
    async fn ordinary(&self, key: &str) -> Result<Success, Failure> {
        let now = self.run.started_at;
        let mut swept = self.sync.ledger.swept().await.map_err(ledger_failure)?;
        let pace = Pace::new(&self.sync.mapping.sweep, swept.at, now);
        swept.at = Some(now);
        self.sync.ledger.forget_looks_after(now + SHORTEST).await.map_err(ledger_failure)?;
        let unclean = self.unclean(&pace).await?;
        let trials = self.sync.sweep_trials(key, self.queue, now).await?;
        let list = self.list(&pace, &mut swept).await?;
        let walked = self.walk(&pace, &mut swept).await?;
        let single = self.single(&pace, &swept).await?;
        self.keep(&swept).await?;
        let of = |found: Found| json!({ "listed": found.listed, "enqueued": found.enqueued });
        let detail = json!({
            "full": false, "listed": unclean.listed, "enqueued": unclean.enqueued, "trials": trials,
            "list": list, "walk": of(walked), "single": of(single),
        });
        Ok(Success { result: "swept".to_owned(), detail: Some(detail) })
    }

    async fn keep(&self, swept: &Swept) -> Result<(), Failure> {
        let fence = (self.run.fence.0.as_str(), self.run.fence.1.as_str());
        if self.sync.ledger.keep_swept(fence, swept).await.map_err(ledger_failure)? {
            return Ok(());
        }
        Err(Failure::LeaseLost)
    }

    /// One page of EspoCRM's records behind `after`, by id: records that change meanwhile shift no others out of sight.
    async fn page(&self, after: &str, mut conditions: Vec<Where>, what: Ask) -> Result<Page, Failure> {
        self.run.check()?;
        if !after.is_empty() {
            conditions.push(Where::greater_than("id", after));
        }
        let ends = &self.sync.mapping.espocrm;
        let search = Search {
            where_: conditions,
            select: if what.attributes { self.sync.mapping.espocrm_attributes() } else { vec!["id".to_owned()] },
            order_by: Some("id".to_owned()),
            max_size: self.page_size(),
            no_total: !what.total,
            ..Search::default()
        };
        self.sync.espocrm.list(&ends.entity, &search).await.map_err(|error| espocrm_failure(&error))
    }

    fn page_size(&self) -> u16 {
        u16::try_from(self.sync.mapping.sweep.page).unwrap_or(PAGE)
    }

    /// Whether a page is the last one; one that does not go on would never end.
    fn is_last(&self, ids: &[String], after: &str) -> bool {
        ids.len() < usize::from(self.page_size()) || ids.last().is_none_or(|last| last.as_str() <= after)
    }

    /// Enqueues a comparison of each record, but for those whose retry is scheduled. Answers how many jobs are new.
    async fn ask(&self, ids: &[String]) -> Result<usize, Failure> {
        if ids.is_empty() {
            return Ok(0);
        }
        let topic = Topic::record(&self.sync.mapping.name, RecordAction::SyncCheck);
        let scheduled = self.queue.are_scheduled(&topic, ids).await.map_err(ledger_failure)?;
        let free = ids.iter().zip(scheduled).filter(|(_, scheduled)| !scheduled);
        let ids: Vec<String> = free.map(|(id, _)| id.clone()).collect();
        let done = self.queue.enqueue(&Batch::new(topic, Lane::Sweep, &ids, SOURCE)).await.map_err(ledger_failure)?;
        Ok(done.new.len())
    }
}

/// What a page is to show.
#[derive(Debug, Clone, Copy, Default)]
struct Ask {
    /// More than the ids.
    attributes: bool,
    /// How many there are in all.
    total: bool,
}

fn ids_of(page: &Page) -> Vec<String> {
    page.list.iter().filter_map(|record| Some(record.get("id").and_then(Value::as_str)?.to_owned())).collect()
}
