//! Signed webhooks over the socket, with the bytes that a real `EspoCRM` sent.

use std::fs;

use serde_json::Value;

use super::support::{Answer, Home, Http};
use crate::support::redis::Redis;

const PATH: &str = "/vmh/webhook/beteiligte/create";
const TAKEN: &str = r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#;
const AGAIN: &str = r#"{"status":"received","action":"create","new_ids_count":0,"total_ids_in_batch":1}"#;

struct Captured(Value);

impl Captured {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/espocrm-create.json");
        Self(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn header(&self, name: &'static str) -> (&'static str, &str) {
        (name, self.0["headers"][name].as_str().unwrap())
    }

    fn post(&self, http: Http, headers: &[(&str, &str)]) -> Answer {
        let all = [&[("Accept", "*/*"), ("Content-Type", "application/json")], headers].concat();
        http.send("POST", PATH, &all, self.text("body").as_bytes())
    }
}

#[test]
fn the_real_request_is_let_in_by_either_header() {
    let real = Captured::read();
    let by_webhook = format!("0000:other,{}:{}", real.text("webhook_id"), real.text("secret"));
    for secret in [real.text("secret"), &by_webhook] {
        let redis = Redis::start();
        let home = Home::at(&redis).with("ESPOCRM_WEBHOOK_SECRET", secret);
        let ingress = home.ready("ingress");
        let http = ingress.http();
        real.post(http, &[real.header("Signature"), real.header("X-Signature")]).is(200, TAKEN);
        // Nothing protects against replay, so a replayed request must do no harm.
        real.post(http, &[real.header("Signature"), real.header("X-Signature")]).is(200, AGAIN);
        real.post(http, &[real.header("Signature")]).is(200, AGAIN);
        real.post(http, &[real.header("X-Signature")]).is(200, AGAIN);
        assert_eq!(redis.cli(&["SMEMBERS", "vmh:beteiligte:create_pending"]), "6b023b1e1e37dc49a");
        assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "1");
    }
}

#[test]
fn others_are_not() {
    let real = Captured::read();
    let redis = Redis::start();
    let home = Home::at(&redis).with("ESPOCRM_WEBHOOK_SECRET", real.text("secret"));
    let ingress = home.ready("ingress");
    let http = ingress.http();
    let (hex, raw) = (real.header("Signature"), real.header("X-Signature"));
    let check = |headers: &[(&str, &str)]| real.post(http, headers).is_error(401, "bad_signature");
    check(&[]);
    check(&[("Signature", raw.1)]);
    check(&[("X-Signature", hex.1)]);
    check(&[("Signature", "")]);
    check(&[("Signature", "nonsense")]);
    check(&[("Authorization", "Bearer geheim")]);
    // The same bytes but one.
    let changed = real.text("body").replacen("Max", "Mex", 1);
    http.send("POST", PATH, &[hex, raw], changed.as_bytes()).is_error(401, "bad_signature");
    http.send("POST", PATH, &[hex, raw], b"[]").is_error(401, "bad_signature");
    // Not even what is no JSON is looked at before the signature is.
    http.send("POST", PATH, &[], b"not json").is_error(401, "bad_signature");
    drop(ingress);
    let home = home.with("ESPOCRM_WEBHOOK_SECRET", "6b023b04a66cc0bdf:09345a7adafa2c748bcceefe607a5305");
    let ingress = home.ready("ingress");
    real.post(ingress.http(), &[hex, raw]).is_error(401, "bad_signature");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "0");
}
