//! What the lines of a Google event's `recurrence` mean: an instance set that Advoware can express, or one that has to be
//! taken apart (design C5).
//!
//! The instances are those that Google shows: the event's own start is always one of them, whether the rule meets it or not
//! and on top of a COUNT. So a rule that ends before the event starts leaves that one appointment. A start in the hour that a
//! clock change leaves out moves forward; rules finer than a day pass over it, since they meet the hour after it anyway.
//!
//! The `rrule` crate walks wall time as if it were UTC, which keeps zones out of it: it drops days whose midnight is left
//! out, and compares UNTIL in a doubled hour by the wrong pass. Zones, UNTIL, EXDATE and RDATE are ours.

mod frame;
mod line;
mod read;
mod reduce;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use self::frame::Frame;
use self::line::{End, Line};
use super::entry::{Series, When};
use super::pair::Original;
use super::scope::Window;

/// How an event recurs.
#[derive(Debug, Clone, PartialEq)]
pub enum Recurrence {
    /// Not at all, or with no instance but the first.
    Once,
    /// As Advoware can express it, instance for instance.
    Simple(Series),
    /// In a way that has to be taken apart.
    Complex(Rule),
}

/// Reads the lines of an event's `recurrence`. `when` is its first instance; `zone` is its `start.timeZone`, and none where
/// it has none or an unknown one, which then counts as Berlin.
///
/// A rule that ends on 2037-12-31 or later has no end, since that is how Advoware stores one (contract "Termine").
///
/// # Errors
/// A stable word: `bad_line` (no line that we know), `bad_rule`, `bad_date`, `too_fine` (a rule by the minute or second with
/// a choice of hours, whose search has no bound worth having).
pub fn read<L: AsRef<str>>(lines: &[L], when: &When, zone: Option<Tz>) -> Result<Recurrence, &'static str> {
    let rule = read::rule(lines, Frame::new(when, zone))?;
    match reduce::at_a_glance(&rule, when) {
        Some(recurrence) => Ok(recurrence),
        None => Ok(reduce::by_walking(rule.meeting()?, when)),
    }
}

/// A set of instances, with an end or without.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    frame: Frame,
    /// RRULE
    plus: Vec<Line>,
    /// EXRULE
    minus: Vec<Line>,
    /// RDATE
    dates: BTreeSet<Original>,
    /// EXDATE
    gone: BTreeSet<Original>,
    /// EXDATE that names a day of a timed event, in the event's zone.
    gone_days: BTreeSet<NaiveDate>,
}

impl Rule {
    /// No walk goes further than this from the start of the event, years.
    const FAR: i32 = 100;

    /// A rule of Advoware's own kind, for a series that has to be taken apart.
    #[must_use]
    pub fn of(series: &Series, when: &When) -> Self {
        let frame = Frame::new(when, None);
        let until = series.until.map(|day| frame.end_of(day));
        Self { plus: vec![Line::of(series, until)], ..Self::once(frame) }
    }

    const fn once(frame: Frame) -> Self {
        Self {
            frame,
            plus: Vec::new(),
            minus: Vec::new(),
            dates: BTreeSet::new(),
            gone: BTreeSet::new(),
            gone_days: BTreeSet::new(),
        }
    }

    /// Without the lines that never have an instance, such as 30 February: every look for one is long.
    fn meeting(mut self) -> Result<Self, &'static str> {
        for lines in [&mut self.plus, &mut self.minus] {
            let mut kept = Vec::new();
            for line in std::mem::take(lines) {
                if line.meets(&self.frame).ok_or("bad_rule")? {
                    kept.push(line);
                }
            }
            *lines = kept;
        }
        Ok(self)
    }

    /// The instances that touch the window, in order and at most so many, and whether there may be more: each with when it
    /// was to begin by the rule, and when it is in Berlin. The length on the clock of the event's zone stays.
    #[must_use]
    pub fn instances(&self, window: Window, most: usize) -> (Vec<(Original, When)>, bool) {
        // Two days more than the length, since the event's zone and a clock change move an instance against Berlin.
        let reach = Days::new(self.frame.days().saturating_add(2));
        let from = window.from.checked_sub_days(reach).unwrap_or(NaiveDate::MIN);
        let to = window.to.checked_add_days(Days::new(3)).unwrap_or(NaiveDate::MAX);
        let (keys, end) = self.keys(from.and_time(NaiveTime::MIN), to.and_time(NaiveTime::MIN));
        let touching = keys.into_iter().map(|key| (key, self.frame.when(key)));
        let mut touching = touching.filter(|(_, at)| at.first_day() <= window.to && at.last_day() >= window.from);
        let instances: Vec<_> = touching.by_ref().take(most).collect();
        let more = touching.next().is_some() || matches!(end, End::Cut(_));
        (instances, more)
    }

    /// Whether there is an instance that was to begin then by the rule; EXDATE and RDATE are taken in.
    #[must_use]
    pub fn occurs(&self, original: Original) -> bool {
        let Some(wall) = self.frame.wall(original) else { return false };
        // A clock change moves an instance by an hour, in some zones by two.
        let slack = TimeDelta::hours(3);
        let from = wall.checked_sub_signed(slack).unwrap_or(NaiveDateTime::MIN);
        let to = wall.checked_add_signed(slack).unwrap_or(NaiveDateTime::MAX);
        self.keys(from, to).0.contains(&original)
    }

    /// The last day that any instance touches, Berlin; none: no end, or one too far off to say. Of a set whose instances
    /// are all taken out, the last day of the event itself.
    #[must_use]
    pub fn last_day(&self) -> Option<NaiveDate> {
        let last = self.whole()?.last().copied();
        Some(self.frame.when(last.unwrap_or_else(|| self.frame.first())).last_day())
    }

    /// All instances, where there is an end within reach.
    fn whole(&self) -> Option<BTreeSet<Original>> {
        if self.plus.iter().any(Line::is_endless) {
            return None;
        }
        let (keys, end) = self.keys(NaiveDateTime::MIN, self.frame.after_years(Self::FAR));
        (end == End::Over).then_some(keys)
    }

    /// The instances whose start by the rule lies within these wall times of the event's zone, and maybe some others; and
    /// how the walk ended. What lies behind a cut is left out.
    fn keys(&self, from: NaiveDateTime, to: NaiveDateTime) -> (BTreeSet<Original>, End) {
        let (mut keys, mut taken) = (self.dates.clone(), BTreeSet::new());
        keys.insert(self.frame.first());
        let mut ends = End::Over;
        for line in &self.plus {
            ends = ends.and(line.walk(&self.frame, from, to, &mut keys));
        }
        for line in &self.minus {
            if let End::Cut(at) = line.walk(&self.frame, from, to, &mut taken) {
                ends = ends.and(End::Cut(at));
            }
        }
        keys.retain(|key| {
            let day = || self.frame.wall(*key).is_some_and(|wall| self.gone_days.contains(&wall.date()));
            let cut = matches!(ends, End::Cut(at) if at < *key);
            !(cut || taken.contains(key) || self.gone.contains(key) || (!self.gone_days.is_empty() && day()))
        });
        (keys, ends)
    }
}
