//! Fire times over both clock changes of 2026 and 2027, month ends, leap days, and properties.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{Europe::Berlin, Tz};
use proptest::prelude::*;

use super::{Moment, Schedule, ScheduleError};

fn time(text: &str) -> DateTime<Utc> {
    text.parse::<Moment>().unwrap().in_zone(Tz::UTC)
}

fn fires(expression: &str, zone: Tz, after: &str, until: &str) -> Vec<String> {
    let schedule = Schedule::parse(expression, zone).unwrap();
    let until = time(until);
    schedule
        .after(time(after))
        .take_while(|at| *at < until)
        .map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .collect()
}

/// All fire times between the two UTC times, in Berlin.
fn check(expression: &str, after: &str, until: &str, expected: &[&str]) {
    assert_eq!(fires(expression, Berlin, after, until), expected, "{expression} {after} {until}");
}

#[test]
fn a_daily_job_in_the_missing_hour_fires_at_the_first_instant_after_it() {
    for expression in ["30 2 * * *", "0 2 * * *", "59 2 * * *"] {
        check(expression, "2026-03-29", "2026-03-29T12:00", &["2026-03-29T01:00:00Z"]);
        check(expression, "2027-03-28", "2027-03-28T12:00", &["2027-03-28T01:00:00Z"]);
    }
    let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    check("30 2 * * *", "2026-03-28", "2026-03-31", &expected);
    check("0 2 28 3 *", "2027-01-01", "2028-01-01", &["2027-03-28T01:00:00Z"]);
}

#[test]
fn several_times_in_the_missing_hour_are_one() {
    check("*/15 2 * * *", "2026-03-29", "2026-03-29T12:00", &["2026-03-29T01:00:00Z"]);
    check("0 1-3 * * *", "2026-03-28T23:30", "2026-03-29T12:00", &["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"]);
    check("30 2,3 * * *", "2026-03-29", "2026-03-29T12:00", &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]);
    // It is over with the first instant, so a walk that begins there has seen it.
    check("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-29T12:00", &[]);
    check("30 2 * * *", "2026-03-29T00:59:59Z", "2026-03-29T12:00", &["2026-03-29T01:00:00Z"]);
}

#[test]
fn a_fixed_time_in_the_doubled_hour_fires_in_the_first_pass_only() {
    check("30 2 * * *", "2026-10-25", "2026-10-26", &["2026-10-25T00:30:00Z"]);
    check("30 2 * * *", "2027-10-31", "2027-11-01", &["2027-10-31T00:30:00Z"]);
    check("0,30 2 * * *", "2026-10-24T22:00", "2026-10-25T12:00", &["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"]);
    check("0 3 * * *", "2026-10-25", "2026-10-25T12:00", &["2026-10-25T02:00:00Z"]);
    // Begun inside the second pass.
    check("30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-25T12:00", &[]);
    check("30 2 * * *", "2026-10-25T00:10:00Z", "2026-10-25T12:00", &["2026-10-25T00:30:00Z"]);
}

#[test]
fn wildcard_hours_fire_in_both_passes_and_not_in_the_missing_hour() {
    let both = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"];
    check("30 * * * *", "2026-10-25", "2026-10-25T03:00", &both);
    check("30 */2 * * *", "2026-10-24T23:00", "2026-10-25T03:00", &both[..2]);
    check("30 0-23/2 * * *", "2026-10-24T23:00", "2026-10-25T03:00", &both[..2]);
    check("30 * * * *", "2026-10-25T01:00:00Z", "2026-10-25T02:00", &both[1..2]);
    let both = ["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-10-31T02:30:00Z"];
    check("30 * * * *", "2027-10-31", "2027-10-31T03:00", &both);
    let missing = ["2027-03-27T23:30:00Z", "2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"];
    check("30 * * * *", "2027-03-27T23:00", "2027-03-28T02:00", &missing);
    let missing = ["2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z"];
    check("30 */2 * * *", "2026-03-28T23:00", "2026-03-29T03:00", &missing);
    // Hour 2 is written out beside a wildcard that has it already: the wildcard's rule holds.
    check("30 2,*/2 * * *", "2026-03-28T23:00", "2026-03-29T03:00", &missing);
    check("30 */12,2 * * *", "2026-03-28T23:00", "2026-03-29T03:00", &["2026-03-28T23:30:00Z", "2026-03-29T01:00:00Z"]);
}

#[test]
fn every_quarter_of_an_hour_is_900_seconds_of_real_time() {
    for day in ["2026-03-28", "2026-10-24", "2027-03-27", "2027-10-30"] {
        let schedule = Schedule::parse("*/15 * * * *", Berlin).unwrap();
        let times: Vec<_> = schedule.after(time(day)).take(4 * 72).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::seconds(900)), "{day}");
    }
}

#[test]
fn six_fields_begin_with_seconds() {
    check(
        "*/20 0 12 * * *",
        "2026-07-01",
        "2026-07-02",
        &["2026-07-01T10:00:00Z", "2026-07-01T10:00:20Z", "2026-07-01T10:00:40Z"],
    );
}

#[test]
fn either_day_field_matches_when_both_are_restricted() {
    check("0 0 13 * 5", "2026-02-05T23:30", "2026-02-21", &["2026-02-12T23:00:00Z", "2026-02-19T23:00:00Z"]);
    check(
        "0 12 1 * 1",
        "2026-09-01",
        "2026-09-15",
        &["2026-09-01T10:00:00Z", "2026-09-07T10:00:00Z", "2026-09-14T10:00:00Z"],
    );
    check("0 12 * * 7", "2026-09-01", "2026-09-08", &["2026-09-06T10:00:00Z"]);
}

#[test]
fn month_ends_and_leap_days_are_exact() {
    check(
        "0 12 31 * *",
        "2026-01-01",
        "2026-09-01",
        &[
            "2026-01-31T11:00:00Z",
            "2026-03-31T10:00:00Z",
            "2026-05-31T10:00:00Z",
            "2026-07-31T10:00:00Z",
            "2026-08-31T10:00:00Z",
        ],
    );
    check(
        "0 12 29 2 *",
        "2026-01-01",
        "2037-01-01",
        &["2028-02-29T11:00:00Z", "2032-02-29T11:00:00Z", "2036-02-29T11:00:00Z"],
    );
    assert_eq!(fires("0 0 29 2 *", Tz::UTC, "2096-03-01", "2105-01-01"), ["2104-02-29T00:00:00Z"]);
    let days = ["2028-02-28T01:30:00Z", "2028-02-29T01:30:00Z", "2028-03-01T01:30:00Z"];
    check("30 2 * * *", "2028-02-28", "2028-03-02", &days);
    check("30 2 28 2 *", "2028-01-01", "2029-01-01", &days[..1]);
    // A day that a month lacks is left out, not moved.
    let thirtieths = ["2026-01-30T11:00:00Z", "2026-03-30T10:00:00Z", "2026-04-30T10:00:00Z"];
    check("0 12 30 * *", "2026-01-01", "2026-05-01", &thirtieths);
    check(
        "0 12 28-31 * *",
        "2026-02-01",
        "2026-03-31",
        &["2026-02-28T11:00:00Z", "2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z", "2026-03-30T10:00:00Z"],
    );
    let last = ["2026-01-31T11:00:00Z", "2026-02-28T11:00:00Z", "2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z"];
    check("0 12 L * *", "2026-01-01", "2026-05-01", &last);
    check("0 12 L 2 *", "2027-01-01", "2029-01-01", &["2027-02-28T11:00:00Z", "2028-02-29T11:00:00Z"]);
    // Month ends on the dates of the changes.
    check("30 2 L 10 *", "2027-01-01", "2028-01-01", &["2027-10-31T00:30:00Z"]);
    check("30 2 28,29 3 *", "2026-01-01", "2026-12-01", &["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"]);
    check("0 0 1 1 *", "2026-12-01", "2028-01-02", &["2026-12-31T23:00:00Z", "2027-12-31T23:00:00Z"]);
}

#[test]
fn other_zones() {
    let zone = Tz::America__Santiago;
    let expected = ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"];
    assert_eq!(fires("0 0 * * *", zone, "2026-09-05", "2026-09-08"), expected);
    // Half an hour only: 02:00 comes at 02:30.
    let expected = ["2026-10-02T15:30:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:00:00Z"];
    assert_eq!(fires("0 2 * * *", Tz::Australia__Lord_Howe, "2026-10-02T12:00", "2026-10-05"), expected);
    assert_eq!(fires("0 2 * * *", Tz::Asia__Kolkata, "2026-01-01", "2026-01-02"), ["2026-01-01T20:30:00Z"]);
}

#[test]
fn what_never_fires_ends() {
    for expression in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        let schedule = Schedule::parse(expression, Berlin).unwrap();
        assert_eq!(schedule.after(time("2026-01-01")).next(), None);
        let error = schedule.next_after(time("2026-01-01")).unwrap_err();
        assert_eq!(error, ScheduleError::Never { expression: expression.to_owned(), years: 50 });
    }
    // Once in 40 years over 2100, and still found.
    let rare = Schedule::parse("0 0 29 2 +MON", Tz::UTC).unwrap();
    assert_eq!(rare.next_after(time("2072-03-01")).unwrap(), time("2112-02-29"));
}

#[test]
fn nonsense_is_refused() {
    let check = |text: &str, why: &str| {
        let error = Schedule::parse(text, Berlin).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    };
    check("", "it has 0 fields");
    check("* * * *", "it has 4 fields");
    check("0 0 0 1 1 * 2026", "it has 7 fields");
    check("60 * * * *", "out of bounds");
    check("* 24 * * *", "out of bounds");
    check("x * * * *", "illegal character");
    check("@fortnightly", "no cron expression");
    check("*/0 * * * *", "no cron expression");
}

#[test]
fn times_as_people_type_them() {
    let check = |text: &str, expected: &str| {
        assert_eq!(text.parse::<Moment>().unwrap().in_zone(Berlin), time(expected), "{text}");
    };
    check("2026-03-28T02:00", "2026-03-28T01:00:00Z");
    check("2026-03-28 02:00:30", "2026-03-28T01:00:30Z");
    check("2026-07-01", "2026-06-30T22:00:00Z");
    check("2026-03-28T02:00:00+05:00", "2026-03-27T21:00:00Z");
    check("2026-03-29T02:30", "2026-03-29T01:00:00Z");
    check("2026-10-25T02:30", "2026-10-25T00:30:00Z");
    for nonsense in ["", "tomorrow", "2026-13-01", "+92026-01-01T00:00:00Z", "2026-02-30", "26-01-01T00:00"] {
        assert!(nonsense.parse::<Moment>().is_err(), "{nonsense}");
    }
}

/// What the rule says of one fixed wall time on one date, told in another way than the walk tells it.
fn by_rule(zone: Tz, date: NaiveDate, hour: u32, minute: u32) -> DateTime<Utc> {
    Moment::Wall(date.and_hms_opt(hour, minute, 0).unwrap()).in_zone(zone)
}

const ZONES: [Tz; 6] = [
    Berlin,
    Tz::America__New_York,
    Tz::America__Santiago,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Casablanca,
    Tz::Asia__Tokyo,
];

proptest! {
    #[test]
    fn a_daily_job_fires_once_on_every_date(zone in 0..ZONES.len(), hour in 0..24_u32, minute in 0..60_u32, day in 0..6000_i64) {
        let zone = ZONES[zone];
        let first = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + TimeDelta::days(day);
        let schedule = Schedule::parse(&format!("{minute} {hour} * * *"), zone).unwrap();
        let expected: Vec<_> = (0..120).map(|day| by_rule(zone, first + TimeDelta::days(day), hour, minute)).collect();
        let times: Vec<_> = schedule.after(expected[0] - TimeDelta::seconds(1)).take(120).collect();
        prop_assert_eq!(times, expected);
    }

    #[test]
    fn intervals_fire_whenever_the_clock_shows_them(zone in 0..ZONES.len(), every in 1..30_u32, hours in 1..12_u32, start in 1_580_000_000..2_000_000_000_i64) {
        let zone = ZONES[zone];
        let schedule = Schedule::parse(&format!("*/{every} */{hours} * * *"), zone).unwrap();
        let start = Utc.timestamp_opt(start, 0).unwrap();
        let end = start + TimeDelta::days(4);
        let expected: Vec<_> = (start.timestamp() + 1..end.timestamp())
            .filter(|second| second % 60 == 0)
            .map(|second| Utc.timestamp_opt(second, 0).unwrap())
            .filter(|at| {
                let wall = at.with_timezone(&zone);
                wall.hour().is_multiple_of(hours) && wall.minute().is_multiple_of(every)
            })
            .collect();
        let times: Vec<_> = schedule.after(start).take_while(|at| *at < end).collect();
        prop_assert_eq!(times, expected);
    }

    #[test]
    fn fire_times_only_grow_and_do_not_depend_on_where_one_begins(
        zone in 0..ZONES.len(), minute in "[0-5]?[0-9]|\\*|\\*/7", hour in "[01]?[0-9]|\\*|\\*/5|1-3|0,2", day in "\\*|[1-9]|31", weekday in "\\*|[0-7]",
        start in 1_580_000_000..2_000_000_000_i64,
    ) {
        let schedule = Schedule::parse(&format!("{minute} {hour} {day} * {weekday}"), ZONES[zone]).unwrap();
        let start = Utc.timestamp_opt(start, 0).unwrap();
        let times: Vec<_> = schedule.after(start).take(40).collect();
        prop_assert!(times.first().is_some_and(|first| *first > start));
        prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        for pair in times.windows(2) {
            prop_assert_eq!(schedule.next_after(pair[0]).unwrap(), pair[1]);
            prop_assert_eq!(schedule.next_after(pair[1] - TimeDelta::seconds(1)).unwrap(), pair[1]);
        }
    }
}
