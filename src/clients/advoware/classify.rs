//! From an answer's status and body to an error. Pure.

use std::time::Duration;

use reqwest::StatusCode;

use super::error::Error;
use crate::clients::http::{described, is_html, snippet, text};
use crate::clients::{Call, Cause};

/// What the vendor's gateway says while the firm's own server is away: passes by itself.
const OFFLINE: &str = "ist nicht angemeldet";
/// Faults of the registration or the credentials (contract, "Errors"), and the settings to look at.
const CONFIGURATION: [(&str, &str); 3] = [
    ("freigeschaltet", "have the vendor release ADVOWARE_APP_ID for this Kanzlei"),
    ("ist nicht registriert", "check ADVOWARE_KANZLEI, ADVOWARE_DATABASE and ADVOWARE_APP_ID"),
    ("falscher name oder falsches kennwort", "check ADVOWARE_USER and ADVOWARE_PASSWORD"),
];

/// An answer that is not 2xx, read far enough.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<Duration>,
    /// Replaced wherever the body repeats them.
    pub(super) hidden: &'a [&'a str],
}

impl Refusal<'_> {
    fn words(&self) -> String {
        snippet(&text(self.body), self.hidden)
    }

    fn says(&self, phrase: &str) -> bool {
        text(self.body).to_lowercase().contains(phrase)
    }

    fn passing(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT
    }

    fn passing_cause(&self) -> Cause {
        Cause::Status { status: self.status.as_u16(), text: self.words() }
    }

    /// The error for a call to Advoware's data.
    pub(super) fn of_call(&self, call: Call) -> Error {
        let status = self.status.as_u16();
        match status {
            _ if self.passing() => Error::Unknown { call, cause: self.passing_cause() },
            _ if !self.status.is_client_error() => {
                let came = format!("{status}, a redirect or the like, which is not followed");
                Error::Unknown { call, cause: Cause::Unreadable(came) }
            }
            _ if self.says(OFFLINE) => Error::NotSent { call, cause: Cause::Offline(self.words()) },
            401 => Error::Unauthorised { call, message: self.words() },
            404 if is_html(self.body) => {
                Error::Misdirected { call, came: format!("404, {}", described(self.body, self.hidden)) }
            }
            404 => Error::NotFound { call },
            429 => Error::RateLimited { call, retry_after: self.retry_after },
            _ => Error::Rejected { call, status, message: self.words() },
        }
    }

    /// The error for a sign-in. The texts count before the status, because the status of these faults is not known.
    pub(super) fn of_sign_in(&self, call: Call) -> Error {
        let status = self.status.as_u16();
        if self.says(OFFLINE) {
            return Error::NotSent { call, cause: Cause::Offline(self.words()) };
        }
        if let Some((_, hint)) = CONFIGURATION.iter().find(|(phrase, _)| self.says(phrase)) {
            return configuration(&format!("Advoware refused the sign-in ({status}): {}. Please {hint}", self.words()));
        }
        match status {
            _ if self.passing() => Error::NotSent { call, cause: self.passing_cause() },
            429 => Error::RateLimited { call, retry_after: self.retry_after },
            _ => configuration(&format!(
                "Advoware refused the sign-in at {} ({status}): {}. Please check ADVOWARE_AUTH_URL and the sign-in settings",
                call.path,
                self.words()
            )),
        }
    }
}

pub(super) fn configuration(message: &str) -> Error {
    Error::Configuration { message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal<'_> {
        let status = StatusCode::from_u16(status).unwrap();
        Refusal { status, body: body.as_bytes(), retry_after: Some(Duration::from_secs(3)), hidden: &["pass word"] }
    }

    fn call() -> Call {
        Call { method: Method::POST, path: "X".to_owned() }
    }

    fn kind(error: &Error) -> String {
        format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn answers_to_calls() {
        let check = |status, body: &str, expected: &str| {
            let error = refusal(status, body).of_call(call());
            assert_eq!(kind(&error), expected, "{status} {body}");
        };
        check(500, "", "Unknown");
        check(503, "Der Server ist nicht angemeldet", "Unknown");
        check(408, "", "Unknown");
        check(302, "", "Unknown");
        check(400, "Der Server ist nicht angemeldet", "NotSent");
        check(400, "Ungültig", "Rejected");
        check(403, "", "Rejected");
        check(401, "", "Unauthorised");
        check(404, "", "NotFound");
        check(404, r#"{"message":"not found"}"#, "NotFound");
        check(404, "<!DOCTYPE html><p>404", "Misdirected");
        check(429, "", "RateLimited");
    }

    #[test]
    fn answers_to_the_sign_in() {
        let check = |status, body: &str, expected: &str, down: bool| {
            let error = refusal(status, body).of_sign_in(call());
            assert_eq!((kind(&error).as_str(), error.upstream_down()), (expected, down), "{status} {body}");
            assert!(!error.effect_unknown(), "{status} {body}");
        };
        check(400, "Die Anwendung ist nicht für die Kanzlei freigeschaltet", "Configuration", false);
        check(500, "Die Kanzlei X ist nicht registriert", "Configuration", false);
        check(401, "Falscher Name oder falsches Kennwort", "Configuration", false);
        check(400, "Die Kanzlei ist nicht angemeldet", "NotSent", true);
        check(502, "", "NotSent", true);
        check(429, "", "RateLimited", false);
        check(404, "<html>", "Configuration", false);
        check(302, "", "Configuration", false);
    }

    #[test]
    fn sentences_name_the_request_and_hide_secrets() {
        let error = refusal(400, "Kennwort pass word ungültig").of_call(call());
        assert_eq!(error.to_string(), "Advoware refused POST X with 400: Kennwort *** ungültig");
    }
}
