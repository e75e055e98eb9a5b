//! Values: from either system's JSON into one canonical text, and back into the form that the target keeps.

use std::sync::Arc;

use serde_json::{Number, Value};

pub use super::convert_enum::{Row, Table};
use super::merge::Side;
use super::{convert_date, convert_phone};

/// How one field's values are read, compared and written. Named in mapping files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// Trimmed text; numbers and truth values as text.
    Text,
    /// A number, as text without a needless fraction; written as a number.
    Number,
    /// A calendar day, `YYYY-MM-DD`; Advoware's `0001-01-01` is blank.
    Date,
    /// E.164 (`+49…`), numbers without a country code read as German.
    Phone,
    /// Text that is compared without regard to case, as EspoCRM does; the spelling is kept.
    Email,
    /// One of the values of a table; the canonical form is Advoware's value as text. Shared, as records of a mapping are
    /// cloned freely.
    Enum(Arc<Table>),
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
    pub const NAMES: [&str; 6] = ["text", "number", "date", "phone", "email", "enum"];

    /// Its name in mapping files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        Self::NAMES[match self {
            Self::Text => 0,
            Self::Number => 1,
            Self::Date => 2,
            Self::Phone => 3,
            Self::Email => 4,
            Self::Enum(_) => 5,
        }]
    }

    /// The canonical text of a value that `side` shows; `None` is blank.
    ///
    /// # Errors
    /// What cannot be understood is neither blank nor a value: it must not be written, nor clear the other side.
    pub fn read(&self, side: Side, value: &Value) -> Result<Option<String>, Unreadable> {
        let Some(text) = plain(value)? else { return Ok(None) };
        match self {
            Self::Text | Self::Email => Ok(Some(text)),
            Self::Number => match serde_json::from_str::<Number>(&text) {
                Ok(number) => Ok(Some(canonical_number(&number))),
                Err(_) => Err(Unreadable { value: text, reason: "not a number" }),
            },
            Self::Phone => Ok(Some(convert_phone::canonical(&text).unwrap_or(text))),
            Self::Date => convert_date::canonical(&text).map_err(|reason| Unreadable { value: text, reason }),
            Self::Enum(table) => {
                let row = match side {
                    Side::Espocrm => table.by_espocrm(&text),
                    Side::Advoware => table.by_canonical(&text),
                };
                let unknown = || Unreadable { value: text.clone(), reason: NOT_IN_TABLE };
                row.map(|row| Some(row.canonical.clone())).ok_or_else(unknown)
            }
        }
    }

    /// Whether two canonical texts mean the same.
    #[must_use]
    pub fn same(&self, one: &str, other: &str) -> bool {
        match self {
            Self::Email => one.to_lowercase() == other.to_lowercase(),
            Self::Text | Self::Number | Self::Date | Self::Phone | Self::Enum(_) => one == other,
        }
    }

    /// Why EspoCRM would refuse this canonical text (its validation fails the whole PUT); none where it takes it.
    #[must_use]
    pub fn espocrm_refuses(&self, text: &str) -> Option<&'static str> {
        match self {
            Self::Phone if convert_phone::canonical(text).is_none() => Some("not an international phone number"),
            Self::Email if !looks_like_address(text) => Some("not an e-mail address"),
            Self::Enum(table) if table.by_canonical(text).is_none() => Some(NOT_IN_TABLE),
            _ => None,
        }
    }

    /// EspoCRM's word for a canonical text, as people there read it.
    #[must_use]
    pub fn espocrm_text<'t>(&'t self, text: &'t str) -> &'t str {
        match self {
            Self::Enum(table) => table.by_canonical(text).map_or(text, |row| &row.espocrm),
            _ => text,
        }
    }

    /// The JSON that EspoCRM is to store for a canonical text, in the form of the value that it replaces.
    #[must_use]
    pub fn write_espocrm(&self, text: &str, existing: Option<&Value>) -> Value {
        match (self, existing) {
            (Self::Enum(table), None | Some(Value::Null)) if table.is_truth() => {
                in_form_of(self.espocrm_text(text), Some(&Value::Bool(true)))
            }
            (Self::Enum(_), _) => in_form_of(self.espocrm_text(text), existing),
            _ => self.write(text, existing),
        }
    }

    /// The JSON that Advoware is to store for a canonical text, in the form of the value that it replaces. Where there is
    /// none, a table's value has the type that the mapping file gives it.
    #[must_use]
    pub fn write_advoware(&self, text: &str, existing: Option<&Value>) -> Value {
        match (self, existing) {
            (Self::Enum(table), None | Some(Value::Null)) => {
                table.by_canonical(text).map_or_else(|| Value::String(text.to_owned()), |row| row.advoware.clone())
            }
            (Self::Enum(_), _) => in_form_of(text, existing),
            _ => self.write(text, existing),
        }
    }

    fn write(&self, text: &str, existing: Option<&Value>) -> Value {
        match (self, existing) {
            (Self::Date, Some(Value::String(old))) => Value::String(convert_date::in_form_of(text, old)),
            (Self::Number, None | Some(Value::Null)) => number_or_text(text),
            (Self::Text | Self::Number, existing) => in_form_of(text, existing),
            _ => Value::String(text.to_owned()),
        }
    }
}

/// Whether two texts are one but for case and blanks: systems keep names in forms of their own.
#[must_use]
pub fn alike(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

/// A text without what [`alike`] does not look at.
#[must_use]
pub fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A single value as trimmed text; `None` is blank. Numbers and truth values become text.
pub(in crate::sync::record) fn plain(value: &Value) -> Result<Option<String>, Unreadable> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => canonical_number(number),
        // One system's line ends are the other's `\n`.
        Value::String(text) => text.trim().replace("\r\n", "\n"),
        Value::Array(_) | Value::Object(_) => {
            return Err(Unreadable { value: value.to_string(), reason: "not a single value" });
        }
    };
    Ok((!text.is_empty()).then_some(text))
}

const NOT_IN_TABLE: &str = "not in the table `values`";

/// A text in the type of the value that it replaces, where it can have that.
fn in_form_of(text: &str, existing: Option<&Value>) -> Value {
    match existing {
        Some(Value::Number(_)) => number_or_text(text),
        Some(Value::Bool(_)) if text == "true" || text == "false" => Value::Bool(text == "true"),
        _ => Value::String(text.to_owned()),
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

    fn check(convert: &Conversion, value: &Value, expected: Option<&str>) {
        for side in [Side::Espocrm, Side::Advoware] {
            assert_eq!(convert.read(side, value), Ok(expected.map(str::to_owned)), "{convert:?} {value}");
        }
    }

    /// `Mandant` is 1, `Gegner` is 2, `Zeuge` is the text `Z`.
    fn roles() -> Conversion {
        let row = |espocrm: &str, advoware: Value| Row {
            espocrm: espocrm.to_owned(),
            canonical: plain(&advoware).expect("a value").expect("filled"),
            advoware,
        };
        let rows = vec![row("Mandant", json!(1)), row("Gegner", json!(2)), row("Zeuge", json!("Z"))];
        Conversion::Enum(Arc::new(Table::new(rows)))
    }

    #[test]
    fn a_table_is_read_from_each_side_and_what_it_lacks_is_unreadable() {
        let roles = roles();
        let (ours, theirs) = (Side::Espocrm, Side::Advoware);
        for (side, value, expected) in [
            (ours, json!("Mandant"), Some("1")),
            (ours, json!(" Zeuge "), Some("Z")),
            (theirs, json!(1), Some("1")),
            (theirs, json!(2.0), Some("2")),
            (theirs, json!("1"), Some("1")),
            (ours, json!(""), None),
            (theirs, Value::Null, None),
        ] {
            assert_eq!(roles.read(side, &value), Ok(expected.map(str::to_owned)), "{side:?} {value}");
        }
        for (side, value) in [
            // The other side's word, another spelling, something else, no single value.
            (ours, json!("1")),
            (ours, json!("mandant")),
            (theirs, json!("Mandant")),
            (theirs, json!(3)),
            (theirs, json!(true)),
            (theirs, json!([1])),
        ] {
            assert!(roles.read(side, &value).is_err(), "{side:?} {value}");
        }
        assert_eq!(roles.espocrm_refuses("3"), Some(NOT_IN_TABLE));
        assert_eq!(roles.espocrm_refuses("1"), None);
    }

    #[test]
    fn a_table_s_value_is_written_in_the_type_that_is_there_or_else_the_file_s() {
        let roles = roles();
        for (text, existing, expected) in [
            ("2", None, json!(2)),
            ("2", Some(Value::Null), json!(2)),
            ("2", Some(json!(1)), json!(2)),
            ("2", Some(json!("1")), json!("2")),
            ("Z", Some(json!(1)), json!("Z")),
        ] {
            assert_eq!(roles.write_advoware(text, existing.as_ref()), expected, "{text} over {existing:?}");
        }
        assert_eq!(roles.write_espocrm("2", Some(&json!("Mandant"))), json!("Gegner"));
        assert_eq!(roles.write_espocrm("2", None), json!("Gegner"));
        let row = |espocrm: &str, text: &str| Row {
            espocrm: espocrm.to_owned(),
            canonical: text.to_owned(),
            advoware: json!(text),
        };
        let truth = Conversion::Enum(Arc::new(Table::new(vec![row("true", "J"), row("false", "N")])));
        assert_eq!(truth.read(Side::Espocrm, &json!(false)), Ok(Some("N".to_owned())));
        for existing in [None, Some(Value::Null), Some(json!(true))] {
            assert_eq!(truth.write_espocrm("N", existing.as_ref()), json!(false), "{existing:?}");
        }
    }

    #[test]
    fn text_is_trimmed_and_blank_is_none() {
        check(&Conversion::Text, &json!("  Müller \n"), Some("Müller"));
        check(&Conversion::Text, &json!("eins\r\nzwei\r\n"), Some("eins\nzwei"));
        check(&Conversion::Text, &json!("   "), None);
        check(&Conversion::Text, &json!(""), None);
        check(&Conversion::Text, &Value::Null, None);
        check(&Conversion::Text, &json!(5), Some("5"));
        check(&Conversion::Text, &json!(5.0), Some("5"));
        check(&Conversion::Text, &json!(5.25), Some("5.25"));
        check(&Conversion::Number, &json!("5000.00"), Some("5000"));
        check(&Conversion::Number, &json!(" "), None);
        check(&Conversion::Text, &json!(true), Some("true"));
    }

    #[test]
    fn what_is_no_single_value_or_no_date_is_unreadable() {
        for (convert, value) in [
            (Conversion::Text, json!(["a"])),
            (Conversion::Text, json!({"a": 1})),
            (Conversion::Date, json!("29.02.1980")),
            (Conversion::Date, json!("1981-02-29")),
            (Conversion::Date, json!(19_800_229)),
            (Conversion::Number, json!("ca. 5000")),
            (Conversion::Number, json!("1.234,50")),
        ] {
            assert!(convert.read(Side::Advoware, &value).is_err(), "{convert:?} {value}");
        }
    }

    #[test]
    fn emails_compare_without_case_and_keep_their_spelling() {
        check(&Conversion::Email, &json!("Max@Muster.DE "), Some("Max@Muster.DE"));
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
            (Conversion::Number, "12", None, json!(12)),
            (Conversion::Number, "5.25", Some(Value::Null), json!(5.25)),
            (Conversion::Number, "12", Some(json!("7")), json!("12")),
            (Conversion::Date, "1981-03-01", Some(json!("1980-02-29T00:00:00")), json!("1981-03-01T00:00:00")),
            (Conversion::Date, "1981-03-01", Some(Value::Null), json!("1981-03-01")),
        ] {
            assert_eq!(
                convert.write_advoware(text, existing.as_ref()),
                expected,
                "{convert:?} {text} over {existing:?}"
            );
            assert_eq!(
                convert.write_espocrm(text, existing.as_ref()),
                expected,
                "{convert:?} {text} over {existing:?}"
            );
        }
    }
}
