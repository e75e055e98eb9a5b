//! What an error means for a job, whichever of them met it.

use std::time::Duration;

use crate::clients::{ADVOWARE, advoware};
use crate::queue::QueueError;
use crate::worker::Failure;

/// How long to stay away from an upstream that asks for a pause without saying how long.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// How soon a job is tried again that only met somebody else at work.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// An error of a call to Advoware other than the POST of a create.
pub(super) fn advoware(error: &advoware::Error) -> Failure {
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

/// An error of the ledger: without it nothing may be decided.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(super) fn ledger(error: QueueError) -> Failure {
    if error.is_unavailable() {
        return Failure::Later { after: SOON, reason: error.to_string() };
    }
    Failure::Failed { code: "ledger", message: error.to_string(), retry_after: None }
}
