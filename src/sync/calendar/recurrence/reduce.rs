//! Whether Advoware can express a rule.

use std::collections::BTreeSet;

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Europe::Berlin;
use rrule::Frequency;

use super::line::{End, Line, weekday};
use super::{Recurrence, Rule};
use crate::sync::calendar::clock;
use crate::sync::calendar::entry::{Series, Unit, When};
use crate::sync::calendar::pair::Original;

/// What needs no walk: nothing, or a rule that says no more than its unit, its interval and its end.
pub(super) fn at_a_glance(rule: &Rule, when: &When) -> Option<Recurrence> {
    if !rule.minus.is_empty() || !rule.dates.is_empty() || !rule.gone.is_empty() || !rule.gone_days.is_empty() {
        return None;
    }
    let [line] = rule.plus.as_slice() else { return rule.plus.is_empty().then_some(Recurrence::Once) };
    let unit = plain(line, rule.frame.start).filter(|_| within_a_day(when) && rule.frame.zone == Berlin)?;
    let first = when.first_day();
    let until = match (line.until, line.count) {
        (None, None) => None,
        (Some(until), None) => Some(last_start(until, when)),
        (None, Some(1)) => return Some(Recurrence::Once),
        (None, Some(count)) => Some(nth_day(unit, line.interval, first, count).filter(|day| is_end(*day))?),
        _ => return None,
    };
    if until.is_some_and(|until| until < first) {
        return Some(Recurrence::Once);
    }
    Some(Recurrence::Simple(Series { unit, interval: line.interval, until: until.filter(|day| is_end(*day)) }))
}

/// What takes a look at the instances.
pub(super) fn by_walking(mut rule: Rule, when: &When) -> Recurrence {
    if rule.minus.is_empty() && rule.plus.len() <= 1 {
        let bare = Rule { plus: rule.plus.clone(), ..Rule::once(rule.frame) };
        let gone = &rule.gone;
        rule.dates.retain(|date| !gone.contains(date));
        if !changes(&rule, &bare) {
            return alone(bare, when);
        }
    }
    if is_first_only(&rule) { Recurrence::Once } else { Recurrence::Complex(rule) }
}

/// Whether RDATE or EXDATE change the set.
fn changes(rule: &Rule, bare: &Rule) -> bool {
    // With COUNT every look begins at the start, so one is enough.
    let counted = bare.plus.iter().any(|line| line.count.is_some());
    let looks = !rule.dates.is_empty() || !rule.gone.is_empty();
    let whole = if counted && looks { bare.whole() } else { None };
    let occurs = |key: Original| whole.as_ref().map_or_else(|| bare.occurs(key), |whole| whole.contains(&key));
    let occurs_on = |day: NaiveDate| {
        let from = day.and_time(NaiveTime::MIN);
        let (keys, _) = bare.keys(from, from.checked_add_days(Days::new(1)).unwrap_or(NaiveDateTime::MAX));
        keys.into_iter().any(|key| bare.frame.wall(key).is_some_and(|wall| wall.date() == day))
    };
    rule.dates.iter().any(|key| !occurs(*key))
        || rule.gone.iter().any(|key| occurs(*key))
        || rule.gone_days.iter().any(|day| occurs_on(*day))
}

/// Whether the first instance is all there is.
fn is_first_only(rule: &Rule) -> bool {
    let first = BTreeSet::from([rule.frame.first()]);
    // Most have another one soon.
    rule.keys(NaiveDateTime::MIN, rule.frame.after_years(1)).0.is_subset(&first) && rule.whole() == Some(first)
}

/// One rule, and nothing besides.
fn alone(rule: Rule, when: &When) -> Recurrence {
    let Some(line) = rule.plus.first() else { return Recurrence::Once };
    let first_only = is_first_only(&rule);
    // A series whose end was set to its first day stays one, since the next edit may move that end.
    if first_only && (line.count.is_some() || plain(line, rule.frame.start).is_none()) {
        return Recurrence::Once;
    }
    match series(&rule, line, when) {
        Some(series) => Recurrence::Simple(series),
        None if first_only => Recurrence::Once,
        None => Recurrence::Complex(rule),
    }
}

/// The series with the same instances.
fn series(rule: &Rule, line: &Line, when: &When) -> Option<Series> {
    if !within_a_day(when) {
        return None;
    }
    // A look at a year tells most rules apart.
    let [near, far] = [1, Rule::FAR].map(|years| rule.frame.after_years(years));
    let seen = instances(rule, near)?;
    let next = match seen.get(1) {
        Some(next) => Some(*next),
        None => instances(rule, far)?.get(1).copied(),
    };
    let next = next.map(|(_, next)| next.first_day());
    if next == Some(when.first_day()) {
        return None;
    }
    let until = match (line.until, line.count) {
        (None, None) => None,
        (Some(until), None) => Some(last_start(until, when)),
        (_, Some(_)) => {
            let last = *rule.whole()?.last()?;
            Some(rule.frame.when(last).first_day()).filter(|day| is_end(*day)).map(Some)?
        }
    };
    if until.is_some_and(|until| until < when.first_day()) {
        return None;
    }
    let candidates = candidates(line, when.first_day(), next).into_iter();
    let candidates = candidates.map(|(unit, interval)| Series { unit, interval, until });
    let alike = |series: &Series, seen: &[_], to| instances(&Rule::of(series, when), to).is_some_and(|own| own == seen);
    let mut candidates = candidates.filter(|series| alike(series, &seen, near)).peekable();
    candidates.peek()?;
    let seen = instances(rule, far)?;
    let found = candidates.find(|series| alike(series, &seen, far))?;
    Some(Series { until: found.until.filter(|day| is_end(*day)), ..found })
}

/// All instances up to then; none: too many to say.
fn instances(rule: &Rule, to: NaiveDateTime) -> Option<Vec<(Original, When)>> {
    let (keys, end) = rule.keys(NaiveDateTime::MIN, to);
    if matches!(end, End::Cut(_)) {
        return None;
    }
    // Two rules may count in different zones, so near the end one may have seen a day more.
    let to = clock::instant(to - TimeDelta::days(2));
    let last = if rule.frame.all_day { Original::Day(to.date_naive()) } else { Original::Instant(to) };
    let last = last.max(rule.frame.first());
    Some(keys.into_iter().take_while(|key| *key <= last).map(|key| (key, rule.frame.when(key))).collect())
}

/// Units and intervals that may fit: the rule's own, and those that lead from the first instance to the second.
fn candidates(line: &Line, first: NaiveDate, next: Option<NaiveDate>) -> Vec<(Unit, u32)> {
    let mut candidates: Vec<(Unit, u32)> = line.unit().map(|unit| (unit, line.interval)).into_iter().collect();
    if let Some(next) = next {
        let days = (next - first).num_days();
        let months = i64::from(next.year() - first.year()) * 12 + i64::from(next.month()) - i64::from(first.month());
        let same_day = first.day() == next.day();
        let gaps = [
            (Unit::Year, months / 12, same_day && months % 12 == 0),
            (Unit::Month, months, same_day),
            (Unit::Week, days / 7, days % 7 == 0),
            (Unit::Day, days, true),
            (Unit::Month, 1, same_day),
        ];
        let fitting = gaps.into_iter().filter(|(_, interval, fits)| *fits && *interval > 0);
        candidates.extend(fitting.filter_map(|(unit, interval, _)| Some((unit, u32::try_from(interval).ok()?))));
    }
    candidates
}

/// The unit of a rule whose other parts say no more than its start does.
fn plain(line: &Line, start: NaiveDateTime) -> Option<Unit> {
    let timed = !line.by_hour.is_empty() || !line.by_minute.is_empty() || !line.by_second.is_empty();
    if timed || !line.by_set_pos.is_empty() || !line.by_year_day.is_empty() || !line.by_week_no.is_empty() {
        return None;
    }
    let no_day = line.by_day.is_empty();
    let no_month = line.by_month.is_empty();
    let the_month = line.by_month.iter().map(|month| u32::from(*month)).eq([start.month()]);
    let no_month_day = line.by_month_day.is_empty();
    let the_month_day = line.by_month_day.iter().map(|day| i64::from(*day)).eq([i64::from(start.day())]);
    let fits = match line.freq {
        Frequency::Daily => no_day && no_month && no_month_day,
        Frequency::Weekly => (no_day || line.by_day == [(0, weekday(start))]) && no_month && no_month_day,
        Frequency::Monthly => no_day && no_month && (no_month_day || the_month_day),
        Frequency::Yearly => no_day && ((no_month && no_month_day) || (the_month && (no_month_day || the_month_day))),
        _ => false,
    };
    line.unit().filter(|_| fits)
}

/// An instance of a series in Advoware lasts no longer than its day.
fn within_a_day(when: &When) -> bool {
    when.first_day() == when.last_day()
}

/// The last day in Berlin on which an instance may begin.
fn last_start(until: Original, when: &When) -> NaiveDate {
    match (until, when) {
        (Original::Day(day), _) => day,
        (Original::Instant(at), When::AllDay { .. }) => clock::berlin(at).date(),
        (Original::Instant(at), When::Timed { start, .. }) => {
            let day = clock::berlin(at).date();
            let in_time = clock::instant(day.and_time(start.time())) <= at;
            if in_time { day } else { day.pred_opt().unwrap_or(day) }
        }
    }
}

/// The day of the last of so many instances, where nothing is ever left out.
fn nth_day(unit: Unit, interval: u32, first: NaiveDate, count: u32) -> Option<NaiveDate> {
    let steps = u64::from(count - 1).checked_mul(u64::from(interval))?;
    let months =
        |steps: u64| first.checked_add_months(Months::new(u32::try_from(steps).ok()?)).filter(|_| first.day() <= 28);
    match unit {
        Unit::Day => first.checked_add_days(Days::new(steps)),
        Unit::Week => first.checked_add_days(Days::new(steps.checked_mul(7)?)),
        Unit::Month => months(steps),
        Unit::Year => months(steps.checked_mul(12)?),
    }
}

/// Whether Advoware takes the day for an end.
fn is_end(day: NaiveDate) -> bool {
    NaiveDate::from_ymd_opt(2037, 12, 31) > Some(day)
}
