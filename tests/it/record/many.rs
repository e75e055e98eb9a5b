//! Many records at once, told of twice and in any order, and two workers.

use advosync_sandbox::{Action, Fault, Options, Order, System};
use serde_json::json;

use super::person;
use crate::support::world::World;

#[tokio::test]
async fn two_workers_and_two_hundred_records_with_duplicates_in_any_order() {
    let mut world = World::idle(&[], Options::default()).await;
    world.sandbox.configure(|options| {
        options.webhooks.order = Order::Shuffled;
        options.webhooks.honour_skip_own = false;
    });
    world.sandbox.fault(Fault::on(System::Webhooks).then(Action::Duplicate { copies: 2 }));
    world.start_worker();
    world.start_worker();
    let mut ids = Vec::new();
    for round in 0..4 {
        for n in 0..50 {
            let id = world.create(&person("Max", &format!("Muster{round}x{n}")));
            world.edit(&id, &json!({ "phoneNumber": format!("+4940{round}{n:06}") }));
            ids.push(id);
        }
        world.deliver().await;
        // Edits meet creates that are under way.
        for id in ids.iter().step_by(7) {
            world.edit(id, &json!({ "emailAddress": format!("runde{round}@example.org") }));
        }
    }
    world.rest().await;
    world.one_to_one(&ids);
    assert_eq!(world.stats().await.dead, 0);
    assert_eq!(world.sandbox.count(System::AdvowareSignIn).calls, 1);
}
