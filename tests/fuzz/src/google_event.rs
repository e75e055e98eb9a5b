//! Events as Google might tell them are read in bounded time, and what is read of them makes sense.

use std::collections::BTreeSet;

use advosync::sync::calendar::items::Items;
use advosync::sync::calendar::mirror::{self, Mirror};
use advosync::sync::calendar::recurrence::{self, Recurrence};
use advosync::sync::calendar::scope::{Multiday, Window};
use advosync::sync::calendar::{Record, event};
use chrono::NaiveDate;
use serde_json::Value;

use crate::harness::run;

/// Instances that are asked for at once.
const MOST: usize = 500;

/// An input is an event, or a list of them as one answer tells it.
#[test]
fn an_event_is_read_or_refused_in_bounded_time() {
    let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
    let window = Window { from: day(2026, 1, 1), to: day(2027, 12, 31) };
    run("google_event", 150, |input| {
        let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
        let events: Vec<Record> = match value {
            Value::Array(items) => items.into_iter().filter_map(|item| item.as_object().cloned()).collect(),
            Value::Object(event) => vec![event],
            _ => return,
        };
        for event in &events {
            reads(event, window);
        }
        let mut mirror = Mirror::new();
        let touched = mirror::take(&mut mirror, events.clone(), true, Multiday::AllDay);
        assert!(mirror.keys().all(|id| touched.contains(id)));
        // A list that is told again says nothing new.
        let mut again = mirror.clone();
        mirror::take(&mut again, events, true, Multiday::AllDay);
        assert_eq!(again, mirror);
        let _ = Items::of(&mirror, &BTreeSet::new(), window);
    });
}

fn reads(event: &Record, window: Window) {
    let stub = event::stub(event);
    let read = match event::read(event, Multiday::AllDay) {
        Ok(read) => read,
        Err(unusable) => {
            let words = ["no_id", "no_times", "bad_times", "bad_original"];
            assert!(words.contains(&unusable.reason), "{unusable:?}");
            return;
        }
    };
    let stub = stub.unwrap();
    assert_eq!((stub.id, stub.cancelled), (read.id.as_str(), read.cancelled));
    assert!(!read.id.is_empty() && read.marks.number != Some(0));
    let when = read.entry.when;
    assert!(when.first_day() <= when.last_day(), "{when:?}");
    match recurrence::read(&read.recurrence, &when, read.zone) {
        Err(word) => assert!(["bad_line", "bad_rule", "bad_date", "too_fine"].contains(&word), "{word}"),
        Ok(Recurrence::Complex(rule)) => check(&rule, window),
        Ok(Recurrence::Simple(series)) => {
            assert!(series.interval > 0 && series.until.is_none_or(|until| until >= when.first_day()), "{series:?}");
            check(&recurrence::Rule::of(&series, &when), window);
        }
        Ok(Recurrence::Once) => {}
    }
}

fn check(rule: &recurrence::Rule, window: Window) {
    let (instances, _) = rule.instances(window, MOST);
    assert!(instances.len() <= MOST);
    assert!(instances.is_sorted_by(|(one, _), (next, _)| one < next));
    for (key, when) in instances.iter().take(3) {
        assert!(when.first_day() <= window.to && when.last_day() >= window.from, "{when:?} lies outside");
        assert!(rule.occurs(*key), "{key:?} is an instance and does not occur");
    }
    if let Some(last) = rule.last_day() {
        assert!(instances.iter().all(|(_, when)| when.last_day() <= last), "an instance behind the last day {last}");
    }
}
