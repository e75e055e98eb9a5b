//! The end of each sequence: whatever is still somewhere is run to its end, and then nothing may be left.

use std::collections::BTreeMap;

use advosync::queue::{Lane, RecordAction, Selection};
use proptest::prelude::*;

use super::look::Checked;
use super::ops::{KEYS, Verb, WORKERS};
use super::world::World;

/// Each round runs every job that can run, and a lock has at most a dozen that wait for each other.
const ROUNDS: usize = 200;
/// What stays: what the queue is, what it has done, and the letters' own stream.
const STAYS: [&str; 8] = [
    "advosync:layout",
    "jobs:calendar",
    "jobs:calendar:sweep",
    "jobs:vmh",
    "jobs:vmh:dead",
    "jobs:vmh:done",
    "jobs:vmh:leases",
    "jobs:vmh:sweep",
];

/// Runs everything, once more each key, and looks at what is left.
pub(super) async fn drain(world: &mut World<'_>) -> Checked {
    world.tell("everything is run to its end".into());
    world.status().await?;
    run_all(world).await?;
    prop_assert!(world.model.owed.is_empty(), "changes that no run has seen: {:?}", world.model.owed);
    prop_assert!(world.model.unsaid.is_empty(), "words that no run has said: {:?}", world.model.unsaid);
    // What skipped runs left of counts goes with the next success.
    world.enqueue(RecordAction::Update, Lane::First, &KEYS, None, false).await?;
    world.look().await?;
    run_all(world).await?;
    prop_assert!(world.model.letters.iter().all(|letter| letter.resolved), "a success resolves the letters of its key");
    // A letter that is resolved can still be discarded, or replayed, and leaves nothing behind either way.
    if let Some(id) = world.model.letters.first().and_then(|letter| letter.id.clone()) {
        world.discard(id).await?;
    }
    while !world.model.letters.is_empty() {
        world.replay(&Selection::All).await?;
        world.look().await?;
        run_all(world).await?;
    }
    world.status().await?;
    nothing_left(world).await
}

async fn run_all(world: &mut World<'_>) -> Checked {
    for _ in 0..ROUNDS {
        let model = &world.model;
        if model.entries.is_empty() && model.parked.is_empty() && model.scheduled.values().all(|job| !job.waiting) {
            return Ok(());
        }
        for at in 0..WORKERS {
            let ends = vec![(0, Verb::Done); world.workers[at].held.len()];
            world.finish(at, &ends, false).await?;
        }
        for key in KEYS {
            world.lease_runs_out(key).await;
            world.due(key).await;
        }
        world.tend().await?;
        world.look().await?;
        world.reclaim(0, 100, 100).await?;
        world.look().await?;
        if world.has_jobs(100) {
            world.next(1, 100, 100).await?;
            world.look().await?;
        }
    }
    let model = &world.model;
    prop_assert!(false, "it never ends: {:?}, parked {:?}, {:?}", model.entries, model.parked, model.scheduled);
    Ok(())
}

async fn nothing_left(world: &mut World<'_>) -> Checked {
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut world.raw).await.unwrap();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut world.raw).await.unwrap();
        let holds_jobs = kind == "stream" && key != "jobs:vmh:done";
        let empty = holds_jobs && {
            let length: usize = redis::cmd("XLEN").arg(&key).query_async(&mut world.raw).await.unwrap();
            length == 0
        };
        if !STAYS.contains(&key.as_str()) || holds_jobs && !empty {
            left.insert(key, kind);
        }
    }
    prop_assert!(left.is_empty(), "all has run, and this is left: {left:?}");
    Ok(())
}
