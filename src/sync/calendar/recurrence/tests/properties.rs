use chrono::Months;
use proptest::prelude::*;

use super::*;
use crate::sync::calendar::{clock, event};

/// Times at the edges of days and of both clock changes among them.
fn firsts() -> impl Strategy<Value = When> {
    let days = prop_oneof![
        4 => (0_u64..5_000).prop_map(|days| date("2020-01-01") + Days::new(days)),
        1 => prop::sample::select(vec!["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31", "2028-02-29", "2026-01-31"])
            .prop_map(date),
    ];
    let minutes = prop_oneof![Just(30_i64), Just(150), Just(1_410), 0_i64..1_440];
    (days, prop::option::of((minutes, 0_i64..300))).prop_map(|(first, time)| match time {
        None => When::AllDay { first, last: first },
        Some((minute, length)) => {
            let start = clock::existing(first.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute));
            let end = (start + TimeDelta::minutes(length)).min(first.and_hms_opt(23, 59, 59).unwrap());
            When::Timed { start, end: clock::existing(end) }
        }
    })
}

fn units() -> impl Strategy<Value = (Unit, u32)> {
    let unit = prop::sample::select(vec![Unit::Day, Unit::Week, Unit::Month, Unit::Year]);
    (unit, prop_oneof![3 => 1_u32..5, 1 => 5_u32..40])
}

/// A series with its first instance; its end is on any day from the first on.
fn series() -> impl Strategy<Value = (Series, When)> {
    (units(), firsts(), prop::option::of(prop_oneof![Just(0_u64), 0_u64..40, 0_u64..4_000])).prop_map(
        |((unit, interval), when, until)| {
            let until = until.map(|days| when.first_day() + Days::new(days)).filter(|day| *day < date("2037-12-31"));
            (Series { unit, interval, until }, when)
        },
    )
}

/// Rules of all kinds, many of which say no more than their start does.
fn rules() -> impl Strategy<Value = (Vec<String>, When, Option<Tz>)> {
    let by = |name: &'static str, least: i32, most: i32| {
        prop::option::weighted(0.15, prop::collection::vec(least..=most, 1..3)).prop_map(move |list| {
            let list: Vec<String> = list?.iter().filter(|n| **n != 0 || least == 0).map(ToString::to_string).collect();
            (!list.is_empty()).then(|| format!(";{name}={}", list.join(",")))
        })
    };
    let days = prop::sample::subsequence(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU", "1MO", "-1FR"], 0..4);
    let end = prop_oneof![
        2 => Just(String::new()),
        2 => (1..30).prop_map(|count| format!(";COUNT={count}")),
        2 => (2024..2031, 1..=12, 1..=28, 0..24).prop_map(|(y, m, d, h)| format!(";UNTIL={y}{m:02}{d:02}T{h:02}3000Z")),
        1 => (2024..2031, 1..=12, 1..=28).prop_map(|(y, m, d)| format!(";UNTIL={y}{m:02}{d:02}")),
    ];
    let freq = prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "DAILY", "WEEKLY", "HOURLY"]);
    let parts = (
        (by("BYMONTH", 1, 12), by("BYMONTHDAY", -31, 31), by("BYYEARDAY", -366, 366), by("BYWEEKNO", -53, 53)),
        (
            by("BYSETPOS", -3, 3),
            by("BYHOUR", 0, 23),
            prop::option::weighted(0.3, days),
            prop::option::weighted(0.2, Just(";WKST=SU")),
        ),
    );
    let zone = prop_oneof![3 => Just(None), 1 => prop::sample::select(vec![Paris, New_York, Tz::UTC]).prop_map(Some)];
    let exdate = prop::option::weighted(0.3, 0_u64..60);
    (freq, 1..4, end, parts, firsts(), zone, exdate).prop_map(
        |(freq, interval, end, (one, two), when, zone, exdate)| {
            let mut rule = format!("RRULE:FREQ={freq};INTERVAL={interval}{end}");
            for part in [one.0, one.1, one.2, one.3, two.0, two.1, two.3.map(str::to_owned)] {
                rule += &part.unwrap_or_default();
            }
            if let Some(days) = two.2.filter(|days| !days.is_empty()) {
                rule.extend([";BYDAY=", &days.join(",")]);
            }
            let mut lines = vec![rule];
            lines
                .extend(exdate.map(|days| format!("EXDATE:{}", (when.first_day() + Days::new(days)).format("%Y%m%d"))));
            (lines, when, zone)
        },
    )
}

/// All instances up to then, from the start on.
fn list(rule: &Rule, until: NaiveDate) -> Vec<(Original, When)> {
    let (instances, more) = rule.instances(Window { from: date("1900-01-01"), to: until }, 1_000_000);
    assert!(!more);
    instances
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_series_comes_back_as_it_was_written((series, when) in series()) {
        let rule = event::rule(&series, &when);
        prop_assert_eq!(read(&[&rule], &when, Some(Berlin)), Ok(Recurrence::Simple(series)), "{}", rule);
    }

    #[test]
    fn the_glance_and_the_walk_agree((series, when) in series()) {
        let rule = event::rule(&series, &when);
        // A walk over a century of days takes its time.
        let soon = series.until.is_some_and(|until| until < when.first_day() + Months::new(6));
        prop_assume!(soon || series.interval > 9 || series.unit > Unit::Week);
        let read = read::rule(&[&rule], Frame::new(&when, None)).unwrap();
        let glance = reduce::at_a_glance(&read, &when);
        prop_assert_eq!(glance, Some(reduce::by_walking(read, &when)), "{}", rule);
    }

    #[test]
    fn a_reduction_keeps_the_instances((lines, when, zone) in rules()) {
        let written = read::rule(&lines, Frame::new(&when, zone)).and_then(Rule::meeting);
        let Ok(Recurrence::Simple(series)) = read(&lines, &when, zone) else { return Ok(()) };
        let until = when.first_day() + Months::new(15 * 12);
        prop_assert_eq!(list(&written.unwrap(), until), list(&Rule::of(&series, &when), until), "{:?} {:?}", lines, series);
        prop_assert_eq!(read(&[event::rule(&series, &when)], &when, None), Ok(Recurrence::Simple(series)));
    }

    #[test]
    fn a_window_is_a_part_of_the_whole((lines, when, zone) in rules(), skip in 0_u64..1_500, length in 0_u64..60) {
        let Ok(rule) = read::rule(&lines, Frame::new(&when, zone)).and_then(Rule::meeting) else { return Ok(()) };
        let from = when.first_day() + Days::new(skip) - Days::new(5);
        let window = Window { from, to: from + Days::new(length) };
        let whole = list(&rule, window.to);
        let part: Vec<_> = whole.iter().copied().filter(|(_, at)| at.last_day() >= window.from).collect();
        let (seen, more) = rule.instances(window, 100_000);
        prop_assert_eq!((&seen, more), (&part, false), "{:?}", lines);
        prop_assert!(seen.is_sorted_by_key(|(key, _)| *key));
        for (key, at) in seen.iter().take(5) {
            prop_assert!(rule.occurs(*key), "{:?} {:?}", lines, key);
            prop_assert!(rule.last_day().is_none_or(|last| at.last_day() <= last));
        }
        for day in 0..length.min(5) {
            let key = rule.frame.key((from + Days::new(day)).and_time(rule.frame.start.time()));
            prop_assert_eq!(rule.occurs(key), whole.iter().any(|(known, _)| *known == key), "{:?} {:?}", lines, key);
        }
    }

    #[test]
    fn no_line_panics(line in "(RRULE:|EXDATE[;:]|)(FREQ=[A-Z]{5,7}|TZID=|[0-9TZ;=:,Ä\"-]{0,20}){1,4}") {
        let _ = read(&[line], &hour(NINE), None);
    }
}
