//! The effects of a sweep that queues trials: one sweep after the other, each killed at another one.

use advosync::queue::{Batch, Lane, Topic};
use advosync::sync::record::execute::Boundary;
use advosync_sandbox::{BETEILIGTE, Options};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::super::person;
use super::stage::Halts;
use super::{Blow, KILLS};
use crate::support::world::World;

/// What a sweep passes, apart from the records' runs.
pub(super) const BOUNDARIES: [Boundary; 4] =
    [Boundary::TrialsSeen, Boundary::TrialsCounted, Boundary::TrialsQueued, Boundary::TrialsOutdated];

const TRIALS: &str = "ledger:beteiligte:trials";
/// A record that is not failed for good any more.
const OLD: &str = "0000000000000dead";

fn remembered(world: &World, id: &str) -> Value {
    serde_json::from_str(&world.redis.cli(&["HGET", TRIALS, id])).unwrap_or(Value::Null)
}

fn remember(world: &World, id: &str, days_ago: i64) {
    let entry = json!({ "since": Utc::now() - TimeDelta::days(days_ago), "tried": 2 });
    world.redis.cli(&["HSET", TRIALS, id, &entry.to_string()]);
}

/// How many trials have ended. One may have begun twice, because its worker was killed.
fn made(world: &World) -> usize {
    world.redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]).matches("trial failed").count()
}

#[tokio::test]
async fn a_sweep_that_is_killed_anywhere_queues_at_most_one_trial_a_day() {
    let halts = Halts::new();
    let settings = [("ADVOSYNC_QUIET_TIME", "1500ms"), ("ADVOWARE_API_TIMEOUT_SECONDS", "1"), ("ADVOSYNC_LEASE", "1s")];
    let settings = [settings.as_slice(), &[halts.setting()]].concat();
    let mut world = World::idle(&settings, Options::default()).await;
    for _ in 0..2 {
        let twin = json!({ "vorname": "Erika", "name": "Zwilling" });
        world.sandbox.people().lawyer_create(BETEILIGTE, &twin).unwrap();
    }
    let id = world.create(&person("Erika", "Zwilling"));
    world.start_worker();
    world.rest().await;
    assert_eq!(remembered(&world, &id)["tried"], 0);
    let mut failures = Vec::new();
    for boundary in BOUNDARIES {
        for blow in KILLS {
            let before = made(&world);
            remember(&world, OLD, 1);
            if boundary == Boundary::TrialsSeen {
                world.redis.cli(&["HDEL", TRIALS, &id]);
            } else {
                remember(&world, &id, 2);
            }
            halts.set("all", boundary, blow);
            let topic = Topic::Sweep { entity: "beteiligte".to_owned() };
            world.queue.enqueue(&Batch::new(topic, Lane::Sweep, &["all".to_owned()], "test")).await.unwrap();
            let case = format!("{blow:?} at {boundary:?}");
            let reached = async || halts.is_reached("all", boundary, blow);
            world.until(&format!("it reaches its boundary: {case}"), reached).await;
            world.kill_worker();
            world.start_worker();
            world.settle_all().await;
            let entry = remembered(&world, &id);
            // Counted, and then the sweep died: the record has lost one, and never has two a day.
            let lost = boundary == Boundary::TrialsCounted && blow == Blow::KilledAfter
                || boundary == Boundary::TrialsQueued && blow == Blow::KilledBefore;
            let (tried, trials) = match boundary {
                Boundary::TrialsSeen => (0, 0),
                _ => (3, usize::from(!lost)),
            };
            let seen = (entry["tried"].clone(), made(&world) - before, remembered(&world, OLD));
            if seen != (json!(tried), trials, Value::Null) {
                failures.push(format!("{case}: tried, made, outdated: {seen:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!((world.stats().await.dead, world.notes(&id).len()), (1, 1), "trials say nothing");
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed");
}
