//! Latency and calls of single record syncs.

use std::time::Duration;

use advosync::queue::{Batch, Lane, RecordAction, Topic};
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, System};
use anyhow::{Context, Result, bail};
use redis::AsyncCommands;
use redis::streams::{StreamReadOptions, StreamReadReply};
use serde_json::json;
use tokio::time::Instant;

use crate::report::Figure;
use crate::world::World;

/// How often each kind is measured.
const ROUNDS: usize = 300;

/// The entity.
const ENTITY: &str = "beteiligte";

/// Creates, changes on either side, and checks without a change.
pub(crate) async fn measure(world: &World) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut runs = Runs::new(world).await?;
    let people = world.sandbox.people();
    let mut ids = Vec::new();
    for n in 0..ROUNDS {
        let created = people.crm_create(CBETEILIGTE, &json!({ "firstName": "Max", "lastName": format!("Muster{n}") }));
        ids.push(created.map_err(|refused| anyhow::anyhow!("{refused:?}"))?);
    }
    // The sign-in and the first connections are no part of a sync.
    runs.run(&ids[0]).await?;
    figures.extend(runs.series("create", Some(500.0), &ids[1..], |_| Ok(())).await?);
    figures.extend(runs.series("unchanged", Some(50.0), &ids, |_| Ok(())).await?);
    figures.extend(
        runs.series("update_to_advoware", Some(500.0), &ids, |id| {
            let changed = people.crm_update(CBETEILIGTE, id, &json!({ "anrede": "Frau" }));
            changed.map(drop).map_err(|refused| anyhow::anyhow!("{refused:?}"))
        })
        .await?,
    );
    figures.extend(
        runs.series("update_to_espocrm", Some(500.0), &ids, |id| {
            let record = people.crm_get(CBETEILIGTE, id).context("the record is gone")?;
            let number = record["advowareId"].as_i64().context("no number")?;
            let changed = people.lawyer_update(BETEILIGTE, number, &json!({ "rechtsform": "e. K." }));
            changed.map(drop).map_err(|refused| anyhow::anyhow!("{refused:?}"))
        })
        .await?,
    );
    Ok(figures)
}

struct Runs<'a> {
    world: &'a World,
    done: redis::aio::MultiplexedConnection,
    last: String,
}

impl<'a> Runs<'a> {
    async fn new(world: &'a World) -> Result<Self> {
        let done = world.redis.connect().await?;
        Ok(Self { world, done, last: "0".to_owned() })
    }

    /// Runs one job to its end; answers how long that took and what it came to.
    async fn run(&mut self, id: &str) -> Result<(Duration, String)> {
        let keys = [id.to_owned()];
        let begin = Instant::now();
        self.world
            .queue
            .enqueue(&Batch::new(Topic::record(ENTITY, RecordAction::SyncCheck), Lane::First, &keys, "bench"))
            .await?;
        let options = StreamReadOptions::default().block(20_000).count(1);
        let read: Option<StreamReadReply> =
            self.done.xread_options(&["jobs:vmh:done"], &[&self.last], &options).await?;
        let took = begin.elapsed();
        let entry = read.and_then(|mut read| read.keys.pop()?.ids.pop()).context("no job ended within 20 s")?;
        self.last.clone_from(&entry.id);
        let run: String = entry.get("run").context("an entry of the done stream without a run")?;
        let run: serde_json::Value = serde_json::from_str(&run)?;
        Ok((took, run["result"].as_str().unwrap_or_default().to_owned()))
    }

    async fn series(
        &mut self,
        name: &'static str,
        goal: Option<f64>,
        ids: &[String],
        before: impl Fn(&str) -> Result<()>,
    ) -> Result<Vec<Figure>> {
        let mut times = Vec::with_capacity(ids.len());
        let (mut advoware, mut espocrm) = (0, 0);
        for id in ids {
            before(id)?;
            self.world.sandbox.reset_counts();
            let (took, result) = self.run(id).await?;
            let expected = match name {
                "create" => "created",
                "unchanged" => "unchanged",
                _ => "updated",
            };
            if result != expected {
                bail!("{name}: the job ended as {result}, not {expected}");
            }
            times.push(took.as_secs_f64() * 1000.0);
            advoware += self.world.sandbox.count(System::Advoware).calls;
            espocrm += self.world.sandbox.count(System::EspoCrm).calls;
        }
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let number = |n: u64| u32::try_from(n).map_or(f64::NAN, f64::from);
        let each = |calls: u64| number(calls) / number(ids.len() as u64);
        println!(
            "{name:<20} {} runs, p50 {:.2} ms, p99 {:.2} ms; calls a run: {} to Advoware, {} to EspoCRM",
            ids.len(),
            at(50),
            at(99),
            each(advoware),
            each(espocrm)
        );
        let figure = |suffix: &str, value, unit, goal: Option<f64>| {
            Figure::of_product(format!("sync_{name}_{suffix}"), value, unit, goal)
        };
        Ok(vec![
            figure("p50", at(50), "ms", goal),
            figure("p99", at(99), "ms", goal),
            figure("calls_advoware", each(advoware), "calls", Some(if name == "unchanged" { 1.0 } else { 3.0 })),
            figure("calls_espocrm", each(espocrm), "calls", Some(if name == "unchanged" { 1.0 } else { 2.0 })),
        ])
    }
}
