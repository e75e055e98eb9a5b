//! Asking a down upstream whether it is back.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::clients::{advoware, espocrm};
use crate::sync::record::execute::{ADVOWARE, ESPOCRM};
use crate::worker::Probe;

/// A sign-in that was refused is tried this seldom: EspoCRM locks an address out after ten bad ones a minute, and
/// Advoware may lock the account.
const REFUSED_AGAIN: Duration = Duration::from_mins(1);

/// Remembers a refusal for a while, so that probing does not make it worse.
#[derive(Default)]
struct Patience(Mutex<Option<(Instant, String)>>);

impl Patience {
    fn refusal(&self) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|(at, _)| at.elapsed() > REFUSED_AGAIN) {
            *kept = None;
        }
        kept.as_ref().map(|(_, message)| message.clone())
    }

    fn remember(&self, message: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), message.to_owned()));
    }
}

/// Probes Advoware.
pub(super) struct AdvowareProbe {
    client: advoware::Client,
    patience: Patience,
}

impl AdvowareProbe {
    pub(super) fn new(client: advoware::Client) -> Self {
        Self { client, patience: Patience::default() }
    }
}

#[async_trait]
impl Probe for AdvowareProbe {
    fn name(&self) -> &'static str {
        ADVOWARE
    }

    async fn ping(&self) -> Result<(), String> {
        if let Some(refusal) = self.patience.refusal() {
            return Err(refusal);
        }
        match self.client.ping().await {
            Ok(()) => Ok(()),
            Err(error) if error.is_configuration() => {
                self.patience.remember(&error.to_string());
                Err(error.to_string())
            }
            Err(error) if error.upstream_down() => Err(error.to_string()),
            // It answers, if only with a refusal of this very call.
            Err(_) => Ok(()),
        }
    }
}

/// Probes EspoCRM.
pub(super) struct EspocrmProbe {
    client: espocrm::Client,
    patience: Patience,
}

impl EspocrmProbe {
    pub(super) fn new(client: espocrm::Client) -> Self {
        Self { client, patience: Patience::default() }
    }
}

#[async_trait]
impl Probe for EspocrmProbe {
    fn name(&self) -> &'static str {
        ESPOCRM
    }

    async fn ping(&self) -> Result<(), String> {
        if let Some(refusal) = self.patience.refusal() {
            return Err(refusal);
        }
        match self.client.ping().await {
            Ok(()) => Ok(()),
            Err(error) if error.is_configuration() || matches!(error, espocrm::Error::LockedOut { .. }) => {
                self.patience.remember(&error.to_string());
                Err(error.to_string())
            }
            Err(error) if error.upstream_down() => Err(error.to_string()),
            Err(_) => Ok(()),
        }
    }
}
