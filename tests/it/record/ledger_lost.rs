//! Redis was lost and with it the last agreement: the older rules decide for the whole record, and tell what they replace.

use advosync_sandbox::{CBETEILIGTE, Fault, System};
use serde_json::json;

use super::{PARTY, person};
use crate::support::world::World;

/// A pair whose last agreement is long ago for `EspoCRM` and forgotten by us.
async fn forgotten() -> (World, String, i64) {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let long_ago = json!({ "advowareLastSync": "2026-01-02 03:04:05" });
    world.sandbox.people().crm_arrange(CBETEILIGTE, &id, &long_ago).unwrap();
    world.lose_ledger();
    (world, id, number)
}

#[tokio::test]
async fn an_unchanged_pair_is_left_alone_and_known_again() {
    let (world, id, number) = forgotten().await;
    let mark = world.mark();
    assert_eq!(world.done(&id).await, "unchanged");
    assert_eq!(world.writes(mark), []);
    // Known again: edits of different fields merge, as ever.
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "telGesch": "+4940987654" }));
    world.done(&id).await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
    assert_eq!(world.party(number)["telGesch"], "+4940987654");
    assert!(world.notes(&id).is_empty());
}

#[tokio::test]
async fn an_edit_in_espocrm_goes_over() {
    let (world, id, number) = forgotten().await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("mustermann@example.org"), "what was replaced: {notes:?}");
    let mark = world.mark();
    assert_eq!(world.done(&id).await, "unchanged");
    assert_eq!(world.writes(mark), []);
}

#[tokio::test]
async fn an_edit_in_advoware_comes_over() {
    let (world, id, number) = forgotten().await;
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org", "strasse": "Gerichtsweg 1" }));
    let mark = world.mark();
    world.done(&id).await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.record(&id)["emailAddress"], "kanzlei@example.org");
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("mustermann@example.org"), "what was replaced: {notes:?}");
}

#[tokio::test]
async fn of_edits_on_both_sides_espocrm_wins_and_every_value_that_lost_is_told() {
    let (world, id, number) = forgotten().await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org", "telGesch": "+4940987654" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    for lost in ["kanzlei@example.org", "+4940987654"] {
        assert!(notes[0].contains(lost), "{lost} is not in {}", notes[0]);
    }
}

#[tokio::test]
async fn our_own_status_write_is_no_edit() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    // Our write is what bumped modifiedAt, an hour after the sync that it tells of.
    let own = json!({ "modifiedAt": "2099-01-01 00:00:00" });
    world.sandbox.people().crm_arrange(CBETEILIGTE, &id, &own).unwrap();
    world.lose_ledger();
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org" }));
    world.done(&id).await;
    assert_eq!(world.record(&id)["emailAddress"], "kanzlei@example.org", "Advoware alone changed");
}

#[tokio::test]
async fn our_report_of_a_failure_hides_no_edit() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world
        .sandbox
        .people()
        .crm_arrange(CBETEILIGTE, &id, &json!({ "advowareLastSync": "2026-01-02 03:04:05" }))
        .unwrap();
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Gerade nicht."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.record(&id)["syncStatus"], "permanently_failed", "so we wrote last");
    world.sandbox.clear_faults();
    world.lose_ledger();
    world.done(&id).await;
    assert_eq!(world.in_step(&id), number);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
}
