//! Requests a second through the real ingress, beside a server that does the least.

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bench::{Bench, number};
use crate::child;
use crate::http::{self, Connection};
use crate::jobs;
use crate::producer::Producer;
use crate::report::{Better, Figure, Goal};
use crate::rounds::{Rounds, Side};
use crate::server::Server;

/// Clients that each send one request after the other on a connection of their own.
const CLIENTS: usize = 32;
/// Records in a webhook.
const IDS: u64 = 2;

/// The figure.
pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let url = bench.redis.url.as_str();
    let ingress = Server::ingress(url, bench.log.as_deref().unwrap_or("warn")).await?;
    let plain = Server::plain(url).await?;
    let requests = bench.sizes.requests;
    let rounds = Rounds::measure(&[Side::Product, Side::Raw], bench.sizes.rounds, async |side| {
        bench.redis.empty().await?;
        Producer::prepare(bench, side).await?;
        let server = if side == Side::Product { &ingress } else { &plain };
        let (redis, cpu, own) = (bench.redis.cpu().await?, server.cpu(), child::cpu_of(std::process::id()));
        let took = load(server, requests).await?;
        let used = |now: f64, before: f64| (now - before) / number(requests) * 1e6;
        let redis = used(bench.redis.cpu().await?, redis);
        let expected = requests * IDS;
        let queued = bench.redis.count(side.holds()).await?;
        anyhow::ensure!(queued == expected, "only {queued} of {expected} jobs were queued");
        let used = |now: Option<f64>, before| now.zip(before).map_or(f64::NAN, |(now, before)| used(now, before));
        let (cpu, own) = (used(server.cpu(), cpu), used(child::cpu_of(std::process::id()), own));
        Ok([number(requests) / took, redis, cpu, own])
    })
    .await?;
    for side in [Side::Product, Side::Raw] {
        println!(
            "ingress, {side:?}: {:.1} us a request; CPU a request: redis {:.1} us, server {:.1} us, clients {:.1} us",
            1e6 / rounds.median(side, 0),
            rounds.median(side, 1),
            rounds.median(side, 2),
            rounds.median(side, 3),
        );
    }
    ingress.stop().await?;
    plain.stop().await?;
    Ok(vec![rounds.figure(Side::Product, 0, bench.name("ingress"), "requests/s", Better::More, Some(Goal::Ratio(0.7)))])
}

/// Seconds that the server needs for so many requests.
async fn load(server: &Server, requests: u64) -> Result<f64> {
    let mut work: Vec<Vec<Vec<u8>>> = vec![Vec::new(); CLIENTS];
    for (n, keys) in jobs::batches(requests * IDS, IDS).enumerate() {
        work[n % CLIENTS].push(http::webhook(n as u64, &keys));
    }
    let mut clients = Vec::new();
    for requests in work {
        clients.push((Connection::open(server.address).await?, requests));
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut connection, requests) in clients {
        tasks.spawn(async move {
            for request in &requests {
                connection.send(request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended?.context("a request failed")?;
    }
    Ok(begin.elapsed().as_secs_f64())
}
