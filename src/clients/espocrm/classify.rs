//! From an answer's status, `X-Status-Reason` and body to an error. Pure. Source: contract, table "Errors".

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::error::Error;
use crate::clients::http::{described, json, snippet, text};
use crate::clients::{Call, Cause};

/// An answer that is not 2xx, read far enough.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    /// `X-Status-Reason`: only EspoCRM itself sends it.
    pub(super) reason: Option<String>,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<Duration>,
    /// Replaced wherever the answer repeats them.
    pub(super) hidden: &'a [&'a str],
}

impl Refusal<'_> {
    pub(super) fn into_error(self, call: Call) -> Error {
        let status = self.status.as_u16();
        if self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT {
            return Error::Unknown { call, cause: Cause::Status { status, text: self.words() } };
        }
        match status {
            401 => Error::BadCredentials { call },
            403 => self.forbidden(call),
            404 => self.missing(call),
            409 => self.conflict(call),
            429 => Error::RateLimited { call, retry_after: self.retry_after },
            400..=499 => match self.validation(&call) {
                Some(error) => error,
                None => self.rejected(call),
            },
            _ => self.misdirected(call),
        }
    }

    fn words(&self) -> String {
        match &self.reason {
            Some(reason) => snippet(reason, self.hidden),
            None => snippet(&text(self.body), self.hidden),
        }
    }

    fn rejected(self, call: Call) -> Error {
        Error::Rejected { call, status: self.status.as_u16(), reason: self.words() }
    }

    fn misdirected(self, call: Call) -> Error {
        Error::Misdirected { call, status: self.status.as_u16(), came: described(self.body, self.hidden) }
    }

    fn forbidden(self, call: Call) -> Error {
        match &self.reason {
            Some(reason) => Error::NoAccess { call, reason: snippet(reason, self.hidden) },
            None if self.body.trim_ascii().is_empty() => Error::LockedOut { call },
            // Something between us and EspoCRM.
            None => self.rejected(call),
        }
    }

    fn missing(self, call: Call) -> Error {
        let reason = self.reason.as_deref().unwrap_or_default().trim();
        let absent = reason.trim_end_matches('.').ends_with("does not exist");
        match reason.split(' ').next() {
            Some("Record") if absent => Error::RecordMissing { call },
            Some("Controller" | "Action") if absent => {
                Error::UnknownEntity { call, reason: snippet(reason, self.hidden) }
            }
            _ => self.misdirected(call),
        }
    }

    fn conflict(self, call: Call) -> Error {
        let body = json(self.body).unwrap_or_default();
        match (self.reason.as_deref().map(str::trim), body) {
            (Some("duplicate"), Value::Array(found)) => {
                let found = found.into_iter().filter_map(|item| match item {
                    Value::Object(record) => Some(record),
                    _ => None,
                });
                Error::Duplicate { call, found: found.collect() }
            }
            (Some("modified"), mut body) => Error::VersionConflict {
                call: Box::new(call),
                version_number: body["versionNumber"].as_u64(),
                values: match body.get_mut("values").map(Value::take) {
                    Some(Value::Object(values)) => values,
                    _ => serde_json::Map::new(),
                },
            },
            _ => self.rejected(call),
        }
    }

    fn validation(&self, call: &Call) -> Option<Error> {
        let reason = self.reason.as_deref().unwrap_or_default();
        let body = json(self.body).unwrap_or_default();
        let told = &body["messageTranslation"];
        if !reason.starts_with("Field validation failure") && told["label"] != "validationFailure" {
            return None;
        }
        let field = told["data"]["field"].as_str().or_else(|| named(reason, "field"))?;
        let kind = told["data"]["type"].as_str().or_else(|| named(reason, "type")).unwrap_or("invalid");
        let path_entity = call.path.split('/').next().unwrap_or_default();
        Some(Error::Validation {
            call: Box::new(call.clone()),
            entity: named(reason, "entityType").unwrap_or(path_entity).to_owned(),
            field: field.to_owned(),
            kind: kind.to_owned(),
            reason: snippet(reason, self.hidden),
        })
    }
}

/// The value of `name: value` in `…; entityType: CBeteiligte, field: lastName, type: required.`
fn named<'a>(reason: &'a str, name: &str) -> Option<&'a str> {
    let parts = reason.split([';', ',']);
    let mut values = parts.filter_map(|part| part.trim().strip_prefix(name)?.strip_prefix(':'));
    values.next().map(|value| value.trim().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use serde_json::json;

    use super::*;

    fn error(status: u16, reason: Option<&str>, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        let call = Call { method: Method::PUT, path: "CBeteiligte/x1".to_owned() };
        Refusal { status, reason: reason.map(str::to_owned), body: body.as_bytes(), retry_after: None, hidden: &[] }
            .into_error(call)
    }

    #[test]
    fn each_case_of_the_contract() {
        let check = |status, reason: Option<&str>, body: &str, expected: &str| {
            let found = format!("{:?}", error(status, reason, body));
            assert_eq!(found.split(' ').next(), Some(expected), "{status} {reason:?} {body}");
        };
        check(404, Some("Record x1 does not exist."), "", "RecordMissing");
        check(404, Some("Controller 'X' does not exist."), "", "UnknownEntity");
        check(404, Some("Not found"), "", "Misdirected");
        check(404, None, "", "Misdirected");
        check(404, None, "<html>Record x1 does not exist.", "Misdirected");
        check(302, None, "", "Misdirected");
        check(403, Some("No read access."), "", "NoAccess");
        check(403, None, "", "LockedOut");
        check(403, None, "<html>firewall", "Rejected");
        check(401, None, "", "BadCredentials");
        check(400, Some("Not existing attribute 'x' in where."), "", "Rejected");
        check(500, None, "", "Unknown");
        check(503, Some("Maintenance mode"), "", "Unknown");
        check(408, None, "", "Unknown");
        check(429, None, "", "RateLimited");
        check(409, Some("other"), "", "Rejected");
        check(413, None, "<html>", "Rejected");
    }

    #[test]
    fn a_validation_failure_names_entity_field_and_rule() {
        let reason = "Field validation failure; entityType: CBeteiligte, field: lastName, type: required.";
        let body = r#"{"messageTranslation":{"label":"validationFailure","scope":null,
            "data":{"field":"lastName","type":"required"}}}"#;
        for body in [body, ""] {
            match error(400, Some(reason), body) {
                Error::Validation { entity, field, kind, .. } => {
                    assert_eq!([entity, field, kind], ["CBeteiligte", "lastName", "required"]);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(error(400, None, body), Error::Validation { .. }));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_is_a_panic(
            status in 100_u16..=999,
            reason in proptest::option::of("(duplicate|modified|Record x|Field validation failure;.*|.*)"),
            body in r#"(\[\]|"x"|7|null|\{"values":\[\]\}|\{"messageTranslation":[17]\}|.*)"#,
        ) {
            let _ = error(status, reason.as_deref(), &body).to_string();
        }
    }

    #[test]
    fn conflicts_carry_what_exists() {
        match error(409, Some("duplicate"), r#"[{"id":"a"},{"id":"b"}]"#) {
            Error::Duplicate { found, .. } => assert_eq!(json!(found), json!([{ "id": "a" }, { "id": "b" }])),
            other => panic!("{other:?}"),
        }
        match error(409, Some("modified"), r#"{"values":{"lastName":"M"},"versionNumber":7}"#) {
            Error::VersionConflict { values, version_number, .. } => {
                assert_eq!((json!(values), version_number), (json!({ "lastName": "M" }), Some(7)));
            }
            other => panic!("{other:?}"),
        }
    }
}
