//! What a body may set, and whether its values are accepted (espocrm.md, Verbs and Errors).

use chrono::NaiveDate;
use serde_json::Value;

use super::entity::{Entity, Field, Kind};
use super::refuse;
use crate::Fields;
use crate::clock::is_espo_time;
use crate::wire::Answer;

/// The attributes of a body that the entity knows: strings trimmed, blank ones null; the rest is left out silently.
pub(crate) fn clean(entity: &Entity, body: &Fields) -> Fields {
    let known = body.iter().filter_map(|(name, value)| Some((entity.field(name)?, value)));
    known
        .map(|(field, value)| {
            let value = trimmed(value);
            let value = if field.kind == Kind::Phone { without_blanks(value) } else { value };
            (field.name.clone(), value)
        })
        .collect()
}

/// An international number is stored as `+` and digits, so it comes back spelled otherwise than it was sent (source of
/// 8.x and later: the phone sanitizer writes E.164).
fn without_blanks(value: Value) -> Value {
    match value.as_str() {
        Some(text) if text.starts_with('+') && text.chars().all(|c| c.is_ascii_digit() || "+ -()/.".contains(c)) => {
            let digits: String = text.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
            Value::String(format!("+{digits}"))
        }
        _ => value,
    }
}

fn trimmed(value: &Value) -> Value {
    match value.as_str().map(str::trim) {
        Some("") => Value::Null,
        Some(text) => Value::String(text.to_owned()),
        None => value.clone(),
    }
}

/// Refuses the first field that is not valid. A new record is checked whole, an update only in what it sets.
pub(crate) fn check(entity: &Entity, values: &Fields, creating: bool) -> Result<(), Answer> {
    for field in &entity.fields {
        let value = match values.get(&field.name) {
            Some(value) => value,
            None if creating => &field.default,
            None => continue,
        };
        if let Some(kind) = fault(field, value) {
            return Err(refuse::validation(&entity.name, &field.name, kind));
        }
    }
    Ok(())
}

/// The kind of the fault, as `EspoCRM` names it.
fn fault(field: &Field, value: &Value) -> Option<&'static str> {
    if value.is_null() {
        return field.required.then_some("required");
    }
    let text = value.as_str();
    if let (Some(text), Some(max)) = (text, field.max_length)
        && text.chars().count() > max
    {
        return Some("maxLength");
    }
    let valid = match &field.kind {
        Kind::Varchar | Kind::Text => text.is_some(),
        Kind::Int => {
            let Some(number) = value.as_i64() else { return Some("valid") };
            if i32::try_from(number).is_err() {
                return Some("rangeInternal");
            }
            true
        }
        Kind::Bool => value.is_boolean(),
        Kind::Date => text.is_some_and(is_date),
        Kind::DateTime => text.is_some_and(is_espo_time),
        Kind::Enum(options) => text.is_some_and(|text| options.iter().any(|option| option == text)),
        Kind::Email => {
            if !text.is_some_and(is_email) {
                return Some("emailAddress");
            }
            true
        }
        Kind::Phone => text.is_some_and(is_international),
        Kind::List => value.is_array(),
    };
    (!valid).then_some("valid")
}

fn is_date(text: &str) -> bool {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|day| day.format("%Y-%m-%d").to_string() == text)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && c != '@');
    plain(local) && plain(domain) && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.')
}

fn is_international(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit())
}
