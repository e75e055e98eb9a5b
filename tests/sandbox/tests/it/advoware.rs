//! advoware.md: sign-in, parties, appointments, employees.

use std::time::Duration;

use advosync_sandbox::{
    BETEILIGTE, Change, DateShape, GetShape, Options, PostShape, PutShape, System, TERMINE, Trouble, advoware_signature,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn the_contracts_signature_vector() {
    let signature = advoware_signature(64, "app-123", "nonce-abc", "2026-08-30T00:00:00.000Z", "dGVzdC1zZWNyZXQta2V5");
    let expected = "o7rz9KmoXZs550HfzO6ffiG17XwiPmlBHlksUYKZ3jcfolELow51Fw5KlrQqCK5y41aIValDjrh1iQ2GZ2WtqQ==";
    assert_eq!(signature.as_deref(), Some(expected));
}

#[tokio::test]
async fn a_sign_in_is_refused_with_its_german_text() {
    let world = World::new().await;
    let check = async |field: &str, value: Value, expected: &str| {
        let mut request = world.token_request();
        request[field] = value;
        let got = world.sign_in(&request).await;
        assert_eq!(got.status, 400, "{field}");
        assert!(got.text.contains(expected), "{field}: {}", got.text);
    };
    check("Password", json!("falsch"), "Falscher Name oder falsches Kennwort").await;
    check("User", json!("niemand"), "Falscher Name oder falsches Kennwort").await;
    check("Kanzlei", json!("Andere"), "ist nicht registriert").await;
    check("AppID", json!("other"), "ist nicht registriert").await;
    check("Product", json!(65), "freigeschaltet").await;
    check("HMAC512Signature", json!("AAAA"), "Signatur").await;
    check("Nonce", json!("another"), "Signatur").await;
    check("RequestTimeStamp", json!("2026-08-30T00:00:01.000Z"), "Signatur").await;
    check("RequestTimeStamp", json!("2026-08-30 00:00:00"), "Zeitstempel").await;

    world.sandbox.configure(|options| options.advoware.trouble = Some(Trouble::Offline));
    assert!(world.sign_in(&world.token_request()).await.text.contains("ist nicht angemeldet"));
    world.sandbox.configure(|options| options.advoware.trouble = None);
    assert_eq!(world.sign_in(&world.token_request()).await.status, 200);
}

#[tokio::test]
async fn a_token_ends_by_time_and_by_revocation() {
    let world = World::new().await;
    let token = world.token().await;
    let read = async |token: &str| world.advoware(token, Method::GET, "Beteiligte", None).await.status;
    assert_eq!(read(&token).await, 200);
    assert_eq!(read("made-up").await, 401);
    world.sandbox.advance(Duration::from_secs(55 * 60 + 1));
    assert_eq!(read(&token).await, 401);
    let token = world.token().await;
    assert_eq!(read(&token).await, 200);
    world.sandbox.revoke_tokens();
    assert_eq!(read(&token).await, 401);
}

#[tokio::test]
async fn discovery_names_relay_and_gateway() {
    let world = World::new().await;
    let base = world.sandbox.advoware_discovery_url();
    let kanzlei = world.sandbox.options().advoware.kanzlei;
    let ask = async |name: &str| world.http.get(format!("{base}?Kanzlei={name}")).send().await.unwrap();
    let found: Value = ask(&kanzlei).await.json().await.unwrap();
    assert_eq!(found["relayUrl"], json!(world.sandbox.advoware_base_url()));
    assert_eq!(found["connectorUrl"], Value::Null);
    assert!(found["securityGateway"].as_str().unwrap().ends_with("/security/"));
    assert_eq!(ask("Andere").await.status(), 404);
}

#[tokio::test]
async fn every_write_changes_the_row_id_and_a_put_replaces_the_whole() {
    let world = World::new().await;
    let token = world.token().await;
    let body = json!({"name": "Müller", "vorname": "Max", "titel": "Dr.", "betNr": 1, "rowId": "mine", "unknown": 1});
    let made = world.advoware(&token, Method::POST, "Beteiligte", Some(body)).await.json();
    let number = made["betNr"].as_i64().unwrap();
    assert!(number > 100_000, "the key of a body is ignored");
    assert_eq!(made["rowId"].as_str().unwrap().len(), 40);
    assert_eq!(made.get("unknown"), None);
    assert_eq!(made["ort"], Value::Null, "unset fields are explicit");

    let path = format!("Beteiligte/{number}");
    let put = world
        .advoware(&token, Method::PUT, &path, Some(json!({"name": "Maier", "betNr": 5, "rowId": "x"})))
        .await
        .json();
    assert_eq!((put["betNr"].as_i64(), &put["name"]), (Some(number), &json!("Maier")));
    assert_eq!(put["titel"], Value::Null, "what a PUT leaves out is gone");
    assert_ne!(put["rowId"], made["rowId"]);
    let again = world.advoware(&token, Method::PUT, &path, Some(put.clone())).await.json();
    assert_ne!(again["rowId"], put["rowId"], "also a write that changes nothing");
    assert_eq!(world.advoware(&token, Method::GET, &path, None).await.json(), again);

    let effects = world.sandbox.effects();
    assert_eq!(
        effects.iter().map(|effect| effect.change).collect::<Vec<_>>(),
        [Change::Create, Change::Update, Change::Update]
    );
    assert_eq!(effects[1].changed, *json!({"name": "Maier", "vorname": null, "titel": null}).as_object().unwrap());
    assert!(effects[2].changed.is_empty());
    assert_eq!((effects[2].system, effects[2].by.as_str()), (System::Advoware, "advosync"));
}

#[tokio::test]
async fn a_repeated_post_makes_a_second_party() {
    let world = World::new().await;
    let token = world.token().await;
    for _ in 0..2 {
        world.advoware(&token, Method::POST, "Beteiligte/", Some(json!({"name": "Zwilling"}))).await;
    }
    assert_eq!(world.sandbox.people().advoware_list(BETEILIGTE).len(), 2);
}

#[tokio::test]
async fn fields_that_no_mapping_names_survive_a_read_modify_write() {
    let world = World::new().await;
    let token = world.token().await;
    let seed = json!({"name": "Alt", "kontonummer": "4711", "anzeigename": "Alt, A."});
    let number = world.sandbox.people().lawyer_create(BETEILIGTE, &seed).unwrap();
    let path = format!("Beteiligte/{number}");
    let mut party = world.advoware(&token, Method::GET, &path, None).await.json();
    party["name"] = json!("Neu");
    party["anzeigename"] = json!("forged");
    world.advoware(&token, Method::PUT, &path, Some(party)).await;
    let after = world.sandbox.people().advoware_get(BETEILIGTE, number).unwrap();
    assert_eq!((&after["name"], &after["kontonummer"]), (&json!("Neu"), &json!("4711")));
    assert_eq!(after["anzeigename"], json!("Alt, A."), "a read-only field is ignored silently");
}

#[tokio::test]
async fn the_shapes_of_answers_can_be_chosen() {
    let world = World::new().await;
    let token = world.token().await;
    let set = |change: fn(&mut Options)| world.sandbox.configure(change);
    let body = Some(json!({"name": "A", "geburtsdatum": "1980-02-29"}));

    set(|options| options.advoware.post_shape = PostShape::Number);
    let number = world.advoware(&token, Method::POST, "Beteiligte", body.clone()).await.json().as_i64().unwrap();
    set(|options| options.advoware.post_shape = PostShape::Array);
    assert!(world.advoware(&token, Method::POST, "Beteiligte", body.clone()).await.json()[0]["betNr"].is_i64());

    let path = format!("Beteiligte/{number}");
    set(|options| options.advoware.get_shape = GetShape::Array);
    assert_eq!(world.advoware(&token, Method::GET, &path, None).await.json()[0]["betNr"], json!(number));
    set(|options| options.advoware.put_shape = PutShape::WithoutRowId);
    assert_eq!(world.advoware(&token, Method::PUT, &path, body.clone()).await.json().get("rowId"), None);
    set(|options| options.advoware.put_shape = PutShape::Empty);
    assert_eq!(world.advoware(&token, Method::PUT, &path, body).await.text, "");

    set(|options| options.advoware.date_shape = DateShape::DateTime);
    set(|options| options.advoware.get_shape = GetShape::Object);
    assert_eq!(
        world.advoware(&token, Method::GET, &path, None).await.json()["geburtsdatum"],
        json!("1980-02-29T00:00:00")
    );
    world.advoware(&token, Method::PUT, &path, Some(json!({"name": "A"}))).await;
    assert_eq!(
        world.advoware(&token, Method::GET, &path, None).await.json()["geburtsdatum"],
        json!("0001-01-01T00:00:00")
    );

    set(|options| options.advoware.delete_forbidden = true);
    assert_eq!(world.advoware(&token, Method::DELETE, &path, None).await.status, 403);
    set(|options| options.advoware.delete_forbidden = false);
    assert_eq!(world.advoware(&token, Method::DELETE, &path, None).await.status, 200);
    assert_eq!(world.advoware(&token, Method::GET, &path, None).await.status, 404);
    assert_eq!(world.advoware(&token, Method::PUT, &path, Some(json!({}))).await.status, 404);
}

#[tokio::test]
async fn a_search_filters_by_exact_names_only() {
    let world = World::new().await;
    let token = world.token().await;
    for (name, vorname) in [("Müller", "Max"), ("Müller", "Eva"), ("Müllerei GmbH", "")] {
        world.sandbox.people().lawyer_create(BETEILIGTE, &json!({"name": name, "vorname": vorname})).unwrap();
    }
    let check = async |query: &str, expected: usize| {
        let found = world.advoware(&token, Method::GET, &format!("Beteiligte?{query}"), None).await.json();
        assert_eq!(found.as_array().unwrap().len(), expected, "{query}");
    };
    check("name=M%C3%BCller&vorname=Max", 1).await;
    check("name=M%C3%BCller", 2).await;
    check("name=Niemand", 0).await;
    check("Name=Niemand", 3).await;
    check("ort=K%C3%B6ln", 3).await;
    check("", 3).await;
    world.sandbox.configure(|options| options.advoware.search_by_prefix = true);
    check("name=M%C3%BCller", 3).await;
}

#[tokio::test]
async fn appointments_are_listed_by_kuerzel_and_days_and_found_by_frnr() {
    let world = World::new().await;
    let token = world.token().await;
    let people = world.sandbox.people();
    let make = |fields: Value| people.lawyer_create(TERMINE, &fields).unwrap();
    let mine = make(json!({"text": "Verhandlung", "datum": "2026-03-05T14:00:00", "sb": "SB", "anwalt": "XY"}));
    make(json!({"text": "Urlaub", "datum": "2026-02-20", "datumBis": "2026-03-01", "anwalt": "SB"}));
    make(json!({"text": "Kanzleifest", "datum": "2026-03-06", "anwalt": "ALLE"}));
    make(json!({"text": "fremd", "datum": "2026-03-06", "anwalt": "QQ"}));
    make(json!({"text": "vorbei", "datum": "2025-03-06", "anwalt": "SB"}));
    let generated = make(json!({"frNr": -7, "text": "Fahrtzeit", "datum": "2026-03-05", "anwalt": "SB"}));
    assert_eq!(generated, -7);

    let list =
        world.advoware(&token, Method::GET, "Termine?kuerzel=SB&from=2026-03-01&to=2026-03-31", None).await.json();
    let mut titles: Vec<&str> =
        list.as_array().unwrap().iter().map(|termin| termin["text"].as_str().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["Fahrtzeit", "Kanzleifest", "Urlaub", "Verhandlung"]);

    let one = world.advoware(&token, Method::GET, &format!("Termine?frnr={mine}"), None).await.json();
    assert_eq!(one["frNr"], json!(mine));
    let wrongly_cased = world.advoware(&token, Method::GET, &format!("Termine?frNr={mine}"), None).await.json();
    assert!(wrongly_cased.is_array(), "an unknown parameter is ignored, so this is the whole list");
    assert_eq!(world.advoware(&token, Method::PUT, "Termine?frnr=-7", Some(json!({}))).await.status, 403);
    assert_eq!(world.advoware(&token, Method::DELETE, &format!("Termine?frnr={mine}"), None).await.status, 200);
    assert_eq!(world.advoware(&token, Method::GET, &format!("Termine?frnr={mine}"), None).await.status, 404);
}

#[tokio::test]
async fn employees_are_listed() {
    let world = World::new().await;
    let token = world.token().await;
    for (kuerzel, active) in [("SB", true), ("XY", false)] {
        world.sandbox.people().lawyer_create("Mitarbeiter", &json!({"kuerzel": kuerzel, "aktiv": active})).unwrap();
    }
    let list = world.advoware(&token, Method::GET, "Mitarbeiter?aktiv=true", None).await.json();
    assert_eq!(list, json!([{"kuerzel": "SB", "name": null, "vorname": null, "aktiv": true}]));
    let count = async |query: &str| {
        let list = world.advoware(&token, Method::GET, &format!("Mitarbeiter{query}"), None).await.json();
        list.as_array().unwrap().len()
    };
    assert_eq!((count("?aktiv=false").await, count("").await, count("?Aktiv=true").await), (1, 2, 2));
}

#[tokio::test]
async fn a_series_is_listed_once_wherever_it_touches_the_dates() {
    let world = World::new().await;
    let token = world.token().await;
    let people = world.sandbox.people();
    let make = |fields: Value| people.lawyer_create(TERMINE, &fields).unwrap();
    let series = |text: &str, end: Value| {
        make(json!({"text": text, "datum": "2025-01-06", "uhrzeitVon": "09:00:00", "uhrzeitBis": "10:00:00",
            "datumBis": end, "dauertermin": 1, "turnus": 1, "turnusArt": 2, "anwalt": "MÜ"}))
    };
    series("Jour fixe", json!("2026-12-31"));
    series("ohne Ende", Value::Null);
    series("ohne Datum", json!("0001-01-01T00:00:00"));
    series("bis 2037", json!("2037-12-31"));
    series("beendet", json!("2025-12-29"));
    make(json!({"text": "ganztägig", "datum": "2025-01-06", "dauertermin": 1, "turnus": 0, "anwalt": "MÜ"}));
    let check = async |from: &str, to: &str, expected: &[&str]| {
        let path = format!("Termine?kuerzel=M%C3%9C&from={from}&to={to}");
        let list = world.advoware(&token, Method::GET, &path, None).await.json();
        let titles: Vec<&str> =
            list.as_array().unwrap().iter().map(|termin| termin["text"].as_str().unwrap()).collect();
        assert_eq!(titles, expected, "{from} to {to}");
    };
    check("2026-03-01", "2026-03-31", &["Jour fixe", "ohne Ende", "ohne Datum", "bis 2037"]).await;
    check("2027-03-01", "2027-03-31", &["ohne Ende", "ohne Datum", "bis 2037"]).await;
    check("2024-12-01", "2025-01-05", &[]).await;
}

#[tokio::test]
async fn an_appointment_is_written_as_a_whole_and_answered_in_every_shape() {
    let world = World::new().await;
    let token = world.token().await;
    let set = |change: fn(&mut Options)| world.sandbox.configure(change);
    let call = async |method: Method, path: &str, body: Option<Value>| world.advoware(&token, method, path, body).await;
    let body = json!({"text": "Verhandlung", "datum": "2026-03-05T14:00:00", "uhrzeitVon": "14:00:00", "sb": "SB"});

    let made = call(Method::POST, "Termine", Some(body.clone())).await.json();
    let number = made["frNr"].as_i64().unwrap();
    set(|options| options.advoware.post_shape = PostShape::Array);
    assert_eq!(call(Method::POST, "Termine", Some(body.clone())).await.json()[0]["frNr"], json!(number + 1));
    set(|options| options.advoware.post_shape = PostShape::Number);
    assert_eq!(call(Method::POST, "Termine", Some(body)).await.json(), json!(number + 2));

    let path = format!("Termine?frnr={number}");
    world.sandbox.people().lawyer_update(TERMINE, number, &json!({"aktenzeichen": "12/26"})).unwrap();
    let mut termin = call(Method::GET, &path, None).await.json();
    termin["ort"] = json!("Saal 3");
    assert_eq!(call(Method::PUT, &path, Some(termin)).await.status, 200);
    let after = world.sandbox.people().advoware_get(TERMINE, number).unwrap();
    assert_eq!((&after["ort"], &after["aktenzeichen"]), (&json!("Saal 3"), &json!("12/26")), "unknown fields stay");
    call(Method::PUT, &path, Some(json!({"text": "kahl"}))).await;
    let after = world.sandbox.people().advoware_get(TERMINE, number).unwrap();
    assert_eq!((&after["ort"], &after["datum"]), (&Value::Null, &Value::Null), "what a PUT leaves out is gone");

    set(|options| options.advoware.date_shape = DateShape::DateTime);
    let shown = call(Method::GET, &path, None).await.json();
    assert_eq!(shown["datum"], json!("0001-01-01T00:00:00"));
    let timed = call(Method::GET, &format!("Termine?frnr={}", number + 1), None).await.json();
    assert_eq!((&timed["datum"], &timed["datumBis"]), (&json!("2026-03-05T14:00:00"), &json!("0001-01-01T00:00:00")));

    for (method, path, expected) in [
        (Method::DELETE, path.as_str(), 200),
        (Method::DELETE, path.as_str(), 404),
        (Method::PUT, path.as_str(), 404),
        (Method::DELETE, "Termine", 400),
        (Method::DELETE, "Termine?frnr=-7", 403),
    ] {
        assert_eq!(call(method.clone(), path, Some(json!({}))).await.status, expected, "{method} {path}");
    }
}
