//! Advoware's list: one call shows the versions of all records. One whose version is not that of the last agreement is asked
//! for; one whose version is has been looked at.

use std::collections::HashMap;

use chrono::TimeDelta;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};

use super::{SOURCE, Sweeper};
use crate::clients::advoware;
use crate::queue::{Batch, Lane, Topic};
use crate::sync::ledger::Swept;
use crate::sync::record::execute::ledger_failure;
use crate::sync::record::looks::Pace;
use crate::sync::record::plan::version;
use crate::sync::record::route::number_in;
use crate::worker::Failure;

/// How long a list that is not offered, or shows no versions, is not asked for again.
const OFF: TimeDelta = TimeDelta::days(1);

impl Sweeper<'_> {
    /// Reads the list if it is due. Answers what came of it, for the job's report; null: it was not due.
    pub(super) async fn list(&self, pace: &Pace, swept: &mut Swept) -> Result<Value, Failure> {
        let now = self.run.started_at;
        let wanted = self.sync.mapping.sweep.list && swept.list_off_until.is_none_or(|until| until <= now);
        if !wanted || !pace.is_due(swept.listed_at, swept.list_changed_at) {
            return Ok(Value::Null);
        }
        self.run.check()?;
        let records = match self.sync.advoware.list(&self.sync.mapping.advoware.path, &[]).await {
            Ok(records) => records,
            Err(error) if is_passing(&error) => return Ok(json!({ "left": error.to_string() })),
            Err(error) => return Ok(self.turn_off(swept, &error.to_string())),
        };
        let mapping = &self.sync.mapping;
        let shown: HashMap<String, String> = records
            .iter()
            .filter_map(|record| Some((number_in(record, &mapping.advoware.id)?, version(mapping, record)?)))
            .collect();
        if shown.is_empty() && (!records.is_empty() || self.sync.ledger.pair_count().await.map_err(ledger_failure)? > 0)
        {
            let why = format!("it shows no record with {} and {}", mapping.advoware.id, mapping.advoware.version);
            return Ok(self.turn_off(swept, &why));
        }
        let imported = match self.import(pace, &records).await {
            // What cannot be read of earlier imports must stop nothing else.
            Err(Failure::Failed { message, .. }) => {
                tracing::warn!(entity = mapping.name, error = message, "earlier imports cannot be read, none is begun");
                0
            }
            imported => imported?,
        };
        drop(records);
        let (changed, same) = self.against_ledger(shown).await?;
        self.sync.ledger.listed(&same, now).await.map_err(ledger_failure)?;
        // How lively a firm is that was never listed is not known: it begins as a lively one.
        if !changed.is_empty() || imported > 0 || swept.listed_at.is_none() {
            swept.list_changed_at = Some(now);
        }
        swept.listed_at = Some(now);
        // Whoever was looked at longest ago comes first, so that nobody waits for ever behind those that always differ. Who is
        // not to be looked at failed for good: that is a person's.
        let looked = self.sync.ledger.looked_at(&changed).await.map_err(ledger_failure)?;
        let mut order: Vec<_> = looked.into_iter().zip(&changed).filter(|(looked, _)| looked.is_some()).collect();
        order.sort();
        let ids: Vec<String> = order.into_iter().take(pace.budget().max(1)).map(|(_, id)| id.clone()).collect();
        let enqueued = self.ask(&ids).await?;
        Ok(json!({ "unchanged": same.len(), "changed": changed.len(), "enqueued": enqueued, "import": imported }))
    }

    /// Asks for the parties that only Advoware has and the mapping wants in EspoCRM, within the budget: after a loss of the
    /// ledger every one of them is to be looked for once. Answers how many jobs are new.
    async fn import(&self, pace: &Pace, records: &[Map<String, Value>]) -> Result<usize, Failure> {
        let mut numbers = self.sync.import_candidates(records, self.run.started_at).await?;
        // Those that are asked for in vain must not keep the others from their turn.
        numbers.shuffle(&mut rand::rng());
        numbers.truncate(pace.budget().max(1));
        if numbers.is_empty() {
            return Ok(0);
        }
        let topic = Topic::Import { entity: self.sync.mapping.name.clone() };
        let batch = Batch::new(topic, Lane::Sweep, &numbers, SOURCE);
        Ok(self.queue.enqueue(&batch).await.map_err(ledger_failure)?.new.len())
    }

    /// The records whose version is another than that of the last agreement, and those whose version is the same. What
    /// belongs to no record stays in Advoware.
    async fn against_ledger(&self, shown: HashMap<String, String>) -> Result<(Vec<String>, Vec<String>), Failure> {
        let (numbers, shown): (Vec<String>, Vec<String>) = shown.into_iter().unzip();
        let known = self.sync.ledger.versions(&numbers).await.map_err(ledger_failure)?;
        let (mut changed, mut same) = (Vec::new(), Vec::new());
        for (shown, known) in shown.into_iter().zip(known) {
            match known {
                Some((id, version)) if version.as_ref() == Some(&shown) => same.push(id),
                Some((id, _)) => changed.push(id),
                None => {}
            }
        }
        Ok((changed, same))
    }

    /// Records are looked at one by one instead.
    fn turn_off(&self, swept: &mut Swept, why: &str) -> Value {
        swept.list_off_until = Some(self.run.started_at + OFF);
        tracing::warn!(
            entity = self.sync.mapping.name,
            error = why,
            "advoware's list cannot be used, records are looked at one by one for a day"
        );
        json!({ "off": why })
    }
}

/// Whether the list may be read a while later: the rest of the sweep goes on without it.
fn is_passing(error: &advoware::Error) -> bool {
    error.upstream_down()
        || error.is_configuration()
        || matches!(
            error,
            advoware::Error::Misdirected { .. }
                | advoware::Error::Unauthorised { .. }
                | advoware::Error::Busy { .. }
                | advoware::Error::RateLimited { .. }
                | advoware::Error::TokenStore { .. }
        )
}
