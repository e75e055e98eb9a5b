//! espocrm.md, Lists.

use advosync_sandbox::CBETEILIGTE;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// Four records: A dirty 1, B clean 2, C failed, D without a status.
async fn four() -> World {
    let world = World::new().await;
    let people = world.sandbox.people();
    for record in [
        json!({"lastName": "A", "syncStatus": "dirty", "advowareId": 1, "advowareLastSync": "2026-01-01 00:00:00"}),
        json!({"lastName": "B", "syncStatus": "clean", "advowareId": 2, "advowareLastSync": "2026-02-01 00:00:00"}),
        json!({"lastName": "C", "syncStatus": "failed", "advowareId": 10}),
        json!({"lastName": "D"}),
    ] {
        people.crm_create(CBETEILIGTE, &record).unwrap();
    }
    let gone = people.crm_create(CBETEILIGTE, &json!({"lastName": "E", "syncStatus": "dirty"})).unwrap();
    people.crm_delete(CBETEILIGTE, &gone).unwrap();
    world
}

async fn names(world: &World, query: &str) -> String {
    let got = world.espocrm(Method::GET, &format!("CBeteiligte?orderBy=lastName&{query}"), None).await;
    assert_eq!(got.status, 200, "{query}: {got:?}");
    let list = got.json();
    list["list"].as_array().unwrap().iter().map(|row| row["lastName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn filters_as_bracket_parameters() {
    let world = four().await;
    let check = async |query: &str, expected: &str| assert_eq!(names(&world, query).await, expected, "{query}");
    check("", "ABCD").await;
    let or = "where[0][type]=or&where[0][value][0][type]=equals&where[0][value][0][attribute]=syncStatus\
              &where[0][value][0][value]=dirty&where[0][value][1][type]=isNull&where[0][value][1][attribute]=syncStatus";
    check(or, "AD").await;
    check("where%5B0%5D%5Btype%5D=equals&where%5B0%5D%5Battribute%5D=advowareId&where%5B0%5D%5Bvalue%5D=2", "B").await;
    check("where[0][type]=in&where[0][attribute]=syncStatus&where[0][value][]=dirty&where[0][value][]=failed", "AC")
        .await;
    check("where=[{\"type\":\"equals\",\"attribute\":\"syncStatus\",\"value\":\"dirty\"}]", "ABCD").await;
}

#[tokio::test]
async fn filters_as_search_params() {
    let world = four().await;
    let check = async |item: Value, expected: &str| {
        let search = json!({"where": [item], "orderBy": "lastName", "order": "asc"}).to_string();
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("searchParams", &search).finish();
        assert_eq!(names(&world, &query).await, expected, "{item}");
    };
    let item =
        |kind: &str, attribute: &str, value: Value| json!({"type": kind, "attribute": attribute, "value": value});
    check(item("equals", "syncStatus", json!("clean")), "B").await;
    check(item("in", "syncStatus", json!(["clean", "failed"])), "BC").await;
    check(item("isNull", "advowareId", Value::Null), "D").await;
    check(item("isNotNull", "advowareId", Value::Null), "ABC").await;
    check(item("greaterThan", "advowareId", json!(2)), "C").await;
    check(item("greaterThanOrEquals", "advowareId", json!("2")), "BC").await;
    check(item("lessThan", "advowareId", json!(2)), "A").await;
    check(item("lessThanOrEquals", "advowareId", json!(2)), "AB").await;
    check(item("startsWith", "syncStatus", json!("c")), "B").await;
    check(item("after", "advowareLastSync", json!("2026-01-01 00:00:00")), "B").await;
    check(item("before", "advowareLastSync", json!("2026-02-01 00:00:00")), "A").await;
    let both = json!([item("isNotNull", "advowareId", Value::Null), item("equals", "syncStatus", json!("failed"))]);
    check(json!({"type": "and", "value": both}), "C").await;
}

#[tokio::test]
async fn pages_order_and_selection() {
    let world = four().await;
    let list = async |query: &str| world.espocrm(Method::GET, &format!("CBeteiligte?{query}"), None).await.json();
    let page = list("maxSize=2&offset=1&orderBy=lastName&order=desc&select=lastName,syncStatus").await;
    assert_eq!(page["total"], json!(4));
    let row = page["list"][0].as_object().unwrap();
    let mut keys: Vec<&str> = row.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!((row["lastName"].as_str(), keys), (Some("C"), vec!["id", "lastName", "syncStatus"]));
    assert_eq!(page["list"].as_array().unwrap().len(), 2);

    let key = world.sandbox.options().espocrm.api_key;
    let headers = [("X-Api-Key", key.as_str()), ("X-No-Total", "true")];
    let got = world.espocrm_with(Method::GET, "CBeteiligte?maxSize=1", None, &headers).await.json();
    assert_eq!((&got["total"], got["list"].as_array().unwrap().len()), (&json!(-1), 1));
}

#[tokio::test]
async fn at_most_200_a_page_and_200_by_default() {
    let world = World::new().await;
    for number in 0..201 {
        world.sandbox.people().crm_create(CBETEILIGTE, &json!({"lastName": format!("N{number}")})).unwrap();
    }
    let list = world.espocrm(Method::GET, "CBeteiligte", None).await.json();
    assert_eq!((&list["total"], list["list"].as_array().unwrap().len()), (&json!(201), 200));
    let refused = world.espocrm(Method::GET, "CBeteiligte?maxSize=201", None).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.reason, "Max size should not exceed 200. Use offset and limit.");
}

#[tokio::test]
async fn an_unknown_attribute_is_refused() {
    let world = World::new().await;
    let query = "CBeteiligte?where[0][type]=equals&where[0][attribute]=nope&where[0][value]=1";
    let refused = world.espocrm(Method::GET, query, None).await;
    assert_eq!(refused.status, 400);
    assert!(refused.reason.starts_with("Not existing attribute 'nope' in where."), "{}", refused.reason);
}
