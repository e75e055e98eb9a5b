use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::sync::record::mapping::Mappings;

/// The shipped mapping.
pub(in crate::sync::record) fn mapping() -> Mapping {
    static SHIPPED: LazyLock<Mappings> =
        LazyLock::new(|| Mappings::load(None).expect("the shipped mappings are valid"));
    SHIPPED.get("beteiligte").expect("beteiligte is shipped").clone()
}

pub(in crate::sync::record) fn record(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(record) => record,
        other => panic!("not a record: {other}"),
    }
}

fn content(value: Value) -> Content {
    serde_json::from_value(value).expect("a content")
}

/// EspoCRM's three name attributes → canonical names.
fn check_names(attributes: Value, expected: Value) {
    let shown = attributes.to_string();
    assert_eq!(mapping().from_espocrm(&record(attributes)), content(expected), "{shown}");
}

#[test]
fn persons_and_companies_are_told_apart_at_espocrm() {
    let all = |first, last, company| json!({"firstName": first, "lastName": last, "firmenname": company});
    check_names(all("Max", "Muster", ""), json!({"vorname": "Max", "name": "Muster"}));
    check_names(all("Max", "Muster", "Muster GmbH"), json!({"vorname": "Max", "name": "Muster"}));
    check_names(all("", "", "Muster GmbH"), json!({"vorname": null, "name": "Muster GmbH"}));
    check_names(all(" ", "Muster", "Muster GmbH"), json!({"vorname": null, "name": "Muster GmbH"}));
    check_names(all("", "Muster GmbH", ""), json!({"vorname": null, "name": "Muster GmbH"}));
    check_names(all("", "", ""), json!({"vorname": null, "name": null}));
}

#[test]
fn hidden_name_attributes_conclude_nothing() {
    check_names(json!({}), json!({}));
    check_names(json!({"lastName": "Muster", "firmenname": null}), json!({"name": "Muster"}));
    check_names(json!({"lastName": null, "firmenname": "X GmbH"}), json!({"name": "X GmbH"}));
    check_names(json!({"firmenname": "X GmbH"}), json!({"name": "X GmbH"}));
    check_names(json!({"lastName": "Muster", "firmenname": "X GmbH"}), json!({}));
    check_names(json!({"lastName": "Muster"}), json!({}));
    check_names(json!({"firstName": "Max"}), json!({"vorname": "Max"}));
    check_names(json!({"firstName": null, "lastName": "X GmbH"}), json!({"vorname": null}));
    check_names(json!({"firstName": null, "firmenname": null}), json!({"vorname": null}));
}

#[test]
fn both_sides_meet_in_one_form() {
    let ours = mapping().from_espocrm(&record(json!({
        "firstName": " Max ", "lastName": "Muster", "firmenname": null, "dateOfBirth": "1980-02-29",
        "anrede": "", "phoneNumber": "+49 30 123456", "id": "x", "description": "not mapped",
    })));
    let theirs = mapping().from_advoware(&record(json!({
        "betNr": 7, "rowId": "A", "vorname": "Max", "name": "Muster", "geburtsdatum": "1980-02-29T00:00:00",
        "anrede": null, "telGesch": "030/123456", "strasse": "not mapped",
    })));
    assert_eq!(ours, theirs);
    assert_eq!(ours.get("anrede"), Seen::Blank);
    assert_eq!(ours.get("rechtsform"), Seen::Absent);
}

#[test]
fn an_unreadable_value_is_a_problem_and_absent() {
    let theirs = mapping().from_advoware(&record(json!({"geburtsdatum": "ca. 1980", "name": "Muster"})));
    assert_eq!(theirs.get("geburtsdatum"), Seen::Absent);
    assert_eq!(theirs.problems().len(), 1);
    assert_eq!(theirs.problems()[0].field, "geburtsdatum");
    assert_eq!(theirs.problems()[0].unreadable.value, "ca. 1980");
    let odd = json!({"firstName": ["Max"], "lastName": "Muster", "firmenname": "X GmbH"});
    let ours = mapping().from_espocrm(&record(odd));
    assert_eq!((ours.is_empty(), ours.problems().len()), (true, 1));
}

#[test]
fn writing_to_advoware_touches_only_what_changes() {
    let mut whole = record(json!({
        "betNr": 7, "vorname": "Max", "name": "Muster", "geburtsdatum": "1980-02-29T00:00:00", "telGesch": "030/123456",
        "anrede": "Herr", "strasse": "Hauptstr. 1", "plz": 10115, "extra": {"deep": [1, null]},
    }));
    let changes = content(json!({
        "name": "Meier", "geburtsdatum": "1981-03-01", "telGesch": "+4930123456", "anrede": null, "emailGesch": "a@b.de",
    }));
    mapping().write_advoware(&changes, &mut whole);
    let expected = json!({
        "betNr": 7, "vorname": "Max", "name": "Meier", "geburtsdatum": "1981-03-01T00:00:00", "telGesch": "030/123456",
        "anrede": null, "strasse": "Hauptstr. 1", "plz": 10115, "extra": {"deep": [1, null]}, "emailGesch": "a@b.de",
    });
    assert_eq!(Value::Object(whole), expected);
}

#[test]
fn a_new_advoware_record_holds_what_is_filled() {
    let body =
        mapping().new_advoware(&content(json!({"name": "Muster", "vorname": null, "geburtsdatum": "1980-02-29"})));
    assert_eq!(Value::Object(body), json!({"name": "Muster", "geburtsdatum": "1980-02-29"}));
    let missing = content(json!({"vorname": "Max", "name": null}));
    let names: Vec<_> = mapping().missing_required(&missing).iter().map(|field| field.label.clone()).collect();
    assert_eq!(names, ["Name"]);
}

/// Changed names into an EspoCRM record → the attributes to PUT, and what is removed besides.
fn check_write(changes: Value, current: Value, expected: &Value, removed: &[(&str, &str)]) {
    let shown = format!("{changes} into {current}");
    let write = mapping().write_espocrm(&content(changes), &record(current));
    assert_eq!(Value::Object(write.attributes), *expected, "{shown}");
    let replaced: Vec<_> = write.replaced.iter().map(|it| (it.attribute.as_str(), it.old.as_str())).collect();
    assert_eq!(replaced, removed, "{shown}");
    assert_eq!(write.unwritable, [], "{shown}");
}

#[test]
fn a_changed_name_group_is_written_clean() {
    let person = || json!({"firstName": "Max", "lastName": "Muster", "firmenname": null});
    let company = || json!({"firstName": null, "lastName": null, "firmenname": "X GmbH"});
    check_write(
        json!({"name": "Meier"}),
        person(),
        &json!({"firstName": "Max", "lastName": "Meier", "firmenname": null}),
        &[],
    );
    check_write(
        json!({"name": "Y GmbH"}),
        company(),
        &json!({"firstName": null, "firmenname": "Y GmbH", "lastName": null}),
        &[],
    );
    // A record may change kind; what it was called before is the field's old value, not a loss besides.
    check_write(
        json!({"vorname": null}),
        person(),
        &json!({"firstName": null, "firmenname": "Muster", "lastName": null}),
        &[],
    );
    check_write(
        json!({"vorname": "Max", "name": "Muster"}),
        company(),
        &json!({"firstName": "Max", "lastName": "Muster", "firmenname": null}),
        &[],
    );
    // Leftovers of the other kind are removed and told.
    check_write(
        json!({"vorname": "Moritz"}),
        json!({"firstName": "Max", "lastName": "Muster", "firmenname": "X GmbH"}),
        &json!({"firstName": "Moritz", "lastName": "Muster", "firmenname": null}),
        &[("firmenname", "X GmbH")],
    );
    check_write(
        json!({"name": "Y GmbH"}),
        json!({"firstName": null, "lastName": "Leftover", "firmenname": "X GmbH"}),
        &json!({"firstName": null, "firmenname": "Y GmbH", "lastName": null}),
        &[("lastName", "Leftover")],
    );
}

#[test]
fn a_company_in_the_last_name_stays_there() {
    check_write(
        json!({"name": "Y GmbH"}),
        json!({"firstName": null, "lastName": "X GmbH", "firmenname": null}),
        &json!({"firstName": null, "lastName": "Y GmbH", "firmenname": null}),
        &[],
    );
}

#[test]
fn hidden_name_attributes_are_not_cleared() {
    check_write(json!({"name": "Y GmbH"}), json!({"firmenname": "X GmbH"}), &json!({"firmenname": "Y GmbH"}), &[]);
    check_write(
        json!({"name": "Meier"}),
        json!({"firstName": "Max", "lastName": "Muster"}),
        &json!({"firstName": "Max", "lastName": "Meier"}),
        &[],
    );
    let write = mapping().write_espocrm(&content(json!({"name": "Meier"})), &record(json!({"lastName": "Muster"})));
    assert!(write.attributes.is_empty());
    assert_eq!(write.unwritable.len(), 1);
    // Without its last name, the leftover company name would become the party's name.
    let half = record(json!({"firstName": "Max", "firmenname": "X GmbH"}));
    let write = mapping().write_espocrm(&content(json!({"vorname": null})), &half);
    assert!(write.attributes.is_empty());
    assert_eq!(write.unwritable[0].field, "vorname");
}

#[test]
fn what_espocrm_refuses_is_not_written() {
    let changes = content(json!({"telGesch": "siehe Akte", "emailGesch": "a@b.de", "anrede": null}));
    let write = mapping().write_espocrm(&changes, &Map::new());
    assert_eq!(Value::Object(write.attributes), json!({"emailAddress": "a@b.de", "anrede": null}));
    assert_eq!(write.unwritable[0].field, "telGesch");
    assert_eq!(write.unwritable[0].value, "siehe Akte");
}

#[test]
fn a_content_is_stored_as_a_plain_object() {
    let stored = serde_json::to_value(content(json!({"vorname": null, "name": "Muster"}))).expect("serialises");
    assert_eq!(stored, json!({"name": "Muster", "vorname": null}));
}

#[test]
fn search_keys_find_again_and_tell_apart() {
    let mapping = mapping();
    let max = content(json!({"vorname": "Max", "name": "Muster", "geburtsdatum": "1980-02-29"}));
    let query = mapping.search_query(&max).expect("usable");
    assert_eq!(query, [("name", "Muster".to_owned()), ("vorname", "Max".to_owned())]);
    let company = content(json!({"vorname": null, "name": "X GmbH"}));
    assert_eq!(mapping.search_query(&company), Some(vec![("name", "X GmbH".to_owned())]));
    assert_eq!(mapping.search_query(&content(json!({"vorname": null, "name": null}))), None);
    assert_eq!(mapping.search_query(&content(json!({"name": "Muster"}))), None, "a hidden key makes no usable search");
    let younger = content(json!({"vorname": "Max", "name": "Muster", "geburtsdatum": "2001-01-01"}));
    let unknown = content(json!({"vorname": "Max", "name": "Muster", "geburtsdatum": null}));
    assert!(mapping.same_search_keys(&max, &younger) && mapping.proven_different(&max, &younger));
    assert!(mapping.same_search_keys(&max, &unknown) && !mapping.proven_different(&max, &unknown));
    assert!(!mapping.same_search_keys(&max, &company));
    let (capitals, hidden) =
        (content(json!({"vorname": "MAX", "name": "MUSTER"})), content(json!({"name": "X  GMBH"})));
    assert!(mapping.same_search_keys(&max, &capitals) && mapping.same_search_keys(&company, &hidden));
    assert!(mapping.hides_proof(&max, &capitals) && !mapping.hides_proof(&company, &hidden));
    assert!(!mapping.hides_proof(&max, &unknown), "blank is shown");
    assert!(!mapping.same_search_keys(&max, &content(json!({"name": "Muster"}))));
}
