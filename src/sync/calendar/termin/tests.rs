use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sync::calendar::clock;
use crate::sync::calendar::scope::MaxDeletions;

fn rules(multiday: Multiday) -> Rules {
    Rules {
        kanzlei: "1".into(),
        multiday,
        blocked_title: "Blocked".into(),
        max_deletions: MaxDeletions { count: 10, percent: 10 },
        write_protection: false,
    }
}

fn read_by(record: &Value, multiday: Multiday) -> Result<Termin, Unusable> {
    let mut record = record.as_object().unwrap().clone();
    record.entry("frNr").or_insert(json!(17));
    Termin::read(&record, "SB", &rules(multiday))
}

fn read(record: &Value) -> Termin {
    read_by(record, Multiday::AllDay).unwrap()
}

fn said(termin: &Termin) -> String {
    let when = match termin.entry.when {
        When::AllDay { first, last } => format!("{first}/{last}"),
        When::Timed { start, end } => format!("{}/{}", start.format("%FT%T"), end.format("%FT%T")),
    };
    let series = termin.entry.series.map(|it| {
        format!(" {:?} {} {}", it.unit, it.interval, it.until.map(|day| day.to_string()).unwrap_or_default())
    });
    let time = format!("{when}{}", series.unwrap_or_default());
    [&[time.as_str()], termin.remarks.as_slice()].concat().join(" ")
}

/// `[datum, uhrzeitVon, datumBis, uhrzeitBis]`
fn single(fields: [&str; 4]) -> Value {
    let [datum, von, bis, end] = fields;
    json!({ "datum": datum, "uhrzeitVon": von, "datumBis": bis, "uhrzeitBis": end })
}

#[test]
fn single_entries_are_read_with_the_seeds_defaults() {
    let check = |fields: [&str; 4], expected: &str| assert_eq!(said(&read(&single(fields))), expected, "{fields:?}");
    check(["2026-03-05", "14:00:00", "2026-03-05", "15:30"], "2026-03-05T14:00:00/2026-03-05T15:30:00");
    check(["2026-03-05T14:00:00", "", "2026-03-05", "15:00:00"], "2026-03-05T14:00:00/2026-03-05T15:00:00");
    check(["2026-03-05T14:00:00.123", "", "", ""], "2026-03-05T14:00:00/2026-03-05T15:00:00");
    check(["2026-03-05T23:30:00Z", "", "", ""], "2026-03-06T00:30:00/2026-03-06T01:30:00");
    check(["2026-07-05T14:00:00+00:00", "", "", ""], "2026-07-05T16:00:00/2026-07-05T17:00:00");
    check(["2026-03-05T00:00:00", "", "2026-03-05T00:00:00", ""], "2026-03-05T09:00:00/2026-03-05T10:00:00");
    check(["2026-03-05", "14:00:00", "0001-01-01T00:00:00", "18:00:00"], "2026-03-05T14:00:00/2026-03-05T15:00:00");
    check(["2026-03-05", "14:00:00", "9999-12-31", "18:00:00"], "2026-03-05T14:00:00/2026-03-05T15:00:00");
    check(["2028-02-29", "08:00", "2028-02-29", "09:00"], "2028-02-29T08:00:00/2028-02-29T09:00:00");
    check(["2026-03-05", "23:00", "", ""], "2026-03-05T23:00:00/2026-03-05T23:59:59");
    check(["2026-03-05", "14:00", "2026-03-05", "13:00"], "2026-03-05T14:00:00/2026-03-05T15:00:00 reversed");
    check(["2026-03-05", "25:00", "2026-03-05", "x"], "2026-03-05T09:00:00/2026-03-05T10:00:00 bad_time");
    check(["2026-03-05", "14:00", "morgen", "15:00"], "2026-03-05T14:00:00/2026-03-05T15:00:00 bad_date");
}

#[test]
fn long_entries_become_whole_days_where_the_rules_say_so() {
    let check = |fields: [&str; 4], multiday, expected: &str| {
        assert_eq!(said(&read_by(&single(fields), multiday).unwrap()), expected, "{fields:?}");
    };
    let long = ["2026-03-05", "08:00", "2026-03-07", "00:00:00"];
    check(long, Multiday::AllDay, "2026-03-05/2026-03-07");
    check(long, Multiday::Timed, "2026-03-05T08:00:00/2026-03-07T23:59:59");
    let day = ["2026-03-28", "10:00", "2026-03-29", "10:00"];
    check(day, Multiday::AllDay, "2026-03-28T10:00:00/2026-03-29T10:00:00");
    check(["2026-03-28", "10:00", "2026-03-29", "10:00:01"], Multiday::AllDay, "2026-03-28/2026-03-29");
}

#[test]
fn clock_changes_move_only_what_does_not_exist() {
    let check = |fields: [&str; 4], expected: &str| assert_eq!(said(&read(&single(fields))), expected, "{fields:?}");
    check(["2026-03-29", "02:30", "2026-03-29", "04:00"], "2026-03-29T03:30:00/2026-03-29T04:00:00");
    check(["2026-03-29", "02:30", "2026-03-29", "03:00"], "2026-03-29T03:30:00/2026-03-29T04:00:00");
    check(["2026-03-29", "01:30", "", ""], "2026-03-29T01:30:00/2026-03-29T03:30:00");
    check(["2026-10-25", "02:15", "2026-10-25", "02:45"], "2026-10-25T02:15:00/2026-10-25T02:45:00");
}

#[test]
fn lasting_entries_are_whole_days_or_series() {
    let check = |more: Value, expected: &str| {
        let mut record = single(["2026-01-31", "09:00", "2026-12-24", "10:00"]);
        record["dauertermin"] = json!(1);
        more.as_object().unwrap().iter().for_each(|(name, value)| record[name] = value.clone());
        assert_eq!(said(&read(&record)), expected, "{more}");
    };
    let nine = "2026-01-31T09:00:00/2026-01-31T10:00:00";
    check(json!({}), "2026-01-31/2026-12-24");
    check(json!({ "turnus": 0, "datumBis": null }), "2026-01-31/2026-01-31");
    check(json!({ "turnus": null, "datumBis": "2026-01-01" }), "2026-01-31/2026-01-31 reversed");
    check(json!({ "turnus": 3, "turnusArt": 1 }), &format!("{nine} Day 3 2026-12-24"));
    check(json!({ "turnus": "1", "turnusArt": "2", "dauertermin": true }), &format!("{nine} Week 1 2026-12-24"));
    check(json!({ "turnus": 1.0, "turnusArt": 3, "dauertermin": "1" }), &format!("{nine} Month 1 2026-12-24"));
    check(json!({ "turnus": 1, "turnusArt": 4, "datumBis": "2037-12-31" }), &format!("{nine} Year 1 "));
    check(json!({ "turnus": 1, "turnusArt": 4, "datumBis": "2037-12-30" }), &format!("{nine} Year 1 2037-12-30"));
    check(json!({ "turnus": 1, "turnusArt": 1, "datumBis": null }), &format!("{nine} Day 1 "));
    check(json!({ "turnus": 1, "turnusArt": 1, "datumBis": "9999-12-31T00:00:00" }), &format!("{nine} Day 1 "));
    check(json!({ "turnus": 1, "turnusArt": 5 }), &format!("{nine} unknown_turnus_art"));
    check(json!({ "turnus": 1, "turnusArt": 1, "datumBis": "2026-01-30" }), &format!("{nine} reversed"));
    let night = json!({ "turnus": 1, "turnusArt": 1, "uhrzeitBis": "00:00:00" });
    check(night, "2026-01-31T09:00:00/2026-01-31T23:59:59 Day 1 2026-12-24");
    let whole = json!({ "turnus": 1, "turnusArt": 1, "uhrzeitVon": "00:00:00", "uhrzeitBis": "23:59:59" });
    check(whole, "2026-01-31/2026-01-31 Day 1 2026-12-24");
}

#[test]
fn what_has_no_number_or_no_day_is_unusable() {
    let check = |record: Value, number: Option<i64>, reason: &'static str| {
        assert_eq!(read_by(&record, Multiday::AllDay).unwrap_err(), Unusable { number, reason }, "{record}");
    };
    check(json!({}), Some(17), "no_date");
    check(json!({ "datum": "0001-01-01T00:00:00+02:00" }), Some(17), "no_date");
    check(json!({ "datum": "9999-12-31T23:59:59Z" }), Some(17), "no_date");
    check(json!({ "datum": "2026-02-29" }), Some(17), "bad_date");
    check(json!({ "datum": "2026-03-05", "frNr": null }), None, "no_number");
}

#[test]
fn it_belongs_to_who_is_named() {
    let check = |anwalt: &str, sb: &str, expected| {
        let termin = read(&json!({ "datum": "2026-03-05", "anwalt": anwalt, "sb": sb }));
        assert_eq!(termin.belongs, expected, "{anwalt} {sb}");
    };
    check("SB", "", Belongs::Own);
    check("sb", " SB ", Belongs::Own);
    check("SB", "AI", Belongs::Shared);
    check("AI", "SB", Belongs::Shared);
    check("", "AI", Belongs::Shared);
    check("ALLE", "", Belongs::Shared);
    check("Allgemein", "SB", Belongs::Shared);
    check("AI", "", Belongs::Foreign);
    check("AI", "RO", Belongs::Foreign);
}

#[test]
fn texts_are_trimmed_and_what_is_unknown_is_kept() {
    let termin = read(&json!({
        "frNr": "-4", "datum": "2026-03-05", "rowId": "ab", "text": " Gespräch 😀\r\n", "notiz": "eins\r\nzwei", "neu": 7
    }));
    assert_eq!((termin.entry.text.as_str(), termin.entry.notiz.as_str()), ("Gespräch 😀", "eins\nzwei"));
    assert_eq!((termin.entry.ort.as_str(), termin.row_id.as_deref()), ("", Some("ab")));
    assert!(termin.is_generated());
    assert!(!read(&json!({ "datum": "2026-03-05" })).is_generated());
    assert_eq!(termin.raw["neu"], 7);
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..6i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|[+-]1[0-9]:00)?)?"
            .prop_map(Value::from),
        "2026-(03-29|10-25)".prop_map(Value::from),
        "0[0-4]:[0-5][0-9](:[0-6][0-9])?".prop_map(Value::from),
        Just(json!([{ "a": 1 }])),
    ]
}

proptest! {
    #[test]
    fn any_record_is_read_or_refused_and_always_alike(
        values in proptest::collection::vec(value(), 12), timed in any::<bool>(), usual in any::<bool>()
    ) {
        let names = ["datum", "datumBis", "uhrzeitVon", "uhrzeitBis", "dauertermin", "turnus", "turnusArt", "text", "notiz",
            "anwalt", "sb", "frNr"];
        let mut record: Record = names.into_iter().map(str::to_owned).zip(values).collect();
        if usual {
            record.insert("frNr".into(), json!(17));
            record.insert("datum".into(), json!("2026-03-29T02:30:00"));
        }
        let rules = rules(if timed { Multiday::Timed } else { Multiday::AllDay });
        let first = Termin::read(&record, "SB", &rules);
        if let Ok(termin) = &first {
            match termin.entry.when {
                When::AllDay { first, last } => prop_assert!(first <= last),
                When::Timed { start, end } => {
                    prop_assert!(start <= end);
                    prop_assert_eq!((clock::existing(start), clock::existing(end)), (start, end));
                }
            }
            prop_assert_eq!(&Termin::read(&termin.raw, "SB", &rules), &first);
        }
    }
}
