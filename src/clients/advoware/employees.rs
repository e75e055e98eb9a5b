//! The firm's employees, and the probe that reads them.

use serde_json::Value;

use super::client::Client;
use super::error::Error;
use super::records::Record;

/// Contract, "Mitarbeiter".
const PATH: &str = "api/v1/advonet/Mitarbeiter";

/// One Mitarbeiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// The short name that appointments carry, such as `SB`.
    pub kuerzel: String,
    /// Family name; may be empty.
    pub name: String,
    /// Given name; may be empty.
    pub vorname: String,
    /// Whether the person works there now.
    pub aktiv: bool,
}

impl Client {
    /// The active employees as Advoware lists them; an entry without Kürzel has no calendar and is left out. Advoware
    /// ignores parameters that it does not know, so `aktiv` is in every entry for the caller to look at.
    pub async fn employees(&self) -> Result<Vec<Employee>, Error> {
        let records = self.list(PATH, &[("aktiv", "true")]).await?;
        let total = records.len();
        let employees: Vec<Employee> = records.iter().filter_map(employee).collect();
        if employees.len() < total {
            tracing::warn!(left_out = total - employees.len(), "advoware employees without kuerzel");
        }
        Ok(employees)
    }

    /// Signs in and makes the cheapest read that every firm has. An error for which [`Error::upstream_down`] is false
    /// still means that Advoware answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.list(PATH, &[("aktiv", "true")]).await.map(drop)
    }
}

fn employee(record: &Record) -> Option<Employee> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default().to_owned();
    let kuerzel = text("kuerzel");
    let aktiv = match record.get("aktiv") {
        Some(Value::Bool(aktiv)) => *aktiv,
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        // The list was asked for active ones.
        _ => true,
    };
    (!kuerzel.is_empty()).then(|| Employee { kuerzel, name: text("name"), vorname: text("vorname"), aktiv })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn employees_are_read_tolerantly() {
        let check = |record: Value, expected: Option<(&str, bool)>| {
            let found = employee(record.as_object().unwrap()).map(|found| (found.kuerzel, found.aktiv));
            assert_eq!(found, expected.map(|(kuerzel, aktiv)| (kuerzel.to_owned(), aktiv)), "{record}");
        };
        check(json!({ "kuerzel": "SB", "name": "B", "vorname": "S", "aktiv": true }), Some(("SB", true)));
        check(json!({ "kuerzel": " ÄB ", "aktiv": 0 }), Some(("ÄB", false)));
        check(json!({ "kuerzel": "X", "name": null }), Some(("X", true)));
        check(json!({ "kuerzel": "", "aktiv": true }), None);
        check(json!({ "name": "nobody" }), None);
    }
}
