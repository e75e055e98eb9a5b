//! The pages, against a real Redis.

use axum::Router;

use super::*;
use crate::callers::Token;
use crate::ingress::around;
use crate::ingress::testing::{Answer, Redis, request, send, stream};
use crate::queue::{Flow, Lane};

const BROWSER: (&str, &str) = ("accept", "text/html,*/*");

fn routes(redis: &Redis, token: Option<&str>) -> Router {
    around(router(Options {
        queue: redis.queue(),
        entities: vec!["beteiligte".into()],
        upstreams: vec!["advoware".into(), "espocrm".into()],
        callers: Arc::new(Door::new(token.into_iter().map(|token| Token::of_setting(&Secret::new(token))).collect())),
        api_token: token.map(Secret::new),
        write_protection: false,
        timezone: chrono_tz::Europe::Berlin,
        clock: Arc::new(|| "2026-03-28T12:00:00Z".parse().unwrap()),
    }))
}

async fn get(routes: &Router, path: &str) -> Answer {
    send(routes, request("GET", path, &[BROWSER], "")).await
}

async fn post(routes: &Router, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let form = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
    send(routes, request("POST", path, &form, body)).await
}

async fn bury(redis: &Redis, key: &str) -> String {
    let errors = r#"[{"attempt":1,"at":"2026-03-28T10:00:00Z","code":"upstream","error":"first <i>try</i>","worker":"w1"},
        {"attempt":2,"at":"2026-03-28T11:00:00Z","code":"refused","error":"second try","worker":"w2"}]"#;
    let fields =
        ["topic", "vmh.beteiligte.update", "key", key, "error", "<script>alert(1)</script>", "code", "refused"];
    let more = ["failed_at", "1774695600000", "errors", errors];
    let dead = stream(Flow::Vmh, Lane::First) + ":dead";
    redis.command(&[&["XADD", &dead, "*"], &fields[..], &more].concat()).await
}

/// The value of the hidden field on a page.
fn form_key(page: &str) -> String {
    let rest = page.split_once(r#"name="form_key" value=""#).expect("a form").1;
    rest.trim_start_matches('"').split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_overview_shows_flows_and_upstreams() {
    let redis = Redis::start().await;
    let queue = redis.queue();
    for _ in 0..5 {
        queue.fail_upstream("advoware", "connect <refused>", false).await.unwrap();
    }
    queue.restore_upstream("espocrm", None).await.unwrap();
    bury(&redis, "1").await;
    let page = get(&routes(&redis, None), "/console").await;
    assert_eq!(page.status, 200);
    for text in ["vmh", "calendar", "down", "connect &lt;refused&gt;", "works", "13:00:00 CET", "/console/dead"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"));
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(!page.body.contains("Sign out"), "nobody is signed in where no token is set");
    assert_eq!(get(&routes(&redis, None), "/console/").await.status, 200);
}

#[tokio::test]
async fn dead_letters_are_shown_escaped_newest_first() {
    let redis = Redis::start().await;
    let routes = routes(&redis, None);
    assert!(get(&routes, "/console/dead").await.body.contains("There are none"));
    let (first, second) = (bury(&redis, "first").await, bury(&redis, "second").await);
    let list = get(&routes, "/console/dead").await.body;
    assert!(list.find("second").unwrap() < list.find("first").unwrap());
    assert!(list.contains(&format!("/console/dead/vmh/{first}")) && list.contains(&second));
    let letter = get(&routes, &format!("/console/dead/vmh/{first}")).await.body;
    for text in ["&lt;script&gt;alert(1)", "first &lt;i&gt;try", "second try", "w2", "2026-03-28 12:00:00 CET"] {
        assert!(letter.contains(text), "{text}: {letter}");
    }
    assert!(!letter.contains("<script") && !list.contains("<script"));
    for path in [
        "/console/dead/vmh/1-1",
        "/console/dead/other/1-1",
        "/console/dead/vmh/x",
        "/console/nothing",
        "/console/dead/%ff/1",
    ] {
        let missing = get(&routes, path).await;
        assert!(missing.status == 404 && missing.body.contains("Not found"), "{path}");
    }
}

#[tokio::test]
async fn replay_and_discard_need_a_form_of_our_own() {
    let redis = Redis::start().await;
    let routes = routes(&redis, None);
    let (first, second) = (bury(&redis, "first").await, bury(&redis, "second").await);
    let address = format!("/console/dead/vmh/{first}");
    let key = form_key(&get(&routes, &address).await.body);
    let form = format!("form_key={key}");
    for (headers, body) in [
        (&[][..], String::new()),
        (&[], "form_key=0".to_owned()),
        (&[("origin", "http://evil.example"), ("host", "localhost")], form.clone()),
        (&[("sec-fetch-site", "cross-site")], form.clone()),
    ] {
        assert_eq!(post(&routes, &format!("{address}/replay"), headers, body.clone()).await.status, 403);
        assert_eq!(post(&routes, &format!("{address}/discard"), headers, body).await.status, 403);
    }
    assert_eq!(get(&routes, &format!("{address}/replay")).await.status, 405);
    assert_eq!(redis.queue().dead_letters(Flow::Vmh, 10).await.unwrap().len(), 2);

    let same = [("sec-fetch-site", "same-origin")];
    let done = post(&routes, &format!("{address}/replay"), &same, form.clone()).await;
    assert_eq!(
        (done.status.as_u16(), done.headers["location"].to_str().unwrap()),
        (303, "/console/dead?done=replayed")
    );
    assert!(get(&routes, "/console/dead?done=replayed").await.body.contains("queued again"));
    assert_eq!(get(&routes, "/console/dead?done=%3Cscript").await.status, 200);
    assert_eq!(redis.command::<usize>(&["XLEN", &stream(Flow::Vmh, Lane::First)]).await, 1);
    assert_eq!(post(&routes, &format!("{address}/replay"), &same, form.clone()).await.status, 404);

    let done = post(&routes, &format!("/console/dead/vmh/{second}/discard"), &same, form).await;
    assert_eq!(done.headers["location"], "/console/dead?done=discarded");
    assert!(redis.queue().dead_letters(Flow::Vmh, 10).await.unwrap().is_empty());
    assert_eq!(redis.command::<usize>(&["XLEN", &stream(Flow::Vmh, Lane::First)]).await, 1);
}

#[tokio::test]
async fn an_entry_that_is_no_job_can_only_be_discarded() {
    let redis = Redis::start().await;
    let routes = routes(&redis, None);
    let dead = stream(Flow::Vmh, Lane::First) + ":dead";
    let id: String = redis.command(&["XADD", &dead, "*", "nonsense", "x"]).await;
    let address = format!("/console/dead/vmh/{id}");
    let page = get(&routes, &address).await.body;
    assert!(page.contains("names no job") && !page.contains(">Replay<"), "{page}");
    let form = format!("form_key={}", form_key(&page));
    assert_eq!(post(&routes, &format!("{address}/replay"), &[], form.clone()).await.status, 409);
    assert_eq!(post(&routes, &format!("{address}/discard"), &[], form).await.status, 303);
}

#[tokio::test]
async fn with_a_token_people_sign_in_and_out() {
    let redis = Redis::start().await;
    let routes = routes(&redis, Some("geheim"));
    let id = bury(&redis, "1").await;
    for path in ["/console", "/console/dead", "/console/nothing"] {
        let away = get(&routes, path).await;
        assert_eq!((away.status.as_u16(), away.headers["location"].to_str().unwrap()), (303, "/console/sign-in"));
        assert_eq!(send(&routes, request("GET", path, &[], "")).await.status, 401);
        assert_eq!(send(&routes, request("GET", path, &[("authorization", "Bearer no")], "")).await.status, 401);
    }
    let replay = format!("/console/dead/vmh/{id}/replay");
    assert_eq!(post(&routes, &replay, &[], String::new()).await.status, 401);

    let page = get(&routes, "/console/sign-in").await;
    assert!(page.status == 200 && page.headers.contains_key("content-security-policy"));
    for body in ["token=no", "", "token="] {
        let refused = post(&routes, "/console/sign-in", &[], body.to_owned()).await;
        assert!(refused.status == 401 && !refused.headers.contains_key("set-cookie"), "{body}");
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(post(&routes, "/console/sign-in", &foreign, "token=geheim".to_owned()).await.status, 403);
    let entered = post(&routes, "/console/sign-in", &[("x-forwarded-proto", "https")], "token=geheim".to_owned()).await;
    let cookie = entered.headers["set-cookie"].to_str().unwrap();
    assert!(entered.status == 303 && !cookie.contains("geheim"));
    for part in ["Path=/console", "HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let signed_in = [("cookie", cookie.as_str()), BROWSER];
    let page = send(&routes, request("GET", "/console", &signed_in, "")).await;
    assert!(page.status == 200 && page.body.contains("Sign out"));
    let form = format!("form_key={}", form_key(&page.body));
    assert_eq!(post(&routes, &replay, &signed_in, String::new()).await.status, 403);
    assert_eq!(post(&routes, &replay, &signed_in, form.clone()).await.status, 303);
    let left = post(&routes, "/console/sign-out", &signed_in, form).await;
    assert!(left.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));

    let bearer = [("authorization", "Bearer geheim")];
    assert_eq!(send(&routes, request("GET", "/console/dead", &bearer, "")).await.status, 200);
    let id = bury(&redis, "2").await;
    let discard = format!("/console/dead/vmh/{id}/discard");
    assert_eq!(send(&routes, request("POST", &discard, &bearer, "")).await.status, 303);
}

#[tokio::test]
async fn without_redis_a_page_says_so() {
    let mut redis = Redis::start().await;
    let routes = routes(&redis, None);
    redis.stop();
    for path in ["/console", "/console/dead", "/console/dead/vmh/1-1"] {
        let page = get(&routes, path).await;
        assert!(page.status == 503 && page.body.contains("Redis is unavailable"), "{path}: {}", page.body);
        assert!(page.headers.contains_key("content-security-policy"));
    }
    redis.resume().await;
    assert_eq!(get(&routes, "/console").await.status, 200);
}

/// A letter about a record that two parties fit.
async fn bury_question(redis: &Redis) -> String {
    let fields = ["topic", "vmh.beteiligte.create", "key", "abc", "error", "several parties", "code", "needs_person"];
    redis.command(&[&["XADD", &(stream(Flow::Vmh, Lane::First) + ":dead"), "*"], &fields[..]].concat()).await
}

#[tokio::test]
async fn a_person_sees_both_sides_and_decides() {
    let redis = Redis::start().await;
    let routes = routes(&redis, None);
    let id = bury_question(&redis).await;
    let address = format!("/console/dead/vmh/{id}");
    assert!(get(&routes, &address).await.body.contains(&format!("{address}/candidates")));
    let other = bury(&redis, "other").await;
    assert_eq!(get(&routes, &format!("/console/dead/vmh/{other}/candidates")).await.status, 404);
    // What a worker would answer.
    let topic = crate::queue::Topic::Inspect { entity: "beteiligte".into() };
    let answer = serde_json::json!({
        "espocrm": { "name": "Muster", "vorname": null },
        "fields": ["name", "vorname", "plz"],
        "candidates": [
            { "number": "17", "advoware": { "name": "Muster", "plz": "<b>10115</b>" }, "owner": null },
            { "number": "18", "advoware": { "name": "Muster" }, "owner": "xyz" },
        ],
        "would": { "ask_a_person": "several parties in Advoware have the same name" },
    });
    redis.queue().leave_inspection(&topic, "abc", &answer.to_string()).await.unwrap();
    let page = get(&routes, &format!("{address}/candidates")).await.body;
    for text in ["Advoware 17", "&lt;b&gt;10115", "several parties in Advoware", "xyz", "None of them: create it"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches("This one").count(), 1, "18 belongs to another record: {page}");
    let asked: usize = redis.command(&["XLEN", &stream(Flow::Vmh, Lane::First)]).await;
    let decide = format!("{address}/decide");
    assert_eq!(post(&routes, &decide, &[], "decision=17".to_owned()).await.status, 403);
    let key = form_key(&page);
    assert_eq!(post(&routes, &decide, &[], format!("form_key={key}")).await.status, 400);
    // As `sync::record::decision` reads it.
    for (decision, payload) in [("17", r#"{"decision":{"this":"17"}}"#), ("create", r#"{"decision":"create"}"#)] {
        let answer = post(&routes, &decide, &[], format!("form_key={key}&decision={decision}")).await;
        assert_eq!(
            (answer.status, &answer.headers["location"]),
            (303.try_into().unwrap(), &"/console/dead?done=decided".parse().unwrap())
        );
        let entries: Vec<(String, Vec<String>)> =
            redis.command(&["XREVRANGE", &stream(Flow::Vmh, Lane::First), "+", "-", "COUNT", "1"]).await;
        let fields = &entries[0].1;
        let at = fields.iter().position(|field| field == "payload").unwrap();
        assert_eq!(fields[at + 1], payload);
        assert!(fields.contains(&"vmh.beteiligte.sync_check".to_owned()) && fields.contains(&"abc".to_owned()));
    }
    let now: usize = redis.command(&["XLEN", &stream(Flow::Vmh, Lane::First)]).await;
    assert_eq!(now - asked, 2);
}
