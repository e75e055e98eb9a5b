//! Everything at once: answers lost at random, workers killed again and again. In the end one party a record (S4).

use std::time::Duration;

use advosync_sandbox::{Fault, Options, System};
use serde_json::json;

use super::{PARTIES, PARTY, person};
use crate::support::world::{HASTY, World};

#[tokio::test]
async fn lost_answers_and_killed_workers_double_and_lose_nothing() {
    let further = [("ADVOSYNC_MAX_ATTEMPTS", "1000"), ("ADVOSYNC_WORKER_CONCURRENCY", "4")];
    let settings = [HASTY.as_slice(), &further].concat();
    let mut world = World::idle(&settings, Options { seed: 7, ..Options::default() }).await;
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    let on = |system| Fault::on(system).probability(0.08);
    for fault in [
        on(System::Advoware).post(PARTIES).lose_answer(),
        on(System::Advoware).post(PARTIES).answer_after(500, "Interner Fehler"),
        on(System::Advoware).post(PARTIES).cut(),
        on(System::Advoware).put(PARTY).lose_answer(),
        on(System::Advoware).put(PARTY).cut(),
        on(System::EspoCrm).put("*/CBeteiligte/*").lose_answer(),
        on(System::EspoCrm).put("*/CBeteiligte/*").answer(500, ""),
    ] {
        world.sandbox.fault(fault);
    }
    let mut ids: Vec<String> = (0..40).map(|n| world.create(&person("Max", &format!("Muster{n}")))).collect();
    // Two that nobody can tell apart.
    ids.extend((0..2).map(|_| world.create(&person("Erika", "Zwilling"))));
    world.start_worker();
    world.start_worker();
    for round in 0..5 {
        world.deliver().await;
        for id in ids.iter().skip(round).step_by(5) {
            world.edit(id, &json!({ "emailAddress": format!("runde{round}@example.org") }));
        }
        // Work has been done since the last blow, so that each falls somewhere else.
        let mark = world.mark();
        let _ = tokio::time::timeout(
            Duration::from_millis(600),
            world.until("something was written", async || world.writes(mark).len() > 3),
        )
        .await;
        world.kill_worker();
        world.start_worker();
    }
    world.sandbox.clear_faults();
    world.rest().await;
    world.one_to_one(&ids);
    let mark = world.mark();
    for id in &ids {
        assert_eq!(world.done(id).await, "unchanged");
    }
    assert_eq!(world.writes(mark), []);
    assert_eq!(world.stats().await.dead, 0);
}
