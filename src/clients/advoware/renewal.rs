//! One token for everybody: taken from the shared store, renewed by one caller of one process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::error::Error;
use super::options::Options;
use super::sign_in::{Stamp, sign_in};
use super::token::{StoreError, TokenStore};
use crate::clients::{Call, Cause, Secret};

/// What the lease lasts beyond the sign-in's own timeout.
const SLACK: Duration = Duration::from_secs(5);

type Flight = Shared<BoxFuture<'static, Result<Secret, Error>>>;

/// Hands out the shared token.
pub(super) struct Tokens {
    source: Arc<Source>,
    /// The renewal that this process has under way. Its outcome, also a failure, goes to all who wait for it: many
    /// callers with a wrong password must not become many failed sign-ins.
    flight: Mutex<Option<Flight>>,
}

struct Source {
    connections: reqwest::Client,
    options: Arc<Options>,
    store: Arc<dyn TokenStore>,
    stamp: Box<dyn Fn() -> Stamp + Send + Sync>,
    identity: String,
}

impl Tokens {
    pub(super) fn new(
        connections: reqwest::Client,
        options: Arc<Options>,
        store: Arc<dyn TokenStore>,
        stamp: Box<dyn Fn() -> Stamp + Send + Sync>,
    ) -> Self {
        let identity = identity(&options);
        Self { source: Arc::new(Source { connections, options, store, stamp, identity }), flight: Mutex::new(None) }
    }

    /// A token that was valid when it was last looked at.
    pub(super) async fn current(&self) -> Result<Secret, Error> {
        match self.source.stored().await? {
            Some(token) => Ok(token),
            None => self.flight().await,
        }
    }

    /// Forgets a token that Advoware refused, unless a newer one is stored already.
    pub(super) async fn refused(&self, token: &Secret) -> Result<(), Error> {
        self.source.store.invalidate(&self.source.sealed(token)).await.map_err(unavailable)
    }

    fn flight(&self) -> Flight {
        let mut slot = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = slot.as_ref().filter(|flight| flight.peek().is_none()) {
            return under_way.clone();
        }
        let source = Arc::clone(&self.source);
        // A task of its own: the caller that started it may be cancelled while others wait for the outcome.
        let task = tokio::spawn(async move { source.renewed().await });
        let ended = |_| Err(unavailable(StoreError("the renewal was cut off".to_owned())));
        let flight = async move { task.await.unwrap_or_else(ended) }.boxed().shared();
        *slot = Some(flight.clone());
        flight
    }
}

impl Source {
    /// The stored token, if it belongs to these settings.
    async fn stored(&self) -> Result<Option<Secret>, Error> {
        let Some(value) = self.store.get().await.map_err(unavailable)? else { return Ok(None) };
        if let Some((identity, token)) = value.expose().split_once(' ')
            && identity == self.identity
        {
            return Ok(Some(Secret::new(token)));
        }
        Ok(None)
    }

    fn sealed(&self, token: &Secret) -> Secret {
        Secret::new(format!("{} {}", self.identity, token.expose()))
    }

    async fn renewed(&self) -> Result<Secret, Error> {
        let patience = self.options.timeout + SLACK;
        let deadline = Instant::now() + patience + SLACK;
        while Instant::now() < deadline {
            if let Some(token) = self.stored().await? {
                return Ok(token);
            }
            let Some(lease) = self.store.try_renewal_lease(patience).await.map_err(unavailable)? else {
                self.store.wait(deadline.saturating_duration_since(Instant::now())).await;
                continue;
            };
            // Somebody may have finished between the look and the lease.
            let found = self.stored().await?;
            let outcome = match found {
                Some(token) => Ok(token),
                None => match sign_in(&self.connections, &self.options, &(self.stamp)()).await {
                    Ok(issued) => {
                        let kept = self.store.put(&lease, &self.sealed(&issued.token), issued.time_to_live).await;
                        // A lost lease costs another sign-in somewhere; the token is good all the same.
                        let kept = kept.map_err(unavailable)?;
                        tracing::info!(kept, time_to_live_s = issued.time_to_live.as_secs(), "signed in to advoware");
                        return Ok(issued.token);
                    }
                    Err(error) => Err(error),
                },
            };
            self.store.release(&lease).await.map_err(unavailable)?;
            return outcome;
        }
        let call = Call { method: Method::POST, path: self.options.auth_url.to_string() };
        Err(Error::NotSent { call, cause: Cause::Timeout(patience + SLACK) })
    }
}

fn unavailable(error: StoreError) -> Error {
    Error::TokenStore { message: error.0 }
}

/// Names whose token it is, so that changed settings do not go on with the old user's token. Holds nothing of the
/// password or the key: it stands in the store.
fn identity(options: &Options) -> String {
    let mut hash = Sha256::new();
    for part in [
        options.auth_url.as_str(),
        &options.app_id,
        &options.kanzlei,
        &options.database,
        &options.user,
        &options.role.to_string(),
        &options.product_id.to_string(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}
