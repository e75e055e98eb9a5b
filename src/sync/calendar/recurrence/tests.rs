mod properties;

use std::time::Instant;

use chrono::{TimeZone as _, Utc};
use chrono_tz::{America::New_York, Europe::Berlin, Europe::Paris, Europe::Vienna};

use super::*;
use crate::sync::calendar::entry::Unit;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn day(first: &str) -> When {
    When::AllDay { first: date(first), last: date(first) }
}

/// An hour from then.
fn hour(start: &str) -> When {
    let start: NaiveDateTime = start.parse().unwrap();
    When::Timed { start, end: start + TimeDelta::hours(1) }
}

fn at(text: &str) -> Original {
    Original::Instant(text.parse().unwrap())
}

/// `once`, `complex`, an error, or unit, interval and end.
fn word(lines: &[&str], when: &When, zone: Option<Tz>) -> String {
    match read(lines, when, zone) {
        Err(word) => word.to_owned(),
        Ok(Recurrence::Once) => "once".into(),
        Ok(Recurrence::Complex(_)) => "complex".into(),
        Ok(Recurrence::Simple(Series { unit, interval, until })) => {
            format!("{unit:?} {interval} {}", until.map_or("-".into(), |day| day.to_string()))
        }
    }
}

fn complex(lines: &[&str], when: &When, zone: Option<Tz>) -> Rule {
    match read(lines, when, zone) {
        Ok(Recurrence::Complex(rule)) => rule,
        other => panic!("{lines:?}: {other:?}"),
    }
}

fn window(from: &str, to: &str) -> Window {
    Window { from: date(from), to: date(to) }
}

/// Starts in Berlin.
fn starts(rule: &Rule, from: &str, to: &str) -> Vec<String> {
    let (instances, more) = rule.instances(window(from, to), 1_000);
    assert!(!more);
    let start = |when: When| match when {
        When::AllDay { first, .. } => first.to_string(),
        When::Timed { start, .. } => start.format("%Y-%m-%dT%H:%M").to_string(),
    };
    instances.into_iter().map(|(_, when)| start(when)).collect()
}

// A Thursday.
const NINE: &str = "2026-03-05T09:00:00";

#[test]
fn what_says_no_more_than_advoware_can_is_simple() {
    let check =
        |line: &str, start: &str, expected: &str| assert_eq!(word(&[line], &hour(start), None), expected, "{line}");
    check("RRULE:FREQ=DAILY", NINE, "Day 1 -");
    check("FREQ=DAILY", NINE, "Day 1 -");
    check("rrule:freq=weekly;interval=2", NINE, "Week 2 -");
    check(" RRULE:INTERVAL=1;FREQ=WEEKLY; ", NINE, "Week 1 -");
    check("RRULE:FREQ=WEEKLY;BYDAY=TH", NINE, "Week 1 -");
    check("RRULE:FREQ=WEEKLY;WKST=SU;INTERVAL=3;BYDAY=TH", NINE, "Week 3 -");
    check("RRULE:FREQ=MONTHLY;BYMONTHDAY=5", NINE, "Month 1 -");
    check("RRULE:FREQ=YEARLY;BYMONTHDAY=5;BYMONTH=3", NINE, "Year 1 -");
    check("RRULE:FREQ=YEARLY;BYMONTH=3", NINE, "Year 1 -");
    check("RRULE:FREQ=MONTHLY;BYMONTH=3;BYMONTHDAY=5", NINE, "Year 1 -");
    check("RRULE:FREQ=YEARLY;BYMONTHDAY=5", NINE, "Month 1 -");
    check("RRULE:FREQ=DAILY;BYDAY=TH", NINE, "Week 1 -");
    check("RRULE:FREQ=DAILY;BYDAY=TH;INTERVAL=2", NINE, "Week 2 -");
    check("RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=0", NINE, "Day 1 -");
    check("RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", NINE, "Day 1 -");
    check("RRULE:FREQ=MONTHLY", "2026-01-31T09:00:00", "Month 1 -");
    check("RRULE:FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T09:00:00", "Month 1 -");
    check("RRULE:FREQ=YEARLY", "2028-02-29T09:00:00", "Year 1 -");
    check("RRULE:FREQ=HOURLY;INTERVAL=24", "2026-03-05T12:00:00", "Day 1 -");
}

#[test]
fn an_end_is_the_last_day_on_which_an_instance_may_begin() {
    let check = |until: &str, when: &When, expected: &str| {
        assert_eq!(word(&[&format!("RRULE:FREQ=WEEKLY;UNTIL={until}")], when, None), expected, "{until} {when:?}");
    };
    let (nine, whole, early, late) =
        (hour(NINE), day("2026-03-05"), hour("2026-03-05T00:30:00"), hour("2026-03-05T22:30:00"));
    check("20261224T225959Z", &nine, "Week 1 2026-12-24");
    check("20261224", &nine, "Week 1 2026-12-24");
    check("20261224T090000", &nine, "Week 1 2026-12-24");
    check("20261224T080000Z", &nine, "Week 1 2026-12-24");
    check("20261224T075959Z", &nine, "Week 1 2026-12-23");
    check("20261224T225959Z", &early, "Week 1 2026-12-24");
    check("20261223T233000Z", &early, "Week 1 2026-12-24");
    check("20261223T232959Z", &early, "Week 1 2026-12-23");
    check("20260701T215959Z", &late, "Week 1 2026-07-01");
    check("20261224", &whole, "Week 1 2026-12-24");
    check("20261224T225959Z", &whole, "Week 1 2026-12-24");
    check("20261224T235959Z", &whole, "Week 1 2026-12-24");
    check("20261224T000000Z", &whole, "Week 1 2026-12-24");
    check("20261224T000000", &whole, "Week 1 2026-12-24");
    check("20371230", &nine, "Week 1 2037-12-30");
    check("20371231", &nine, "Week 1 -");
    check("20371231T225959Z", &nine, "Week 1 -");
    check("99991231", &whole, "Week 1 -");
    // The first day alone is a series still; an end before it leaves the first instance, as Google does.
    check("20260305", &nine, "Week 1 2026-03-05");
    check("20260305T080000Z", &nine, "Week 1 2026-03-05");
    check("20260305T075959Z", &nine, "once");
    check("20260101", &whole, "once");
}

#[test]
fn a_count_becomes_an_end_where_there_is_one() {
    let check = |rule: &str, start: &str, expected: &str| {
        assert_eq!(word(&[&format!("RRULE:{rule}")], &hour(start), None), expected, "{rule}");
        assert_eq!(word(&[&format!("RRULE:{rule}")], &day(&start[..10]), None), expected, "{rule}");
    };
    check("FREQ=DAILY;COUNT=1", NINE, "once");
    check("FREQ=WEEKLY;COUNT=3;BYDAY=TH", NINE, "Week 1 2026-03-19");
    check("FREQ=DAILY;INTERVAL=3;COUNT=4", NINE, "Day 3 2026-03-14");
    check("FREQ=MONTHLY;COUNT=3", NINE, "Month 1 2026-05-05");
    check("FREQ=MONTHLY;COUNT=3", "2026-01-31T09:00:00", "Month 1 2026-05-31");
    check("FREQ=YEARLY;COUNT=3", "2028-02-29T09:00:00", "Year 1 2036-02-29");
    check("FREQ=YEARLY;COUNT=2", NINE, "Year 1 2027-03-05");
    // No end that Advoware knows.
    check("FREQ=YEARLY;COUNT=13", NINE, "complex");
    check("FREQ=DAILY;COUNT=4000000000", NINE, "complex");
    // Google counts the start on top where the rule does not meet it.
    check("FREQ=WEEKLY;COUNT=3;BYDAY=WE", NINE, "complex");
}

#[test]
fn exceptions_count_only_where_they_meet_something() {
    let rule = "RRULE:FREQ=WEEKLY;UNTIL=20260430T215959Z";
    let check = |lines: &[&str], expected: &str| assert_eq!(word(lines, &hour(NINE), None), expected, "{lines:?}");
    check(&[rule, "EXDATE:20260306T080000Z"], "Week 1 2026-04-30");
    check(&[rule, "EXDATE;TZID=Europe/Berlin:20260312T100000"], "Week 1 2026-04-30");
    check(&[rule, "EXDATE;VALUE=DATE:20260313"], "Week 1 2026-04-30");
    check(&[rule, "RDATE:20260312T080000Z"], "Week 1 2026-04-30");
    check(&[rule, "RDATE:20260313T080000Z", "EXDATE:20260313T080000Z"], "Week 1 2026-04-30");
    for exdate in [
        "EXDATE:20260312T080000Z",
        "exdate:20260430t070000z",
        "EXDATE;TZID=Europe/Berlin:20260312T090000",
        "EXDATE;TZID=America/New_York:20260312T040000",
        "EXDATE;TZID=\"Europe/Berlin\":20260313T090000,20260430T090000",
        "EXDATE;TZID=W. Europe Standard Time:20260312T090000",
        "EXDATE;VALUE=DATE:20260312",
        "EXDATE:20260312",
        "RDATE:20260313T080000Z",
        "RDATE;VALUE=PERIOD:20260313T080000Z/PT2H",
        "EXDATE:20260305T080000Z",
    ] {
        check(&[rule, exdate], "complex");
    }
    // Far behind any prefix of an endless rule.
    check(&["RRULE:FREQ=DAILY", "EXDATE:20710710T070000Z"], "complex");
    check(&["RRULE:FREQ=DAILY", "EXDATE:20710710T080000Z"], "Day 1 -");
    check(&["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260306T080000Z,20260307T080000Z"], "once");
    check(&["RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260305T080000Z"], "complex");
    check(&["EXDATE:20260306T080000Z"], "once");
    check(&["RDATE:20260305T080000Z"], "once");
    check(&["RDATE:20260310T080000Z"], "complex");
    let lines = ["RRULE:FREQ=DAILY;UNTIL=20260310", "EXDATE:20260310T000000Z"];
    assert_eq!(word(&lines, &day("2026-03-05"), None), "complex");
}

#[test]
fn what_advoware_cannot_say_is_complex() {
    for rule in [
        "FREQ=WEEKLY;BYDAY=TH,FR",
        "FREQ=WEEKLY;BYDAY=FR",
        "FREQ=DAILY;BYDAY=TH,FR;INTERVAL=2",
        "FREQ=MONTHLY;BYDAY=1TH",
        "FREQ=MONTHLY;BYDAY=TH;BYSETPOS=-1",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYMONTHDAY=5,20",
        "FREQ=YEARLY;BYWEEKNO=10",
        "FREQ=YEARLY;BYYEARDAY=64",
        "FREQ=DAILY;BYHOUR=9,15",
        "FREQ=HOURLY",
        "FREQ=MINUTELY",
        "FREQ=SECONDLY",
        "FREQ=WEEKLY;BYDAY=TH,FR;WKST=SU;INTERVAL=2",
    ] {
        assert_eq!(word(&[&format!("RRULE:{rule}")], &hour(NINE), None), "complex", "{rule}");
    }
    assert_eq!(word(&["RRULE:FREQ=WEEKLY", "RRULE:FREQ=MONTHLY"], &hour(NINE), None), "complex");
    assert_eq!(word(&["RRULE:FREQ=WEEKLY", "EXRULE:FREQ=MONTHLY"], &hour(NINE), None), "complex");
    let night =
        When::Timed { start: "2026-03-05T22:00:00".parse().unwrap(), end: "2026-03-06T02:00:00".parse().unwrap() };
    let days = When::AllDay { first: date("2026-03-05"), last: date("2026-03-06") };
    for when in [night, days] {
        assert_eq!(word(&["RRULE:FREQ=WEEKLY"], &when, None), "complex");
        assert_eq!(word(&["RRULE:FREQ=WEEKLY;COUNT=1"], &when, None), "once");
        assert_eq!(word(&["RRULE:FREQ=WEEKLY;UNTIL=20260305"], &when, None), "once");
    }
}

#[test]
fn zones_count_by_their_instances() {
    let check = |rule: &str, start: &str, zone, expected: &str| {
        assert_eq!(word(&[&format!("RRULE:{rule}")], &hour(start), Some(zone)), expected, "{rule} {zone}");
    };
    for zone in [Berlin, Paris, Vienna] {
        check("FREQ=WEEKLY;BYDAY=TH", NINE, zone, "Week 1 -");
        check("FREQ=WEEKLY;UNTIL=20261224T225959Z", NINE, zone, "Week 1 2026-12-24");
        check("FREQ=WEEKLY;UNTIL=20260305", NINE, zone, "Week 1 2026-03-05");
    }
    check("FREQ=WEEKLY", NINE, New_York, "complex");
    check("FREQ=YEARLY", "2026-07-05T15:00:00", New_York, "Year 1 -");
    check("FREQ=WEEKLY;UNTIL=20260307", NINE, New_York, "Week 1 2026-03-07");
    check("FREQ=WEEKLY", NINE, Tz::UTC, "complex");
    check("FREQ=DAILY;COUNT=5", NINE, Tz::UTC, "Day 1 2026-03-09");
    // Late on Wednesday in New York.
    check("FREQ=WEEKLY;BYDAY=WE;COUNT=1", "2026-03-05T03:00:00", New_York, "once");
    let rule = complex(&["RRULE:FREQ=WEEKLY;BYDAY=WE"], &hour("2026-03-05T03:00:00"), Some(New_York));
    let expected = ["2026-03-05T03:00", "2026-03-12T02:00", "2026-03-19T02:00", "2026-03-26T02:00", "2026-04-02T03:00"];
    assert_eq!(starts(&rule, "2026-03-05", "2026-04-03"), expected);
}

#[test]
fn what_cannot_be_read_has_a_word() {
    let check = |line: &str, expected: &str| assert_eq!(word(&[line], &hour(NINE), None), expected, "{line}");
    for line in ["DTSTART:20260305", "X", "FOO:FREQ=DAILY"] {
        check(line, "bad_line");
    }
    for rule in [
        "",
        "FREQ",
        "FREQ=",
        "FREQ=FOO",
        "INTERVAL=2",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;FOO=1",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=1TH",
        "FREQ=WEEKLY;BYDAY=ÄÖ",
        "FREQ=WEEKLY;BYDAY=",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=WEEKLY;BYMONTHDAY=5",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=DAILY;WKST=1",
        "FREQ=MONTHLY;BYDAY=9TH",
        "FREQ=DAILY;BYYEARDAY=3",
    ] {
        check(&format!("RRULE:{rule}"), "bad_rule");
    }
    for line in ["RRULE:FREQ=DAILY;UNTIL=x", "RRULE:FREQ=DAILY;UNTIL=20260230", "EXDATE:2026", "RDATE:20260305T250000"]
    {
        check(line, "bad_date");
    }
    check("RRULE:FREQ=SECONDLY;BYHOUR=9", "too_fine");
    assert_eq!(word(&[], &hour(NINE), None), "once");
    assert_eq!(word(&["", " "], &hour(NINE), None), "once");
}

#[test]
fn instances_go_through_both_clock_changes() {
    let rule = |start: &str, end: &str| {
        let when = When::Timed { start: start.parse().unwrap(), end: end.parse().unwrap() };
        Rule::of(&Series { unit: Unit::Day, interval: 1, until: None }, &when)
    };
    let spring = rule("2026-03-20T02:30:00", "2026-03-20T03:00:00");
    let (instances, more) = spring.instances(window("2026-03-28", "2026-03-30"), 9);
    let timed = |start: &str, end: &str| When::Timed { start: start.parse().unwrap(), end: end.parse().unwrap() };
    let expected = vec![
        (at("2026-03-28T01:30:00Z"), timed("2026-03-28T02:30:00", "2026-03-28T03:00:00")),
        (at("2026-03-29T01:30:00Z"), timed("2026-03-29T03:30:00", "2026-03-29T04:00:00")),
        (at("2026-03-30T00:30:00Z"), timed("2026-03-30T02:30:00", "2026-03-30T03:00:00")),
    ];
    assert_eq!((instances, more), (expected, false));
    assert!(spring.occurs(at("2026-03-29T01:30:00Z")) && !spring.occurs(at("2026-03-29T00:30:00Z")));
    let autumn = rule("2026-10-20T02:30:00", "2026-10-20T03:30:00");
    let (instances, _) = autumn.instances(window("2026-10-25", "2026-10-26"), 9);
    let expected = vec![
        (at("2026-10-25T00:30:00Z"), timed("2026-10-25T02:30:00", "2026-10-25T03:30:00")),
        (at("2026-10-26T01:30:00Z"), timed("2026-10-26T02:30:00", "2026-10-26T03:30:00")),
    ];
    assert_eq!(instances, expected);
    for (change, offset) in [("2027-03-28", 1), ("2027-10-31", 0)] {
        let (instances, _) = spring.instances(window(change, change), 9);
        let expected = Utc.from_utc_datetime(&date(change).and_hms_opt(offset, 30, 0).unwrap());
        assert_eq!(instances[0].0, Original::Instant(expected));
    }
    // An end within the doubled hour is an instant, not a time on the clock.
    let lines = ["RRULE:FREQ=HOURLY;UNTIL=20261025T013000Z"];
    let hours = complex(&lines, &hour("2026-10-25T00:45:00"), None);
    assert_eq!(
        starts(&hours, "2026-10-25", "2026-10-25"),
        ["2026-10-25T00:45", "2026-10-25T01:45", "2026-10-25T02:45"]
    );
    // No hour twice where one is left out.
    let hours = complex(&["RRULE:FREQ=HOURLY;COUNT=4"], &hour("2026-03-29T01:00:00"), None);
    assert_eq!(
        starts(&hours, "2026-03-29", "2026-03-29"),
        ["2026-03-29T01:00", "2026-03-29T03:00", "2026-03-29T04:00"]
    );
}

#[test]
fn days_that_a_month_or_year_lacks_are_left_out() {
    let of = |unit, start| Rule::of(&Series { unit, interval: 1, until: None }, &day(start));
    let months = starts(&of(Unit::Month, "2026-01-31"), "2026-02-01", "2026-08-01");
    assert_eq!(months, ["2026-03-31", "2026-05-31", "2026-07-31"]);
    let years = starts(&of(Unit::Year, "2028-02-29"), "2028-01-01", "2041-01-01");
    assert_eq!(years, ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]);
}

#[test]
fn the_start_is_an_instance_even_where_the_rule_misses_it() {
    let rule = complex(&["RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=WE"], &hour("2024-05-30T20:00:00"), None);
    let expected = ["2024-05-30T20:00", "2024-06-05T20:00", "2024-06-12T20:00", "2024-06-19T20:00"];
    assert_eq!(starts(&rule, "2024-01-01", "2025-01-01"), expected);
    assert_eq!(rule.last_day(), Some(date("2024-06-19")));
}

#[test]
fn exceptions_and_additions_are_taken_in() {
    let lines =
        ["RRULE:FREQ=DAILY;COUNT=5", "EXDATE;VALUE=DATE:20260306", "EXDATE:20260309T080000Z", "RDATE:20260401T100000"];
    let rule = complex(&lines, &hour(NINE), None);
    let expected = ["2026-03-05T09:00", "2026-03-07T09:00", "2026-03-08T09:00", "2026-04-01T10:00"];
    assert_eq!(starts(&rule, "2026-01-01", "2027-01-01"), expected);
    assert_eq!(rule.last_day(), Some(date("2026-04-01")));
    for (text, occurs) in
        [("2026-03-05T08:00:00Z", true), ("2026-03-06T08:00:00Z", false), ("2026-04-01T08:00:00Z", true)]
    {
        assert_eq!(rule.occurs(at(text)), occurs, "{text}");
    }
    assert!(!rule.occurs(Original::Day(date("2026-03-05"))));
    let rule = complex(&["RRULE:FREQ=WEEKLY", "EXRULE:FREQ=WEEKLY;INTERVAL=2"], &day("2026-03-05"), None);
    assert_eq!(starts(&rule, "2026-03-01", "2026-04-05"), ["2026-03-12", "2026-03-26"]);
    assert_eq!(rule.last_day(), None);
    let nothing = complex(&["RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260305"], &day("2026-03-05"), None);
    assert_eq!(nothing.instances(window("2026-01-01", "2027-01-01"), 9), (vec![], false));
    assert_eq!(nothing.last_day(), Some(date("2026-03-05")));
    let days = When::AllDay { first: date("2026-03-05"), last: date("2026-03-09") };
    let long = complex(&["RRULE:FREQ=MONTHLY;COUNT=2"], &days, None);
    assert_eq!(starts(&long, "2026-03-09", "2026-04-05"), ["2026-03-05", "2026-04-05"]);
    assert_eq!(starts(&long, "2026-03-10", "2026-04-04"), Vec::<String>::new());
    assert_eq!(long.last_day(), Some(date("2026-04-09")));
    assert!(long.instances(window("2026-01-01", "2027-01-01"), 1).1);
}

#[test]
fn mixed_weekdays_and_week_numbers_are_as_rfc_5545_has_them() {
    let rule = complex(&["RRULE:FREQ=MONTHLY;BYDAY=MO,1TU"], &day("2026-06-01"), None);
    let june = ["2026-06-01", "2026-06-02", "2026-06-08", "2026-06-15", "2026-06-22", "2026-06-29"];
    assert_eq!(starts(&rule, "2026-06-01", "2026-06-30"), june);
    let rule = complex(&["RRULE:FREQ=YEARLY;BYWEEKNO=20"], &day("2026-05-14"), None);
    assert_eq!(starts(&rule, "2026-01-01", "2028-12-31"), ["2026-05-14", "2027-05-20", "2028-05-18"]);
}

fn timed_within(most_millis: u128, what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let took = start.elapsed();
    println!("{what}: {took:?}");
    // Generous: a build without optimisation on a busy machine.
    assert!(took.as_millis() < most_millis * 50, "{what}: {took:?}");
}

#[test]
fn every_walk_is_bounded() {
    let old = hour("1930-01-01T09:00:00");
    let daily = Rule::of(&Series { unit: Unit::Day, interval: 1, until: None }, &old);
    timed_within(5, "two years, a century on", || {
        assert_eq!(daily.instances(window("2030-01-01", "2031-12-31"), 9_999).0.len(), 730);
    });
    timed_within(1, "occurs", || assert!(daily.occurs(at("2090-07-10T07:00:00Z"))));
    timed_within(20, "a thousand plain rules", || {
        for _ in 0..1_000 {
            read(&["RRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20301224T225959Z"], &hour(NINE), None).unwrap();
        }
    });
    for rule in ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=SECONDLY;COUNT=4000000000"] {
        let rule = complex(&[&format!("RRULE:{rule}")], &hour(NINE), None);
        timed_within(200, "by the second", || {
            let (instances, more) = rule.instances(window("2026-01-01", "2028-01-01"), 1_000);
            assert_eq!((instances.len(), more), (1_000, true));
            assert!(rule.occurs(at("2026-03-05T08:01:00Z")));
            assert_eq!(rule.last_day(), None);
        });
    }
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=4;BYMONTHDAY=31",
    ] {
        timed_within(300, rule, || drop(word(&[&format!("RRULE:{rule}")], &hour(NINE), None)));
    }
    timed_within(20, "workdays", || {
        assert_eq!(word(&["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"], &hour(NINE), None), "complex");
    });
    timed_within(20, "workdays until", || {
        assert_eq!(word(&["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20300101"], &hour(NINE), None), "complex");
    });
}
