//! Finding the API's base URL by the firm's name.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::address;
use super::classify::configuration;
use super::error::Error;
use super::options::Options;
use crate::clients::{Call, Cause, http};

/// The vendor may move a firm; nobody should have to restart for that.
const ASK_AGAIN_AFTER: Duration = Duration::from_hours(1);
const MAX_BYTES: usize = 64 * 1024;

/// The base URL: fixed by the settings, or looked up and remembered for an hour.
pub(super) enum Base {
    Fixed(Url),
    Discovered(Mutex<Option<(Url, Instant)>>),
}

impl Base {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        match options.base_url.clone() {
            Some(url) => address::base(url)
                .map(Self::Fixed)
                .map_err(|reason| configuration(&format!("ADVOWARE_API_BASE_URL: {reason}"))),
            None => Ok(Self::Discovered(Mutex::new(None))),
        }
    }

    pub(super) async fn current(&self, connections: &reqwest::Client, options: &Options) -> Result<Url, Error> {
        let known = match self {
            Self::Fixed(url) => return Ok(url.clone()),
            Self::Discovered(known) => known,
        };
        let mut known = known.lock().await;
        match &*known {
            Some((url, asked)) if asked.elapsed() < ASK_AGAIN_AFTER => return Ok(url.clone()),
            _ => {}
        }
        let found = match (discover(connections, options).await, &*known) {
            (Ok(url), _) => url,
            // The old answer beats none; it is asked again after the same time.
            (Err(error), Some((url, _))) => {
                tracing::warn!(%error, "advoware discovery failed, keeping the address of before");
                url.clone()
            }
            (Err(error), None) => return Err(error),
        };
        *known = Some((found.clone(), Instant::now()));
        Ok(found)
    }
}

async fn discover(connections: &reqwest::Client, options: &Options) -> Result<Url, Error> {
    let call = Call { method: Method::GET, path: options.discovery_url.to_string() };
    let not_sent = |cause| Error::NotSent { call: call.clone(), cause };
    let request = connections.get(options.discovery_url.clone()).query(&[("Kanzlei", &options.kanzlei)]);
    let answer = request
        .send()
        .await
        .map_err(|error| not_sent(http::transport(error, options.timeout).unwrap_or_else(|cause| cause)))?;
    let status = answer.status();
    let body = http::read(answer, MAX_BYTES, options.timeout).await.map_err(not_sent)?;
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        let text = http::snippet(&http::text(&body), &[]);
        return Err(not_sent(Cause::Status { status: status.as_u16(), text }));
    }
    let found = if status.is_success() { chosen(&http::json(&body).unwrap_or_default()) } else { None };
    let url = found.ok_or_else(|| {
        configuration(&format!(
            "Advoware's discovery knows no address for this Kanzlei ({status}: {}). Please check ADVOWARE_KANZLEI or set \
             ADVOWARE_API_BASE_URL",
            http::snippet(&http::text(&body), &[])
        ))
    })?;
    if options.discovery_url.scheme() == "https" && url.scheme() != "https" {
        return Err(configuration(
            "Advoware's discovery named an unencrypted address. Please set ADVOWARE_API_BASE_URL by hand",
        ));
    }
    Ok(url)
}

/// `connectorUrl` where it is set, else `relayUrl` (contract, "Discovery").
fn chosen(answer: &Value) -> Option<Url> {
    ["connectorUrl", "relayUrl"]
        .iter()
        .filter_map(|name| answer[name].as_str().map(str::trim).filter(|text| !text.is_empty()))
        .find_map(|text| address::base(Url::parse(text).ok()?).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_connector_counts_before_the_relay() {
        let check = |answer: Value, expected: Option<&str>| {
            assert_eq!(chosen(&answer).as_ref().map(Url::as_str), expected, "{answer}");
        };
        check(json!({ "relayUrl": "https://r/a/", "connectorUrl": null }), Some("https://r/a/"));
        check(json!({ "relayUrl": "https://r/", "connectorUrl": "https://c/x" }), Some("https://c/x/"));
        check(json!({ "relayUrl": "https://r/", "connectorUrl": "" }), Some("https://r/"));
        check(json!({ "relayUrl": "file:///etc" }), None);
        check(json!("nothing"), None);
    }
}
