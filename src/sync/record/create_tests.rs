use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::sync::record::mapping::Mappings;

fn mapping() -> Mapping {
    Mappings::load(None).unwrap().get("beteiligte").unwrap().clone()
}

fn party(number: u32, name: &str, birth: Option<&str>) -> Map<String, Value> {
    json!({ "betNr": number, "vorname": "Max", "name": name, "geburtsdatum": birth }).as_object().unwrap().clone()
}

fn wanted(birth: Option<&str>) -> Content {
    mapping().from_advoware(&party(0, "Muster", birth))
}

fn intent(known: &[&str], birth: Option<&str>) -> Intent {
    let mut body = party(0, "Muster", birth);
    body.remove("betNr");
    let known = known.iter().map(|number| (*number).to_owned()).collect();
    Intent { digest: String::new(), at: DateTime::UNIX_EPOCH, body, known, tries: 1 }
}

fn found(parties: &[(u32, Option<&str>)], owner: Option<(&str, &str)>) -> Vec<Candidate> {
    let records = parties.iter().map(|(number, birth)| party(*number, "Muster", *birth)).collect();
    let mut all = candidates(&mapping(), &wanted(Some("1980-02-29")), records);
    for candidate in &mut all {
        candidate.owner = owner.filter(|(number, _)| *number == candidate.number).map(|(_, id)| id.to_owned());
    }
    all
}

#[test]
fn answers_to_a_search_are_filtered_on_our_side() {
    let records = vec![party(1, "Muster", None), party(2, "Anders", None), party(3, "Muster", Some("1999-01-01"))];
    let kept = candidates(&mapping(), &wanted(Some("1980-02-29")), records);
    assert_eq!(
        kept.iter().map(|it| it.number.as_str()).collect::<Vec<_>>(),
        ["1"],
        "2 is somebody else, 3 is proven different"
    );
}

#[test]
fn a_company_is_found_where_advoware_shows_no_first_name_at_all() {
    let company = json!({ "betNr": 5, "name": "Muster GmbH" }).as_object().unwrap().clone();
    let mut wanted = Content::default();
    wanted.set("vorname", Seen::Blank);
    wanted.set("name", Seen::Value("Muster GmbH"));
    assert_eq!(candidates(&mapping(), &wanted, vec![company]).len(), 1);
}

#[test]
fn first_contact_links_creates_or_asks() {
    assert!(matches!(first("a", found(&[], None)), Creation::Post { .. }));
    assert!(matches!(first("a", found(&[(1, None)], None)), Creation::Link(it) if it.number == "1"));
    assert!(matches!(first("a", found(&[(1, None)], Some(("1", "b")))), Creation::Post { known } if known == ["1"]));
    assert!(
        matches!(first("a", found(&[(1, None), (2, None)], Some(("1", "b")))), Creation::Link(it) if it.number == "2")
    );
    assert!(
        matches!(first("a", found(&[(1, None), (2, None)], None)), Creation::Ask { numbers, .. } if numbers.len() == 2)
    );
}

#[test]
fn an_unknown_outcome_is_adopted_repeated_or_asked_about() {
    let born = Some("1980-02-29");
    let recover = |intent: &Intent, found| recover(&mapping(), intent, found);
    assert!(matches!(recover(&intent(&[], born), Some(found(&[], None))), Creation::Post { .. }));
    assert!(
        matches!(recover(&intent(&[], born), Some(found(&[(7, born)], None))), Creation::Adopt(it) if it.number == "7")
    );
    // there before, or somebody else's: not the effect of this POST
    assert!(matches!(recover(&intent(&["7"], born), Some(found(&[(7, born)], None))), Creation::Post { .. }));
    assert!(matches!(recover(&intent(&[], born), Some(found(&[(7, born)], Some(("7", "b"))))), Creation::Post { .. }));
    // new, the same name, but not what was sent
    assert!(matches!(recover(&intent(&[], born), Some(found(&[(7, None)], None))), Creation::Ask { .. }));
    assert!(matches!(recover(&intent(&[], born), Some(found(&[(7, born), (8, born)], None))), Creation::Ask { .. }));
    assert!(matches!(recover(&intent(&[], born), None), Creation::Ask { .. }));
}

#[test]
fn a_party_in_a_form_of_advoware_s_own_is_what_was_sent() {
    let born = Some("1980-02-29");
    let capitals = || {
        let mut party = party(7, "MUSTER", born);
        party.insert("vorname".to_owned(), json!("MAX "));
        Some(candidates(&mapping(), &wanted(born), vec![party]))
    };
    assert!(matches!(recover(&mapping(), &intent(&[], born), capitals()), Creation::Adopt(it) if it.number == "7"));
}

#[test]
fn equal_search_keys_have_one_digest() {
    let mapping = mapping();
    let of = |name: &str| {
        let mut content = wanted(None);
        content.set("name", Seen::Value(name));
        digest(&mapping, &content)
    };
    assert_eq!(of("Muster"), of("MUSTER"));
    assert_ne!(of("Muster"), of("Master"));
    assert_eq!(digest(&mapping, &Content::default()), "", "nothing to search by");
}

#[test]
fn an_interrupted_create_is_recognised_by_its_defaults_too() {
    let mut mapping = mapping();
    mapping.defaults = vec![("art".to_owned(), json!(7)), ("seit".to_owned(), json!("2026-01-01"))];
    let mut intent = intent(&[], Some("1980-02-29"));
    intent.body.extend(json!({ "art": 7, "seit": "2026-01-01" }).as_object().unwrap().clone());
    let found = |art: Value, since: &str| {
        let mut party = party(4, "Muster", Some("1980-02-29"));
        party.insert("art".to_owned(), art);
        party.insert("seit".to_owned(), json!(since));
        Some(candidates(&mapping, &wanted(Some("1980-02-29")), vec![party]))
    };
    for (found, adopted) in [
        (found(json!("7"), "2026-01-01T00:00:00"), true),
        (found(json!(8), "2026-01-01"), false),
        (found(json!(7), "2026-01-02"), false),
    ] {
        let creation = recover(&mapping, &intent, found.clone());
        assert_eq!(matches!(creation, Creation::Adopt(_)), adopted, "{found:?}");
        assert_eq!(matches!(creation, Creation::Ask { .. }), !adopted, "{found:?}");
    }
}
