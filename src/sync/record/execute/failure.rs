//! What an error of a client or of the ledger means for the job.

use std::time::Duration;

use crate::clients::{ESPOCRM, espocrm};
use crate::sync::failure::{PAUSE, SOON};
pub(in crate::sync::record) use crate::sync::failure::{advoware, ledger};
use crate::sync::record::import::reserved_number;
use crate::worker::Failure;

/// How often a record looks whether another one with equal search keys has been created.
const BUSY: Duration = Duration::from_secs(5);

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

/// Another record with equal search keys is being created, on either side.
pub(super) fn busy(other: &str, quiet: Duration) -> Failure {
    let reason = reserved_number(other).map_or_else(
        || format!("the EspoCRM record {other} with the same search keys is being created"),
        |number| format!("Advoware's {number} with the same search keys is being imported"),
    );
    Failure::Hold { after: quiet.min(BUSY), reason, upstream: None }
}

/// A party was paired with another record while this one was about to be linked to it: look again.
pub(super) fn overtaken(other: &str) -> Failure {
    Failure::Later {
        after: Duration::ZERO,
        reason: format!("the party that was found belongs to the EspoCRM record {other} by now"),
    }
}
