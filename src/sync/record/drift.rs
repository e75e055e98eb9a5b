//! Differences that a sweep found and no event had announced. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::compare::Evidence;
use super::execute::Report;
use super::mapping::Mapping;
use super::merge::Side;
use super::sweep::SOURCE;
use crate::queue::{Job, Lane};

/// The webhook of an edit that is younger may only be late: EspoCRM sends every 2 to 5 minutes, and tries a failed one again
/// after 10, three times (contract, "Queue"). One that stands in a long queue comes later still and is counted.
const LATE: TimeDelta = TimeDelta::minutes(35);

/// On which sides a difference would be one that nobody announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unannounced {
    advoware: bool,
    espocrm: bool,
}

impl Unannounced {
    /// Looks at a record as it was read before its run. Only a clean one that a sweep asks for counts: whatever else is
    /// looked at was announced, by a webhook, a person, or the record's own state.
    #[must_use]
    pub fn before(mapping: &Mapping, job: &Job, record: &Map<String, Value>, now: DateTime<Utc>) -> Self {
        let swept = job.lane == Lane::Sweep && job.source.as_deref() == Some(SOURCE) && !job.has_waited();
        let clean = record.get(&mapping.espocrm.status).and_then(Value::as_str) == Some("clean");
        if !swept || !clean {
            return Self::default();
        }
        let edited = Evidence::read(mapping, record, &Map::new()).espocrm_modified;
        Self { advoware: true, espocrm: edited.is_none_or(|at| at + LATE < now) }
    }

    /// The sides whose differences the run found. Those that write protection held back count each time they are found.
    #[must_use]
    pub fn found(self, report: &Report) -> Vec<Side> {
        if report.result == "unchanged" {
            return Vec::new();
        }
        let held_back = report.withheld.as_ref().is_some_and(|withheld| !withheld.fields.is_empty());
        let sides = [
            (Side::Advoware, self.advoware && !report.to_espocrm.is_empty()),
            (Side::Espocrm, self.espocrm && (held_back || !report.to_advoware.is_empty())),
        ];
        sides.into_iter().filter(|(_, found)| *found).map(|(side, _)| side).collect()
    }
}

/// How many records drifted on each day, UTC, by the side of the difference.
pub type Days = BTreeMap<(NaiveDate, &'static str), u64>;

/// The word for a side in metrics, details and the ledger.
#[must_use]
pub const fn name(side: Side) -> &'static str {
    match side {
        Side::Advoware => "advoware",
        Side::Espocrm => "espocrm",
    }
}

/// How many records drifted on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// On this day, UTC.
    pub today: u64,
    /// On this day and the six before it.
    pub week: u64,
}

/// Sums up one side's days.
#[must_use]
pub fn tally(days: &Days, side: Side, today: NaiveDate) -> Tally {
    let mut tally = Tally::default();
    for ((day, _), count) in days.iter().filter(|((_, of), _)| *of == name(side)) {
        match (today - *day).num_days() {
            0 => {
                tally.today += count;
                tally.week += count;
            }
            1..7 => tally.week += count,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::queue::Topic;
    use crate::sync::record::execute::Withheld;
    use crate::sync::record::mapping::Mappings;

    fn now() -> DateTime<Utc> {
        "2026-03-28T12:00:00Z".parse().unwrap()
    }

    fn job(lane: Lane, source: &str, failures: u32) -> Job {
        Job {
            topic: Topic::parse("vmh.beteiligte.sync_check"),
            key: "1".into(),
            lane,
            source: Some(source.to_owned()),
            failures,
            enqueued_at: now(),
            traceparent: None,
            payload: None,
            errors: Vec::new(),
            extra: Vec::new(),
        }
    }

    fn report(to_advoware: &[&str], to_espocrm: &[&str]) -> Report {
        let names = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        Report {
            result: "updated",
            to_advoware: names(to_advoware),
            to_espocrm: names(to_espocrm),
            ..Report::default()
        }
    }

    fn found(job: &Job, record: &Value, report: &Report) -> Vec<Side> {
        let mappings = Mappings::load(None).unwrap();
        let mapping = mappings.get("beteiligte").unwrap();
        Unannounced::before(mapping, job, record.as_object().unwrap(), now()).found(report)
    }

    #[test]
    fn only_what_a_sweep_finds_on_a_clean_record_is_drift() {
        let (swept, old) = (job(Lane::Sweep, SOURCE, 0), "2026-03-28 11:24:59");
        let both = report(&["name"], &["telGesch"]);
        let clean = json!({ "syncStatus": "clean", "modifiedAt": old });
        assert_eq!(found(&swept, &clean, &both), [Side::Advoware, Side::Espocrm]);
        assert_eq!(found(&swept, &clean, &report(&["name"], &[])), [Side::Espocrm]);
        assert_eq!(found(&swept, &clean, &report(&[], &["name"])), [Side::Advoware]);
        assert_eq!(found(&swept, &clean, &report(&[], &[])), []);
        for other in [job(Lane::First, SOURCE, 0), job(Lane::Sweep, "trial", 0), job(Lane::Sweep, SOURCE, 1)] {
            assert_eq!(found(&other, &clean, &both), [], "{other:?}");
        }
        for source in ["webhook", "cli"] {
            assert_eq!(found(&job(Lane::First, source, 0), &clean, &both), []);
        }
        for status in [json!("dirty"), json!("failed"), json!("permanently_failed"), Value::Null] {
            assert_eq!(found(&swept, &json!({ "syncStatus": status, "modifiedAt": old }), &both), []);
        }
    }

    #[test]
    fn the_webhook_of_a_young_edit_may_only_be_late() {
        let swept = job(Lane::Sweep, SOURCE, 0);
        let both = report(&["name"], &["telGesch"]);
        let young = json!({ "syncStatus": "clean", "modifiedAt": "2026-03-28 11:25:00" });
        assert_eq!(found(&swept, &young, &both), [Side::Advoware], "advoware announces nothing, ever");
        for unknown in [json!({ "syncStatus": "clean" }), json!({ "syncStatus": "clean", "modifiedAt": "?" })] {
            assert_eq!(found(&swept, &unknown, &both), [Side::Advoware, Side::Espocrm]);
        }
    }

    #[test]
    fn what_is_held_back_is_drift_and_what_is_only_spelt_differently_is_none() {
        let (swept, clean) = (job(Lane::Sweep, SOURCE, 0), json!({ "syncStatus": "clean" }));
        let withheld = |fields: &[&str]| {
            let fields = fields.iter().map(|it| (*it).to_owned()).collect();
            Report { result: "withheld", withheld: Some(Withheld { method: "PUT", fields }), ..Report::default() }
        };
        assert_eq!(found(&swept, &clean, &withheld(&["name"])), [Side::Espocrm]);
        assert_eq!(found(&swept, &clean, &withheld(&[])), []);
        let spelt = Report { result: "unchanged", ..report(&["telGesch"], &["emailGesch"]) };
        assert_eq!(found(&swept, &clean, &spelt), []);
    }

    #[test]
    fn a_week_is_this_day_and_the_six_before_it() {
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
        let days = Days::from([
            ((day(28), "advoware"), 1),
            ((day(22), "advoware"), 10),
            ((day(21), "advoware"), 100),
            ((day(29), "advoware"), 1000),
            ((day(27), "espocrm"), 7),
        ]);
        assert_eq!(tally(&days, Side::Advoware, day(28)), Tally { today: 1, week: 11 });
        assert_eq!(tally(&days, Side::Espocrm, day(28)), Tally { today: 0, week: 7 });
    }
}
