//! The file of `--config`: TOML, the settings' names as top-level keys.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::catalogue;
use super::fault::{Fault, Problem};
use super::hint;

/// The entries of `text` as (line, name, value), and what is wrong with it. `file` is how a person knows the file.
pub(super) fn parse(file: &str, text: &str) -> (Vec<(usize, String, String)>, Vec<Fault>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let line_of = |offset: usize| 1 + text[..offset.min(text.len())].matches('\n').count();
    // Only the message: the error's own rendering quotes the line, secrets included.
    let syntax = errors.iter().map(|error| Fault {
        name: file.to_owned(),
        place: error.span().map(|span| format!("line {}", line_of(span.start))),
        problem: Problem::new(
            format!("this is no TOML: {}", error.message()),
            "write one `NAME = \"value\"` a line, each name once",
        ),
    });
    let mut faults: Vec<Fault> = syntax.collect();
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        let line = line_of(key.span().start);
        match entry(key, value.get_ref()) {
            Ok(text) => entries.push((line, key.get_ref().to_string(), text)),
            Err(problem) => faults.push(Fault {
                name: key.get_ref().to_string(),
                place: Some(format!("{file} line {line}")),
                problem,
            }),
        }
    }
    (entries, faults)
}

fn entry(key: &Spanned<DeString<'_>>, value: &DeValue<'_>) -> Result<String, Problem> {
    if let DeValue::Table(_) = value {
        return Err(Problem::new("a table has no meaning here", "write the settings' names as top-level keys"));
    }
    let name = key.get_ref().as_ref();
    if catalogue::find(name).is_none() {
        let instead = match hint::nearest(name) {
            Some(known) => format!("did you mean {known}?"),
            None => "remove it; docs/settings.md lists all settings".to_owned(),
        };
        return Err(Problem::new("there is no such setting", instead));
    }
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        _ => Err(Problem::new("only a string, a decimal integer, true or false is understood", "put it in quotes")),
    }
}
