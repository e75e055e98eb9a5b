//! Google's errors: one JSON shape, told apart by `reason` (google-calendar.md, Limits).

use serde_json::json;

use crate::wire::Answer;

/// An error with its reason, as Google spells it.
pub(crate) fn error(status: u16, reason: &str, message: &str) -> Answer {
    let domain = match reason {
        "rateLimitExceeded" | "userRateLimitExceeded" | "quotaExceeded" => "usageLimits",
        reason if reason.starts_with("forbiddenFor") => "calendar",
        _ => "global",
    };
    let errors = json!([{"domain": domain, "reason": reason, "message": message}]);
    Answer::json(status, &json!({"error": {"errors": errors, "code": status, "message": message}}))
}

pub(crate) fn invalid(message: &str) -> Answer {
    error(400, "invalid", message)
}

pub(crate) fn required(message: &str) -> Answer {
    error(400, "required", message)
}

pub(crate) fn not_found() -> Answer {
    error(404, "notFound", "Not Found")
}

/// A DELETE of what is deleted already.
pub(crate) fn deleted() -> Answer {
    error(410, "deleted", "Resource has been deleted")
}

/// A write of an event that is deleted.
pub(crate) fn forbidden() -> Answer {
    error(403, "forbidden", "Forbidden")
}

pub(crate) fn duplicate() -> Answer {
    error(409, "duplicate", "The requested identifier already exists.")
}

pub(crate) fn condition_not_met() -> Answer {
    error(412, "conditionNotMet", "Precondition Failed")
}

/// Only here: the real one lets such a write pass.
pub(crate) fn condition_missing() -> Answer {
    error(428, "conditionRequired", "This sandbox wants If-Match on every write of an event (require_if_match).")
}

pub(crate) fn full_sync_required() -> Answer {
    error(410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required.")
}

pub(crate) fn bad_credentials() -> Answer {
    error(401, "authError", "Invalid Credentials")
}

pub(crate) fn quota_exceeded() -> Answer {
    error(403, "quotaExceeded", "Calendar usage limits exceeded.")
}

pub(crate) fn no_method() -> Answer {
    error(405, "httpMethodNotAllowed", "HTTP Method Not Allowed")
}
