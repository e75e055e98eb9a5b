//! What an error of a client or of the ledger means for the job.

use std::time::Duration;

use crate::clients::{ADVOWARE, ESPOCRM, advoware, espocrm};
use crate::queue::QueueError;
use crate::worker::Failure;

/// How long to stay away from an upstream that asks for a pause without saying how long.
const PAUSE: Duration = Duration::from_secs(30);
/// How soon a job is tried again that only met somebody else at work.
const SOON: Duration = Duration::from_secs(2);
/// How often a record looks whether another one with equal search keys has been created.
const BUSY: Duration = Duration::from_secs(5);

/// An error of a call to Advoware other than the POST of a create.
pub(in crate::sync) fn advoware(error: &advoware::Error) -> Failure {
    let message = error.to_string();
    let failed = |code| Failure::Failed { code, message: message.clone(), retry_after: None };
    let upstream = |park| Failure::Upstream { upstream: ADVOWARE, message: message.clone(), retry_after: None, park };
    match error {
        _ if error.upstream_down() => upstream(false),
        _ if error.is_configuration() => upstream(true),
        advoware::Error::Misdirected { .. } | advoware::Error::Unauthorised { .. } => upstream(false),
        advoware::Error::RateLimited { retry_after, .. } => {
            Failure::Later { after: retry_after.unwrap_or(PAUSE), reason: message }
        }
        advoware::Error::Busy { .. } | advoware::Error::TokenStore { .. } => {
            Failure::Later { after: SOON, reason: message }
        }
        advoware::Error::NotFound { .. } => failed("advoware_missing"),
        advoware::Error::Unknown { .. } => failed("advoware_unreadable"),
        _ => failed("advoware_refused"),
    }
}

/// An error of a call to EspoCRM.
pub(in crate::sync::record) fn espocrm(error: &espocrm::Error) -> Failure {
    let message = error.to_string();
    let failed = |code| Failure::Failed { code, message: message.clone(), retry_after: None };
    let upstream = |park| Failure::Upstream {
        upstream: ESPOCRM,
        message: message.clone(),
        retry_after: error.retry_after(),
        park,
    };
    match error {
        _ if error.upstream_down() => upstream(false),
        // Every further call would make the lockout longer.
        espocrm::Error::LockedOut { .. } => upstream(true),
        _ if error.is_configuration() => upstream(true),
        espocrm::Error::Misdirected { .. } => upstream(false),
        espocrm::Error::RateLimited { retry_after, .. } => {
            Failure::Later { after: retry_after.unwrap_or(PAUSE), reason: message }
        }
        espocrm::Error::VersionConflict { .. } => Failure::Later { after: SOON, reason: message },
        espocrm::Error::Unknown { .. } => failed("espocrm_unreadable"),
        espocrm::Error::Validation { .. } => failed("espocrm_validation"),
        _ => failed("espocrm_refused"),
    }
}

/// An error of the ledger: without it nothing may be decided.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(in crate::sync) fn ledger(error: QueueError) -> Failure {
    if error.is_unavailable() {
        return Failure::Later { after: SOON, reason: error.to_string() };
    }
    Failure::Failed { code: "ledger", message: error.to_string(), retry_after: None }
}

/// Another record with equal search keys is being created.
pub(super) fn busy(other: &str, quiet: Duration) -> Failure {
    Failure::Hold {
        after: quiet.min(BUSY),
        reason: format!("the EspoCRM record {other} with the same search keys is being created"),
        upstream: None,
    }
}

/// A party was paired with another record while this one was about to be linked to it: look again.
pub(super) fn overtaken(other: &str) -> Failure {
    Failure::Later {
        after: Duration::ZERO,
        reason: format!("the party that was found belongs to the EspoCRM record {other} by now"),
    }
}
