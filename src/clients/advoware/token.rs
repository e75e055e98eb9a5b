//! Where the token lives between calls: one secret with an expiry that all processes share, renewed by one of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clients::Secret;

/// The store cannot be used right now; says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Proof of being the one that renews. The text is chosen by the store and means something only to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease(pub String);

/// A shared secret with an expiry and at most one renewer at a time.
///
/// The value is opaque text; nothing here is special to Advoware.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The secret, while it has not expired.
    async fn get(&self) -> Result<Option<Secret>, StoreError>;

    /// Becomes the renewer for at most `lease_for`; `None` while somebody else is.
    async fn try_renewal_lease(&self, lease_for: Duration) -> Result<Option<Lease>, StoreError>;

    /// Stores the secret for `time_to_live` and ends the lease. `false`: the lease was lost before, nothing was stored.
    async fn put(&self, lease: &Lease, secret: &Secret, time_to_live: Duration) -> Result<bool, StoreError>;

    /// Ends the lease without a new secret; a lease that is lost already is no error.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Removes the secret if it is still exactly `if_equals`, so that nobody removes a newer one.
    async fn invalidate(&self, if_equals: &Secret) -> Result<(), StoreError>;

    /// Returns when the renewer may have finished, at the latest after `at_most`. Returning early is allowed.
    async fn wait(&self, at_most: Duration) {
        tokio::time::sleep(at_most.min(Duration::from_millis(50))).await;
    }
}

/// A store inside this process, for tests and commands that run without Redis.
#[derive(Default)]
pub struct MemoryTokenStore {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    secret: Option<(Secret, Instant)>,
    lease: Option<(Lease, Instant)>,
    leases_given: u64,
}

impl State {
    fn holds(&self, lease: &Lease, now: Instant) -> bool {
        self.lease.as_ref().is_some_and(|(held, until)| held == lease && *until > now)
    }
}

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn get(&self) -> Result<Option<Secret>, StoreError> {
        let state = self.state();
        Ok(state.secret.as_ref().filter(|(_, until)| *until > Instant::now()).map(|(secret, _)| secret.clone()))
    }

    async fn try_renewal_lease(&self, lease_for: Duration) -> Result<Option<Lease>, StoreError> {
        let now = Instant::now();
        let mut state = self.state();
        if state.lease.as_ref().is_some_and(|(_, until)| *until > now) {
            return Ok(None);
        }
        state.leases_given += 1;
        let lease = Lease(state.leases_given.to_string());
        state.lease = Some((lease.clone(), now + lease_for));
        Ok(Some(lease))
    }

    async fn put(&self, lease: &Lease, secret: &Secret, time_to_live: Duration) -> Result<bool, StoreError> {
        let now = Instant::now();
        let mut state = self.state();
        if !state.holds(lease, now) {
            return Ok(false);
        }
        state.secret = Some((secret.clone(), now + time_to_live));
        state.lease = None;
        self.changed.notify_waiters();
        Ok(true)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.holds(lease, Instant::now()) {
            state.lease = None;
            self.changed.notify_waiters();
        }
        Ok(())
    }

    async fn invalidate(&self, if_equals: &Secret) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.secret.as_ref().is_some_and(|(secret, _)| secret == if_equals) {
            state.secret = None;
        }
        Ok(())
    }

    async fn wait(&self, at_most: Duration) {
        // A change between the caller's look and this line would be missed; the short bound makes that harmless.
        let _ = tokio::time::timeout(at_most.min(Duration::from_millis(50)), self.changed.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_secret_expires_and_only_the_same_one_is_invalidated() {
        let store = MemoryTokenStore::new();
        let lease = store.try_renewal_lease(MINUTE).await.unwrap().unwrap();
        assert!(store.put(&lease, &Secret::new("one"), MINUTE).await.unwrap());
        store.invalidate(&Secret::new("other")).await.unwrap();
        assert_eq!(store.get().await.unwrap(), Some(Secret::new("one")));
        store.invalidate(&Secret::new("one")).await.unwrap();
        assert_eq!(store.get().await.unwrap(), None);

        let lease = store.try_renewal_lease(MINUTE).await.unwrap().unwrap();
        assert!(store.put(&lease, &Secret::new("two"), Duration::ZERO).await.unwrap());
        assert_eq!(store.get().await.unwrap(), None);
    }

    #[tokio::test]
    async fn one_renewer_at_a_time_and_a_late_one_stores_nothing() {
        let store = MemoryTokenStore::new();
        let late = store.try_renewal_lease(Duration::ZERO).await.unwrap().unwrap();
        let next = store.try_renewal_lease(MINUTE).await.unwrap().unwrap();
        assert_eq!(store.try_renewal_lease(MINUTE).await.unwrap(), None);

        assert!(!store.put(&late, &Secret::new("late"), MINUTE).await.unwrap());
        store.release(&late).await.unwrap();
        assert_eq!(store.try_renewal_lease(MINUTE).await.unwrap(), None, "a lost lease must not free another's");
        store.release(&next).await.unwrap();
        assert!(store.try_renewal_lease(MINUTE).await.unwrap().is_some());
    }
}
