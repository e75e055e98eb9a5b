//! What can go wrong, told so that a caller can decide without knowing HTTP.

use std::time::Duration;

use crate::clients::{Call, Cause};

/// A failed call. `Display` is a sentence for a person, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing of the request reached Google: no connection, or the sign-in before it failed in passing.
    #[error(
        "Google Calendar could not be reached, nothing was changed there: {call}: {cause}. If it lasts, check the \
         network and GOOGLE_CALENDAR_API_BASE_URL"
    )]
    NotSent {
        /// The request, or the sign-in where that failed first.
        call: Call,
        /// Why.
        cause: Cause,
    },
    /// The request went out and nobody knows whether it took effect. For a GET this means only "no usable answer".
    #[error("Google Calendar gave no usable answer to {call}: {cause}. A write may or may not have taken effect")]
    Unknown {
        /// The request.
        call: Call,
        /// Why.
        cause: Cause,
    },
    /// A clean refusal (4xx); nothing was changed.
    #[error("Google Calendar refused {call} with {status}{}: {message}", named(.reason))]
    Rejected {
        /// The request.
        call: Call,
        /// The HTTP status, 400 to 499.
        status: u16,
        /// Google's word for it; may be empty.
        reason: String,
        /// What Google says, at most 200 characters.
        message: String,
    },
    /// The calendar or event does not exist, or is not shared with us.
    #[error("Not found in Google Calendar: {call}")]
    NotFound {
        /// The request.
        call: Call,
    },
    /// Something that is not the API answered 404 or 410; never to be taken for a deleted event.
    #[error("{call} reached something that is not Google's API ({came}). Check GOOGLE_CALENDAR_API_BASE_URL")]
    Misdirected {
        /// The request.
        call: Call,
        /// What came instead.
        came: String,
    },
    /// The id is taken (409), be it by a deleted event.
    #[error("Google Calendar has this id already: {call}. Read the event and compare")]
    Exists {
        /// The request.
        call: Call,
    },
    /// Somebody wrote in between (412); nothing was changed.
    #[error("The event was changed in Google Calendar in between: {call}. Read it again")]
    Changed {
        /// The request.
        call: Call,
    },
    /// The sync token has expired (410) or is none: read everything again.
    #[error("Google Calendar forgot the last state ({call}): the whole calendar must be read again")]
    SyncTokenGone {
        /// The request.
        call: Call,
    },
    /// Google asks for a pause, also after the tries made here, or the line of calls is longer than a minute; nothing was
    /// changed.
    #[error("Google Calendar asks to slow down ({call}); try again later")]
    RateLimited {
        /// The request.
        call: Call,
        /// How long to wait, where it is known.
        retry_after: Option<Duration>,
    },
    /// A quota is used up; Google opens again after hours.
    #[error("Google Calendar's quota is used up ({call}): nothing more can be written for hours")]
    QuotaExceeded {
        /// The request.
        call: Call,
    },
    /// This one thing is not allowed (403); other events are not concerned.
    #[error("Google Calendar does not allow {call}{}: {message}. Check how the calendar is shared", named(.reason))]
    Forbidden {
        /// The request.
        call: Call,
        /// Google's word for it; may be empty.
        reason: String,
        /// What Google says, at most 200 characters.
        message: String,
    },
    /// A fresh token was refused too.
    #[error(
        "Google Calendar refused {call} with 401 even after a new sign-in: {message}. Check the key at \
         GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"
    )]
    Unauthorised {
        /// The request.
        call: Call,
        /// What Google says, at most 200 characters.
        message: String,
    },
    /// The settings are wrong; no retry helps.
    #[error("{message}")]
    Configuration {
        /// What is wrong and which setting to look at.
        message: String,
    },
    /// The shared pace cannot be kept; nothing was sent.
    #[error("the pace of calls to Google Calendar cannot be kept: {message}. Check Redis")]
    Limiter {
        /// The limiter's error.
        message: String,
    },
    /// The caller asked for something that cannot be an address or a header; nothing was sent.
    #[error("{call} was not sent: {reason}")]
    Invalid {
        /// The request.
        call: Call,
        /// What is wrong with it.
        reason: String,
    },
}

fn named(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

impl Error {
    /// Google as a whole seems down (connection, timeout, 5xx, no token to be had): for a circuit breaker.
    #[must_use]
    pub const fn upstream_down(&self) -> bool {
        match self {
            // Also where a sign-in's answer is unreadable: the library hides the status of a 502's page.
            Self::NotSent { .. } => true,
            Self::Unknown { cause, .. } => cause.is_down(),
            _ => false,
        }
    }

    /// A write may have taken effect.
    #[must_use]
    pub const fn effect_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Somebody must change a setting or the key; no retry helps.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Configuration { .. })
    }

    /// How long Google asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
