//! `advosync record … --inspect`: what is known of a record that fails.

use advosync_sandbox::{BETEILIGTE, Fault, System};
use serde_json::{Value, json};

use super::{PARTY, person};
use crate::support::world::World;

async fn inspected(world: &World, id: &str) -> Value {
    let mark = world.mark();
    let (exit, text) = world.run(&["record", "beteiligte", id, "--inspect"]).await;
    assert_eq!((exit, world.writes(mark)), (0, vec![]), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_last_errors_of_a_record_are_shown_with_its_retry_and_its_dead_letters() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "3"), ("ADVOSYNC_RETRY_SCHEDULE", "50ms,1h")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    assert_eq!(inspected(&world, &id).await["failures"], json!({ "retry": null, "dead_letters": [] }));
    world.sandbox.fault(Fault::on(System::Advoware).put(PARTY).answer(400, "Der Name ist gesperrt."));
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.deliver().await;
    world.settle().await;
    world.until("it has failed twice", async || world.record(&id)["syncRetryCount"] == 2).await;
    world.settle().await;
    let shown = inspected(&world, &id).await;
    let retry = &shown["failures"]["retry"];
    let due: chrono::DateTime<chrono::Utc> = serde_json::from_value(retry["due"].clone()).unwrap();
    assert!(due > chrono::Utc::now() + chrono::TimeDelta::minutes(50), "{retry}");
    let attempts = retry["attempts"].as_array().unwrap();
    assert_eq!(
        (attempts.len(), &attempts[1]["attempt"], &attempts[1]["code"]),
        (2, &json!(2), &json!("advoware_refused"))
    );
    for attempt in attempts {
        assert!(attempt["error"].as_str().unwrap().contains("Der Name ist gesperrt."), "{retry}");
        assert!(attempt["trace"].is_string() && attempt["worker"].is_string() && attempt["at"].is_string(), "{retry}");
    }
    let status = &shown["status"];
    assert_eq!((&status["syncStatus"], &status["syncRetryCount"]), (&json!("failed"), &json!(2)));
    assert!(status["syncErrorMessage"].as_str().unwrap().contains("Der Name ist gesperrt."), "{status}");
    assert_eq!(shown["would"]["to_advoware"], json!({ "emailGesch": "crm@example.org" }), "{shown}");
    // A person asks once more: the last attempt.
    world.sync(&id).await;
    let shown = inspected(&world, &id).await;
    assert_eq!(shown["failures"]["retry"], Value::Null);
    let letters = shown["failures"]["dead_letters"].as_array().unwrap();
    assert_eq!((letters.len(), letters[0]["attempts"].as_array().unwrap().len()), (1, 3), "{letters:?}");
    let (_, listed) = world.run(&["dead", "list", "--json"]).await;
    assert!(listed.contains(letters[0]["id"].as_str().unwrap()), "{listed}");
    world.sandbox.clear_faults();
    world.done(&id).await;
    assert_eq!(inspected(&world, &id).await["failures"]["dead_letters"], json!([]));
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
}

#[tokio::test]
async fn why_a_run_would_fail_is_said() {
    let world = World::with(&[("ADVOSYNC_MAX_ATTEMPTS", "1")]).await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.sandbox.people().lawyer_delete(BETEILIGTE, number).unwrap();
    let shown = inspected(&world, &id).await;
    let why = shown["would"]["fail"].as_str().unwrap();
    assert!(why.starts_with("Not found in Advoware") && shown["advoware"].is_null(), "{shown}");
    assert_eq!(shown["ledger"]["pair"]["number"], number.to_string());
    // A number that is another record's.
    let (owner, taken) = world.created(&person("Erika", "Muster")).await;
    let second = "0000000000000beef";
    let mut values = person("Moritz", "Muster");
    values["advowareId"] = json!(taken);
    world.sandbox.people().crm_arrange(advosync_sandbox::CBETEILIGTE, second, &values).unwrap();
    let shown = inspected(&world, second).await;
    assert!(shown["would"]["fail"].as_str().unwrap().contains(&owner), "{shown}");
}
