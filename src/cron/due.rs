//! Whether a schedule's time has come. Pure: the last slot, the clock and the fire times go in, a decision comes out.

use chrono::{DateTime, TimeDelta, Utc};

/// The first fire time after an instant (exclusive), if there is one.
pub type NextFn = dyn Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync;

/// Whoever looks at a schedule at least this often has seen every slot of it come. One that comes later than this after the
/// look before has been away: it is a fresh start, Redis was away, the machine slept, or its clock was set.
pub const ALIVE: TimeDelta = TimeDelta::seconds(5);
/// Whoever begins to look waits this long before it leaves slots out: another process may be late with them and not down.
/// Longer than [`ALIVE`] by the time that its calls may take.
pub const PATIENCE: TimeDelta = TimeDelta::seconds(8);
/// Of the slots that one downtime leaves out at most so many are counted: nobody needs to know the millions exactly.
pub const COUNTED: u32 = 10_000;

/// How long one process has been looking at a schedule without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    since: DateTime<Utc>,
    seen: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
}

impl Watch {
    /// The watch after a look that Redis answered with the `last` slot. A gap of more than [`ALIVE`], forward or back,
    /// begins a new one, and so does a Redis that went back to an older state: what we saw fire is not fired slot by slot.
    #[must_use]
    pub fn after_look(before: Option<Self>, now: DateTime<Utc>, last: Option<DateTime<Utc>>) -> Self {
        let since = match before {
            Some(watch) if (now - watch.seen).abs() <= ALIVE && last >= watch.last => watch.since.min(now),
            _ => now,
        };
        Self { since, seen: now, last }
    }

    /// Since when: every later slot falls into it.
    #[must_use]
    pub const fn since(self) -> DateTime<Utc> {
        self.since
    }
}

/// What to do about a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It has never been looked at: remember now as its beginning, fire nothing.
    Begin,
    /// A slot is due.
    Fire {
        /// The earliest that came while we looked, or, of several from before, the latest: one run makes up for them.
        slot: DateTime<Utc>,
        /// How many are left out, at most [`COUNTED`].
        missed: u32,
    },
    /// Nothing is to be done before then.
    Wait(DateTime<Utc>),
    /// It never fires again.
    Never,
}

/// Decides by the slot that was fired last, and since when this process has been looking without a gap.
///
/// Late is not down: slots that came while it looked are fired one by one, however late. Of several that came before, only
/// the latest is, and only after [`PATIENCE`]: a process that was looking then may still fire them all.
#[must_use]
pub fn due(last: Option<DateTime<Utc>>, since: DateTime<Utc>, now: DateTime<Utc>, next: &NextFn) -> Decision {
    let Some(last) = last else { return Decision::Begin };
    let first = match after(next, last) {
        None => return Decision::Never,
        Some(first) if first > now => return Decision::Wait(first),
        Some(first) => first,
    };
    let since = since.min(now);
    if first > since {
        return Decision::Fire { slot: first, missed: 0 };
    }
    let slot = latest(first, last, since, next);
    if slot > first && now < since + PATIENCE {
        return Decision::Wait(since + PATIENCE);
    }
    Decision::Fire { slot, missed: slots_due(last, slot - TimeDelta::milliseconds(1), next, COUNTED) }
}

/// How many slots there are after `last`, up to `now` and including it; at most `at_most`.
#[must_use]
pub fn slots_due(last: DateTime<Utc>, now: DateTime<Utc>, next: &NextFn, at_most: u32) -> u32 {
    let (mut slot, mut count) = (last, 0);
    while count < at_most
        && let Some(later) = after(next, slot).filter(|later| *later <= now)
    {
        slot = later;
        count += 1;
    }
    count
}

/// The latest slot up to `now`; `first`, after `last`, is one. Looks back from `now` through growing windows: counting
/// up from `last` would take millions of steps after a long downtime of a schedule that fires every second.
fn latest(first: DateTime<Utc>, last: DateTime<Utc>, now: DateTime<Utc>, next: &NextFn) -> DateTime<Utc> {
    let mut window = TimeDelta::seconds(1);
    while now - window > last {
        if let Some(slot) = after(next, now - window).filter(|slot| *slot <= now) {
            return forward(slot, now, next);
        }
        window = window * 2;
    }
    forward(first, now, next)
}

fn forward(mut slot: DateTime<Utc>, now: DateTime<Utc>, next: &NextFn) -> DateTime<Utc> {
    while let Some(later) = after(next, slot).filter(|later| *later <= now) {
        slot = later;
    }
    slot
}

/// A fire time that does not lie after `instant` would make the loops above endless; it counts as none.
pub(super) fn after(next: &NextFn, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    next(instant).filter(|slot| *slot > instant)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-{text}Z").parse().unwrap()
    }

    /// Fires every `seconds`, counted from the epoch.
    fn every(seconds: i64) -> impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync {
        move |instant| DateTime::from_timestamp((instant.timestamp().div_euclid(seconds) + 1) * seconds, 0)
    }

    /// One that has been looking for long, and one that has just begun to.
    const LONG: &str = "01T00:00:00";

    fn fire(slot: &str, missed: u32) -> Decision {
        Decision::Fire { slot: at(slot), missed }
    }

    #[test]
    fn the_table() {
        let check = |last: Option<&str>, since: &str, now: &str, expected: Decision| {
            assert_eq!(due(last.map(at), at(since), at(now), &every(900)), expected, "{last:?} {since} {now}");
        };
        // The first start ever: no catch-up.
        check(None, "28T12:00:00", "28T12:00:00", Decision::Begin);
        for since in [LONG, "28T12:00:00"] {
            check(Some("28T12:00:00"), since, "28T12:00:00", Decision::Wait(at("28T12:15:00")));
            check(Some("28T12:00:00"), since, "28T12:14:59", Decision::Wait(at("28T12:15:00")));
            check(Some("28T12:00:00"), since, "28T12:15:00", fire("28T12:15:00", 0));
            check(Some("28T12:00:00"), since, "28T12:15:01", fire("28T12:15:00", 0));
            // Late: one by one, from the earliest on.
            check(Some("28T12:00:00"), since, "28T13:00:01", fire("28T12:15:00", 0));
        }
        // A beginning that is no slot itself.
        check(Some("28T12:07:31"), LONG, "28T12:08:00", Decision::Wait(at("28T12:15:00")));
        // One slot from before leaves none out, so nobody waits.
        check(Some("28T12:00:00"), "28T12:20:00", "28T12:20:00", fire("28T12:15:00", 0));
        // Downtime: one run, for the latest, once nobody else can be late with them.
        check(Some("28T12:00:00"), "28T13:01:00", "28T13:01:00", Decision::Wait(at("28T13:01:08")));
        check(Some("28T12:00:00"), "28T13:01:00", "28T13:01:07", Decision::Wait(at("28T13:01:08")));
        check(Some("28T12:00:00"), "28T13:01:00", "28T13:01:08", fire("28T13:00:00", 3));
        // Those that came meanwhile are not part of it.
        check(Some("28T12:00:00"), "28T13:01:00", "28T13:50:00", fire("28T13:00:00", 3));
        check(Some("28T13:00:00"), "28T13:01:00", "28T13:50:00", fire("28T13:15:00", 0));
        // A clock that was set back, or lags behind that of another machine.
        check(Some("28T12:00:00"), LONG, "28T11:00:00", Decision::Wait(at("28T12:15:00")));
        check(Some("28T12:00:00"), "28T12:01:00", "28T11:00:00", Decision::Wait(at("28T12:15:00")));
    }

    #[test]
    fn a_watch_lasts_as_long_as_its_looks_are_close_together() {
        let mut watch = None;
        let mut last = None;
        let mut look = |now: &str| {
            let looked = Watch::after_look(watch, at(now), last);
            last = Some(at("28T11:00:00"));
            watch = Some(looked);
            looked.since()
        };
        let begun = at("28T12:00:00");
        assert_eq!([look("28T12:00:00"), look("28T12:00:02"), look("28T12:00:07")], [begun; 3]);
        // Away for longer, asleep, or the clock was set.
        assert_eq!(look("28T12:00:13"), at("28T12:00:13"));
        assert_eq!(look("28T11:00:00"), at("28T11:00:00"));
        // Set back by little: what comes a second time was seen coming as well.
        assert_eq!(look("28T10:59:57"), at("28T10:59:57"));
        // Redis forgot what was fired.
        let watch = watch.unwrap();
        let look = |last: &str| Watch::after_look(Some(watch), at("28T11:00:00"), Some(at(last))).since();
        assert_eq!(look("28T11:00:00"), watch.since());
        assert_eq!(look("28T10:59:59"), at("28T11:00:00"));
        assert_eq!(Watch::after_look(Some(watch), at("28T11:00:00"), None).since(), at("28T11:00:00"));
    }

    #[test]
    fn a_schedule_may_end_and_a_faulty_one_stops_nothing() {
        let last = Some(at("28T12:00:00"));
        let check = |now: &str, next: &NextFn| due(last, at(now), at(now), next);
        assert_eq!(check("29T12:00:00", &|_| None), Decision::Never);
        assert_eq!(check("29T12:00:00", &Some), Decision::Never);
        let once = |instant| (instant < at("28T13:00:00")).then(|| at("28T13:00:00"));
        assert_eq!(check("31T12:00:00", &once), fire("28T13:00:00", 0));
    }

    #[test]
    fn years_of_downtime_are_caught_up_in_bounded_steps() {
        let steps = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&steps);
        let next = move |instant| {
            counted.fetch_add(1, Ordering::Relaxed);
            every(1)(instant)
        };
        let last = Some("2001-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(due(last, at("28T12:00:00"), at("28T12:00:09"), &next), fire("28T12:00:00", COUNTED));
        assert!(steps.load(Ordering::Relaxed) < COUNTED + 10);
    }

    /// One process at an instant: what it does there, in order, until it has nothing more to do.
    fn act(
        last: &mut Option<DateTime<Utc>>,
        watch: &mut Option<Watch>,
        now: DateTime<Utc>,
        period: i64,
    ) -> Vec<(i64, u32)> {
        let looked = Watch::after_look(*watch, now, *last);
        *watch = Some(looked);
        let mut fired = Vec::new();
        loop {
            match due(*last, looked.since(), now, &every(period)) {
                Decision::Begin => *last = Some(now),
                Decision::Fire { slot, missed } => {
                    *last = Some(slot);
                    fired.push((slot.timestamp(), missed));
                }
                Decision::Wait(until) => {
                    assert!(until > now, "or it would never rest");
                    return fired;
                }
                Decision::Never => unreachable!("it fires for ever"),
            }
        }
    }

    proptest! {
        /// Several processes that look when they like, with pauses, deaths and a clock that is set.
        #[test]
        fn no_slot_fires_twice_or_early_and_what_is_left_out_is_counted(
            period in 1i64..40,
            steps in proptest::collection::vec((0usize..3, prop_oneof![8 => 0i64..5, 1 => 5i64..200, 1 => -200i64..0], proptest::bool::weighted(0.1)), 1..120),
        ) {
            let (mut last, mut watches) = (None, [None; 3]);
            let (mut now, mut newest) = (1_000_000, None::<i64>);
            for (who, step, dies) in steps {
                now += step;
                if dies {
                    watches[who] = None;
                }
                let before = last.map(|at: DateTime<Utc>| at.timestamp());
                let fired = act(&mut last, &mut watches[who], DateTime::from_timestamp(now, 0).unwrap(), period);
                let mut from = before;
                for (slot, missed) in fired {
                    prop_assert!(slot <= now && slot % period == 0 && newest.is_none_or(|newest| slot > newest));
                    let began = from.expect("it has begun before it fires").div_euclid(period);
                    prop_assert_eq!(i64::from(missed), slot / period - began - 1);
                    (from, newest) = (Some(slot), Some(slot));
                }
            }
        }

        /// Whoever looks at least every five seconds leaves nothing out, whatever others do.
        #[test]
        fn while_one_process_looks_no_slot_is_left_out(
            period in 1i64..40,
            steps in proptest::collection::vec((0i64..=5, proptest::collection::vec((1usize..3, 0i64..=5, proptest::bool::ANY), 0..3)), 1..120),
        ) {
            let (mut last, mut watches, mut now) = (None, [None; 3], 1_000_000);
            act(&mut last, &mut watches[0], DateTime::from_timestamp(now, 0).unwrap(), period);
            for (step, others) in steps {
                for (who, earlier, dies) in others {
                    if dies {
                        watches[who] = None;
                    }
                    let at = DateTime::from_timestamp(now + step - earlier.min(step), 0).unwrap();
                    let fired = act(&mut last, &mut watches[who], at, period);
                    prop_assert!(fired.iter().all(|(_, missed)| *missed == 0));
                }
                now += step;
                let fired = act(&mut last, &mut watches[0], DateTime::from_timestamp(now, 0).unwrap(), period);
                prop_assert!(fired.iter().all(|(_, missed)| *missed == 0));
            }
        }

        /// After a downtime there is exactly one run for all that was left out, and then every slot.
        #[test]
        fn after_a_downtime_one_run(period in 1i64..40, away in 6i64..5_000, looks in proptest::collection::vec(1i64..=5, 20)) {
            let mut last = DateTime::from_timestamp(1_000_000 / period * period, 0);
            let begun = last.unwrap().timestamp();
            let (mut watch, mut now) = (None, begun + away);
            let mut fired = act(&mut last, &mut watch, DateTime::from_timestamp(now, 0).unwrap(), period);
            for step in looks {
                now += step;
                fired.extend(act(&mut last, &mut watch, DateTime::from_timestamp(now, 0).unwrap(), period));
            }
            let newest_of_before = (begun + away).div_euclid(period) * period;
            let first = if newest_of_before > begun { newest_of_before } else { newest_of_before + period };
            let expected: Vec<i64> = (first..=now).step_by(usize::try_from(period).unwrap()).collect();
            prop_assert_eq!(fired.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), expected);
            let missed: i64 = fired.iter().map(|(_, missed)| i64::from(*missed)).sum();
            prop_assert_eq!(missed, ((newest_of_before - begun) / period - 1).max(0));
        }
    }
}
