//! How fast jobs are queued, in batches of 50 and one at a time, by one client that waits for each answer.

use anyhow::Result;
use tokio::time::Instant;

use crate::bench::{Bench, number};
use crate::jobs;
use crate::producer::Producer;
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Rounds, Side};

/// Both figures of each side.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let kinds = [("enqueue_batch", 50, bench.sizes.batched, 1.0), ("enqueue_single", 1, bench.sizes.single, 0.9)];
    for (name, size, jobs, goal) in kinds {
        let rounds = Rounds::measure(&bench.sides, bench.sizes.rounds, async |side| {
            let jobs = if side == Side::Peer { jobs.min(bench.sizes.batched_peer) } else { jobs };
            bench.redis.empty().await?;
            let producer = Producer::prepare(bench, side).await?;
            let took = add(producer, jobs, size).await?;
            Ok([number(jobs) / took])
        })
        .await?;
        figures.push(rounds.figure(
            Side::Product,
            0,
            bench.name(name),
            "jobs/s",
            Better::More,
            Some(Goal::Ratio(goal)),
        ));
        if rounds.has(Side::Peer) {
            let name = bench.name(&format!("peer_{name}"));
            figures.push(rounds.figure(Side::Peer, 0, name, "jobs/s", Better::More, None));
        }
    }
    Ok(figures)
}

/// Seconds that it takes. In a task of its own, as requests are served: the main thread would have to be woken for each
/// answer.
async fn add(mut producer: Producer, jobs: u64, size: u64) -> Result<f64> {
    let batches: Vec<(Vec<String>, String)> = jobs::batches(jobs, size).zip((0..).map(jobs::traceparent)).collect();
    tokio::spawn(async move {
        let begin = Instant::now();
        for (keys, trace) in &batches {
            producer.add(keys, trace).await?;
        }
        Ok(begin.elapsed().as_secs_f64())
    })
    .await?
}
