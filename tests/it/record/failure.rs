//! Attempts that fail: what the record shows, when it is given up, and how it comes back.

use advosync_sandbox::{Action, BETEILIGTE, Effect, Fault, Match, Phase, System};
use serde_json::{Value, json};

use super::{PARTY, on_post, person, put_to_record};
use crate::support::world::World;

/// The states that we wrote to a record, in order.
fn states(effects: &[Effect]) -> Vec<(String, Value)> {
    let state = |effect: &Effect| {
        (effect.body["syncStatus"].as_str().unwrap_or_default().to_owned(), effect.body["syncRetryCount"].clone())
    };
    effects.iter().map(state).collect()
}

fn state(status: &str, retries: u32) -> (String, Value) {
    (status.to_owned(), json!(retries))
}

#[tokio::test]
async fn a_clean_refusal_of_a_create_is_tried_again_without_a_quiet_time() {
    // The quiet time is out of reach: were it waited for, this test would not end in time.
    let world = World::with(&[("ADVOSYNC_QUIET_TIME", "1h")]).await;
    world.sandbox.fault(on_post("Mustermann").once().answer(400, "Die Anrede von Mustermann ist ungültig."));
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    world.one_to_one(std::slice::from_ref(&id));
    let writes = world.writes_to(System::EspoCrm, 0);
    assert_eq!(states(&writes), [state("failed", 1), state("clean", 0)]);
    // What was sent is hidden in it: no log line tells a party's data, which the end of every process checks.
    let message = writes[0].body["syncErrorMessage"].as_str().unwrap();
    assert!(message.contains("Die Anrede von *** ist ungültig."), "{message}");
    assert!(!writes[0].body.contains_key("advowareLastSync"), "{writes:?}");
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intents"]), "0");
}

#[tokio::test]
async fn after_the_last_attempt_it_is_for_a_person_and_a_replay_mends_it() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "3"), ("ADVOSYNC_RETRY_SCHEDULE", "50ms")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let before = world.record(&id);
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Der Name ist gesperrt."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    let writes = world.writes_to(System::EspoCrm, mark);
    assert_eq!(states(&writes), [state("failed", 1), state("failed", 2), state("permanently_failed", 3)]);
    let record = world.record(&id);
    assert_eq!(record["advowareLastSync"], before["advowareLastSync"], "a failure hides no edit");
    assert_eq!(record["advowareRowId"], before["advowareRowId"]);
    let notes = world.notes(&id);
    assert!(notes.len() == 1 && notes[0].contains("Der Name ist gesperrt."), "{notes:?}");
    let look = || world.redis.cli(&["ZSCORE", "ledger:beteiligte:looked", &id]);
    assert_eq!(look(), "", "no sweep looks at it any more");
    let letters = world.queue.dead_letters(advosync::queue::Flow::Vmh, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].key.as_deref(), letters[0].errors.len()), (Some(id.as_str()), 3), "{letters:?}");
    assert!(letters[0].errors.iter().all(|error| error.error.contains("Der Name ist gesperrt.")), "{letters:?}");

    world.sandbox.clear_faults();
    let replayed = world.redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", &letters[0].id]);
    assert_eq!(replayed, "1");
    world.settle_all().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.redis.cli(&["XLEN", "jobs:vmh:dead"]), "0");
    assert_eq!(world.notes(&id).len(), 1, "that it works again needs no note");
    assert_ne!(look(), "");
}

#[tokio::test]
async fn what_espocrm_refuses_is_told_on_the_record() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "1h")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.lawyer(number, &json!({ "anrede": "A".repeat(101), "telGesch": "+4940987654" }));
    let mark = world.mark();
    world.sync(&id).await;
    let record = world.record(&id);
    assert_eq!((&record["syncStatus"], &record["syncRetryCount"]), (&json!("failed"), &json!(1)));
    assert!(record["syncErrorMessage"].as_str().unwrap().contains("anrede"), "{record:?}");
    assert_eq!(record["anrede"], "Herr");
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    // Mended at its source; a person asks, so the retry is not waited for.
    world.lawyer(number, &json!({ "anrede": "Frau" }));
    world.done(&id).await;
    world.in_step(&id);
    assert_eq!(world.record(&id)["phoneNumber"], "+4940987654");
}

#[tokio::test]
async fn the_echo_of_a_failure_burns_no_attempt() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "1500ms")]).await;
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    let (id, _) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).once().answer(400, "Gerade nicht."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    let mark = world.mark();
    world.deliver().await;
    world.settle().await;
    let puts =
        || world.sandbox.calls().iter().filter(|call| call.method == "PUT" && call.system == System::Advoware).count();
    assert_eq!((puts(), world.stats().await.scheduled), (1, 1));
    world.deliver().await;
    world.settle().await;
    assert!(world.heard_of("failed"), "the failure came back");
    assert_eq!((puts(), world.stats().await.scheduled), (1, 1), "the retry keeps its time");
    world.rest().await;
    world.in_step(&id);
    assert_eq!(states(&world.writes_to(System::EspoCrm, mark)), [state("failed", 1), state("clean", 0)]);
}

#[tokio::test]
async fn the_echo_of_giving_up_starts_nothing_anew() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "2"), ("ADVOSYNC_RETRY_SCHEDULE", "50ms")]).await;
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    let (id, _) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Nie."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed");
    world.rest().await;
    assert!(world.heard_of("permanently_failed"), "our last word came back");
    assert_eq!(states(&world.writes_to(System::EspoCrm, mark)), [state("failed", 1), state("permanently_failed", 2)]);
    assert_eq!((world.notes(&id).len(), world.stats().await.dead), (1, 1), "one dead letter, still open");
    // Somebody works on the record: that is news.
    world.sandbox.clear_faults();
    world.edit(&id, &json!({ "phoneNumber": "+4940987654" }));
    world.rest().await;
    world.in_step(&id);
    assert_eq!(world.stats().await.dead, 0, "the dead letter is settled");
}

#[tokio::test]
async fn a_worker_that_dies_with_its_report_on_the_record_loses_neither_the_retry_nor_the_dead_letter() {
    let settings = [("ADVOSYNC_MAX_ATTEMPTS", "2"), ("ADVOSYNC_RETRY_SCHEDULE", "50ms"), ("ADVOSYNC_LEASE", "1s")];
    let mut world = World::with(&settings).await;
    let (passing, _) = world.created(&person("Max", "Mustermann")).await;
    let (lasting, number) = world.created(&person("Erika", "Muster")).await;
    let gates = [(&passing, 1), (&lasting, 2)]
        .map(|(id, attempt)| world.sandbox.gate_nth(put_to_record(id), Phase::After, attempt));
    let refusal = |number: i64| {
        Fault::on(System::Advoware).put(&format!("*/Beteiligte/{number}")).answer(400, "Der Name ist gesperrt.")
    };
    world.sandbox.fault(refusal(world.number(&passing)).once());
    world.sandbox.fault(refusal(number));
    for id in [&passing, &lasting] {
        world.edit(id, &json!({ "emailAddress": "crm@example.org" }));
    }
    world.deliver().await;
    for gate in &gates {
        gate.arrived().await;
    }
    assert_eq!(world.record(&passing)["syncStatus"], "failed");
    assert_eq!(world.record(&lasting)["syncStatus"], "permanently_failed");
    world.kill_worker();
    drop(gates);
    world.start_worker();
    world.settle_all().await;
    world.in_step(&passing);
    assert_eq!(world.record(&lasting)["syncStatus"], "permanently_failed");
    assert_eq!((world.stats().await.dead, world.notes(&lasting).len()), (1, 1));
}

#[tokio::test]
async fn an_echo_that_overtakes_the_job_of_a_dead_worker_fails_in_its_place() {
    let settings = [("ADVOSYNC_RETRY_SCHEDULE", "200ms"), ("ADVOSYNC_LEASE", "1s")];
    let mut world = World::with(&settings).await;
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    let (passing, number) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    for _ in 0..2 {
        let twin = json!({ "vorname": "Erika", "name": "Zwilling" });
        world.sandbox.people().lawyer_create(BETEILIGTE, &twin).unwrap();
    }
    let refusal = Fault::on(System::Advoware).put(&format!("*/Beteiligte/{number}"));
    world.sandbox.fault(refusal.once().answer(400, "Der Name ist gesperrt."));
    world.edit(&passing, &json!({ "emailAddress": "crm@example.org" }));
    let lasting = world.create(&person("Erika", "Zwilling"));
    let ids = [&passing, &lasting];
    let told = ids.map(|id| world.sandbox.gate(put_to_record(id).containing("failed"), Phase::After));
    world.deliver().await;
    for gate in &told {
        gate.arrived().await;
    }
    world.kill_worker();
    drop(told);
    let locks = ids.map(|id| format!("sync_lock:beteiligte:{id}"));
    let is_free = |lock: &String| world.redis.cli(&["EXISTS", lock]) == "0";
    world.until("the dead worker's locks are gone", async || locks.iter().all(is_free)).await;
    // What it left is not missed for another second, so that the echoes run first, and have the locks when it is.
    let left = world.redis.cli(&["XPENDING", "jobs:vmh", "workers", "-", "+", "10"]);
    let left: Vec<&str> = left.lines().filter(|line| line.contains('-') && !line.contains("worker")).collect();
    for id in left.iter().filter(|id| id.split('-').all(|part| part.parse::<u64>().is_ok())) {
        world.redis.cli(&["XCLAIM", "jobs:vmh", "workers", "nobody", "0", id, "IDLE", "0", "JUSTID"]);
    }
    let read = |id: &&String| Match::on(System::EspoCrm).request("GET", &format!("*/CBeteiligte/{id}"));
    let echoes = ids.map(|id| world.sandbox.gate(read(&id), Phase::Before));
    world.deliver().await;
    world.start_worker();
    for gate in &echoes {
        gate.arrived().await;
    }
    let is_parked = |lock: &String| world.redis.cli(&["HEXISTS", "jobs:vmh:parked", lock]) == "1";
    world.until("what it left waits for them", async || locks.iter().all(is_parked)).await;
    drop(echoes);
    world.rest().await;
    assert_eq!(world.in_step(&passing), number);
    assert_eq!(world.record(&lasting)["syncStatus"], "permanently_failed");
    assert_eq!((world.stats().await.dead, world.notes(&lasting).len()), (1, 1));
}

#[tokio::test]
async fn a_late_echo_does_not_swallow_a_replay_that_waits() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    let (id, _) = world.created(&person("Max", "Mustermann")).await;
    world.rest().await;
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Nie."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed");
    world.sandbox.clear_faults();
    // A person replays it; Advoware asks for patience, which burns no attempt.
    let headers = [("Retry-After".to_owned(), "2".to_owned())].into();
    let patience = Action::AnswerBefore { status: 429, body: String::new(), headers };
    world.sandbox.fault(Fault::on(System::Advoware).once().then(patience));
    world.redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", "all"]);
    world.settle().await;
    assert_eq!(world.stats().await.scheduled, 1);
    // Only now our own last word comes back.
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
}

#[tokio::test]
async fn a_long_message_is_cut_where_espocrm_cuts_it() {
    let world = World::start().await;
    for _ in 0..300 {
        let twin = json!({ "vorname": "Erika", "name": "Zwilling" });
        world.sandbox.people().lawyer_create(BETEILIGTE, &twin).unwrap();
    }
    let id = world.create(&person("Erika", "Zwilling"));
    world.deliver().await;
    world.settle_all().await;
    let record = world.record(&id);
    assert_eq!(record["syncStatus"], "permanently_failed");
    assert_eq!(record["syncErrorMessage"].as_str().unwrap().chars().count(), 2000);
    assert!(world.notes(&id)[0].contains("Decide with `advosync dead decide`"), "the note has all of it");
}
