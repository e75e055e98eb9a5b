//! Every scripted fault does what it says, and the log says so too.

use std::time::{Duration, Instant};

use advosync_sandbox::{Action, BETEILIGTE, CBETEILIGTE, Fault, Match, Phase, System};
use reqwest::Method;
use serde_json::json;

use crate::world::{World, max};

const PARTY: &str = "*/Beteiligte";

async fn post(world: &World, token: &str, name: &str) -> reqwest::Result<reqwest::Response> {
    world.try_advoware(token, Method::POST, "Beteiligte", Some(json!({"name": name}))).await
}

fn parties(world: &World) -> usize {
    world.sandbox.people().advoware_list(BETEILIGTE).len()
}

#[tokio::test]
async fn a_status_before_and_a_status_after_the_effect() {
    let world = World::new().await;
    let token = world.token().await;
    world.sandbox.fault(Fault::on(System::Advoware).post(PARTY).once().answer(503, "gleich wieder da"));
    world.sandbox.fault(Fault::on(System::Advoware).post(PARTY).once().answer_after(500, ""));
    let first = post(&world, &token, "A").await.unwrap();
    assert_eq!((first.status().as_u16(), parties(&world)), (503, 0));
    assert_eq!(first.text().await.unwrap(), "gleich wieder da");
    assert_eq!((post(&world, &token, "A").await.unwrap().status().as_u16(), parties(&world)), (500, 1));
    assert_eq!((post(&world, &token, "B").await.unwrap().status().as_u16(), parties(&world)), (200, 2));
    let seen: Vec<_> = world.sandbox.calls().iter().skip(1).map(|call| (call.status, call.faulted)).collect();
    assert_eq!(seen, [(Some(503), true), (Some(500), true), (Some(200), false)]);
    assert_eq!(world.sandbox.effects().len(), 2);
}

#[tokio::test]
async fn a_cut_has_no_effect_and_a_lost_answer_has_one() {
    let world = World::new().await;
    let token = world.token().await;
    world.sandbox.fault(Fault::on(System::Advoware).post(PARTY).once().cut());
    world.sandbox.fault(Fault::on(System::Advoware).post(PARTY).once().lose_answer());
    post(&world, &token, "A").await.unwrap_err();
    assert_eq!(parties(&world), 0);
    post(&world, &token, "A").await.unwrap_err();
    assert_eq!(parties(&world), 1);
    assert_eq!(world.sandbox.calls().iter().filter(|call| call.status.is_none()).count(), 2);
    assert_eq!(post(&world, &token, "B").await.unwrap().status(), 200, "the port is well again");
}

#[tokio::test]
async fn a_call_says_which_effects_it_saw_and_a_rule_whom_it_struck() {
    let world = World::new().await;
    let token = world.token().await;
    let cut = Fault::on(System::Advoware).post(PARTY).once().cut();
    let lost = Fault::on(System::Advoware).post(PARTY).times(2).lose_answer();
    world.sandbox.fault(cut.clone());
    world.sandbox.fault(lost.clone());
    for name in ["A", "B"] {
        post(&world, &token, name).await.unwrap_err();
    }
    world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    world.try_advoware(&token, Method::GET, "Beteiligte", None).await.unwrap();
    let saw: Vec<_> = world.sandbox.calls().iter().skip(1).map(|call| call.saw).collect();
    assert_eq!(saw, [None, Some(1), Some(2)], "a write sees its own effect, a read what went before it");
    assert_eq!(world.sandbox.faults(), [(cut, 1), (lost, 1)]);
}

#[tokio::test]
async fn a_caller_that_hangs_up_undoes_nothing() {
    let world = World::new().await;
    let token = world.token().await;
    let gate = world.sandbox.gate(Match::on(System::Advoware).request("POST", PARTY), Phase::Before);
    let done = world.sandbox.gate(Match::on(System::Advoware).request("POST", PARTY), Phase::After);
    let call = async { tokio::time::timeout(Duration::from_millis(50), post(&world, &token, "A")).await };
    let (gave_up, ()) = tokio::join!(call, gate.arrived());
    assert!(gave_up.is_err());
    gate.release();
    done.arrived().await;
    assert_eq!(parties(&world), 1);
}

#[tokio::test]
async fn delays_come_before_or_after_the_effect() {
    let world = World::new().await;
    let token = world.token().await;
    let wait = Duration::from_millis(60);
    for fault in [Fault::on(System::Advoware).delay_before(wait), Fault::on(System::Advoware).delay_after(wait)] {
        world.sandbox.clear_faults();
        world.sandbox.fault(fault);
        let start = Instant::now();
        post(&world, &token, "A").await.unwrap();
        assert!(start.elapsed() >= wait);
    }
}

#[tokio::test]
async fn answers_are_spoiled() {
    let world = World::new().await;
    let token = world.token().await;
    let plant = |action: Action| world.sandbox.fault(Fault::on(System::Advoware).post(PARTY).once().then(action));
    plant(Action::HtmlBefore);
    plant(Action::HtmlAfter);
    plant(Action::Array);
    plant(Action::Without { fields: vec!["rowId".into()] });
    plant(Action::Replace { fields: [("betNr".to_owned(), json!(1))].into() });
    let text = async || post(&world, &token, "A").await.unwrap().text().await.unwrap();
    assert!(text().await.starts_with("<!DOCTYPE html>"));
    assert_eq!(parties(&world), 0);
    assert!(text().await.starts_with("<!DOCTYPE html>"));
    assert_eq!(parties(&world), 1);
    assert!(text().await.starts_with("[{"));
    assert!(!text().await.contains("rowId"));
    assert!(text().await.contains("\"betNr\":1,"));
    assert!(text().await.starts_with('{'));
}

#[tokio::test]
async fn a_revoked_token_is_a_401_once() {
    let world = World::new().await;
    let token = world.token().await;
    world.sandbox.fault(Fault::on(System::Advoware).skip(1).once().then(Action::RevokeTokens));
    let status = async |token: &str| world.advoware(token, Method::GET, "Beteiligte", None).await.status;
    assert_eq!(status(&token).await, 200);
    assert_eq!(status(&token).await, 401);
    assert_eq!(status(&world.token().await).await, 200);
    assert_eq!(world.sandbox.count(System::AdvowareSignIn).calls, 2);
}

#[tokio::test]
async fn a_rule_picks_by_body_and_by_system() {
    let world = World::new().await;
    let token = world.token().await;
    world.sandbox.fault(Fault::on(System::Advoware).containing("Pechvogel").answer(500, ""));
    world.sandbox.fault(Fault::on(System::EspoCrm).answer(502, ""));
    assert_eq!(post(&world, &token, "Glückspilz").await.unwrap().status(), 200);
    assert_eq!(post(&world, &token, "Pechvogel").await.unwrap().status(), 500);
    assert_eq!(world.espocrm(Method::GET, "App/user", None).await.status, 502);
    assert_eq!(world.sandbox.faults_struck(), 2);
}

#[tokio::test]
async fn chance_is_the_same_for_the_same_seed() {
    let statuses = async || {
        let world = World::new().await;
        let token = world.token().await;
        world.sandbox.fault(Fault::on(System::Advoware).probability(0.5).answer(503, ""));
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(post(&world, &token, "A").await.unwrap().status().as_u16());
        }
        seen
    };
    let first = statuses().await;
    assert_eq!(first, statuses().await);
    assert!(first.contains(&503) && first.contains(&200), "{first:?}");
}

#[tokio::test]
async fn a_gate_holds_the_nth_request_before_or_after_its_effect() {
    let world = World::new().await;
    let id = world.sandbox.people().crm_create(CBETEILIGTE, &max()).unwrap();
    let path = format!("CBeteiligte/{id}");
    let anrede = || world.sandbox.people().crm_get(CBETEILIGTE, &id).unwrap()["anrede"].clone();
    let put = async |text: &str| world.espocrm(Method::PUT, &path, Some(json!({"anrede": text}))).await.status;
    let puts = || Match::on(System::EspoCrm).request("PUT", "*/CBeteiligte/*");

    let second = world.sandbox.gate_nth(puts(), Phase::Before, 2);
    assert_eq!(put("1").await, 200);
    let held = async {
        second.arrived().await;
        assert_eq!(anrede(), json!("1"), "not yet");
        second.release();
    };
    assert_eq!(tokio::join!(put("2"), held).0, 200);
    assert_eq!(anrede(), json!("2"));

    let after = world.sandbox.gate(puts(), Phase::After);
    assert!(!after.has_arrived());
    let held = async {
        after.arrived().await;
        assert_eq!(anrede(), json!("3"), "done, but nobody knows");
        drop(after);
    };
    assert_eq!(tokio::join!(put("3"), held).0, 200);
}
