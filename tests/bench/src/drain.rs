//! How fast queued jobs are run: jobs a second, Redis' CPU a job, calls a job; with one worker process and with two.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use crate::bench::{Bench, number};
use crate::child::Child;
use crate::producer::Producer;
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Rounds, Side};

/// How often is looked whether all is done.
const LOOK: Duration = Duration::from_millis(5);
/// No drain takes longer.
const WITHIN: Duration = Duration::from_mins(5);

/// What one drain came to.
pub(crate) struct Drained {
    /// From the first claim to the last finish.
    pub(crate) took: f64,
    /// Seconds of Redis' CPU.
    pub(crate) redis_cpu: f64,
    /// Seconds of the workers' CPU.
    pub(crate) worker_cpu: f64,
    /// Calls that clients made.
    pub(crate) calls: f64,
}

/// All figures about draining.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let jobs = bench.sizes.drain;
    let each = |side| if side == Side::Peer { bench.sizes.drain_peer } else { jobs };
    let rounds = Rounds::measure(&bench.sides, bench.sizes.rounds, async |side| {
        let count = each(side);
        fill(bench, side, count).await?;
        let it = drain(bench, side, count, 1).await?;
        let count = number(count);
        Ok([count / it.took, it.redis_cpu / count * 1e6, it.calls / count, it.worker_cpu / count * 1e6])
    })
    .await?;
    let two = Rounds::measure(&[Side::Product, Side::Raw], bench.sizes.rounds, async |side| {
        fill(bench, side, jobs).await?;
        let it = drain(bench, side, jobs, if side == Side::Product { 2 } else { 1 }).await?;
        Ok([number(jobs) / it.took])
    })
    .await?;
    for side in bench.sides.iter().copied() {
        println!(
            "drain of {} jobs, {side:?}: {:.1} us a job; CPU a job: redis {:.1} us, worker {:.1} us; calls a job {:.3}",
            each(side),
            1e6 / rounds.median(side, 0),
            rounds.median(side, 1),
            rounds.median(side, 3),
            rounds.median(side, 2),
        );
    }
    let name = |name: &str| bench.name(name);
    let mut figures = vec![
        rounds.figure(Side::Product, 0, name("drain"), "jobs/s", Better::More, Some(Goal::Ratio(0.6))),
        two.figure(Side::Product, 0, name("drain_2"), "jobs/s", Better::More, None),
        rounds.figure(Side::Product, 1, name("drain_redis_cpu"), "us/job", Better::Less, Some(Goal::Ratio(1.8))),
        Figure {
            raw: None,
            ratio: None,
            ..rounds.figure(Side::Product, 2, name("rounds_per_job"), "calls/job", Better::Less, Some(Goal::Value(0.1)))
        },
    ];
    if rounds.has(Side::Peer) {
        figures.push(rounds.figure(Side::Peer, 0, name("peer_drain"), "jobs/s", Better::More, None));
        figures.push(rounds.figure(Side::Peer, 1, name("peer_drain_redis_cpu"), "us/job", Better::Less, None));
    }
    Ok(figures)
}

/// Empties Redis and queues this many jobs.
pub(crate) async fn fill(bench: &Bench, side: Side, jobs: u64) -> Result<()> {
    bench.redis.empty().await?;
    let mut producer = Producer::prepare(bench, side).await?;
    producer.fill(jobs).await?;
    bench.redis.settle().await
}

/// Runs what is queued, by so many worker processes.
pub(crate) async fn drain(bench: &Bench, side: Side, jobs: u64, workers: usize) -> Result<Drained> {
    if bench.redis.count(side.holds()).await? != jobs {
        bail!("{side:?}: there are not as many jobs as were queued");
    }
    let mut children = Vec::new();
    for n in 0..workers {
        children.push(match side {
            Side::Product => bench.worker(&format!("bench-{n}"), &[]).await?,
            Side::Raw => Child::start(&["raw", "--redis", &bench.redis.url]).await?,
            Side::Peer => bench.peer_worker(&[]).await?,
        });
    }
    let worker_cpu = |children: &[Child]| children.iter().filter_map(Child::cpu).sum::<f64>();
    let (redis_before, worker_before, calls_before) =
        (bench.redis.cpu().await?, worker_cpu(&children), bench.redis.calls().await?);
    let begin = Instant::now();
    for child in &mut children {
        child.go().await?;
    }
    while bench.redis.count(side.holds()).await? > 0 {
        if begin.elapsed() > WITHIN {
            bail!("{side:?}: the jobs are not done after {WITHIN:?}");
        }
        sleep(LOOK).await;
    }
    let took = begin.elapsed().as_secs_f64();
    let redis_cpu = bench.redis.cpu().await? - redis_before;
    let calls = client_calls(&calls_before, &bench.redis.calls().await?);
    let worker_cpu = worker_cpu(&children) - worker_before;
    for child in children {
        child.stop().await?;
    }
    Ok(Drained { took, redis_cpu, worker_cpu, calls })
}

/// Calls of the commands that clients send while they drain. Redis counts what functions call, too; none of ours calls
/// these (and if one did, it would count against it).
fn client_calls(before: &HashMap<String, f64>, after: &HashMap<String, f64>) -> f64 {
    let commands = ["fcall", "fcall_ro", "evalsha", "xreadgroup", "xautoclaim", "bzpopmin"];
    let calls = |of: &HashMap<String, f64>| commands.iter().filter_map(|name| of.get(*name)).sum::<f64>();
    calls(after) - calls(before)
}
