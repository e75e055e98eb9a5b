use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::sync::record::mapping::Mappings;

const OWN: &str = "us";

fn mapping() -> &'static Mapping {
    static LOADED: LazyLock<Mapping> =
        LazyLock::new(|| Mappings::load(None).unwrap().get("beteiligte").unwrap().clone());
    &LOADED
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

/// Two systems and the ledger between them, without network: what the executor does with a plan, effect by effect.
#[derive(Debug, Clone)]
struct World {
    espocrm: Map<String, Value>,
    advoware: Map<String, Value>,
    pair: Option<Pair>,
    writes: usize,
}

impl World {
    fn new() -> Self {
        let espocrm = json!({
            "id": "a", "firstName": "Max", "lastName": "Muster", "firmenname": null, "dateOfBirth": null, "anrede": null,
            "rechtsform": null, "handelsregisterNummer": null, "emailAddress": null, "phoneNumber": null,
            "advowareId": 17, "advowareRowId": "v0", "syncStatus": "clean", "advowareLastSync": "2026-01-01 00:00:00",
            "syncErrorMessage": null, "syncRetryCount": 0, "modifiedById": OWN, "modifiedAt": "2026-01-01 00:00:00",
        });
        let advoware = json!({
            "betNr": 17, "rowId": "v0", "vorname": "Max", "name": "Muster", "geburtsdatum": null, "anrede": null,
            "rechtsform": null, "handelsRegisterNummer": null, "emailGesch": null, "telGesch": null, "strasse": "Am Markt 1",
        });
        let object = |value: Value| value.as_object().unwrap().clone();
        Self { espocrm: object(espocrm), advoware: object(advoware), pair: None, writes: 0 }
    }

    fn plan(&self) -> Plan {
        let both = Both {
            left: None,
            espocrm: &self.espocrm,
            advoware: &self.advoware,
            pair: self.pair.as_ref(),
            number: "17",
            own_user: Some(OWN),
        };
        plan(mapping(), both, at(0))
    }

    /// One run; `meanwhile` edits the systems between reading and writing.
    fn run(&mut self, meanwhile: impl FnOnce(&mut Self)) -> Plan {
        let mapping = mapping();
        let plan = self.plan();
        meanwhile(self);
        let base = self.pair.as_ref().and_then(|pair| pair.snapshot.clone());
        let answered = plan.put.clone().map(|mut whole| {
            whole.insert("rowId".into(), json!(format!("v{}", self.writes + 1)));
            self.advoware = whole;
            self.writes += 1;
            self.advoware.clone()
        });
        let mut snapshot = plan.after_put(mapping, base.as_ref(), answered.as_ref());
        let row_id = version(mapping, &self.advoware);
        if !plan.is_settled() {
            self.espocrm.extend(plan.update.attributes.clone());
            self.espocrm.extend(status::clean(mapping, "17", row_id.as_deref(), at(0)));
            self.writes += 1;
            snapshot = plan.after_update(mapping, &snapshot, &self.espocrm);
        }
        self.pair = Some(Pair::new("17", row_id, Some(snapshot), at(0)));
        plan
    }
}

#[test]
fn an_unchanged_pair_needs_no_write_and_a_stale_row_id_one() {
    let mut world = World::new();
    world.run(|_| {});
    assert_eq!(world.writes, 0, "equal and clean: first contact writes nothing");
    world.advoware.insert("rowId".into(), json!("v9"));
    world.run(|_| {});
    assert_eq!((world.writes, &world.espocrm["advowareRowId"]), (1, &json!("v9")));
    world.run(|_| {});
    assert_eq!(world.writes, 1);
}

#[test]
fn an_edit_between_reading_and_writing_is_not_swallowed() {
    let mut world = World::new();
    world.run(|_| {});
    world.espocrm.insert("anrede".into(), json!("Herr"));
    world.run(|world| {
        world.espocrm.insert("rechtsform".into(), json!("GbR"));
    });
    assert_eq!(world.advoware["rechtsform"], Value::Null, "this run did not know of it");
    world.run(|_| {});
    assert_eq!(world.advoware["rechtsform"], "GbR", "the next one does");
    assert_eq!(world.advoware["anrede"], "Herr");
}

#[test]
fn what_advoware_does_not_take_is_told_once_and_not_fought_over() {
    let mut world = World::new();
    world.run(|_| {});
    world.espocrm.insert("anrede".into(), json!("Herr"));
    let plan = world.plan();
    let put = plan.put.clone().unwrap();
    assert_eq!(put["anrede"], "Herr");
    // read-only over there: the answer shows the old value
    let snapshot = plan.after_put(mapping(), world.pair.as_ref().unwrap().snapshot.as_ref(), Some(&world.advoware));
    let ignored = Ignored { field: "anrede".into(), sent: Some("Herr".into()), shown: None };
    assert_eq!(plan.ignored(mapping(), &world.advoware), [ignored]);
    world.pair.as_mut().unwrap().snapshot = Some(snapshot);
    assert!(world.plan().merged.is_settled());
}

#[test]
fn what_a_put_s_answer_does_not_show_is_as_it_was_sent() {
    let mut world = World::new();
    world.advoware.insert("anrede".into(), json!("Frau"));
    world.espocrm.insert("anrede".into(), json!("Frau"));
    world.run(|_| {});
    world.espocrm.insert("anrede".into(), json!("Herr"));
    let plan = world.plan();
    let answered = json!({ "betNr": 17, "rowId": "v2" }).as_object().unwrap().clone();
    assert!(!plan.is_shown(&answered) && plan.is_shown(plan.put.as_ref().unwrap()));
    let snapshot = plan.after_put(mapping(), world.pair.as_ref().unwrap().snapshot.as_ref(), Some(&answered));
    world.pair.as_mut().unwrap().snapshot = Some(snapshot);
    // The lawyer takes it back: an edit, although it is what was there before.
    assert_eq!(world.plan().merged.to_espocrm.get("anrede").text(), Some("Frau"));
}

#[test]
fn what_advoware_makes_of_a_value_is_no_edit_and_what_a_person_does_is_one() {
    let mut world = World::new();
    world.run(|_| {});
    world.espocrm.insert("anrede".into(), json!("Herr Dr."));
    let plan = world.plan();
    let edited = |anrede: Value, rechtsform: Value| {
        let mut shown = plan.put.clone().unwrap();
        shown.extend([("anrede".to_owned(), anrede), ("rechtsform".to_owned(), rechtsform)]);
        plan.edited_since(mapping(), &shown)
    };
    for kept in [json!("Herr Dr."), json!("HERR  DR."), json!("Herr"), Value::Null] {
        assert_eq!(edited(kept, Value::Null), Vec::<String>::new());
    }
    assert_eq!(edited(json!("Frau"), Value::Null), ["anrede"]);
    assert_eq!(edited(json!("Herr Dr."), json!("GbR")), ["rechtsform"]);
}

#[test]
fn what_espocrm_does_not_show_or_take_is_not_taken_for_written() {
    let mut world = World::new();
    world.run(|_| {});
    world.advoware.insert("anrede".into(), json!("Herr"));
    world.espocrm.remove("anrede");
    let plan = world.plan();
    assert_eq!(plan.update.attributes["anrede"], "Herr");
    let base = world.pair.as_ref().unwrap().snapshot.clone().unwrap();
    let mut snapshot = plan.after_put(mapping(), Some(&base), None);
    snapshot = plan.after_update(mapping(), &snapshot, &world.espocrm);
    world.pair.as_mut().unwrap().snapshot = Some(snapshot);
    assert!(world.plan().merged.is_settled(), "it is not written at every run");
    // Once the role shows it: it was ignored, and nobody has cleared it.
    world.espocrm.insert("anrede".into(), Value::Null);
    assert!(world.plan().merged.is_settled());
    assert_eq!(plan.ignored_by_espocrm(mapping(), &world.espocrm), ["anrede"]);
}

#[test]
fn a_name_that_cannot_be_written_is_told_and_stays() {
    let mut world = World::new();
    for hidden in ["firstName", "lastName", "firmenname"] {
        world.espocrm.remove(hidden);
    }
    world.run(|_| {});
    world.advoware.insert("name".into(), json!("Meier"));
    let plan = world.run(|_| {});
    assert!(plan.merged.to_espocrm.is_empty() && plan.update.attributes.is_empty(), "{plan:?}");
    assert_eq!(plan.merged.blocked.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), ["name"]);
    assert!(plan.note.unwrap().contains("Meier"));
    assert_eq!(world.plan().note, None, "once");
}

#[test]
fn sync_fields_that_are_not_shown_are_not_written_for_ever() {
    let mut world = World::new();
    for hidden in
        ["advowareId", "advowareRowId", "syncStatus", "advowareLastSync", "syncErrorMessage", "syncRetryCount"]
    {
        world.espocrm.remove(hidden);
    }
    world.run(|_| {});
    assert_eq!(world.writes, 0);
    world.espocrm.insert("syncStatus".into(), json!("dirty"));
    assert!(world.plan().needs_status);
}

#[test]
fn what_cannot_be_read_and_is_written_over_is_in_the_note() {
    let mut world = World::new();
    world.run(|_| {});
    world.advoware.insert("geburtsdatum".into(), json!("ca. 1980"));
    assert_eq!(world.plan().note, None, "left alone");
    world.espocrm.insert("dateOfBirth".into(), json!("1980-02-29"));
    let plan = world.plan();
    assert_eq!(plan.put.clone().unwrap()["geburtsdatum"], "1980-02-29");
    assert!(plan.note.unwrap().contains("EspoCRM „29.02.1980“ gilt, Advoware „ca. 1980“ wurde ersetzt"));
}

#[test]
fn numbers_in_another_spelling_keep_their_value() {
    let check = |spelled: &str, sent: &str| {
        let read: Value = serde_json::from_str(spelled).unwrap();
        assert_eq!(read.to_string(), sent);
    };
    for same in [
        "0",
        "-1",
        "18446744073709551615",
        "-9223372036854775808",
        "1.5",
        "52.520006599999995",
        "13.404953999999998",
        "0.30000000000000004",
        "-0.0",
    ] {
        check(same, same);
    }
    check("1.10", "1.1");
    check("1E2", "100.0");
}

#[test]
fn attributes_that_are_as_they_should_be_are_not_sent() {
    let mut world = World::new();
    let company = json!({ "firstName": null, "lastName": null, "firmenname": "Muster GmbH" });
    world.espocrm.extend(company.as_object().unwrap().clone());
    world.advoware.extend(json!({ "vorname": null, "name": "Muster GmbH" }).as_object().unwrap().clone());
    world.run(|_| {});
    world.advoware.insert("name".into(), json!("Muster AG"));
    let plan = world.plan();
    assert_eq!(
        plan.update.attributes,
        *json!({ "firmenname": "Muster AG" }).as_object().unwrap(),
        "lastName may be required"
    );
}

/// Any JSON: what a field that no mapping names may hold.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (proptest::num::f64::NORMAL | proptest::num::f64::ZERO).prop_map(Value::from),
        // As a database's decimals are written.
        (any::<i32>(), 0u32..6).prop_map(|(n, digits)| Value::from(f64::from(n) / 10f64.powi(digits.cast_signed()))),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[a-zA-Z]{1,8}", inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A party with some of the fields that are synced and any others, in any order.
fn party() -> impl Strategy<Value = Vec<(String, Value)>> {
    let names =
        ["vorname", "name", "geburtsdatum", "anrede", "rechtsform", "handelsRegisterNummer", "emailGesch", "telGesch"];
    let value = prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        any::<i64>().prop_map(Value::from),
        "[A-Za-z ]{0,8}".prop_map(Value::from),
    ];
    let mapped = proptest::sample::subsequence(names.to_vec(), 2..=names.len())
        .prop_flat_map(move |names| {
            let values = proptest::collection::vec(value.clone(), names.len());
            (Just(names), values)
        })
        .prop_map(|(names, values)| names.into_iter().map(str::to_owned).zip(values).collect::<Vec<_>>());
    let lists = ["kommunikation", "bankverbindungen", "adressen"];
    let unmapped =
        (proptest::collection::vec(json_value(), lists.len()), proptest::collection::vec(json_value(), 0..6));
    (mapped, unmapped).prop_flat_map(move |(mut fields, (in_lists, others))| {
        fields.extend(lists.iter().map(|&name| name.to_owned()).zip(in_lists));
        fields.extend(others.into_iter().enumerate().map(|(n, value)| (format!("x{n}"), value)));
        Just(fields).prop_shuffle()
    })
}

fn edit() -> impl Strategy<Value = (bool, usize, Option<String>)> {
    (any::<bool>(), 0usize..5, proptest::option::of("[A-Z][a-z]{2,6}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Advoware's PUT takes the whole object: what does not change goes back byte for byte, wherever it stands.
    #[test]
    fn what_does_not_change_goes_back_as_it_was_read(party in party(), last in "[A-Z][a-z]{2,6}", salutation in "[A-Z][a-z]{2,6}") {
        // As it comes over the wire, and goes.
        let sent = Value::Object(party.iter().cloned().collect()).to_string();
        let read: Map<String, Value> = serde_json::from_str(&sent).unwrap();
        let mut world = World::new();
        world.espocrm.extend([("lastName".to_owned(), json!(last)), ("anrede".to_owned(), json!(salutation))]);
        world.espocrm.insert("advowareLastSync".into(), Value::Null);
        world.advoware = read;
        let plan = world.plan();
        prop_assert_eq!(plan.verdict, Some(Verdict::Initial));
        let body = serde_json::to_string(&plan.put).unwrap();
        let Some(put): Option<Map<String, Value>> = serde_json::from_str(&body).unwrap() else { return Ok(()) };
        let (before, after): (Vec<&String>, Vec<&String>) = (party.iter().map(|(name, _)| name).collect(), put.keys().collect());
        prop_assert_eq!(&after[..before.len()], &before[..], "the order stays, and what is new comes last");
        let changes = |name: &str| plan.merged.to_advoware.get(name).is_known();
        prop_assert!(after[before.len()..].iter().all(|name| changes(name)), "{:?}", after);
        for (name, value) in party.iter().filter(|(name, _)| !changes(name)) {
            prop_assert_eq!(put[name].to_string(), value.to_string(), "{}", name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// S1: whatever was edited where, after a run a further one writes nothing; and both sides are equal.
    #[test]
    fn a_second_run_writes_nothing(edits in proptest::collection::vec(edit(), 0..6)) {
        let mapping = mapping();
        let pairs = [("anrede", "anrede"), ("rechtsform", "rechtsform"), ("handelsregisterNummer", "handelsRegisterNummer"),
            ("lastName", "name"), ("firstName", "vorname")];
        let mut world = World::new();
        world.run(|_| {});
        for (ours, field, value) in edits {
            // names must not become blank: that is refused, and told
            let value = if field >= 3 { json!(value.unwrap_or_else(|| "Muster".into())) } else { json!(value) };
            if ours {
                world.espocrm.insert(pairs[field].0.into(), value);
            } else {
                world.advoware.insert(pairs[field].1.into(), value);
            }
        }
        world.run(|_| {});
        let writes = world.writes;
        let second = world.run(|_| {});
        prop_assert_eq!(world.writes, writes, "{:?}", second);
        let (ours, theirs) = (mapping.from_espocrm(&world.espocrm), mapping.from_advoware(&world.advoware));
        for field in &mapping.fields {
            prop_assert!(field.same(ours.get(&field.advoware), theirs.get(&field.advoware)), "{}", field.advoware);
        }
        prop_assert_eq!(&world.advoware["strasse"], "Am Markt 1");
    }
}
