//! espocrm.md: sign-in, reads and writes, refusals, notes.

use std::time::Duration;

use advosync_sandbox::{CBETEILIGTE, Change, Entity, Field, Kind, Options, System};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{World, max};

#[tokio::test]
async fn a_user_signs_in_by_key_by_hmac_or_by_password() {
    let world = World::new().await;
    let options = world.sandbox.options().espocrm;
    let user =
        async |name: &str, value: &str| world.espocrm_with(Method::GET, "App/user", None, &[(name, value)]).await;

    assert_eq!(user("X-Api-Key", &options.api_key).await.json()["user"]["id"], json!(options.api_user_id));
    let basic = BASE64_STANDARD.encode(format!("{}:{}", options.person_name, options.person_password));
    assert_eq!(user("Authorization", &format!("Basic {basic}")).await.json()["user"]["userName"], json!("admin"));
    let refused = user("X-Api-Key", "wrong").await;
    assert_eq!((refused.status, refused.text.as_str()), (401, ""));

    world.sandbox.configure(|options| options.espocrm.api_secret = Some("geheim".into()));
    let mut mac = Hmac::<Sha256>::new_from_slice(b"geheim").unwrap();
    mac.update(b"GET /App/user");
    let digest = mac.finalize().into_bytes();
    let hex = BASE64_STANDARD.encode(format!("{}:{}", options.api_key, hex::encode(digest)));
    let raw = BASE64_STANDARD.encode([options.api_key.as_bytes(), b":", &digest[..]].concat());
    assert_eq!(user("X-Hmac-Authorization", &hex).await.status, 200);
    assert_eq!(user("X-Hmac-Authorization", &raw).await.status, 200);
    let with_query = world.espocrm_with(Method::GET, "App/user?x=1", None, &[("X-Hmac-Authorization", &hex)]).await;
    assert_eq!(with_query.status, 200, "the query is not signed");
    let other_path = world.espocrm_with(Method::GET, "CBeteiligte", None, &[("X-Hmac-Authorization", &hex)]).await;
    assert_eq!(other_path.status, 401);
    assert_eq!(user("X-Api-Key", &options.api_key).await.status, 401, "an HMAC user has no key sign-in");
}

#[tokio::test]
async fn more_than_ten_bad_sign_ins_lock_everybody_out_for_a_minute() {
    let world = World::new().await;
    let bad = async || world.espocrm_with(Method::GET, "App/user", None, &[("X-Api-Key", "wrong")]).await.status;
    for _ in 0..10 {
        assert_eq!(bad().await, 401);
    }
    assert_eq!(world.espocrm(Method::GET, "App/user", None).await.status, 200, "ten are allowed");
    assert_eq!(bad().await, 401);
    let locked = world.espocrm(Method::GET, "App/user", None).await;
    assert_eq!((locked.status, locked.reason.as_str(), locked.text.as_str()), (403, "", ""));
    world.sandbox.advance(Duration::from_secs(61));
    assert_eq!(world.espocrm(Method::GET, "App/user", None).await.status, 200);
}

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let world = World::new().await;
    let body = json!({
        "firstName": "  Max ", "lastName": "Müller", "firmenname": "", "unknown": 1, "phoneNumber": "+49 (0)30 / 123-456",
        "id": "mine", "modifiedById": "mine", "name": "forged",
    });
    let made = world.espocrm(Method::POST, "CBeteiligte", Some(body)).await;
    assert_eq!(made.status, 200);
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(id.len(), 17);
    assert_eq!((&made["firstName"], &made["name"]), (&json!("Max"), &json!("Max Müller")));
    assert_eq!((&made["firmenname"], made.get("unknown")), (&Value::Null, None));
    assert_eq!(made["phoneNumber"], json!("+4930123456"));
    assert_eq!(made["modifiedById"], Value::Null);
    assert_eq!(made["createdById"], json!(world.sandbox.options().espocrm.api_user_id));

    let path = format!("CBeteiligte/{id}");
    let read = world.espocrm(Method::GET, &path, None).await.json();
    assert_eq!(read, made);
    assert!(read.as_object().unwrap().contains_key("advowareId"), "unset attributes are explicit nulls");
    for method in [Method::PUT, Method::PATCH] {
        let put = world.espocrm(method, &path, Some(json!({"anrede": "Herr"}))).await.json();
        assert_eq!(
            (&put["anrede"], &put["firstName"]),
            (&json!("Herr"), &json!("Max")),
            "a partial update, the whole record"
        );
    }
    assert_eq!(world.espocrm(Method::DELETE, &path, None).await.text, "true");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let gone = world.espocrm(method, &path, Some(json!({}))).await;
        assert_eq!((gone.status, gone.reason), (404, format!("Record {id} does not exist.")));
    }
    let changes: Vec<Change> = world.sandbox.effects().iter().map(|effect| effect.change).collect();
    assert_eq!(changes, [Change::Create, Change::Update, Change::Update, Change::Delete]);
}

#[tokio::test]
async fn a_write_that_changes_nothing_still_bumps_modified_at_and_by() {
    let world = World::new().await;
    let people = world.sandbox.people();
    let id = people.crm_create(CBETEILIGTE, &max()).unwrap();
    let before = people.crm_get(CBETEILIGTE, &id).unwrap();
    world.sandbox.advance(Duration::from_secs(2));
    world.espocrm(Method::PUT, &format!("CBeteiligte/{id}"), Some(json!({}))).await;
    let after = people.crm_get(CBETEILIGTE, &id).unwrap();
    assert!(after["modifiedAt"].as_str() > before["modifiedAt"].as_str());
    assert_eq!(after["modifiedAt"].as_str().unwrap().len(), "2026-11-22 00:45:18".len());
    assert_eq!(after["modifiedById"], json!(world.sandbox.options().espocrm.api_user_id));
    assert!(world.sandbox.effects().last().unwrap().changed.is_empty(), "logged as a write all the same");
}

#[tokio::test]
async fn invalid_values_are_refused_with_field_and_kind() {
    let world = World::new().await;
    let id = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let check = async |field: &str, value: Value, kind: &str| {
        let got = world.espocrm(Method::PUT, &format!("CBeteiligte/{id}"), Some(json!({field: value}))).await;
        assert_eq!(got.status, 400, "{field}");
        let expected = format!("Field validation failure; entityType: CBeteiligte, field: {field}, type: {kind}.");
        assert_eq!(got.reason, expected);
        let data = json!({"field": field, "type": kind});
        let body = json!({"messageTranslation": {"label": "validationFailure", "scope": null, "data": data}});
        assert_eq!(got.json(), body);
    };
    check("lastName", json!(" "), "required").await;
    check("advowareRowId", json!("x".repeat(51)), "maxLength").await;
    check("syncErrorMessage", json!("ü".repeat(2001)), "maxLength").await;
    check("syncStatus", json!("unclean"), "valid").await;
    check("dateOfBirth", json!("1980-02-30"), "valid").await;
    check("dateOfBirth", json!("1980-02-29T00:00:00"), "valid").await;
    check("advowareLastSync", json!("2026-11-01 08:15:00.123456"), "valid").await;
    check("advowareLastSync", json!("2026-11-01T08:15:00Z"), "valid").await;
    check("emailAddress", json!("max@"), "emailAddress").await;
    check("phoneNumber", json!("030 123456"), "valid").await;
    check("advowareId", json!(3_000_000_000_i64), "rangeInternal").await;
    let ok = json!({"syncErrorMessage": "ü".repeat(2000), "dateOfBirth": "1980-02-29", "advowareLastSync": "2026-11-01 08:15:00",
        "emailAddress": "max@example.com", "advowareId": 5, "syncStatus": "clean"});
    assert_eq!(world.espocrm(Method::PUT, &format!("CBeteiligte/{id}"), Some(ok)).await.status, 200);
}

#[tokio::test]
async fn a_company_needs_the_requirement_lifted() {
    let world = World::new().await;
    let company = json!({"firmenname": "Muster GmbH"});
    let refused = world.espocrm(Method::POST, "CBeteiligte", Some(company.clone())).await;
    assert_eq!(refused.json()["messageTranslation"]["data"], json!({"field": "lastName", "type": "required"}));
    world
        .sandbox
        .configure(|options| options.espocrm.entities = vec![Entity::beteiligte(CBETEILIGTE).not_required("lastName")]);
    let made = world.espocrm(Method::POST, "CBeteiligte", Some(company)).await.json();
    assert_eq!((&made["name"], &made["firmenname"]), (&Value::Null, &json!("Muster GmbH")));
}

#[tokio::test]
async fn refusals_name_their_reason() {
    let world = World::new().await;
    let unknown = world.espocrm(Method::GET, "CNothing", None).await;
    assert_eq!((unknown.status, unknown.reason.as_str()), (404, "Controller 'CNothing' does not exist."));

    let url = format!("{}/CBeteiligte", world.sandbox.espocrm_base_url());
    let key = world.sandbox.options().espocrm.api_key;
    let broken = world.http.post(url).header("X-Api-Key", key).body("{").send().await.unwrap();
    assert_eq!((broken.status().as_u16(), broken.text().await.unwrap().as_str()), (500, ""));

    assert_eq!(world.espocrm(Method::POST, "Notification", Some(json!({}))).await.status, 403);
    world.sandbox.configure(|options| options.espocrm.denied = vec!["CBeteiligte.read".into()]);
    let denied = world.espocrm(Method::GET, "CBeteiligte", None).await;
    assert_eq!((denied.status, denied.reason.as_str()), (403, "No read access."));
}

#[tokio::test]
async fn a_duplicate_is_refused_unless_the_check_is_skipped() {
    let world = World::new().await;
    let id = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let refused = world.espocrm(Method::POST, "CBeteiligte", Some(max())).await;
    assert_eq!((refused.status, refused.reason.as_str()), (409, "duplicate"));
    assert_eq!(refused.json()[0]["id"], json!(id));
    let key = world.sandbox.options().espocrm.api_key;
    let headers = [("X-Api-Key", key.as_str()), ("X-Skip-Duplicate-Check", "true")];
    assert_eq!(world.espocrm_with(Method::POST, "CBeteiligte", Some(max()), &headers).await.status, 200);
}

#[tokio::test]
async fn a_unique_number_can_be_taken_once() {
    let world = World::new().await;
    let people = world.sandbox.people();
    let first = people.crm_create(CBETEILIGTE, &json!({"lastName": "A", "advowareId": 7})).unwrap();
    let second = people.crm_create(CBETEILIGTE, &json!({"lastName": "B"})).unwrap();
    let write = async || {
        world.espocrm(Method::PUT, &format!("CBeteiligte/{second}"), Some(json!({"advowareId": 7}))).await.status
    };
    assert_eq!(write().await, 500);
    people.crm_delete(CBETEILIGTE, &first).unwrap();
    assert_eq!(write().await, 200);
}

#[tokio::test]
async fn a_stale_version_is_refused_where_concurrency_is_controlled() {
    let mut options = Options::default();
    options.espocrm.entities[0].optimistic = true;
    let world = World::with(options).await;
    let id = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    world.sandbox.people().crm_update(CBETEILIGTE, &id, &json!({"anrede": "Herr"})).unwrap();
    let key = world.sandbox.options().espocrm.api_key;
    let put = async |version: &str| {
        let headers = [("X-Api-Key", key.as_str()), ("X-Version-Number", version)];
        world.espocrm_with(Method::PUT, &format!("CBeteiligte/{id}"), Some(json!({"anrede": "Frau"})), &headers).await
    };
    let stale = put("1").await;
    assert_eq!((stale.status, stale.reason.as_str()), (409, "modified"));
    assert_eq!(stale.json(), json!({"values": {"anrede": "Herr"}, "versionNumber": 2}));
    assert_eq!(put("2").await.json()["versionNumber"], json!(3));
}

#[tokio::test]
async fn notes_are_kept_and_read_on_their_record() {
    let world = World::new().await;
    let id = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let note = json!({"type": "Post", "post": "EspoCRM gewinnt @admin", "parentType": "CBeteiligte", "parentId": id});
    assert_eq!(world.espocrm(Method::POST, "Note", Some(note)).await.status, 200);
    let stream = world.espocrm(Method::GET, &format!("CBeteiligte/{id}/stream"), None).await.json();
    assert_eq!((&stream["total"], &stream["list"][0]["post"]), (&json!(1), &json!("EspoCRM gewinnt @admin")));
    assert_eq!(world.sandbox.people().crm_notes().len(), 1);
    let last = world.sandbox.effects().pop().unwrap();
    assert_eq!((last.system, last.entity.as_str()), (System::EspoCrm, "Note"));

    let orphan = json!({"type": "Post", "post": "x", "parentType": "CBeteiligte", "parentId": "nothing"});
    assert_eq!(world.espocrm(Method::POST, "Note", Some(orphan)).await.status, 404);
    let direct = json!({"type": "Post", "post": "x", "targetType": "users", "usersIds": ["1"]});
    assert_eq!(world.espocrm(Method::POST, "Note", Some(direct.clone())).await.status, 200);
    world.sandbox.configure(|options| options.espocrm.message_permission = false);
    assert_eq!(world.espocrm(Method::POST, "Note", Some(direct)).await.status, 403);
}

#[tokio::test]
async fn a_second_entity_is_data() {
    let mut options = Options::default();
    let kanzlei = Entity {
        name: "CGericht".into(),
        person: false,
        stream: false,
        optimistic: false,
        duplicate_fields: Vec::new(),
        fields: vec![Field::varchar("ort", 50), Field::new("aktiv", Kind::Bool)],
    };
    options.espocrm.entities.push(Entity::sync_fields().into_iter().fold(kanzlei, Entity::with));
    let world = World::with(options).await;
    let made = world.espocrm(Method::POST, "CGericht", Some(json!({"name": " AG Köln ", "ort": "Köln"}))).await.json();
    assert_eq!(made["name"], json!("AG Köln"), "no Person, so its name is its own");
    let id = made["id"].as_str().unwrap();
    let same = world.espocrm(Method::PUT, &format!("CGericht/{id}"), Some(json!({"ort": "Köln"}))).await.json();
    assert_eq!(same["modifiedById"], Value::Null, "without a stream a write that changes nothing bumps nothing");
}

#[tokio::test]
async fn an_undeleted_record_is_as_it_was_and_fires_nothing() {
    let world = World::new().await;
    world.sandbox.register_webhooks(CBETEILIGTE, "http://127.0.0.1:9/hooks");
    let people = world.sandbox.people();
    let id = people.crm_create(CBETEILIGTE, &max()).unwrap();
    let before = people.crm_get(CBETEILIGTE, &id);
    people.crm_delete(CBETEILIGTE, &id).unwrap();
    world.sandbox.forget_webhooks();
    assert!(people.crm_undelete(CBETEILIGTE, "0000000000000dead").is_err());
    people.crm_undelete(CBETEILIGTE, &id).unwrap();
    assert_eq!((people.crm_get(CBETEILIGTE, &id), world.sandbox.webhooks_waiting()), (before, 0));
    assert!(people.crm_undelete(CBETEILIGTE, &id).is_err(), "it is not deleted");
    people.crm_delete_unheard(CBETEILIGTE, &id).unwrap();
    assert_eq!((people.crm_get(CBETEILIGTE, &id), world.sandbox.webhooks_waiting()), (None, 0));
}

#[tokio::test]
async fn a_message_to_users_needs_the_right_that_the_role_shows() {
    let world = World::new().await;
    let body = json!({"type": "Post", "post": "Hallo", "targetType": "users", "usersIds": ["1"]});
    for (may, level, status) in [(true, "all", 200), (false, "no", 403)] {
        world.sandbox.configure(|options| options.espocrm.message_permission = may);
        let user = world.espocrm(Method::GET, "App/user", None).await;
        assert_eq!(user.json()["acl"]["messagePermission"], level);
        assert_eq!(world.espocrm(Method::POST, "Note", Some(body.clone())).await.status, status);
    }
}
