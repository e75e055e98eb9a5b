//! What can go wrong, told so that a caller can decide without knowing HTTP.

use std::time::Duration;

use super::records::Record;
use crate::clients::{Call, Cause};

/// EspoCRM forgets bad logins after this long.
const LOCKED_FOR: Duration = Duration::from_mins(1);

/// A failed call. `Display` is a sentence for a person, with the remedy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing of the request reached EspoCRM.
    #[error(
        "EspoCRM could not be reached, nothing was changed there: {call}: {cause}. If it lasts, check the network and \
         ESPOCRM_API_BASE_URL"
    )]
    NotSent {
        /// The request.
        call: Call,
        /// Why.
        cause: Cause,
    },
    /// The request went out and nobody knows whether it took effect. For a GET this means only "no usable answer".
    #[error("EspoCRM gave no usable answer to {call}: {cause}. A write may or may not have taken effect")]
    Unknown {
        /// The request.
        call: Call,
        /// Why.
        cause: Cause,
    },
    /// EspoCRM says that the record does not exist (missing or deleted).
    #[error("Not found in EspoCRM: {call}")]
    RecordMissing {
        /// The request.
        call: Call,
    },
    /// EspoCRM has no such entity (or action).
    #[error("EspoCRM knows no such entity ({reason}; {call}). Check the entity's name in the mapping")]
    UnknownEntity {
        /// The request.
        call: Call,
        /// What EspoCRM says.
        reason: String,
    },
    /// The user's role does not allow it.
    #[error("EspoCRM does not allow {call}: {reason} Check the role of the API user")]
    NoAccess {
        /// The request.
        call: Call,
        /// What EspoCRM says.
        reason: String,
    },
    /// More than ten bad sign-ins a minute came from this machine's address; valid ones are refused too.
    #[error(
        "EspoCRM has locked this address out after more than 10 bad sign-ins within a minute ({call}). Stop whatever \
         signs in with a wrong key from here, then wait a minute; nothing else helps"
    )]
    LockedOut {
        /// The request.
        call: Call,
    },
    /// The key, signature or password is wrong (401).
    #[error("EspoCRM refused the sign-in ({call}). Check ESPOCRM_API_KEY and ESPOCRM_API_SECRET")]
    BadCredentials {
        /// The request.
        call: Call,
    },
    /// A field's value is refused.
    #[error("EspoCRM refused field {field} of {entity} ({kind}): {reason} ({call})")]
    Validation {
        /// The request.
        call: Box<Call>,
        /// The entity, as EspoCRM names it.
        entity: String,
        /// The field.
        field: String,
        /// The rule: required, maxLength, valid, emailAddress, …
        kind: String,
        /// What EspoCRM says.
        reason: String,
    },
    /// A create met records that look the same.
    #[error("EspoCRM found {} that looks the same ({call})", counted(.found.len()))]
    Duplicate {
        /// The request.
        call: Call,
        /// The records that exist already.
        found: Vec<Record>,
    },
    /// Somebody else changed the record since the version that was sent.
    #[error("the record was changed in EspoCRM meanwhile ({call}). It is read and compared again")]
    VersionConflict {
        /// The request.
        call: Box<Call>,
        /// The values that EspoCRM has now, of the fields in conflict.
        values: Record,
        /// The version that EspoCRM has now.
        version_number: Option<u64>,
    },
    /// A 404 or a redirect that EspoCRM's API did not send: a proxy or a wrong base URL, never a deleted record.
    #[error("{call} reached something that is not EspoCRM's API ({status}, {came}). Check ESPOCRM_API_BASE_URL")]
    Misdirected {
        /// The request.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// What came instead.
        came: String,
    },
    /// Asked for a pause (429); nothing was changed.
    #[error("EspoCRM or a proxy before it asks to slow down (429 to {call}); try again later")]
    RateLimited {
        /// The request.
        call: Call,
        /// How long to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// Any other clean refusal (4xx); nothing was changed.
    #[error("EspoCRM refused {call} with {status}: {reason}")]
    Rejected {
        /// The request.
        call: Call,
        /// The HTTP status, 400 to 499.
        status: u16,
        /// What EspoCRM says, at most 200 characters.
        reason: String,
    },
    /// The caller asked for something that cannot be sent; nothing was.
    #[error("{call} was not sent: {reason}")]
    Invalid {
        /// The request.
        call: Call,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings are wrong; no retry helps.
    #[error("{message}")]
    Configuration {
        /// What is wrong and which setting to look at.
        message: String,
    },
}

fn counted(records: usize) -> String {
    if records == 1 { "a record".to_owned() } else { format!("{records} records, each") }
}

impl Error {
    /// EspoCRM as a whole seems down (connection, timeout, 5xx): for a circuit breaker.
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

    /// Somebody must change a setting; no retry helps.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Configuration { .. } | Self::BadCredentials { .. })
    }

    /// How long to wait before anything else is sent, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            Self::LockedOut { .. } => Some(LOCKED_FOR),
            _ => None,
        }
    }
}
