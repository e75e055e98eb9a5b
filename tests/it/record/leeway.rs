//! What the contracts leave open: answers that show less than there is, values that Advoware keeps in a form of its own or gives
//! by itself, edits that fall between two calls of ours.

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Fault, Match, Phase, PostShape, PutShape, System};
use serde_json::{Value, json};

use super::{PARTIES, PARTY, on_post, person};
use crate::support::world::{HASTY, World};

/// All fields that an answer may leave out.
const REST: [&str; 8] =
    ["name", "vorname", "anrede", "rechtsform", "geburtsdatum", "handelsRegisterNummer", "emailGesch", "telGesch"];

/// Nothing is written any more.
async fn assert_settled(world: &World, id: &str) {
    let mark = world.mark();
    assert_eq!(world.done(id).await, "unchanged");
    assert_eq!(world.writes(mark), []);
    assert_eq!(world.stats().await.dead, 0);
}

#[tokio::test]
async fn an_answer_that_shows_little_is_not_taken_for_the_record() {
    let world = World::start().await;
    world.sandbox.fault(on_post("Mustermann").once().without(&REST));
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    // The lawyer's first edit is an edit, although nobody had shown us what was there.
    world.lawyer(number, &json!({ "telGesch": "+4940987654", "anrede": null }));
    let mark = world.mark();
    world.done(&id).await;
    world.in_step(&id);
    assert_eq!(world.record(&id)["phoneNumber"], "+4940987654");
    assert_eq!(world.writes_to(System::Advoware, mark), []);

    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).once().without(&REST));
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.sandbox.reset_counts();
    world.done(&id).await;
    assert_eq!(world.calls(), (3, 2));
    // Back to what was there before is an edit, too.
    world.lawyer(number, &json!({ "emailGesch": "mustermann@example.org" }));
    world.done(&id).await;
    world.in_step(&id);
    assert_eq!(world.record(&id)["emailAddress"], "mustermann@example.org");
    assert!(world.notes(&id).is_empty(), "nobody lost anything");
    assert_settled(&world, &id).await;
}

#[tokio::test]
async fn an_edit_between_a_put_and_the_look_after_it_is_found_by_the_next_sweep() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.configure(|options| options.advoware.put_shape = PutShape::Empty);
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    let look = world.sandbox.gate_nth(Match::on(System::Advoware).request("GET", PARTY), Phase::Before, 2);
    world.deliver().await;
    look.arrived().await;
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org", "telGesch": "+4940987654" }));
    look.release();
    world.settle_all().await;
    world.sweep().await;
    assert_eq!(world.in_step(&id), number);
    let record = world.record(&id);
    assert_eq!(record["emailAddress"], "kanzlei@example.org", "it came after ours");
    assert_eq!(record["phoneNumber"], "+4940987654");
    assert_settled(&world, &id).await;
}

#[tokio::test]
async fn what_advoware_gives_a_new_party_goes_to_espocrm_with_the_first_status() {
    let world = World::start().await;
    world.sandbox.configure(|options| options.advoware.post_shape = PostShape::Number);
    let mut values = person("Max", "Mustermann");
    values["anrede"] = Value::Null;
    let id = world.create(&values);
    let look = world.sandbox.gate(Match::on(System::Advoware).request("GET", PARTY), Phase::Before);
    world.deliver().await;
    look.arrived().await;
    let number = world.parties()[0]["betNr"].as_i64().unwrap();
    world.lawyer(number, &json!({ "anrede": "Herr" }));
    look.release();
    world.settle_all().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.writes_to(System::EspoCrm, 0).len(), 1);
    assert_settled(&world, &id).await;
}

#[tokio::test]
async fn an_interrupted_create_is_known_in_capitals_and_what_was_added_to_it_stays() {
    let world = World::with(&HASTY).await;
    world.sandbox.fault(on_post("Mustermann").once().lose_answer());
    let mut values = person("Max", "Mustermann");
    values["phoneNumber"] = Value::Null;
    let id = world.create(&values);
    world.deliver().await;
    world.settle().await;
    let number = world.parties()[0]["betNr"].as_i64().unwrap();
    let own = json!({ "name": "MUSTERMANN", "anrede": "HERR", "telGesch": "+4940987654" });
    world.lawyer(number, &own);
    world.settle_all().await;
    assert_eq!((world.clean(&id), world.parties().len()), (number, 1));
    let party = world.party(number);
    for (field, value) in own.as_object().unwrap() {
        assert_eq!(&party[field], value, "{field}: {party:?}");
    }
    assert_eq!(world.record(&id)["phoneNumber"], "+4940987654");
    assert_settled(&world, &id).await;
}

#[tokio::test]
async fn a_list_that_shows_little_of_a_party_links_nobody_to_another() {
    let world = World::start().await;
    world.sandbox.fault(Fault::on(System::Advoware).get(PARTIES).without(&["geburtsdatum", "telGesch", "emailGesch"]));
    let people = world.sandbox.people();
    let born = |year: u32| json!({ "vorname": "Max", "name": "Mustermann", "geburtsdatum": format!("{year}-05-17") });
    let father = people.lawyer_create(BETEILIGTE, &born(1950)).unwrap();
    let id = world.create(&person("Max", "Mustermann"));
    assert_eq!(world.done(&id).await, "created");
    assert_ne!(world.in_step(&id), father);

    let mut there = json!({ "emailGesch": "alt@example.org" });
    there.as_object_mut().unwrap().extend(json!({ "vorname": "Erika", "name": "Muster" }).as_object().unwrap().clone());
    let number = people.lawyer_create(BETEILIGTE, &there).unwrap();
    let id = world.create(&person("Erika", "Muster"));
    assert_eq!(world.done(&id).await, "linked");
    assert_eq!(world.clean(&id), number);
    assert_settled(&world, &id).await;
    assert_eq!(world.party(number)["emailGesch"], "alt@example.org", "only the sync fields are written");
}

#[tokio::test]
async fn a_sync_field_that_espocrm_does_not_have_is_not_written_for_ever() {
    let world = World::start().await;
    world.sandbox.configure(|options| {
        options.webhooks.honour_skip_own = false;
        let entity = options.espocrm.entities.iter_mut().find(|entity| entity.name == CBETEILIGTE).unwrap();
        *entity = entity.clone().without("advowareRowId").without("advowareLastSync");
    });
    let id = world.create(&person("Max", "Mustermann"));
    world.rest().await;
    assert_eq!(world.record(&id)["syncStatus"], "clean");
    assert_settled(&world, &id).await;
}

#[tokio::test]
async fn where_no_list_is_offered_records_are_created_and_only_a_person_ends_what_was_interrupted() {
    let world = World::with(&HASTY).await;
    world.sandbox.fault(Fault::on(System::Advoware).get(PARTIES).answer(403, "Diese Operation wird nicht angeboten."));
    let (id, _) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.fault(on_post("Muster\"").once().lose_answer());
    let lost = world.create(&person("Erika", "Muster"));
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    assert_eq!((world.creates(), world.stats().await.dead), (2, 1));
    assert!(world.notes(&lost)[0].contains("no search to find out"), "{:?}", world.notes(&lost));
}
