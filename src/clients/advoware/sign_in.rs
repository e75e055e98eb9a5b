//! Getting a new token from the vendor's security service.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::classify::{Refusal, configuration};
use super::error::Error;
use super::options::Options;
use super::signature::signature;
use crate::clients::{Call, Secret, http};

/// A token is given up this long before it ends, so that a call under way does not meet the end.
const MARGIN: TimeDelta = TimeDelta::seconds(60);
/// A token that has just been issued is worth at least this, even where the clocks disagree; a 401 tells the truth.
const SHORTEST: Duration = Duration::from_secs(30);
/// Enough for any token or error text.
const MAX_BYTES: usize = 256 * 1024;

/// What makes one sign-in differ from the next.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Never used twice; a UUID.
    pub nonce: String,
    /// The time now, UTC.
    pub now: DateTime<Utc>,
}

impl Stamp {
    /// A random nonce and the system clock.
    #[must_use]
    pub fn current() -> Self {
        Self { nonce: uuid::Uuid::new_v4().to_string(), now: Utc::now() }
    }
}

/// A token, and how long it may be used.
pub(super) struct Issued {
    pub(super) token: Secret,
    pub(super) time_to_live: Duration,
}

/// Signs in once. Whatever fails here, nothing of the caller's own request has been sent.
pub(super) async fn sign_in(connections: &reqwest::Client, options: &Options, stamp: &Stamp) -> Result<Issued, Error> {
    let call = Call { method: Method::POST, path: options.auth_url.to_string() };
    let not_sent = |cause| Error::NotSent { call: call.clone(), cause };
    let request = body(options, stamp)?;
    let answer = connections.post(options.auth_url.clone()).json(&request).send().await;
    let answer =
        answer.map_err(|error| not_sent(http::transport(error, options.timeout).unwrap_or_else(|cause| cause)))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = http::read(answer, MAX_BYTES, options.timeout).await.map_err(not_sent)?;
    judged(options, stamp.now, status, &headers, &body, &call)
}

fn judged(
    options: &Options,
    now: DateTime<Utc>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    call: &Call,
) -> Result<Issued, Error> {
    let secrets = [options.password.expose(), options.api_key.expose()];
    if !status.is_success() {
        let retry_after = http::retry_after(headers, now);
        return Err(Refusal { status, body, retry_after, hidden: &secrets }.of_sign_in(call.clone()));
    }
    let answer = http::json(body).unwrap_or_default();
    match answer["access_token"].as_str().filter(|token| !token.trim().is_empty()) {
        Some(token) => Ok(Issued {
            token: Secret::new(token.trim()),
            time_to_live: time_to_live(&answer, now, options.token_lifetime),
        }),
        None => Err(configuration(&format!(
            "the sign-in at {} answered {status} without an access_token ({}). Please check ADVOWARE_AUTH_URL",
            call.path,
            http::described(body, &secrets)
        ))),
    }
}

fn body(options: &Options, stamp: &Stamp) -> Result<Value, Error> {
    let timestamp = stamp.now.to_rfc3339_opts(SecondsFormat::Millis, true);
    let signed = signature(options.product_id, &options.app_id, &stamp.nonce, &timestamp, options.api_key.expose())
        .map_err(|_| configuration("ADVOWARE_API_KEY is not base64. Please copy it again from the vendor's mail"))?;
    Ok(json!({
        "AppID": options.app_id,
        "Kanzlei": options.kanzlei,
        "Database": options.database,
        "User": options.user,
        "Role": options.role,
        "Product": options.product_id,
        "Password": options.password.expose(),
        "Nonce": stamp.nonce,
        "HMAC512Signature": signed,
        "RequestTimeStamp": timestamp,
    }))
}

/// The earliest of the configured lifetime, `expires_in` and `expiration_utc`, less a margin.
fn time_to_live(answer: &Value, now: DateTime<Utc>, lifetime: Duration) -> Duration {
    let seconds = match &answer["expires_in"] {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64().or_else(|| other.as_str()?.parse().ok()),
    };
    let seconds = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    let stated = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let until = answer["expiration_utc"].as_str().and_then(utc).map(|at| (at - now).to_std().unwrap_or_default());
    let margin = MARGIN.to_std().unwrap_or_default();
    let stated = [stated, until].into_iter().flatten().min().map(|left| left.saturating_sub(margin).max(SHORTEST));
    stated.map_or(lifetime, |left| left.min(lifetime))
}

/// A UTC time with or without an offset.
fn utc(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let aware = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    aware.ok().or_else(|| {
        let naive = NaiveDateTime::parse_from_str(&text.replace(' ', "T"), "%Y-%m-%dT%H:%M:%S%.f").ok()?;
        Some(naive.and_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_end_counts() {
        let now = DateTime::parse_from_rfc3339("2026-08-30T00:00:00Z").unwrap().to_utc();
        let check = |answer: Value, expected: u64| {
            let left = time_to_live(&answer, now, Duration::from_mins(55));
            assert_eq!(left, Duration::from_secs(expected), "{answer}");
        };
        check(json!({}), 3300);
        check(json!({ "expires_in": 7200 }), 3300);
        check(json!({ "expires_in": 600 }), 540);
        check(json!({ "expires_in": "600" }), 540);
        check(json!({ "expires_in": 600, "expiration_utc": "2026-08-30T00:05:00Z" }), 240);
        check(json!({ "expires_in": 120, "expiration_utc": "2026-08-30T00:05:00.1234567" }), 60);
        check(json!({ "expiration_utc": "2026-08-30 00:05:00" }), 240);
        check(json!({ "expiration_utc": "2026-08-30T02:05:00+02:00" }), 240);
        check(json!({ "expiration_utc": "2026-08-29T23:00:00Z" }), 30);
        check(json!({ "expires_in": 5 }), 30);
        check(json!({ "expires_in": -1, "expiration_utc": "soon" }), 3300);
    }
}
