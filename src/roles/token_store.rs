//! Advoware's token in Redis: one for all processes, renewed by one of them.

use std::time::Duration;

use async_trait::async_trait;

use crate::clients::Secret;
use crate::clients::advoware::{Lease, StoreError, TokenStore};
use crate::queue::{Cell, Queue, QueueError};

/// A [`TokenStore`] in a shared cell.
pub(super) struct SharedToken {
    cell: Cell,
}

impl SharedToken {
    /// The token of this installation's Advoware.
    pub(super) fn new(queue: &Queue) -> Self {
        Self { cell: queue.cell("advoware:token") }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn away(error: QueueError) -> StoreError {
    StoreError(error.to_string())
}

#[async_trait]
impl TokenStore for SharedToken {
    async fn get(&self) -> Result<Option<Secret>, StoreError> {
        Ok(self.cell.get().await.map_err(away)?.map(|(text, _)| Secret::new(text)))
    }

    async fn try_renewal_lease(&self, lease_for: Duration) -> Result<Option<Lease>, StoreError> {
        let owner = uuid::Uuid::new_v4().to_string();
        let mine = self.cell.begin_renewal(&owner, lease_for).await.map_err(away)?;
        Ok(mine.then_some(Lease(owner)))
    }

    async fn put(&self, lease: &Lease, secret: &Secret, time_to_live: Duration) -> Result<bool, StoreError> {
        self.cell.put_renewed(&lease.0, secret.expose(), time_to_live).await.map_err(away)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.cell.end_renewal(&lease.0).await.map_err(away)
    }

    async fn invalidate(&self, if_equals: &Secret) -> Result<(), StoreError> {
        self.cell.remove(if_equals.expose()).await.map(|_| ()).map_err(away)
    }
}
