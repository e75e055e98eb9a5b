//! The file of `--config`: TOML, the settings' names as top-level keys.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::catalogue;
use super::fault::{Fault, Problem};
use super::hint;

/// Finds lines in a file's text, and tells faults by them.
pub(super) struct Lines<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Lines<'a> {
    /// Of a file that people know as `file`.
    pub(super) fn of(file: &'a str, text: &'a str) -> Self {
        Self { file, text }
    }

    fn at(&self, offset: usize) -> usize {
        1 + self.text[..offset.min(self.text.len())].matches('\n').count()
    }

    /// Such as `file line 3`.
    pub(super) fn place(&self, offset: usize) -> String {
        format!("{} line {}", self.file, self.at(offset))
    }

    /// A fault of what is called `name`.
    pub(super) fn fault(&self, name: &str, offset: usize, problem: Problem) -> Fault {
        Fault { name: name.to_owned(), place: Some(self.place(offset)), problem }
    }

    /// What the parser says, without the line itself, which its own rendering quotes, secrets included.
    pub(super) fn syntax(&self, error: &toml::de::Error, instead: &str) -> Fault {
        Fault {
            name: self.file.to_owned(),
            place: error.span().map(|span| format!("line {}", self.at(span.start))),
            problem: Problem::new(format!("this is no TOML: {}", error.message()), instead),
        }
    }
}

/// The entries of `text` as (place, name, value), and what is wrong with it. `file` is how a person knows the file.
pub(super) fn parse(file: &str, text: &str) -> (Vec<(String, String, String)>, Vec<Fault>) {
    let lines = Lines::of(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let instead = "write one `NAME = \"value\"` a line, each name once";
    let mut faults: Vec<Fault> = errors.iter().map(|error| lines.syntax(error, instead)).collect();
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        match entry(key, value.get_ref()) {
            Ok(text) => entries.push((lines.place(key.span().start), key.get_ref().to_string(), text)),
            Err(problem) => faults.push(lines.fault(key.get_ref(), key.span().start, problem)),
        }
    }
    (entries, faults)
}

fn entry(key: &Spanned<DeString<'_>>, value: &DeValue<'_>) -> Result<String, Problem> {
    if let DeValue::Table(_) = value {
        return Err(Problem::new("a table has no meaning here", "write the settings' names as top-level keys"));
    }
    let name = key.get_ref().as_ref();
    if catalogue::find(name).or(catalogue::in_file(name)).is_none() {
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
