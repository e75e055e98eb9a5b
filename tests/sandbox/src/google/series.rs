//! A series and its starts.
//!
//! It is expanded on the wall clock, as if that were UTC, and only then put into its zone: so an instance keeps its
//! hour across a clock change, and days and moments follow the same path.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use rrule::{RRule, RRuleSet, Unvalidated};
use serde_json::Value;

use super::time::Moment;
use crate::Fields;

/// Starts of one series that are looked at, so that an open end comes to one.
const MOST: usize = 20_000;

/// A master's start with its rules.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    start: Moment,
    rules: Vec<RRuleSet>,
    added: BTreeSet<NaiveDateTime>,
    left_out: BTreeSet<NaiveDateTime>,
}

impl Series {
    /// Reads the `recurrence` of an event with this start; the error says what is wrong.
    pub(crate) fn read(start: Moment, recurrence: &[Value]) -> Result<Self, String> {
        let mut series = Self { start, rules: Vec::new(), added: BTreeSet::new(), left_out: BTreeSet::new() };
        for line in recurrence {
            let line = line.as_str().ok_or("a line of recurrence is no text")?;
            let (head, value) = line.split_once(':').ok_or_else(|| format!("no property: {line}"))?;
            let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
            match name.to_ascii_uppercase().as_str() {
                "RRULE" => series.rules.push(rule(start, value)?),
                "RDATE" => series.added.extend(dates(start, parameters, value)?),
                "EXDATE" => series.left_out.extend(dates(start, parameters, value)?),
                "EXRULE" => {}
                _ => return Err(format!("not allowed in recurrence: {line}")),
            }
        }
        Ok(series)
    }

    /// The series of an event as it is stored; `None` where it is none.
    pub(crate) fn of(event: &Fields, calendar: Tz) -> Option<Self> {
        let recurrence = event.get("recurrence")?.as_array().filter(|lines| !lines.is_empty())?;
        let start = Moment::read(event.get("start"), calendar).ok()?;
        Self::read(start, recurrence).ok()
    }

    /// All starts before a wall-clock time, in order.
    pub(crate) fn starts_before(&self, end: NaiveDateTime) -> BTreeSet<NaiveDateTime> {
        let mut starts: BTreeSet<NaiveDateTime> = self.added.iter().copied().filter(|at| *at < end).collect();
        if self.rules.is_empty() {
            starts.extend(Some(self.start.wall()).filter(|at| *at < end));
        }
        for rule in &self.rules {
            let walls = rule.into_iter().map(|at| at.naive_utc());
            starts.extend(walls.take_while(|at| *at < end).take(MOST));
        }
        starts.retain(|at| !self.left_out.contains(at));
        starts
    }

    /// Whether a start from `early` to before `late` passes a test; the first that does ends the search.
    pub(crate) fn any(
        &self,
        early: Option<NaiveDateTime>,
        late: Option<NaiveDateTime>,
        passes: impl Fn(NaiveDateTime) -> bool,
    ) -> bool {
        let in_time = |at: &NaiveDateTime| late.is_none_or(|late| *at < late);
        let good = |at: NaiveDateTime| {
            early.is_none_or(|early| at >= early) && in_time(&at) && !self.left_out.contains(&at) && passes(at)
        };
        let ruled =
            |rule: &RRuleSet| rule.into_iter().map(|at| at.naive_utc()).take(MOST).take_while(in_time).any(good);
        let alone = self.rules.is_empty().then_some(self.start.wall());
        self.added.iter().copied().chain(alone).any(good) || self.rules.iter().any(ruled)
    }

    /// Whether an instance begins at this moment.
    pub(crate) fn has(&self, at: Moment) -> bool {
        let wall = match (at, self.start) {
            (Moment::Time(at), Moment::Time(start)) => at.with_timezone(&start.timezone()).naive_local(),
            (Moment::Day(_), Moment::Day(_)) => at.wall(),
            _ => return false,
        };
        let Some(end) = wall.checked_add_signed(chrono::TimeDelta::seconds(1)) else { return false };
        self.starts_before(end).contains(&wall)
    }

    /// The moment of a start.
    pub(crate) fn moment(&self, wall: NaiveDateTime) -> Moment {
        self.start.at(wall)
    }

    pub(crate) fn start(&self) -> Moment {
        self.start
    }
}

fn rule(start: Moment, text: &str) -> Result<RRuleSet, String> {
    let parts: Vec<(String, &str)> = text
        .split(';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, v)| (name.to_ascii_uppercase(), v))
        .collect();
    let has = |wanted: &str| parts.iter().any(|(name, _)| name == wanted);
    if has("UNTIL") && has("COUNT") {
        return Err("UNTIL and COUNT exclude each other".into());
    }
    let mut spelled = Vec::new();
    for (name, value) in &parts {
        let value = if name == "UNTIL" { until(start, value)? } else { (*value).to_owned() };
        spelled.push(format!("{name}={value}"));
    }
    let parsed = RRule::<Unvalidated>::from_str(&spelled.join(";")).map_err(|fault| fault.to_string())?;
    let wall = rrule::Tz::UTC.from_utc_datetime(&start.wall());
    parsed.build(wall).map(RRuleSet::limit).map_err(|fault| fault.to_string())
}

/// An UNTIL on the wall clock. A date ends with its day; a moment bounds an all-day series by its date, since Google
/// itself mixes the two (google-calendar.md, Recurrence).
fn until(start: Moment, text: &str) -> Result<String, String> {
    let wall = match (start, stamp(text)?) {
        (Moment::Day(_), (at, _)) => at.date().and_time(NaiveTime::MIN),
        (Moment::Time(_), (at, Form::Day)) => at + chrono::TimeDelta::seconds(24 * 3600 - 1),
        (Moment::Time(start), (at, Form::Utc)) => at.and_utc().with_timezone(&start.timezone()).naive_local(),
        (Moment::Time(_), (at, Form::Wall)) => at,
    };
    Ok(wall.format("%Y%m%dT%H%M%SZ").to_string())
}

/// The values of an RDATE or EXDATE on the series' wall clock.
fn dates(start: Moment, parameters: &str, value: &str) -> Result<Vec<NaiveDateTime>, String> {
    let named = parameters.split(';').find_map(|parameter| parameter.strip_prefix("TZID="));
    let named = named.map(|name| name.parse::<Tz>().map_err(|_| format!("unknown zone: {name}"))).transpose()?;
    let on_the_wall = |text: &str| {
        let (at, form) = stamp(text)?;
        Ok(match (start, form) {
            (Moment::Day(_), _) => at.date().and_time(NaiveTime::MIN),
            (Moment::Time(start), Form::Day) => at.date().and_time(start.naive_local().time()),
            (Moment::Time(start), Form::Utc) => at.and_utc().with_timezone(&start.timezone()).naive_local(),
            (Moment::Time(start), Form::Wall) => super::time::in_zone(at, named.unwrap_or(start.timezone()))
                .with_timezone(&start.timezone())
                .naive_local(),
        })
    };
    value.split(',').map(on_the_wall).collect()
}

/// How a date of iCalendar is spelled.
#[derive(Clone, Copy)]
enum Form {
    Day,
    Utc,
    Wall,
}

fn stamp(text: &str) -> Result<(NaiveDateTime, Form), String> {
    let wrong = || format!("no date: {text}");
    if text.len() == 8 {
        let day = NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| wrong())?;
        return Ok((day.and_time(NaiveTime::MIN), Form::Day));
    }
    let (digits, form) = text.strip_suffix('Z').map_or((text, Form::Wall), |digits| (digits, Form::Utc));
    let at = NaiveDateTime::parse_from_str(digits, "%Y%m%dT%H%M%S").map_err(|_| wrong())?;
    Ok((at, form))
}

/// The moment that an instance's id ends with.
pub(crate) fn read_stamp(text: &str) -> Option<Moment> {
    match stamp(text).ok()? {
        (at, Form::Day) => Some(Moment::Day(at.date())),
        (at, Form::Utc) => {
            Some(Moment::Time(DateTime::<Utc>::from_naive_utc_and_offset(at, Utc).with_timezone(&Tz::UTC)))
        }
        (_, Form::Wall) => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;
    use serde_json::json;

    use super::*;

    fn series(start: &Value, lines: &[&str]) -> Result<Series, String> {
        let lines: Vec<Value> = lines.iter().map(|line| json!(line)).collect();
        Series::read(Moment::read(Some(start), Berlin).map_err(|fault| format!("{fault:?}"))?, &lines)
    }

    fn stamps(start: &Value, lines: &[&str]) -> Vec<String> {
        let series = series(start, lines).unwrap_or_else(|fault| panic!("{fault}"));
        let end = NaiveDate::from_ymd_opt(2029, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
        series.starts_before(end).into_iter().take(5).map(|wall| series.moment(wall).stamp()).collect()
    }

    #[test]
    fn starts_of_a_series() {
        fn check(start: &Value, lines: &[&str], expected: &[&str]) {
            assert_eq!(stamps(start, lines), expected, "{lines:?}");
        }
        let timed = |text: &str| json!({"dateTime": text, "timeZone": "Europe/Berlin"});
        // The hour on the wall stays across the clock change of 29 March.
        check(&timed("2026-03-28T14:00:00"), &["RRULE:FREQ=DAILY;COUNT=2"], &["20260328T130000Z", "20260329T120000Z"]);
        check(
            &timed("2026-03-02T14:00:00"),
            &["RRULE:FREQ=WEEKLY;UNTIL=20260316T130000Z", "EXDATE;TZID=Europe/Berlin:20260309T140000"],
            &["20260302T130000Z", "20260316T130000Z"],
        );
        check(
            &timed("2026-03-02T14:00:00"),
            &["RRULE:FREQ=WEEKLY;UNTIL=20260309"],
            &["20260302T130000Z", "20260309T130000Z"],
        );
        check(
            &json!({"date": "2026-03-02"}),
            &["RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20260308T225959Z", "EXDATE;VALUE=DATE:20260305"],
            &["20260302", "20260308"],
        );
        // RFC 5545: what a month lacks is skipped.
        check(&json!({"date": "2026-01-31"}), &["RRULE:FREQ=MONTHLY;COUNT=3"], &["20260131", "20260331", "20260531"]);
        check(&json!({"date": "2024-02-29"}), &["RRULE:FREQ=YEARLY;COUNT=2"], &["20240229", "20280229"]);
        check(
            &json!({"date": "2026-03-02"}),
            &["RDATE;VALUE=DATE:20260310,20260304"],
            &["20260302", "20260304", "20260310"],
        );
        check(
            &json!({"date": "2026-03-02"}),
            &["RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3"],
            &["20260302", "20260304", "20260309"],
        );
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        fn check(line: &str) {
            assert!(series(&json!({"date": "2026-03-02"}), &[line]).is_err(), "{line}");
        }
        check("FREQ=DAILY");
        check("RRULE:FREQ=SOMETIMES");
        check("RRULE:INTERVAL=2");
        check("RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260310");
        check("RRULE:FREQ=DAILY;UNTIL=soon");
        check("DTSTART:20260302");
        check("EXDATE:20261332");
    }
}
