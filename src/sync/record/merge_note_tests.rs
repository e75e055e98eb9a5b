use chrono::TimeZone;

use super::*;
use crate::sync::record::normal::tests::mapping;

fn difference(field: &str, ours: Option<&str>, theirs: Option<&str>, winner: Side) -> Difference {
    let (espocrm, advoware) = (ours.map(str::to_owned), theirs.map(str::to_owned));
    Difference { field: field.to_owned(), espocrm, advoware, winner }
}

#[test]
fn a_note_names_field_values_and_winner() {
    let merged = Merged {
        conflicts: vec![
            difference("geburtsdatum", Some("1980-02-29"), Some("1980-03-01"), Side::Espocrm),
            difference("anrede", Some("Frau"), None, Side::Advoware),
        ],
        replaced: vec![difference("name", Some("Muster\n2024-01-01"), Some("Mustermann"), Side::Espocrm)],
        blocked: vec![Blocked {
            field: "telGesch".to_owned(),
            from: Side::Advoware,
            value: Some("siehe Akte".to_owned()),
            reason: BlockReason::Refused("not a number"),
        }],
        ..Merged::default()
    };
    let cleared = [Replaced { attribute: "firmenname".to_owned(), old: "X GmbH".to_owned() }];
    let when = Utc.with_ymd_and_hms(2026, 7, 5, 12, 0, 0).unwrap();
    let expected = "Abgleich mit Advoware am 05.07.2026, 14:00 Uhr

In EspoCRM und in Advoware verschieden geändert:
- Geburtsdatum: EspoCRM „29.02.1980“ gilt, Advoware „01.03.1980“ wurde ersetzt
- Anrede: Advoware leer gilt, EspoCRM „Frau“ wurde ersetzt

Beim Abgleich ersetzt:
- Name: EspoCRM „Muster 2024-01-01“ gilt, Advoware „Mustermann“ wurde ersetzt

In EspoCRM geleert (Person oder Firma):
- firmenname: bisher „X GmbH“

Nicht übernommen:
- Telefon: Advoware „siehe Akte“ (EspoCRM nimmt diesen Wert nicht an)";
    assert_eq!(note_for(&mapping(), &merged, &cleared, when).as_deref(), Some(expected));
}

#[test]
fn nothing_to_tell_is_no_note_and_a_long_value_is_cut() {
    let when = Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).unwrap();
    assert_eq!(note_for(&mapping(), &Merged::default(), &[], when), None);
    let long = "ä".repeat(5000);
    let merged = Merged { conflicts: vec![difference("name", Some(&long), None, Side::Espocrm)], ..Merged::default() };
    let note = note_for(&mapping(), &merged, &[], when).unwrap();
    assert!(note.contains('…') && note.chars().count() < 400, "{note}");
}

#[test]
fn a_party_that_is_left_alone_in_advoware_is_named_with_the_one_that_is_left() {
    let when = Utc.with_ymd_and_hms(2026, 7, 5, 12, 0, 0).unwrap();
    let head = "Abgleich mit Advoware am 05.07.2026, 14:00 Uhr\n\n";
    let text = "Die Nummer in EspoCRM wurde von 17 auf 18 geändert. 17 bleibt in Advoware, ohne Datensatz in EspoCRM.";
    assert_eq!(renumbered(None, "17", "18", when), format!("{head}{text}"));
    assert_eq!(renumbered(Some("Mehr".to_owned()), "17", "18", when), format!("Mehr\n\n{text}"));
    let note = namesake_deleted("abc", "17", "18", when);
    assert!(note.starts_with(&format!(
        "{head}In EspoCRM wurde ein Datensatz gleichen Namens gelöscht (abc). Seine Nummer 17 bleibt"
    )));
    assert!(note.ends_with("so sind auch 17 und 18 in Advoware Dubletten: bitte dort zusammenführen."), "{note}");
}

#[test]
fn what_advoware_did_not_take_is_told_with_what_stands_there() {
    let when = Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).unwrap();
    assert_eq!(note_on_ignored(&mapping(), &[], when), None);
    let (sent, shown) = (Some("1980-02-29".to_owned()), None);
    let note = note_on_ignored(&mapping(), &[Ignored { field: "geburtsdatum".to_owned(), sent, shown }], when);
    let expected = "Abgleich mit Advoware am 05.01.2026, 13:00 Uhr

Von Advoware nicht übernommen:
- Geburtsdatum: EspoCRM „29.02.1980“, in Advoware steht leer";
    assert_eq!(note.as_deref(), Some(expected));
}

#[test]
fn a_note_that_is_owed_gets_only_what_it_does_not_say_yet() {
    let check = |now: &str, expected: &str| {
        let before = "Abgleich um 10\n\nVerschieden:\n- Name: a";
        assert_eq!(with_news(Some(before), Some(now)).as_deref(), Some(&*format!("{before}{expected}")));
    };
    check("Abgleich um 11\n\nVerschieden:\n- Name: a", "");
    check("Abgleich um 11\n\nVerschieden:\n- Name: b", "\n\nAbgleich um 11\n\nVerschieden:\n- Name: b");
    check(
        "Abgleich um 11\n\nVerschieden:\n- Name: a\n- Anrede: c\n\nErsetzt:\n- Name: a",
        "\n\nAbgleich um 11\n\nVerschieden:\n- Anrede: c",
    );
    check("Abgleich um 11\n\nEin Satz.", "\n\nAbgleich um 11\n\nEin Satz.");
    check("Abgleich um 11\n\nVerschieden:", "");
    assert_eq!(with_news(None, Some("x")).as_deref(), Some("x"));
    assert_eq!(with_news(Some("x"), None).as_deref(), Some("x"));
}
