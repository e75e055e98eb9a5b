//! The client itself: a cheap handle on what all calls share.

use std::sync::Arc;

use super::error::Error;
use super::limiter::Limiter;
use super::options::Options;
use super::sign_in::SignIn;
use crate::clients::http;

/// Talks to Google Calendar as one service account. Clones share connections and the token.
#[derive(Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) options: Options,
    /// The base URL without a closing slash.
    pub(super) base: String,
    pub(super) connections: reqwest::Client,
    pub(super) sign_in: SignIn,
    pub(super) limiter: Arc<dyn Limiter>,
}

impl Client {
    /// Reads the key file and connects to nothing yet; fails only on settings.
    pub fn new(options: Options, limiter: Arc<dyn Limiter>) -> Result<Self, Error> {
        let mut url = options.base_url.clone();
        url.set_query(None);
        url.set_fragment(None);
        if !matches!(url.scheme(), "http" | "https") {
            let message = "GOOGLE_CALENDAR_API_BASE_URL must be an http or https address".to_owned();
            return Err(Error::Configuration { message });
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        let connections = http::connections(options.timeout).map_err(|error| Error::Configuration {
            message: format!("HTTPS cannot be set up on this machine: {error}"),
        })?;
        let sign_in = SignIn::new(&options)?;
        Ok(Self { shared: Arc::new(Shared { options, base, connections, sign_in, limiter }) })
    }
}
