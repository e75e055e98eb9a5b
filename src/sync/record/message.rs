//! Whom a note is for besides the readers of the record's stream, and what they are sent: pure.
//!
//! A note on a stream notifies its followers only, so whoever the record is assigned to gets it as a message. A message
//! needs the user's id alone, which every record shows, and is refused where the right is missing; a mention in the note
//! (`@user`) needs the user's name, which is one call more, and is dropped in silence (contract `EspoCRM`, "Telling a user").

use serde_json::{Map, Value};

/// What a user to whom a record is assigned is sent: which record, where it is, and what stands on its stream.
#[must_use]
pub fn message(record: &Map<String, Value>, page: &str, note: &str) -> String {
    let name = record.get("name").and_then(Value::as_str).unwrap_or_default();
    format!("{name} {page}\n\n{note}").trim_start().to_owned()
}

/// The users to whom a record is assigned: one, or several where the entity has that.
#[must_use]
pub fn assigned(record: &Map<String, Value>) -> Vec<String> {
    let one = record.get("assignedUserId").and_then(Value::as_str);
    let several = record.get("assignedUsersIds").and_then(Value::as_array).into_iter().flatten();
    let mut users: Vec<String> = Vec::new();
    for user in one.into_iter().chain(several.filter_map(Value::as_str)).filter(|user| !user.is_empty()) {
        if !users.iter().any(|known| known == user) {
            users.push(user.to_owned());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn everybody_to_whom_a_record_is_assigned_is_told_once() {
        let check = |value: Value, expected: &[&str]| assert_eq!(assigned(&record(&value)), expected, "{value}");
        check(json!({}), &[]);
        check(json!({ "assignedUserId": null }), &[]);
        check(json!({ "assignedUserId": "" }), &[]);
        check(json!({ "assignedUserId": "a" }), &["a"]);
        check(json!({ "assignedUsersIds": ["b", "a", "b", 7] }), &["b", "a"]);
        check(json!({ "assignedUserId": "a", "assignedUsersIds": ["a", "b"] }), &["a", "b"]);
    }

    #[test]
    fn a_message_says_which_record_it_is_about() {
        let page = "https://crm.example/#CBeteiligte/view/1";
        let named = record(&json!({ "name": "Max Mustermann" }));
        assert_eq!(message(&named, page, "Text"), format!("Max Mustermann {page}\n\nText"));
        assert_eq!(message(&record(&json!({})), page, "Text"), format!("{page}\n\nText"));
    }
}
