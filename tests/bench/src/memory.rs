//! What a queued job costs Redis: through the real ingress, de-duplication and trace included.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::bench::{Bench, number};
use crate::http::{self, Connection};
use crate::jobs;
use crate::producer::Producer;
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Rounds, Side};
use crate::server::Server;

/// Records in a webhook, as many as `EspoCRM` puts into one.
const IDS: u64 = 50;
/// Bytes in a raw entry.
const PAYLOAD: usize = 200;
/// How long the memory stays the same before it counts: buffers shrink, tables are rebuilt.
const CALM: Duration = Duration::from_millis(250);

/// The figure of each side.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let ingress = Server::ingress(&bench.redis.url, "warn").await?;
    let mut largest = Vec::new();
    let rounds = Rounds::measure(&bench.sides, bench.sizes.rounds, async |side| {
        bench.redis.empty().await?;
        let producer = Producer::prepare(bench, side).await?;
        let before = calm(bench).await?;
        queue(bench, side, &ingress, producer).await?;
        let after = calm(bench).await?;
        let jobs = bench.sizes.memory;
        let queued = bench.redis.count(side.holds()).await?;
        anyhow::ensure!(queued == jobs, "{side:?}: {queued} of {jobs} jobs were queued");
        if side == Side::Product {
            largest = bench.redis.keys().await?;
        }
        Ok([(after - before) / number(jobs)])
    })
    .await?;
    ingress.stop().await?;
    for (key, size) in largest.iter().take(3) {
        println!("bytes a job in {key}: {:.1}", number(*size) / number(bench.sizes.memory));
    }
    let name = bench.name("bytes_per_job");
    let mut figures = vec![rounds.figure(Side::Product, 0, name, "bytes", Better::Less, Some(Goal::Value(240.0)))];
    if rounds.has(Side::Peer) {
        figures.push(rounds.figure(Side::Peer, 0, bench.name("peer_bytes_per_job"), "bytes", Better::Less, None));
    }
    Ok(figures)
}

async fn queue(bench: &Bench, side: Side, ingress: &Server, mut producer: Producer) -> Result<()> {
    let jobs = bench.sizes.memory;
    match side {
        Side::Product => {
            let mut connection = Connection::open(ingress.address).await?;
            for (n, keys) in (0..).zip(jobs::batches(jobs, IDS)) {
                connection.send(&http::webhook(n, &keys)).await?;
            }
        }
        Side::Raw => {
            let (mut conn, payload) = (bench.redis.connect().await?, "x".repeat(PAYLOAD));
            for keys in jobs::batches(jobs, IDS) {
                let mut pipe = redis::pipe();
                for _ in keys {
                    pipe.cmd("XADD").arg(jobs::STREAM).arg("*").arg("payload").arg(&payload);
                }
                let _: Vec<String> = pipe.query_async(&mut conn).await?;
            }
        }
        Side::Peer => {
            for (n, keys) in (0..).zip(jobs::batches(jobs, IDS)) {
                producer.add(&keys, &jobs::traceparent(n)).await?;
            }
        }
    }
    Ok(())
}

/// The memory in use once it does not change any more.
async fn calm(bench: &Bench) -> Result<f64> {
    let mut last = bench.redis.memory().await?;
    // Something small may always change (a client's buffer): a bound keeps that from being waited for.
    for _ in 0..10 {
        sleep(CALM).await;
        let now = bench.redis.memory().await?;
        if (now - last).abs() < 4_096.0 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
