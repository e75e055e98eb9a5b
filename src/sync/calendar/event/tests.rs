use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sync::calendar::compare;
use crate::sync::calendar::entry::{Entry, Series, Unit, When};
use crate::sync::calendar::scope::Multiday;
use crate::sync::calendar::{Record, clock, span};

#[test]
fn ids_are_google_s_and_differ_in_every_part() {
    let one = id("Kanzlei", "MÜ", 17, 0);
    assert_eq!(one, id("Kanzlei", "MÜ", 17, 0));
    assert!(one.len() >= 5 && one.chars().all(|c| matches!(c, 'a'..='v' | '0'..='9')), "{one}");
    let others =
        [id("Kanzlei", "MÜ", 17, 1), id("Kanzlei", "MÜ", 1, 70), id("Kanzlei", "SB", 17, 0), id("K", "MÜ", 17, 0)];
    assert!(!others.contains(&one));
    // Events carry these ids: they may never change.
    insta::assert_snapshot!(one);
}

fn record(value: &Value) -> Record {
    value.as_object().unwrap().clone()
}

fn timed(start: &str, end: &str) -> Record {
    record(&json!({ "id": "e", "summary": "T", "start": { "dateTime": start }, "end": { "dateTime": end } }))
}

fn said(event: &Record, multiday: Multiday) -> String {
    let read = read(event, multiday).unwrap();
    let when = match read.entry.when {
        When::AllDay { first, last } => format!("{first}/{last}"),
        When::Timed { start, end } => format!("{}/{}", start.format("%FT%T"), end.format("%FT%T")),
    };
    [&[when.as_str()], read.remarks.as_slice()].concat().join(" ")
}

#[test]
fn times_become_berlin_s() {
    let check = |start: &str, end: &str, expected: &str| {
        assert_eq!(said(&timed(start, end), Multiday::AllDay), expected, "{start} {end}");
    };
    check("2026-03-05T14:00:00+01:00", "2026-03-05T15:00:00.999+01:00", "2026-03-05T14:00:00/2026-03-05T15:00:00");
    check("2026-03-05T23:30:00Z", "2026-03-06T00:00:00Z", "2026-03-06T00:30:00/2026-03-06T01:00:00");
    check("2026-07-05T09:00:00-04:00", "2026-07-05T10:00:00-04:00", "2026-07-05T15:00:00/2026-07-05T16:00:00");
    check("2026-03-05T14:00:00Z", "2026-03-05T13:59:59Z", "2026-03-05T15:00:00/2026-03-05T16:00:00 reversed");
    check("2026-03-05T14:00:00Z", "2026-03-05T14:00:00Z", "2026-03-05T15:00:00/2026-03-05T15:00:00");
    check("2026-03-05T14:00:00Z", "bald", "2026-03-05T15:00:00/2026-03-05T16:00:00 bad_end");
    check("2026-03-05T14:00", "2026-03-05T15:00:00", "2026-03-05T14:00:00/2026-03-05T15:00:00 bad_zone");
    // Both clock changes.
    check("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00/2026-03-29T03:30:00");
    check("2026-03-29T02:30:00", "2026-03-29T02:45:00", "2026-03-29T03:30:00/2026-03-29T03:45:00 bad_zone");
    check("2026-10-25T02:30:00+02:00", "2026-10-25T02:15:00+01:00", "2026-10-25T02:30:00/2026-10-25T03:15:00");
    check("2026-10-25T02:15:00+01:00", "2026-10-25T03:00:00+01:00", "2026-10-25T02:15:00/2026-10-25T03:00:00");
    // Midnight.
    check("2026-03-05T20:00:00+01:00", "2026-03-06T00:00:00+01:00", "2026-03-05T20:00:00/2026-03-05T23:59:59");
    check("2026-03-05T00:00:00+01:00", "2026-03-06T00:00:00+01:00", "2026-03-05T00:00:00/2026-03-05T23:59:59");
    check("2026-03-05T00:00:00+01:00", "2026-03-05T00:00:00+01:00", "2026-03-05T00:00:00/2026-03-05T00:00:00");
    // Longer than a day by the clock, which a day of 25 hours is not.
    check("2026-10-25T00:30:00+02:00", "2026-10-26T00:30:00+01:00", "2026-10-25T00:30:00/2026-10-26T00:30:00");
    check("2026-03-05T08:00:00+01:00", "2026-03-07T00:00:00+01:00", "2026-03-05/2026-03-06");
    let long = timed("2026-03-05T08:00:00+01:00", "2026-03-07T00:00:00+01:00");
    assert_eq!(said(&long, Multiday::Timed), "2026-03-05T08:00:00/2026-03-06T23:59:59");
}

#[test]
fn zones_count_where_they_are_known_and_no_offset_says_more() {
    let check = |start: Value, end: Value, expected: &str, zone: Option<&str>| {
        let event = record(&json!({ "id": "e", "summary": "T", "start": start, "end": end }));
        assert_eq!(said(&event, Multiday::AllDay), expected, "{start} {end}");
        let read = read(&event, Multiday::AllDay).unwrap();
        assert_eq!(read.zone.map(chrono_tz::Tz::name), zone, "{start}");
    };
    let at = |time: &str, zone: &str| json!({ "dateTime": time, "timeZone": zone });
    let (nine, ten) = ("2026-07-05T09:00:00", "2026-07-05T10:00:00");
    let new_york = "America/New_York";
    check(at(nine, new_york), at(ten, new_york), "2026-07-05T15:00:00/2026-07-05T16:00:00", Some(new_york));
    check(at(nine, new_york), json!({ "dateTime": ten }), "2026-07-05T15:00:00/2026-07-05T16:00:00", Some(new_york));
    check(at(nine, new_york), Value::Null, "2026-07-05T15:00:00/2026-07-05T16:00:00", Some(new_york));
    let windows = "W. Europe Standard Time";
    check(at(nine, windows), at(ten, windows), "2026-07-05T09:00:00/2026-07-05T10:00:00 bad_zone", None);
    let utc = "2026-07-05T09:00:00Z";
    check(at(utc, windows), at(utc, windows), "2026-07-05T11:00:00/2026-07-05T11:00:00", None);
    check(at(utc, new_york), at(utc, new_york), "2026-07-05T11:00:00/2026-07-05T11:00:00", Some(new_york));
    // Samoa had no 30 December 2011.
    let apia = "Pacific/Apia";
    check(
        at("2011-12-30T12:00:00", apia),
        at("2011-12-31T13:30:00", apia),
        "2011-12-30T23:00:00/2011-12-31T00:30:00",
        Some(apia),
    );
}

#[test]
fn whole_days_end_the_day_before() {
    let check = |start: &str, end: Value, expected: &str| {
        let event = record(&json!({ "id": "e", "summary": "T", "start": { "date": start }, "end": end }));
        assert_eq!(said(&event, Multiday::Timed), expected, "{start} {end}");
    };
    check("2028-02-28", json!({ "date": "2028-03-01" }), "2028-02-28/2028-02-29");
    check("2026-01-31", json!({ "date": "2026-02-01", "dateTime": null }), "2026-01-31/2026-01-31");
    check("2026-01-31", json!({ "date": "2026-01-31" }), "2026-01-31/2026-01-31");
    check("2026-01-31", Value::Null, "2026-01-31/2026-01-31");
    check("2026-01-31", json!({ "date": "2026-01-30" }), "2026-01-31/2026-01-31 reversed");
    check("2026-01-31", json!({ "dateTime": "2026-02-01T09:00:00Z" }), "2026-01-31/2026-01-31 bad_end");
}

#[test]
fn an_instance_that_fills_its_day_is_a_whole_day() {
    let mut event = timed("2026-03-05T00:00:00+01:00", "2026-03-06T00:00:00+01:00");
    event.insert("recurrence".into(), json!(["RRULE:FREQ=DAILY", "", 7]));
    assert_eq!(said(&event, Multiday::Timed), "2026-03-05/2026-03-05");
    assert_eq!(read(&event, Multiday::Timed).unwrap().recurrence, ["RRULE:FREQ=DAILY"]);
}

#[test]
fn what_cannot_be_shown_says_why() {
    let check = |event: Value, reason: &str| {
        let refused = read(&record(&event), Multiday::AllDay).unwrap_err();
        assert_eq!((refused.reason, refused.id.is_some()), (reason, reason != "no_id"), "{event}");
    };
    let start = json!({ "date": "2026-03-05" });
    check(json!({ "start": start }), "no_id");
    check(json!({ "id": "e", "status": "cancelled" }), "no_times");
    check(json!({ "id": "e", "start": {} }), "no_times");
    check(json!({ "id": "e", "start": { "date": "2026-02-29" } }), "bad_times");
    check(json!({ "id": "e", "start": { "date": "+99999-01-01" } }), "bad_times");
    check(json!({ "id": "e", "start": { "dateTime": "0001-01-01T00:00:00Z" } }), "bad_times");
    check(json!({ "id": "e", "start": { "dateTime": 7 } }), "bad_times");
    check(json!({ "id": "e_x", "start": start, "recurringEventId": "e" }), "bad_original");
}

#[test]
fn exceptions_name_their_instance() {
    let check = |more: Value, expected: &str| {
        let mut event = record(&json!({ "id": "e_20260305T130000Z", "status": "cancelled", "recurringEventId": "e" }));
        event.extend(record(&more));
        let stub = stub(&event).unwrap();
        let (series, original) = stub.instance_of.unwrap();
        assert_eq!((stub.id, stub.cancelled, series), ("e_20260305T130000Z", true, "e"));
        assert_eq!(original.to_string(), expected, "{more}");
    };
    check(json!({}), "20260305T130000Z");
    check(json!({ "originalStartTime": { "dateTime": "2026-03-05T14:00:00+01:00" } }), "20260305T130000Z");
    let local = json!({ "dateTime": "2026-03-05T14:00:00", "timeZone": "America/New_York" });
    check(json!({ "originalStartTime": local }), "20260305T190000Z");
    check(json!({ "originalStartTime": { "date": "2026-03-05" } }), "20260305");
    let bare = record(&json!({ "id": "e", "status": "cancelled" }));
    assert_eq!(stub(&bare), Some(Stub { id: "e", cancelled: true, instance_of: None }));
    assert_eq!(stub(&record(&json!({ "id": "" }))), None);
    assert_eq!(stub(&record(&json!({ "id": "x", "recurringEventId": "e" }))), None);
}

#[test]
fn texts_marks_and_privacy_are_read() {
    let event = record(&json!({
        "id": "e", "etag": "\"7\"", "visibility": "confidential", "start": { "date": "2026-03-05" },
        "description": " <b>eins</b>\r\n<br>zwei 😀 ",
        "extendedProperties": { "private": {
            "advoware_frnr": "17", "advoware_kuerzel": " SB ", "advosync_generation": 2, "advosync_hash": "ab",
            "advosync_mode": "anonymised"
        } }
    }));
    let read = read(&event, Multiday::AllDay).unwrap();
    assert_eq!((read.etag.as_str(), read.private, read.cancelled), ("\"7\"", true, false));
    assert_eq!(read.entry.notiz, "<b>eins</b>\n<br>zwei 😀");
    assert_eq!((read.entry.text.as_str(), read.remarks.as_slice()), ("", ["no_title"].as_slice()));
    let marks = Marks {
        number: Some(17),
        kuerzel: Some("SB".into()),
        generation: 2,
        hash: Some("ab".into()),
        anonymised: true,
    };
    assert_eq!(read.marks, marks);
    let garbage = record(&json!({
        "id": "e", "start": { "date": "2026-03-05" }, "visibility": 7,
        "extendedProperties": { "private": {
            "advoware_frnr": "x", "advoware_kuerzel": "", "advosync_generation": -1, "advosync_hash": null,
            "advosync_mode": "full"
        } }
    }));
    let read = super::read(&garbage, Multiday::AllDay).unwrap();
    assert_eq!((read.marks, read.private), (Marks::default(), false));
}

#[test]
fn a_body_keeps_what_is_not_ours_and_clears_what_is_empty() {
    let raw = record(&json!({
        "id": "e", "colorId": "7", "summary": "Alt", "location": "Köln", "description": "<b>a</b> &amp; b",
        "start": { "dateTime": "2026-03-05T08:00:00-05:00", "timeZone": "America/New_York" },
        "end": { "dateTime": "2026-03-07T08:00:00-05:00", "timeZone": "America/New_York" },
        "extendedProperties": {
            "shared": { "x": "1" }, "private": { "theirs": "2", "advosync_mode": "anonymised", "advosync_hash": "old" }
        }
    }));
    let mut entry = read(&raw, Multiday::AllDay).unwrap().entry;
    entry.text = "Neu".into();
    entry.ort = String::new();
    entry.notiz = "a & b".into();
    let marks = Marks { number: Some(17), kuerzel: Some("SB".into()), generation: 1, ..Marks::default() };
    let written = body(Some(&raw), "e", &entry, &marks, Multiday::AllDay);
    for kept in ["id", "colorId", "description", "start", "end"] {
        assert_eq!(written[kept], raw[kept], "{kept}");
    }
    assert_eq!((&written["summary"], &written["location"]), (&json!("Neu"), &Value::Null));
    let properties = json!({
        "shared": { "x": "1" },
        "private": { "theirs": "2", "advoware_frnr": "17", "advoware_kuerzel": "SB", "advosync_generation": "1" }
    });
    assert_eq!(written["extendedProperties"], properties);
    // Where long entries have times, whole days are something else.
    let written = body(Some(&raw), "e", &entry, &marks, Multiday::Timed);
    assert_eq!(written["start"]["date"], "2026-03-05");
    // A series recurs by Berlin's clock.
    entry.series = Some(Series { unit: Unit::Day, interval: 1, until: None });
    let written = body(Some(&raw), "e", &entry, &marks, Multiday::AllDay);
    assert_eq!(written["start"]["date"], "2026-03-05");
    let mut raw = raw;
    raw.insert("recurringEventId".into(), json!("m"));
    raw.insert("recurrence".into(), json!([]));
    assert!(!body(Some(&raw), "e", &entry, &marks, Multiday::AllDay).contains_key("recurrence"));
}

#[test]
fn a_day_from_midnight_to_midnight_stays_one() {
    let at = |time: &str| json!({ "dateTime": time, "timeZone": "Europe/Berlin" });
    let mut raw = record(&json!({
        "id": "e", "start": at("2026-03-05T00:00:00+01:00"), "end": at("2026-03-06T00:00:00+01:00")
    }));
    let entry = read(&raw, Multiday::AllDay).unwrap().entry;
    assert_eq!(body(Some(&raw), "e", &entry, &Marks::default(), Multiday::AllDay)["end"], raw["end"]);
    raw.insert("recurrence".into(), json!(["RRULE:FREQ=DAILY;UNTIL=20260401T215959Z"]));
    let mut entry = read(&raw, Multiday::AllDay).unwrap().entry;
    let until = NaiveDate::from_ymd_opt(2026, 4, 2);
    entry.series = Some(Series { unit: Unit::Day, interval: 1, until });
    let written = body(Some(&raw), "e", &entry, &Marks::default(), Multiday::AllDay);
    assert_eq!(written["start"], raw["start"]);
    assert_eq!(written["recurrence"], json!(["RRULE:FREQ=DAILY;INTERVAL=1;UNTIL=20260402T215959Z"]));
}

fn wall() -> impl Strategy<Value = NaiveDateTime> {
    let day = prop_oneof![
        (0..40_000i64).prop_map(|days| NaiveDate::from_ymd_opt(1990, 1, 1).unwrap() + TimeDelta::days(days)),
        (1990..2098i32, prop::sample::select(vec![(3u32, 31u32), (10, 31)]), 0..7u64).prop_map(
            |(year, (month, last), back)| {
                NaiveDate::from_ymd_opt(year, month, last).unwrap() - chrono::Days::new(back)
            }
        ),
    ];
    let second = prop_oneof![0..86_400u32, (0..96u32).prop_map(|quarter| quarter * 900), Just(0), Just(86_399)];
    (day, second).prop_map(|(day, second)| {
        clock::existing(day.and_time(chrono::NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap()))
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Zäöüß😀<>&;/ \n]{0,40}",
        any::<String>().prop_map(|it| it.replace('\r', ""))
    ]
    .prop_map(|text| text.chars().take(1000).collect::<String>().trim().to_owned())
}

fn entry() -> impl Strategy<Value = Entry> {
    let series = prop::option::of((
        prop::sample::select(vec![Unit::Day, Unit::Week, Unit::Month, Unit::Year]),
        1..60u32,
        prop::option::of(0..4000i64),
    ));
    let length = prop_oneof![0..400_000i64, 0..90_000i64, Just(0), Just(3600)];
    (wall(), length, any::<bool>(), series, text(), text(), text()).prop_map(
        |(start, length, all_day, series, text, notiz, ort)| {
            let end = clock::existing(start + TimeDelta::seconds(length));
            let when = if all_day {
                When::AllDay { first: start.date(), last: end.date() }
            } else {
                span::single(start, end, Multiday::Timed)
            };
            let series = series.map(|(unit, interval, until)| Series {
                unit,
                interval,
                until: until.map(|days| start.date() + TimeDelta::days(days)),
            });
            let when = if series.is_some() { span::instance(when) } else { when };
            Entry { when, text, notiz, ort, series }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read_again(entry in entry(), number in 1..i64::MAX, generation in any::<u32>(), hidden in any::<bool>()) {
        let marks = Marks {
            number: Some(number), kuerzel: Some("SB".into()), generation, hash: None, anonymised: hidden,
        };
        let written = body(None, "e", &entry, &marks, Multiday::Timed);
        let read = read(&written, Multiday::Timed).unwrap();
        let rules: Vec<String> = entry.series.iter().map(|series| rule(series, &entry.when)).collect();
        prop_assert_eq!(&read.recurrence, &rules);
        prop_assert_eq!(&read.entry.notiz, &compare::spelled(&entry.notiz));
        prop_assert_eq!(Entry { series: entry.series, notiz: entry.notiz.clone(), ..read.entry }, entry.clone());
        prop_assert_eq!(&read.marks, &marks);
        prop_assert!(read.remarks.iter().all(|remark| *remark == "no_title"));
        prop_assert_eq!(read.zone.is_some(), matches!(entry.when, When::Timed { .. }));
        // Written again, it stays; another entry takes its place.
        let mut again = body(Some(&written), "e", &entry, &marks, Multiday::Timed);
        // What would be cleared, had it been there.
        again.retain(|_, value| !value.is_null());
        for value in again.values_mut().filter_map(Value::as_object_mut) {
            value.retain(|_, value| !value.is_null());
        }
        prop_assert_eq!(again, written);
    }

    #[test]
    fn any_event_takes_any_entry(was in entry(), entry in entry(), all_day in any::<bool>()) {
        let multiday = if all_day { Multiday::AllDay } else { Multiday::Timed };
        let mut raw = body(None, "e", &was, &Marks::default(), multiday);
        raw.insert("colorId".into(), json!("7"));
        let written = body(Some(&raw), "e", &entry, &Marks::default(), multiday);
        prop_assert_eq!(&written["colorId"], "7");
        let again = read(&written, multiday).unwrap().entry;
        let fresh = read(&body(None, "e", &entry, &Marks::default(), multiday), multiday).unwrap().entry;
        prop_assert_eq!(again.prints(), fresh.prints());
    }

    #[test]
    fn any_record_is_read_or_refused(
        start in "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|[+-]1[0-9]:00)?)?",
        end in "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|[+-]1[0-9]:00)?)?|.*",
        zone in prop::option::of(prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec())),
    ) {
        let moment = |text: &str| {
            let key = if text.contains('T') { "dateTime" } else { "date" };
            json!({ key: text, "timeZone": zone.map(chrono_tz::Tz::name) })
        };
        let event = record(&json!({ "id": "e", "start": moment(&start), "end": moment(&end) }));
        if let Ok(read) = read(&event, Multiday::Timed) {
            match read.entry.when {
                When::AllDay { first, last } => prop_assert!(first <= last),
                When::Timed { start, end } => {
                    prop_assert!(start <= end);
                    prop_assert_eq!((clock::existing(start), clock::existing(end)), (start, end));
                }
            }
        }
    }
}
