//! The push channel of a calendar: opened, renewed before it ends or when the settings change, stopped where pushes are
//! turned off. A hint only, so no refusal of Google's fails a run.

use std::time::Duration;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use url::Url;

use super::Sync;
use super::calendar::store;
use crate::clients::Secret;
use crate::clients::google::{self, NewChannel};
use crate::sync::ledger::calendar::{CalendarLedger, Channel, State};
use crate::worker::{Failure, Run};

/// As long as Google allows (contract "Push").
const TTL: Duration = Duration::from_hours(7 * 24);
/// A channel that ends sooner than this is renewed: the daily sweep has a second chance before it ends.
const RENEWED_BEFORE: TimeDelta = TimeDelta::days(2);

/// Where Google tells that a calendar changed.
#[derive(Debug, Clone)]
pub struct Push {
    /// The ingress' route as Google reaches it.
    pub address: Url,
    /// What every push carries.
    pub token: Secret,
}

impl Sync {
    /// Keeps the calendar's channel as the settings want it.
    pub(super) async fn keep_channel(
        &self,
        kuerzel: &str,
        ledger: &CalendarLedger,
        state: &mut State,
        run: &Run,
    ) -> Result<(), Failure> {
        let Some(calendar) = state.calendar.clone() else { return Ok(()) };
        let as_wanted = match (&self.push, &state.channel) {
            (None, None) => true,
            (Some(push), Some(it)) => {
                it.expires - run.now() > RENEWED_BEFORE && it.opened_with == digest(push, kuerzel)
            }
            _ => false,
        };
        if as_wanted {
            return Ok(());
        }
        let old = state.channel.take();
        if let Some(push) = &self.push {
            let channel = NewChannel {
                id: uuid::Uuid::new_v4().to_string(),
                token: push.token.clone(),
                address: address(push, kuerzel),
                ttl: TTL,
            };
            run.check()?;
            match self.google.watch(&calendar, &channel).await {
                Ok(google::Channel { resource_id, expires_at }) => {
                    let expires = expires_at.unwrap_or_else(|| run.now() + TTL);
                    let opened_with = digest(push, kuerzel);
                    state.channel = Some(Channel { id: channel.id, resource_id, expires, opened_with });
                }
                Err(error) => {
                    tracing::warn!(kuerzel, %error, "google does not push changes of a calendar");
                    return Ok(());
                }
            }
        }
        // The new one first: pushes may come twice, never not at all.
        store(ledger, state, run).await?;
        if let Some(old) = old
            && let Err(error) = self.google.stop_channel(&old.id, &old.resource_id).await
        {
            tracing::debug!(kuerzel, %error, "a push channel was not stopped and ends by itself");
        }
        Ok(())
    }
}

/// The ingress has to know whose calendar a push is about.
fn address(push: &Push, kuerzel: &str) -> Url {
    let mut url = push.address.clone();
    url.query_pairs_mut().append_pair("kuerzel", kuerzel);
    url
}

/// What a channel cannot be told anew: with another address or token it would push in vain until it ends.
fn digest(push: &Push, kuerzel: &str) -> String {
    let text = format!("{} {}", address(push, kuerzel), push.token.expose());
    hex::encode(Sha256::digest(text.as_bytes()))
}
