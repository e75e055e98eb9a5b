//! `[create]`: what a new Advoware record gets besides the values of EspoCRM.

use serde_json::{Map, Value};

use super::keys;
use super::parse::Parts;
use super::reader::{Located, Reader, Section};
use super::{Field, Mapping};
use crate::sync::record::convert::{Conversion, plain};
use crate::sync::record::merge::{BlockReason, Blocked, Side, Snapshot};
use crate::sync::record::normal::{Content, Seen};

pub(super) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Vec<(Located<String>, Option<Value>)> {
    let Some(section) = reader.optional_section(root, "create") else { return Vec::new() };
    reader.only(&section, keys::CREATE);
    let table = reader.section(&section, "advoware");
    reader.values(&table)
}

/// The values without their places; those that are no value are faults already.
pub(super) fn typed(found: &[(Located<String>, Option<Value>)]) -> Vec<(String, Value)> {
    found.iter().filter_map(|(name, value)| Some((name.value.clone(), value.clone()?))).collect()
}

pub(super) fn check(reader: &mut Reader<'_>, parts: &Parts) {
    for (name, value) in &parts.defaults {
        let Some(value) = value else { continue };
        let field = parts.fields.iter().find(|field| field.advoware == name.value);
        let problem = match field {
            Some(field) if field.is_name() => {
                Some(format!("`{}` belongs to the person or company rule, which has no default", name.value))
            }
            None if parts.advoware_own.contains(&name.value) => {
                Some(format!("`{}` is given by Advoware and cannot be set", name.value))
            }
            _ => match field.map_or(&Conversion::Text, |field| &field.convert).read(Side::Advoware, value) {
                Ok(Some(_)) => None,
                Ok(None) => Some("must not be blank".to_owned()),
                Err(unreadable) => Some(format!("`{}`: {}", unreadable.value, unreadable.reason)),
            },
        };
        if let Some(problem) = problem {
            reader.fault(name.at, name.key.clone(), problem);
        }
    }
}

impl Mapping {
    /// Required fields that are blank or unknown at EspoCRM and have no default: without them no record is created in
    /// Advoware.
    #[must_use]
    pub fn missing_for_advoware(&self, content: &Content) -> Vec<&Field> {
        let mut missing = self.missing_required(content);
        missing.retain(|field| !self.defaults.iter().any(|(name, _)| *name == field.advoware));
        missing
    }

    /// What EspoCRM has and the body that creates the Advoware record does not, since the field does not flow there.
    #[must_use]
    pub fn not_created(&self, content: &Content) -> Vec<Blocked> {
        let stays = self.fields.iter().filter(|field| !field.may_flow_to_advoware());
        let filled = stays.filter_map(|field| Some((field, content.get(&field.advoware).text()?)));
        let blocked = |(field, value): (&Field, &str)| Blocked {
            field: field.advoware.clone(),
            from: Side::Espocrm,
            value: Some(value.to_owned()),
            reason: if field.read_only { BlockReason::ReadOnly } else { BlockReason::Direction },
        };
        filled.map(blocked).collect()
    }

    /// Whether a record shows the defaults that the body of its create had. What it does not show says nothing.
    #[must_use]
    pub fn shows_defaults(&self, body: &Map<String, Value>, record: &Map<String, Value>) -> bool {
        self.defaults.iter().all(|(name, _)| match (body.get(name), record.get(name)) {
            // A mapped field is compared with all the others, by its own conversion.
            (Some(_), Some(_)) if self.field(name).is_some() => true,
            (Some(sent), Some(shown)) => {
                let as_date = |value| Conversion::Date.read(Side::Advoware, value).ok();
                let same_day = as_date(sent).is_some_and(|day| as_date(shown) == Some(day));
                same_day || plain(sent) == plain(shown)
            }
            _ => true,
        })
    }

    /// What both sides agreed on when a record was created with this body, and EspoCRM does not have the defaults yet: a
    /// mapped field whose value is the default is left open, and should nothing else come, the next comparison fills
    /// EspoCRM's blank with it. One that does not flow to EspoCRM stays blank there.
    #[must_use]
    pub fn agreed(&self, body: &Map<String, Value>, mut snapshot: Snapshot) -> Snapshot {
        for field in self.defaulted(body) {
            let open = field.may_flow_to_espocrm();
            snapshot.espocrm.set(&field.advoware, if open { Seen::Absent } else { Seen::Blank });
            if open {
                snapshot.advoware.set(&field.advoware, Seen::Absent);
            }
        }
        snapshot
    }

    /// [`Mapping::agreed`], once EspoCRM has answered with the defaults in it: an edit from now on is one.
    #[must_use]
    pub fn settled(
        &self,
        body: &Map<String, Value>,
        open: &Snapshot,
        advoware: &Content,
        espocrm: &Content,
    ) -> Snapshot {
        let mut snapshot = open.clone();
        for field in self.defaulted(body).filter(|field| field.may_flow_to_espocrm()) {
            snapshot.espocrm.set(&field.advoware, espocrm.get(&field.advoware));
            snapshot.advoware.set(&field.advoware, advoware.get(&field.advoware));
        }
        snapshot
    }

    /// The defaults of a new Advoware record that go to EspoCRM's blank fields with the first status.
    #[must_use]
    pub fn defaults_for_espocrm(
        &self,
        body: &Map<String, Value>,
        espocrm: &Map<String, Value>,
        advoware: &Map<String, Value>,
    ) -> Map<String, Value> {
        let (ours, theirs) = (self.from_espocrm(espocrm), self.from_advoware(advoware));
        let mut changes = Content::default();
        for field in self.defaulted(body).filter(|field| field.may_flow_to_espocrm()) {
            if ours.get(&field.advoware) == Seen::Blank {
                changes.set(&field.advoware, theirs.get(&field.advoware));
            }
        }
        self.write_espocrm(&changes, espocrm).attributes
    }

    /// The mapped fields whose value in a body is the default.
    fn defaulted<'m>(&'m self, body: &'m Map<String, Value>) -> impl Iterator<Item = &'m Field> {
        self.defaults
            .iter()
            .filter(|(name, value)| body.get(name) == Some(value))
            .filter_map(|(name, _)| self.field(name))
    }
}
