//! Sweeps: what no webhook told us is found, with few calls, and nobody is hurried.

use std::time::Duration;

use advosync::queue::{Batch, Ended, Lane, Topic};
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Fault, Match, Phase, System};
use serde_json::{Value, json};

use super::{PARTIES, PARTY, on_post, person};
use crate::support::world::World;

impl World {
    /// Runs an ordinary sweep to its end, and then whatever it asked for; what it reports.
    pub(super) async fn sweep(&self) -> Value {
        let topic = Topic::Sweep { entity: "beteiligte".to_owned() };
        let mut waiter = self.queue.waiter(topic.clone(), "all").await.unwrap();
        self.queue.enqueue(&Batch::new(topic, Lane::Sweep, &["all".to_owned()], "cron")).await.unwrap();
        let ended = loop {
            if let Some(ended) = waiter.poll().await.unwrap() {
                break ended;
            }
        };
        self.settle().await;
        let Ended::Done { result, detail } = ended else { panic!("{ended:?}") };
        assert_eq!(result, "swept");
        detail.unwrap()
    }

    /// So many people, synced.
    async fn people(&self, count: usize) -> Vec<(String, i64)> {
        let ids: Vec<String> =
            (0..count).map(|n| self.create(&person(&format!("Max{n}"), &format!("Muster{n}")))).collect();
        self.rest().await;
        ids.into_iter().map(|id| (id.clone(), self.number(&id))).collect()
    }

    /// As if the last sweeps had been so long ago.
    pub(super) fn pass(&self, hours: i64) {
        let (sweep, ms) = ("ledger:beteiligte:sweep", hours * 3_600_000);
        for field in ["at", "walk_began", "listed_at", "list_changed_at", "list_off_until"] {
            if let Ok(at) = self.redis.cli(&["HGET", sweep, field]).parse::<i64>() {
                self.redis.cli(&["HSET", sweep, field, &(at - ms).to_string()]);
            }
        }
        for key in ["ledger:beteiligte:looked", "ledger:beteiligte:changed"] {
            let ids = self.redis.cli(&["ZRANGE", key, "0", "-1"]);
            for id in ids.lines().filter(|id| !id.is_empty()) {
                self.redis.cli(&["ZINCRBY", key, &(-ms).to_string(), id]);
            }
        }
    }

    /// The calls of one kind to Advoware since the counts were reset: of lists, and of single parties.
    fn reads(&self) -> (usize, usize) {
        let calls = self.sandbox.calls();
        let of = |call: &&advosync_sandbox::Call| call.system == System::Advoware && call.method == "GET";
        let (lists, single): (Vec<_>, Vec<_>) =
            calls.iter().filter(of).partition(|call| call.path.ends_with("/Beteiligte"));
        (lists.len(), single.len())
    }
}

#[tokio::test]
async fn one_list_shows_what_changed_in_advoware() {
    let world = World::start().await;
    let people = world.people(20).await;
    world.pass(1);
    let mark = world.mark();
    let before = world.reads();
    let found = world.sweep().await;
    assert_eq!((&found["list"]["unchanged"], &found["list"]["changed"]), (&json!(20), &json!(0)), "{found}");
    let lists = |now: (usize, usize)| (now.0 - before.0, now.1 - before.1);
    assert_eq!(lists(world.reads()), (1, 0), "one call stands for twenty");
    // Asked again at once, it is not due.
    assert_eq!(world.sweep().await["list"], Value::Null);
    assert_eq!(world.writes(mark), []);

    let (id, number) = &people[7];
    world.lawyer(*number, &json!({ "emailGesch": "kanzlei@example.org" }));
    world.pass(1);
    let found = world.sweep().await;
    assert_eq!((&found["list"]["unchanged"], &found["list"]["enqueued"]), (&json!(19), &json!(1)), "{found}");
    assert_eq!(world.in_step(id), *number);
    assert_eq!(world.record(id)["emailAddress"], "kanzlei@example.org");
    assert_eq!(lists(world.reads()), (2, 1));
    // A firm that changed lately is listed again after a quarter of an hour, a quiet one less often.
    let at = |name: &str| world.redis.cli(&["HGET", "ledger:beteiligte:sweep", name]);
    assert_eq!(at("listed_at"), at("list_changed_at"));
    world.pass(0);
    world.rest().await;
    let mark = world.mark();
    world.pass(1);
    assert_eq!(world.sweep().await["list"]["unchanged"], 20);
    assert_eq!(world.writes(mark), []);
}

#[tokio::test]
async fn where_no_list_shows_versions_records_are_looked_at_one_by_one() {
    let world = World::start().await;
    let people = world.people(5).await;
    world.sandbox.fault(Fault::on(System::Advoware).request("GET", PARTIES).answer(404, "Nicht gefunden."));
    let (id, number) = &people[3];
    world.lawyer(*number, &json!({ "emailGesch": "kanzlei@example.org" }));
    let found = world.sweep().await;
    assert!(found["list"]["off"].is_string(), "{found}");
    assert_eq!(found["single"]["enqueued"], 0, "{found}: they were all looked at a moment ago");
    // All of them were new, so all of them are lively; yet nobody asks for the list for a day.
    world.pass(1);
    let before = world.reads();
    let found = world.sweep().await;
    assert_eq!((&found["list"], &found["single"]["enqueued"]), (&Value::Null, &json!(5)), "{found}");
    assert_eq!(world.reads(), (before.0, before.1 + 5));
    assert_eq!(world.in_step(id), *number);
    assert_eq!(world.record(id)["emailAddress"], "kanzlei@example.org");
    // Long after the last change there is the daily look, and after a day the list is tried again.
    for _ in 0..10 {
        world.pass(24);
    }
    let found = world.sweep().await;
    assert!(found["list"]["off"].is_string(), "{found}");
    assert_eq!(found["single"]["enqueued"], 5, "{found}");
}

#[tokio::test]
async fn an_edit_a_delete_and_a_record_that_no_webhook_told_of_are_found_by_the_walk() {
    let world = World::start().await;
    let people = world.people(4).await;
    world.sweep().await;
    let (edited, deleted) = (&people[0], &people[1]);
    world.edit(&edited.0, &json!({ "emailAddress": "crm@example.org" }));
    world.sandbox.people().crm_delete(CBETEILIGTE, &deleted.0).unwrap();
    // The older system's: clean, linked, and unknown to us.
    let number =
        world.sandbox.people().lawyer_create(BETEILIGTE, &json!({ "name": "Alt", "vorname": "Anna" })).unwrap();
    let rows = world.party(number)["rowId"].clone();
    let old = json!({
        "firstName": "Anna", "lastName": "Alt", "advowareId": number, "advowareRowId": rows, "syncStatus": "clean",
        "advowareLastSync": "2026-01-02 03:04:05", "syncRetryCount": 0,
    });
    let old = world.create(&old);
    world.sandbox.forget_webhooks();
    // The walk has its day between two beginnings.
    assert_eq!(world.sweep().await["walk"]["listed"], 0);
    world.pass(24);
    // An edit counts by EspoCRM's clock, which goes on meanwhile.
    let found = world.sweep().await;
    assert_eq!((&found["walk"]["listed"], &found["walk"]["enqueued"]), (&json!(4), &json!(3)), "{found}");
    assert_eq!(world.in_step(&edited.0), edited.1);
    assert_eq!(world.party(edited.1)["emailGesch"], "crm@example.org");
    assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:dissolved", &deleted.0]), "1");
    assert_eq!(world.in_step(&old), number);
    assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:pairs", &old]), "1");
    world.rest().await;
    let mark = world.mark();
    world.pass(24);
    let found = world.sweep().await;
    assert_eq!((&found["walk"]["listed"], &found["walk"]["enqueued"]), (&json!(4), &json!(0)), "{found}");
    assert_eq!(world.writes(mark), []);
}

#[tokio::test]
async fn a_sweep_hurries_no_retry_and_asks_for_no_record_that_failed_for_good() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "1h")]).await;
    let people = world.people(2).await;
    world.sandbox.fault(on_post("Neu").answer(400, "Die Anrede ist ungültig."));
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Der Name ist gesperrt."));
    let new = world.create(&person("Nora", "Neu"));
    world.edit(&people[0].0, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.record(&new)["syncStatus"], "failed");
    assert_eq!(world.stats().await.scheduled, 2);
    world.pass(24);
    let done = || world.redis.cli(&["XLEN", "jobs:vmh:done"]);
    let before = done();
    let found = world.sweep().await;
    assert_eq!((&found["listed"], &found["enqueued"]), (&json!(2), &json!(0)), "{found}");
    assert_eq!(found["walk"]["enqueued"], 0, "{found}");
    assert_eq!(found["single"]["enqueued"], 0, "{found}");
    assert_eq!(done().parse::<u32>().unwrap(), before.parse::<u32>().unwrap() + 1, "the sweep and nothing else");
    assert_eq!(world.record(&new)["syncRetryCount"], 1);
    let for_good = json!({ "syncStatus": "permanently_failed" });
    world.sandbox.people().crm_arrange(CBETEILIGTE, &people[1].0, &for_good).unwrap();
    world.redis.cli(&["ZREM", "ledger:beteiligte:looked", &people[1].0]);
    world.pass(24);
    world.sweep().await;
    let look = world.redis.cli(&["ZSCORE", "ledger:beteiligte:looked", &people[1].0]);
    assert_eq!(look, "", "the list brings it back among those that are looked at");
    world.lawyer(people[1].1, &json!({ "anrede": "Frau" }));
    world.pass(24);
    let found = world.sweep().await;
    assert_eq!((&found["walk"]["enqueued"], &found["single"]["enqueued"]), (&json!(0), &json!(0)), "{found}");
    assert_eq!((&found["list"]["changed"], &found["list"]["enqueued"]), (&json!(1), &json!(0)), "{found}");
}

#[tokio::test]
async fn a_list_that_lacks_most_of_the_paired_records_is_not_believed() {
    let world = World::start().await;
    let people = world.people(60).await;
    for (id, _) in &people {
        world.sandbox.people().crm_delete(CBETEILIGTE, id).unwrap();
    }
    world.sandbox.forget_webhooks();
    let found = world.sweep().await;
    assert_eq!(found["walk"]["enqueued"], 0, "{found}");
    let told = world.logs().into_iter().flat_map(|(_, lines)| lines);
    let told = told.filter(|line| line.to_string().contains("lacks many records that are paired")).count();
    assert_eq!(told, 1);
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:pairs"]), "60");
}

#[tokio::test]
async fn a_comparison_of_everything_goes_on_where_it_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let small = include_str!("../../../mappings/beteiligte.toml").replace("page = 200", "page = 10");
    std::fs::write(folder.path().join("beteiligte.toml"), small).unwrap();
    let settings = [("ADVOSYNC_MAPPINGS", folder.path().to_str().unwrap())];
    let mut world = World::with(&settings).await;
    let ids: Vec<String> = world.people(60).await.into_iter().map(|(id, _)| id).collect();
    let before = world_pages(&world);
    let mark = world.mark();
    let gate = world.sandbox.gate_nth(Match::on(System::EspoCrm).request("GET", "*/CBeteiligte"), Phase::Before, 2);
    let asked = {
        let mut command = crate::support::process::command(folder.path(), world.environment());
        command.args(["record", "beteiligte", "--all"]);
        tokio::task::spawn_blocking(move || command.output())
    };
    gate.arrived().await;
    assert_eq!(world.redis.cli(&["HGET", "ledger:beteiligte:full", "listed"]), "10");
    world.kill_worker();
    gate.release();
    assert_eq!(world_pages(&world) - before, 2);
    world.start_worker();
    let out = tokio::time::timeout(Duration::from_mins(1), asked).await.unwrap().unwrap().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!((out.status.code(), said.as_str()), (Some(0), "beteiligte: 60 records compared\n"));
    world.one_to_one(&ids);
    assert_eq!(
        world_pages(&world) - before,
        8,
        "the second page once more, where it was, to the seventh, which is empty"
    );
    assert_eq!(world.writes(mark), []);
    // Again, with one that cannot be compared.
    world.sandbox.fault(
        Fault::on(System::Advoware)
            .request("GET", &format!("*/Beteiligte/{}", world.number(&ids[3])))
            .answer(400, "Gesperrt."),
    );
    let (exit, said) = world.run(&["record", "beteiligte", "--all"]).await;
    assert_eq!(exit, 1);
    assert!(said.starts_with("beteiligte: 59 of 60 records compared; 1 failed or wait for their retry"), "{said}");
}

/// Pages of `EspoCRM`'s list that were asked for.
fn world_pages(world: &World) -> usize {
    let calls = world.sandbox.calls();
    calls.iter().filter(|call| call.system == System::EspoCrm && call.path.ends_with("/CBeteiligte")).count()
}

#[tokio::test]
async fn a_first_sweep_over_many_new_records_is_bounded_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let small = include_str!("../../../mappings/beteiligte.toml").replace("page = 200", "page = 1");
    std::fs::write(folder.path().join("beteiligte.toml"), small).unwrap();
    let settings = [("ADVOSYNC_MAPPINGS", folder.path().to_str().unwrap())];
    let world = World::with(&settings).await;
    let ids: Vec<String> = (0..53).map(|n| world.create(&person("Max", &format!("Muster{n}")))).collect();
    world.sandbox.forget_webhooks();
    let asked = |found: &Value| (found["listed"].clone(), found["enqueued"].clone());
    assert_eq!(asked(&world.sweep().await), (json!(50), json!(50)));
    assert_eq!(asked(&world.sweep().await), (json!(3), json!(3)));
    world.one_to_one(&ids);
    assert_eq!(asked(&world.sweep().await), (json!(0), json!(0)));
}

#[tokio::test]
async fn what_write_protection_holds_back_is_held_back_once_a_day() {
    let world = World::with(&[("ADVOWARE_WRITE_PROTECTION", "true")]).await;
    let id = world.create(&person("Max", "Mustermann"));
    world.sandbox.forget_webhooks();
    let long_ago = json!({ "modifiedAt": "2026-01-02 03:04:05" });
    world.sandbox.people().crm_arrange(CBETEILIGTE, &id, &long_ago).unwrap();
    assert_eq!(world.sweep().await["enqueued"], 1);
    let found = world.sweep().await;
    assert_eq!(
        (&found["listed"], &found["enqueued"], &found["walk"]["enqueued"]),
        (&json!(1), &json!(0), &json!(0)),
        "{found}"
    );
    world.pass(24);
    assert_eq!(world.sweep().await["enqueued"], 1);
    assert!(world.parties().is_empty());
}

#[tokio::test]
async fn a_clock_that_was_ahead_and_an_empty_list_keep_nobody_from_being_looked_at() {
    let world = World::start().await;
    let people = world.people(3).await;
    world.sandbox.fault(Fault::on(System::Advoware).request("GET", PARTIES).answer(200, "[]"));
    let far = (chrono::Utc::now() + chrono::TimeDelta::days(300)).timestamp_millis().to_string();
    for (id, _) in &people {
        world.redis.cli(&["ZADD", "ledger:beteiligte:looked", &far, id]);
    }
    for field in ["listed_at", "walk_began"] {
        world.redis.cli(&["HSET", "ledger:beteiligte:sweep", field, &far]);
    }
    let found = world.sweep().await;
    assert!(found["list"]["off"].is_string(), "an empty list of a firm with pairs: {found}");
    assert_eq!((&found["walk"]["listed"], &found["walk"]["enqueued"]), (&json!(3), &json!(3)), "{found}");
    // What a run takes for now may be a little ahead, never a minute.
    let soon = (chrono::Utc::now() + chrono::TimeDelta::minutes(1)).timestamp_millis().to_string();
    assert_eq!(world.redis.cli(&["ZCOUNT", "ledger:beteiligte:looked", "-inf", &soon]), "3");
    world.pass(24);
    let found = world.sweep().await;
    assert_eq!(found["single"]["listed"], 3, "{found}");
}
