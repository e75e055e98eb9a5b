//! Both directions of every field on samples, without any system: what `advosync mapping check` shows a person before a
//! mapping meets real records.

use serde_json::{Map, Value, json};

use super::{Field, Mapping, Person, Source};
use crate::sync::record::convert::{Conversion, plain};
use crate::sync::record::join::Joined;
use crate::sync::record::merge::Side;
use crate::sync::record::normal::Seen;

/// What the samples of one field came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trip {
    /// Advoware's field, the canonical name.
    pub field: String,
    /// EspoCRM's attributes.
    pub espocrm: Vec<String>,
    /// How many values went over and were read there as what they are.
    pub kept: usize,
    /// Samples that the conversion leaves where they are, and why.
    pub refused: Vec<String>,
    /// Samples that arrived as something else: the mapping must not be used.
    pub faults: Vec<String>,
}

/// Values that a field may hold before one is written over them; the written one takes the form of some of them.
fn befores() -> [Option<Value>; 7] {
    [
        None,
        Some(Value::Null),
        Some(json!("alt")),
        Some(json!("1980-01-01T00:00:00")),
        Some(json!("2020-05-05T08:00:00Z")),
        Some(json!(7)),
        Some(json!(true)),
    ]
}

impl Mapping {
    /// Sends samples over and back, field by field. One result a field, in the order of the mapping.
    #[must_use]
    pub fn round_trips(&self) -> Vec<Trip> {
        self.fields.iter().map(|field| self.trip(field)).collect()
    }

    fn trip(&self, field: &Field) -> Trip {
        let mut trip = Trip { field: field.advoware.clone(), ..Trip::default() };
        match (&field.source, &self.person) {
            (Source::Attribute(attribute), _) => {
                trip.espocrm.push(attribute.clone());
                self.espocrm_samples(field, attribute, &mut trip);
                self.advoware_samples(field, attribute, &mut trip);
            }
            (Source::Joined(joined), _) => {
                trip.espocrm.clone_from(&joined.attributes);
                self.joined(field, joined, &mut trip);
            }
            (Source::First, Some(person)) => {
                trip.espocrm.push(person.espocrm_first.clone());
                self.people(person, field, &mut trip);
            }
            (Source::Name, Some(person)) => {
                trip.espocrm.extend([person.espocrm_last.clone(), person.espocrm_company.clone()]);
                self.people(person, field, &mut trip);
            }
            (Source::First | Source::Name, None) => {}
        }
        trip
    }

    fn espocrm_samples(&self, field: &Field, attribute: &str, trip: &mut Trip) {
        for sample in samples(&field.convert, Side::Espocrm) {
            let content = self.from_espocrm(&one(attribute, &sample));
            if let Some(problem) = content.problems().first() {
                trip.refused.push(format!("EspoCRM's {sample}: {}", problem.unreadable.reason));
                continue;
            }
            let sent = content.get(&field.advoware);
            if !field.may_flow_to_advoware() {
                continue;
            }
            let mut kept = true;
            for before in befores() {
                let mut whole: Map<String, Value> =
                    before.map(|before| one(&field.advoware, &before)).unwrap_or_default();
                self.write_advoware(&content, &mut whole);
                let arrived = self.from_advoware(&whole);
                if !field.same(sent, arrived.get(&field.advoware)) {
                    kept = false;
                    let arrived = whole.get(&field.advoware).cloned().unwrap_or_default();
                    trip.faults.push(format!("EspoCRM's {sample} arrives in Advoware as {arrived}"));
                    break;
                }
            }
            trip.kept += usize::from(kept);
        }
    }

    fn advoware_samples(&self, field: &Field, attribute: &str, trip: &mut Trip) {
        for sample in samples(&field.convert, Side::Advoware) {
            let content = self.from_advoware(&one(&field.advoware, &sample));
            if let Some(problem) = content.problems().first() {
                trip.refused.push(format!("Advoware's {sample}: {}", problem.unreadable.reason));
                continue;
            }
            if !field.may_flow_to_espocrm() {
                continue;
            }
            let sent = content.get(&field.advoware);
            let write = self.write_espocrm(&content, &Map::new());
            if let Some(refused) = write.unwritable.first() {
                trip.refused.push(format!("Advoware's {sample}: {}", refused.reason));
                continue;
            }
            let arrived = write.attributes.get(attribute).cloned().unwrap_or_default();
            // Of a table, what comes back must also be the value that was meant, not only one of equal meaning.
            let meant = match (&field.convert, sent) {
                (Conversion::Enum(table), Seen::Value(text)) => {
                    let rows: Vec<_> = table.rows().iter().filter(|row| row.canonical == text).collect();
                    rows.len() == 1 && plain(&arrived).ok().flatten().as_deref() == Some(&rows[0].espocrm)
                }
                _ => true,
            };
            if meant && field.same(sent, self.from_espocrm(&write.attributes).get(&field.advoware)) {
                trip.kept += 1;
            } else {
                trip.faults.push(format!("Advoware's {sample} arrives in EspoCRM as {arrived}"));
            }
        }
    }

    /// All parts filled, which come back as they were; one of them blank, which does not.
    fn joined(&self, field: &Field, joined: &Joined, trip: &mut Trip) {
        for blank in [None, Some(0)] {
            let part = |index: usize| if blank == Some(index) { Value::Null } else { json!(format!("Teil{index}")) };
            let parts = joined.attributes.iter().enumerate();
            let sample: Map<String, Value> = parts.map(|(index, name)| (name.clone(), part(index))).collect();
            let content = self.from_espocrm(&sample);
            let mut whole = Map::new();
            self.write_advoware(&content, &mut whole);
            let arrived = whole.get(&field.advoware).cloned().unwrap_or_default();
            let write = self.write_espocrm(&self.from_advoware(&whole), &Map::new());
            if let Some(refused) = write.unwritable.first() {
                trip.refused.push(format!("Advoware's {arrived}: {}", refused.reason));
            } else if write.attributes == sample {
                trip.kept += 1;
            } else {
                trip.faults.push(format!(
                    "{} comes back as {}",
                    Value::Object(sample),
                    Value::Object(write.attributes)
                ));
            }
        }
    }

    /// Persons and companies, over and back, and each turned into each other.
    fn people(&self, person: &Person, field: &Field, trip: &mut Trip) {
        let record = |first: Option<&str>, last: Option<&str>, company: Option<&str>| {
            let mut record = one(&person.espocrm_first, &json!(first));
            record.insert(person.espocrm_last.clone(), json!(last));
            record.insert(person.espocrm_company.clone(), json!(company));
            record
        };
        let samples = [
            ("the person Erika Muster", record(Some("Erika"), Some("Muster"), None)),
            ("the company Muster GmbH", record(None, None, Some("Muster GmbH"))),
            ("a company in the last name", record(None, Some("Muster AG"), None)),
        ];
        for (called, sample) in &samples {
            let sent = self.from_espocrm(sample);
            let mut whole = Map::new();
            self.write_advoware(&sent, &mut whole);
            let theirs = self.from_advoware(&whole);
            let over = field.same(sent.get(&field.advoware), theirs.get(&field.advoware));
            let back = samples.iter().all(|(_, current)| {
                let mut after = current.clone();
                after.extend(self.write_espocrm(&theirs, current).attributes);
                field.same(theirs.get(&field.advoware), self.from_espocrm(&after).get(&field.advoware))
            });
            if over && back {
                trip.kept += 1;
            } else {
                trip.faults.push(format!("{called} does not come back as it went"));
            }
        }
    }
}

fn one(name: &str, value: &Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value.clone())])
}

/// Ordinary values of a conversion, its edges, and some that it refuses.
fn samples(convert: &Conversion, side: Side) -> Vec<Value> {
    let mut samples = vec![Value::Null, json!(""), json!("  ")];
    samples.extend(match (convert, side) {
        (Conversion::Text, _) => {
            vec![
                json!("Muster & Söhne „Meier“"),
                json!(" 007 "),
                json!("5"),
                json!("1.0"),
                json!("1e3"),
                json!("true"),
                json!(5),
                json!(5.25),
                json!(false),
            ]
        }
        (Conversion::Number, _) => vec![json!(5000), json!(5.25), json!("5000.00"), json!("ca. 5000")],
        (Conversion::Date, Side::Espocrm) => vec![json!("1980-02-29"), json!("2026-12-31"), json!("ca. 1980")],
        (Conversion::Date, Side::Advoware) => vec![
            json!("1980-02-29"),
            json!("1980-02-29T00:00:00"),
            json!("2026-12-31T00:00:00Z"),
            json!("0001-01-01T00:00:00"),
            json!("ca. 1980"),
        ],
        (Conversion::Phone, Side::Espocrm) => vec![json!("+4930123456"), json!("+43 1 5138888")],
        (Conversion::Phone, Side::Advoware) => {
            vec![json!("030/123456"), json!("+49 (0)171 1234567"), json!("0043 1 5138888"), json!("123, ab 9 Uhr")]
        }
        (Conversion::Email, Side::Espocrm) => vec![json!("Max@Muster.DE"), json!("a.b+c@kanzlei.example")],
        (Conversion::Email, Side::Advoware) => vec![json!("Max@Muster.DE"), json!("max@muster.de; m@muster.de")],
        (Conversion::Enum(table), Side::Espocrm) => {
            let truth = |text: &str| match text {
                "true" | "false" => json!(text == "true"),
                text => json!(text),
            };
            let rows = table.rows().iter().map(|row| truth(&row.espocrm));
            rows.chain([json!("(in no table)")]).collect()
        }
        (Conversion::Enum(table), Side::Advoware) => {
            let rows = table.rows().iter().flat_map(|row| [row.advoware.clone(), json!(row.canonical)]);
            rows.chain([json!("(in no table)")]).collect()
        }
    });
    samples
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::sync::record::convert::{Row, Table};
    use crate::sync::record::mapping::Mappings;

    fn shipped() -> Vec<Mapping> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/beispiele");
        Mappings::load(Some(&folder)).unwrap().iter().cloned().collect()
    }

    #[test]
    fn the_shipped_mappings_keep_every_sample_that_they_take() {
        let all = shipped();
        assert_eq!(all.len(), 2, "the built-in one and the example");
        for trip in all.iter().flat_map(Mapping::round_trips) {
            assert_eq!(trip.faults, Vec::<String>::new(), "{}", trip.field);
            let least = if trip.field == "richter" { 1 } else { 3 };
            assert!(trip.kept >= least, "{trip:?}");
        }
    }

    #[test]
    fn what_a_conversion_leaves_behind_is_said() {
        let all = shipped();
        let refused = |field: &str| {
            let trips: Vec<Trip> = all.iter().flat_map(Mapping::round_trips).collect();
            trips.into_iter().find(|trip| trip.field == field).unwrap().refused
        };
        assert_eq!(refused("geburtsdatum").len(), 2);
        assert_eq!(refused("telGesch"), ["Advoware's \"123, ab 9 Uhr\": not an international phone number"]);
        assert_eq!(refused("referat").len(), 2);
        assert_eq!(refused("kurzrubrum"), Vec::<String>::new());
    }

    #[test]
    fn a_value_that_comes_back_as_another_is_a_fault() {
        let mut mapping = shipped().into_iter().find(|mapping| mapping.name == "akten").unwrap();
        let row =
            |espocrm: &str, advoware: Value| Row { espocrm: espocrm.to_owned(), canonical: "1".to_owned(), advoware };
        // Two words for one value, which no file can say.
        let doubled = Table::new(vec![row("A", json!(1)), row("B", json!(1))]);
        mapping.fields[2].convert = Conversion::Enum(Arc::new(doubled));
        assert!(!mapping.round_trips()[2].faults.is_empty());
        // A value that Advoware would send otherwise than the table has it.
        let odd = Table::new(vec![Row { canonical: "2".to_owned(), ..row("A", json!(1)) }]);
        mapping.fields[2].convert = Conversion::Enum(Arc::new(odd));
        assert!(!mapping.round_trips()[2].faults.is_empty());
    }
}
