//! The first page: both flows and the upstreams.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use chrono::DateTime;
use maud::{Markup, html};

use super::access::Visitor;
use super::{Console, frame};
use crate::queue::{BreakerState, FlowStats, QueueError, Stats, Upstream};

pub(super) async fn show(State(console): State<Console>, Extension(visitor): Extension<Visitor>) -> Response {
    match fetch(&console).await {
        Ok((stats, upstreams)) => frame::page(&console, &visitor, "Overview", &render(&console, &stats, &upstreams)),
        Err(error) => frame::failed(&error),
    }
}

async fn fetch(console: &Console) -> Result<(Stats, Vec<(&String, Upstream)>), QueueError> {
    let queue = &console.options.queue;
    let stats = queue.stats((console.options.clock)()).await?;
    let mut upstreams = Vec::new();
    for name in &console.options.upstreams {
        upstreams.push((name, queue.upstream(name).await?));
    }
    Ok((stats, upstreams))
}

fn render(console: &Console, stats: &Stats, upstreams: &[(&String, Upstream)]) -> Markup {
    html! {
        h2 { "Flows" }
        table {
            tr {
                th { "Flow" }
                @for name in ["Ready", "From schedules", "Waiting for their time", "Running", "Waiting for a lock", "Dead", "Oldest", "Workers"] {
                    th.number { (name) }
                }
            }
            @for (name, flow) in &stats.flows { (flow_row(name, flow)) }
        }
        h2 { "Upstreams" }
        @if upstreams.is_empty() { p.soft { "None is known." } }
        table {
            @for (name, upstream) in upstreams { (upstream_row(console, name, upstream)) }
        }
        p.soft { "As of " (console.local((console.options.clock)())) ". Reload to look again." }
    }
}

fn flow_row(name: &str, flow: &FlowStats) -> Markup {
    let waiting = flow.ready + flow.sweep;
    html! {
        tr {
            td { (name) }
            @for count in [flow.ready, flow.sweep, flow.scheduled, flow.running, flow.parked] { td.number { (count) } }
            td.number { @if flow.dead > 0 { a.bad href="/console/dead" { (flow.dead) } } @else { "0" } }
            td.number { @match flow.oldest_age_ms { Some(ms) => (age(ms)), None => "–" } }
            td.number { @if flow.workers == 0 && waiting > 0 { span.bad { "none" } } @else { (flow.workers) } }
        }
    }
}

fn upstream_row(console: &Console, name: &str, upstream: &Upstream) -> Markup {
    let since = upstream.opened_at.and_then(DateTime::from_timestamp_millis);
    html! {
        tr {
            td { (name) }
            td {
                @match (upstream.state, upstream.failures) {
                    (BreakerState::Open, _) => {
                        span.bad { "down" }
                        @if let Some(since) = since { " since " (console.local(since)) }
                        ", its jobs wait"
                    }
                    (BreakerState::Closed, 0) if !upstream.known => span { "not known yet" },
                    (BreakerState::Closed, 0) => span.good { "works" },
                    (BreakerState::Closed, failures) => span.warn { "works, " (failures) " failures in a row" },
                }
            }
            td.soft { @if let Some(error) = &upstream.error { (error) } }
        }
    }
}

/// An age in the largest unit that says enough.
fn age(ms: i64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let check = |ms: i64, expected: &str| assert_eq!(age(ms), expected);
        check(0, "0 s");
        check(59_999, "59 s");
        check(60_000, "1 min");
        check(3_600_000, "1 h");
        check(172_800_000, "2 d");
    }
}
