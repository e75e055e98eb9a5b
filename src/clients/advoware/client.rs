//! The client itself: a cheap handle on what all calls share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::classify::configuration;
use super::discovery::Base;
use super::error::Error;
use super::options::Options;
use super::renewal::Tokens;
use super::sign_in::Stamp;
use super::token::TokenStore;
use crate::clients::http;

/// Talks to one firm's Advoware. Clones share connections, permits and the token.
#[derive(Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) options: Arc<Options>,
    pub(super) connections: reqwest::Client,
    pub(super) tokens: Tokens,
    pub(super) base: Base,
    pub(super) permits: Arc<Semaphore>,
}

impl Client {
    /// A client with random nonces and the system clock. Connects to nothing yet; fails only on settings.
    pub fn new(options: Options, store: Arc<dyn TokenStore>) -> Result<Self, Error> {
        Self::with_stamps(options, store, Stamp::current)
    }

    /// As [`Client::new`], with the sign-in's nonce and clock given.
    pub fn with_stamps(
        options: Options,
        store: Arc<dyn TokenStore>,
        stamps: impl Fn() -> Stamp + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        if options.max_concurrency == 0 {
            return Err(configuration("the number of concurrent calls to Advoware must be at least 1"));
        }
        let connections = http::connections(options.timeout)
            .map_err(|error| configuration(&format!("HTTPS cannot be set up on this machine: {error}")))?;
        let base = Base::new(&options)?;
        let options = Arc::new(options);
        let tokens = Tokens::new(connections.clone(), Arc::clone(&options), store, Box::new(stamps));
        let permits = Arc::new(Semaphore::new(options.max_concurrency.min(Semaphore::MAX_PERMITS)));
        Ok(Self { shared: Arc::new(Shared { options, connections, tokens, base, permits }) })
    }
}
