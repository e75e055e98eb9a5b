//! What can go wrong, told so that a caller can decide without knowing HTTP.

use std::time::Duration;

use crate::clients::{Call, Cause};

/// A failed call. `Display` is a sentence for a person, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing of the request reached Advoware: no connection, or the sign-in before it failed in passing.
    #[error(
        "Advoware could not be reached, nothing was changed there: {call}: {cause}. If it lasts, check the network, \
         ADVOWARE_API_BASE_URL and the firm's Advoware server"
    )]
    NotSent {
        /// The request that failed; a sign-in or discovery where that failed first.
        call: Call,
        /// Why.
        cause: Cause,
    },
    /// The request went out and nobody knows whether it took effect. For a GET this means only "no usable answer".
    #[error("Advoware gave no usable answer to {call}: {cause}. A write may or may not have taken effect")]
    Unknown {
        /// The request.
        call: Call,
        /// Why.
        cause: Cause,
    },
    /// A clean refusal (4xx); nothing was changed.
    #[error("Advoware refused {call} with {status}: {message}{}", remedy(*.status))]
    Rejected {
        /// The request.
        call: Call,
        /// The HTTP status, 400 to 499.
        status: u16,
        /// What Advoware says, at most 200 characters.
        message: String,
    },
    /// The record does not exist in Advoware.
    #[error("Not found in Advoware: {call}")]
    NotFound {
        /// The request.
        call: Call,
    },
    /// Something that is not the API answered 404 with a page; never to be taken for a deleted record.
    #[error("{call} reached something that is not Advoware's API ({came}). Check ADVOWARE_API_BASE_URL")]
    Misdirected {
        /// The request.
        call: Call,
        /// What came instead.
        came: String,
    },
    /// A fresh token was refused too.
    #[error(
        "Advoware refused {call} with 401 even after a new sign-in: {message}. Check the rights of ADVOWARE_USER and \
         ADVOWARE_ROLE"
    )]
    Unauthorised {
        /// The request.
        call: Call,
        /// What Advoware says, at most 200 characters.
        message: String,
    },
    /// The settings are wrong; no retry helps.
    #[error("{message}")]
    Configuration {
        /// What is wrong and which setting to look at.
        message: String,
    },
    /// Refused before it left this process.
    #[error("{call} was not sent: ADVOWARE_WRITE_PROTECTION is on. Set it to false to let writes through")]
    WriteProtected {
        /// The request.
        call: Call,
    },
    /// All permits are taken and the caller did not want to wait.
    #[error("too many calls to Advoware are under way ({limit}); try again in a moment")]
    Busy {
        /// The bound.
        limit: usize,
    },
    /// Advoware asks for a pause (429); nothing was changed.
    #[error("Advoware asks to slow down (429 to {call}); try again later")]
    RateLimited {
        /// The request.
        call: Call,
        /// How long to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// The shared token's store is out of reach; nothing was sent.
    #[error("the shared Advoware token cannot be read or renewed: {message}. Check Redis")]
    TokenStore {
        /// The store's error.
        message: String,
    },
    /// The caller asked for something that cannot be an Advoware address; nothing was sent.
    #[error("{call} was not sent: {reason}. Check the mapping's paths and the record's number")]
    Invalid {
        /// The request.
        call: Call,
        /// What is wrong with it.
        reason: String,
    },
}

fn remedy(status: u16) -> &'static str {
    if status == 403 { ". Advoware does not offer this operation to this product or user" } else { "" }
}

impl Error {
    /// Advoware as a whole seems down (connection, timeout, 5xx, firm's server offline): for a circuit breaker.
    #[must_use]
    pub const fn upstream_down(&self) -> bool {
        match self {
            Self::NotSent { cause, .. } | Self::Unknown { cause, .. } => cause.is_down(),
            _ => false,
        }
    }

    /// A write may have taken effect; look before sending it again.
    #[must_use]
    pub const fn effect_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// A write may still be under way, and take effect later.
    #[must_use]
    pub const fn may_yet_happen(&self) -> bool {
        match self {
            Self::Unknown { cause, .. } => cause.is_silence(),
            _ => false,
        }
    }

    /// Somebody must change a setting or a registration; no retry helps.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Configuration { .. })
    }

    /// The answer did not come in time.
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        matches!(self, Self::NotSent { cause: Cause::Timeout(_), .. } | Self::Unknown { cause: Cause::Timeout(_), .. })
    }

    /// How long Advoware asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
