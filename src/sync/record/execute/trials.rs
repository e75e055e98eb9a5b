//! Queues trials of records that have failed for good.

use chrono::{DateTime, Utc};

use super::{Boundary, Sync, espocrm_failure, failure};
use crate::clients::espocrm::{Search, Where};
use crate::queue::{Batch, Lane, Queue, QueueError, RecordAction, Topic};
use crate::sync::record::status::FOR_GOOD;
use crate::sync::record::trials::{PAYLOAD, SOURCE, outdated, pick};
use crate::worker::Failure;

impl Sync {
    /// Queues a trial of every record that has failed for good and is due for one; answers how many. A trial is counted
    /// before it is queued: whoever dies in between costs the record one, and never gives it a second one that day. `key`: of the sweep's job.
    ///
    /// With write protection there are none: they would end well without having tried anything.
    pub async fn sweep_trials(&self, key: &str, queue: &Queue, now: DateTime<Utc>) -> Result<usize, Failure> {
        let sweep = &self.mapping.sweep;
        if sweep.trials == 0 || self.write_protection {
            return Ok(0);
        }
        let known = self.ledger.all_trials().await.map_err(failure::ledger)?;
        let (mut after, mut all, mut queued) = (String::new(), Vec::new(), 0);
        loop {
            let size = u16::try_from(sweep.page).unwrap_or(200);
            let ids = self.given_up(&after, size).await?;
            // An answer that does not go on would never end.
            let Some(last) = ids.last().filter(|last| **last > after).cloned() else { break };
            let picked = pick(&ids, &known, sweep, now);
            self.at(Boundary::TrialsSeen, key, self.ledger.remember_trials(&picked.new))
                .await
                .map_err(failure::ledger)?;
            self.at(Boundary::TrialsCounted, key, self.ledger.remember_trials(&picked.due))
                .await
                .map_err(failure::ledger)?;
            let due: Vec<String> = picked.due.into_keys().collect();
            let topic = Topic::record(&self.mapping.name, RecordAction::SyncCheck);
            let batch = Batch { payload: Some(PAYLOAD), ..Batch::new(topic, Lane::Sweep, &due, SOURCE) };
            queued += self.at(Boundary::TrialsQueued, key, queue.enqueue(&batch)).await.map_err(away)?.new.len();
            let full = ids.len() >= usize::from(size);
            all.extend(ids);
            if !full {
                break;
            }
            after = last;
        }
        let outdated = outdated(&known, &all, now);
        self.at(Boundary::TrialsOutdated, key, self.ledger.forget_trials(&outdated)).await.map_err(failure::ledger)?;
        Ok(queued)
    }

    /// A page of the ids of records that have failed for good, by id.
    async fn given_up(&self, after: &str, size: u16) -> Result<Vec<String>, Failure> {
        let ends = &self.mapping.espocrm;
        let mut conditions = vec![Where::equals(&ends.status, FOR_GOOD)];
        if !after.is_empty() {
            conditions.push(Where::greater_than("id", after));
        }
        let search = Search {
            where_: conditions,
            select: vec!["id".to_owned()],
            order_by: Some("id".to_owned()),
            max_size: size,
            no_total: true,
            ..Search::default()
        };
        let page = self.espocrm.list(&ends.entity, &search).await.map_err(|error| espocrm_failure(&error))?;
        Ok(page.list.iter().filter_map(|record| Some(record.get("id")?.as_str()?.to_owned())).collect())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn away(error: QueueError) -> Failure {
    Failure::Later { after: crate::sync::failure::SOON, reason: error.to_string() }
}
