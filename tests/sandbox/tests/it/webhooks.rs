//! espocrm.md, Webhooks it sends us.

use std::time::Duration;

use advosync_sandbox::{
    CBETEILIGTE, Delivery, Fault, Match, Options, Order, Outcome, Phase, System, webhook_signature,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Receiver, World, max};

#[test]
fn the_captured_signatures_come_out() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/espocrm-create.json")).unwrap();
    let text = |name: &str| fixture[name].as_str().unwrap();
    let made = webhook_signature(text("webhook_id"), text("secret"), text("body").as_bytes());
    for (name, value) in made {
        assert_eq!(json!(value), fixture["headers"][name], "{name}");
    }
}

async fn wired() -> (World, Receiver) {
    wired_with(Options::default()).await
}

async fn wired_with(options: Options) -> (World, Receiver) {
    let (world, receiver) = (World::with(options).await, Receiver::start().await);
    world.sandbox.register_webhooks(CBETEILIGTE, &receiver.url);
    (world, receiver)
}

#[tokio::test]
async fn a_request_carries_exactly_the_observed_headers() {
    let (world, receiver) = wired().await;
    world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    world.sandbox.deliver_webhooks().await;
    let (path, headers, body) = receiver.heard().remove(0);
    assert_eq!(path, "/hook/create");
    let mut names: Vec<&str> = headers.keys().map(reqwest::header::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "content-length", "content-type", "host", "signature", "x-signature"]);
    let hook = world.sandbox.webhooks().remove(0);
    for (name, value) in webhook_signature(&hook.id, hook.secret.as_deref().unwrap(), &body) {
        assert_eq!(headers[name.to_lowercase()], value);
    }
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.is_ascii() && text.contains(r"M\u00fcller"), "{text}");
}

#[tokio::test]
async fn a_payload_says_what_the_contract_says() {
    let (world, _receiver) = wired().await;
    let people = world.sandbox.people();
    let id = people.crm_create(CBETEILIGTE, &max()).unwrap();
    people.crm_update(CBETEILIGTE, &id, &json!({"anrede": "Herr"})).unwrap();
    people.crm_update(CBETEILIGTE, &id, &json!({"lastName": "Maier"})).unwrap();
    people.crm_update(CBETEILIGTE, &id, &json!({})).unwrap();
    people.crm_delete(CBETEILIGTE, &id).unwrap();
    let run = world.sandbox.deliver_all_webhooks().await;
    let items = |event: &str| -> Vec<Value> {
        run.deliveries.iter().filter(|sent| sent.event.ends_with(event)).flat_map(Delivery::items).collect()
    };
    let created = items("create").remove(0);
    assert_eq!((&created["name"], &created["syncRetryCount"]), (&json!("Max Müller"), &json!(0)));
    assert!(created.as_object().unwrap().values().all(|value| !value.is_null()), "nulls are missing");
    let person = world.sandbox.options().espocrm.person_id;
    let updated = [
        json!({"anrede": "Herr", "modifiedById": person, "modifiedByName": "admin", "id": id}),
        json!({"lastName": "Maier", "name": "Max Maier", "id": id}),
    ];
    assert_eq!(
        items("update"),
        updated,
        "no modifiedAt, the modifier only once, nothing for a no-change of the same user"
    );
    assert_eq!(items("delete"), [json!({"id": id})]);
}

#[tokio::test]
async fn a_no_change_write_of_another_user_makes_a_noise_event() {
    let mut options = Options::default();
    options.webhooks.honour_skip_own = false;
    let (world, _receiver) = wired_with(options).await;
    let id = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    world.sandbox.people().crm_update(CBETEILIGTE, &id, &json!({"anrede": "Herr"})).unwrap();
    world.sandbox.forget_webhooks();
    world.espocrm(Method::PUT, &format!("CBeteiligte/{id}"), Some(json!({"anrede": "Herr"}))).await;
    let run = world.sandbox.deliver_all_webhooks().await;
    let api = world.sandbox.options().espocrm;
    let noise = json!({"modifiedById": api.api_user_id, "modifiedByName": api.api_user_name, "id": id});
    assert_eq!(run.deliveries[0].items(), [noise]);
}

#[tokio::test]
async fn own_changes_are_skipped_by_9_2_and_sent_by_9_1() {
    let (world, receiver) = wired().await;
    world.espocrm(Method::POST, "CBeteiligte", Some(max())).await;
    world.sandbox.deliver_all_webhooks().await;
    assert_eq!(receiver.heard().len(), 0);
    world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
    world.espocrm(Method::POST, "CBeteiligte", Some(json!({"lastName": "B"}))).await;
    world.sandbox.deliver_all_webhooks().await;
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn between_webhooks_there_is_no_order() {
    let (world, receiver) = wired().await;
    let people = world.sandbox.people();
    let id = people.crm_create(CBETEILIGTE, &max()).unwrap();
    people.crm_update(CBETEILIGTE, &id, &json!({"anrede": "Herr"})).unwrap();
    people.crm_delete(CBETEILIGTE, &id).unwrap();
    world.sandbox.deliver_webhooks().await;
    let paths: Vec<String> = receiver.heard().into_iter().map(|(path, _, _)| path).collect();
    assert_eq!(paths, ["/hook/update", "/hook/create", "/hook/delete"]);
    world.sandbox.configure(|options| options.webhooks.order = Order::Reversed);
    let id = people.crm_create(CBETEILIGTE, &json!({"lastName": "B"})).unwrap();
    people.crm_delete(CBETEILIGTE, &id).unwrap();
    let run = world.sandbox.deliver_webhooks().await;
    let events: Vec<&str> = run.deliveries.iter().map(|sent| sent.event.as_str()).collect();
    assert_eq!(events, ["CBeteiligte.delete", "CBeteiligte.create"]);
}

#[tokio::test]
async fn a_run_takes_20_events_and_a_request_50_items() {
    let (world, receiver) = wired().await;
    receiver.answer(503);
    for number in 0..70 {
        world.sandbox.people().crm_create(CBETEILIGTE, &json!({"lastName": format!("N{number}")})).unwrap();
    }
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.extend(world.sandbox.deliver_webhooks().await.deliveries.iter().map(|sent| sent.items().len()));
    }
    assert_eq!(sizes, [20, 20, 20, 10], "newer ones pass those that failed");
    receiver.answer(200);
    world.sandbox.advance(Duration::from_secs(601));
    let run = world.sandbox.deliver_all_webhooks().await;
    assert_eq!(run.deliveries.iter().map(|sent| sent.items().len()).collect::<Vec<_>>(), [50, 20]);
    assert_eq!(world.sandbox.webhooks_waiting(), 0);
}

#[tokio::test]
async fn the_answer_decides_what_becomes_of_a_batch() {
    let check = async |status: u16, first: Outcome, attempts: usize, hooks: usize, given_up: usize| {
        let (world, receiver) = wired().await;
        receiver.answer(status);
        world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
        let run = world.sandbox.deliver_webhooks().await;
        assert_eq!(run.deliveries[0].outcome, first, "{status}");
        assert!(world.sandbox.deliver_webhooks().await.deliveries.is_empty(), "{status}: not due before 10 minutes");
        for _ in 0..5 {
            world.sandbox.advance(Duration::from_secs(601));
            world.sandbox.deliver_webhooks().await;
        }
        assert_eq!(receiver.heard().len(), attempts, "{status}");
        assert_eq!(world.sandbox.webhooks().len(), hooks, "{status}");
        assert_eq!(world.sandbox.webhooks_given_up().len(), given_up, "{status}");
        assert_eq!(world.sandbox.webhooks_waiting(), 0, "{status}");
    };
    for status in [200, 204, 302] {
        check(status, Outcome::Success, 1, 3, 0).await;
    }
    for status in [500, 503, 401, 403, 404, 405, 408] {
        check(status, Outcome::Failed, 4, 3, 1).await;
    }
    for status in [400, 422, 429, 502, 504, 418] {
        check(status, Outcome::GivenUp, 1, 3, 1).await;
    }
    check(410, Outcome::HookRemoved, 1, 2, 0).await;
}

#[tokio::test]
async fn nobody_there_and_too_slow_are_tried_again() {
    let (world, receiver) = wired().await;
    world.sandbox.configure(|options| options.webhooks.timeout_ms = 50);
    world.sandbox.register_webhook("CBeteiligte.create", "http://127.0.0.1:1/hook", false, None);
    // Accepts connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}/hook", silent.local_addr().unwrap());
    world.sandbox.register_webhook("CBeteiligte.create", &silent_url, false, None);
    world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let run = world.sandbox.deliver_webhooks().await;
    let outcomes: Vec<Outcome> = run.deliveries.iter().map(|sent| sent.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, Outcome::Failed, Outcome::Failed]);
    assert_eq!(receiver.heard().len(), 1);
    assert_eq!(world.sandbox.webhooks_waiting(), 2);
}

#[tokio::test]
async fn deliveries_are_doubled_lost_and_repeated_on_request() {
    let (world, receiver) = wired().await;
    let people = world.sandbox.people();
    let hooks = || Fault::on(System::Webhooks).post("*/create").once();
    world.sandbox.fault(hooks().then(advosync_sandbox::Action::Duplicate { copies: 1 }));
    people.crm_create(CBETEILIGTE, &max()).unwrap();
    let run = world.sandbox.deliver_webhooks().await;
    assert_eq!((run.deliveries.len(), receiver.heard().len()), (2, 2));

    world.sandbox.redeliver(&run.deliveries[0]).await.unwrap();
    assert_eq!(receiver.heard()[2].2, receiver.heard()[0].2);

    world.sandbox.fault(hooks().lose_answer());
    people.crm_create(CBETEILIGTE, &json!({"lastName": "B"})).unwrap();
    world.sandbox.deliver_webhooks().await;
    assert_eq!((receiver.heard().len(), world.sandbox.webhooks_waiting()), (4, 1), "heard, and sent again later");

    world.sandbox.forget_webhooks();
    assert_eq!(world.sandbox.webhooks_waiting(), 0);
}

#[tokio::test]
async fn webhooks_are_registered_over_the_api() {
    let (world, receiver) = wired().await;
    let body = json!({"event": "CBeteiligte.update", "url": receiver.url, "skipOwn": true});
    let made = world.espocrm(Method::POST, "Webhook", Some(body.clone())).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(made["secretKey"].as_str().unwrap().len(), 32);
    assert_eq!(world.espocrm(Method::POST, "Webhook", Some(body)).await.status, 201, "twice is allowed");
    assert_eq!(world.espocrm(Method::GET, "Webhook", None).await.json()["total"], json!(5));
    let unknown = json!({"event": "CNothing.update", "url": receiver.url});
    assert_eq!(world.espocrm(Method::POST, "Webhook", Some(unknown)).await.status, 403);
    let path = format!("Webhook/{}", made["id"].as_str().unwrap());
    assert_eq!(world.espocrm(Method::DELETE, &path, None).await.text, "true");
    assert_eq!(world.sandbox.webhooks().len(), 4);
}

#[tokio::test]
async fn the_sender_runs_by_itself_at_its_pace() {
    let options = Options { deliver_every_ms: Some(5), ..Options::default() };
    let (world, receiver) = wired_with(options).await;
    let arrives = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(10), async {
        while receiver.heard().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    heard.await.expect("the sender never ran");
    assert!(String::from_utf8_lossy(&receiver.heard()[0].2).contains(&arrives));
}

#[tokio::test]
async fn a_gate_holds_a_delivery() {
    let (world, receiver) = wired().await;
    world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let gate = world.sandbox.gate(Match::on(System::Webhooks).request("POST", "*/create"), Phase::Before);
    let held = async {
        gate.arrived().await;
        assert_eq!(receiver.heard().len(), 0);
        gate.release();
    };
    let (run, ()) = tokio::join!(world.sandbox.deliver_webhooks(), held);
    assert_eq!((run.deliveries.len(), receiver.heard().len()), (1, 1));
}
