//! The token of the service account, one sign-in at a time.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use tokio::sync::Mutex;
use url::Url;
use yup_oauth2::authenticator::DefaultAuthenticator;
use yup_oauth2::error::SendError;
use yup_oauth2::{ServiceAccountAuthenticator, ServiceAccountKey};

use super::error::Error;
use super::options::Options;
use crate::clients::http::snippet;
use crate::clients::{Call, Cause, Secret};

/// All that is ever asked for (contract, "Client").
const SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/calendar"];

pub(super) struct SignIn {
    key: ServiceAccountKey,
    subject: Option<String>,
    timeout: Duration,
    /// How many sign-ins have ended.
    ended: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    authenticator: Option<DefaultAuthenticator>,
    /// What the last sign-in failed with.
    failure: Option<Error>,
}

impl SignIn {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let key = read(&options.service_account)?;
        let (subject, timeout) = (options.subject.clone(), options.timeout);
        Ok(Self { key, subject, timeout, ended: AtomicU64::new(0), state: Mutex::default() })
    }

    /// The current token; a new one if it is still `refused`. Whoever waited while a sign-in failed shares its failure,
    /// so that a bad key does not become as many sign-ins as there are callers.
    pub(super) async fn token(&self, refused: Option<&Secret>) -> Result<Secret, Error> {
        let before = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if self.ended.load(Ordering::SeqCst) != before
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        let signed_in = tokio::time::timeout(self.timeout, self.signed_in(&mut state.authenticator, refused)).await;
        let outcome = signed_in.unwrap_or_else(|_| Err(self.not_sent(Cause::Timeout(self.timeout))));
        state.failure = outcome.as_ref().err().cloned();
        self.ended.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    async fn signed_in(
        &self,
        authenticator: &mut Option<DefaultAuthenticator>,
        refused: Option<&Secret>,
    ) -> Result<Secret, Error> {
        let authenticator = match authenticator {
            Some(authenticator) => authenticator,
            None => authenticator.insert(self.authenticator().await?),
        };
        let mut token = authenticator.token(&SCOPES).await.map_err(|error| self.failed(error))?;
        if refused.is_some_and(|refused| token.token() == Some(refused.expose())) {
            token = authenticator.force_refreshed_token(&SCOPES).await.map_err(|error| self.failed(error))?;
        }
        token.token().map(Secret::new).ok_or_else(|| self.failed(yup_oauth2::Error::MissingAccessToken))
    }

    async fn authenticator(&self) -> Result<DefaultAuthenticator, Error> {
        let mut builder = ServiceAccountAuthenticator::builder(self.key.clone()).with_timeout(self.timeout);
        if let Some(subject) = &self.subject {
            builder = builder.subject(subject);
        }
        // The library's words would not say which setting is meant.
        builder.build().await.map_err(|_| unusable("its private_key is no RSA key in PEM form"))
    }

    fn not_sent(&self, cause: Cause) -> Error {
        Error::NotSent { call: Call { method: Method::POST, path: self.key.token_uri.clone() }, cause }
    }

    fn failed(&self, error: yup_oauth2::Error) -> Error {
        use yup_oauth2::Error as Failure;
        match error {
            Failure::AuthError(error)
                if matches!(error.error.as_str(), "internal_failure" | "server_error" | "temporarily_unavailable") =>
            {
                self.not_sent(Cause::Unreadable(snippet(&error.to_string(), &[])))
            }
            Failure::AuthError(error) => Error::Configuration {
                message: format!(
                    "Google refused the sign-in: {}. Please check the key at GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH and \
                     whether it may act as GOOGLE_CALENDAR_SUBJECT",
                    snippet(&error.to_string(), &[])
                ),
            },
            Failure::HttpClientError(SendError::Timeout) => self.not_sent(Cause::Timeout(self.timeout)),
            // The library hides the status, so a page in place of a token is taken for an outage.
            Failure::JSONError(_) | Failure::MissingAccessToken => {
                self.not_sent(Cause::Connect("the sign-in answered no token".to_owned()))
            }
            other => self.not_sent(Cause::Connect(snippet(&other.to_string(), &[]))),
        }
    }
}

fn read(path: &Path) -> Result<ServiceAccountKey, Error> {
    let text = std::fs::read(path).map_err(|error| unusable(&error.to_string()))?;
    // The parser's words may quote the key.
    let key = yup_oauth2::parse_service_account_key(text).map_err(|_| unusable("it is no service account's key"))?;
    match Url::parse(&key.token_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(ServiceAccountKey { token_uri: url.into(), ..key }),
        _ => Err(unusable("its token_uri is no http or https address")),
    }
}

fn unusable(why: &str) -> Error {
    Error::Configuration {
        message: format!("The key file at GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH cannot be used: {why}"),
    }
}
