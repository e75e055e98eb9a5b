//! From the normal form back into the systems' records. Only what changes is written.

use serde_json::{Map, Value};

use super::mapping::{Mapping, Source};
use super::merge::Side;
use super::normal::{Content, Seen};

/// What to PUT to EspoCRM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EspocrmWrite {
    /// Attributes of the PUT (a partial update).
    pub attributes: Map<String, Value>,
    /// Changes that EspoCRM would refuse; they are not in `attributes`.
    pub unwritable: Vec<Unwritable>,
    /// Non-blank values that go because the person or company group is written clean.
    pub replaced: Vec<Replaced>,
}

/// A change that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// Canonical field.
    pub field: String,
    /// The value that stays behind.
    pub value: String,
    /// Why.
    pub reason: &'static str,
}

/// A value that is removed from EspoCRM without being a canonical field's old value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// EspoCRM's attribute.
    pub attribute: String,
    /// What it held.
    pub old: String,
}

impl EspocrmWrite {
    pub(super) fn set(&mut self, attribute: &str, text: Option<&str>) {
        self.attributes.insert(attribute.to_owned(), text.map_or(Value::Null, |text| Value::String(text.to_owned())));
    }
}

impl Mapping {
    /// Puts changes into the whole Advoware record that was read (its PUT takes the whole object). What does not
    /// change, in meaning, keeps its bytes; fields that the mapping does not name are not touched.
    pub fn write_advoware(&self, changes: &Content, whole: &mut Map<String, Value>) {
        for field in &self.fields {
            let name = &field.advoware;
            let new = changes.get(name);
            let existing = whole.get(name);
            let value = match new {
                Seen::Absent => continue,
                Seen::Blank => Value::Null,
                Seen::Value(text) => field.convert.write_advoware(text, existing),
            };
            let old = existing.and_then(|value| field.convert.read(Side::Advoware, value).ok());
            let unchanged = old.is_some_and(|old| field.same(old.as_deref().map_or(Seen::Blank, Seen::Value), new));
            if !unchanged {
                whole.insert(name.clone(), value);
            }
        }
    }

    /// The body that creates an Advoware record: everything filled that may flow there, and the mapping's defaults for the
    /// rest.
    #[must_use]
    pub fn new_advoware(&self, content: &Content) -> Map<String, Value> {
        let mut filled = Content::default();
        for field in self.fields.iter().filter(|field| field.may_flow_to_advoware()) {
            if let Seen::Value(_) = content.get(&field.advoware) {
                filled.set(&field.advoware, content.get(&field.advoware));
            }
        }
        let mut body = Map::new();
        self.write_advoware(&filled, &mut body);
        for (name, value) in &self.defaults {
            body.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        body
    }

    /// The body that creates an EspoCRM record: everything filled that may flow there. What EspoCRM would refuse is left
    /// out, for its validation fails the whole POST.
    #[must_use]
    pub fn new_espocrm(&self, content: &Content) -> EspocrmWrite {
        let mut filled = Content::default();
        for field in self.fields.iter().filter(|field| field.may_flow_to_espocrm()) {
            if let Seen::Value(_) = content.get(&field.advoware) {
                filled.set(&field.advoware, content.get(&field.advoware));
            }
        }
        if let Some(person) = &self.person
            && content.get(&person.advoware_first).text().is_none()
        {
            // Whatever has no first name is a company, also where Advoware does not show the field.
            filled.set(&person.advoware_first, Seen::Blank);
        }
        let mut write = self.write_espocrm(&filled, &Map::new());
        write.attributes.retain(|_, value| !value.is_null());
        write
    }

    /// The partial update that brings changes into the EspoCRM record `current`.
    #[must_use]
    pub fn write_espocrm(&self, changes: &Content, current: &Map<String, Value>) -> EspocrmWrite {
        let mut write = EspocrmWrite::default();
        if let Some(person) = &self.person {
            person.write_espocrm(changes, current, &mut write);
        }
        for field in &self.fields {
            if field.is_name() {
                continue;
            }
            let text = match changes.get(&field.advoware) {
                Seen::Absent => continue,
                Seen::Blank => {
                    field.attributes().iter().for_each(|attribute| write.set(attribute, None));
                    continue;
                }
                Seen::Value(text) => text,
            };
            if let Some(reason) = field.espocrm_refuses(text) {
                let (field, value) = (field.advoware.clone(), text.to_owned());
                write.unwritable.push(Unwritable { field, value, reason });
                continue;
            }
            match &field.source {
                Source::Attribute(attribute) => {
                    let value = field.convert.write_espocrm(text, current.get(attribute));
                    write.attributes.insert(attribute.clone(), value);
                }
                Source::Joined(joined) => {
                    let parts = joined.split(text).unwrap_or_default();
                    joined.attributes.iter().zip(parts).for_each(|(attribute, part)| write.set(attribute, Some(part)));
                }
                Source::First | Source::Name => {}
            }
        }
        write
    }
}
