//! From an answer's status and body to an error. Pure.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::error::Error;
use crate::clients::http::{self, described, is_html, snippet};
use crate::clients::{Call, Cause};

/// An answer that is not 2xx, read far enough.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<Duration>,
    /// Replaced wherever the body repeats it.
    pub(super) token: &'a str,
}

impl Refusal<'_> {
    /// The error for a call (contract, "Limits").
    pub(super) fn into_error(self, call: Call) -> Error {
        let status = self.status.as_u16();
        let (reason, message) = self.words();
        let message = snippet(&message, &[self.token]);
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
            (403, "quotaExceeded") => Error::QuotaExceeded { call },
            (403, _) if message.contains("Calendar usage limits exceeded") => Error::QuotaExceeded { call },
            (403, _) => Error::Forbidden { call, reason, message },
            // A proxy's page says nothing about the event.
            (404 | 410, _) if is_html(self.body) => {
                Error::Misdirected { call, came: format!("{status}, {}", described(self.body, &[self.token])) }
            }
            (409, _) => Error::Exists { call },
            (410, _) if call.method == Method::GET => Error::SyncTokenGone { call },
            (404 | 410, _) => Error::NotFound { call },
            (412, _) => Error::Changed { call },
            _ => Error::Rejected { call, status, reason, message },
        }
    }

    /// Google's reason and message; an unknown body is all message.
    fn words(&self) -> (String, String) {
        let body = http::json(self.body).unwrap_or_default();
        let word = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let reason = word("/error/errors/0/reason").or_else(|| word("/error/status")).unwrap_or_default();
        (reason, word("/error/message").unwrap_or_else(|| http::text(self.body)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(method: Method, status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal { status, body: body.as_bytes(), retry_after: None, token: "geheim" };
        let error = refusal.into_error(Call { method, path: "X".to_owned() });
        assert!(!error.to_string().contains("geheim"));
        format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn answers_become_errors() {
        let check = |status, reason: &str, expected: &str| {
            let body = json!({ "error": { "message": "geheim", "errors": [{ "reason": reason }] } }).to_string();
            assert_eq!(of(Method::PUT, status, &body), expected, "{status} {reason}");
        };
        check(403, "rateLimitExceeded", "RateLimited");
        check(403, "userRateLimitExceeded", "RateLimited");
        check(429, "", "RateLimited");
        check(403, "quotaExceeded", "QuotaExceeded");
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
        assert_eq!(of(Method::GET, 410, ""), "SyncTokenGone");
    }

    #[test]
    fn other_bodies_are_tolerated() {
        let check = |status, body: &str, expected: &str| assert_eq!(of(Method::POST, status, body), expected, "{body}");
        check(404, "<!DOCTYPE html>", "Misdirected");
        check(403, "", "Forbidden");
        check(503, "<html>", "Unknown");
        check(403, r#"{"error":{"message":"Calendar usage limits exceeded."}}"#, "QuotaExceeded");
    }
}
