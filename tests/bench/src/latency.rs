//! From just before the call that queues a job to the start of its handler in another process, at an even pace.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep_until};

use crate::bench::{Bench, number};
use crate::child::Child;
use crate::jobs;
use crate::producer::Producer;
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Rounds, Side, percentile};
use crate::stamps;

/// 200 jobs a second.
const PACE: Duration = Duration::from_millis(5);
/// Jobs of each turn that are not counted: connections are made, code is loaded.
const WARM_UP: u64 = 40;
/// How long after the last one a job may begin.
const LATEST: Duration = Duration::from_millis(500);

/// The figures of each side.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let rounds = Rounds::measure(&bench.sides, bench.sizes.rounds, async |side| {
        let (times, calls) = once(bench, side).await?;
        Ok([percentile(times.clone(), 50), percentile(times, 99), calls])
    })
    .await?;
    for side in bench.sides.iter().copied() {
        let calls = rounds.median(side, 2);
        println!("latency, {side:?}: {calls:.1} calls a job, the one that queues it and idle ones included");
    }
    let figure = |side, at, name: &str, goal: Option<f64>| {
        rounds.figure(side, at, bench.name(name), "ms", Better::Less, goal.map(Goal::Ratio))
    };
    let mut figures =
        vec![figure(Side::Product, 0, "latency_p50", Some(2.0)), figure(Side::Product, 1, "latency_p99", Some(2.0))];
    if rounds.has(Side::Peer) {
        figures.push(figure(Side::Peer, 0, "peer_latency_p50", None));
        figures.push(figure(Side::Peer, 1, "peer_latency_p99", None));
    }
    Ok(figures)
}

/// Milliseconds of each job, and calls a job.
async fn once(bench: &Bench, side: Side) -> Result<(Vec<f64>, f64)> {
    bench.redis.empty().await?;
    let mut producer = Producer::prepare(bench, side).await?;
    let url = bench.redis.url.as_str();
    let mut child = match side {
        Side::Product => bench.worker("bench", &["--stamps"]).await?,
        Side::Raw => Child::start(&["raw-reader", "--redis", url]).await?,
        Side::Peer => bench.peer_worker(&["--stamps"]).await?,
    };
    let before = bench.redis.calls().await?;
    child.go().await?;
    let total = WARM_UP + bench.sizes.latency;
    let sent = tokio::spawn(async move {
        let mut sent = Vec::new();
        let mut next = Instant::now() + LATEST;
        for n in 0..total {
            sleep_until(next).await;
            next += PACE;
            let (key, trace) = ([jobs::key(n)], jobs::traceparent(n));
            let at = stamps::now();
            producer.add(&key, &trace).await?;
            sent.push((key, at));
        }
        sleep_until(next + LATEST).await;
        anyhow::Ok(sent)
    })
    .await??;
    let calls = bench.redis.calls().await?.by_clients_since(&before) / number(total);
    let lines = child.stop().await?;
    let begun = stamps::read(&lines);
    let counted = sent.iter().skip(usize::try_from(WARM_UP)?);
    let times: Result<Vec<f64>> = counted
        .map(|([key], at)| {
            let begun = begun.get(key.as_str()).with_context(|| format!("{side:?}: the job {key} was never begun"))?;
            Ok(Duration::from_micros(begun.saturating_sub(*at)).as_secs_f64() * 1_000.0)
        })
        .collect();
    Ok((times?, calls))
}
