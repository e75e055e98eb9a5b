//! Records that have failed for good: which of them are due for a trial. Pure.
//!
//! A trial is a run on the sweep lane that has one attempt: it mends the record when the cause has gone away by itself, and
//! changes nothing when it has not. After the last one a person decides.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::mapping::{Mapping, Sweep};
use crate::queue::{Job, Lane};
use crate::sync::ledger::Trials;

/// Where the jobs of trials come from.
pub const SOURCE: &str = "trial";
/// Their words to the handler. With words of its own a trial neither swallows an ordinary job of its record nor is one.
pub const PAYLOAD: &str = r#"{"trial":true}"#;

/// Whether a job is a trial. What a webhook or a person asks for never is: neither comes by the sweep lane. A job that took
/// a waiting trial's place has its words, but another source.
#[must_use]
pub fn is_trial(job: &Job) -> bool {
    let says_so = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|words| words["trial"] == true);
    job.lane == Lane::Sweep
        && job.source.as_deref().is_none_or(|source| source == SOURCE)
        && job.payload.as_deref().is_some_and(says_so)
}

/// Why a trial is not to be made after all, if so: the record was taken up by somebody since it was queued. A failure of it
/// would be told to nobody, so that run belongs to an ordinary job. `retry`: an ordinary run of it is scheduled.
#[must_use]
pub fn superfluous(mapping: &Mapping, record: &Map<String, Value>, retry: bool) -> Option<&'static str> {
    if retry {
        return Some("no trial: a run is scheduled already");
    }
    (!is_given_up(mapping, record)).then_some("no trial: it is not failed for good any more")
}

/// Whether a record has failed for good.
#[must_use]
pub fn is_given_up(mapping: &Mapping, record: &Map<String, Value>) -> bool {
    record.get(&mapping.espocrm.status).and_then(Value::as_str) == Some(super::status::FOR_GOOD)
}

/// When the next trial is due; `None`: there is none any more.
#[must_use]
pub fn next_due(trials: &Trials, sweep: &Sweep) -> Option<DateTime<Utc>> {
    let from = trials.last.map_or(trials.since, |last| last.max(trials.since));
    (trials.tried < sweep.trials).then(|| from + TimeDelta::hours(i64::from(sweep.trial_hours)))
}

/// For a person who looks at the record: how many were made, of how many, and from when on a sweep makes the next one, UTC.
#[must_use]
pub fn shown(trials: &Trials, sweep: &Sweep) -> Value {
    let next = next_due(trials, sweep).map(|due| due.to_rfc3339_opts(SecondsFormat::Secs, true));
    json!({ "made": trials.tried, "at_most": sweep.trials, "next": next })
}

/// What is to be done about some records that have failed for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// Those that are due, with the trial counted already.
    pub due: BTreeMap<String, Trials>,
    /// Those that nothing was known of: their time begins now.
    pub new: BTreeMap<String, Trials>,
}

/// Picks among these ids. `known`: what is remembered of them.
#[must_use]
pub fn pick(ids: &[String], known: &BTreeMap<String, Trials>, sweep: &Sweep, now: DateTime<Utc>) -> Picked {
    let mut picked = Picked::default();
    for id in ids {
        match known.get(id) {
            None => {
                picked.new.insert(id.clone(), Trials::since(now));
            }
            Some(trials) if next_due(trials, sweep).is_some_and(|due| due <= now) => {
                let counted = Trials { tried: trials.tried + 1, last: Some(now), ..*trials };
                picked.due.insert(id.clone(), counted);
            }
            Some(_) => {}
        }
    }
    picked
}

/// What is remembered of records that are not failed for good any more, `ids` being all that are. Young entries stay: their
/// record may have failed after the list was read.
#[must_use]
pub fn outdated(known: &BTreeMap<String, Trials>, ids: &[String], now: DateTime<Utc>) -> Vec<String> {
    let listed: std::collections::HashSet<&String> = ids.iter().collect();
    let old = |trials: &Trials| trials.since + TimeDelta::hours(1) < now;
    known.iter().filter(|(id, trials)| !listed.contains(id) && old(trials)).map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::queue::Topic;
    use crate::sync::record::mapping::Mappings;

    const SWEEP: Sweep =
        Sweep { recheck_hours: 24, looks_per_hour: 600, list: true, page: 200, trial_hours: 24, trials: 7 };

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn job(lane: Lane, source: Option<&str>, payload: Option<&str>) -> Job {
        Job {
            topic: Topic::parse("vmh.beteiligte.sync_check"),
            key: "1".into(),
            lane,
            source: source.map(str::to_owned),
            failures: 0,
            enqueued_at: at(0),
            traceparent: None,
            payload: payload.map(str::to_owned),
            errors: Vec::new(),
            extra: Vec::new(),
        }
    }

    #[test]
    fn only_a_job_of_the_sweep_lane_that_says_so_is_a_trial() {
        assert!(is_trial(&job(Lane::Sweep, Some(SOURCE), Some(PAYLOAD))));
        assert!(is_trial(&job(Lane::Sweep, None, Some(PAYLOAD))), "by hand");
        for (lane, source, payload) in [
            (Lane::First, SOURCE, PAYLOAD),
            (Lane::First, "webhook", PAYLOAD),
            (Lane::Sweep, "sweep", PAYLOAD),
            (Lane::Sweep, SOURCE, "{}"),
            (Lane::Sweep, SOURCE, r#"{"trial":"true"}"#),
            (Lane::Sweep, SOURCE, "trial"),
        ] {
            assert!(!is_trial(&job(lane, Some(source), Some(payload))), "{lane:?} {source} {payload}");
        }
        assert!(!is_trial(&job(Lane::Sweep, Some(SOURCE), None)));
    }

    #[test]
    fn a_trial_gives_way_to_whoever_takes_the_record_up() {
        let mappings = Mappings::load(None).unwrap();
        let check = |status: &str, retry| {
            let record = json!({ "syncStatus": status });
            superfluous(mappings.get("beteiligte").unwrap(), record.as_object().unwrap(), retry).is_none()
        };
        assert!(check("permanently_failed", false));
        assert!(!check("permanently_failed", true));
        for status in ["failed", "dirty", "clean", "pending_sync", ""] {
            assert!(!check(status, false), "{status}");
        }
    }

    #[test]
    fn an_entry_is_kept_as_long_as_its_record_waits_for_a_person() {
        let entry = |hours| Trials::since(at(hours));
        let known = BTreeMap::from([("a".into(), entry(0)), ("b".into(), entry(0)), ("c".into(), entry(9))]);
        assert_eq!(outdated(&known, &["a".to_owned()], at(10)), ["b"]);
    }

    proptest! {
        #[test]
        fn however_often_it_is_looked_at_there_is_one_trial_a_day_for_seven_days(
            waits in prop::collection::vec(1_i64..60 * 30, 1..400), hours in 1_u32..100, most in 0_u32..12,
        ) {
            let sweep = Sweep { trial_hours: hours, trials: most, ..SWEEP };
            let ids = ["a".to_owned()];
            let (mut known, mut now, mut made) = (BTreeMap::new(), at(0), vec![]);
            for minutes in waits {
                let picked = pick(&ids, &known, &sweep, now);
                if known.is_empty() {
                    prop_assert_eq!((picked.new.len(), picked.due.len()), (1, 0));
                    known = picked.new;
                } else {
                    let before = &known[&ids[0]];
                    let last = made.last().copied().unwrap_or(before.since);
                    let expected = made.len() < usize::try_from(most).unwrap()
                        && now >= last + TimeDelta::hours(i64::from(hours));
                    prop_assert_eq!(picked.due.len(), usize::from(expected));
                    prop_assert!(picked.new.is_empty());
                    if expected {
                        made.push(now);
                        known = picked.due;
                        prop_assert_eq!(usize::try_from(known[&ids[0]].tried).unwrap(), made.len());
                        prop_assert_eq!(known[&ids[0]].since, at(0));
                    }
                }
                now += TimeDelta::minutes(minutes);
            }
        }
    }
}
