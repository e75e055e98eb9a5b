use std::fs;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::sync::record::mapping::Mappings;
use crate::sync::record::merge::Snapshot;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The shipped mapping, with imports of companies and of what has no legal form.
fn mapping() -> Mapping {
    let folder = tempfile::tempdir().unwrap();
    let shipped = include_str!("../../../mappings/beteiligte.toml");
    let ours =
        format!("import = true\n{shipped}\n[import_filter]\nrechtsform = [\"GmbH\", \"AG\"]\nart = [\"M\", \"\"]\n");
    fs::write(folder.path().join("beteiligte.toml"), ours).unwrap();
    Mappings::load(Some(folder.path())).unwrap().get("beteiligte").unwrap().clone()
}

fn record(value: Value) -> Map<String, Value> {
    let Value::Object(record) = value else { panic!("{value} is no record") };
    record
}

fn party(number: u32) -> Map<String, Value> {
    record(json!({ "betNr": number, "name": "Muster", "rechtsform": "GmbH", "art": null }))
}

fn import(progress: Progress, hours_ago: i64) -> Import {
    Import { at: NOW - TimeDelta::hours(hours_ago), progress }
}

fn begun() -> Progress {
    Progress::Begun(Box::new(posted("2026-03-05 12:00:00")))
}

fn posted(last_sync: &str) -> Posted {
    Posted { tries: 1, last_sync: last_sync.to_owned(), row_id: None, sent: Snapshot::default() }
}

#[test]
fn all_fields_of_the_filter_must_match_whatever_their_spelling() {
    let mapping = mapping();
    let check = |value: Value, expected: bool| {
        assert_eq!(mapping.wants_import(&record(value.clone())), expected, "{value}");
    };
    check(json!({ "rechtsform": "GmbH", "art": "M" }), true);
    check(json!({ "rechtsform": " gMBh ", "art": "m" }), true);
    check(json!({ "rechtsform": "AG", "art": null }), true);
    check(json!({ "rechtsform": "AG", "art": "  " }), true);
    check(json!({ "rechtsform": "AG" }), false); // Not shown is not blank.
    check(json!({ "rechtsform": "AG", "art": "Gegner" }), false);
    check(json!({ "rechtsform": "GmbH & Co. KG", "art": "M" }), false);
    check(json!({ "rechtsform": null, "art": "M" }), false);
    check(json!({ "rechtsform": ["GmbH"], "art": "M" }), false);
    check(json!({}), false);
    let off = Mapping { import: None, ..mapping.clone() };
    assert!(!off.wants_import(&party(1)), "no import");
}

#[test]
fn a_party_is_a_candidate_unless_it_has_or_had_a_record() {
    let mapping = mapping();
    let check = |facts: Facts, expected: bool, why: &str| {
        let found = candidates(&mapping, &[party(17)], &facts, NOW);
        assert_eq!(!found.is_empty(), expected, "{why}");
    };
    let numbers = || HashSet::from(["17".to_owned()]);
    let imported = |import| Facts { imports: HashMap::from([("17".to_owned(), import)]), ..Facts::default() };
    let left = || Progress::Left { why: "w".to_owned() };
    check(Facts::default(), true, "nothing is known of it");
    check(Facts { owned: numbers(), ..Facts::default() }, false, "paired");
    check(Facts { dissolved: numbers(), ..Facts::default() }, false, "deleted in EspoCRM on purpose");
    check(imported(import(Progress::Done { id: "a".to_owned() }, 1000)), false, "once is once");
    check(imported(import(left(), 23)), false, "left for a person");
    check(imported(import(left(), 24)), true, "the person has had a day");
    check(imported(import(begun(), 1)), false, "its job is under way");
    check(imported(import(begun(), 24)), true, "its job is gone");
    let list = [party(17), party(18), party(17), record(json!({ "rechtsform": "GmbH", "art": null }))];
    assert_eq!(candidates(&mapping, &list, &Facts::default(), NOW), ["17", "18"], "each once, and none without number");
}

proptest! {
    #[test]
    fn candidates_are_wanted_and_free(parties in prop::collection::vec((1_u32..30, any::<bool>()), 0..40),
        owned in prop::collection::hash_set(1_u32..30, 0..10), dissolved in prop::collection::hash_set(1_u32..30, 0..10)) {
        let mapping = mapping();
        let list: Vec<_> = parties.iter().map(|(number, fits)| {
            let mut party = party(*number);
            if !fits { party.insert("art".to_owned(), json!("Gegner")); }
            party
        }).collect();
        let text = |numbers: &HashSet<u32>| numbers.iter().map(ToString::to_string).collect::<HashSet<_>>();
        let facts = Facts { owned: text(&owned), dissolved: text(&dissolved), ..Facts::default() };
        let found = candidates(&mapping, &list, &facts, NOW);
        let expected: HashSet<String> = parties.iter()
            .filter(|(number, fits)| *fits && !owned.contains(number) && !dissolved.contains(number))
            .map(|(number, _)| number.to_string()).collect();
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(found.into_iter().collect::<HashSet<_>>(), expected);
    }
}

#[test]
fn a_record_with_the_number_is_ours_only_by_the_time_that_we_sent() {
    let mapping = mapping();
    let at = "2026-03-05 12:00:00";
    let ours = record(json!({ "id": "a", "advowareId": 17, "advowareLastSync": at }));
    let other = record(json!({ "id": "b", "advowareId": "17", "advowareLastSync": null }));
    let another = record(json!({ "id": "c", "advowareId": 170, "advowareLastSync": at }));
    let check = |listed: &[&Map<String, Value>], posted: Option<&Posted>, expected: Found| {
        let listed: Vec<_> = listed.iter().map(|it| (*it).clone()).collect();
        assert_eq!(by_number(&mapping, "17", &listed, posted), expected);
    };
    let exists = |ids: &[&str]| Found::Exists(ids.iter().map(|&id| id.to_owned()).collect());
    let sent = posted(at);
    check(&[], Some(&sent), Found::Nothing);
    check(&[&another], Some(&sent), Found::Nothing);
    check(&[&ours], Some(&sent), Found::Ours("a".to_owned()));
    check(&[&ours, &another], Some(&sent), Found::Ours("a".to_owned()));
    check(&[&ours], None, exists(&["a"]));
    check(&[&other], Some(&sent), exists(&["b"]));
    check(&[&ours], Some(&posted("2026-03-05 12:00:01")), exists(&["a"]));
    check(&[&ours, &other], Some(&sent), exists(&["a", "b"]));
}

#[test]
fn an_unlinked_record_with_the_same_name_may_be_the_party() {
    let mapping = mapping();
    let company =
        mapping.from_advoware(&record(json!({ "name": "Muster", "vorname": "", "handelsRegisterNummer": "HRB 1" })));
    let person = mapping.from_advoware(&record(json!({ "name": "Muster", "vorname": "Max" })));
    let check = |party: &Content, espocrm: Value, expected: bool| {
        let found = by_keys(&mapping, party, &[record(espocrm.clone())]);
        assert_eq!(found != Found::Nothing, expected, "{espocrm}");
    };
    check(&company, json!({ "id": "a", "firmenname": "Muster", "firstName": null, "lastName": null }), true);
    check(&company, json!({ "id": "a", "lastName": "Muster", "firstName": null, "firmenname": null }), true);
    check(&company, json!({ "id": "a", "lastName": "Muster", "firstName": "Max", "firmenname": null }), false);
    check(&company, json!({ "id": "a", "firmenname": "Muster", "firstName": null, "advowareId": 18 }), false);
    check(
        &company,
        json!({ "id": "a", "firmenname": "Muster", "firstName": null, "handelsregisterNummer": "HRB 2" }),
        false,
    );
    check(&person, json!({ "id": "a", "lastName": "Muster", "firstName": "Max" }), true);
    check(&person, json!({ "id": "a", "lastName": "Meier", "firstName": "Max" }), false);
    assert_eq!(
        mapping.espocrm_search(&company),
        [vec![("lastName".to_owned(), "Muster".to_owned()), ("firmenname".to_owned(), "Muster".to_owned())]]
    );
    assert_eq!(mapping.espocrm_search(&person).len(), 2);
}

#[test]
fn doubles_by_espocrm_s_own_check_are_namesakes_only_if_all_have_other_numbers() {
    let mapping = mapping();
    let of = |id: &str, number: Value| record(json!({ "id": id, "advowareId": number }));
    let check = |named: &[Map<String, Value>]| by_duplicate_check(&mapping, "17", named);
    assert_eq!(check(&[of("a", json!(18)), of("b", json!(19))]), Found::Nothing);
    assert_eq!(check(&[of("a", json!(18)), of("b", json!(null))]), Found::Unlinked(vec!["b".to_owned()]));
    assert_eq!(check(&[of("a", json!(17)), of("b", json!(null))]), Found::Exists(vec!["a".to_owned()]));
}

#[test]
fn a_new_record_has_what_may_flow_and_what_espocrm_takes() {
    let mapping = mapping();
    let check = |party: Value, expected: Value, refused: &[&str]| {
        let write = mapping.new_espocrm(&mapping.from_advoware(&record(party)));
        assert_eq!(Value::Object(write.attributes), expected);
        assert_eq!(write.unwritable.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), refused);
    };
    check(
        json!({ "vorname": "Max", "name": "Muster", "geburtsdatum": "1980-05-17T00:00:00", "telGesch": "030 / 123456", "anrede": "" }),
        json!({ "firstName": "Max", "lastName": "Muster", "dateOfBirth": "1980-05-17", "phoneNumber": "+4930123456" }),
        &[],
    );
    check(
        json!({ "vorname": null, "name": "Muster", "rechtsform": "GmbH", "telGesch": "123 oder 456", "emailGesch": "keine" }),
        json!({ "firmenname": "Muster", "rechtsform": "GmbH" }),
        &["emailGesch", "telGesch"],
    );
    check(json!({ "name": "Muster" }), json!({ "firmenname": "Muster" }), &[]);
    let mut one_way = mapping.clone();
    one_way.fields.iter_mut().filter(|field| field.advoware == "anrede").for_each(|field| {
        field.direction = crate::sync::record::mapping::Direction::ToAdvoware;
    });
    let write = one_way.new_espocrm(&one_way.from_advoware(&record(json!({ "name": "Muster", "anrede": "Herr" }))));
    assert_eq!(Value::Object(write.attributes), json!({ "firmenname": "Muster" }));
}

#[test]
fn what_was_not_sent_is_blank() {
    let mapping = mapping();
    let content = sent(&mapping, &record(json!({ "firmenname": "Muster" })));
    assert_eq!((content.get("name"), content.get("telGesch")), (Seen::Value("Muster"), Seen::Blank));
}

#[test]
fn the_ledger_s_entries_never_change_their_form() {
    let text = |progress| serde_json::to_value(import(progress, 0)).unwrap();
    let at = "1970-01-01T00:00:00Z";
    assert_eq!(text(Progress::Done { id: "a".to_owned() }), json!({ "at": at, "state": "done", "id": "a" }));
    assert_eq!(text(Progress::Left { why: "w".to_owned() }), json!({ "at": at, "state": "left", "why": "w" }));
    let begun = text(begun());
    assert_eq!((&begun["state"], &begun["tries"]), (&json!("begun"), &json!(1)));
    assert_eq!(serde_json::from_value::<Import>(begun).unwrap().progress, self::begun());
}

#[test]
fn a_reservation_is_no_espocrm_id() {
    assert_eq!(reserved_number(&reservation("17")), Some("17"));
    assert_eq!(reserved_number("6a1f0c2d3e4b5a697"), None);
}
