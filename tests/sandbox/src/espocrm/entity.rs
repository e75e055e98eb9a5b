//! The data model as data: a second entity needs no code.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a field holds, hence how it is validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line of text.
    Varchar,
    /// Several lines of text.
    Text,
    /// A 32-bit number.
    Int,
    /// Yes or no.
    Bool,
    /// `YYYY-MM-DD`
    Date,
    /// `YYYY-MM-DD HH:mm:ss`, UTC, no fraction.
    DateTime,
    /// One of these.
    Enum(Vec<String>),
    /// An e-mail address.
    Email,
    /// An international phone number, `+49…`.
    Phone,
    /// A list, such as `usersIds`.
    List,
}

/// One attribute of an entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name in the API.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Null is refused.
    #[serde(default)]
    pub required: bool,
    /// Longest text in characters.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// A second live record with the same value is refused by the database, hence with 500.
    #[serde(default)]
    pub unique: bool,
    /// Value of a new record that does not set it.
    #[serde(default)]
    pub default: Value,
}

impl Field {
    /// An optional field without a limit.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.into(), kind, required: false, max_length: None, unique: false, default: Value::Null }
    }

    /// A line of at most so many characters.
    #[must_use]
    pub fn varchar(name: &str, max_length: usize) -> Self {
        Self { max_length: Some(max_length), ..Self::new(name, Kind::Varchar) }
    }

    /// Makes it required.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Makes it unique among live records.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// Gives new records a value.
    #[must_use]
    pub fn default(self, default: Value) -> Self {
        Self { default, ..self }
    }
}

/// One kind of records.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Its name in the API, such as `CBeteiligte`.
    pub name: String,
    /// Type Person: `name` is computed from firstName and lastName.
    #[serde(default)]
    pub person: bool,
    /// Has a stream: a write that changes nothing still bumps modifiedAt and modifiedById.
    #[serde(default)]
    pub stream: bool,
    /// Has optimistic concurrency, hence a `versionNumber`.
    #[serde(default)]
    pub optimistic: bool,
    /// A new record that shares one of these with a live one is refused with 409.
    #[serde(default)]
    pub duplicate_fields: Vec<String>,
    /// Its own fields.
    pub fields: Vec<Field>,
}

impl Entity {
    /// An entity of type Person with a stream, as `EspoCRM`'s Entity Manager makes it.
    #[must_use]
    pub fn person(name: &str) -> Self {
        let salutations = ["", "Mr.", "Ms.", "Mrs.", "Dr."].map(str::to_owned).to_vec();
        let mut fields = vec![
            Field::new("salutationName", Kind::Enum(salutations)),
            Field::varchar("firstName", 100),
            Field::varchar("lastName", 100).required(),
            Field::new("emailAddress", Kind::Email),
            Field::new("phoneNumber", Kind::Phone),
            Field::new("emailAddressIsOptedOut", Kind::Bool).default(json!(false)),
            Field::new("emailAddressIsInvalid", Kind::Bool).default(json!(false)),
            Field::new("phoneNumberIsOptedOut", Kind::Bool).default(json!(false)),
            Field::new("phoneNumberIsInvalid", Kind::Bool).default(json!(false)),
            Field::new("description", Kind::Text),
            Field::varchar("assignedUserId", 17),
        ];
        fields.extend(
            [("Street", 255), ("City", 100), ("State", 100), ("Country", 100), ("PostalCode", 40)]
                .map(|(part, length)| Field::varchar(&format!("address{part}"), length)),
        );
        Self {
            name: name.into(),
            person: true,
            stream: true,
            optimistic: false,
            duplicate_fields: vec!["name".into(), "emailAddress".into()],
            fields,
        }
    }

    /// The entity of record with the sync fields of seed 004 (espocrm.md, Custom entity and fields).
    #[must_use]
    pub fn beteiligte(name: &str) -> Self {
        let own = [
            Field::varchar("firmenname", 255),
            Field::varchar("rechtsform", 100),
            Field::varchar("anrede", 100),
            Field::varchar("geschlecht", 100),
            Field::new("dateOfBirth", Kind::Date),
            Field::varchar("handelsregisterNummer", 100),
        ];
        own.into_iter().chain(Self::sync_fields()).fold(Self::person(name), Self::with)
    }

    /// The fields that every synced entity has (seed 004).
    #[must_use]
    pub fn sync_fields() -> Vec<Field> {
        let states = ["clean", "dirty", "pending_sync", "syncing", "failed", "permanently_failed", "conflict"];
        vec![
            Field::new("advowareId", Kind::Int).unique(),
            Field::varchar("advowareRowId", 50),
            Field::new("syncStatus", Kind::Enum(states.map(str::to_owned).to_vec())),
            Field::new("advowareLastSync", Kind::DateTime),
            Field { max_length: Some(2000), ..Field::new("syncErrorMessage", Kind::Text) },
            Field::new("syncRetryCount", Kind::Int).default(json!(0)),
        ]
    }

    /// Adds a field, or replaces the one of the same name.
    #[must_use]
    pub fn with(mut self, field: Field) -> Self {
        self.fields.retain(|old| old.name != field.name);
        self.fields.push(field);
        self
    }

    /// Lifts a requirement, as an admin does in the Entity Manager.
    #[must_use]
    pub fn not_required(mut self, name: &str) -> Self {
        self.fields.iter_mut().filter(|field| field.name == name).for_each(|field| field.required = false);
        self
    }

    /// Takes a field away, as on an installation that was never set up.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|field| field.name != name);
        self
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether an attribute can be filtered and sorted by.
    pub(crate) fn knows(&self, attribute: &str) -> bool {
        SYSTEM.contains(&attribute) || self.field(attribute).is_some()
    }
}

/// Attributes that every record has and no body can set.
pub(crate) const SYSTEM: [&str; 11] = [
    "id",
    "name",
    "deleted",
    "createdAt",
    "modifiedAt",
    "createdById",
    "createdByName",
    "modifiedById",
    "modifiedByName",
    "streamUpdatedAt",
    "isFollowed",
];
