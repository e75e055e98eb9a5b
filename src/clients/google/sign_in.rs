//! The token of the service account, one sign-in at a time.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use reqwest::Method;
use tokio::sync::Mutex;
use url::Url;
use yup_oauth2::authenticator::DefaultAuthenticator;
use yup_oauth2::error::SendError;
use yup_oauth2::{ServiceAccountAuthenticator, ServiceAccountKey};

use super::error::Error;
use super::options::Options;
use crate::clients::http::{chain, snippet};
use crate::clients::{Call, Cause, Secret};

/// All that is ever asked for (contract, "Client").
const SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/calendar"];

pub(super) struct SignIn {
    authenticator: DefaultAuthenticator,
    token_uri: String,
    timeout: Duration,
    /// How many sign-ins have ended.
    ended: AtomicU64,
    /// What the last sign-in failed with.
    failure: Mutex<Option<Error>>,
}

impl SignIn {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let key = read(&options.service_account)?;
        let (token_uri, timeout) = (key.token_uri.clone(), options.timeout);
        let authenticator = authenticator(key, options)?;
        Ok(Self { authenticator, token_uri, timeout, ended: AtomicU64::new(0), failure: Mutex::default() })
    }

    /// The current token; a new one if it is still `refused`. Whoever waited while a sign-in failed shares its failure,
    /// so that a bad key does not become as many sign-ins as there are callers.
    pub(super) async fn token(&self, refused: Option<&Secret>) -> Result<Secret, Error> {
        let before = self.ended.load(Ordering::SeqCst);
        let mut last = self.failure.lock().await;
        if self.ended.load(Ordering::SeqCst) != before
            && let Some(failure) = &*last
        {
            return Err(failure.clone());
        }
        let signed_in = tokio::time::timeout(self.timeout, self.signed_in(refused)).await;
        let outcome = signed_in.unwrap_or_else(|_| Err(self.not_sent(Cause::Timeout(self.timeout))));
        *last = outcome.as_ref().err().cloned();
        self.ended.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    async fn signed_in(&self, refused: Option<&Secret>) -> Result<Secret, Error> {
        let mut token = self.authenticator.token(&SCOPES).await.map_err(|error| self.failed(error))?;
        if refused.is_some_and(|refused| token.token() == Some(refused.expose())) {
            token = self.authenticator.force_refreshed_token(&SCOPES).await.map_err(|error| self.failed(error))?;
        }
        token
            .token()
            .filter(|token| !token.is_empty())
            .map(Secret::new)
            .ok_or_else(|| self.failed(yup_oauth2::Error::MissingAccessToken))
    }

    fn not_sent(&self, cause: Cause) -> Error {
        Error::NotSent { call: Call { method: Method::POST, path: self.token_uri.clone() }, cause }
    }

    fn failed(&self, error: yup_oauth2::Error) -> Error {
        use yup_oauth2::Error as Failure;
        match error {
            Failure::AuthError(error)
                if matches!(error.error.as_str(), "internal_failure" | "server_error" | "temporarily_unavailable") =>
            {
                self.not_sent(Cause::Unreadable(format!("the error {}", snippet(&error.to_string(), &[]))))
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
                self.not_sent(Cause::Unreadable("no token".to_owned()))
            }
            Failure::HttpClientError(SendError::Hyper(error)) if error.is_connect() => {
                self.not_sent(Cause::Connect(chain(&error)))
            }
            Failure::HttpClientError(SendError::Hyper(error)) => self.not_sent(Cause::Cut(chain(&error))),
            Failure::HttpError(error) => self.not_sent(Cause::Cut(chain(&error))),
            other => self.not_sent(Cause::Unreadable(snippet(&other.to_string(), &[]))),
        }
    }
}

/// Made at once, so that a broken key is found at the start and not by the first job.
fn authenticator(key: ServiceAccountKey, options: &Options) -> Result<DefaultAuthenticator, Error> {
    let mut builder = ServiceAccountAuthenticator::builder(key).with_timeout(options.timeout);
    if let Some(subject) = &options.subject {
        builder = builder.subject(subject);
    }
    match builder.build().now_or_never() {
        Some(Ok(authenticator)) => Ok(authenticator),
        // The library's own words for a missing trust store; all its others are about the key.
        Some(Err(error)) if error.to_string().starts_with("failed to build hyper client") => {
            let message = format!("HTTPS cannot be set up on this machine: {error}");
            Err(Error::Configuration { message })
        }
        // It waits for nothing, since the key is at hand and tokens are kept in memory.
        Some(Err(_)) | None => Err(unusable("its private_key is no RSA key in PEM form")),
    }
}

/// The service account's address.
pub(super) fn account(path: &Path) -> Result<String, Error> {
    Ok(read(path)?.client_email)
}

fn read(path: &Path) -> Result<ServiceAccountKey, Error> {
    let text = std::fs::read(path).map_err(|error| unusable(&error.to_string()))?;
    // The parser's words may quote the key.
    let key = yup_oauth2::parse_service_account_key(text).map_err(|_| unusable("it is no service account's key"))?;
    if key.key_type.as_deref().is_some_and(|kind| kind != "service_account") {
        return Err(unusable("it is another kind of credentials than a service account's key"));
    }
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
