//! `EspoCRM`'s refusals: the reason is in a header, the body is mostly empty (espocrm.md, Errors).

use serde_json::{Value, json};

use crate::Fields;
use crate::wire::Answer;

/// The header that names the reason.
pub(crate) const REASON: &str = "X-Status-Reason";

pub(crate) fn reason(status: u16, reason: &str) -> Answer {
    Answer::empty(status).with(REASON, reason)
}

pub(crate) fn no_record(id: &str) -> Answer {
    reason(404, &format!("Record {id} does not exist."))
}

pub(crate) fn no_controller(name: &str) -> Answer {
    reason(404, &format!("Controller '{name}' does not exist."))
}

pub(crate) fn no_access(action: &str) -> Answer {
    reason(403, &format!("No {action} access."))
}

pub(crate) fn validation(entity: &str, field: &str, kind: &str) -> Answer {
    let data = json!({"field": field, "type": kind});
    let body = json!({"messageTranslation": {"label": "validationFailure", "scope": null, "data": data}});
    Answer::json(400, &body)
        .with(REASON, &format!("Field validation failure; entityType: {entity}, field: {field}, type: {kind}."))
}

pub(crate) fn duplicate(found: Vec<Fields>) -> Answer {
    let found = found.into_iter().map(Value::Object).collect();
    Answer::json(409, &Value::Array(found)).with(REASON, "duplicate")
}

pub(crate) fn modified(values: &Fields, version: i64) -> Answer {
    Answer::json(409, &json!({"values": values, "versionNumber": version})).with(REASON, "modified")
}
