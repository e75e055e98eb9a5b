//! The data model over the API: what it shows to whom, and how an admin adds to it.

use advosync_sandbox::{CBETEILIGTE, Entity, Options, System};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Got, World};

async fn as_admin(world: &World, method: Method, path: &str, body: Option<Value>) -> Got {
    let options = world.sandbox.options().espocrm;
    let basic = BASE64_STANDARD.encode(format!("{}:{}", options.person_name, options.person_password));
    world.espocrm_with(method, path, body, &[("Authorization", &format!("Basic {basic}"))]).await
}

async fn bare() -> World {
    let mut options = Options::default();
    options.espocrm.entities = vec![Entity::person(CBETEILIGTE)];
    World::with(options).await
}

#[tokio::test]
async fn metadata_shows_fields_and_nothing_at_all_for_what_is_missing_or_hidden() {
    let world = World::new().await;
    let shown = world.espocrm(Method::GET, "Metadata?key=entityDefs.CBeteiligte", None).await.json();
    assert_eq!(shown["fields"]["lastName"], json!({"type": "varchar", "required": true, "maxLength": 100}));
    assert_eq!(shown["fields"]["advowareId"], json!({"type": "int", "unique": true}));
    assert_eq!(shown["fields"]["syncStatus"]["options"][0], "clean");
    let missing = world.espocrm(Method::GET, "Metadata?key=entityDefs.CAkte", None).await;
    assert_eq!((missing.status, missing.text.as_str()), (200, ""));
    world.sandbox.configure(|options| options.espocrm.denied.push("CBeteiligte.read".into()));
    let hidden = world.espocrm(Method::GET, "Metadata?key=entityDefs.CBeteiligte", None).await;
    assert_eq!((hidden.status, hidden.text.as_str()), (200, ""));
    assert_eq!(as_admin(&world, Method::GET, "Metadata?key=entityDefs.CBeteiligte", None).await.json(), shown);
}

#[tokio::test]
async fn an_admin_makes_a_field_that_is_there_at_once_and_is_not_unique() {
    let world = bare().await;
    let field = json!({"name": "advowareId", "type": "int", "unique": true});
    let refused = world.espocrm(Method::POST, "Admin/fieldManager/CBeteiligte", Some(field.clone())).await;
    assert_eq!((refused.status, refused.reason.as_str()), (403, ""));
    let made = as_admin(&world, Method::POST, "Admin/fieldManager/CBeteiligte", Some(field.clone())).await;
    assert_eq!(made.json(), json!({"type": "int", "isCustom": true, "label": "advowareId"}));
    let again = as_admin(&world, Method::POST, "Admin/fieldManager/CBeteiligte", Some(field)).await;
    assert_eq!((again.status, again.reason.as_str()), (409, "Field 'advowareId' already exists in 'CBeteiligte'."));
    let record = world.espocrm(Method::POST, "CBeteiligte", Some(json!({"lastName": "A", "advowareId": 7}))).await;
    assert_eq!(record.json()["advowareId"], 7);
    let effects = world.sandbox.effects();
    assert_eq!((effects[0].system, effects[0].entity.as_str()), (System::EspoCrm, "Field"));
}

#[tokio::test]
async fn only_a_webhook_with_an_owner_can_skip_its_own_changes() {
    let world = World::new().await;
    let mut hook = json!({"event": "CBeteiligte.create", "url": "http://127.0.0.1:9/x", "skipOwn": true});
    let ownerless = as_admin(&world, Method::POST, "Webhook", Some(hook.clone())).await;
    assert_eq!((ownerless.status, &ownerless.json()["skipOwn"]), (201, &json!(false)));
    hook["userId"] = json!(world.sandbox.options().espocrm.api_user_id);
    assert_eq!(as_admin(&world, Method::POST, "Webhook", Some(hook.clone())).await.json()["skipOwn"], true);
    hook["userId"] = json!(world.sandbox.options().espocrm.person_id);
    assert_eq!(as_admin(&world, Method::POST, "Webhook", Some(hook)).await.reason, "User must be an API User.");
}
