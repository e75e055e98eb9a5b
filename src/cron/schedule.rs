//! When a cron expression fires in a time zone. Pure: no clock, no I/O.
//!
//! `croner` parses and validates the expression and answers whether a *date* matches (day of month or weekday, `L`, `W`,
//! `#`). The walk over the day is our own, because croner decides about clock changes by the whole expression: a job
//! counts as fixed there only when second, minute and hour are single values, so `0,30 2 * * *` or `*/15 2 * * *` would run
//! twice in the doubled hour and not at all in the missing one. Here the **hour** decides, value by value:
//!
//! - an hour that was written out (`2`, `1-3`) is a fixed time: in the missing hour it fires at the first instant after it,
//!   in the doubled hour in the first pass only, so that a daily job runs once on every date;
//! - an hour from `*`, `*/n` (or `0-23`, `0-23/n`) is an interval: it fires in both passes and never in the missing hour, so
//!   that `*/15 * * * *` keeps 900 s of real time through both changes.

mod moment;
#[cfg(test)]
mod tests;
mod walk;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};

pub use moment::{Moment, MomentError};
pub use walk::FireTimes;

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It has no meaning as a cron expression.
    #[error(
        "`{expression}` is no cron expression: {why}. Write five fields (minute hour day month weekday) or six (seconds \
         first), such as `0 2 * * *`"
    )]
    Expression {
        /// The expression as it was given.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is well-formed, but no date ever matches.
    #[error("`{expression}` never fires: no date within {years} years matches, such as 31 February")]
    Never {
        /// The expression as it was given.
        expression: String,
        /// How far the search went.
        years: u32,
    },
}

/// A validated cron expression in a time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    expression: String,
    timezone: Tz,
    cron: Cron,
    /// Bit n: hour n was written out.
    fixed_hours: u64,
    /// Bit n: hour n comes from a wildcard.
    interval_hours: u64,
    minutes: u64,
    seconds: u64,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What the parsed form says at length follows from these two.
        write!(f, "Schedule({:?} in {})", self.expression, self.timezone)
    }
}

impl Schedule {
    /// Parses `expression`: five fields, or six with leading seconds; month and weekday names and the shorthands `@hourly`,
    /// `@daily`, `@weekly`, `@monthly`, `@yearly` are understood. Weekday 0 and 7 are Sunday.
    pub fn parse(expression: &str, timezone: Tz) -> Result<Self, ScheduleError> {
        let refuse = |why: String| ScheduleError::Expression { expression: expression.trim().to_owned(), why };
        let fields = expression.split_whitespace().count();
        if !expression.trim_start().starts_with('@') && !(5..=6).contains(&fields) {
            return Err(refuse(format!("it has {fields} fields")));
        }
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build()
            .parse(expression)
            .map_err(|error| refuse(error.to_string().trim_end_matches('.').to_owned()))?;
        let (interval_hours, fixed_hours) = split_hours(&cron);
        Ok(Self {
            expression: expression.trim().to_owned(),
            timezone,
            fixed_hours,
            interval_hours,
            minutes: mask(&cron.pattern.minutes.values()),
            seconds: mask(&cron.pattern.seconds.values()),
            cron,
        })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The time zone in which the expression is read.
    #[must_use]
    pub fn timezone(&self) -> Tz {
        self.timezone
    }

    /// Every fire time later than `instant`, in order and without repetition, each a whole second in UTC. Lazy; ends when
    /// nothing matches for 50 years.
    #[must_use]
    pub fn after(&self, instant: DateTime<Utc>) -> FireTimes<'_> {
        FireTimes::new(self, instant)
    }

    /// The first fire time later than `instant`; an expression that never fires is an error.
    pub fn next_after(&self, instant: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
        self.after(instant)
            .next()
            .ok_or_else(|| ScheduleError::Never { expression: self.expression.clone(), years: walk::HORIZON_YEARS })
    }

    /// The first matching wall time in `from..until` whose hour is one of `hours`.
    fn first_wall(&self, from: NaiveDateTime, until: NaiveDateTime, hours: u64) -> Option<NaiveDateTime> {
        let mut date = from.date();
        while date <= until.date() && hours != 0 {
            let earliest = if date == from.date() { from.time() } else { NaiveTime::MIN };
            if self.date_matches(date)
                && let Some(time) = self.first_time(earliest, hours)
            {
                return Some(date.and_time(time)).filter(|wall| *wall < until);
            }
            date = date.succ_opt()?;
        }
        None
    }

    fn date_matches(&self, date: NaiveDate) -> bool {
        let (year, month, day) = (date.year(), date.month(), date.day());
        let weekday = match date.weekday() {
            chrono::Weekday::Mon => Weekday::Monday,
            chrono::Weekday::Tue => Weekday::Tuesday,
            chrono::Weekday::Wed => Weekday::Wednesday,
            chrono::Weekday::Thu => Weekday::Thursday,
            chrono::Weekday::Fri => Weekday::Friday,
            chrono::Weekday::Sat => Weekday::Saturday,
            chrono::Weekday::Sun => Weekday::Sunday,
        };
        let pattern = &self.cron.pattern;
        pattern.month_match(month).unwrap_or(false) && pattern.day_match(year, month, day, weekday).unwrap_or(false)
    }

    fn first_time(&self, earliest: NaiveTime, hours: u64) -> Option<NaiveTime> {
        let (hour, minute, second) = (earliest.hour(), earliest.minute(), earliest.second());
        let within_hour = || {
            let within_minute =
                || Some((minute, first_bit(self.seconds, second)?)).filter(|_| has_bit(self.minutes, minute));
            within_minute().or_else(|| Some((first_bit(self.minutes, minute + 1)?, first_bit(self.seconds, 0)?)))
        };
        let (hour, (minute, second)) =
            Some(hour).filter(|hour| has_bit(hours, *hour)).and_then(|hour| Some((hour, within_hour()?))).or_else(
                || Some((first_bit(hours, hour + 1)?, (first_bit(self.minutes, 0)?, first_bit(self.seconds, 0)?))),
            )?;
        NaiveTime::from_hms_opt(hour, minute, second)
    }
}

/// The hours of an expression as (from a wildcard, written out).
fn split_hours(cron: &Cron) -> (u64, u64) {
    let all = mask(&cron.pattern.hours.values());
    let fields: Vec<&str> = cron.pattern.as_str().split_whitespace().collect();
    let hour_field = fields.get(fields.len().saturating_sub(4)).copied().unwrap_or_default();
    let mut interval = 0;
    for element in hour_field.split(',') {
        let (range, step) = element.split_once('/').unwrap_or((element, "1"));
        if range == "*" || range == "0-23" {
            let step = step.parse::<usize>().unwrap_or(1).max(1);
            interval |= (0..24).step_by(step).fold(0, |bits, hour| bits | 1 << hour);
        }
    }
    (all & interval, all & !interval)
}

fn mask(values: &[u16]) -> u64 {
    values.iter().fold(0, |bits, value| bits | 1 << value)
}

fn has_bit(bits: u64, index: u32) -> bool {
    bits >> index & 1 == 1
}

/// The lowest set bit at or above `from`, which is at most 60.
fn first_bit(bits: u64, from: u32) -> Option<u32> {
    let rest = bits >> from << from;
    (rest != 0).then(|| rest.trailing_zeros())
}
