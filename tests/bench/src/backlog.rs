//! Whether a job costs more the more of them wait.

use anyhow::Result;

use crate::bench::{Bench, number};
use crate::drain::{drain, fill};
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Side, median, percentile};

/// How often a small backlog is drained before and after a large one: it takes no time, so chance weighs more.
const SMALL_ROUNDS: usize = 3;

/// The figure: time a job at the large backlog, over that at the small ones around it.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let (mut large, mut small, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut large_cpu, mut small_cpu) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.large_rounds {
        let (mut around, mut cpu) = times(bench, bench.sizes.small, SMALL_ROUNDS).await?;
        let (times_large, cpu_large) = times(bench, bench.sizes.large, 1).await?;
        let (after, cpu_after) = times(bench, bench.sizes.small, SMALL_ROUNDS).await?;
        around.extend(after);
        cpu.extend(cpu_after);
        ratios.push(median(times_large.clone()) / median(around.clone()));
        large.extend(times_large);
        large_cpu.extend(cpu_large);
        small.extend(around);
        small_cpu.extend(cpu);
    }
    let (value, raw) = (median(large), median(small));
    println!(
        "drain of {} jobs: {value:.1} us a job, redis' CPU {:.1} us; of {} jobs: {raw:.1} us, redis' CPU {:.1} us",
        bench.sizes.large,
        median(large_cpu),
        bench.sizes.small,
        median(small_cpu),
    );
    Ok(vec![Figure {
        name: bench.name("drain_1m"),
        value,
        raw: Some(raw),
        spread: Some([percentile(ratios.clone(), 0), percentile(ratios.clone(), 100)]),
        ratio: Some(median(ratios)),
        unit: "us/job",
        better: Better::Less,
        goal: Some(Goal::Ratio(1.1)),
    }])
}

/// Microseconds a job, and those of Redis' CPU.
async fn times(bench: &Bench, jobs: u64, rounds: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        fill(bench, Side::Product, jobs).await?;
        let drained = drain(bench, Side::Product, jobs, 1, &[]).await?;
        times.0.push(drained.took / number(jobs) * 1e6);
        times.1.push(drained.redis_cpu / number(jobs) * 1e6);
    }
    Ok(times)
}
