//! SIGTERM and Ctrl-C: in order and in time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use advosync_sandbox::{CBETEILIGTE, Match, Options, Phase, Sandbox, System};
use nix::sys::signal::Signal;
use serde_json::json;

use super::support::{Home, PATIENCE, Process, until};
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";

#[tokio::test(flavor = "multi_thread")]
async fn each_role_ends_with_0_at_either_signal() {
    let redis = Redis::start();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for role in ["up", "ingress", "worker", "cron", "proxy", "console"] {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let home = Home::at(&redis).with_all(sandbox.env());
            let process = home.ready(role);
            let told = Instant::now();
            process.signal(signal);
            let ended = process.end().with_code(0).told("\"stopping\"").told("\"stopped\"");
            assert_eq!(ended.stdout, "", "{role}");
            // A worker's blocking read may be under way.
            assert!(told.elapsed() < Duration::from_secs(5), "{role}: {:?}", told.elapsed());
            assert!(!home.listens(), "{role}");
        }
    }
}

#[test]
fn a_request_under_way_is_answered() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let (start, rest) = (r#"[{"id":"#, r#""late"}]"#);
    let mut stream = TcpStream::connect(("127.0.0.1", ingress.http().port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("POST {WEBHOOK} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", start.len() + rest.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(start.as_bytes()).unwrap();
    // Any other answer proves that the first connection was accepted before.
    assert_eq!(ingress.http().get("/healthz").status, 200);
    ingress.signal(Signal::SIGTERM);
    ingress.says("stopping");
    until("no new connections are taken", || !home.listens());
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""new_ids_count":1"#), "{answer}");
    ingress.end().with_code(0);
    assert_eq!(redis.cli(&["SMEMBERS", "vmh:beteiligte:create_pending"]), "late");
}

/// A worker whose one job waits for EspoCRM's answer, and a second job that came after the signal.
struct Busy {
    redis: Redis,
    home: Home,
    sandbox: Sandbox,
    gate: advosync_sandbox::Gate,
    worker: Process,
    id: String,
}

impl Busy {
    async fn new(drain: &str) -> Self {
        let redis = Redis::start();
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let id =
            sandbox.people().crm_create(CBETEILIGTE, &json!({"firstName": "Max", "lastName": "Mustermann"})).unwrap();
        let gate =
            sandbox.gate(Match::on(System::EspoCrm).request("GET", &format!("*/{CBETEILIGTE}/*")), Phase::Before);
        let home =
            Home::at(&redis).with_all(sandbox.env()).with("ADVOSYNC_DRAIN_SECONDS", drain).with("ADVOSYNC_LEASE", "2s");
        let worker = home.ready("worker");
        redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.create", "key", &id]);
        tokio::time::timeout(PATIENCE, gate.arrived()).await.unwrap();
        worker.signal(Signal::SIGTERM);
        worker.says("stopping");
        redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.create", "key", "another"]);
        Self { redis, home, sandbox, gate, worker, id }
    }

    fn parties(&self) -> usize {
        self.sandbox.people().advoware_list(advosync_sandbox::BETEILIGTE).len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_finished_and_no_further_one_is_begun() {
    let busy = Busy::new("20").await;
    busy.gate.release();
    busy.worker.end().with_code(0);
    let done = busy.redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    assert!(done.contains(&busy.id) && !done.contains("another"), "{done}");
    assert_eq!(busy.sandbox.people().advoware_list(advosync_sandbox::BETEILIGTE).len(), 1);
    assert_eq!(busy.redis.cli(&["XLEN", "jobs:vmh"]), "1", "the other one waits");
    let groups = busy.redis.cli(&["XINFO", "GROUPS", "jobs:vmh"]);
    assert!(groups.contains("pending\n0"), "{groups}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_in_time_is_handed_back_without_an_attempt() {
    let Busy { redis, home, sandbox, gate, worker, id } = Busy::new("0.5").await;
    worker.end().with_code(0);
    assert_eq!(redis.cli(&["EXISTS", "jobs:vmh:dead"]), "0");
    gate.release();
    let worker = home.ready("worker");
    until("the next worker does it", || redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]).contains(&id));
    let done = redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]);
    assert!(!done.contains("attempt\n2"), "{done}");
    assert_eq!(sandbox.people().advoware_list(advosync_sandbox::BETEILIGTE).len(), 1);
    worker.stop().with_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_and_loses_nothing() {
    let busy = Busy::new("25").await;
    busy.worker.signal(Signal::SIGTERM);
    assert_eq!(busy.parties(), 0);
    let Busy { redis, home, sandbox, gate, worker, id } = busy;
    worker.end().with_code(1).told("second signal: ending at once");
    gate.release();
    // Its lease has to run out first.
    let worker = home.ready("worker");
    until("the next worker does it", || redis.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]).contains(&id));
    assert_eq!(sandbox.people().advoware_list(advosync_sandbox::BETEILIGTE).len(), 1);
    worker.stop().with_code(0);
}
