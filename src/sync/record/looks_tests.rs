//! When records are looked at again, and what a list proves.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::sync::record::mapping::Mappings;

fn at(hours: f64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + minutes(hours * 60.0)
}

#[expect(clippy::cast_possible_truncation, reason = "a few days")]
fn minutes(minutes: f64) -> TimeDelta {
    TimeDelta::milliseconds((minutes * 60_000.0) as i64)
}

fn sweep() -> Sweep {
    Sweep { recheck_hours: 24, looks_per_hour: 600, list: true, page: 200, trial_hours: 24, trials: 7 }
}

fn pace(last: f64, now: f64) -> Pace {
    Pace::new(&sweep(), Some(at(last)), at(now))
}

#[test]
fn the_interval_grows_with_the_time_since_the_last_change() {
    let pace = pace(0.0, 0.25);
    let hours = |since: Option<f64>| pace.interval(since.map(|hours| minutes(hours * 60.0))).num_minutes();
    assert_eq!(hours(Some(0.0)), 15);
    assert_eq!(hours(Some(2.0)), 15);
    assert_eq!(hours(Some(4.0)), 30);
    assert_eq!(hours(Some(24.0)), 180);
    assert_eq!(hours(Some(24.0 * 30.0)), 20 * 60 + 24);
    assert_eq!(hours(None), 20 * 60 + 24);
    // A change in the future, of a clock that was set back, is a very young one.
    assert_eq!(hours(Some(-3.0)), 15);
}

#[test]
fn a_first_sweep_and_one_after_weeks_have_bounds() {
    let first = Pace::new(&sweep(), None, at(0.0));
    assert!((149..=151).contains(&first.budget()), "{}", first.budget());
    let late = pace(0.0, 500.0);
    assert_eq!(late.budget(), 600 * 24);
    assert!((5800..5950).contains(&late.share(5000)));
    // The clock went back.
    assert_eq!(pace(5.0, 0.0).budget(), 0);
}

#[test]
fn only_what_the_list_did_not_show_for_too_long_is_left() {
    let looks = [look("a", -25.0, None), look("b", -23.0, None)];
    assert_eq!(pace(-0.25, 0.0).daily(&looks, 2, true), ["a"]);
    // Without a list, what would be late by the next sweep is late.
    let looks = [look("a", -25.0, None), look("b", -23.9, None), look("c", -23.0, None)];
    assert_eq!(pace(-0.25, 0.0).daily(&looks, 3, false), ["a", "b"]);
}

#[test]
fn the_most_overdue_of_those_that_changed_lately_come_first_and_the_budget_bounds_them() {
    let frugal = Sweep { looks_per_hour: 8, ..sweep() };
    let pace = Pace::new(&frugal, Some(at(-0.25)), at(0.0));
    let looks = [
        look("young", -0.1, Some(-1.0)),
        look("due", -0.5, Some(-1.0)),
        look("most", -3.0, Some(-9.0)),
        look("old change, looked at lately", -1.0, Some(-90.0)),
        look("third", -0.4, Some(-2.0)),
    ];
    assert_eq!(pace.early(&looks), ["most", "due"]);
}

fn look(id: &str, at_hours: f64, changed: Option<f64>) -> Look {
    Look { id: id.to_owned(), at: at(at_hours), changed: changed.map(at) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Two days of sweeps, a few of them late: however many records there are, and however they were looked at before,
    /// everyone is looked at within the time, and no sweep takes much more than its share.
    #[test]
    fn everybody_is_looked_at_in_time_and_the_load_is_spread(
        count in 1..1500_u32, at_once in any::<bool>(), late in proptest::collection::vec(0.0..10.0_f64, 200),
    ) {
        // Minutes of the looks before, all within the last day; at once is what a first sync leaves.
        let mut looked: Vec<(u32, f64)> =
            (0..count).map(|id| (id, if at_once { 0.0 } else { -(f64::from(id) * 7.0 % 1200.0) })).collect();
        let (mut now, mut last, mut most, mut oldest) = (0.0, 0.0, 0, 0.0_f64);
        for late in late {
            now += 15.0;
            let this = now + if late > 9.0 { late } else { 0.0 };
            looked.sort_by(|a, b| a.1.total_cmp(&b.1));
            let pace = Pace::new(&sweep(), Some(at(last / 60.0)), at(this / 60.0));
            let oldest_first: Vec<Look> =
                looked.iter().take(pace.at_most(count as usize)).map(|(id, at)| look(&id.to_string(), at / 60.0, None)).collect();
            let taken = pace.daily(&oldest_first, count as usize, false);
            most = most.max(taken.len());
            oldest = oldest.max(looked.first().map_or(0.0, |(_, minutes)| this - minutes));
            for entry in looked.iter_mut().take(taken.len()) {
                entry.1 = this;
            }
            last = this;
        }
        prop_assert!(oldest <= 24.0 * 60.0 + 1.0, "{oldest} minutes");
        // The share of 25 minutes at most.
        let share = f64::from(count) * 25.0 / (0.85 * 24.0 * 60.0);
        prop_assert!(f64::from(u32::try_from(most).unwrap()) <= share.ceil() + 1.0, "{most} of {count}");
    }

    /// However the sweeps fall, an hour gets its looks, and not one more.
    #[test]
    fn the_budget_of_an_hour_is_kept_exactly(per_hour in 0..2000_u32, cuts in proptest::collection::vec(0.0..1.0_f64, 1..40)) {
        let mut cuts: Vec<f64> = cuts.into_iter().chain([0.0, 1.0]).collect();
        cuts.sort_by(f64::total_cmp);
        let sweep = Sweep { looks_per_hour: per_hour, ..sweep() };
        let spent: usize = cuts.windows(2).map(|pair| Pace::new(&sweep, Some(at(pair[0])), at(pair[1])).budget()).sum();
        prop_assert!(spent.abs_diff(per_hour as usize) <= 1, "{spent} of {per_hour}");
    }
}

/// A record that is in step, with its pair.
fn settled() -> (Map<String, Value>, Pair) {
    let record = json!({
        "id": "a", "firstName": "Max", "lastName": "Muster", "firmenname": null, "dateOfBirth": "1980-05-17", "anrede": "Herr",
        "rechtsform": null, "handelsregisterNummer": null, "emailAddress": "max@example.org", "phoneNumber": "+4930123456",
        "advowareId": 17, "advowareRowId": "r1", "syncStatus": "clean", "advowareLastSync": "2026-01-01 00:00:00",
        "syncErrorMessage": null, "syncRetryCount": 0,
    });
    let record = record.as_object().unwrap().clone();
    let mappings = Mappings::load(None).unwrap();
    let content = mappings.get("beteiligte").unwrap().from_espocrm(&record);
    let snapshot = Some(Snapshot { espocrm: content.clone(), advoware: content });
    let pair = Pair::new("17", Some("r1".into()), snapshot, at(0.0));
    (record, pair)
}

#[test]
fn a_list_proves_only_what_it_shows() {
    let mappings = Mappings::load(None).unwrap();
    let mapping = mappings.get("beteiligte").unwrap();
    let (record, pair) = settled();
    assert!(in_step(mapping, &record, Some(&pair)));
    assert!(!in_step(mapping, &record, None));
    let with = |name: &str, value: Value| {
        let mut record = record.clone();
        record.insert(name.to_owned(), value);
        record
    };
    // Every attribute that the page shows matters, and so does every one that it does not.
    for name in mapping.espocrm_attributes().iter().filter(|name| !["id", "modifiedAt"].contains(&name.as_str())) {
        let other = if name == "syncRetryCount" || name == "advowareId" { json!(3) } else { json!("2001-01-01") };
        // Any time will do, and a company's name is none of a person's.
        let any = ["advowareLastSync", "firmenname"].contains(&name.as_str());
        assert_eq!(in_step(mapping, &with(name, other), Some(&pair)), any, "{name} is another");
        let mut hidden = record.clone();
        hidden.shift_remove(name);
        assert_eq!(in_step(mapping, &hidden, Some(&pair)), name == "firmenname", "{name} is hidden");
    }
    assert!(in_step(mapping, &with("description", json!("not synced")), Some(&pair)));
    assert!(in_step(mapping, &with("emailAddress", json!("MAX@example.org")), Some(&pair)), "it means the same");
    let changed = |change: &dyn Fn(&mut Pair)| {
        let mut pair = pair.clone();
        change(&mut pair);
        in_step(mapping, &record, Some(&pair))
    };
    assert!(!changed(&|pair| pair.number = "18".into()));
    assert!(!changed(&|pair| pair.row_id = Some("r2".into())));
    assert!(!changed(&|pair| pair.snapshot = None));
    assert!(!changed(&|pair| pair.note = Some("owed".into())));
}

#[test]
fn a_look_since_the_last_edit_is_enough_for_a_while() {
    let pace = pace(-0.25, 0.0);
    let check = |looked: Option<f64>, modified: Option<f64>| looked_since(&pace, looked.map(at), modified.map(at));
    assert!(check(Some(-1.0), Some(-2.0)));
    assert!(!check(Some(-1.0), Some(-0.5)), "edited since");
    assert!(!check(Some(-1.0), Some(-1.001)), "clocks differ a little");
    assert!(!check(Some(-25.0), Some(-40.0)), "too long ago");
    assert!(!check(None, Some(-2.0)));
    assert!(!check(Some(-1.0), None));
    assert!(check(Some(0.1), Some(-2.0)), "a run that ended while the sweep goes on");
    assert!(!check(Some(9000.0), Some(-2.0)), "a clock that was a year ahead");
}

#[test]
fn what_a_clock_that_was_ahead_says_keeps_nobody_from_looking() {
    let pace = pace(-0.25, 0.0);
    let due = |looked: f64| pace.is_due(Some(at(looked)), None);
    assert!(due(9000.0), "a year ahead: the list and the walk would rest for a year");
    assert!(!due(0.1), "a run that ended while the sweep goes on");
    assert!(!due(-1.0));
    assert!(due(-25.0));
}
