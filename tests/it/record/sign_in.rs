//! The shared token, and write protection.

use advosync::queue::Ended;
use advosync_sandbox::{Options, System};
use serde_json::json;

use super::person;
use crate::support::world::World;

#[tokio::test]
async fn two_workers_share_one_token_and_renew_it_once() {
    let mut world = World::idle(&[], Options::default()).await;
    let sign_ins = |world: &World| world.sandbox.count(System::AdvowareSignIn).calls;
    let mut ids: Vec<String> = (0..20).map(|n| world.create(&person("Max", &format!("Muster{n}")))).collect();
    world.deliver().await;
    world.start_worker();
    world.start_worker();
    world.settle_all().await;
    assert_eq!(sign_ins(&world), 1);
    world.sandbox.revoke_tokens();
    ids.extend((20..40).map(|n| world.create(&person("Max", &format!("Muster{n}")))));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(sign_ins(&world), 2, "one new sign-in for all");
    world.one_to_one(&ids);
    assert_eq!(world.writes_to(System::EspoCrm, 0).len(), ids.len(), "nobody was told of a failure");
}

#[tokio::test]
async fn with_write_protection_nothing_is_written_and_the_job_says_what_would_be() {
    let mut world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.kill_worker();
    world.set("ADVOWARE_WRITE_PROTECTION", "true");
    world.start_worker();
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "telGesch": "+4940987654" }));
    let new = world.create(&person("Erika", "Muster"));
    let mark = world.mark();
    for (id, method) in [(&id, "PUT"), (&new, "POST")] {
        let Ended::Done { result, detail } = world.sync(id).await else { panic!("{id} is not done") };
        assert_eq!(result, "withheld");
        assert_eq!(detail.unwrap()["withheld"]["method"], method);
    }
    world.rest().await;
    assert_eq!(world.writes(mark), []);
    let calls = world.sandbox.calls();
    let refused = |call: &&advosync_sandbox::Call| call.system == System::Advoware && call.method != "GET";
    assert_eq!(calls.iter().filter(refused).count(), 1, "only the create before the protection");
    assert_eq!((world.stats().await.dead, world.stats().await.scheduled), (0, 0));
    // The edits are not forgotten.
    world.kill_worker();
    world.set("ADVOWARE_WRITE_PROTECTION", "false");
    world.start_worker();
    for id in [&id, &new] {
        world.done(id).await;
    }
    world.one_to_one(&[id.clone(), new]);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
    assert_eq!(world.record(&id)["phoneNumber"], "+4940987654");
}
