//! What the client must be told.

use std::time::Duration;

use url::Url;

use crate::clients::Secret;

/// Where EspoCRM is and who we are there. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Options {
    /// Ends in `/api/v1`.
    pub base_url: Url,
    /// How we sign in.
    pub credentials: Credentials,
    /// One request, from connecting to the last byte of the answer.
    pub timeout: Duration,
}

/// The ways to sign in (contract, "Auth").
#[derive(Debug, Clone)]
pub enum Credentials {
    /// An API user's key, sent as it is.
    ApiKey(Secret),
    /// An API user's key and secret; every request is signed.
    Hmac {
        /// The key.
        api_key: Secret,
        /// The secret that never travels.
        secret: Secret,
    },
    /// A person, for `setup`: creating fields and webhooks needs an admin.
    Basic {
        /// The user's name.
        user: String,
        /// The user's password.
        password: Secret,
    },
}

impl Credentials {
    /// An API user: signed requests where a secret is set, else the plain key.
    #[must_use]
    pub fn api_user(api_key: Secret, secret: Option<Secret>) -> Self {
        match secret {
            Some(secret) => Self::Hmac { api_key, secret },
            None => Self::ApiKey(api_key),
        }
    }
}
