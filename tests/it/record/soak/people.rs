//! People at both ends who create and edit by chance. Each value has a number that no other has, so that it can be followed.

use std::collections::{BTreeMap, BTreeSet};

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Fields, Sandbox};
use chrono::{Days, NaiveDate};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::history::{BIRTH, FIRST, Field, NAME, PLAIN, Side};

/// How much was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Records that were made.
    pub creates: usize,
    /// Edits of records.
    pub crm: usize,
    /// Edits of parties.
    pub lawyers: usize,
    /// Pairs of edits of one field at both sides at once.
    pub both: usize,
    /// Records that were deleted.
    pub deletes: usize,
}

impl Done {
    /// All of it.
    pub const fn edits(&self) -> usize {
        self.creates + self.crm + self.lawyers + self.deletes
    }
}

/// The people.
pub struct People {
    sandbox: Sandbox,
    dice: StdRng,
    last: u32,
    /// Records of the same name as another one.
    twins: BTreeSet<String>,
    /// Records of parties that were there before. What differs when they are tied together is left as it is
    /// (docs/record.md, *Link*), so nobody edits them until then.
    untied: BTreeMap<String, i64>,
    /// What they did.
    pub done: Done,
}

impl People {
    /// With these dice.
    pub fn new(sandbox: &Sandbox, seed: u64) -> Self {
        let dice = StdRng::seed_from_u64(seed);
        let (twins, untied) = (BTreeSet::new(), BTreeMap::new());
        Self { sandbox: sandbox.clone(), dice, last: 0, twins, untied, done: Done::default() }
    }

    /// Somebody makes a record.
    pub fn create(&mut self) -> String {
        let values = self.somebody(Side::Crm);
        self.done.creates += 1;
        self.sandbox.people().crm_create(CBETEILIGTE, &values).unwrap()
    }

    /// Somebody does something.
    pub fn act(&mut self) {
        match self.dice.random_range(0..1000) {
            0..360 => self.crm_edits(),
            360..700 => self.lawyer_edits(),
            700..800 => self.both_edit(true),
            800..860 => self.both_edit(false),
            860..910 => self.somebody_clears(),
            910..940 => drop(self.create()),
            940..948 => self.creates_a_twin(),
            948..956 => self.creates_what_is_there(),
            956..990 => self.somebody_turns(),
            _ => self.deletes(),
        }
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    fn value(&mut self, field: Field) -> String {
        let n = self.next();
        match field.advoware {
            "vorname" => format!("Vor{n}"),
            "name" => format!("Nach{n}"),
            "anrede" => format!("Anrede {n}"),
            "rechtsform" => format!("Form {n}"),
            "handelsRegisterNummer" => format!("HRB {n}"),
            "emailGesch" => format!("e{n}@example.org"),
            "telGesch" => format!("+49301{n:06}"),
            _ => (NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + Days::new(n.into())).to_string(),
        }
    }

    /// The values of a new party; of four, one is a company.
    fn somebody(&mut self, side: Side) -> Value {
        let is_person = self.dice.random_bool(0.75);
        let mut values = self.names(side, is_person);
        for field in PLAIN {
            if self.dice.random_bool(0.7) {
                values.insert(name_of(field, side).to_owned(), json!(self.value(field)));
            }
        }
        Value::Object(values)
    }

    fn names(&mut self, side: Side, person: bool) -> Map<String, Value> {
        let first = person.then(|| self.value(FIRST));
        let name = json!(self.value(NAME));
        let values = match side {
            Side::Advoware => json!({ "vorname": first, "name": name }),
            Side::Crm if person => json!({ "firstName": first, "lastName": name, "firmenname": null }),
            Side::Crm => json!({ "firstName": null, "lastName": null, "firmenname": name }),
        };
        values.as_object().unwrap().clone()
    }

    /// A record, and the number of its party, where it shows one.
    fn one(&mut self) -> (Fields, Option<i64>) {
        let all = self.sandbox.people().crm_list(CBETEILIGTE);
        self.untied.retain(|id, _| all.iter().any(|it| it["id"] == **id && it["advowareId"].is_null()));
        let all: Vec<Fields> = all.into_iter().filter(|it| !self.untied.contains_key(&id_of(it))).collect();
        let record = all[self.dice.random_range(0..all.len())].clone();
        let number = record["advowareId"].as_i64();
        (record, number)
    }

    /// A record, and the number of its party.
    fn a_pair(&mut self) -> Option<(Fields, i64)> {
        (0..20).find_map(|_| match self.one() {
            (record, Some(number)) => Some((record, number)),
            _ => None,
        })
    }

    fn a_field(&mut self) -> Field {
        [FIRST, NAME, PLAIN[0], PLAIN[1], PLAIN[2], PLAIN[3], PLAIN[4], PLAIN[5]][self.dice.random_range(0..8)]
    }

    /// New values of one to three fields.
    fn edit(&mut self, record: &Fields, side: Side, only: Option<Field>) -> Value {
        let many = if only.is_none() && self.dice.random_bool(0.2) { 3 } else { 1 };
        let mut values = Map::new();
        for _ in 0..many {
            let field = only.unwrap_or_else(|| self.a_field());
            let is_company = FIRST.read(side, record).is_empty();
            // A company has no first name; to get one is another thing.
            let field = if field == FIRST && is_company { NAME } else { field };
            let name =
                if side == Side::Crm && field == NAME && is_company { "firmenname" } else { name_of(field, side) };
            values.insert(name.to_owned(), json!(self.value(field)));
        }
        Value::Object(values)
    }

    fn crm(&mut self, id: &str, values: &Value) {
        self.sandbox.people().crm_update(CBETEILIGTE, id, values).unwrap();
        self.done.crm += 1;
    }

    fn lawyer(&mut self, number: i64, values: &Value) {
        self.sandbox.people().lawyer_update(BETEILIGTE, number, values).unwrap();
        self.done.lawyers += 1;
    }

    fn crm_edits(&mut self) {
        let (record, _) = self.one();
        let values = self.edit(&record, Side::Crm, None);
        self.crm(&id_of(&record), &values);
    }

    fn party(&self, number: i64) -> Fields {
        self.sandbox.people().advoware_get(BETEILIGTE, number).unwrap()
    }

    fn lawyer_edits(&mut self) {
        let Some((_, number)) = self.a_pair() else { return };
        let values = self.edit(&self.party(number), Side::Advoware, None);
        self.lawyer(number, &values);
    }

    /// Both at once: the same field, or different ones.
    fn both_edit(&mut self, same: bool) {
        let Some((record, number)) = self.a_pair() else { return };
        let (here, mut there) = (self.a_field(), self.a_field());
        if same {
            there = here;
            self.done.both += 1;
        }
        let values = self.edit(&record, Side::Crm, Some(here));
        self.crm(&id_of(&record), &values);
        let values = self.edit(&self.party(number), Side::Advoware, Some(there));
        self.lawyer(number, &values);
    }

    fn somebody_clears(&mut self) {
        let Some((record, number)) = self.a_pair() else { return };
        let field = PLAIN[self.dice.random_range(0..PLAIN.len())];
        if self.dice.random_bool(0.5) {
            self.crm(&id_of(&record), &json!({ field.crm: null }));
        } else {
            let blank = if field == BIRTH { Value::Null } else { json!("") };
            self.lawyer(number, &json!({ field.advoware: blank }));
        }
    }

    /// A person becomes a company, or the other way round.
    fn somebody_turns(&mut self) {
        let Some((record, number)) = self.a_pair() else { return };
        if self.dice.random_bool(0.5) {
            let values = self.names(Side::Crm, FIRST.read(Side::Crm, &record).is_empty());
            self.crm(&id_of(&record), &Value::Object(values));
        } else {
            let values = self.names(Side::Advoware, FIRST.read(Side::Advoware, &self.party(number)).is_empty());
            self.lawyer(number, &Value::Object(values));
        }
    }

    /// A record of somebody with the name of another one.
    fn creates_a_twin(&mut self) {
        let (record, _) = self.one();
        let mut values = self.somebody(Side::Crm);
        for name in ["firstName", "lastName", "firmenname"] {
            values[name] = record[name].clone();
        }
        self.done.creates += 1;
        let twin = self.sandbox.people().crm_create(CBETEILIGTE, &values).unwrap();
        self.twins.extend([id_of(&record), twin]);
    }

    /// A record of a party that only the lawyer knew.
    fn creates_what_is_there(&mut self) {
        let person = self.names(Side::Advoware, true);
        let values = json!({ "firstName": person["vorname"], "lastName": person["name"] });
        let number = self.sandbox.people().lawyer_create(BETEILIGTE, &Value::Object(person)).unwrap();
        let id = self.sandbox.people().crm_create(CBETEILIGTE, &values).unwrap();
        self.untied.insert(id, number);
        self.done.creates += 2;
    }

    /// One whose name nobody else has: the next one of that name would be tied to the party that stays.
    fn deletes(&mut self) {
        let (record, _) = self.one();
        if !self.twins.contains(&id_of(&record)) {
            self.sandbox.people().crm_delete(CBETEILIGTE, &id_of(&record)).unwrap();
            self.done.deletes += 1;
        }
    }
}

fn id_of(record: &Fields) -> String {
    record["id"].as_str().unwrap().to_owned()
}

fn name_of(field: Field, side: Side) -> &'static str {
    if side == Side::Crm { field.crm } else { field.advoware }
}
