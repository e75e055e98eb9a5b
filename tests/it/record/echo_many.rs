//! A thousand changes of one installation that hears all of its own writes (`EspoCRM` 9.1), with people who save records as
//! they are. What each change may cost in writes is counted in the sandbox's log of effects, never more and never less:
//!
//! - a change in `EspoCRM`: one PUT to Advoware with its fields, and one to `EspoCRM` of sync fields alone;
//! - a change in Advoware: one PUT to `EspoCRM` with its fields, and none to Advoware;
//! - an echo, a save without a change, a field that no mapping names: none.

use std::collections::BTreeMap;

use advosync::queue::{Batch, Lane, RecordAction, Topic};
use advosync_sandbox::{Action, BETEILIGTE, CBETEILIGTE, Change, Effect, Fault, Fields, Options, Order, System};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{FIELDS, SYNC_FIELDS, person};
use crate::support::world::World;

const RECORDS: usize = 100;
/// Each round changes so many records, each of them once, half of them at either side.
const ROUNDS: usize = 20;
const CHANGES: usize = 50;
/// Saves in each round that change nothing, of any record.
const NOISE: usize = 15;
/// A change of one record, by the names of the side that it goes to.
struct Edit {
    in_espocrm: bool,
    arrives: Fields,
}

/// A value of a field that it has never had before.
fn value(attribute: &str, unique: usize) -> Value {
    match attribute {
        "dateOfBirth" => {
            let day = chrono::NaiveDate::from_ymd_opt(1940, 1, 1).unwrap() + chrono::Days::new(unique as u64);
            json!(day.to_string())
        }
        "emailAddress" => json!(format!("neu{unique}@example.org")),
        "phoneNumber" => json!(format!("+4930{:07}", 1_000_000 + unique)),
        _ => json!(format!("Neu {unique}")),
    }
}

/// Changes one to three fields of a record at one side.
fn edit(world: &World, dice: &mut StdRng, id: &str, in_espocrm: bool, unique: &mut usize) -> Edit {
    let mut fields = FIELDS;
    fields.shuffle(dice);
    let (mut sent, mut arrives) = (Fields::new(), Fields::new());
    for (ours, theirs) in fields.iter().take(dice.random_range(1..=3)) {
        *unique += 1;
        let value = value(ours, *unique);
        let (here, there) = if in_espocrm { (ours, theirs) } else { (theirs, ours) };
        sent.insert((*here).to_owned(), value.clone());
        arrives.insert((*there).to_owned(), value);
    }
    if in_espocrm {
        world.edit(id, &Value::Object(sent));
    } else {
        world.lawyer(world.number(id), &Value::Object(sent));
    }
    Edit { in_espocrm, arrives }
}

/// Saves that are no change of what is synced.
fn noise(world: &World, dice: &mut StdRng, ids: &[String], unique: &mut usize) {
    for n in 0..NOISE {
        let id = &ids[dice.random_range(0..ids.len())];
        *unique += 1;
        if n % 3 == 0 {
            world.edit(id, &json!({ "description": format!("kommt am Montag, {unique}") }));
        } else {
            world.edit(id, &json!({}));
        }
    }
}

/// Everything that was written for one record, against the one change of it, or none.
fn judge(id: &str, edit: Option<&Edit>, writes: &[&Effect]) {
    let to = |system| writes.iter().filter(|it| it.system == system).copied().collect::<Vec<_>>();
    let (advoware, espocrm) = (to(System::Advoware), to(System::EspoCrm));
    assert!(writes.iter().all(|it| it.change == Change::Update), "{id}: {writes:?}");
    let Some(edit) = edit else {
        return assert!(writes.is_empty(), "nobody changed {id}: {writes:?}");
    };
    assert_eq!(espocrm.len(), 1, "one write to EspoCRM for one change of {id}: {writes:?}");
    let content = |write: &Effect| {
        let mapped = |name: &str| !SYNC_FIELDS.contains(&name) && name != "name";
        write.changed.iter().filter(|(name, _)| mapped(name)).map(|(n, v)| (n.clone(), v.clone())).collect::<Fields>()
    };
    if edit.in_espocrm {
        assert_eq!(advoware.len(), 1, "one write to Advoware for one change of {id}: {writes:?}");
        assert_eq!(advoware[0].changed, edit.arrives, "what changed of {id}");
        assert_eq!(content(espocrm[0]), Fields::new(), "nothing comes back for {id}");
    } else {
        assert_eq!(advoware.len(), 0, "no write to Advoware for a change of {id} there: {writes:?}");
        assert_eq!(content(espocrm[0]), edit.arrives, "what changed of {id}");
    }
}

/// How many writes of ours `EspoCRM` has told us of: only those have a new rowId.
fn echoes(world: &World) -> usize {
    let calls = world.sandbox.calls();
    let bodies = calls.iter().filter(|call| call.system == System::Webhooks && call.path.ends_with("/update"));
    let items = bodies.flat_map(|call| serde_json::from_str::<Vec<Fields>>(&call.body).unwrap());
    items.filter(|item| item.contains_key("advowareRowId")).count()
}

#[tokio::test]
async fn a_thousand_changes_cost_one_write_each_at_the_other_side() {
    let mut world = World::idle(&[("RUST_LOG", "warn")], Options::default()).await;
    world.sandbox.configure(|options| {
        options.webhooks.honour_skip_own = false;
        options.webhooks.order = Order::Shuffled;
        options.webhooks.events_per_run = 200;
    });
    world.sandbox.fault(Fault::on(System::Webhooks).probability(0.2).then(Action::Duplicate { copies: 1 }));
    world.start_worker();
    let ids: Vec<String> = (0..RECORDS).map(|n| world.create(&person("Max", &format!("Muster{n}")))).collect();
    world.rest().await;
    world.one_to_one(&ids);

    let mut dice = StdRng::seed_from_u64(6);
    let mut unique = 0;
    let begin = world.mark();
    for round in 0..ROUNDS {
        let mark = world.mark();
        let mut chosen = ids.clone();
        chosen.shuffle(&mut dice);
        let mut edits = BTreeMap::new();
        for (n, id) in chosen.into_iter().take(CHANGES).enumerate() {
            edits.insert(id.clone(), edit(&world, &mut dice, &id, n % 2 == 0, &mut unique));
        }
        noise(&world, &mut dice, &ids, &mut unique);
        // With the changes comes the echo of the round before.
        world.deliver().await;
        // Advoware tells nobody; this is how a sweep asks.
        let quiet = edits.iter().filter(|(_, edit)| !edit.in_espocrm).map(|(id, _)| id.clone()).collect::<Vec<_>>();
        let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
        world.queue.enqueue(&Batch::new(topic, Lane::Sweep, &quiet, "test")).await.unwrap();
        world.settle_all().await;

        let writes = world.writes(mark);
        let mut by_record: BTreeMap<&str, Vec<&Effect>> = BTreeMap::new();
        let numbers: BTreeMap<String, &String> = ids.iter().map(|id| (world.number(id).to_string(), id)).collect();
        for write in &writes {
            let id = match (write.system, write.entity.as_str()) {
                (System::Advoware, BETEILIGTE) => numbers[&write.key],
                (System::EspoCrm, CBETEILIGTE) => &write.key,
                _ => panic!("round {round}: {write:?}"),
            };
            by_record.entry(id).or_default().push(write);
        }
        for id in &ids {
            judge(id, edits.get(id), by_record.get(id.as_str()).map_or(&[], Vec::as_slice));
        }
    }
    let mark = world.mark();
    world.rest().await;
    // Whatever is asked, there is nothing left to write.
    let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
    world.queue.enqueue(&Batch::new(topic, Lane::First, &ids, "test")).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.writes(mark), []);
    world.one_to_one(&ids);
    let (advoware, espocrm) = (world.writes_to(System::Advoware, begin).len(), world.writes_to(System::EspoCrm, begin));
    assert_eq!((advoware, espocrm.len()), (ROUNDS * CHANGES / 2, ROUNDS * CHANGES), "a thousand changes");
    let all = world.writes_to(System::EspoCrm, 0).len();
    assert_eq!(echoes(&world), all, "every write of ours came back");
    assert_eq!(world.stats().await.dead, 0);
}
