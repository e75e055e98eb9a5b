//! The normal form: what a record of either side says about the synced fields, in canonical names and texts.
//!
//! **Absent is not blank.** A field that the source does not show (rights, a partial answer, an unreadable value) has
//! no entry, and nothing is ever concluded from it; a field that is shown empty is blank, which is a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::convert::Unreadable;
use super::mapping::{Field, Mapping, Source};
use super::merge::Side;

/// Canonical field name → text or blank. Serialises as a plain object (`{"name":"Muster","vorname":null}`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content {
    values: BTreeMap<String, Option<String>>,
    #[serde(skip)]
    problems: Vec<Problem>,
}

/// A value that could not be read. Its field is absent from the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Canonical field.
    pub field: String,
    /// The value as it came and what was expected.
    pub unreadable: Unreadable,
}

/// What a content says about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'c> {
    /// Nothing is known.
    Absent,
    /// Known to be empty.
    Blank,
    /// Known text, trimmed and not empty.
    Value(&'c str),
}

impl Content {
    /// What is known about a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Seen<'_> {
        match self.values.get(field) {
            None => Seen::Absent,
            Some(None) => Seen::Blank,
            Some(Some(value)) => Seen::Value(value),
        }
    }

    /// Sets a field; setting it absent removes it.
    pub fn set(&mut self, field: &str, seen: Seen<'_>) {
        match seen {
            Seen::Absent => drop(self.values.remove(field)),
            Seen::Blank => drop(self.values.insert(field.to_owned(), None)),
            Seen::Value(value) => drop(self.values.insert(field.to_owned(), Some(value.to_owned()))),
        }
    }

    /// All known fields, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Seen<'_>)> {
        self.values.keys().map(|field| (field.as_str(), self.get(field)))
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values that could not be read, for the job's report.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// This content with everything that `newer` knows in place of its own; problems are left out.
    #[must_use]
    pub fn overlaid(&self, newer: &Self) -> Self {
        let mut values = self.values.clone();
        values.extend(newer.values.clone());
        Self { values, problems: Vec::new() }
    }

    /// Only the fields of which this holds; problems are left out.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept = self.values.iter().filter(|(field, _)| keep(field));
        Self { values: kept.map(|(field, value)| (field.clone(), value.clone())).collect(), problems: Vec::new() }
    }

    /// Only the fields that `of` knows.
    #[must_use]
    pub fn restricted(&self, of: &Self) -> Self {
        self.filtered(|field| of.get(field).is_known())
    }

    /// Adds a value that could not be read.
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Reads one attribute of a record.
    fn read(&mut self, side: Side, field: &Field, record: &Map<String, Value>, attribute: &str) {
        self.take(field, record.get(attribute).map(|value| field.convert.read(side, value)));
    }

    /// Takes what was read of a field; `None` is absent.
    fn take(&mut self, field: &Field, read: Option<Result<Option<String>, Unreadable>>) {
        match read {
            None => {}
            Some(Ok(text)) => drop(self.values.insert(field.advoware.clone(), text)),
            Some(Err(unreadable)) => self.report(Problem { field: field.advoware.clone(), unreadable }),
        }
    }
}

impl<'c> Seen<'c> {
    /// The text, where there is one.
    #[must_use]
    pub fn text(self) -> Option<&'c str> {
        match self {
            Self::Value(text) => Some(text),
            Self::Absent | Self::Blank => None,
        }
    }

    /// Whether anything is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::Absent
    }
}

impl Field {
    /// Whether both are known and mean the same.
    #[must_use]
    pub fn same(&self, one: Seen<'_>, other: Seen<'_>) -> bool {
        match (one, other) {
            (Seen::Blank, Seen::Blank) => true,
            (Seen::Value(a), Seen::Value(b)) => self.convert.same(a, b),
            _ => false,
        }
    }
}

impl Mapping {
    /// The normal form of an EspoCRM record.
    #[must_use]
    pub fn from_espocrm(&self, record: &Map<String, Value>) -> Content {
        let mut content = Content::default();
        for field in &self.fields {
            match &field.source {
                Source::Attribute(attribute) => content.read(Side::Espocrm, field, record, attribute),
                Source::Joined(joined) => content.take(field, joined.read(record)),
                Source::First | Source::Name => {}
            }
        }
        if let Some(person) = &self.person {
            person.read_espocrm(record, &mut content);
        }
        content
    }

    /// The normal form of an Advoware record.
    #[must_use]
    pub fn from_advoware(&self, record: &Map<String, Value>) -> Content {
        let mut content = Content::default();
        for field in &self.fields {
            content.read(Side::Advoware, field, record, &field.advoware);
        }
        content
    }

    /// The names of [`Mapping::differing`].
    #[must_use]
    pub fn names_differing(&self, one: &Content, other: &Content) -> Vec<String> {
        self.differing(one, other).map(|field| field.advoware.clone()).collect()
    }

    /// The fields in which two contents are known to differ: those of both sides, or what was sent and what is shown after it.
    pub fn differing<'m>(&'m self, one: &Content, other: &Content) -> impl Iterator<Item = &'m Field> {
        self.fields.iter().filter(|field| {
            let (one, other) = (one.get(&field.advoware), other.get(&field.advoware));
            one.is_known() && other.is_known() && !field.same(one, other)
        })
    }

    /// Required fields that are blank or unknown: such a record cannot be created in Advoware.
    #[must_use]
    pub fn missing_required(&self, content: &Content) -> Vec<&Field> {
        let missing = |field: &&Field| field.required && content.get(&field.advoware).text().is_none();
        self.fields.iter().filter(missing).collect()
    }
}

#[cfg(test)]
#[path = "normal_tests.rs"]
pub(super) mod tests;
