//! Records that come back: undeleted, of which `EspoCRM` tells nobody, or made again under the same name.

use advosync_sandbox::{CBETEILIGTE, System};
use serde_json::json;

use super::{deleting, person};
use crate::support::world::World;

impl World {
    /// The user deletes a record, and the program has heard of it.
    async fn deleted(&self, id: &str) {
        self.sandbox.people().crm_delete(CBETEILIGTE, id).unwrap();
        self.rest().await;
    }

    /// An administrator restores it, and a day of sweeps passes.
    async fn undeleted(&self, id: &str) {
        self.sandbox.people().crm_undelete(CBETEILIGTE, id).unwrap();
        self.pass(24);
        self.sweep().await;
        self.settle_all().await;
    }
}

#[tokio::test]
async fn an_undeleted_record_finds_its_party_again() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.deleted(&id).await;
    world.lawyer(number, &json!({ "telGesch": "+4940987654" }));
    let mark = world.mark();
    world.undeleted(&id).await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.record(&id)["phoneNumber"], "+4940987654", "what the lawyer did meanwhile");
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    world.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    world.rest().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!((world.parties().len(), world.stats().await.dead), (1, 0));
}

#[tokio::test]
async fn a_record_that_got_the_party_meanwhile_keeps_it() {
    let world = World::start().await;
    let (old, number) = world.created(&person("Max", "Mustermann")).await;
    world.lift_unique();
    world.deleted(&old).await;
    let (new, linked) = world.created(&person("Max", "Mustermann")).await;
    assert_eq!(linked, number, "the party is free, and the only one of that name");
    let mark = world.mark();
    world.undeleted(&old).await;
    let record = world.record(&old);
    assert_eq!(record["syncStatus"], "permanently_failed", "{record:?}");
    assert!(record["syncErrorMessage"].as_str().unwrap().contains(&new), "{record:?}");
    assert_eq!((world.notes(&old).len(), world.stats().await.dead), (1, 1));
    world.edit(&old, &json!({ "emailAddress": "alt@example.org" }));
    world.edit(&new, &json!({ "emailAddress": "neu@example.org" }));
    world.rest().await;
    assert_eq!(world.in_step(&new), number);
    assert_eq!(world.party(number)["emailGesch"], "neu@example.org");
    assert_eq!(world.writes_to(System::Advoware, mark).len(), 1, "only one of them writes");
    // The person takes the number out of it: then it is a namesake like any other.
    world.edit(&old, &json!({ "advowareId": null }));
    world.rest().await;
    assert_ne!(world.in_step(&old), number);
    assert_eq!((world.in_step(&new), world.parties().len(), world.stats().await.dead), (number, 2, 0));
}

#[tokio::test]
async fn a_party_that_went_with_its_record_is_made_anew_only_when_a_person_says_so() {
    let folder = deleting();
    let world = World::mapped(&folder, &[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.deleted(&id).await;
    assert!(world.parties().is_empty());
    world.undeleted(&id).await;
    let record = world.record(&id);
    assert_eq!(record["syncStatus"], "permanently_failed", "{record:?}");
    assert!(record["syncErrorMessage"].as_str().unwrap().contains("clear advowareId"), "{record:?}");
    world.edit(&id, &json!({ "advowareId": null }));
    world.rest().await;
    assert_ne!(world.in_step(&id), number);
    assert_eq!((world.parties().len(), world.stats().await.dead), (1, 0));
}

#[tokio::test]
async fn a_record_that_is_made_again_before_its_end_was_heard_of_gets_its_party() {
    let world = World::start().await;
    let (old, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().crm_delete_unheard(CBETEILIGTE, &old).unwrap();
    let mark = world.mark();
    let new = world.create(&person("Max", "Mustermann"));
    world.rest().await;
    assert_eq!(world.in_step(&new), number);
    assert_eq!((world.parties().len(), world.writes_to(System::Advoware, mark)), (1, vec![]));
    assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:dissolved", &old]), "1");
    // Where parties go with their records, the old one goes first.
    let folder = deleting();
    let world = World::mapped(&folder, &[]).await;
    let (old, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().crm_delete_unheard(CBETEILIGTE, &old).unwrap();
    let new = world.create(&person("Max", "Mustermann"));
    world.rest().await;
    assert_ne!(world.in_step(&new), number);
    assert_eq!((world.parties().len(), world.stats().await.dead), (1, 0));
}
