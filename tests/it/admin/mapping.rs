//! `mapping check`: by itself without any setting, and with `--live` at both systems, where nothing is written.

use std::path::Path;

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Entity, Options, Sandbox};
use serde_json::json;

use super::Person;

fn shipped(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(file).display().to_string()
}

#[tokio::test]
async fn files_are_checked_without_settings_and_systems() {
    let person = Person::alone();
    let (parties, cases) = (shipped("beteiligte.toml"), shipped("beispiele/akten.toml"));
    let ran = person.good(&["mapping", "check", &parties, &cases]).await;
    assert!(ran.stdout.contains("rechtsgebiet <-> referat: enum"), "{}", ran.stdout);
    let ran = person.run(&["mapping", "check", "--json", &cases, &cases]).await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.json()["faults"][0]["key"], "name", "one name in two files: {}", ran.stdout);
}

#[tokio::test]
async fn live_asks_both_systems_and_writes_nothing() {
    let mut options = Options::default();
    options.espocrm.entities = vec![Entity::beteiligte(CBETEILIGTE).not_required("lastName")];
    let sandbox = Sandbox::start(options).await.unwrap();
    // No Redis: nothing here needs one.
    let person = sandbox.env().iter().fold(Person::alone(), |person, (name, value)| person.with(name, value));
    let file = shipped("beteiligte.toml");
    let live = ["mapping", "check", "--live", file.as_str()];
    let ran = person.good(&live).await;
    assert!(ran.stdout.contains("lists no record that could show its fields"), "{}", ran.stdout);
    assert!(ran.stdout.contains("all 14 fields are there and fit"), "{}", ran.stdout);

    sandbox.people().lawyer_create(BETEILIGTE, &json!({ "name": "Geheim", "vorname": "Max" })).unwrap();
    let effects = sandbox.effects().len();
    let ran = person.good(&live).await;
    assert!(ran.stdout.contains("one record shows all 9 fields, and fits"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("Geheim"), "a value is a party's: {}", ran.stdout);
    assert_eq!(sandbox.effects().len(), effects);

    sandbox.configure(|options| {
        options.espocrm.entities = vec![Entity::beteiligte(CBETEILIGTE).not_required("lastName").without("anrede")];
    });
    let ran = person.run(&[&live[..], &["--json"]].concat()).await;
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let live = ran.json()["mappings"][0]["live"].clone();
    let told =
        live.as_array().unwrap().iter().any(|it| it["level"] == "fail" && it["text"].to_string().contains("anrede"));
    assert!(told, "{live}");
}
