//! Whether a schedule's time has come. Pure: the last slot, the clock and the fire times go in, a decision comes out.

use chrono::{DateTime, TimeDelta, Utc};

/// The first fire time after an instant (exclusive), if there is one.
pub type NextFn = dyn Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync;

/// What to do about a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It has never been looked at: remember now as its beginning, fire nothing.
    Begin,
    /// This slot is due. Of several that were missed it is the latest: one run makes up for all of them.
    Fire(DateTime<Utc>),
    /// Nothing is due before then.
    Wait(DateTime<Utc>),
    /// It never fires again.
    Never,
}

/// Decides by the slot that was fired last.
#[must_use]
pub fn due(last: Option<DateTime<Utc>>, now: DateTime<Utc>, next: &NextFn) -> Decision {
    let Some(last) = last else { return Decision::Begin };
    match after(next, last) {
        None => Decision::Never,
        Some(first) if first > now => Decision::Wait(first),
        Some(first) => Decision::Fire(latest(first, last, now, next)),
    }
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

    #[test]
    fn the_table() {
        let check = |last: Option<&str>, now: &str, expected: Decision| {
            assert_eq!(due(last.map(at), at(now), &every(900)), expected, "{last:?} {now}");
        };
        // The first start ever: no catch-up.
        check(None, "28T12:00:00", Decision::Begin);
        check(Some("28T12:00:00"), "28T12:00:00", Decision::Wait(at("28T12:15:00")));
        check(Some("28T12:00:00"), "28T12:14:59", Decision::Wait(at("28T12:15:00")));
        check(Some("28T12:00:00"), "28T12:15:00", Decision::Fire(at("28T12:15:00")));
        check(Some("28T12:00:00"), "28T12:15:01", Decision::Fire(at("28T12:15:00")));
        // A beginning that is no slot itself.
        check(Some("28T12:07:31"), "28T12:08:00", Decision::Wait(at("28T12:15:00")));
        // Downtime: one run, for the latest.
        check(Some("20T12:00:00"), "28T12:16:00", Decision::Fire(at("28T12:15:00")));
        // A clock that was set back, or lags behind that of another machine.
        check(Some("28T12:00:00"), "28T11:00:00", Decision::Wait(at("28T12:15:00")));
    }

    #[test]
    fn a_schedule_may_end_and_a_faulty_one_stops_nothing() {
        let last = Some(at("28T12:00:00"));
        assert_eq!(due(last, at("29T12:00:00"), &|_| None), Decision::Never);
        assert_eq!(due(last, at("29T12:00:00"), &Some), Decision::Never);
        let once = |instant| (instant < at("28T13:00:00")).then(|| at("28T13:00:00"));
        assert_eq!(due(last, at("31T12:00:00"), &once), Decision::Fire(at("28T13:00:00")));
    }

    #[test]
    fn years_of_downtime_are_caught_up_in_a_few_steps() {
        let steps = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&steps);
        let next = move |instant| {
            counted.fetch_add(1, Ordering::Relaxed);
            every(1)(instant)
        };
        let last = Some("2001-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(due(last, at("28T12:00:00"), &next), Decision::Fire(at("28T12:00:00")));
        assert!(steps.load(Ordering::Relaxed) < 10);
    }

    proptest! {
        #[test]
        fn what_fires_is_the_latest_slot_that_was_not_fired(period in 1i64..500, last in 0i64..5_000, passed in -100i64..5_000) {
            let (last, now) = (DateTime::from_timestamp(last, 0).unwrap(), DateTime::from_timestamp(last + passed, 0).unwrap());
            let slot = DateTime::from_timestamp(now.timestamp().div_euclid(period) * period, 0).unwrap();
            let expected = if slot > last { Decision::Fire(slot) } else { Decision::Wait(every(period)(last).unwrap()) };
            prop_assert_eq!(due(Some(last), now, &every(period)), expected);
        }
    }
}
