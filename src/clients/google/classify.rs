//! From an answer's status and body to an error. Pure.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::error::Error;
use crate::clients::http::{self, described, snippet};
use crate::clients::{Call, Cause};

/// What Google says after many new calendars or shares, whatever the reason is called.
const USAGE: &str = "usage limits exceeded";

/// What a 410 to a call would be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The thing that the path names.
    Thing,
    /// The sync token in the query.
    SyncToken,
}

/// An answer that is not 2xx, read far enough.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<Duration>,
    pub(super) gone: Gone,
    /// Replaced wherever the body repeats them.
    pub(super) hidden: &'a [&'a str],
}

impl Refusal<'_> {
    /// The error for a call (contract, "Limits").
    pub(super) fn into_error(self, call: Call) -> Error {
        let status = self.status.as_u16();
        let (reason, message) = self.words();
        let (reason, message) = (snippet(&reason, self.hidden), snippet(&message, self.hidden));
        match status {
            408 | 500..=599 => Error::Unknown { call, cause: Cause::Status { status, text: message } },
            400..=499 => self.refused(call, status, reason, message),
            _ => {
                let came = format!("{status}, a redirect or the like, which is not followed");
                Error::Unknown { call, cause: Cause::Unreadable(came) }
            }
        }
    }

    fn refused(&self, call: Call, status: u16, reason: String, message: String) -> Error {
        match (status, reason.as_str()) {
            (401, _) => Error::Unauthorised { call, message },
            (429, _) | (403, "rateLimitExceeded" | "userRateLimitExceeded") => {
                Error::RateLimited { call, retry_after: self.retry_after }
            }
            (403, "quotaExceeded" | "dailyLimitExceeded") => Error::QuotaExceeded { call },
            (403, _) if says(&message, USAGE) => Error::QuotaExceeded { call },
            (403, "accessNotConfigured") => Error::Configuration {
                message: format!(
                    "the Google Calendar API is not enabled for the service account's project: {message}. Please enable \
                     it in the Google Cloud console"
                ),
            },
            (403, _) => Error::Forbidden { call, reason, message },
            // A proxy's page says nothing about the event.
            (404 | 410, _) if !self.is_from_the_api() => {
                Error::Misdirected { call, came: format!("{status}, {}", described(self.body, self.hidden)) }
            }
            (410, "fullSyncRequired" | "updatedMinTooLongAgo") => Error::SyncTokenGone { call },
            (410, _) if self.gone == Gone::SyncToken => Error::SyncTokenGone { call },
            // A token that is malformed and not only too old.
            (400, _) if self.gone == Gone::SyncToken && says(&message, "sync token") => Error::SyncTokenGone { call },
            (404 | 410, _) => Error::NotFound { call },
            // Only an insert chooses an id.
            (409, _) if call.method == Method::POST => Error::Exists { call },
            (412, _) => Error::Changed { call },
            _ => Error::Rejected { call, status, reason, message },
        }
    }

    /// Google answers an object; anything else comes from a proxy or from a wrong address.
    fn is_from_the_api(&self) -> bool {
        self.body.trim_ascii().is_empty() || http::json(self.body).is_some_and(|body| body.is_object())
    }

    /// Google's reason and message; an unknown body is all message.
    fn words(&self) -> (String, String) {
        let body = http::json(self.body).unwrap_or_default();
        let word = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let reason = word("/error/errors/0/reason").or_else(|| word("/error/status")).unwrap_or_default();
        (reason, word("/error/message").unwrap_or_else(|| http::text(self.body)))
    }
}

fn says(message: &str, phrase: &str) -> bool {
    message.to_lowercase().contains(phrase)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(method: Method, status: u16, body: &str, gone: Gone) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal { status, body: body.as_bytes(), retry_after: None, gone, hidden: &["geheim"] };
        let error = refusal.into_error(Call { method, path: "X".to_owned() });
        assert!(!error.to_string().contains("geheim"));
        format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn answers_become_errors() {
        let check = |status, reason: &str, expected: &str| {
            let body = json!({ "error": { "message": "geheim", "errors": [{ "reason": reason }] } }).to_string();
            assert_eq!(of(Method::POST, status, &body, Gone::Thing), expected, "{status} {reason}");
        };
        check(403, "rateLimitExceeded", "RateLimited");
        check(403, "userRateLimitExceeded", "RateLimited");
        check(429, "", "RateLimited");
        check(403, "quotaExceeded", "QuotaExceeded");
        check(403, "dailyLimitExceeded", "QuotaExceeded");
        check(403, "accessNotConfigured", "Configuration");
        check(403, "requiredAccessLevel", "Forbidden");
        check(403, "forbiddenForNonOrganizer", "Forbidden");
        check(403, "forbiddenForServiceAccounts", "Forbidden");
        check(401, "authError", "Unauthorised");
        check(404, "notFound", "NotFound");
        check(410, "deleted", "NotFound");
        check(409, "duplicate", "Exists");
        check(412, "conditionNotMet", "Changed");
        check(400, "invalid", "Rejected");
        check(408, "", "Unknown");
        check(500, "backendError", "Unknown");
        check(302, "", "Unknown");
        check(410, "fullSyncRequired", "SyncTokenGone");
        assert_eq!(of(Method::PUT, 409, "", Gone::Thing), "Rejected", "only an insert meets a taken id");
    }

    #[test]
    fn sync_tokens() {
        let check = |status, body: &str, gone, expected: &str| {
            assert_eq!(of(Method::GET, status, body, gone), expected, "{status} {body} {gone:?}");
        };
        let malformed = r#"{"error":{"message":"Invalid sync token value."}}"#;
        check(410, "", Gone::SyncToken, "SyncTokenGone");
        check(410, "", Gone::Thing, "NotFound");
        check(410, "<html>", Gone::SyncToken, "Misdirected");
        check(400, malformed, Gone::SyncToken, "SyncTokenGone");
        check(400, malformed, Gone::Thing, "Rejected");
        check(400, "{}", Gone::SyncToken, "Rejected");
        check(404, "{}", Gone::SyncToken, "NotFound");
    }

    #[test]
    fn a_reason_is_shown_like_a_message() {
        let reason = format!("a\n\u{1b}[31m geheim {}", "r".repeat(2_000));
        let body = json!({ "error": { "message": "x", "errors": [{ "reason": reason }] } }).to_string();
        let refusal = Refusal {
            status: StatusCode::BAD_REQUEST,
            body: body.as_bytes(),
            retry_after: None,
            gone: Gone::Thing,
            hidden: &["geheim"],
        };
        let shown = refusal.into_error(Call::get("X".to_owned())).to_string();
        assert!(shown.contains("(a [31m *** rrr") && shown.len() < 400 && !shown.contains(char::is_control), "{shown}");
    }

    #[test]
    fn other_bodies_are_tolerated() {
        let check = |status, body: &str, expected: &str| {
            assert_eq!(of(Method::POST, status, body, Gone::Thing), expected, "{body}");
        };
        check(404, "", "NotFound");
        check(404, "\u{feff}{}", "NotFound");
        check(404, "<!DOCTYPE html>", "Misdirected");
        check(404, "404 page not found", "Misdirected");
        check(410, "<html>", "Misdirected");
        check(403, "<html>", "Forbidden");
        check(403, r#"{"error":[1]}"#, "Forbidden");
        check(403, "", "Forbidden");
        check(503, "<html>", "Unknown");
        check(403, r#"{"error":{"message":"Calendar usage limits exceeded."}}"#, "QuotaExceeded");
    }
}
