//! The answer to whoever is not let in: the same for trigger, proxy and console.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use super::token::Scope;

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No token came along.
    Missing,
    /// Nobody has this token.
    Wrong,
    /// Nobody has this token, and there were many like it.
    TooMany(Duration),
    /// The token is good and opens other things.
    Scope {
        /// Whose token it is.
        caller: String,
        /// What it lacks.
        needed: Scope,
    },
}

impl Refusal {
    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Scope { .. } => StatusCode::FORBIDDEN,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Wrong => "token_required",
            Self::TooMany(_) => "too_many_attempts",
            Self::Scope { .. } => "scope_missing",
        }
    }

    /// What to do.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Missing | Self::Wrong => {
                "the token is missing or wrong: send `Authorization: Bearer <token>` with the \
                 value of ADVOSYNC_API_TOKEN or a token of ADVOSYNC_CALLERS_FILE"
                    .to_owned()
            }
            Self::TooMany(wait) => format!(
                "too many wrong tokens came from this address: correct the token, then try again; the next wrong one \
                 is looked at in {} seconds",
                seconds(*wait)
            ),
            Self::Scope { caller, needed } => format!(
                "the token of `{caller}` does not open this: it needs the scope `{0}` (or `admin`) in \
                 ADVOSYNC_CALLERS_FILE",
                needed.name()
            ),
        }
    }

    /// A header that goes with it.
    #[must_use]
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Missing | Self::Wrong => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::TooMany(wait) => Some((RETRY_AFTER, seconds(*wait).into())),
            Self::Scope { .. } => None,
        }
    }
}

/// Rounded up: whoever waits that long has waited long enough.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
