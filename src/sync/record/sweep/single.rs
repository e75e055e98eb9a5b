//! Looks at single records: the share of the daily comparison that no list stands for, and those that changed lately.

use super::{Found, Sweeper};
use crate::sync::ledger::Swept;
use crate::sync::record::execute::ledger_failure;
use crate::sync::record::looks::Pace;
use crate::worker::Failure;

impl Sweeper<'_> {
    /// Asks for the records whose turn it is.
    pub(super) async fn single(&self, pace: &Pace, swept: &Swept) -> Result<Found, Failure> {
        let ledger = &self.sync.ledger;
        let now = self.run.started_at;
        // One that is due was just read, or will be by a sweep that reaches Advoware.
        let listed = self.sync.mapping.sweep.list
            && swept.list_off_until.is_none_or(|until| until <= now)
            && swept.listed_at.is_some_and(|at| now - at < pace.recheck());
        let count = ledger.looked_count().await.map_err(ledger_failure)?;
        let oldest = ledger.oldest_looks(pace.at_most(count)).await.map_err(ledger_failure)?;
        let mut ids = pace.daily(&oldest, count, listed);
        if !listed {
            let lively = ledger.lively_looks(pace.lively_since(), MOST_LIVELY).await.map_err(ledger_failure)?;
            ids.extend(pace.early(&lively));
            ids.sort_unstable();
            ids.dedup();
        }
        Ok(Found { listed: ids.len(), enqueued: self.ask(&ids).await? })
    }
}

/// So many of the records that changed last are considered.
const MOST_LIVELY: usize = 5000;
