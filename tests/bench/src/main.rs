//! `make bench`: what a sync costs beside the upstreams' own time.
//!
//! The real binary (release) with a Redis of its own (AOF always, as in production) and the sandbox answering at once,
//! so that what is measured is advosync, Redis and loopback. Latency is from the call that enqueues to the entry in the
//! done stream. Results go to stdout and to `target/bench.json`.

mod sync;
mod world;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// One figure.
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<f64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let world = world::World::start().await?;
    let figures = sync::measure(&world).await?;
    world.stop().await;
    println!("\n{:<28} {:>10} {:<6} {:>10}", "figure", "value", "unit", "goal");
    for figure in &figures {
        let goal = figure.goal.map_or_else(|| "-".to_owned(), |goal| format!("≤ {goal}"));
        println!("{:<28} {:>10.2} {:<6} {goal:>10}", figure.name, figure.value, figure.unit);
    }
    let list: Vec<Value> = figures
        .iter()
        .map(|it| json!({ "name": it.name, "value": it.value, "raw": null, "ratio": null, "unit": it.unit }))
        .collect();
    let path = std::path::Path::new("target/bench.json");
    std::fs::write(path, format!("{:#}\n", Value::from(list)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nalso in {}", path.display());
    Ok(())
}
