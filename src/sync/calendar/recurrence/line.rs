//! One RRULE or EXRULE, and the walk along it.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, Days, Month, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _};
use rrule::{Frequency, NWeekday, RRule, RRuleSet, Tz, Unvalidated, Weekday};

use super::frame::Frame;
use crate::sync::calendar::entry::{Series, Unit};
use crate::sync::calendar::pair::Original;

/// The most instances that a walk counts.
const STEPS: usize = 50_000;

/// The parts of a rule. The lists are sorted, and nothing stands in them twice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub freq: Frequency,
    pub interval: u32,
    pub count: Option<u32>,
    /// The last moment at which an instance may begin.
    pub until: Option<Original>,
    pub week_start: Weekday,
    /// 0: every one.
    pub by_day: Vec<(i16, u8)>,
    pub by_month: Vec<u8>,
    pub by_month_day: Vec<i8>,
    pub by_year_day: Vec<i16>,
    pub by_week_no: Vec<i8>,
    pub by_set_pos: Vec<i32>,
    pub by_hour: Vec<u8>,
    pub by_minute: Vec<u8>,
    pub by_second: Vec<u8>,
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The rule has no more instances.
    Over,
    /// It may have more, behind what was asked for.
    Beyond,
    /// It has more than a walk may count; this was the last one.
    Cut(Original),
}

impl End {
    /// How two walks ended that are taken together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Cut(one), Self::Cut(two)) => Self::Cut(one.min(two)),
            (Self::Cut(at), _) | (_, Self::Cut(at)) => Self::Cut(at),
            (Self::Over, Self::Over) => Self::Over,
            _ => Self::Beyond,
        }
    }
}

impl Line {
    pub(super) const fn new(freq: Frequency) -> Self {
        Self {
            freq,
            interval: 1,
            count: None,
            until: None,
            week_start: Weekday::Mon,
            by_day: Vec::new(),
            by_month: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_no: Vec::new(),
            by_set_pos: Vec::new(),
            by_hour: Vec::new(),
            by_minute: Vec::new(),
            by_second: Vec::new(),
        }
    }

    pub(super) fn of(series: &Series, until: Option<Original>) -> Self {
        let freq = match series.unit {
            Unit::Day => Frequency::Daily,
            Unit::Week => Frequency::Weekly,
            Unit::Month => Frequency::Monthly,
            Unit::Year => Frequency::Yearly,
        };
        Self { interval: series.interval, until, ..Self::new(freq) }
    }

    /// Advoware's unit of its frequency.
    pub(super) const fn unit(&self) -> Option<Unit> {
        match self.freq {
            Frequency::Daily => Some(Unit::Day),
            Frequency::Weekly => Some(Unit::Week),
            Frequency::Monthly => Some(Unit::Month),
            Frequency::Yearly => Some(Unit::Year),
            _ => None,
        }
    }

    pub(super) const fn is_endless(&self) -> bool {
        self.count.is_none() && self.until.is_none()
    }

    /// Whether its instances are finer than days.
    fn is_fine(&self) -> bool {
        self.freq > Frequency::Daily
    }

    /// Whether it ever has an instance; none: it cannot be walked.
    pub(super) fn meets(&self, frame: &Frame) -> Option<bool> {
        Some(self.set(frame.start, frame.start)?.into_iter().next().is_some())
    }

    /// Adds the instances whose start by the rule lies within these wall times.
    pub(super) fn walk(
        &self,
        frame: &Frame,
        from: NaiveDateTime,
        to: NaiveDateTime,
        keys: &mut BTreeSet<Original>,
    ) -> End {
        // A day more, since wall time and instants differ in order around clock changes.
        let over = self.until.and_then(|until| frame.wall(until)?.checked_add_days(Days::new(1)));
        let anchor = self.anchor(frame.start, from);
        let Some(set) = self.set(frame.start, anchor) else { return End::Over };
        let moved = moved(anchor);
        let mut steps = 0;
        for at in &set {
            let wall = at.naive_utc() - moved;
            if over.is_some_and(|over| wall > over) {
                return End::Over;
            }
            if wall > to {
                return End::Beyond;
            }
            if steps >= STEPS {
                return End::Cut(frame.key(wall));
            }
            steps += 1;
            if wall < from || (self.is_fine() && !frame.exists(wall)) {
                continue;
            }
            let key = frame.key(wall);
            if self.until.is_none_or(|until| key <= until) {
                keys.insert(key);
            }
        }
        // The crate's last year ends a walk as well.
        let counted = self.count.is_some_and(|count| u32::try_from(steps).is_ok_and(|steps| steps >= count));
        if counted || over.is_some_and(|over| over <= to) { End::Over } else { End::Beyond }
    }

    /// Where a walk may begin that looks for what lies behind `from`: whole intervals after the start. With COUNT it has
    /// to be the start.
    fn anchor(&self, start: NaiveDateTime, from: NaiveDateTime) -> NaiveDateTime {
        if self.count.is_some() || from <= start {
            return start;
        }
        let step = i64::from(self.step());
        // One unit less than fits, so that what is moved forward is not missed.
        let whole = |units: i64| (units - 1).div_euclid(step) * step;
        let seconds =
            |unit: i64| start.checked_add_signed(TimeDelta::seconds(whole((from - start).num_seconds() / unit) * unit));
        let date = start.date();
        let moved = match self.freq {
            Frequency::Yearly => {
                let years = whole(i64::from(from.year()) - i64::from(date.year()));
                let year = i32::try_from(years).ok().and_then(|years| date.year().checked_add(years));
                year.and_then(|year| NaiveDate::from_ymd_opt(year, 1, 1)).map(|date| date.and_time(start.time()))
            }
            Frequency::Monthly => {
                let month = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
                let month = month(date) + whole(month(from.date()) - month(date));
                let (year, month) = (i32::try_from(month.div_euclid(12)), u32::try_from(month.rem_euclid(12) + 1));
                let date = year.ok().zip(month.ok()).and_then(|(year, month)| NaiveDate::from_ymd_opt(year, month, 1));
                date.map(|date| date.and_time(start.time()))
            }
            Frequency::Weekly => {
                let week = date.week(self.week_start).checked_first_day();
                let days = week.map(|week| (week, whole((from.date() - week).num_days() / 7) * 7));
                days.and_then(|(week, days)| week.checked_add_signed(TimeDelta::days(days)))
                    .map(|date| date.and_time(start.time()))
            }
            Frequency::Daily => seconds(86_400),
            Frequency::Hourly => seconds(3_600),
            Frequency::Minutely => seconds(60),
            Frequency::Secondly => seconds(1),
        };
        // Before the start lies nothing: a period that the start is in the middle of begins with it.
        moved.filter(|moved| *moved > start).unwrap_or(start)
    }

    /// The interval as the walk counts it; what is longer leads out of its reach in one step anyway.
    fn step(&self) -> u16 {
        u16::try_from(self.interval).unwrap_or(u16::MAX)
    }

    /// The rule with all that it takes from its start written out, so that it means the same from another one.
    fn set(&self, start: NaiveDateTime, anchor: NaiveDateTime) -> Option<RRuleSet> {
        let mut by_day = self.by_day.clone();
        let (mut by_month, mut by_month_day) = (self.by_month.clone(), self.by_month_day.clone());
        if by_day.is_empty() && by_month_day.is_empty() && self.by_year_day.is_empty() {
            let day = i8::try_from(start.day()).ok()?;
            match self.freq {
                // The weekday is the start's (RFC 5545); the crate would take the whole week.
                Frequency::Yearly if !self.by_week_no.is_empty() => by_day.push((0, weekday(start))),
                Frequency::Yearly => {
                    if by_month.is_empty() {
                        by_month.push(u8::try_from(start.month()).ok()?);
                    }
                    by_month_day.push(day);
                }
                Frequency::Monthly => by_month_day.push(day),
                Frequency::Weekly => by_day.push((0, weekday(start))),
                _ => {}
            }
        }
        let months: Option<Vec<Month>> = by_month.iter().map(|month| Month::try_from(*month).ok()).collect();
        let mut rule = RRule::<Unvalidated>::new(self.freq)
            .interval(self.step())
            .week_start(self.week_start)
            .by_weekday(self.weekdays(&by_day)?)
            .by_month(&months?)
            .by_month_day(by_month_day)
            .by_year_day(self.by_year_day.clone())
            .by_week_no(self.by_week_no.clone())
            .by_set_pos(self.by_set_pos.clone())
            .by_hour(or_at(&self.by_hour, self.freq < Frequency::Hourly, start.hour())?)
            .by_minute(or_at(&self.by_minute, self.freq < Frequency::Minutely, start.minute())?)
            .by_second(or_at(&self.by_second, self.freq < Frequency::Secondly, start.second())?);
        if let Some(count) = self.count {
            rule = rule.count(count);
        }
        let anchor: DateTime<Tz> = anchor.checked_add_signed(moved(anchor))?.and_utc().with_timezone(&Tz::UTC);
        rule.build(anchor).ok().map(RRuleSet::limit)
    }

    /// The crate takes only what both kinds allow where numbered days stand beside others: so then all are numbered.
    fn weekdays(&self, by_day: &[(i16, u8)]) -> Option<Vec<NWeekday>> {
        let mixed = by_day.iter().any(|(nth, _)| *nth != 0);
        let most = if self.freq == Frequency::Yearly && self.by_month.is_empty() { 53 } else { 5 };
        let mut days = Vec::new();
        for (nth, day) in by_day {
            let day = Weekday::try_from(*day).ok()?;
            match *nth {
                0 if mixed => days.extend((1..=most).map(|nth| NWeekday::Nth(nth, day))),
                0 => days.push(NWeekday::Every(day)),
                nth => days.push(NWeekday::Nth(nth, day)),
            }
        }
        Some(days)
    }
}

/// How far a walk is moved into the future: whole cycles of the calendar, after which dates fall on the same weekdays. A
/// rule without a further instance is searched to the crate's last year, 10,000, so that year should be near.
fn moved(anchor: NaiveDateTime) -> TimeDelta {
    const CYCLE: i32 = 400;
    const DAYS: i64 = 146_097;
    // A century is left to walk, and a period more.
    let cycles = (9_890 - anchor.year()).div_euclid(CYCLE).max(0);
    TimeDelta::days(i64::from(cycles) * DAYS)
}

/// Days since Monday.
pub(super) fn weekday(at: NaiveDateTime) -> u8 {
    u8::try_from(at.weekday().num_days_from_monday()).unwrap_or(0)
}

fn or_at(list: &[u8], wanted: bool, start: u32) -> Option<Vec<u8>> {
    if list.is_empty() && wanted { Some(vec![u8::try_from(start).ok()?]) } else { Some(list.to_vec()) }
}
