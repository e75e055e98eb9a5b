//! Reads the lines of a `recurrence` (RFC 5545, 3.8.5). Google emits forms of dates that do not fit the event, and passes on
//! what others wrote: so letters of either case, dates of every form, and no name before a rule.

use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use rrule::{Frequency, Weekday};

use super::Rule;
use super::frame::Frame;
use super::line::Line;
use crate::sync::calendar::pair::Original;

type Read<T> = Result<T, &'static str>;

const BAD_LINE: &str = "bad_line";
const BAD_RULE: &str = "bad_rule";
const BAD_DATE: &str = "bad_date";
const TOO_FINE: &str = "too_fine";

/// All lines together.
pub(super) fn rule<L: AsRef<str>>(lines: &[L], frame: Frame) -> Read<Rule> {
    let mut rule = Rule::once(frame);
    for line in lines {
        let line = line.as_ref().trim();
        if line.is_empty() {
            continue;
        }
        let (name, parameters, value) = split(line);
        let (value, name) = (&value.to_ascii_uppercase(), name.to_ascii_uppercase());
        match name.as_str() {
            "RRULE" => rule.plus.push(parts(value, &frame)?),
            "EXRULE" => rule.minus.push(parts(value, &frame)?),
            "RDATE" => {
                for moment in moments(value)? {
                    let wall = moment.date.and_time(moment.time.unwrap_or_else(|| frame.start.time()));
                    rule.dates.insert(original(moment, wall, parameters, &frame));
                }
            }
            "EXDATE" => {
                for moment in moments(value)? {
                    match moment.time {
                        None if !frame.all_day => drop(rule.gone_days.insert(moment.date)),
                        time => {
                            let wall = moment.date.and_time(time.unwrap_or(NaiveTime::MIN));
                            rule.gone.insert(original(moment, wall, parameters, &frame));
                        }
                    }
                }
            }
            _ => return Err(BAD_LINE),
        }
    }
    Ok(rule)
}

/// Name, parameters and value. A rule may come without its name.
fn split(line: &str) -> (&str, &str, &str) {
    let name_end = line.find([':', ';', '=']).unwrap_or(line.len());
    if line[name_end..].starts_with('=') {
        return ("RRULE", "", line);
    }
    // A quoted parameter may hold a colon.
    let mut quoted = false;
    let colon = line.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    });
    let (head, value) = colon.map_or((line, ""), |colon| (&line[..colon], &line[colon + 1..]));
    (line[..name_end].trim(), head.get(name_end..).unwrap_or(""), value)
}

fn parts(value: &str, frame: &Frame) -> Read<Line> {
    let parts: Vec<(&str, &str)> = value
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').ok_or(BAD_RULE))
        .collect::<Read<_>>()?;
    let freq = parts.iter().find(|(name, _)| *name == "FREQ").ok_or(BAD_RULE)?;
    let mut line = Line::new(Frequency::from_str(freq.1).map_err(|_| BAD_RULE)?);
    for (at, (name, value)) in parts.iter().enumerate() {
        if parts[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(BAD_RULE);
        }
        match *name {
            "FREQ" => {}
            "INTERVAL" => line.interval = positive(value)?,
            "COUNT" => line.count = Some(positive(value)?),
            "UNTIL" => line.until = Some(until(value, frame)?),
            "WKST" => line.week_start = Weekday::try_from(weekday(value)?).map_err(|_| BAD_RULE)?,
            "BYDAY" => line.by_day = list(value, by_day)?,
            "BYMONTH" => line.by_month = list(value, |item| number(item, 1, 12))?,
            "BYMONTHDAY" => line.by_month_day = list(value, |item| signed(item, 31))?,
            "BYYEARDAY" => line.by_year_day = list(value, |item| signed(item, 366))?,
            "BYWEEKNO" => line.by_week_no = list(value, |item| signed(item, 53))?,
            "BYSETPOS" => line.by_set_pos = list(value, |item| signed(item, 366))?,
            // Whole days have no hours (RFC 5545).
            "BYHOUR" | "BYMINUTE" | "BYSECOND" if frame.all_day => {}
            "BYHOUR" => line.by_hour = list(value, |item| number(item, 0, 23))?,
            "BYMINUTE" => line.by_minute = list(value, |item| number(item, 0, 59))?,
            "BYSECOND" => line.by_second = list(value, |item| number(item, 0, 59))?,
            _ => return Err(BAD_RULE),
        }
    }
    check(line)
}

/// What RFC 5545 forbids and the walk would misread or search for too long.
fn check(line: Line) -> Read<Line> {
    let numbered = line.by_day.iter().any(|(nth, _)| *nth != 0);
    let may_number = match line.freq {
        Frequency::Monthly => true,
        Frequency::Yearly => line.by_week_no.is_empty(),
        _ => false,
    };
    if (numbered && !may_number) || (!line.by_month_day.is_empty() && line.freq == Frequency::Weekly) {
        return Err(BAD_RULE);
    }
    let chosen = [&line.by_hour, &line.by_minute, &line.by_second].into_iter().any(|list| !list.is_empty());
    if line.freq > Frequency::Hourly && (chosen || !line.by_set_pos.is_empty()) {
        return Err(TOO_FINE);
    }
    Ok(line)
}

fn list<T: Ord>(value: &str, read: impl Fn(&str) -> Read<T>) -> Read<Vec<T>> {
    let mut list: Vec<T> = value.split(',').map(|item| read(item.trim())).collect::<Read<_>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

fn number<T: FromStr + PartialOrd + Copy>(text: &str, least: T, most: T) -> Read<T> {
    text.parse().ok().filter(|number| least <= *number && *number <= most).ok_or(BAD_RULE)
}

fn positive(text: &str) -> Read<u32> {
    number(text, 1, u32::MAX)
}

/// Counted from either end, so not 0.
fn signed<T: TryFrom<i32>>(text: &str, most: i32) -> Read<T> {
    let number = number(text, -most, most)?;
    T::try_from(number).ok().filter(|_| number != 0).ok_or(BAD_RULE)
}

fn by_day(text: &str) -> Read<(i16, u8)> {
    let at = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at)).ok_or(BAD_RULE)?;
    let nth = if at == 0 { 0 } else { signed(&text[..at], 53)? };
    Ok((nth, weekday(&text[at..])?))
}

/// Days since Monday.
fn weekday(text: &str) -> Read<u8> {
    let day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].iter().position(|day| *day == text);
    day.and_then(|day| u8::try_from(day).ok()).ok_or(BAD_RULE)
}

/// A day, or a time on it.
#[derive(Clone, Copy)]
struct Moment {
    date: NaiveDate,
    time: Option<NaiveTime>,
    utc: bool,
}

/// A day counts to its end. For an all-day event, the digits count: tools write the end of the last day in UTC.
fn until(text: &str, frame: &Frame) -> Read<Original> {
    let moment = moment(text)?;
    Ok(match moment.time {
        Some(time) => original(moment, moment.date.and_time(time), "", frame),
        None => frame.end_of(moment.date),
    })
}

fn moments(value: &str) -> Read<Vec<Moment>> {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    // Of a period only the start counts.
    items.map(|item| moment(item.split('/').next().unwrap_or(item))).collect()
}

fn moment(text: &str) -> Read<Moment> {
    let (text, utc) = text.strip_suffix('Z').map_or((text, false), |text| (text, true));
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let date =
        digits(date, 8).and_then(|n| NaiveDate::from_ymd_opt(i32::try_from(n / 10_000).ok()?, n / 100 % 100, n % 100));
    let time =
        time.map(|time| digits(time, 6).and_then(|n| NaiveTime::from_hms_opt(n / 10_000, n / 100 % 100, n % 100)));
    match (date, time) {
        (Some(date), None) => Ok(Moment { date, time: None, utc }),
        (Some(date), Some(Some(time))) => Ok(Moment { date, time: Some(time), utc }),
        _ => Err(BAD_DATE),
    }
}

fn digits(text: &str, count: usize) -> Option<u32> {
    text.parse().ok().filter(|_| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The instance that begins then: in UTC, in the zone that the parameters name, or in the event's.
fn original(moment: Moment, wall: NaiveDateTime, parameters: &str, frame: &Frame) -> Original {
    if frame.all_day {
        return Original::Day(moment.date);
    }
    if moment.utc && moment.time.is_some() {
        return Original::Instant(wall.and_utc());
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let named = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("TZID"));
    let zone = named.and_then(|(_, name)| name.trim().trim_matches('"').parse::<Tz>().ok());
    match zone.filter(|_| moment.time.is_some()) {
        Some(zone) => frame.within(zone).key(wall),
        None => frame.key(wall),
    }
}
