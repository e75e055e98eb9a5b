//! Advoware's token in Redis: one for all processes, renewed by one of them, and sealed, so that Redis, its files and their
//! backups hold no token that anybody could use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;

use super::seal::Seal;
use crate::clients::Secret;
use crate::clients::advoware::{Lease, StoreError, TokenStore};
use crate::queue::{Cell, Queue, QueueError};
use crate::settings::Advoware;

/// A [`TokenStore`] in a shared cell.
///
/// The cell's name has the key's in it: processes with another key, as while it is changed, and older ones that do not
/// seal, have a token of their own beside ours, instead of replacing each other's for ever.
pub(super) struct SharedToken {
    cell: Cell,
    seal: Seal,
    /// A token that could not be opened was told of.
    told: AtomicBool,
}

impl SharedToken {
    /// The token of this installation's Advoware.
    pub(super) fn new(queue: &Queue, advoware: &Advoware) -> Result<Self> {
        let seal = Seal::of_advoware(advoware).context("no key for the token in redis could be made")?;
        let cell = queue.cell(&format!("advoware:token:{}", seal.name()));
        Ok(Self { cell, seal, told: AtomicBool::new(false) })
    }

    /// The token, and the text that it is in Redis.
    async fn stored(&self) -> Result<Option<(Secret, String)>, StoreError> {
        let Some((sealed, _)) = self.cell.get().await.map_err(away)? else { return Ok(None) };
        let opened = self.seal.open(self.cell.key(), &sealed);
        if opened.is_none() && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                key = self.cell.key(),
                "the token in redis was not stored by advosync, a new one is fetched"
            );
        }
        Ok(opened.map(|token| (token, sealed)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn away(error: QueueError) -> StoreError {
    StoreError(error.to_string())
}

#[async_trait]
impl TokenStore for SharedToken {
    async fn get(&self) -> Result<Option<Secret>, StoreError> {
        Ok(self.stored().await?.map(|(token, _)| token))
    }

    async fn try_renewal_lease(&self, lease_for: Duration) -> Result<Option<Lease>, StoreError> {
        let owner = uuid::Uuid::new_v4().to_string();
        let mine = self.cell.begin_renewal(&owner, lease_for).await.map_err(away)?;
        Ok(mine.then_some(Lease(owner)))
    }

    async fn put(&self, lease: &Lease, secret: &Secret, time_to_live: Duration) -> Result<bool, StoreError> {
        let sealed = self.seal.close(self.cell.key(), secret);
        let sealed = sealed.ok_or_else(|| StoreError("the token could not be sealed".to_owned()))?;
        self.cell.put_renewed(&lease.0, &sealed, time_to_live).await.map_err(away)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.cell.end_renewal(&lease.0).await.map_err(away)
    }

    async fn invalidate(&self, if_equals: &Secret) -> Result<(), StoreError> {
        // Sealed twice, a token is two texts: what is removed is the one that is there, if it holds this token.
        match self.stored().await? {
            Some((token, sealed)) if token == *if_equals => self.cell.remove(&sealed).await.map(|_| ()).map_err(away),
            _ => Ok(()),
        }
    }
}
