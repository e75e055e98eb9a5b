//! A party that is there already is not made a second time, and nobody's party is taken away (S3).

use advosync_sandbox::{BETEILIGTE, Match, Options, Phase, System};
use serde_json::{Value, json};

use super::{person, post_of};
use crate::support::world::{HASTY, World};

fn lawyers(world: &World, values: &Value) -> i64 {
    world.sandbox.people().lawyer_create(BETEILIGTE, values).unwrap()
}

#[tokio::test]
async fn exactly_one_party_of_that_name_is_linked() {
    let world = World::start().await;
    let there = json!({
        "vorname": "Max", "name": "Mustermann", "geburtsdatum": "1980-05-17", "strasse": "Gerichtsweg 1",
        "emailGesch": "alt@example.org",
    });
    let number = lawyers(&world, &there);
    let id = world.create(&person("Max", "Mustermann"));
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.clean(&id), number);
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    let writes = world.writes_to(System::EspoCrm, mark);
    assert_eq!(writes.len(), 1, "notes apart");
    assert!(writes[0].body.keys().all(|name| name.starts_with("advoware") || name.starts_with("sync")), "{writes:?}");
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1);
    for line in [
        "E-Mail: EspoCRM „mustermann@example.org“, Advoware „alt@example.org“",
        "Telefon: EspoCRM „+4930123456“, Advoware leer",
    ] {
        assert!(notes[0].contains(line), "{notes:?}");
    }
    // The differences stay until somebody edits one side; then the edit goes over, and only that.
    assert_eq!(world.done(&id).await, "unchanged");
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.done(&id).await;
    let party = world.party(number);
    assert_eq!((&party["emailGesch"], &party["strasse"]), (&json!("neu@example.org"), &json!("Gerichtsweg 1")));
    assert_eq!(party["telGesch"], json!(null), "nobody edited the telephone");
    assert_eq!(world.parties().len(), 1);
}

#[tokio::test]
async fn several_parties_of_that_name_are_for_a_person_to_decide() {
    let world = World::start().await;
    let numbers = [(); 2].map(|()| lawyers(&world, &json!({ "vorname": "Max", "name": "Mustermann" })));
    let id = world.create(&person("Max", "Mustermann"));
    let mark = world.mark();
    world.deliver().await;
    world.settle_all().await;
    let record = world.record(&id);
    assert_eq!((&record["syncStatus"], &record["advowareId"]), (&json!("permanently_failed"), &Value::Null));
    let message = record["syncErrorMessage"].as_str().unwrap();
    assert!(numbers.iter().all(|number| message.contains(&number.to_string())), "{message}");
    assert_eq!((world.writes_to(System::Advoware, mark).len(), world.parties().len()), (0, 2));
    assert_eq!((world.stats().await.dead, world.notes(&id).len()), (1, 1));
    // The person enters the number: linked, and the dead letter is settled.
    world.edit(&id, &json!({ "advowareId": numbers[1] }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.in_step(&id), numbers[1]);
    assert_eq!((world.parties().len(), world.stats().await.dead), (2, 0));
}

#[tokio::test]
async fn a_birth_date_tells_two_people_apart() {
    let world = World::start().await;
    let father = lawyers(&world, &json!({ "vorname": "Max", "name": "Mustermann", "geburtsdatum": "1950-01-01" }));
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    assert_ne!(world.in_step(&id), father);
    assert_eq!(world.parties().len(), 2);
    // A search that finds more than was meant is filtered on our side.
    world.sandbox.configure(|options| options.advoware.search_by_prefix = true);
    let id = world.create(&person("Max", "Muster"));
    world.deliver().await;
    world.settle_all().await;
    world.in_step(&id);
    assert_eq!(world.parties().len(), 3);
}

#[tokio::test]
async fn twins_get_a_party_each() {
    let mut world = World::idle(&HASTY, Options::default()).await;
    let ids: Vec<String> = (0..3).map(|_| world.create(&person("Max", "Mustermann"))).collect();
    world.deliver().await;
    world.start_worker();
    world.start_worker();
    world.settle_all().await;
    world.one_to_one(&ids);
    let mark = world.mark();
    for id in &ids {
        assert_eq!(world.done(id).await, "unchanged");
    }
    assert!(world.writes(mark).is_empty());
}

#[tokio::test]
async fn a_twins_party_that_is_found_before_it_is_known_whose_it_is_is_left_to_the_twin() {
    let world = World::start().await;
    let (first, second) = (world.create(&person("Max", "Mustermann")), world.create(&person("Max", "Mustermann")));
    let posted = world.sandbox.gate(post_of("Mustermann"), Phase::After);
    let looked = world.sandbox.gate(Match::on(System::EspoCrm).request("GET", "*/CBeteiligte"), Phase::Before);
    // Whoever is second finds the party that the first one has just made, and asks whose it is.
    let (ends_first, ends_second) = (world.sync(&first), async {
        posted.arrived().await;
        world.sync(&second).await
    });
    let in_order = async {
        looked.arrived().await;
        posted.release();
        world.until("the first is linked", async || world.record(&first)["advowareId"].is_number()).await;
        looked.release();
    };
    let _ = tokio::join!(ends_first, ends_second, in_order);
    world.one_to_one(&[first, second]);
    assert_eq!(world.stats().await.dead, 0);
}

#[tokio::test]
async fn a_party_of_another_record_is_not_stolen_when_the_ledger_is_lost() {
    let world = World::start().await;
    let (first, number) = world.created(&person("Max", "Mustermann")).await;
    world.lose_ledger();
    let mark = world.mark();
    let second = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    let record = world.record(&second);
    assert_eq!(record["advowareId"], Value::Null, "{record:?}");
    assert_eq!(record["syncStatus"], "permanently_failed", "{record:?}");
    assert!(record["syncErrorMessage"].as_str().unwrap().contains(&first), "{record:?}");
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    // Once the first one is known again, the second one is a twin.
    assert_eq!(world.done(&first).await, "unchanged");
    assert_eq!(world.done(&second).await, "created");
    assert_ne!(world.in_step(&second), number);
    assert_eq!((world.in_step(&first), world.parties().len()), (number, 2));
}
