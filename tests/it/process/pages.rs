//! The console and the proxy as a browser and a script meet them; their rooms' own tests go deeper.

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Options, Sandbox};
use serde_json::{Value, json};

use super::support::{Answer, Home, Http, until};
use crate::support::redis::Redis;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// The value of the hidden field that forms carry.
fn form_key(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"form_key\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

fn sign_in(http: Http, token: &str) -> Answer {
    http.send("POST", "/console/sign-in", &[FORM], format!("token={token}").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_replayed_from_the_console() {
    let redis = Redis::start();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    // Linked to a party that is not there: a counted attempt, and one is all it gets.
    let lost = json!({"firstName": "Max", "lastName": "Mustermann", "advowareId": 4711});
    let id = sandbox.people().crm_create(CBETEILIGTE, &lost).unwrap();
    let home = Home::at(&redis)
        .with_all(sandbox.env())
        .with("ADVOSYNC_MAX_ATTEMPTS", "1")
        .with("ADVOSYNC_CRON_RECORDS", "off")
        .with("ADVOSYNC_API_TOKEN", "geheim");
    let up = home.ready("up");
    let http = up.http();
    assert_eq!(home.run(&["record", "beteiligte", &id, "--wait"]).with_code(1).stderr.lines().count(), 0);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:dead"]), "1");

    // Strangers see the sign-in page and nothing else.
    let sent_away = http.send("GET", "/console/dead", &[("Accept", "text/html")], b"");
    assert_eq!((sent_away.status, sent_away.headers["location"].as_str()), (303, "/console/sign-in"));
    assert_eq!(http.get("/console/dead").status, 401);
    let page = http.get("/console/sign-in");
    assert!(page.status == 200 && page.body.contains("type=\"password\""), "{page:?}");
    assert_eq!(sign_in(http, "falsch").status, 401);
    let signed_in = sign_in(http, "geheim");
    assert_eq!((signed_in.status, signed_in.headers["location"].as_str()), (303, "/console"));
    let cookie = signed_in.headers["set-cookie"].split(';').next().unwrap().to_owned();
    assert!(!cookie.contains("geheim") && signed_in.headers["set-cookie"].contains("HttpOnly"), "{signed_in:?}");

    let get = |path: &str| http.send("GET", path, &[("Cookie", &cookie)], b"");
    assert!(get("/console").body.contains("vmh"));
    let list = get("/console/dead");
    assert!(list.body.contains("vmh.beteiligte.sync_check") && list.body.contains(&id), "{list:?}");
    let letter = redis.cli(&["XRANGE", "jobs:vmh:dead", "-", "+"]).lines().next().unwrap().to_owned();
    let address = format!("/console/dead/vmh/{letter}");
    assert!(list.body.contains(&address), "{list:?}");
    let page = get(&address);
    assert!(page.body.contains("Replay") && page.body.contains("Not found in Advoware"), "{page:?}");
    let post =
        |body: &str| http.send("POST", &format!("{address}/replay"), &[("Cookie", &cookie), FORM], body.as_bytes());
    assert_eq!(post("").status, 403, "not without our form");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:dead"]), "1");
    // The party was entered meanwhile under its number: the record is linked to another one now.
    let number = sandbox.people().lawyer_create(BETEILIGTE, &json!({"name": "Mustermann", "vorname": "Max"})).unwrap();
    sandbox.people().crm_arrange(CBETEILIGTE, &id, &json!({"advowareId": number})).unwrap();
    let replayed = post(&format!("form_key={}", form_key(&page)));
    assert_eq!((replayed.status, replayed.headers["location"].as_str()), (303, "/console/dead?done=replayed"));
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:dead"]), "0");
    until("the job is done", || redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]).contains(r#""result":"#));
    let again = post(&format!("form_key={}", form_key(&page)));
    assert_eq!(again.status, 404, "it was replayed already");
    up.stop().with_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_passes_on_and_guards() {
    let redis = Redis::start();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let number = sandbox.people().lawyer_create(BETEILIGTE, &json!({"name": "Müller", "vorname": "Eva"})).unwrap();
    let one = format!("/api/advoware/api/v1/advonet/Beteiligte/{number}");
    let body = json!({"name": "Meier", "vorname": "Eva"}).to_string();
    let check = |home: &Home, put: u16| {
        let proxy = home.ready("proxy");
        let http = proxy.http();
        let bearer = ("Authorization", "Bearer geheim");
        let send = |method: &str, path: &str, body: &str| http.send(method, path, &[bearer], body.as_bytes());
        let got = send("GET", &one, "");
        assert_eq!(got.status, 200, "{got:?}");
        let party: Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!(party["name"], "Müller");
        assert!(got.headers["content-type"].starts_with("application/json"));
        let found = send("GET", "/api/advoware/api/v1/advonet/Beteiligte?name=M%C3%BCller", "");
        assert!(found.status == 200 && found.body.starts_with('['), "{found:?}");
        assert_eq!(send("GET", "/api/advoware/api/v1/advonet/Beteiligte/99999999", "").status, 404);
        assert_eq!(http.get(&one).status, 401);
        assert_eq!(http.send("GET", &one, &[("Authorization", "Bearer falsch")], b"").status, 401);
        for climbing in ["../secret", "x/%2e%2e/y", "x/..%2fy", "%2e%2e%2fy", "//other.host/x", "x%5cy"] {
            let answer = send("GET", &format!("/api/advoware/{climbing}"), "");
            assert_eq!(answer.status, 400, "{climbing}: {answer:?}");
            let error: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(error["error"]["code"].is_string() && error["error"]["message"].is_string(), "{answer:?}");
        }
        let before = sandbox.effects().len();
        let put_answer = send("PUT", &one, &body);
        assert_eq!(put_answer.status, put, "{put_answer:?}");
        if put == 403 {
            for (method, path) in [("POST", "/api/advoware/api/v1/advonet/Beteiligte"), ("DELETE", one.as_str())] {
                assert_eq!(send(method, path, &body).status, 403);
            }
            assert_eq!(sandbox.effects().len(), before, "nothing leaves the process");
        }
        proxy.stop().with_code(0);
    };
    let home = || Home::at(&redis).with_all(sandbox.env()).with("ADVOSYNC_API_TOKEN", "geheim");
    check(&home().with("ADVOWARE_WRITE_PROTECTION", "true"), 403);
    check(&home(), 200);
    assert_eq!(sandbox.people().advoware_get(BETEILIGTE, number).unwrap()["name"], "Meier");
    assert_eq!(redis.cli(&["KEYS", "advoware:token:*"]).lines().count(), 1, "the token is shared");

    // Nobody at home.
    let home = home();
    let proxy = home.ready("proxy");
    sandbox.stop().await;
    let answer = proxy.http().send("GET", &one, &[("Authorization", "Bearer geheim")], b"");
    assert_eq!(answer.status, 502, "{answer:?}");
}
