//! `where` items: refused when they name an unknown attribute, else compared with SQL's rules for null.

use std::cmp::Ordering;

use serde_json::Value;

use super::refuse;
use crate::Fields;
use crate::wire::Answer;

/// Refuses unknown attributes and types, whatever the rows are.
pub(crate) fn check(items: &[Value], known: &dyn Fn(&str) -> bool) -> Result<(), Answer> {
    for item in items {
        let kind = kind(item);
        if matches!(kind, "or" | "and") {
            check(children(item), known)?;
            continue;
        }
        let attribute = attribute(item);
        if !known(attribute) {
            return Err(refuse::reason(400, &format!("Not existing attribute '{attribute}' in where.")));
        }
        if !KINDS.contains(&kind) {
            return Err(refuse::reason(400, "Bad where item type."));
        }
    }
    Ok(())
}

/// The types besides `or` and `and`.
const KINDS: [&str; 17] = [
    "equals",
    "notEquals",
    "in",
    "notIn",
    "isNull",
    "isNotNull",
    "greaterThan",
    "greaterThanOrEquals",
    "lessThan",
    "lessThanOrEquals",
    "startsWith",
    "contains",
    "after",
    "before",
    "on",
    "isTrue",
    "isFalse",
];

/// Whether a row fits an item.
pub(crate) fn fits(item: &Value, row: &Fields) -> bool {
    let value = row.get(attribute(item)).unwrap_or(&Value::Null);
    let wanted = item.get("value").unwrap_or(&Value::Null);
    let order = compare(value, wanted);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    match kind(item) {
        "or" => children(item).iter().any(|child| fits(child, row)),
        "and" => children(item).iter().all(|child| fits(child, row)),
        "isNull" => value.is_null(),
        "isNotNull" => !value.is_null(),
        "equals" | "on" if wanted.is_null() => value.is_null(),
        "equals" | "on" => order == Some(Ordering::Equal),
        "notEquals" => matches!(order, Some(Ordering::Less | Ordering::Greater)),
        "in" => list(wanted).iter().any(|wanted| compare(value, wanted) == Some(Ordering::Equal)),
        "notIn" => {
            !value.is_null() && !list(wanted).iter().any(|wanted| compare(value, wanted) == Some(Ordering::Equal))
        }
        "greaterThan" | "after" => order == Some(Ordering::Greater),
        "greaterThanOrEquals" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        "lessThan" | "before" => order == Some(Ordering::Less),
        "lessThanOrEquals" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "startsWith" => !value.is_null() && text(value).starts_with(&text(wanted)),
        "contains" => !value.is_null() && text(value).contains(&text(wanted)),
        "isTrue" => value == &Value::Bool(true),
        "isFalse" => value == &Value::Bool(false),
        _ => false,
    }
}

fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn attribute(item: &Value) -> &str {
    item.get("attribute").or_else(|| item.get("field")).and_then(Value::as_str).unwrap_or_default()
}

fn children(item: &Value) -> &[Value] {
    item.get("value").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Null compares with nothing; a query's strings compare with numbers and booleans by what they spell.
pub(crate) fn compare(value: &Value, wanted: &Value) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Number(value), wanted) => value.as_f64()?.partial_cmp(&number(wanted)?),
        (Value::Bool(value), wanted) => Some(value.cmp(&truth(wanted)?)),
        (Value::String(value), Value::String(wanted)) => Some(value.cmp(wanted)),
        (Value::String(value), Value::Number(wanted)) => Some(value.cmp(&wanted.to_string())),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => Some(number.as_i64() != Some(0)),
        Value::String(text) => Some(matches!(text.as_str(), "true" | "1")),
        _ => None,
    }
}
