//! Whether a job costs more the more of them wait.

use anyhow::Result;

use crate::bench::{Bench, number};
use crate::drain::{drain, fill};
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Side, median};

/// A small backlog is drained in no time, so this often.
const SMALL_ROUNDS: usize = 5;

/// The figure: time a job at the large backlog, over that at the small one before and after.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let (small, large) = (bench.sizes.small, bench.sizes.large);
    let mut small_times = Vec::new();
    let mut large_times = Vec::new();
    for _ in 0..bench.sizes.large_rounds {
        small_times.extend(times(bench, small, SMALL_ROUNDS).await?);
        large_times.extend(times(bench, large, 1).await?);
        small_times.extend(times(bench, small, SMALL_ROUNDS).await?);
    }
    let (value, raw) = (median(large_times), median(small_times));
    println!("drain of {large} jobs {value:.2} us a job, of {small} jobs {raw:.2} us a job");
    Ok(vec![Figure {
        name: bench.name("drain_1m"),
        value,
        raw: Some(raw),
        ratio: Some(value / raw),
        spread: None,
        unit: "us/job",
        better: Better::Less,
        goal: Some(Goal::Ratio(1.1)),
    }])
}

/// Microseconds a job.
async fn times(bench: &Bench, jobs: u64, rounds: usize) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        fill(bench, Side::Product, jobs).await?;
        times.push(drain(bench, Side::Product, jobs, 1).await?.took / number(jobs) * 1e6);
    }
    Ok(times)
}
