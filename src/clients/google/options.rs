//! What the client must be told.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::error::Error;
use super::sign_in;

/// Where Google Calendar is and who we are there.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API's base, up to and including `/calendar/v3`.
    pub base_url: Url,
    /// The service account's key file; it also names the token address.
    pub service_account: PathBuf,
    /// The user to act as (domain-wide delegation).
    pub subject: Option<String>,
    /// For one request, and for one sign-in.
    pub timeout: Duration,
    /// One second; tests shorten it. The waits after a rate limit are 4, 16 and 60 of it.
    pub backoff_unit: Duration,
}

impl Options {
    /// Whom Google's limits count the calls against, an e-mail address: the user to act as, or the service account.
    pub fn acting_user(&self) -> Result<String, Error> {
        match &self.subject {
            Some(subject) => Ok(subject.clone()),
            None => sign_in::account(&self.service_account),
        }
    }
}
