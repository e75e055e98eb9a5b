//! What scripts drive over HTTP under `/sandbox/`.

use advosync_sandbox::{CBETEILIGTE, GetShape, System};
use reqwest::Method;
use serde_json::json;

use crate::world::{Receiver, World, max};

#[tokio::test]
async fn people_work_and_the_log_can_be_read() {
    let world = World::new().await;
    let made = world.control(Method::POST, "crm/CBeteiligte", Some(max())).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("crm/CBeteiligte/{id}");
    assert_eq!(
        world.control(Method::PUT, &path, Some(json!({"anrede": "Herr"}))).await.json()["anrede"],
        json!("Herr")
    );
    let refused = world.control(Method::PUT, &path, Some(json!({"lastName": ""}))).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("lastName"));

    let number =
        world.control(Method::POST, "advoware/Beteiligte", Some(json!({"name": "A"}))).await.json()["number"].clone();
    let party = format!("advoware/Beteiligte/{number}");
    assert_eq!(world.control(Method::PUT, &party, Some(json!({"ort": "Köln"}))).await.json()["ort"], json!("Köln"));

    let state = world.control(Method::GET, "state", None).await.json();
    assert_eq!(state["espocrm"]["CBeteiligte"][0]["id"], json!(id));
    assert_eq!(state["advoware"]["Beteiligte"][0]["betNr"], number);
    let effects = world.control(Method::GET, "effects?since=2", None).await.json();
    let by: Vec<&str> = effects.as_array().unwrap().iter().map(|effect| effect["by"].as_str().unwrap()).collect();
    assert_eq!(by, ["lawyer", "lawyer"]);
    assert_eq!(world.control(Method::DELETE, &party, None).await.status, 204);
    assert_eq!(world.control(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(world.control(Method::GET, &path, None).await.status, 404);
}

#[tokio::test]
async fn counts_are_per_system_and_leave_controls_out() {
    let world = World::new().await;
    let token = world.token().await;
    world.advoware(&token, Method::GET, "Beteiligte", None).await;
    world.espocrm(Method::POST, "CBeteiligte", Some(max())).await;
    let counts = world.control(Method::GET, "counts", None).await.json();
    assert_eq!(counts["advoware"], json!({"calls": 1, "reads": 1, "writes": 0}));
    assert_eq!(counts["advoware_sign_in"]["calls"], json!(1));
    assert_eq!(counts["espocrm"]["writes"], json!(1));
    world.control(Method::POST, "reset", None).await;
    assert_eq!(world.sandbox.count(System::Advoware).calls, 0);
    assert!(world.sandbox.calls().is_empty());
    assert_eq!(world.sandbox.effects().len(), 1, "effects stay");
}

#[tokio::test]
async fn faults_options_and_gates_by_json() {
    let world = World::new().await;
    let rule = json!({"system": "espocrm", "method": "GET", "path": "*/App/user", "times": 1,
        "actions": [{"answer_before": {"status": 429, "headers": {"Retry-After": "2"}}}]});
    assert_eq!(world.control(Method::POST, "faults", Some(rule.clone())).await.status, 201);
    assert_eq!(world.espocrm(Method::GET, "App/user", None).await.status, 429);
    assert_eq!(world.espocrm(Method::GET, "App/user", None).await.status, 200);
    assert_eq!(world.control(Method::GET, "faults", None).await.json()[0]["struck"], json!(1));
    assert_eq!(
        world.control(Method::POST, "faults", Some(json!([rule, {"actions": ["cut"], "times": 0}]))).await.status,
        201
    );
    world.control(Method::DELETE, "faults", None).await;
    assert_eq!(world.espocrm(Method::GET, "App/user", None).await.status, 200);

    let part = json!({"advoware": {"get_shape": "array"}});
    assert_eq!(world.control(Method::POST, "options", Some(part)).await.status, 204);
    assert_eq!(world.sandbox.options().advoware.get_shape, GetShape::Array);
    assert_eq!(world.control(Method::POST, "options", Some(json!({"advoware": {"typo": 1}}))).await.status, 400);

    let gate = json!({"system": "espocrm", "phase": "before"});
    assert_eq!(world.control(Method::POST, "gates", Some(gate)).await.json(), json!({"gate": 0}));
    let held = async {
        while world.control(Method::GET, "gates/0", None).await.json()["arrived"] == json!(false) {}
        world.control(Method::DELETE, "gates/0", None).await
    };
    let (got, released) = tokio::join!(world.espocrm(Method::GET, "App/user", None), held);
    assert_eq!((got.status, released.status), (200, 204));
}

#[tokio::test]
async fn webhooks_are_delivered_on_demand() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    world.sandbox.register_webhooks(CBETEILIGTE, &receiver.url);
    world.control(Method::POST, "crm/CBeteiligte", Some(max())).await;
    let run = world.control(Method::POST, "deliver?all=true", None).await.json();
    assert_eq!(run["deliveries"][0]["outcome"], json!("success"));
    assert_eq!(receiver.heard().len(), 1);
    assert!(world.control(Method::GET, "env", None).await.text.contains("ESPOCRM_WEBHOOK_SECRET="));
}
