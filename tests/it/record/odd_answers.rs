//! Answers that are not what was asked for: a clear error or no change at all, never a loss.

use std::collections::BTreeMap;

use advosync_sandbox::{Action, Fault, System};
use serde_json::{Value, json};

use super::{PARTIES, PARTY, person};
use crate::support::world::World;

/// A pair in step, one fault, one run. Nothing may be written but a report of failure; a later run finds all as it was.
/// Answers the record's error.
async fn harmless(world: &World, pair: &(String, i64), fault: Fault) -> Value {
    let (id, number) = pair;
    let before = (world.record(id), world.party(*number));
    let mark = world.mark();
    world.sandbox.fault(fault.clone());
    world.sync(id).await;
    let struck = world.sandbox.faults_struck();
    world.sandbox.clear_faults();
    assert!(struck > 0, "{fault:?} was not met");
    assert_eq!(world.writes_to(System::Advoware, mark), [], "{fault:?}");
    for effect in world.writes_to(System::EspoCrm, mark) {
        let sent: Vec<&str> = effect.body.keys().map(String::as_str).collect();
        let own = |name: &&str| name.starts_with("sync") || name.starts_with("advoware");
        assert!(sent.iter().all(own), "{fault:?} led to {sent:?}");
    }
    let error = world.record(id)["syncErrorMessage"].clone();
    world.done(id).await;
    assert_eq!(world.in_step(id), *number);
    let now = (world.record(id), world.party(*number));
    let changed = |was: &advosync_sandbox::Fields, is: &advosync_sandbox::Fields| -> Vec<String> {
        let own = |name: &str| {
            name.starts_with("advowareLastSync") || name.starts_with("modified") || name == "streamUpdatedAt"
        };
        is.iter()
            .filter(|(name, value)| !own(name) && was.get(*name) != Some(value))
            .map(|(name, _)| name.clone())
            .collect()
    };
    let differing: Vec<String> = [changed(&before.0, &now.0), changed(&before.1, &now.1)].concat();
    assert!(differing.is_empty(), "{fault:?} changed {differing:?}");
    assert_eq!(world.stats().await.dead, 0, "{fault:?}");
    error
}

#[tokio::test]
async fn an_odd_answer_harms_nothing() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "1h")]).await;
    let pair = world.created(&person("Max", "Mustermann")).await;
    let advoware = || Fault::on(System::Advoware).get(PARTY).once();
    let espocrm = || Fault::on(System::EspoCrm).get(&format!("*/{}", pair.0)).once();
    let said = |error: Value| error.as_str().unwrap_or_default().to_owned();

    let error = said(harmless(&world, &pair, advoware().then(Action::HtmlBefore)).await);
    assert!(error.contains("HTML") || error.contains("html"), "{error}");
    let error = said(harmless(&world, &pair, advoware().answer(200, "[{\"betNr\":1},{\"betNr\":2}]")).await);
    assert!(error.contains("one record"), "{error}");
    // Merged and put, another party's record would replace this one.
    for other in [r#"{"betNr":999,"rowId":"zz","name":"Fremd","vorname":"Erika"}"#, r#"{"rowId":"zz","name":"Fremd"}"#]
    {
        let error = said(harmless(&world, &pair, advoware().answer(200, other)).await);
        assert!(error.contains("a record whose betNr is not"), "{error}");
    }
    let error = said(harmless(&world, &pair, advoware().answer(200, "null")).await);
    assert!(!error.is_empty());
    let error = said(harmless(&world, &pair, advoware().answer(403, "Diese Funktion wird nicht angeboten.")).await);
    assert!(error.contains("Diese Funktion wird nicht angeboten."), "{error}");
    // A page instead of Advoware's own 404 is no word about a party.
    harmless(&world, &pair, advoware().answer(404, "<html><body>Not Found</body></html>")).await;
    // What is not shown says nothing: absent is not blank.
    harmless(&world, &pair, advoware().without(&["telGesch", "emailGesch", "vorname"])).await;
    harmless(&world, &pair, espocrm().without(&["phoneNumber", "emailAddress", "firstName"])).await;
    harmless(&world, &pair, espocrm().without(&["advowareId"])).await;
    harmless(
        &world,
        &pair,
        espocrm().then(Action::Replace { fields: BTreeMap::from([("advowareId".into(), json!(null))]) }),
    )
    .await;
    harmless(&world, &pair, espocrm().then(Action::HtmlBefore)).await;
    assert_eq!(world.creates(), 1);
}

#[tokio::test]
async fn a_page_that_says_404_deletes_nothing() {
    let world = World::start().await;
    let pair = world.created(&person("Max", "Mustermann")).await;
    let missing = Fault::on(System::EspoCrm).get(&format!("*/{}", pair.0)).once().answer(404, "<html>nginx</html>");
    world.sandbox.fault(missing);
    world.sync(&pair.0).await;
    world.settle_all().await;
    assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:pairs", &pair.0]), "1");
    assert_eq!(world.in_step(&pair.0), pair.1);
}

#[tokio::test]
async fn a_search_that_cannot_be_read_creates_nothing() {
    let world = World::with(&[("ADVOSYNC_RETRY_SCHEDULE", "1h")]).await;
    for (at, action) in [
        Action::HtmlBefore,
        Action::Array,
        Action::AnswerBefore { status: 200, body: "{}".into(), headers: BTreeMap::new() },
        Action::AnswerBefore { status: 200, body: "17".into(), headers: BTreeMap::new() },
    ]
    .into_iter()
    .enumerate()
    {
        let id = world.create(&person("Max", &format!("Muster{at}")));
        world.sandbox.fault(Fault::on(System::Advoware).get(PARTIES).once().then(action.clone()));
        world.sync(&id).await;
        assert_eq!(world.creates(), at, "{action:?}");
        assert_eq!(world.record(&id)["syncStatus"], "failed", "{action:?}");
        assert_eq!(world.done(&id).await, "created");
        world.in_step(&id);
    }
    // Advoware ignores a parameter that it does not know, and lists everybody.
    world.sandbox.configure(|options| {
        options.advoware.resources.iter_mut().for_each(|resource| resource.search.clear());
    });
    let id = world.create(&person("Max", "Neu"));
    assert_eq!(world.done(&id).await, "created");
    world.in_step(&id);
}
