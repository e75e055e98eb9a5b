use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::sync::calendar::clock;
use crate::sync::calendar::scope::{MaxDeletions, Multiday};

fn rules(multiday: Multiday) -> Rules {
    Rules {
        kanzlei: "1".into(),
        multiday,
        blocked_title: "Blocked".into(),
        max_deletions: MaxDeletions { count: 10, percent: 10 },
        write_protection: false,
    }
}

fn record(value: &Value) -> Record {
    value.as_object().unwrap().clone()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn all_day(first: &str, last: &str) -> When {
    When::AllDay { first: day(first), last: day(last) }
}

fn timed(start: &str, end: &str) -> When {
    When::Timed { start: start.parse().unwrap(), end: end.parse().unwrap() }
}

fn entry_at(when: When) -> Entry {
    Entry { when, text: "Termin".into(), notiz: String::new(), ort: String::new(), series: None }
}

fn read(record: &Record, multiday: Multiday) -> Entry {
    let mut record = record.clone();
    record.entry("frNr").or_insert(json!(17));
    Termin::read(&record, "SB", &rules(multiday)).unwrap().entry
}

/// The fields of a time, in the order `datum`, `uhrzeitVon`, `datumBis`, `uhrzeitBis`, `dauertermin`, `turnus`, `turnusArt`.
fn said(record: &Record) -> String {
    let names = ["datum", "uhrzeitVon", "datumBis", "uhrzeitBis", "dauertermin", "turnus", "turnusArt"];
    let said = names.map(|name| match record.get(name) {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    });
    said.join(" ")
}

#[test]
fn a_new_termin_has_the_seed_s_form() {
    let check = |when: When, series: Option<Series>, expected: &str| {
        let written = new(&Entry { series, ..entry_at(when) }, "SB", false);
        assert_eq!(said(&written), expected, "{when:?}");
    };
    let hour = timed("2026-03-05T14:00:00", "2026-03-05T15:00:00");
    let series = |unit, interval, until: Option<&str>| Some(Series { unit, interval, until: until.map(day) });
    check(hour, None, "2026-03-05T14:00:00 14:00:00 2026-03-05T15:00:00 15:00:00 0 0 0");
    let night = timed("2026-03-05T22:00:00", "2026-03-06T00:00:00");
    check(night, None, "2026-03-05T22:00:00 22:00:00 2026-03-05T23:59:59 23:59:59 0 0 0");
    let long = all_day("2028-02-28", "2028-02-29");
    check(long, None, "2028-02-28T00:00:00 00:00:00 2028-02-29T23:59:59 23:59:59 1 0 0");
    let open = series(Unit::Week, 2, None);
    check(hour, open, "2026-03-05T14:00:00 14:00:00 2037-12-31T00:00:00 15:00:00 1 2 2");
    let month = series(Unit::Month, 1, Some("2026-12-31"));
    let whole = all_day("2026-01-31", "2026-01-31");
    check(whole, month, "2026-01-31T00:00:00 00:00:00 2026-12-31T00:00:00 23:59:59 1 1 3");
    let summer = timed("2026-10-25T02:30:00", "2026-10-25T03:00:00");
    check(summer, None, "2026-10-25T02:30:00 02:30:00 2026-10-25T03:00:00 03:00:00 0 0 0");
    let mut entry = entry_at(hour);
    entry.notiz = "<b>Wichtig</b><br>a &amp; b 😀".into();
    let written = new(&entry, "SB", true);
    for (name, expected) in [
        ("notiz", json!("Wichtig\na & b 😀")),
        ("ort", json!("")),
        ("anwalt", json!("SB")),
        ("sb", json!("SB")),
        ("vorbereitungsDauer", json!("00:00:00")),
        ("privat", json!(1)),
    ] {
        assert_eq!(written[name], expected, "{name}");
    }
    assert!(!written.contains_key("frNr") && !written.contains_key("rowId"));
}

#[test]
fn what_advoware_cannot_hold_is_changed() {
    let check = |when: When, recurs: bool, expected: When| {
        let series = recurs.then_some(Series { unit: Unit::Day, interval: 1, until: None });
        assert_eq!(expressed(&Entry { series, ..entry_at(when) }, &rules(Multiday::AllDay)).when, expected, "{when:?}");
    };
    let long = timed("2026-03-05T08:00:00", "2026-03-07T09:00:00");
    check(long, false, all_day("2026-03-05", "2026-03-07"));
    check(long, true, timed("2026-03-05T08:00:00", "2026-03-05T23:59:59"));
    check(all_day("2026-03-05", "2026-03-07"), true, all_day("2026-03-05", "2026-03-05"));
    let day = timed("2026-03-05T00:00:00", "2026-03-05T23:59:59");
    check(day, false, day);
    check(day, true, all_day("2026-03-05", "2026-03-05"));
    let over = Series { unit: Unit::Day, interval: 1, until: Some("2026-03-04".parse().unwrap()) };
    let entry = Entry { series: Some(over), ..entry_at(day) };
    assert_eq!(expressed(&entry, &rules(Multiday::AllDay)), entry_at(day));
}

#[test]
fn dates_keep_their_form() {
    let check = |datum: &str, bis: &str, expected: &str| {
        let raw = record(&json!({
            "frNr": 17, "datum": datum, "uhrzeitVon": "14:00", "datumBis": bis, "uhrzeitBis": "15:00:00", "dauertermin": false
        }));
        let moved = entry_at(timed("2026-07-06T14:00:00", "2026-07-06T15:00:00"));
        let written = changed(&raw, &Fields::from([Field::When]), &moved, &rules(Multiday::AllDay));
        assert_eq!(said(&written), format!("{expected} 15:00:00 false - -"), "{datum} {bis}");
        assert_eq!(read(&written, Multiday::AllDay).when, moved.when);
    };
    check("2026-03-05", "2026-03-05", "2026-07-06 14:00 2026-07-06");
    check("2026-03-05T00:00:00", "2026-03-05T00:00:00", "2026-07-06T00:00:00 14:00 2026-07-06T00:00:00");
    check("2026-03-05T14:00:00.123", "2026-03-05 15:00:00", "2026-07-06T14:00:00.000 14:00 2026-07-06 15:00:00");
    check("2026-03-04T23:00:00Z", "2026-03-05T00:00:00+01:00", "2026-07-05T22:00:00Z 14:00 2026-07-06T00:00:00+02:00");
}

#[test]
fn what_is_long_keeps_its_clock_times() {
    let raw = record(&json!({
        "frNr": 17, "datum": "2026-03-05", "uhrzeitVon": "10:00:00", "datumBis": "2026-03-07", "uhrzeitBis": "09:00:00",
        "dauertermin": 0
    }));
    let check = |when: When, expected: &str| {
        let written = changed(&raw, &Fields::from([Field::When]), &entry_at(when), &rules(Multiday::AllDay));
        assert_eq!(said(&written), expected, "{when:?}");
        assert_eq!(read(&written, Multiday::AllDay).when, when);
    };
    check(all_day("2026-03-09", "2026-03-11"), "2026-03-09 10:00:00 2026-03-11 09:00:00 0 - -");
    // From ten to nine on the next day is no longer than a day.
    check(all_day("2026-03-09", "2026-03-10"), "2026-03-09 00:00:00 2026-03-10 23:59:59 1 0 0");
    check(all_day("2026-03-09", "2026-03-09"), "2026-03-09 00:00:00 2026-03-09 23:59:59 1 0 0");
    let hour = timed("2026-03-09T08:00:00", "2026-03-09T09:00:00");
    check(hour, "2026-03-09 08:00:00 2026-03-09 09:00:00 0 - -");
    // What was short becomes a whole day of Advoware's.
    let raw = record(&json!({
        "frNr": 17, "datum": "2026-03-05", "uhrzeitVon": "10:00:00", "datumBis": "2026-03-05", "uhrzeitBis": "11:00:00"
    }));
    let days = entry_at(all_day("2026-03-05", "2026-03-07"));
    let written = changed(&raw, &Fields::from([Field::When]), &days, &rules(Multiday::AllDay));
    assert_eq!(said(&written), "2026-03-05 00:00:00 2026-03-07 23:59:59 1 0 0");
}

#[test]
fn a_series_keeps_what_does_not_change() {
    let raw = record(&json!({
        "frNr": 17, "datum": "2026-01-31T00:00:00", "uhrzeitVon": "09:00", "datumBis": "2037-12-31T00:00:00",
        "uhrzeitBis": "10:00", "dauertermin": "1", "turnus": "1", "turnusArt": "3"
    }));
    let check = |fields: &[Field], when: When, series: Option<Series>, expected: &str| {
        let entry = Entry { series, ..entry_at(when) };
        let fields: Fields = fields.iter().copied().collect();
        let written = changed(&raw, &fields, &entry, &rules(Multiday::AllDay));
        assert_eq!(said(&written), expected, "{fields:?} {when:?}");
        let again = read(&written, Multiday::AllDay);
        assert_eq!((again.when, again.series), (when, series));
    };
    let nine = timed("2026-01-31T09:00:00", "2026-01-31T10:00:00");
    let eight = timed("2026-03-31T08:00:00", "2026-03-31T09:00:00");
    let monthly = Some(Series { unit: Unit::Month, interval: 1, until: None });
    let until = Some(Series { unit: Unit::Month, interval: 2, until: Some(day("2026-12-24")) });
    let rest = "2037-12-31T00:00:00";
    check(&[Field::When], nine, monthly, &format!("2026-01-31T00:00:00 09:00 {rest} 10:00 1 1 3"));
    check(&[Field::When], eight, monthly, &format!("2026-03-31T00:00:00 08:00:00 {rest} 09:00:00 1 1 3"));
    check(&[Field::Series], nine, until, "2026-01-31T00:00:00 09:00 2026-12-24T00:00:00 10:00 1 2 3");
    check(&[Field::Series], nine, None, "2026-01-31T00:00:00 09:00 2026-01-31T00:00:00 10:00 0 0 0");
    let whole = all_day("2026-01-31", "2026-01-31");
    let both = [Field::When, Field::Series];
    check(&both, whole, None, "2026-01-31T00:00:00 00:00:00 2026-01-31T00:00:00 23:59:59 1 0 0");
    check(&both, whole, until, "2026-01-31T00:00:00 00:00:00 2026-12-24T00:00:00 23:59:59 1 2 3");
}

#[test]
fn a_series_that_nobody_understands_survives_a_move() {
    let raw = record(&json!({
        "frNr": 17, "datum": "2026-01-31", "uhrzeitVon": "09:00", "datumBis": "2027-01-31", "uhrzeitBis": "10:00",
        "dauertermin": 1, "turnus": 2, "turnusArt": 7
    }));
    let moved = entry_at(timed("2026-02-02T09:30:00", "2026-02-02T10:00:00"));
    let written = changed(&raw, &Fields::from([Field::When]), &moved, &rules(Multiday::AllDay));
    assert_eq!(said(&written), "2026-02-02 09:30:00 2027-01-31 10:00 1 2 7");
    let whole = entry_at(all_day("2026-02-02", "2026-02-02"));
    let written = changed(&raw, &Fields::from([Field::When]), &whole, &rules(Multiday::AllDay));
    assert_eq!(said(&written), "2026-02-02 00:00:00 2027-01-31 23:59:59 1 2 7");
}

#[test]
fn texts_keep_their_line_ends_and_what_means_the_same() {
    let raw = record(&json!({
        "frNr": 17, "datum": "2026-01-31", "text": "<Mandant> <b>x</b>", "notiz": "eins\r\nzwei", "ort": null
    }));
    let mut entry = read(&raw, Multiday::AllDay);
    entry.text = "&lt;Mandant&gt; x".into();
    entry.notiz = "eins<br>drei".into();
    let fields = Fields::from([Field::Text, Field::Notiz, Field::Ort]);
    let written = changed(&raw, &fields, &entry, &rules(Multiday::AllDay));
    assert_eq!((&written["text"], &written["ort"]), (&raw["text"], &Value::Null));
    assert_eq!(written["notiz"], "eins\r\ndrei");
    entry.notiz = format!("{}ß", "ä".repeat(100_000));
    let written = changed(&raw, &fields, &entry, &rules(Multiday::AllDay));
    assert_eq!(written["notiz"], entry.notiz);
}

#[test]
fn an_instance_of_its_own_keeps_what_nobody_knows() {
    let series = record(&json!({
        "frNr": 17, "rowId": "ab", "datum": "2026-01-31", "uhrzeitVon": "09:00", "datumBis": "2027-01-31",
        "uhrzeitBis": "10:00", "dauertermin": 1, "turnus": 2, "turnusArt": 2, "text": "T", "notiz": "a\r\nb", "sb": "AI",
        "anwalt": "SB", "akte": 7
    }));
    let mut entry = read(&series, Multiday::AllDay);
    entry.when = timed("2026-02-14T11:00:00", "2026-02-14T12:00:00");
    let written = single(&series, &entry);
    assert_eq!(said(&written), "2026-02-14 11:00:00 2026-02-14 12:00:00 0 0 0");
    for kept in ["text", "notiz", "sb", "anwalt", "akte"] {
        assert_eq!(written[kept], series[kept], "{kept}");
    }
    assert!(!written.contains_key("frNr") && !written.contains_key("rowId"));
    assert_eq!(read(&written, Multiday::AllDay), Entry { series: None, ..entry });
}

fn wall() -> impl Strategy<Value = NaiveDateTime> {
    let date = prop_oneof![
        (0..20_000i64).prop_map(|days| day("1990-01-01") + TimeDelta::days(days)),
        (0..60i64).prop_map(|days| day("2026-03-01") + TimeDelta::days(days)),
        prop::sample::select(vec!["2026-03-29", "2026-10-25", "2028-02-29", "2026-01-31", "2037-12-31"]).prop_map(day),
    ];
    let second = prop_oneof![0..86_400u32, (0..96u32).prop_map(|quarter| quarter * 900), Just(0), Just(86_399)];
    (date, second).prop_map(|(date, second)| {
        clock::existing(date.and_time(NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap()))
    })
}

fn text() -> impl Strategy<Value = String> {
    let parts =
        ["a", "ä", "😀", " ", "\n", "<b>", "</b>", "<br>", "<Mandant>", "&amp;", "&lt;", "&gt;", "lt;", "&", "<", ">"];
    let parts = prop::collection::vec(prop::sample::select(parts.to_vec()), 0..8).prop_map(|parts| parts.concat());
    prop_oneof![9 => parts, 1 => any::<String>()].prop_map(|text| text.replace("\r\n", "\n").trim().to_owned())
}

fn entry() -> impl Strategy<Value = Entry> {
    let unit = prop::sample::select(vec![Unit::Day, Unit::Week, Unit::Month, Unit::Year]);
    let series = prop::option::of((unit, 1..60u32, prop::option::of(-3..9000i64)));
    let length = prop_oneof![0..400_000i64, 0..90_000i64, Just(0), Just(3600), Just(86_400)];
    (wall(), length, any::<bool>(), series, text(), text(), text()).prop_map(
        |(start, length, all_day, series, text, notiz, ort)| {
            let end = clock::existing(start + TimeDelta::seconds(length));
            let when = if all_day {
                When::AllDay { first: start.date(), last: end.date() }
            } else {
                When::Timed { start, end: end.max(start) }
            };
            let until = |days| start.date() + TimeDelta::days(days);
            let series = series.map(|(unit, interval, days)| Series { unit, interval, until: days.map(until) });
            Entry { when, text, notiz, ort, series }
        },
    )
}

/// A Termin, however Advoware may have written it.
fn termin() -> impl Strategy<Value = Record> {
    let date = || {
        let forms =
            ["%Y-%m-%d", "%Y-%m-%dT00:00:00", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.3f", "%Y-%m-%dT%H:%M:%SZ"];
        let written =
            (wall(), prop::sample::select(forms.to_vec())).prop_map(|(at, form)| json!(at.format(form).to_string()));
        prop_oneof![8 => written, 1 => Just(json!("0001-01-01T00:00:00")), 1 => Just(Value::Null), 1 => Just(json!("morgen"))]
    };
    let time = || {
        let forms = prop::sample::select(vec!["%H:%M:%S", "%H:%M"]);
        let written = (wall(), forms).prop_map(|(at, form)| json!(at.format(form).to_string()));
        prop_oneof![8 => written, 1 => Just(Value::Null), 1 => Just(json!("x"))]
    };
    let number = |most: i64| {
        prop_oneof![
            (0..=most).prop_map(|number| json!(number)),
            (0..=most).prop_map(|number| json!(number.to_string())),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null)
        ]
    };
    let said = || text().prop_map(|text| json!(text.replace('\n', "\r\n")));
    let names =
        ["datum", "datumBis", "uhrzeitVon", "uhrzeitBis", "dauertermin", "turnus", "turnusArt", "text", "notiz", "ort"];
    (date(), date(), time(), time(), number(1), number(3), number(5), said(), said(), said()).prop_map(move |it| {
        let values = [it.0, it.1, it.2, it.3, it.4, it.5, it.6, it.7, it.8, it.9];
        let mut record: Record = names.into_iter().map(str::to_owned).zip(values).collect();
        record.extend([("frNr".to_owned(), json!(17)), ("akte".to_owned(), json!({ "a": [1.0, "ä"] }))]);
        record
    })
}

fn some_fields() -> impl Strategy<Value = Fields> {
    prop::sample::subsequence(Field::ALL.to_vec(), 0..=5).prop_map(|fields| fields.into_iter().collect())
}

fn multiday() -> impl Strategy<Value = Multiday> {
    prop::sample::select(vec![Multiday::AllDay, Multiday::Timed])
}

/// The names that a field may touch.
const fn touched(field: Field) -> &'static [&'static str] {
    match field {
        Field::When => &["datum", "uhrzeitVon", "uhrzeitBis", "datumBis", "dauertermin", "turnus", "turnusArt"],
        Field::Series => &["datumBis", "dauertermin", "turnus", "turnusArt"],
        Field::Text => &["text"],
        Field::Notiz => &["notiz"],
        Field::Ort => &["ort"],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_new_reads_back_as_expressed(entry in entry(), multiday in multiday()) {
        let once = expressed(&entry, &rules(multiday));
        prop_assert_eq!(&read(&new(&entry, "SB", false), multiday), &once);
        prop_assert_eq!(&expressed(&once, &rules(multiday)), &once);
        // Whatever Advoware can hold stays as it is.
        let fits = match entry.when {
            When::AllDay { first, last } => entry.series.is_none() || first == last,
            When::Timed { start, end } => end - start <= TimeDelta::hours(24) && start.date() == end.date(),
        };
        if fits && entry.series.is_none() {
            prop_assert_eq!(once.when, entry.when);
        }
        if fits && let Some(series) = entry.series.filter(|it| it.until.is_none_or(|until| until >= entry.when.first_day())) {
            let until = series.until.filter(|until| !is_open(*until));
            prop_assert_eq!(once.series, Some(Series { until, ..series }));
        }
    }

    #[test]
    fn a_change_says_what_it_should_and_touches_nothing_else(
        raw in termin(), theirs in entry(), fields in some_fields(), multiday in multiday()
    ) {
        let rules = rules(multiday);
        let Ok(own) = Termin::read(&raw, "SB", &rules) else { return Err(TestCaseError::reject("no date")) };
        let odd = !own.remarks.is_empty();
        let own = own.entry;
        let merged = own.clone().with(&fields, &theirs);
        let written = changed(&raw, &fields, &merged, &rules);
        let again = read(&written, multiday);
        let fit = expressed(&merged, &rules);
        if fields.contains(&Field::When) || fields.contains(&Field::Series) {
            prop_assert_eq!((again.when, again.series), (fit.when, fit.series));
        } else {
            prop_assert_eq!((again.when, again.series), (own.when, own.series));
        }
        for (field, said, fit, own) in [
            (Field::Text, &again.text, &fit.text, &own.text),
            (Field::Notiz, &again.notiz, &fit.notiz, &own.notiz),
            (Field::Ort, &again.ort, &fit.ort, &own.ort),
        ] {
            if fields.contains(&field) {
                prop_assert_eq!(expressible(said), expressible(fit));
            } else {
                prop_assert_eq!(said, own);
            }
        }
        // A series takes a length from what becomes one; and times that were defaults have to be written out where the
        // default is another one.
        let bis = field::time(&raw, "uhrzeitBis").is_ok_and(|time| time != NaiveTime::MIN);
        let plain = matches!(own.when, When::Timed { .. }) && bis && field::moment(&raw, "datumBis").is_ok() && !odd;
        let cut = fields.contains(&Field::Series) && (fit.when != own.when || !plain);
        let touching = fields.iter().copied().chain(cut.then_some(Field::When));
        let may: Vec<&str> = touching.flat_map(touched).copied().collect();
        for (name, value) in &raw {
            if !may.contains(&name.as_str()) {
                prop_assert_eq!(written.get(name), Some(value), "{}", name);
            }
        }
        // Sent again, it changes nothing.
        prop_assert_eq!(changed(&written, &fields, &merged, &rules), written);
    }

    #[test]
    fn an_instance_of_its_own_reads_back(raw in termin(), entry in entry(), multiday in multiday()) {
        let written = single(&raw, &entry);
        let again = read(&written, multiday);
        let fit = expressed(&Entry { series: None, ..entry }, &rules(multiday));
        prop_assert_eq!((again.when, again.series), (fit.when, None));
        prop_assert_eq!(&written["akte"], &raw["akte"]);
    }
}
