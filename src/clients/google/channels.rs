//! Push channels: Google calls an address of ours when a calendar changed. A hint only, and without a renewal of its own
//! (contract, "Push").

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::client::Client;
use super::error::Error;
use super::exchange::{Request, unreadable};
use crate::clients::{Secret, http};

/// A channel to be opened.
#[derive(Debug, Clone)]
pub struct NewChannel {
    /// Ours to choose, never used before; a UUID.
    pub id: String,
    /// Comes back with every push, so that nobody else can send one.
    pub token: Secret,
    /// Where Google calls: public HTTPS with a certificate that browsers trust.
    pub address: Url,
    /// For how long; Google may grant less (at most 7 days).
    pub ttl: Duration,
}

/// A channel that Google opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Google's id of what is watched; needed to stop the channel.
    pub resource_id: String,
    /// When it ends by itself, UTC, where Google says so.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Client {
    /// Asks for a push whenever an event of `calendar` changes. Not idempotent: after [`Error::Unknown`] open another
    /// channel; the lost one ends by itself.
    pub async fn watch(&self, calendar: &str, channel: &NewChannel) -> Result<Channel, Error> {
        let path = ["calendars", calendar, "events", "watch"];
        let body = json!({
            "id": channel.id,
            "type": "web_hook",
            "address": channel.address.as_str(),
            "token": channel.token.expose(),
            "params": { "ttl": channel.ttl.as_secs().to_string() },
        });
        let secret = channel.token.expose();
        let request = Request { body: Some(&body), secret, ..Request::new(Method::POST, &path) };
        let opened = self.exchange(&request).await?;
        opened_channel(&opened).ok_or_else(|| unreadable(&request.call(), "a channel without a resourceId"))
    }

    /// Ends a channel. One that has ended already is a success.
    pub async fn stop_channel(&self, id: &str, resource_id: &str) -> Result<(), Error> {
        let body = json!({ "id": id, "resourceId": resource_id });
        let path = ["channels", "stop"];
        let request = Request { body: Some(&body), ..Request::new(Method::POST, &path) };
        match self.send(&request).await {
            Ok(body) if http::is_html(&body) => Err(unreadable(&request.call(), &http::described(&body, &[]))),
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn opened_channel(answer: &Value) -> Option<Channel> {
    let resource_id = answer["resourceId"].as_str().filter(|id| !id.is_empty())?.to_owned();
    // Milliseconds, as text in Google's answers.
    let expiration = &answer["expiration"];
    let millis = expiration.as_i64().or_else(|| expiration.as_str()?.parse().ok());
    Some(Channel { resource_id, expires_at: millis.and_then(DateTime::from_timestamp_millis) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opened_channels_are_read_tolerantly() {
        let check = |answer: Value, expected: Option<(&str, Option<i64>)>| {
            let found = opened_channel(&answer);
            let found = found.map(|channel| (channel.resource_id, channel.expires_at.map(|at| at.timestamp())));
            assert_eq!(found, expected.map(|(id, at)| (id.to_owned(), at)), "{answer}");
        };
        check(json!({ "resourceId": "r", "expiration": "1426325213000" }), Some(("r", Some(1_426_325_213))));
        check(json!({ "resourceId": "r", "expiration": 1_426_325_213_000_i64 }), Some(("r", Some(1_426_325_213))));
        check(json!({ "resourceId": "r", "expiration": "soon" }), Some(("r", None)));
        check(json!({ "resourceId": "r" }), Some(("r", None)));
        check(json!({ "resourceId": "" }), None);
        check(json!([]), None);
    }
}
