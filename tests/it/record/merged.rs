//! Duplicates that are merged in `EspoCRM`: one record is edited, the others are deleted, and nobody says that it was a merge.

use advosync_sandbox::{CBETEILIGTE, Change, Order, System};
use serde_json::{Value, json};

use super::{deleting, mapping_with, person};
use crate::support::world::World;

/// Two records of one name, each with its party.
async fn doubles(world: &World) -> [(String, i64); 2] {
    let first = world.created(&person("Max", "Mustermann")).await;
    let mut double = person("Max", "Mustermann");
    double["emailAddress"] = json!("zweit@example.org");
    let second = world.created(&double).await;
    assert_ne!(first.1, second.1);
    [first, second]
}

/// `EspoCRM` deletes the loser, and then writes to the winner what the form says.
fn merge(world: &World, winner: &str, loser: &str, form: &Value) {
    world.sandbox.people().crm_delete(CBETEILIGTE, loser).unwrap();
    world.edit(winner, form);
}

fn deletes(world: &World) -> usize {
    world.writes_to(System::Advoware, 0).iter().filter(|effect| effect.change == Change::Delete).count()
}

#[tokio::test]
async fn the_losers_party_stays_and_the_winner_is_told() {
    let world = World::start().await;
    let [(winner, kept), (loser, left)] = doubles(&world).await;
    let before = world.party(left);
    merge(&world, &winner, &loser, &json!({ "emailAddress": "zweit@example.org", "description": "beide" }));
    world.rest().await;
    assert_eq!(world.in_step(&winner), kept);
    assert_eq!(world.party(kept)["emailGesch"], "zweit@example.org");
    assert_eq!(world.party(left), before);
    let notes = world.notes(&winner);
    assert_eq!(notes.len(), 1, "{notes:?}");
    for word in [&kept.to_string(), &left.to_string(), &loser, "Dubletten"] {
        assert!(notes[0].contains(word), "{word} is not in {}", notes[0]);
    }
    let mark = world.mark();
    assert_eq!((world.done(&winner).await, world.done(&loser).await), ("unchanged".to_owned(), "gone".to_owned()));
    assert_eq!((world.writes(mark), world.stats().await.dead), (vec![], 0));
}

#[tokio::test]
async fn a_number_that_the_form_takes_over_is_the_winners_and_its_old_party_stays() {
    for (folder, delete) in [(mapping_with(str::to_owned), false), (deleting(), true)] {
        for order in [Order::Observed, Order::Reversed] {
            let world = World::mapped(&folder, &[]).await;
            world.sandbox.configure(|options| options.webhooks.order = order);
            let [(winner, left), (loser, taken)] = doubles(&world).await;
            let before = world.party(left);
            merge(&world, &winner, &loser, &json!({ "advowareId": taken }));
            world.rest().await;
            assert_eq!(world.in_step(&winner), taken, "{order:?}, {delete}");
            assert_eq!((world.party(left), deletes(&world)), (before, 0));
            assert_eq!((world.parties().len(), world.stats().await.dead), (2, 0));
            let notes = world.notes(&winner).concat();
            for word in [&left.to_string(), &taken.to_string(), "zweit@example.org"] {
                assert!(notes.contains(word), "{word} is neither there nor in a note: {notes}");
            }
            assert_eq!(world.record(&winner)["syncRetryCount"], 0);
            assert_eq!(world.done(&winner).await, "unchanged");
        }
    }
}

#[tokio::test]
async fn a_namesake_that_is_proven_to_be_somebody_else_is_not_told() {
    let world = World::start().await;
    let (father, _) = world.created(&person("Max", "Mustermann")).await;
    let mut son = person("Max", "Mustermann");
    son["dateOfBirth"] = json!("2010-01-01");
    let (son, _) = world.created(&son).await;
    world.sandbox.people().crm_delete(CBETEILIGTE, &father).unwrap();
    world.rest().await;
    assert!(world.notes(&son).is_empty());
}
