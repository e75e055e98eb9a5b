//! What Advoware offers, as data: a second record type needs no code here.

use serde::{Deserialize, Serialize};

use crate::{BETEILIGTE, TERMINE};

/// How one record is addressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// `GET Beteiligte/17`
    Path,
    /// `GET Termine?frnr=17`; the name is compared case-sensitively.
    Query(String),
    /// Only the list can be read.
    ListOnly,
}

/// One kind of records.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// The path segment, such as `Beteiligte`.
    pub name: String,
    /// The numeric key, such as `betNr`.
    pub key: String,
    /// How one record is addressed.
    pub address: Address,
    /// Fields that can be written; every answer names them all, unset ones as null.
    pub fields: Vec<String>,
    /// Further fields that a PUT leaves as they are, without a word.
    #[serde(default)]
    pub read_only: Vec<String>,
    /// Query parameters that a list filters by; all others are ignored without a word.
    #[serde(default)]
    pub search: Vec<String>,
    /// Fields that hold a date.
    #[serde(default)]
    pub dates: Vec<String>,
    /// The first number given out.
    pub first_key: i64,
}

impl Resource {
    /// The parties. `bemerkung` and `beruf` stand for the many fields that no mapping names.
    #[must_use]
    pub fn beteiligte() -> Self {
        let fields = "name vorname anrede titel rechtsform geburtsdatum handelsRegisterNummer strasse plz ort land \
                      emailGesch telGesch bemerkung beruf";
        Self {
            name: BETEILIGTE.into(),
            key: "betNr".into(),
            address: Address::Path,
            fields: words(fields),
            read_only: words("anzeigename"),
            search: words("name vorname"),
            dates: words("geburtsdatum"),
            first_key: 100_001,
        }
    }

    /// The appointments.
    #[must_use]
    pub fn termine() -> Self {
        let fields = "datum uhrzeitVon uhrzeitBis datumBis text notiz ort dauertermin turnus turnusArt anwalt sb \
                      vorbereitungsDauer privat";
        Self {
            name: TERMINE.into(),
            key: "frNr".into(),
            address: Address::Query("frnr".into()),
            fields: words(fields),
            read_only: Vec::new(),
            search: Vec::new(),
            dates: words("datum datumBis"),
            first_key: 5001,
        }
    }

    /// The employees.
    #[must_use]
    pub fn mitarbeiter() -> Self {
        Self {
            name: "Mitarbeiter".into(),
            key: "maNr".into(),
            address: Address::ListOnly,
            fields: words("kuerzel name vorname aktiv"),
            read_only: Vec::new(),
            search: Vec::new(),
            dates: Vec::new(),
            first_key: 1,
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
