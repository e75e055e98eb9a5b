use serde_json::json;

use super::*;
use crate::sync::record::normal::tests::{mapping, record};

const OWN: &str = "our-user";

/// Verdict for EspoCRM's (rowId, lastSync, modifiedAt, modifiedById) and Advoware's (rowId, geaendertAm).
fn check(espocrm: [&str; 4], advoware: [&str; 2], expected: Verdict) {
    let [row_id, last_sync, modified, by] = espocrm.map(|text| if text == "-" { Value::Null } else { json!(text) });
    let ours = record(json!({
        "advowareRowId": row_id, "advowareLastSync": last_sync, "modifiedAt": modified, "modifiedById": by,
    }));
    let [row_id, modified] = advoware.map(|text| if text == "-" { Value::Null } else { json!(text) });
    let theirs = record(json!({ "rowId": row_id, "geaendertAm": modified }));
    let verdict = Evidence::read(&mapping(), &ours, &theirs).verdict(Some(OWN));
    assert_eq!(verdict, expected, "{espocrm:?} {advoware:?}");
}

#[test]
fn row_ids_decide_first() {
    let synced = "2026-03-05 12:00:00";
    let later = "2026-03-05 12:00:06";
    check(["A", synced, synced, "u"], ["A", "-"], Verdict::NoChange);
    check(["A", synced, later, "u"], ["A", "-"], Verdict::EspocrmNewer);
    check(["A", synced, synced, "u"], ["B", "-"], Verdict::AdvowareNewer);
    check(["A", synced, later, "u"], ["B", "-"], Verdict::Conflict);
    // Advoware's time is not looked at where both rowIds are there.
    check(["A", synced, synced, "u"], ["A", "2026-03-06T12:00:00"], Verdict::NoChange);
}

#[test]
fn our_own_status_writes_are_no_change() {
    let synced = "2026-03-05 12:00:00";
    check(["A", synced, "2026-03-05 12:00:05", "u"], ["A", "-"], Verdict::NoChange);
    check(["A", synced, "2026-03-05 12:00:06", "u"], ["A", "-"], Verdict::EspocrmNewer);
    check(["A", synced, "2026-03-07 12:00:00", OWN], ["A", "-"], Verdict::NoChange);
    check(["A", synced, "2026-03-07 12:00:00", "-"], ["A", "-"], Verdict::EspocrmNewer);
    check(["A", synced, "-", "u"], ["A", "-"], Verdict::NoChange);
    check(["A", synced, "yesterday", "u"], ["B", "-"], Verdict::AdvowareNewer);
    let made_by = |user: &str| {
        let ours = record(json!({
            "advowareRowId": "A", "advowareLastSync": synced, "modifiedAt": "2026-03-05 12:00:09", "modifiedById": null,
            "createdById": user,
        }));
        Evidence::read(&mapping(), &ours, &record(json!({ "rowId": "A" }))).verdict(Some(OWN))
    };
    assert_eq!(made_by(OWN), Verdict::NoChange, "imported, and nobody has touched it since");
    assert_eq!(made_by("u"), Verdict::EspocrmNewer);
    let evidence = Evidence {
        espocrm_modified_by: None,
        last_sync: espocrm_time(synced),
        espocrm_modified: espocrm_time("2026-03-07 12:00:00"),
        ..Evidence::default()
    };
    assert_eq!(evidence.verdict(None), Verdict::EspocrmNewer, "an unknown own user matches nobody");
}

#[test]
fn our_report_of_a_failure_hides_no_edit() {
    let verdict = |row_id: &str, modified: &str| {
        let ours = record(json!({
            "advowareRowId": "A", "advowareLastSync": "2026-03-05 12:00:00", "syncStatus": "failed",
            "modifiedAt": modified, "modifiedById": OWN,
        }));
        Evidence::read(&mapping(), &ours, &record(json!({ "rowId": row_id }))).verdict(Some(OWN))
    };
    assert_eq!(verdict("A", "2026-03-07 12:00:00"), Verdict::EspocrmNewer);
    assert_eq!(verdict("A", "2026-03-05 12:00:00"), Verdict::NoChange);
    assert_eq!(verdict("B", "2026-03-07 12:00:00"), Verdict::AdvowareNewer, "then that may be what it failed on");
}

#[test]
fn times_decide_where_a_row_id_is_missing() {
    let synced = "2026-03-05 12:00:00";
    let later = "2026-03-05 13:00:00";
    // 13:30 in Berlin is 12:30 UTC in winter.
    check(["-", synced, synced, "u"], ["A", "2026-03-05T13:30:00"], Verdict::AdvowareNewer);
    check(["-", synced, synced, "u"], ["A", "2026-03-05T12:30:00"], Verdict::NoChange);
    check(["A", synced, later, "u"], ["-", "2026-03-05T12:30:00Z"], Verdict::Conflict);
    check(["A", synced, later, "u"], ["-", "-"], Verdict::EspocrmNewer);
    check(["", synced, synced, "u"], ["", "-"], Verdict::NoChange);
}

#[test]
fn without_a_last_sync_the_first_sync_is_due() {
    check(["A", "-", "2026-03-05 12:00:00", "u"], ["B", "-"], Verdict::Initial);
    check(["A", "soon", "2026-03-05 12:00:00", OWN], ["A", "-"], Verdict::Initial);
}

#[test]
fn times_of_both_systems() {
    assert_eq!(espocrm_time("2026-03-05 12:00:00"), espocrm_time("2026-03-05T13:00:00+01:00"));
    assert_eq!(advoware_time("2026-07-05T14:00:00.5"), espocrm_time("2026-07-05T12:00:00.5Z"));
    assert_eq!(advoware_time("2026-10-25T02:30:00"), espocrm_time("2026-10-25 01:30:00"));
    assert_eq!(advoware_time("2026-03-29T02:30:00"), None);
}

fn contents() -> (Content, Content) {
    let mapping = mapping();
    let ours = mapping.from_espocrm(&record(json!({
        "firstName": "Max", "lastName": "Muster", "firmenname": null, "anrede": "Herr", "dateOfBirth": null,
        "phoneNumber": "+4930123456",
    })));
    let theirs = mapping.from_advoware(&record(json!({
        "vorname": "Max", "name": "Mustermann", "anrede": null, "geburtsdatum": "1980-02-29T00:00:00",
        "telGesch": "siehe Akte", "emailGesch": "a@b.de",
    })));
    (ours, theirs)
}

#[test]
fn espocrm_goes_over_as_a_whole_and_what_goes_is_told() {
    let (ours, theirs) = contents();
    for verdict in [Verdict::EspocrmNewer, Verdict::Conflict] {
        let merged = whole(&mapping(), verdict, &ours, &theirs);
        let fields: Vec<_> = merged.to_advoware.iter().collect();
        assert_eq!(merged.to_espocrm, Content::default());
        let text = |name| merged.to_advoware.get(name).text();
        assert_eq!(
            (text("name"), text("anrede"), text("telGesch")),
            (Some("Muster"), Some("Herr"), Some("+4930123456"))
        );
        assert_eq!(fields.len(), 4, "emailGesch is absent in EspoCRM and clears nothing: {fields:?}");
        let replaced: Vec<_> = merged.replaced.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(replaced, ["name", "geburtsdatum", "telGesch"]);
    }
}

#[test]
fn at_first_contact_a_blank_goes_over_nothing() {
    let (ours, theirs) = contents();
    let merged = whole(&mapping(), Verdict::Initial, &ours, &theirs);
    let fields = |content: &Content| content.iter().map(|(field, _)| field.to_owned()).collect::<Vec<_>>();
    assert_eq!(fields(&merged.to_advoware), ["anrede", "name", "telGesch"]);
    assert_eq!(fields(&merged.to_espocrm), ["geburtsdatum"]);
    assert_eq!(merged.replaced.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), ["name", "telGesch"]);
    let check = |espocrm: Value, advoware: Value, expected: (&[&str], &[&str])| {
        let (ours, theirs) = (mapping().from_espocrm(&record(espocrm)), mapping().from_advoware(&record(advoware)));
        let merged = whole(&mapping(), Verdict::Initial, &ours, &theirs);
        assert_eq!(fields(&merged.to_advoware), expected.0);
        assert_eq!(fields(&merged.to_espocrm), expected.1);
    };
    let without_first = || json!({ "firstName": null, "lastName": "Muster", "firmenname": null });
    check(without_first(), json!({ "vorname": "Max", "name": "Muster" }), (&[], &["vorname"]));
    check(without_first(), json!({ "vorname": "Max", "name": "Meier" }), (&["name", "vorname"], &[]));
}

#[test]
fn advoware_goes_over_as_a_whole_but_for_what_espocrm_refuses() {
    let (ours, theirs) = contents();
    let merged = whole(&mapping(), Verdict::AdvowareNewer, &ours, &theirs);
    assert_eq!(merged.to_advoware, Content::default());
    let fields: Vec<_> = merged.to_espocrm.iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["anrede", "emailGesch", "geburtsdatum", "name"]);
    assert_eq!(merged.blocked.len(), 1);
    assert_eq!(merged.blocked[0].field, "telGesch");
    let replaced: Vec<_> = merged.replaced.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(replaced, ["name", "anrede"], "the refused phone number replaces nothing");
}

#[test]
fn no_change_writes_nothing() {
    let (ours, theirs) = contents();
    assert_eq!(whole(&mapping(), Verdict::NoChange, &ours, &theirs), Merged::default());
}
