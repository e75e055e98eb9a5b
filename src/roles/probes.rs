//! Asking a down upstream whether it is back.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::clients::{ADVOWARE, ESPOCRM, GOOGLE, advoware, espocrm, google};
use crate::worker::Probe;

/// A sign-in that was refused is tried this seldom: EspoCRM locks an address out after ten bad ones a minute, and
/// Advoware may lock the account.
const REFUSED_AGAIN: Duration = Duration::from_mins(1);

/// What an upstream said to a probe.
enum Answer {
    /// It works, if only to refuse this very call.
    Up,
    /// It is away or broken.
    Down(String),
    /// It refuses to let us in.
    Refused(String),
}

/// Probes one upstream, and stays away for a while after a refusal.
pub(super) struct UpstreamProbe<C> {
    name: &'static str,
    client: C,
    refused: Mutex<Option<(Instant, String)>>,
}

#[async_trait]
trait Ask {
    async fn ask(&self) -> Answer;
}

#[async_trait]
impl Ask for advoware::Client {
    async fn ask(&self) -> Answer {
        match self.ping().await {
            Err(error) if error.is_configuration() => Answer::Refused(error.to_string()),
            Err(error) if error.upstream_down() => Answer::Down(error.to_string()),
            Ok(()) | Err(_) => Answer::Up,
        }
    }
}

#[async_trait]
impl Ask for espocrm::Client {
    async fn ask(&self) -> Answer {
        match self.ping().await {
            Err(error @ espocrm::Error::LockedOut { .. }) => Answer::Refused(error.to_string()),
            Err(error) if error.is_configuration() => Answer::Refused(error.to_string()),
            Err(error) if error.upstream_down() => Answer::Down(error.to_string()),
            Ok(()) | Err(_) => Answer::Up,
        }
    }
}

#[async_trait]
impl Ask for google::Client {
    async fn ask(&self) -> Answer {
        match self.ping().await {
            Err(error) if error.is_configuration() => Answer::Refused(error.to_string()),
            // Nothing was sent, so nothing is known.
            Err(error @ google::Error::Limiter { .. }) => Answer::Down(error.to_string()),
            Err(error) if error.upstream_down() => Answer::Down(error.to_string()),
            Ok(()) | Err(_) => Answer::Up,
        }
    }
}

/// Probes Advoware.
pub(super) const fn advoware(client: advoware::Client) -> UpstreamProbe<advoware::Client> {
    UpstreamProbe { name: ADVOWARE, client, refused: Mutex::new(None) }
}

/// Probes EspoCRM.
pub(super) const fn espocrm(client: espocrm::Client) -> UpstreamProbe<espocrm::Client> {
    UpstreamProbe { name: ESPOCRM, client, refused: Mutex::new(None) }
}

/// Probes Google Calendar.
pub(super) const fn google(client: google::Client) -> UpstreamProbe<google::Client> {
    UpstreamProbe { name: GOOGLE, client, refused: Mutex::new(None) }
}

impl<C> UpstreamProbe<C> {
    fn fresh_refusal(&self) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().filter(|(at, _)| at.elapsed() < REFUSED_AGAIN).map(|(_, message)| message.clone())
    }
}

#[async_trait]
impl<C: Ask + Send + Sync + 'static> Probe for UpstreamProbe<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn ping(&self) -> Result<(), String> {
        if let Some(refusal) = self.fresh_refusal() {
            return Err(refusal);
        }
        match self.client.ask().await {
            Answer::Up => Ok(()),
            Answer::Down(message) => Err(message),
            Answer::Refused(message) => {
                let refused = Some((Instant::now(), message.clone()));
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
                Err(message)
            }
        }
    }
}
