//! What of the picture deserves a word, and what to do about it. Pure.

use chrono::TimeDelta;

use super::picture::{Drift, Picture, Planned};
use crate::cli::admin::show::{first_line, recent_loss};
use crate::queue::{self, BreakerState, Flow};
use crate::settings::Upstream;

/// A slot that is so long overdue was not merely late; of a schedule that fires more often, two that are due say so sooner.
const OVERDUE: TimeDelta = TimeDelta::minutes(2);
/// A cron process that has just been started may take so long before it makes up for slots.
const CATCHING_UP: TimeDelta = TimeDelta::seconds(10);

/// What is said of an upstream that is down.
pub(in crate::cli::admin) fn down(name: &str, upstream: &queue::Upstream) -> Option<String> {
    let said = upstream.error.as_deref().map(|error| format!(" ({})", first_line(error, 200))).unwrap_or_default();
    (upstream.state == BreakerState::Open).then(|| {
        format!("{name} is down{said}: its jobs wait and nothing is lost; it is tried every 5 s, `advosync doctor` looks closer")
    })
}

/// One sentence each, most urgent first.
pub(super) fn remarks(picture: &Picture) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(picture.upstreams.iter().filter_map(|(name, upstream)| down(name, upstream)));
    out.extend(recent_loss(picture.loss, picture.now, picture.zone));
    for flow in Flow::ALL {
        out.extend(without_worker(picture, flow));
    }
    for flow in Flow::ALL {
        let dead = picture.stats.flows.get(flow.name()).map_or(0, |flow| flow.dead);
        if dead > 0 {
            let jobs = if dead == 1 { "job has" } else { "jobs have" };
            out.push(format!("{dead} {jobs} failed for good in the flow {flow}: `advosync dead list --flow {flow}`"));
        }
    }
    out.extend(picture.schedules.iter().filter_map(|planned| unpunctual(picture, planned)));
    out.extend(picture.drift.iter().filter_map(lost_webhooks));
    match &picture.here {
        None => out.push("the settings of an upstream have faults here: `advosync doctor` lists them".to_owned()),
        Some(here) if here.write_protection == Some(true) => out.push(
            "ADVOWARE_WRITE_PROTECTION is on here: a worker with these settings writes nothing to Advoware, its jobs \
             report what would be"
                .to_owned(),
        ),
        Some(_) => {}
    }
    out
}

fn without_worker(picture: &Picture, flow: Flow) -> Option<String> {
    let stats = picture.stats.flows.get(flow.name())?;
    if stats.workers > 0 || stats.running > 0 {
        return None;
    }
    let lacks: Vec<String> = match &picture.here {
        Some(here) => here.missing.iter().filter(|it| calls(flow, it.upstream)).map(ToString::to_string).collect(),
        None => Vec::new(),
    };
    let why = if lacks.is_empty() {
        "start `advosync worker` or `advosync up`; if one runs already, it lacks credentials, and its log says which"
            .to_owned()
    } else {
        format!("a worker with the settings of this machine would not read it: {}", lacks.join("; "))
    };
    Some(format!("no worker reads the flow {flow}, its jobs wait: {why}"))
}

/// Whether the flow's jobs call this upstream: a worker that cannot does not read the flow.
const fn calls(flow: Flow, upstream: Upstream) -> bool {
    match upstream {
        Upstream::Advoware => true,
        Upstream::EspoCrm => matches!(flow, Flow::Vmh),
        Upstream::Google => matches!(flow, Flow::Calendar),
    }
}

fn unpunctual(picture: &Picture, planned: &Planned) -> Option<String> {
    planned.expression.as_ref()?;
    let name = planned.name;
    if planned.slots.from.is_none() {
        return Some(format!(
            "the schedule {name} has never been looked after: start `advosync cron` or `advosync up`"
        ));
    }
    let [first, second] = planned.due.map(|due| due.filter(|due| *due <= picture.now));
    let late = picture.now - first?;
    let overdue = late > OVERDUE || second.is_some() && late > CATCHING_UP;
    overdue.then(|| {
        format!(
            "the schedule {name} should have fired {} ago: does `advosync cron` or `advosync up` run?",
            super::super::show::age(late.num_milliseconds())
        )
    })
}

/// Advoware announces nothing, so what is found there is as it should be. EspoCRM does.
fn lost_webhooks(drift: &Drift) -> Option<String> {
    let Drift { entity, espocrm, .. } = drift;
    let edits = match espocrm.week {
        0 => return None,
        1 => "1 edit".to_owned(),
        many => format!("{many} edits"),
    };
    Some(format!(
        "{edits} of {entity} in EspoCRM came to light only by a sweep within 7 days: webhooks get lost; `advosync doctor` \
         looks at them, the log of the ingress says whether it refused some"
    ))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::picture::{Drift, Here};
    use super::*;
    use crate::queue::{FlowStats, Loss, Slots, Stats, Upstream as Breaker};
    use crate::settings::Missing;
    use crate::sync::record::drift::Tally;

    fn now() -> DateTime<Utc> {
        "2026-03-28T12:00:00Z".parse().unwrap()
    }

    /// Nothing to remark.
    fn well() -> Picture {
        let flow = FlowStats { workers: 1, ..FlowStats::default() };
        let closed = Breaker { state: BreakerState::Closed, known: true, failures: 0, opened_at: None, error: None };
        let (last, due) = (now() - TimeDelta::minutes(5), now() + TimeDelta::minutes(10));
        let planned = Planned {
            name: "records",
            expression: Some("*/15 * * * *".to_owned()),
            slots: Slots { from: Some(last), last: Some(last), fired: 1, missed: 0 },
            due: [Some(due), Some(due + TimeDelta::minutes(15))],
            next: Some(due),
        };
        Picture {
            now: now(),
            stats: Stats { flows: Flow::ALL.iter().map(|it| (it.name(), flow)).collect() },
            upstreams: vec![("advoware", closed)],
            loss: None,
            zone: chrono_tz::Europe::Berlin,
            schedules: vec![planned],
            drift: vec![Drift {
                entity: "beteiligte".to_owned(),
                advoware: Tally { today: 3, week: 30 },
                espocrm: Tally::default(),
            }],
            here: Some(Here { write_protection: Some(false), missing: Vec::new() }),
        }
    }

    /// So many seconds ago the first two slots after the last one were due.
    fn overdue(picture: &mut Picture, first: i64, second: i64) {
        picture.schedules[0].due = [first, second].map(|ago| Some(now() - TimeDelta::seconds(ago)));
    }

    #[test]
    fn what_is_well_needs_no_words_and_the_rest_is_named_with_a_remedy() {
        assert_eq!(remarks(&well()), Vec::<String>::new());
        let check = |change: &dyn Fn(&mut Picture), expected: &[&str]| {
            let mut picture = well();
            change(&mut picture);
            let found = remarks(&picture);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(expected.iter().all(|words| found[0].contains(words)), "{found:?} lacks {expected:?}");
        };
        let flow = |picture: &mut Picture, name: &'static str, change: &dyn Fn(&mut FlowStats)| {
            change(picture.stats.flows.get_mut(name).unwrap());
        };
        check(&|it| it.loss = Some((Loss::Emptied, now())), &["redis was emptied", "13:00:00", "runbook"]);
        check(&|it| flow(it, "vmh", &|it| it.workers = 0), &["flow vmh", "advosync worker"]);
        check(&|it| flow(it, "calendar", &|it| it.workers = 0), &["flow calendar", "advosync worker"]);
        check(&|it| flow(it, "vmh", &|it| it.dead = 1), &["1 job has", "dead list --flow vmh"]);
        let lacks = |it: &mut Picture, upstream: Upstream, name: &'static str| {
            it.here.as_mut().unwrap().missing.push(Missing { upstream, names: vec![name], detail: None });
        };
        let (advoware, key) = ("ADVOWARE_PASSWORD", "GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH");
        for (name, lacking, setting) in [
            ("vmh", Upstream::Advoware, advoware),
            ("calendar", Upstream::Advoware, advoware),
            ("calendar", Upstream::Google, key),
        ] {
            check(
                &|it| {
                    flow(it, name, &|it| it.workers = 0);
                    lacks(it, lacking, setting);
                },
                &[&format!("flow {name}"), setting],
            );
        }
        // What the flow's jobs never call would lead astray.
        for (name, lacking) in [("vmh", Upstream::Google), ("calendar", Upstream::EspoCrm)] {
            check(
                &|it| {
                    flow(it, name, &|it| it.workers = 0);
                    lacks(it, lacking, "OTHER");
                },
                &[&format!("flow {name}"), "start `advosync worker`"],
            );
        }
        check(
            &|it| {
                it.upstreams[0].1.state = BreakerState::Open;
                it.upstreams[0].1.error = Some("no connection".to_owned());
            },
            &["advoware is down (no connection)", "doctor"],
        );
        let lost = |today, week| move |it: &mut Picture| it.drift[0].espocrm = Tally { today, week };
        check(&lost(0, 1), &["1 edit of beteiligte", "webhooks get lost", "doctor"]);
        check(&lost(2, 2), &["2 edits of beteiligte"]);
        check(&|it| it.schedules[0].slots.from = None, &["records has never", "advosync cron"]);
        check(&|it| overdue(it, 180, 180 - 900), &["should have fired 3 min ago"]);
        // Two of them are late enough for those that come often.
        check(&|it| overdue(it, 70, 10), &["should have fired 1 min ago"]);
        check(&|it| overdue(it, 11, 10), &["should have fired 11 s ago"]);
        check(&|it| it.here = None, &["faults", "doctor"]);
        check(&|it| it.here.as_mut().unwrap().write_protection = Some(true), &["ADVOWARE_WRITE_PROTECTION"]);
    }

    #[test]
    fn a_schedule_that_is_off_or_hardly_late_is_no_matter() {
        let mut picture = well();
        for (first, second) in [(60, -1), (120, -1), (10, 9), (0, -1)] {
            overdue(&mut picture, first, second);
            assert!(remarks(&picture).is_empty(), "{first} {second}");
        }
        let slots = Slots::default();
        picture.schedules[0] = Planned { name: "records", expression: None, slots, due: [None; 2], next: None };
        assert!(remarks(&picture).is_empty());
    }

    #[test]
    fn a_worker_whose_slots_are_all_taken_is_one() {
        let mut picture = well();
        let flow = picture.stats.flows.get_mut("vmh").unwrap();
        (flow.workers, flow.running) = (0, 16);
        assert!(remarks(&picture).is_empty());
    }
}
