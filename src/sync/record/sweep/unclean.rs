//! The records that say of themselves that they want a run (seed 004: `pending_sync`, `dirty`, `failed`).

use super::{Ask, Found, Sweeper, ids_of};
use crate::clients::espocrm::{Page, Where};
use crate::sync::record::compare::modified_at;
use crate::sync::record::execute::ledger_failure;
use crate::sync::record::looks::{Pace, looked_since};
use crate::worker::Failure;

/// States that want a run. `syncing` and `conflict` are left by the older system; nothing here writes them.
const UNCLEAN: [&str; 5] = ["pending_sync", "dirty", "failed", "syncing", "conflict"];
/// So many pages of new jobs come of one sweep; the next one goes on. Whoever waits for a retry does not count, so that
/// records that never get clean keep nobody else from being asked for.
const MOST_PAGES: usize = 50;

impl Sweeper<'_> {
    /// Reads them, to their end or until there is enough to do, and asks for each.
    pub(super) async fn unclean(&self, pace: &Pace) -> Result<Found, Failure> {
        let status = &self.sync.mapping.espocrm.status;
        let most = MOST_PAGES * usize::from(self.page_size());
        let (mut after, mut found) = (String::new(), Found::default());
        loop {
            // A record whose create webhook was lost has no status yet.
            let wanted = Where::or([Where::is_in(status, UNCLEAN), Where::is_null(status)]);
            let held_back = self.sync.write_protection;
            let shown = self.page(&after, vec![wanted], Ask { attributes: held_back, total: false }).await?;
            let ids = ids_of(&shown);
            found.listed += ids.len();
            let wanted = if held_back { self.not_seen(pace, &shown, &ids).await? } else { ids.clone() };
            found.enqueued += self.ask(&wanted).await?;
            match ids.last() {
                Some(last) if found.enqueued < most && !self.is_last(&ids, &after) => after.clone_from(last),
                _ => return Ok(found),
            }
        }
    }

    /// With write protection nothing gets clean: what was looked at since its last edit would only be withheld once more.
    async fn not_seen(&self, pace: &Pace, shown: &Page, ids: &[String]) -> Result<Vec<String>, Failure> {
        let looked = self.sync.ledger.looked_at(ids).await.map_err(ledger_failure)?;
        let seen =
            shown.list.iter().zip(looked).map(|(record, looked)| looked_since(pace, looked, modified_at(record)));
        Ok(ids.iter().zip(seen).filter(|(_, seen)| !seen).map(|(id, _)| id.clone()).collect())
    }
}
