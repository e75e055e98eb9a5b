//! What an error means: for the job as a whole, or for the one entry that it concerns (C8).

use std::time::Duration;

use crate::clients::{advoware, google};
use crate::queue::QueueError;
use crate::sync::failure::{PAUSE, SOON};
use crate::worker::{Failure, LeaseLost};

pub(super) use crate::sync::failure::{advoware as advoware_failure, ledger as ledger_failure};

/// Google opens again after hours (contract "Limits").
const QUOTA: Duration = Duration::from_hours(1);

/// Why one entry is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is not as it was planned for, and known better now: plan again.
    Stale,
    /// It cannot be done: reported, passed over.
    Passed {
        /// A stable word.
        code: &'static str,
        /// What happened, what to do.
        message: String,
    },
    /// It may work when it is tried again.
    Passing(Failure),
    /// Another calendar's run writes to the shared Termin.
    Busy,
    /// Nobody knows whether a POST took effect: it is looked for after the quiet time.
    Interrupted(String),
    /// Nothing more can be done in this run.
    Abort(Failure),
}

impl From<LeaseLost> for Problem {
    fn from(lost: LeaseLost) -> Self {
        Self::Abort(lost.into())
    }
}

/// An error of the ledger: without it nothing may be done.
pub(super) fn ledger_problem(error: QueueError) -> Problem {
    Problem::Abort(ledger_failure(error))
}

/// An error of a call to Advoware that concerns one Termin.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(super) fn advoware_problem(error: advoware::Error) -> Problem {
    let failure = advoware_failure(&error);
    match error {
        _ if error.upstream_down() => Problem::Passing(failure),
        advoware::Error::Unknown { .. } => Problem::Passing(failure),
        advoware::Error::NotFound { .. } => passed("advoware_missing", &error),
        advoware::Error::Rejected { .. } | advoware::Error::Invalid { .. } => passed("advoware_refused", &error),
        advoware::Error::WriteProtected { .. } => passed("withheld", &error),
        _ => Problem::Abort(failure),
    }
}

/// An error of a call to Google that concerns one event.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(super) fn google_problem(error: google::Error) -> Problem {
    let failure = google_failure(&error);
    match error {
        _ if error.upstream_down() => Problem::Passing(failure),
        google::Error::Unknown { .. } => Problem::Passing(failure),
        google::Error::NotFound { .. } => passed("google_missing", &error),
        google::Error::Forbidden { .. } => passed("google_forbidden", &error),
        google::Error::Rejected { .. } | google::Error::Exists { .. } | google::Error::Invalid { .. } => {
            passed("google_refused", &error)
        }
        google::Error::Changed { .. } => Problem::Stale,
        _ => Problem::Abort(failure),
    }
}

fn passed(code: &'static str, error: &dyn std::error::Error) -> Problem {
    Problem::Passed { code, message: error.to_string() }
}

/// An error of a call to Google without which nothing can be done.
pub(in crate::sync::calendar) fn google_failure(error: &google::Error) -> Failure {
    let message = error.to_string();
    let upstream =
        |park, retry_after| Failure::Upstream { upstream: super::GOOGLE, message: message.clone(), retry_after, park };
    match error {
        _ if error.upstream_down() => upstream(false, None),
        _ if error.is_configuration() => upstream(true, None),
        google::Error::QuotaExceeded { .. } => upstream(true, Some(QUOTA)),
        google::Error::Misdirected { .. } | google::Error::Unauthorised { .. } => upstream(false, None),
        google::Error::RateLimited { retry_after, .. } => {
            Failure::Later { after: retry_after.unwrap_or(PAUSE), reason: message }
        }
        google::Error::Limiter { .. } => Failure::Later { after: SOON, reason: message },
        google::Error::NotFound { .. } => Failure::Failed { code: "google_missing", message, retry_after: None },
        google::Error::Unknown { .. } => Failure::Failed { code: "google_unreadable", message, retry_after: None },
        _ => Failure::Failed { code: "google_refused", message, retry_after: None },
    }
}
