//! How fast queued jobs are run: jobs a second, Redis' CPU a job, calls a job; with one worker process and with two.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use crate::bench::{Bench, number};
use crate::child::Child;
use crate::producer::Producer;
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Rounds, Side};
use crate::stamps;

/// The shortest pause before it is looked again whether all is done, and the longest.
const LOOKS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];
/// No drain takes longer.
const WITHIN: Duration = Duration::from_mins(5);

/// What one drain came to.
pub(crate) struct Drained {
    /// From the first claim to the last finish.
    pub(crate) took: f64,
    /// Seconds of Redis' CPU.
    pub(crate) redis_cpu: f64,
    /// Seconds of the workers' CPU.
    worker_cpu: f64,
    /// Calls that clients made.
    calls: f64,
    /// Where Redis' time went: command, microseconds a job (calls a job).
    parts: Vec<String>,
}

/// All figures about draining.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let jobs_of = |side| if side == Side::Peer { bench.sizes.drain_peer } else { bench.sizes.drain };
    let mut parts = Vec::new();
    let rounds = Rounds::measure(&bench.sides, bench.sizes.rounds, async |side| {
        let jobs = jobs_of(side);
        let run = async |workers, raw| {
            fill(bench, side, jobs).await?;
            drain(bench, side, jobs, workers, raw).await
        };
        let one = run(1, &[]).await?;
        if side == Side::Product {
            parts.clone_from(&one.parts);
        }
        // What a second process adds is asked of the product only, against the same raw drain.
        let two = if side == Side::Product { run(2, &[]).await?.took } else { one.took };
        let variadic = if side == Side::Raw { Some(run(1, &["--variadic"]).await?) } else { None };
        let variadic = variadic.as_ref().unwrap_or(&one);
        let jobs = number(jobs);
        let each = |seconds: f64| seconds / jobs * 1e6;
        Ok([
            jobs / one.took,
            jobs / two,
            each(one.redis_cpu),
            one.calls / jobs,
            each(one.worker_cpu),
            jobs / variadic.took,
            each(variadic.redis_cpu),
        ])
    })
    .await?;
    for side in bench.sides.iter().copied() {
        println!(
            "drain of {} jobs, {side:?}: {:.1} us a job; CPU a job: redis {:.1} us, worker {:.1} us; calls a job {:.3}",
            jobs_of(side),
            1e6 / rounds.median(side, 0),
            rounds.median(side, 2),
            rounds.median(side, 4),
            rounds.median(side, 3),
        );
    }
    println!(
        "redis' time in a product's job, us (calls), functions' inner calls also by themselves: {}",
        parts.join(", ")
    );
    let rate = |side, at, name, goal| rounds.figure(side, at, bench.name(name), "jobs/s", Better::More, goal);
    let cpu = |side, at, name, goal| rounds.figure(side, at, bench.name(name), "us/job", Better::Less, goal);
    let calls = Figure {
        name: bench.name("rounds_per_job"),
        value: rounds.median(Side::Product, 3),
        raw: None,
        ratio: None,
        spread: None,
        unit: "calls/job",
        better: Better::Less,
        goal: Some(Goal::Value(0.1)),
    };
    let mut figures = vec![
        rate(Side::Product, 0, "drain", Some(Goal::Ratio(0.6))),
        rate(Side::Product, 1, "drain_2", None),
        cpu(Side::Product, 2, "drain_redis_cpu", Some(Goal::Ratio(1.8))),
        calls,
        // Beside a raw drain that acknowledges a batch with one XACK and one XDEL.
        rate(Side::Product, 5, "drain_variadic", None),
        cpu(Side::Product, 6, "drain_variadic_redis_cpu", None),
    ];
    if rounds.has(Side::Peer) {
        figures.push(rate(Side::Peer, 0, "peer_drain", None));
        figures.push(cpu(Side::Peer, 2, "peer_drain_redis_cpu", None));
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

/// Runs what is queued, by so many worker processes; `raw` are further arguments to the raw one.
pub(crate) async fn drain(bench: &Bench, side: Side, jobs: u64, workers: usize, raw: &[&str]) -> Result<Drained> {
    if bench.redis.count(side.holds()).await? != jobs {
        bail!("{side:?}: there are not as many jobs as were queued");
    }
    let mut children = Vec::new();
    for n in 0..workers {
        children.push(match side {
            Side::Product => bench.worker(&format!("bench-{n}"), &[]).await?,
            Side::Raw => Child::start(&[&["raw", "--redis", &bench.redis.url], raw].concat()).await?,
            Side::Peer => bench.peer_worker(&[]).await?,
        });
    }
    let worker_cpu = |children: &[Child]| children.iter().filter_map(Child::cpu).sum::<f64>();
    let (redis_before, worker_before) = (bench.redis.cpu().await?, worker_cpu(&children));
    let before = bench.redis.calls().await?;
    let begin = Instant::now();
    for child in &mut children {
        child.go().await?;
    }
    loop {
        let left = bench.redis.count(side.holds()).await?;
        if left == 0 {
            break;
        }
        if begin.elapsed() > WITHIN {
            bail!("{side:?}: the jobs are not done after {WITHIN:?}");
        }
        // Half of the time that is probably left: looks cost, but the end must not be missed by much.
        let share = number(left) / number(jobs.saturating_sub(left).max(1));
        sleep(begin.elapsed().mul_f64(share.min(100.0) / 2.0).clamp(LOOKS[0], LOOKS[1])).await;
    }
    let took = begin.elapsed().as_secs_f64();
    let redis_cpu = bench.redis.cpu().await? - redis_before;
    let after = bench.redis.calls().await?;
    let calls = after.by_clients_since(&before);
    let each = |time: f64| time / number(jobs);
    let parts = after.since(&before).into_iter().take(7);
    let parts = parts.map(|(name, calls, time)| format!("{name} {:.2} ({:.2})", each(time), each(calls))).collect();
    let worker_cpu = worker_cpu(&children) - worker_before;
    let mut ran = 0;
    for child in children {
        ran += stamps::ran(&child.stop().await?).unwrap_or_default();
    }
    // The raw reader runs nothing. Whoever runs jobs must have run each of them, and once.
    if side != Side::Raw && ran != jobs {
        bail!("{side:?}: {ran} runs of {jobs} jobs");
    }
    Ok(Drained { took, redis_cpu, worker_cpu, calls, parts })
}
