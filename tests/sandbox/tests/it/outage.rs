//! The port goes away and comes back; the memory stays.

use advosync_sandbox::{BETEILIGTE, Options, Sandbox};
use reqwest::Method;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_outage_refuses_connections_and_keeps_the_records() {
    let world = World::new().await;
    let token = world.token().await;
    let number = world.sandbox.people().lawyer_create(BETEILIGTE, &json!({"name": "A"})).unwrap();
    let read = async || world.try_advoware(&token, Method::GET, &format!("Beteiligte/{number}"), None).await;
    assert_eq!(read().await.unwrap().status(), 200);
    world.sandbox.stop().await;
    let refused = read().await.unwrap_err();
    assert!(refused.is_connect(), "also the kept-alive connection is gone: {refused:?}");
    world.sandbox.resume().await.unwrap();
    assert_eq!(read().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_new_sandbox_can_take_the_port_of_an_old_one() {
    let first = Sandbox::start(Options::default()).await.unwrap();
    let listen = first.address();
    first.stop().await;
    drop(first);
    let second = Sandbox::start(Options { listen, ..Options::default() }).await.unwrap();
    assert_eq!(second.address(), listen);
}

#[tokio::test]
async fn the_settings_name_what_the_product_needs() {
    let world = World::new().await;
    world.sandbox.register_webhooks("CBeteiligte", "http://127.0.0.1:3000/vmh/webhook/beteiligte");
    let env: std::collections::BTreeMap<_, _> = world.sandbox.env().into_iter().collect();
    assert_eq!(env["ADVOWARE_API_BASE_URL"], format!("{}/advoware/", world.sandbox.origin()));
    assert_eq!(env["ESPOCRM_API_BASE_URL"], format!("{}/espocrm/api/v1", world.sandbox.origin()));
    assert_eq!(env["ESPOCRM_WEBHOOK_SECRET"].split(',').count(), 3);
    assert!(!env.contains_key("ESPOCRM_API_SECRET"));
    assert!(world.sandbox.env_file().contains("ADVOWARE_ROLE='2'\n"));
}

#[tokio::test]
async fn what_was_before_the_test_is_arranged_without_a_trace() {
    let world = World::new().await;
    let people = world.sandbox.people();
    world.sandbox.register_webhook("CBeteiligte.create", "http://127.0.0.1:1/", false, None);
    let old =
        json!({"lastName": "Alt", "modifiedAt": "2020-01-01 00:00:00", "modifiedById": "someone", "advowareId": 7});
    people.crm_arrange("CBeteiligte", "0000000000000000a", &old).unwrap();
    let read = world.espocrm(Method::GET, "CBeteiligte/0000000000000000a", None).await.json();
    assert_eq!((&read["name"], &read["modifiedAt"]), (&json!("Alt"), &json!("2020-01-01 00:00:00")));
    people.crm_arrange("CBeteiligte", "0000000000000000a", &json!({"syncStatus": "syncing"})).unwrap();
    let read = people.crm_get("CBeteiligte", "0000000000000000a").unwrap();
    assert_eq!((&read["syncStatus"], &read["lastName"]), (&json!("syncing"), &json!("Alt")));
    assert_eq!((world.sandbox.webhooks_waiting(), world.sandbox.effects().len()), (0, 0));
}
