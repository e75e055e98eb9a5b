//! A record that is deleted in `EspoCRM`: the party stays, the pair ends.

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Change, Match, Options, Order, Phase, System};
use serde_json::json;

use super::{PARTY, deleting, person, post_of};
use crate::support::world::World;

#[tokio::test]
async fn a_delete_ends_the_pair_and_leaves_the_party() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().crm_delete(CBETEILIGTE, &id).unwrap();
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.writes(mark), []);
    assert_eq!(world.party(number)["name"], "Mustermann");
    assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:pairs", &id]), "0");
    assert!(world.redis.cli(&["HGET", "ledger:beteiligte:dissolved", &id]).contains(&number.to_string()));
    // Told twice, and told of somebody who never was: nothing.
    assert_eq!(world.done(&id).await, "gone");
    assert_eq!(world.done("0000000000000dead").await, "gone");
    assert!(world.redis.cli(&["HGET", "ledger:beteiligte:dissolved", &id]).contains(&number.to_string()));
    assert_eq!(world.writes(mark), []);
    // The party is free again: a record with its name is linked to it.
    let again = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.in_step(&again), number);
    assert_eq!(world.parties().len(), 1);
}

#[tokio::test]
async fn the_order_of_webhooks_does_not_matter() {
    let mut world = World::idle(&[], Options::default()).await;
    // As it was seen of the real one: update, create, delete of one record in one run.
    world.sandbox.configure(|options| options.webhooks.order = Order::Observed);
    let gone = world.create(&person("Max", "Mustermann"));
    world.edit(&gone, &json!({ "emailAddress": "neu@example.org" }));
    world.sandbox.people().crm_delete(CBETEILIGTE, &gone).unwrap();
    world.deliver().await;
    world.start_worker();
    world.settle_all().await;
    assert_eq!(world.parties().len(), 0, "nobody needs a party of a record that is gone");
    assert_eq!(world.writes(0), []);
    let mut ids = Vec::new();
    for order in [Order::Observed, Order::Reversed, Order::Registered, Order::Shuffled] {
        world.sandbox.configure(|options| options.webhooks.order = order);
        let id = world.create(&person("Erika", &format!("{order:?}")));
        world.edit(&id, &json!({ "emailAddress": "erika@example.org" }));
        world.edit(&id, &json!({ "phoneNumber": "+4940987654" }));
        world.deliver().await;
        world.settle_all().await;
        ids.push(id);
    }
    world.one_to_one(&ids);
    assert_eq!(world.stats().await.dead, 0);
}

#[tokio::test]
async fn a_party_that_is_gone_is_a_failure_and_not_a_new_party() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "2")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let before = world.record(&id);
    world.sandbox.people().lawyer_delete(BETEILIGTE, number).unwrap();
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    let record = world.record(&id);
    assert_eq!(record["syncStatus"], "permanently_failed");
    assert!(record["syncErrorMessage"].as_str().unwrap().starts_with("Not found in Advoware"), "{record:?}");
    assert_eq!(record["advowareLastSync"], before["advowareLastSync"]);
    assert_eq!((&record["advowareId"], record["emailAddress"].as_str()), (&json!(number), Some("neu@example.org")));
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    assert_eq!((world.stats().await.dead, world.notes(&id).len()), (1, 1));
}

#[tokio::test]
async fn a_number_that_is_cleared_because_its_party_is_gone_makes_a_new_party() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().lawyer_delete(BETEILIGTE, number).unwrap();
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed");
    // What the message on the record says may be done.
    world.edit(&id, &json!({ "advowareId": null }));
    world.deliver().await;
    world.settle_all().await;
    assert_ne!(world.in_step(&id), number);
    assert_eq!((world.parties().len(), world.stats().await.dead), (1, 0));
}

#[tokio::test]
async fn a_party_goes_with_its_record_where_the_mapping_says_so() {
    let folder = deleting();
    let world = World::mapped(&folder, &[]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().crm_delete(CBETEILIGTE, &id).unwrap();
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    let writes = world.writes(mark);
    assert_eq!((writes.len(), writes[0].change, &*writes[0].key), (1, Change::Delete, &*number.to_string()));
    assert!(world.parties().is_empty());
    assert_eq!(world.done(&id).await, "gone");
    assert_eq!(world.writes(mark).len(), 1);
}

#[tokio::test]
async fn a_record_that_is_deleted_while_its_run_is_under_way_leaves_its_party_as_it_is() {
    let world = World::start().await;
    let (edited, number) = world.created(&person("Max", "Mustermann")).await;
    let sent = world.sandbox.gate(Match::on(System::Advoware).request("PUT", PARTY), Phase::Before);
    let made = world.sandbox.gate(post_of("Muster"), Phase::After);
    world.edit(&edited, &json!({ "emailAddress": "neu@example.org" }));
    let new = world.create(&person("Erika", "Muster"));
    world.deliver().await;
    sent.arrived().await;
    made.arrived().await;
    for id in [&edited, &new] {
        world.sandbox.people().crm_delete(CBETEILIGTE, id).unwrap();
    }
    sent.release();
    made.release();
    world.rest().await;
    assert_eq!(world.party(number)["emailGesch"], "neu@example.org");
    assert_eq!((world.parties().len(), world.stats().await.dead), (2, 0), "nothing is lost, and nobody is asked");
    for id in [&edited, &new] {
        assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:pairs", id]), "0");
        assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:dissolved", id]), "1");
        assert_eq!(world.done(id).await, "gone");
    }
}

#[tokio::test]
async fn a_party_that_is_gone_is_noticed_without_an_edit() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().lawyer_delete(BETEILIGTE, number).unwrap();
    world.pass(24);
    world.sweep().await;
    let record = world.record(&id);
    assert_eq!((&record["syncStatus"], &record["advowareId"]), (&json!("permanently_failed"), &json!(number)));
    assert!(record["syncErrorMessage"].as_str().unwrap().starts_with("Not found in Advoware"), "{record:?}");
    assert!(world.parties().is_empty(), "nobody makes it anew unasked");
}
