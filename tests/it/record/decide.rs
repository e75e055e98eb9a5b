//! Records that no rule can match: a person sees both sides and decides.

use advosync::queue::Flow;
use advosync_sandbox::{BETEILIGTE, System};
use serde_json::json;

use super::{on_post, person};
use crate::support::world::{HASTY, World};

/// A record that two parties fit; its letter and their numbers.
async fn asked(world: &World) -> (String, String, [i64; 2]) {
    let twin = |plz: &str| json!({ "name": "Mustermann", "vorname": "Max", "plz": plz });
    let people = world.sandbox.people();
    let twins = ["10115", "20095"].map(|plz| people.lawyer_create(BETEILIGTE, &twin(plz)).unwrap());
    let id = world.create(&person("Max", "Mustermann"));
    world.deliver().await;
    world.settle_all().await;
    let letter = letters(world).await.remove(0);
    (id, letter, twins)
}

/// The letters that are not settled.
async fn letters(world: &World) -> Vec<String> {
    let all = world.queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    all.into_iter().filter(|letter| !letter.resolved).map(|letter| letter.id).collect()
}

#[tokio::test]
async fn both_sides_are_shown_and_this_one_links() {
    let world = World::start().await;
    let (id, letter, twins) = asked(&world).await;
    let mark = world.mark();
    let (exit, text) = world.run(&["dead", "decide", &letter]).await;
    assert_eq!(exit, 0, "{text}");
    for word in [twins[0].to_string(), twins[1].to_string(), "several parties".to_owned(), "Mustermann".to_owned()] {
        assert!(text.contains(&word), "{word} is not in {text}");
    }
    assert_eq!(world.writes(mark), [], "a look writes nothing");
    let (exit, text) = world.run(&["dead", "decide", &letter, "--this", &twins[1].to_string(), "--wait"]).await;
    assert_eq!((exit, text.contains("linked")), (0, true), "{text}");
    assert_eq!(world.clean(&id), twins[1]);
    assert_eq!(world.writes_to(System::Advoware, mark), [], "only the sync fields are written");
    assert!(letters(&world).await.is_empty(), "it is settled");
    // A party that belongs to another record is taken from nobody.
    let second = world.create(&person("Max", "Mustermann"));
    let (exit, text) = world.run(&["dead", "decide", &letter, "--create"]).await;
    assert_eq!(exit, 0, "{text}");
    world.rest().await;
    assert_eq!(world.number(&second), twins[0], "the one that is left needs no decision");
    assert_eq!((world.parties().len(), world.creates()), (2, 0), "what is decided already is done once");
}

#[tokio::test]
async fn none_of_them_creates_once_even_if_the_answer_is_lost() {
    let world = World::with(&HASTY).await;
    let (id, letter, twins) = asked(&world).await;
    world.sandbox.fault(on_post("Mustermann").once().lose_answer());
    let (exit, _) = world.run(&["dead", "decide", &letter, "--create"]).await;
    assert_eq!(exit, 0);
    world.settle_all().await;
    assert!(!twins.contains(&world.in_step(&id)));
    assert_eq!((world.parties().len(), world.creates()), (3, 1), "its own effect is adopted, not made again");
    assert!(letters(&world).await.is_empty());
    let (exit, text) = world.run(&["dead", "decide", "1-0"]).await;
    assert_eq!((exit, text.as_str()), (1, ""));
}

#[tokio::test]
async fn a_number_that_another_record_has_is_refused() {
    let world = World::start().await;
    let (_, taken) = world.created(&person("Erika", "Erste")).await;
    let (id, letter, _) = asked(&world).await;
    let mark = world.mark();
    let (exit, text) = world.run(&["dead", "decide", &letter, "--this", &taken.to_string(), "--wait"]).await;
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("is paired with the EspoCRM record"), "{text}");
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    assert!(world.record(&id)["advowareId"].is_null());
    assert_eq!(letters(&world).await.len(), 2, "nothing is settled");
    // A letter that asks nothing takes no decision.
    world.redis.cli(&[
        "XADD",
        "jobs:vmh:dead",
        "*",
        "topic",
        "vmh.beteiligte.update",
        "key",
        "x",
        "code",
        "incomplete",
    ]);
    let other = letters(&world).await.remove(0);
    assert_eq!(world.run(&["dead", "decide", &other, "--create"]).await.0, 1);
}
