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

    /// What EspoCRM brought to the body of a create: what the mapping added, and what the body leaves out, was blank there.
    #[must_use]
    pub fn brought(&self, body: &Map<String, Value>) -> Content {
        let mut ours = self.from_advoware(body);
        for name in self.fields.iter().map(|field| &field.advoware) {
            let added = self.defaults.iter().any(|(field, value)| field == name && body.get(name) == Some(value));
            if added || !ours.get(name).is_known() {
                ours.set(name, Seen::Blank);
            }
        }
        ours
    }

    /// What both sides agreed on when a record was created with this body: `ours` is EspoCRM's content then, `shown` what
    /// the new Advoware record shows; what it does not show is as it was sent. What only Advoware has is left open
    /// ([`Mapping::given`]): should nothing else come, the next comparison fills EspoCRM's blank.
    #[must_use]
    pub fn agreed(&self, body: &Map<String, Value>, ours: &Content, shown: &Content) -> Snapshot {
        let mut snapshot = Snapshot { espocrm: ours.clone(), advoware: self.from_advoware(body).overlaid(shown) };
        let given = self.given(ours, &snapshot.advoware);
        for (name, _) in given.iter() {
            snapshot.espocrm.set(name, Seen::Absent);
            snapshot.advoware.set(name, Seen::Absent);
        }
        snapshot
    }

    /// What a new Advoware record has and EspoCRM does not, by the mapping's defaults or by Advoware itself: it goes to
    /// EspoCRM with the first status, where it may flow there.
    #[must_use]
    pub fn given(&self, ours: &Content, theirs: &Content) -> Content {
        let mut given = Content::default();
        for field in self.fields.iter().filter(|field| field.may_flow_to_espocrm()) {
            let name = &field.advoware;
            if ours.get(name) == Seen::Blank && theirs.get(name).text().is_some() {
                given.set(name, theirs.get(name));
            }
        }
        given
    }
}
