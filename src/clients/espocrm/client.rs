//! The client itself: a cheap handle on what all calls share.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::error::Error;
use super::options::Options;
use crate::clients::http;

/// Talks to one EspoCRM as one user. Clones share connections.
#[derive(Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) options: Options,
    /// The base URL without a closing slash.
    pub(super) base: String,
    pub(super) connections: reqwest::Client,
    /// The id of the user we are; it does not change while the credentials stay.
    pub(super) own_user: OnceCell<String>,
}

impl Client {
    /// Connects to nothing yet; fails only on settings.
    pub fn new(options: Options) -> Result<Self, Error> {
        let wrong = |message: String| Error::Configuration { message };
        let mut url = options.base_url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let base = url.as_str().trim_end_matches('/').to_owned();
        if !matches!(url.scheme(), "http" | "https") || !base.ends_with("/api/v1") {
            return Err(wrong(format!(
                "ESPOCRM_API_BASE_URL must be an http or https address that ends in /api/v1: {base}"
            )));
        }
        let connections = http::connections(options.timeout)
            .map_err(|error| wrong(format!("HTTPS cannot be set up on this machine: {error}")))?;
        Ok(Self { shared: Arc::new(Shared { options, base, connections, own_user: OnceCell::new() }) })
    }
}
