//! A difference that no event announced: found by a sweep, counted once, on the side where it was.

use advosync::queue::{Batch, Ended, Lane, RecordAction, Topic};
use advosync_sandbox::CBETEILIGTE;
use serde_json::{Value, json};

use super::person;
use crate::support::world::World;

/// Runs the job that a sweep queues for a record; the sides that it found drift on.
async fn swept(world: &World, id: &str) -> Value {
    let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
    let mut waiter = world.queue.waiter(topic.clone(), id).await.unwrap();
    world.queue.enqueue(&Batch::new(topic, Lane::Sweep, &[id.to_owned()], "sweep")).await.unwrap();
    loop {
        if let Some(ended) = waiter.poll().await.unwrap() {
            let Ended::Done { detail, .. } = ended else { panic!("{ended:?}") };
            return detail.unwrap_or_default()["drift"].take();
        }
    }
}

/// What `status` counts, today and within a week: in Advoware, in `EspoCRM`; and its remarks about that.
async fn counted(world: &World) -> ([Value; 4], usize) {
    let (_, text) = world.run(&["status", "--json"]).await;
    let status: Value = serde_json::from_str(&text).unwrap();
    let drift = &status["drift"]["beteiligte"];
    let counts = [("advoware", "today"), ("advoware", "week"), ("espocrm", "today"), ("espocrm", "week")];
    let remarks = status["remarks"].as_array().unwrap();
    let remarks = remarks.iter().filter(|remark| remark.as_str().unwrap().contains("webhooks get lost")).count();
    (counts.map(|(side, days)| drift[side][days].clone()), remarks)
}

/// A day that is gone, so that midnight does not matter: what was counted so far was counted two days ago.
fn two_days_later(world: &World, side: &str) {
    let day = |ago| (chrono::Utc::now() - chrono::TimeDelta::days(ago)).date_naive();
    let fields = [0, 1].map(|ago| format!("{} {side}", day(ago)));
    for field in fields {
        let count = world.redis.cli(&["HGET", "ledger:beteiligte:drift", &field]);
        if !count.is_empty() {
            world.redis.cli(&["HDEL", "ledger:beteiligte:drift", &field]);
            world.redis.cli(&["HSET", "ledger:beteiligte:drift", &format!("{} {side}", day(2)), &count]);
        }
    }
}

#[tokio::test]
async fn what_nobody_announced_is_counted_once_on_its_side() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    assert_eq!(swept(&world, &id).await, Value::Null);
    assert_eq!(counted(&world).await, ([0, 0, 0, 0].map(|count| json!(count)), 0));

    world.redis.cli(&["HSET", "ledger:beteiligte:drift", "2026-01-01 espocrm", "7"]);
    world.lawyer(number, &json!({ "emailGesch": "neu@example.org" }));
    assert_eq!(swept(&world, &id).await, json!(["advoware"]));
    assert_eq!(swept(&world, &id).await, Value::Null, "once");
    two_days_later(&world, "advoware");
    assert_eq!(counted(&world).await, ([0, 1, 0, 0].map(|count| json!(count)), 0), "that is how it has to be");
    assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:drift", "2026-01-01 espocrm"]), "0", "too old");

    // A webhook is lost; a sweep that comes at once cannot know that it will not come.
    world.edit(&id, &json!({ "phoneNumber": "+4940987654" }));
    world.sandbox.forget_webhooks();
    assert_eq!(swept(&world, &id).await, Value::Null, "its webhook may only be late");
    world.edit(&id, &json!({ "phoneNumber": "+4940987655" }));
    world.sandbox.forget_webhooks();
    world.sandbox.people().crm_arrange(CBETEILIGTE, &id, &json!({ "modifiedAt": "2026-01-02 03:04:05" })).unwrap();
    assert_eq!(swept(&world, &id).await, json!(["espocrm"]));
    assert_eq!(swept(&world, &id).await, Value::Null, "once");
    two_days_later(&world, "espocrm");
    assert_eq!(counted(&world).await, ([0, 1, 0, 1].map(|count| json!(count)), 1));
    world.in_step(&id);

    // Whatever else finds a difference was told of it.
    world.lawyer(number, &json!({ "emailGesch": "neuer@example.org" }));
    world.edit(&id, &json!({ "phoneNumber": "+4940987656" }));
    world.sandbox.people().crm_arrange(CBETEILIGTE, &id, &json!({ "modifiedAt": "2026-01-02 03:04:05" })).unwrap();
    world.rest().await;
    world.in_step(&id);
    assert_eq!(counted(&world).await, ([0, 1, 0, 1].map(|count| json!(count)), 1));
}
