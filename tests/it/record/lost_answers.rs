//! Writes whose answer is lost, late or unreadable: whether they took effect is found out, never guessed (S4). Plain
//! losses and errors are in the crash matrix ([`super::matrix`]).

use std::time::Duration;

use advosync::queue::{Batch, Lane, RecordAction, Topic};
use advosync_sandbox::{Action, BETEILIGTE, CBETEILIGTE, Fault, Match, Phase, System};
use serde_json::json;

use super::{PARTY, on_post, person, put_to_record};
use crate::support::world::{HASTY, World};

/// Longer than the API's timeout, shorter than the quiet time.
const TOO_LONG: Duration = Duration::from_millis(1250);

/// Whoever waits for the quiet time still waits when what is under way is let go, also on a busy machine.
const PATIENT: [(&str, &str); 2] = [("ESPOCRM_API_TIMEOUT_SECONDS", "1"), ("ADVOSYNC_QUIET_TIME", "4s")];

/// Each record's POST meets its fault once. Afterwards there is one party a record, and nobody was bothered.
async fn check(faults: Vec<(&str, Fault)>) {
    let world = World::with(&HASTY).await;
    let ids: Vec<String> = faults
        .into_iter()
        .map(|(name, fault)| {
            world.sandbox.fault(fault);
            world.create(&person("Max", name))
        })
        .collect();
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.sandbox.faults_struck(), ids.len() as u64, "every fault was met");
    world.one_to_one(&ids);
    let told = world.writes_to(System::EspoCrm, 0);
    assert!(told.iter().all(|effect| effect.body["syncStatus"] == "clean"), "no attempt was burned: {told:?}");
    assert_eq!(world.stats().await.dead, 0);
    let mark = world.mark();
    for id in &ids {
        assert_eq!(world.done(id).await, "unchanged");
    }
    assert_eq!(world.writes(mark), []);
}

// Five failures in a row open the breaker, hence not all in one world.

#[tokio::test]
async fn the_post_took_effect_too_late_for_an_answer() {
    check(vec![
        ("Slow", on_post("Slow").once().delay_after(TOO_LONG)),
        ("Delayed", on_post("Delayed").once().delay_before(TOO_LONG)),
    ])
    .await;
}

#[tokio::test]
async fn the_post_took_no_effect_or_its_answer_makes_no_sense() {
    check(vec![
        ("Cut", on_post("Cut").once().cut()),
        ("Refused", on_post("Refused").once().answer(503, "Wartung")),
        ("Paged", on_post("Paged").once().then(Action::HtmlAfter)),
        ("Numberless", on_post("Numberless").once().without(&["betNr"])),
        ("Silent", on_post("Silent").once().answer_after(200, "")),
        ("Redirected", on_post("Redirected").once().answer_after(302, "")),
        ("Versionless", on_post("Versionless").once().without(&["rowId"])),
    ])
    .await;
}

#[tokio::test]
async fn an_edit_during_the_quiet_time_goes_over_with_it() {
    let world = World::with(&HASTY).await;
    world.sandbox.fault(on_post("Mustermann").once().lose_answer());
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.stats().await.scheduled, world.parties().len()), (1, 1));
    world.edit(&id, &json!({ "emailAddress": "neu@example.org", "lastName": "Musterfrau" }));
    world.deliver().await;
    world.settle_all().await;
    world.one_to_one(std::slice::from_ref(&id));
    let party = world.party(world.number(&id));
    assert_eq!((&party["emailGesch"], &party["name"]), (&json!("neu@example.org"), &json!("Musterfrau")));
}

#[tokio::test]
async fn a_record_that_is_renamed_during_the_quiet_time_is_looked_for_by_its_new_name() {
    let world = World::with(&HASTY).await;
    let there = json!({ "vorname": "Max", "name": "Musterfrau", "geburtsdatum": "1980-05-17" });
    let number = world.sandbox.people().lawyer_create(BETEILIGTE, &there).unwrap();
    world.sandbox.fault(on_post("Mustermann").once().cut());
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle().await;
    world.edit(&id, &json!({ "lastName": "Musterfrau" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.clean(&id), number, "linked, as if it had had that name from the start");
    assert_eq!(world.parties().len(), 1);
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intent_keys"]), "0");
}

#[tokio::test]
async fn where_only_a_person_can_tell_the_number_that_is_entered_counts() {
    let world = World::with(&HASTY).await;
    world.sandbox.fault(on_post("Mustermann").once().lose_answer());
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle().await;
    // Meanwhile the lawyer enters the same person, too.
    let same = json!({ "vorname": "Max", "name": "Mustermann" });
    let number = world.sandbox.people().lawyer_create(BETEILIGTE, &same).unwrap();
    world.settle_all().await;
    let record = world.record(&id);
    assert_eq!((&record["syncStatus"], &record["advowareId"]), (&json!("permanently_failed"), &json!(null)));
    assert_eq!((world.parties().len(), world.stats().await.dead), (2, 1));
    world.edit(&id, &json!({ "advowareId": number }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!((world.parties().len(), world.stats().await.dead), (2, 0));
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intents"]), "0");
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intent_keys"]), "0");
}

#[tokio::test]
async fn a_record_that_is_deleted_during_the_quiet_time_is_created_no_second_time() {
    let world = World::with(&HASTY).await;
    world.sandbox.fault(on_post("Mustermann").once().lose_answer());
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle().await;
    world.sandbox.people().crm_delete(CBETEILIGTE, &id).unwrap();
    world.deliver().await;
    world.settle_all().await;
    assert_eq!((world.parties().len(), world.creates()), (1, 1), "it happened; nobody takes a party away");
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intents"]), "0");
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intent_keys"]), "0");
}

#[tokio::test]
async fn a_create_that_never_gets_an_answer_becomes_a_dead_letter_and_makes_one_party() {
    let settings = [HASTY.as_slice(), &[("ADVOSYNC_MAX_ATTEMPTS", "2")]].concat();
    let world = World::with(&settings).await;
    // Refused with a page each time, so that nothing counts as an outage, and the party is hidden from the search.
    world.sandbox.fault(on_post("Mustermann").then(Action::HtmlBefore));
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!((world.stats().await.dead, world.parties().len()), (1, 0));
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed");
    world.sandbox.clear_faults();
    let replayed = world.redis.cli(&["FCALL", "advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh", "all"]);
    assert_eq!(replayed, "1");
    world.settle_all().await;
    world.one_to_one(&[id]);
}

#[tokio::test]
async fn a_number_that_a_person_enters_ends_an_interrupted_create() {
    let world = World::with(&HASTY).await;
    world.sandbox.fault(on_post("Mustermann").once().cut());
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle().await;
    // The search would not find this one; the person knows better.
    let there = json!({ "vorname": "Maximilian", "name": "Mustermann" });
    let number = world.sandbox.people().lawyer_create(BETEILIGTE, &there).unwrap();
    world.edit(&id, &json!({ "advowareId": number }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!((world.creates(), world.parties().len()), (0, 1), "no second party beside the one that was chosen");
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.redis.cli(&["HLEN", "ledger:beteiligte:intents"]), "0");
}

#[tokio::test]
async fn an_update_of_a_party_that_takes_effect_too_late_undoes_no_newer_edit() {
    let world = World::with(&[HASTY.as_slice(), &PATIENT].concat()).await;
    let (id, _) = world.created(&person("Max", "Mustermann")).await;
    let gate = world.sandbox.gate(Match::on(System::Advoware).request("PUT", PARTY), Phase::Before);
    world.edit(&id, &json!({ "emailAddress": "alt@example.org" }));
    world.deliver().await;
    world.settle().await;
    let late = || wrote(&world, "emailGesch", "alt@example.org");
    assert!(!late(), "its caller has given up, and it is still under way");
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.deliver().await;
    world.settle().await;
    gate.release();
    world.until("it has taken effect", async || late()).await;
    world.rest().await;
    world.done(&id).await;
    world.in_step(&id);
    assert_eq!(world.record(&id)["emailAddress"], "neu@example.org");
}

#[tokio::test]
async fn an_update_of_a_record_that_takes_effect_too_late_undoes_no_newer_edit_in_silence() {
    let world = World::with(&[HASTY.as_slice(), &PATIENT].concat()).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let gate = world.sandbox.gate(put_to_record(&id).containing("alt@"), Phase::Before);
    world.lawyer(number, &json!({ "emailGesch": "alt@example.org" }));
    world.sync(&id).await;
    let late = || wrote(&world, "emailAddress", "alt@example.org");
    assert!(!late(), "its caller has given up, and it is still under way");
    world.lawyer(number, &json!({ "emailGesch": "neu@example.org" }));
    let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
    world.queue.enqueue(&Batch::new(topic, Lane::First, std::slice::from_ref(&id), "test")).await.unwrap();
    // Asked for, and it waits.
    world.settle().await;
    gate.release();
    world.until("it has taken effect", async || late()).await;
    world.rest().await;
    world.done(&id).await;
    world.in_step(&id);
    // What was written unheard looks like an edit of the user, as after a crash.
    let notes = world.notes(&id).concat();
    assert!(notes.contains("neu@example.org"), "it is nowhere any more: {notes:?} {:?}", world.record(&id));
}

/// Whether the program's write of this value has taken effect.
fn wrote(world: &World, field: &str, value: &str) -> bool {
    world.writes(0).iter().any(|effect| effect.body.get(field).is_some_and(|it| it == value))
}
