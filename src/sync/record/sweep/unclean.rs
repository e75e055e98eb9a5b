//! The records that say of themselves that they want a run (seed 004: `pending_sync`, `dirty`, `failed`).

use super::{Ask, Found, Sweeper, ids_of};
use crate::clients::espocrm::Where;
use crate::worker::Failure;

/// States that want a run. `syncing` and `conflict` are left by the older system; nothing here writes them.
const UNCLEAN: [&str; 5] = ["pending_sync", "dirty", "failed", "syncing", "conflict"];

impl Sweeper<'_> {
    /// Reads them to their end and asks for each.
    pub(super) async fn unclean(&self) -> Result<Found, Failure> {
        let status = &self.sync.mapping.espocrm.status;
        let (mut after, mut found) = (String::new(), Found::default());
        loop {
            // A record whose create webhook was lost has no status yet.
            let wanted = Where::or([Where::is_in(status, UNCLEAN), Where::is_null(status)]);
            let ids = ids_of(&self.page(&after, vec![wanted], Ask::default()).await?);
            found.listed += ids.len();
            found.enqueued += self.ask(&ids).await?;
            match ids.last() {
                Some(last) if !self.is_last(&ids, &after) => after.clone_from(last),
                _ => return Ok(found),
            }
        }
    }
}
