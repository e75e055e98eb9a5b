//! The picture as JSON (contract, "Commands") and as text.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::picture::{Drift, Picture, Planned};
use crate::cli::admin::show::{age, first_line, local, table};
use crate::queue::{BreakerState, Upstream};
use crate::sync::record::drift::Tally;

/// Times are UTC.
pub(super) fn json(picture: &Picture, remarks: &[String]) -> Value {
    let upstreams: Map<String, Value> =
        picture.upstreams.iter().map(|(name, upstream)| ((*name).to_owned(), upstream_json(upstream))).collect();
    let schedules: Map<String, Value> =
        picture.schedules.iter().map(|planned| (planned.name.to_owned(), schedule_json(planned))).collect();
    let drift: Map<String, Value> =
        picture.drift.iter().map(|drift| (drift.entity.clone(), drift_json(drift))).collect();
    json!({
        "flows": picture.stats.flows,
        "upstreams": upstreams,
        "schedules": schedules,
        "drift": drift,
        "write_protection": picture.here.as_ref().and_then(|here| here.write_protection),
        "remarks": remarks,
    })
}

fn upstream_json(upstream: &Upstream) -> Value {
    json!({
        "state": state(upstream),
        "failures": upstream.failures,
        "opened_at": upstream.opened_at.and_then(DateTime::from_timestamp_millis).map(utc),
        "error": upstream.error,
    })
}

fn schedule_json(planned: &Planned) -> Value {
    let slots = planned.slots;
    json!({
        "expression": planned.expression,
        "last": slots.last.map(utc),
        "next": planned.next.map(utc),
        "fired": slots.fired,
        "missed": slots.missed,
    })
}

fn drift_json(drift: &Drift) -> Value {
    let of = |tally: Tally| json!({"today": tally.today, "week": tally.week});
    json!({"advoware": of(drift.advoware), "espocrm": of(drift.espocrm)})
}

fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

const fn state(upstream: &Upstream) -> &'static str {
    match upstream.state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
    }
}

/// Times are local.
pub(super) fn text(picture: &Picture, remarks: &[String]) -> String {
    let zone = picture.zone;
    let mut parts = vec![flows(picture), upstreams(picture, zone), schedules(picture, zone), drift(picture)];
    if !remarks.is_empty() {
        parts.push(remarks.iter().flat_map(|remark| ["! ", remark, "\n"]).collect());
    }
    parts.join("\n")
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn flows(picture: &Picture) -> String {
    let mut rows = vec![row(["FLOW", "READY", "SWEEP", "SCHEDULED", "RUNNING", "PARKED", "DEAD", "WORKERS", "OLDEST"])];
    for (name, flow) in &picture.stats.flows {
        let counts = [flow.ready, flow.sweep, flow.scheduled, flow.running, flow.parked, flow.dead, flow.workers];
        let oldest = flow.oldest_age_ms.map_or_else(|| "-".to_owned(), age);
        rows.push([(*name).to_owned()].into_iter().chain(counts.map(|n| n.to_string())).chain([oldest]).collect());
    }
    table(&rows)
}

fn upstreams(picture: &Picture, zone: Tz) -> String {
    let mut rows = vec![row(["UPSTREAM", "STATE", ""])];
    for (name, upstream) in &picture.upstreams {
        let since = upstream.opened_at.and_then(DateTime::from_timestamp_millis).map(|at| local(at, zone));
        let state = match (upstream.state, upstream.failures) {
            (BreakerState::Open, _) => format!("down since {}", since.unwrap_or_else(|| "?".to_owned())),
            (BreakerState::Closed, 0) if !upstream.known => "not known yet".to_owned(),
            (BreakerState::Closed, 0) => "works".to_owned(),
            (BreakerState::Closed, failures) => format!("works, {failures} failures in a row"),
        };
        let error = upstream.error.as_deref().map(|error| first_line(error, 100)).unwrap_or_default();
        rows.push(vec![(*name).to_owned(), state, error]);
    }
    table(&rows)
}

fn schedules(picture: &Picture, zone: Tz) -> String {
    let mut rows = vec![row(["SCHEDULE", "EXPRESSION", "LAST", "NEXT"])];
    for planned in &picture.schedules {
        let time = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), |at| local(at, zone));
        let expression = planned.expression.clone().unwrap_or_else(|| "off".to_owned());
        rows.push(vec![planned.name.to_owned(), expression, time(planned.slots.last), time(planned.next)]);
    }
    table(&rows)
}

/// What sweeps found that nobody had announced; days are UTC.
fn drift(picture: &Picture) -> String {
    let mut rows = vec![row(["DRIFT", "ADVOWARE TODAY", "7 DAYS", "ESPOCRM TODAY", "7 DAYS"])];
    for Drift { entity, advoware, espocrm } in &picture.drift {
        let counts = [advoware.today, advoware.week, espocrm.today, espocrm.week].map(|count| count.to_string());
        rows.push([entity.clone()].into_iter().chain(counts).collect());
    }
    table(&rows)
}
