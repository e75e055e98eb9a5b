//! Values: from either system's JSON into one canonical text, and back into the form that the target keeps.

use serde_json::{Number, Value};

use super::{convert_date, convert_phone};

/// How one field's values are read, compared and written. Named in mapping files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// Trimmed text; numbers and truth values as text.
    Text,
    /// A calendar day, `YYYY-MM-DD`; Advoware's `0001-01-01` is blank.
    Date,
    /// E.164 (`+49…`), numbers without a country code read as German.
    Phone,
    /// Text that is compared without regard to case, as EspoCRM does; the spelling is kept.
    Email,
}

/// Why a value cannot be used in a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The value as it came.
    pub value: String,
    /// What was expected.
    pub reason: &'static str,
}

impl Conversion {
    /// Names in mapping files; the first is the default.
    pub const NAMES: [(&str, Self); 4] =
        [("text", Self::Text), ("date", Self::Date), ("phone", Self::Phone), ("email", Self::Email)];

    /// The canonical text; `None` is blank.
    ///
    /// # Errors
    /// What cannot be understood is neither blank nor a value: it must not be written, nor clear the other side.
    pub fn read(self, value: &Value) -> Result<Option<String>, Unreadable> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => canonical_number(number),
            Value::String(text) => text.trim().to_owned(),
            Value::Array(_) | Value::Object(_) => {
                return Err(Unreadable { value: value.to_string(), reason: "not a single value" });
            }
        };
        if text.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Text | Self::Email => Ok(Some(text)),
            Self::Phone => Ok(Some(convert_phone::canonical(&text).unwrap_or(text))),
            Self::Date => convert_date::canonical(&text).map_err(|reason| Unreadable { value: text, reason }),
        }
    }

    /// Whether two canonical texts mean the same.
    #[must_use]
    pub fn same(self, one: &str, other: &str) -> bool {
        match self {
            Self::Email => one.to_lowercase() == other.to_lowercase(),
            Self::Text | Self::Date | Self::Phone => one == other,
        }
    }

    /// Why EspoCRM would refuse this canonical text (its validation fails the whole PUT); none where it takes it.
    #[must_use]
    pub fn espocrm_refuses(self, text: &str) -> Option<&'static str> {
        match self {
            Self::Phone if convert_phone::canonical(text).is_none() => Some("not an international phone number"),
            Self::Email if !looks_like_address(text) => Some("not an e-mail address"),
            _ => None,
        }
    }

    /// The JSON to store for a canonical text, in the form of the value that it replaces.
    #[must_use]
    pub fn write(self, text: &str, existing: Option<&Value>) -> Value {
        match (self, existing) {
            (Self::Date, Some(Value::String(old))) => Value::String(convert_date::in_form_of(text, old)),
            (Self::Text, Some(Value::Number(_))) => number_or_text(text),
            (Self::Text, Some(Value::Bool(_))) if text == "true" || text == "false" => Value::Bool(text == "true"),
            _ => Value::String(text.to_owned()),
        }
    }
}

/// `5` and `5.0` are one number.
fn canonical_number(number: &Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Only what reads back as the same text: `007` stays text.
fn number_or_text(text: &str) -> Value {
    let number = serde_json::from_str::<Number>(text).ok().filter(|number| canonical_number(number) == text);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// EspoCRM checks addresses more closely; this keeps out what is plainly none.
fn looks_like_address(text: &str) -> bool {
    let forbidden = |letter: char| letter.is_whitespace() || ",;<>()[]\"".contains(letter);
    text.split_once('@').is_some_and(|(local, domain)| {
        let labels = domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty());
        !local.is_empty() && labels && !domain.contains('@') && !text.contains(forbidden)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(convert: Conversion, value: &Value, expected: Option<&str>) {
        assert_eq!(convert.read(value), Ok(expected.map(str::to_owned)), "{convert:?} {value}");
    }

    #[test]
    fn text_is_trimmed_and_blank_is_none() {
        check(Conversion::Text, &json!("  Müller \n"), Some("Müller"));
        check(Conversion::Text, &json!("   "), None);
        check(Conversion::Text, &json!(""), None);
        check(Conversion::Text, &Value::Null, None);
        check(Conversion::Text, &json!(5), Some("5"));
        check(Conversion::Text, &json!(5.0), Some("5"));
        check(Conversion::Text, &json!(5.25), Some("5.25"));
        check(Conversion::Text, &json!(true), Some("true"));
    }

    #[test]
    fn what_is_no_single_value_or_no_date_is_unreadable() {
        for (convert, value) in [
            (Conversion::Text, json!(["a"])),
            (Conversion::Text, json!({"a": 1})),
            (Conversion::Date, json!("29.02.1980")),
            (Conversion::Date, json!("1981-02-29")),
            (Conversion::Date, json!(19_800_229)),
        ] {
            assert!(convert.read(&value).is_err(), "{convert:?} {value}");
        }
    }

    #[test]
    fn emails_compare_without_case_and_keep_their_spelling() {
        check(Conversion::Email, &json!("Max@Muster.DE "), Some("Max@Muster.DE"));
        assert!(Conversion::Email.same("Max@Muster.DE", "max@muster.de"));
        assert!(!Conversion::Text.same("Max", "max"));
    }

    #[test]
    fn espocrm_refuses_what_its_validation_fails() {
        for (convert, text, refused) in [
            (Conversion::Phone, "+4930123456", false),
            (Conversion::Phone, "030 123456 (Frau Muster)", true),
            (Conversion::Email, "max@muster.de", false),
            (Conversion::Email, "max", true),
            (Conversion::Email, "max@muster", true),
            (Conversion::Email, "a@b.de; c@d.de", true),
            (Conversion::Text, "anything", false),
        ] {
            assert_eq!(convert.espocrm_refuses(text).is_some(), refused, "{convert:?} {text}");
        }
    }

    #[test]
    fn a_written_value_keeps_the_form_of_the_old_one() {
        for (convert, text, existing, expected) in [
            (Conversion::Text, "12", Some(json!(7)), json!(12)),
            (Conversion::Text, "007", Some(json!(7)), json!("007")),
            (Conversion::Text, "12", Some(json!("7")), json!("12")),
            (Conversion::Text, "false", Some(json!(true)), json!(false)),
            (Conversion::Text, "maybe", Some(json!(true)), json!("maybe")),
            (Conversion::Text, "x", None, json!("x")),
            (Conversion::Date, "1981-03-01", Some(json!("1980-02-29T00:00:00")), json!("1981-03-01T00:00:00")),
            (Conversion::Date, "1981-03-01", Some(Value::Null), json!("1981-03-01")),
        ] {
            assert_eq!(convert.write(text, existing.as_ref()), expected, "{convert:?} {text} over {existing:?}");
        }
    }
}
