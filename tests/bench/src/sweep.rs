//! Sweeps over many records: how long they take of our own time, how many calls they cost, how much memory the worker needs.
//!
//! Our own time is that of the sweep's job without what the sandbox took to answer its lists. The records that were asked for
//! are compared beside it, on the same machine.

use std::time::Duration;

use advosync::queue::{Batch, Ended, Flow, Lane, Topic};
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, System};
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::report::Figure;
use crate::world::World;

/// Records in the sandbox.
const RECORDS: usize = 5_000;
/// Of those, how many want a run in a sweep of the seed's size, and how many such sweeps are timed.
const DIRTY: usize = 100;
const ROUNDS: usize = 20;
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// What a sweep came to.
struct Swept {
    /// The whole job, ms.
    ms: f64,
    /// Of that, our own time, ms.
    own_ms: f64,
    detail: Value,
    advoware: u64,
    espocrm: u64,
    peak_mib: f64,
}

/// All records created, compared by lists, found dirty, compared one by one.
pub(crate) async fn measure(world: &World) -> Result<Vec<Figure>> {
    let people = world.sandbox.people();
    let mut ids = Vec::with_capacity(RECORDS);
    for n in 0..RECORDS {
        let record = json!({ "firstName": "Max", "lastName": format!("Muster{n}"), "emailAddress": format!("max{n}@example.org") });
        ids.push(people.crm_create(CBETEILIGTE, &record).map_err(|refused| anyhow!("{refused:?}"))?);
    }
    world.sandbox.forget_webhooks();
    let mut figures = Vec::new();

    let first = sweep(world, "all", None).await?;
    ensure!(first.detail["enqueued"] == RECORDS, "{}", first.detail);
    say("all are new", &first);
    figures.push(figure("new_5000_own", first.own_ms, "ms", None));

    forget_sweeps(world).await?;
    let same = sweep(world, "all", None).await?;
    ensure!(same.detail["list"]["unchanged"] == RECORDS, "{}", same.detail);
    say("nothing changed", &same);
    figures.push(figure("unchanged_5000_own", same.own_ms, "ms", None));
    figures.push(figure("unchanged_5000_calls_advoware", number(same.advoware), "calls", Some(1.0)));
    figures.push(figure("unchanged_5000_calls_espocrm", number(same.espocrm), "calls", Some(3.0)));
    figures.push(figure("unchanged_5000_peak", same.peak_mib, "MiB", None));

    forget_sweeps(world).await?;
    for id in ids.iter().step_by(100) {
        let record = people.crm_get(CBETEILIGTE, id).context("the record is gone")?;
        let number = record["advowareId"].as_i64().context("no number")?;
        let edited = people.lawyer_update(BETEILIGTE, number, &json!({ "anrede": "Frau" }));
        edited.map_err(|refused| anyhow!("{refused:?}"))?;
    }
    let changed = sweep(world, "all", None).await?;
    ensure!(changed.detail["list"]["enqueued"] == RECORDS / 100, "{}", changed.detail);
    say("50 changed in Advoware", &changed);
    figures.push(figure("changed_50_calls", number(changed.advoware + changed.espocrm), "calls", None));

    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        for id in &ids[..DIRTY] {
            let arranged = people.crm_arrange(CBETEILIGTE, id, &json!({ "syncStatus": "dirty" }));
            arranged.map_err(|refused| anyhow!("{refused:?}"))?;
        }
        let dirty = sweep(world, "all", None).await?;
        ensure!(dirty.detail["enqueued"] == DIRTY, "{}", dirty.detail);
        times.push(dirty.own_ms);
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("100 are dirty        {ROUNDS} sweeps, our own time p50 {:.1} ms, slowest {:.1} ms", at(50), at(100));
    figures.push(figure("dirty_100_own_p50", at(50), "ms", Some(100.0)));
    figures.push(figure("dirty_100_own_slowest", at(100), "ms", Some(100.0)));

    let begin = Instant::now();
    let full = sweep(world, "full", Some(r#"{"full":true,"run":"bench"}"#)).await?;
    ensure!(full.detail["listed"] == RECORDS, "{}", full.detail);
    let took = begin.elapsed().as_secs_f64();
    println!("record --all         {took:.1} s, {} calls to Advoware, {} to EspoCRM", full.advoware, full.espocrm);
    figures.push(figure("all_5000", took, "s", None));
    figures.push(figure("all_5000_calls_advoware", number(full.advoware), "calls", Some(number(RECORDS as u64))));
    Ok(figures)
}

/// Runs a sweep, and whatever it asks for, to the end. The time is that of the sweep's own job.
async fn sweep(world: &World, key: &str, payload: Option<&str>) -> Result<Swept> {
    let topic = Topic::Sweep { entity: "beteiligte".to_owned() };
    world.sandbox.reset_counts();
    world.forget_peak()?;
    let mut waiter = world.queue.waiter(topic.clone(), key).await?;
    let keys = [key.to_owned()];
    let batch = Batch { payload, ..Batch::new(topic, Lane::Sweep, &keys, "bench") };
    let begin = Instant::now();
    world.queue.enqueue(&batch).await?;
    let detail = loop {
        match waiter.poll().await? {
            Some(Ended::Done { detail, .. }) => break detail.context("a sweep without a report")?,
            Some(ended) => bail!("the sweep ended as {ended:?}"),
            None => ensure!(begin.elapsed() < PATIENCE, "the sweep does not end"),
        }
    };
    let (advoware, espocrm) = calls(world);
    let ms = world.last_run_ms(&format!("vmh.beteiligte.sweep {key}")).await?;
    let lists = world.sandbox.calls().into_iter().filter(|call| {
        call.method == "GET" && (call.path.ends_with("/Beteiligte") || call.path.ends_with("/CBeteiligte"))
    });
    let own_ms = ms - lists.filter_map(|call| call.took_ms).sum::<f64>();
    let peak_mib = world.peak_mib()?;
    while world.queue.lane_length(Flow::Vmh, Lane::Sweep).await? > 0 {
        ensure!(begin.elapsed() < PATIENCE, "the records are never done");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (advoware, espocrm) =
        if detail["list"]["enqueued"].as_u64().unwrap_or(1) > 0 { calls(world) } else { (advoware, espocrm) };
    Ok(Swept { ms, own_ms, detail, advoware, espocrm, peak_mib })
}

/// As if no sweep had ever been: everything that is due now and then is due.
async fn forget_sweeps(world: &World) -> Result<()> {
    let mut redis = world.redis.connect().await?;
    let _: i64 = redis::cmd("DEL").arg("ledger:beteiligte:sweep").query_async(&mut redis).await?;
    Ok(())
}

fn calls(world: &World) -> (u64, u64) {
    (world.sandbox.count(System::Advoware).calls, world.sandbox.count(System::EspoCrm).calls)
}

fn say(what: &str, swept: &Swept) {
    println!(
        "{what:<20} of {RECORDS}: {:.0} ms, {:.0} of it our own, {} calls to Advoware, {} to EspoCRM, peak of the worker {:.0} MiB",
        swept.ms, swept.own_ms, swept.advoware, swept.espocrm, swept.peak_mib
    );
}

fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

fn figure(name: &str, value: f64, unit: &'static str, goal: Option<f64>) -> Figure {
    Figure::of_product(format!("sweep_{name}"), value, unit, goal)
}
