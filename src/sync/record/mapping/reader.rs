//! Typed reading of a TOML tree that collects every fault instead of stopping at the first.
//!
//! Where a value is missing or wrong, a placeholder is returned and a fault recorded; the caller must not use what it
//! built while [`Reader::faults`] is not empty.

use std::ops::RangeInclusive;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::MappingFault;
use super::keys::Table;

pub(super) struct Reader<'s> {
    file: &'s str,
    source: &'s str,
    pub(super) faults: Vec<MappingFault>,
}

/// A table and where it stands.
#[derive(Clone)]
pub(super) struct Section<'t> {
    table: Option<&'t DeTable<'t>>,
    path: String,
    at: usize,
}

/// A value, where it stands (byte offset) and its dotted key.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: usize,
    pub(super) key: String,
}

impl<'t> Section<'t> {
    pub(super) fn root(table: &'t DeTable<'t>) -> Self {
        Self { table: Some(table), path: String::new(), at: 0 }
    }

    /// Whether there is such a table.
    pub(super) fn is_table(&self) -> bool {
        self.table.is_some()
    }

    /// Where the table stands.
    pub(super) fn start(&self) -> usize {
        self.at
    }

    /// The dotted path of one of its keys.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn find(&self, wanted: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries().find(|(key, _)| key.get_ref() == wanted).map(|(_, value)| value)
    }

    /// Where a key's value stands, if the key is there.
    pub(super) fn at(&self, key: &str) -> Option<usize> {
        self.find(key).map(|value| value.span().start)
    }

    fn entries(&self) -> impl Iterator<Item = (&'t Spanned<std::borrow::Cow<'t, str>>, &'t Spanned<DeValue<'t>>)> {
        self.table.into_iter().flat_map(|table| table.iter())
    }
}

impl<'s> Reader<'s> {
    pub(super) fn new(file: &'s str, source: &'s str) -> Self {
        Self { file, source, faults: Vec::new() }
    }

    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.source.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    pub(super) fn fault(&mut self, at: usize, key: impl Into<String>, problem: impl Into<String>) {
        let line = Some(self.line(at));
        self.faults.push(MappingFault { file: self.file.to_owned(), line, key: key.into(), problem: problem.into() });
    }

    /// Refuses keys other than `known`, which is where most typing errors end up.
    pub(super) fn only(&mut self, section: &Section<'_>, table: Table) {
        let known = table.keys;
        for (key, _) in section.entries() {
            if !known.contains(&key.get_ref().as_ref()) {
                let problem = format!("unknown key; known here: {}", known.join(", "));
                self.fault(key.span().start, section.key(key.get_ref()), problem);
            }
        }
    }

    pub(super) fn section<'t>(&mut self, parent: &Section<'t>, key: &str) -> Section<'t> {
        self.optional_section(parent, key).unwrap_or_else(|| {
            self.missing(parent, key, "table");
            Section { table: None, path: parent.key(key), at: parent.at }
        })
    }

    /// None where it is missing; a wrong type is a fault and reads as an empty table.
    pub(super) fn optional_section<'t>(&mut self, parent: &Section<'t>, key: &str) -> Option<Section<'t>> {
        let value = parent.find(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(parent, key, value, "table");
        }
        Some(Section { table, path: parent.key(key), at: value.span().start })
    }

    /// The tables of `[[key]]`.
    pub(super) fn sections<'t>(&mut self, parent: &Section<'t>, key: &str) -> Vec<Section<'t>> {
        let Some(value) = parent.find(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(parent, key, value, "list of tables ([[…]])");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            match item.get_ref().as_table() {
                Some(table) => {
                    sections.push(Section { table: Some(table), path: parent.key(key), at: item.span().start });
                }
                None => self.wrong_type(parent, key, item, "table"),
            }
        }
        sections
    }

    /// A text that must be there and not be blank.
    pub(super) fn text(&mut self, section: &Section<'_>, key: &str) -> Located<String> {
        self.optional_text(section, key).unwrap_or_else(|| {
            self.missing(section, key, "string");
            Located { value: String::new(), at: section.at, key: section.key(key) }
        })
    }

    /// A text in which blanks count; empty is a fault.
    pub(super) fn raw_text(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        let value = section.find(key)?;
        match value.get_ref().as_str() {
            Some("") => self.fault(value.span().start, section.key(key), "must not be empty"),
            Some(text) => return Some(text.to_owned()),
            None => self.wrong_type(section, key, value, "string"),
        }
        None
    }

    /// Whether a key has a list.
    pub(super) fn is_list(section: &Section<'_>, key: &str) -> bool {
        section.find(key).is_some_and(|value| value.get_ref().as_array().is_some())
    }

    pub(super) fn optional_text(&mut self, section: &Section<'_>, key: &str) -> Option<Located<String>> {
        let value = section.find(key)?;
        Some(self.string(value, section.key(key)))
    }

    /// All `key = "text"` pairs of a table, in the order of its lines.
    pub(super) fn texts(&mut self, section: &Section<'_>) -> Vec<(Located<String>, Located<String>)> {
        let mut entries: Vec<_> = section.entries().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let path = section.key(key.get_ref());
                let name =
                    Located { value: key.get_ref().clone().into_owned(), at: key.span().start, key: path.clone() };
                (name, self.string(value, path))
            })
            .collect()
    }

    /// All `key = "text"` and `key = ["text", …]` pairs of a table, in the order of its lines. Blank texts are allowed,
    /// lists without any text are not.
    pub(super) fn choices(&mut self, section: &Section<'_>) -> Vec<(Located<String>, Vec<String>)> {
        let mut entries: Vec<_> = section.entries().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut choices = Vec::new();
        for (key, value) in entries {
            let path = section.key(key.get_ref());
            let items = value.get_ref().as_array().map_or_else(|| vec![value], |array| array.iter().collect());
            if items.is_empty() {
                self.fault(value.span().start, path.clone(), "an empty list: nothing would match");
            }
            let mut texts = Vec::new();
            for item in items {
                if let Some(text) = item.get_ref().as_str() {
                    texts.push(text.to_owned());
                } else {
                    let problem = format!("must be a string or a list of strings, not {}", item.get_ref().type_str());
                    self.fault(item.span().start, path.clone(), problem);
                }
            }
            let name = Located { value: key.get_ref().clone().into_owned(), at: key.span().start, key: path };
            choices.push((name, texts));
        }
        choices
    }

    /// All `key = value` pairs of a table, in the order of its lines. Texts, whole numbers and truth values are values;
    /// anything else is a fault and reads as `None`.
    pub(super) fn values(&mut self, section: &Section<'_>) -> Vec<(Located<String>, Option<Value>)> {
        let mut entries: Vec<_> = section.entries().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut values = Vec::new();
        for (key, found) in entries {
            let path = section.key(key.get_ref());
            let value = match found.get_ref() {
                DeValue::String(text) => Some(Value::String(text.clone().into_owned())),
                DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
                DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from),
                _ => None,
            };
            if value.is_none() {
                let kind = found.get_ref().type_str();
                let problem = format!("must be a string, a whole number, true or false, not {kind}");
                self.fault(found.span().start, path.clone(), problem);
            }
            values
                .push((Located { value: key.get_ref().clone().into_owned(), at: key.span().start, key: path }, value));
        }
        values
    }

    /// A list of texts; empty where it is missing.
    pub(super) fn list(&mut self, section: &Section<'_>, key: &str) -> Vec<Located<String>> {
        let Some(value) = section.find(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(section, key, value, "list of strings");
            return Vec::new();
        };
        array.iter().map(|item| self.string(item, section.key(key))).collect()
    }

    /// One of `options` by name; the first is the default.
    pub(super) fn choice<T: Copy>(&mut self, section: &Section<'_>, key: &str, options: &[(&str, T)]) -> T {
        let default = options[0].1;
        let Some(found) = self.optional_text(section, key) else { return default };
        if let Some((_, option)) = options.iter().find(|(name, _)| *name == found.value) {
            return *option;
        }
        if !found.value.is_empty() {
            let names: Vec<_> = options.iter().map(|(name, _)| *name).collect();
            self.fault(found.at, found.key, format!("`{}` is none of: {}", found.value, names.join(", ")));
        }
        default
    }

    pub(super) fn flag(&mut self, section: &Section<'_>, key: &str) -> bool {
        self.flag_or(section, key, false)
    }

    pub(super) fn flag_or(&mut self, section: &Section<'_>, key: &str, default: bool) -> bool {
        let Some(value) = section.find(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(section, key, value, "true or false");
            default
        })
    }

    pub(super) fn number(&mut self, section: &Section<'_>, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = section.find(key) else { return default };
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(section, key, value, "whole number");
            return default;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| range.contains(n));
        number.unwrap_or_else(|| {
            let problem = format!("{integer} is not within {} to {}", range.start(), range.end());
            self.fault(value.span().start, section.key(key), problem);
            default
        })
    }

    fn string(&mut self, value: &Spanned<DeValue<'_>>, key: String) -> Located<String> {
        let at = value.span().start;
        let text = match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => text.to_owned(),
            Some(_) => {
                self.fault(at, key.clone(), "must not be blank");
                String::new()
            }
            None => {
                self.fault(at, key.clone(), format!("must be a string, not {}", value.get_ref().type_str()));
                String::new()
            }
        };
        Located { value: text, at, key }
    }

    fn missing(&mut self, section: &Section<'_>, key: &str, kind: &str) {
        self.fault(section.at, section.key(key), format!("missing ({kind})"));
    }

    fn wrong_type(&mut self, section: &Section<'_>, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let problem = format!("must be a {wanted}, not {}", value.get_ref().type_str());
        self.fault(value.span().start, section.key(key), problem);
    }
}
