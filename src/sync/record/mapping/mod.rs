//! Entity definitions as data: what a mapping file says, read, checked and typed.
//!
//! Canonical field names are Advoware's spellings; they name the fields in snapshots, merges and notes.
//! `docs/mapping.md` is the page for people who write such a file.

mod check;
mod defaults;
mod fault;
mod import;
mod keys;
mod load;
mod parse;
mod reader;
mod samples;
#[cfg(test)]
mod schema_tests;
mod search;
#[cfg(test)]
mod tests;
mod values;

pub use fault::MappingFault;
pub use import::Import;
pub use load::{Checked, DEFAULT_FOLDER, Mappings};
pub use samples::Trip;

use serde_json::Value;

use super::convert::Conversion;
use super::join::{Joined, NOT_SPLIT};

/// One entity: everything that record sync knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Name in topics (`vmh.<name>.*`), routes and keys; `[a-z0-9_]+`.
    pub name: String,
    /// EspoCRM's end.
    pub espocrm: EspocrmEnd,
    /// Advoware's end.
    pub advoware: AdvowareEnd,
    /// Person or company rule (seed 004), where the entity has one.
    pub person: Option<Person>,
    /// All synced fields; those of the person rule come first.
    pub fields: Vec<Field>,
    /// How a record that may exist already is found again.
    pub search: Search,
    /// What deleting the EspoCRM record does to Advoware's.
    pub on_delete: OnDelete,
    /// Settings of the periodic sweep.
    pub sweep: Sweep,
    /// Which records that only Advoware has are created in EspoCRM; `None`: they stay there.
    pub import: Option<Import>,
    /// What a new Advoware record gets besides the values of EspoCRM: Advoware's field, mapped or not, and its value.
    pub defaults: Vec<(String, Value)>,
}

/// EspoCRM's entity and the names of its sync fields (seed 004).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspocrmEnd {
    /// Entity type, for example `CBeteiligte`.
    pub entity: String,
    /// Holds Advoware's id.
    pub link: String,
    /// Holds the rowId of the last agreement.
    pub row_id: String,
    /// `clean`, `dirty`, `failed`, …
    pub status: String,
    /// UTC time of the last success.
    pub last_sync: String,
    /// Text of the last failure.
    pub error: String,
    /// Mirror of the queue's attempt.
    pub retries: String,
}

/// Advoware's resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvowareEnd {
    /// Path below the API base, without a slash at either end.
    pub path: String,
    /// Field with the record's number.
    pub id: String,
    /// Field with the opaque version (`rowId`).
    pub version: String,
    /// Field with a change time, for seed 004's fallback where a rowId is missing.
    pub modified: Option<String>,
}

/// The attributes behind the person or company rule (seed 004, "Person vs. Firma Mapping").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// EspoCRM's first name; non-blank means person.
    pub espocrm_first: String,
    /// EspoCRM's last name.
    pub espocrm_last: String,
    /// EspoCRM's company name.
    pub espocrm_company: String,
    /// Advoware's first name, canonical; non-blank means person.
    pub advoware_first: String,
    /// Advoware's last or company name, canonical.
    pub advoware_name: String,
}

/// One synced field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where EspoCRM keeps it.
    pub source: Source,
    /// Advoware's field, which is also the canonical name.
    pub advoware: String,
    /// What a note calls it.
    pub label: String,
    /// How values are compared and written.
    pub convert: Conversion,
    /// Which way changes flow.
    pub direction: Direction,
    /// A required field is never written blank, on either side.
    pub required: bool,
    /// Advoware ignores what is written to it: only its own value flows, so `direction` is [`Direction::ToEspocrm`], and
    /// people are told why.
    pub read_only: bool,
}

/// Where EspoCRM keeps a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One attribute.
    Attribute(String),
    /// Several attributes, joined in Advoware.
    Joined(Joined),
    /// The first name of the person rule.
    First,
    /// The last or company name of the person rule.
    Name,
}

/// Which way a field's changes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Either way.
    Both,
    /// EspoCRM → Advoware only.
    ToAdvoware,
    /// Advoware → EspoCRM only.
    ToEspocrm,
}

/// Search keys of interrupted creates and of linking (design S3, S4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Fields whose equality makes two records candidates for being the same; empty: no usable search.
    pub keys: Vec<SearchKey>,
    /// Fields that prove two records different when both are filled and unequal.
    pub unless_different: Vec<String>,
}

/// One search key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchKey {
    /// Canonical field.
    pub field: String,
    /// Name of Advoware's query parameter; a wrong one is ignored silently there, so results are filtered again.
    pub parameter: String,
}

/// What deleting the EspoCRM record does to Advoware's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// Advoware's record stays; the pair is dissolved.
    Keep,
    /// Advoware's record is deleted.
    Delete,
}

/// Settings of the periodic sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Every pair is looked at once in this many hours.
    pub recheck_hours: u32,
    /// The most looks an hour at records only because they changed lately.
    pub looks_per_hour: u32,
    /// Whether Advoware's list of all records is used, which shows their versions in one call.
    pub list: bool,
    /// Records in one page of EspoCRM's list, 1 to 200 (EspoCRM's own limit).
    pub page: u32,
    /// Hours between the trials of a record that has failed for good, and before the first one, 1 to 8760.
    pub trial_hours: u32,
    /// How many trials such a record gets before it is left to a person; 0: none.
    pub trials: u32,
}

impl Mapping {
    /// The attributes that show whether a record of EspoCRM is in step: the synced ones, the sync fields, the change time.
    #[must_use]
    pub fn espocrm_attributes(&self) -> Vec<String> {
        let person = self.person.as_ref().map(|it| [&it.espocrm_first, &it.espocrm_last, &it.espocrm_company]);
        let fields = self.fields.iter().flat_map(Field::attributes);
        let named = self.espocrm.sync_fields().into_iter().chain(person.into_iter().flatten()).chain(fields).cloned();
        ["id", "modifiedAt"].map(str::to_owned).into_iter().chain(named).collect()
    }

    /// The field with this canonical name.
    #[must_use]
    pub fn field(&self, canonical: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.advoware == canonical)
    }
}

impl EspocrmEnd {
    /// The sync fields.
    #[must_use]
    pub fn sync_fields(&self) -> [&String; 6] {
        [&self.link, &self.row_id, &self.status, &self.last_sync, &self.error, &self.retries]
    }

    /// Whether this attribute is one of the sync fields.
    #[must_use]
    pub fn is_sync_field(&self, attribute: &str) -> bool {
        self.sync_fields().into_iter().any(|it| it == attribute)
    }
}

impl Field {
    /// EspoCRM's attributes of the field; those of the person rule belong to none alone.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        match &self.source {
            Source::Attribute(attribute) => std::slice::from_ref(attribute),
            Source::Joined(joined) => &joined.attributes,
            Source::First | Source::Name => &[],
        }
    }

    /// Why EspoCRM cannot take this canonical text; none where it can.
    #[must_use]
    pub fn espocrm_refuses(&self, text: &str) -> Option<&'static str> {
        match &self.source {
            Source::Joined(joined) if joined.split(text).is_none() => Some(NOT_SPLIT),
            _ => self.convert.espocrm_refuses(text),
        }
    }

    /// Whether the field belongs to the person or company rule, which is merged and written as a group.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self.source, Source::First | Source::Name)
    }

    /// Whether EspoCRM's changes go to Advoware.
    #[must_use]
    pub fn may_flow_to_advoware(&self) -> bool {
        self.direction != Direction::ToEspocrm
    }

    /// Whether Advoware's changes go to EspoCRM.
    #[must_use]
    pub fn may_flow_to_espocrm(&self) -> bool {
        self.direction != Direction::ToAdvoware
    }
}
