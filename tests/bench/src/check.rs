//! Whether the raw side is as fast as it can be: the same commands sent by `redis-benchmark`, and by our own client.

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::time::Instant;

use crate::bench::{Bench, number};
use crate::jobs::{self, SOURCE, STREAM, TOPIC};
use crate::raw::{self, BATCH, GROUP, Read};

/// Prints both.
pub(crate) async fn print(bench: &Bench) -> Result<()> {
    let entries = bench.sizes.drain;
    let port = bench.redis.port.to_string();
    bench.redis.empty().await?;
    let mut conn = bench.redis.connect().await?;
    let trace = jobs::traceparent(0);
    let fields = ["topic", TOPIC, "key", "0123456789abcdef0", "source", SOURCE, "traceparent", &trace];
    let add = [&["XADD", STREAM, "*"], fields.as_slice()].concat();
    let theirs = benchmark(&port, entries, BATCH, &add).await?;
    bench.redis.empty().await?;
    let begin = Instant::now();
    for keys in jobs::batches(entries, BATCH as u64) {
        raw::add(&mut conn, &keys, &trace).await?;
    }
    let ours = number(entries) / begin.elapsed().as_secs_f64();
    println!("XADD in pipelines of {BATCH}: redis-benchmark {theirs:.0}/s, our client {ours:.0}/s");

    raw::prepare(&mut conn).await?;
    let read = ["XREADGROUP", "GROUP", GROUP, "check", "COUNT", "100", "STREAMS", STREAM, ">"];
    let theirs = benchmark(&port, entries / BATCH as u64, 1, &read).await? * f64::from(u32::try_from(BATCH)?);
    let () = redis::cmd("XGROUP").arg("SETID").arg(STREAM).arg(GROUP).arg("0").query_async(&mut conn).await?;
    let url = bench.redis.url.clone();
    let ours = tokio::task::spawn_blocking(move || -> Result<f64> {
        let mut conn = redis::Client::open(url)?.get_connection()?;
        let mut cmd = redis::cmd(read[0]);
        cmd.arg(&read[1..]);
        let (begin, mut seen) = (Instant::now(), 0);
        while let Some(read) = cmd.query::<Read>(&mut conn)? {
            seen += read.iter().map(|(_, entries)| entries.len() as u64).sum::<u64>();
        }
        Ok(number(seen) / begin.elapsed().as_secs_f64())
    })
    .await??;
    println!("XREADGROUP COUNT {BATCH}, entries: redis-benchmark {theirs:.0}/s, our client {ours:.0}/s");
    Ok(())
}

/// Commands a second by one client of `redis-benchmark`, so many at once.
async fn benchmark(port: &str, requests: u64, pipeline: usize, command: &[&str]) -> Result<f64> {
    let output = Command::new("redis-benchmark")
        .args([
            "-p",
            port,
            "--dbnum",
            "1",
            "-c",
            "1",
            "--csv",
            "-n",
            &requests.to_string(),
            "-P",
            &pipeline.to_string(),
        ])
        .args(command)
        .output()
        .await
        .context("redis-benchmark cannot be started; `make bench` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    // "test","rps","avg_latency_ms",… and the same in numbers.
    let rate = text.lines().last().and_then(|line| line.split("\",\"").nth(1)).and_then(|rate| rate.parse().ok());
    rate.with_context(|| format!("redis-benchmark said: {text}{}", String::from_utf8_lossy(&output.stderr)))
}
