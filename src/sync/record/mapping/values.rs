//! `convert` of a field, and the table of an `enum`.

use std::sync::Arc;

use serde_json::Value;

use super::Source;
use super::reader::{Located, Reader, Section};
use crate::sync::record::convert::{Conversion, Row, Table, plain};
use crate::sync::record::join::Joined;

/// The key that only an `enum` has.
const VALUES: &str = "values";

/// Where EspoCRM keeps a field: one attribute, or several with a separator.
pub(super) fn source(reader: &mut Reader<'_>, section: &Section<'_>) -> (Source, Vec<Located<String>>) {
    const SEPARATOR: &str = "separator";
    let separator = reader.raw_text(section, SEPARATOR);
    if !Reader::is_list(section, "espocrm") {
        if let Some(at) = section.at(SEPARATOR) {
            reader.fault(at, section.key(SEPARATOR), "has no effect without a list of attributes");
        }
        let attribute = reader.text(section, "espocrm");
        return (Source::Attribute(attribute.value.clone()), vec![attribute]);
    }
    let attributes = reader.list(section, "espocrm");
    let at = section.at("espocrm").unwrap_or_default();
    if attributes.len() < 2 {
        reader.fault(at, section.key("espocrm"), "a list needs two attributes at least");
    }
    if section.at("convert").is_some() {
        let problem = "several attributes are joined as text: leave `convert` out";
        reader.fault(section.at("convert").unwrap_or_default(), section.key("convert"), problem);
    }
    if let (Some(separator), Some(at)) = (&separator, section.at(SEPARATOR))
        && separator.contains(char::is_alphanumeric)
    {
        let problem = format!("`{separator}` stands inside of values, too: use what has no letter and no digit");
        reader.fault(at, section.key(SEPARATOR), problem);
    }
    let names = attributes.iter().map(|found| found.value.clone()).collect();
    (Source::Joined(Joined { attributes: names, separator: separator.unwrap_or_else(|| " ".to_owned()) }), attributes)
}

/// The conversion of one `[[field]]`.
pub(super) fn conversion(reader: &mut Reader<'_>, section: &Section<'_>) -> Conversion {
    let options = Conversion::NAMES.map(|name| (name, name));
    let name = reader.choice(section, "convert", &options);
    if name != "enum"
        && let Some(at) = section.at(VALUES)
    {
        reader.fault(at, section.key(VALUES), "has no effect without `convert = \"enum\"`");
    }
    match name {
        "number" => Conversion::Number,
        "date" => Conversion::Date,
        "phone" => Conversion::Phone,
        "email" => Conversion::Email,
        "enum" => Conversion::Enum(Arc::new(table(reader, section))),
        _ => Conversion::Text,
    }
}

fn table(reader: &mut Reader<'_>, section: &Section<'_>) -> Table {
    let known = reader.section(section, VALUES);
    let mut rows: Vec<(Row, usize)> = Vec::new();
    let found = reader.values(&known);
    if found.is_empty() && known.is_table() {
        reader.fault(known.start(), section.key(VALUES), "is empty: no value could be read");
    }
    for (name, value) in found {
        let Some(row) = row(reader, &name, value) else { continue };
        let twice = rows.iter().find_map(|(other, at)| {
            let side = if other.espocrm == row.espocrm {
                "EspoCRM"
            } else if other.canonical == row.canonical {
                "Advoware"
            } else {
                return None;
            };
            Some((side, *at))
        });
        if let Some((side, at)) = twice {
            let value = if side == "EspoCRM" { &row.espocrm } else { &row.canonical };
            let line = reader.line(at);
            let problem = format!("{side}'s `{value}` stands in line {line} already: the way back would be open");
            reader.fault(name.at, name.key, problem);
            continue;
        }
        rows.push((row, name.at));
    }
    Table::new(rows.into_iter().map(|(row, _)| row).collect())
}

fn row(reader: &mut Reader<'_>, name: &Located<String>, value: Option<Value>) -> Option<Row> {
    let value = value?;
    let canonical = plain(&value).ok().flatten();
    let espocrm = name.value.trim().to_owned();
    match canonical {
        Some(canonical) if !espocrm.is_empty() => Some(Row { espocrm, canonical, advoware: trimmed(value) }),
        _ => {
            reader.fault(name.at, name.key.clone(), "must not be blank: blank is blank at both ends, without a table");
            None
        }
    }
}

fn trimmed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.trim().to_owned()),
        other => other,
    }
}
