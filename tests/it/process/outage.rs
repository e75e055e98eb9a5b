//! Redis goes away and comes back.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{Home, until};
use crate::support::frozen;
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";
const TRIGGER: &str = "/advoware/calendar/sync";

#[test]
fn ingress_answers_503_while_redis_is_away_and_recovers_without_a_restart() {
    let mut redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let http = ingress.http();
    assert_eq!(http.post(WEBHOOK, r#"[{"id":"before"}]"#).status, 200);
    for _ in 0..2 {
        redis.kill();
        http.post(WEBHOOK, r#"[{"id":"away"}]"#).is_error(503, "redis_unavailable");
        http.post("/webhooks/vmh/beteiligte/delete", r#"{"id":"away"}"#).is_error(503, "redis_unavailable");
        http.post(TRIGGER, "").is_error(503, "redis_unavailable");
        http.get("/readyz").is_error(503, "not_ready");
        http.get("/healthz").is(200, r#"{"status":"ok"}"#);
        assert_eq!(http.get("/metrics").status, 200);
        // What can be told without Redis is told.
        http.post(WEBHOOK, "no json").is_error(400, "not_json");
        http.post("/vmh/webhook/nobody/create", "[]").is_error(404, "unknown_webhook");
        redis.up();
        until("taken again", || http.post(WEBHOOK, r#"[{"id":"after"}]"#).status == 200);
        until("ready again", || http.get("/readyz").status == 200);
    }
    let mut pending: Vec<_> =
        redis.cli(&["SMEMBERS", "vmh:beteiligte:create_pending"]).lines().map(str::to_owned).collect();
    pending.sort();
    assert_eq!(pending, ["after", "before"], "what was refused left nothing, what was taken is there");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "2");
    ingress.stop().with_code(0);
}

#[test]
fn roles_start_while_redis_is_away_and_recover() {
    let mut redis = Redis::start();
    redis.kill();
    let homes: Vec<_> = ["up", "ingress", "worker", "cron", "console"].map(|role| (role, Home::at(&redis))).into();
    let started: Vec<_> = homes.iter().map(|(role, home)| (role, home.start(role))).collect();
    for (role, process) in &started {
        process.says("redis cannot be used, trying again");
        process.http().get("/readyz").is_error(503, "not_ready");
        assert_eq!(process.http().get("/healthz").status, 200, "{role}");
    }
    let console = started.iter().find(|(role, _)| **role == "console").unwrap();
    let page = console.1.http().get("/console");
    assert_eq!(page.status, 503, "{page:?}");
    redis.up();
    for (role, process) in started {
        process.says("redis answers and its layout fits");
        process.until_ready();
        process.stop().with_code(0).told("\"stopped\"");
        let _ = role;
    }
}

#[test]
fn a_role_stops_in_order_while_redis_is_away() {
    let mut redis = Redis::start();
    redis.kill();
    for role in ["up", "worker"] {
        let home = Home::at(&redis);
        let process = home.start(role);
        process.says("redis cannot be used, trying again");
        process.stop().with_code(0).told("\"stopped\"");
    }
}

#[test]
fn a_redis_that_hangs_is_away_too() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("REDIS_TIMEOUT_SECONDS", "0.5");
    let ingress = home.ready("ingress");
    let http = ingress.http();
    let pid = redis.cli(&["INFO", "server"]);
    let pid: u32 = pid.lines().find_map(|line| line.trim().strip_prefix("process_id:")).unwrap().parse().unwrap();
    frozen::freeze(pid);
    http.post(WEBHOOK, r#"[{"id":"a"}]"#).is_error(503, "redis_unavailable");
    http.get("/readyz").is_error(503, "not_ready");
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGCONT).unwrap();
    until("taken again", || http.post(WEBHOOK, r#"[{"id":"a"}]"#).status == 200);
    until("ready again", || http.get("/readyz").status == 200);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "1", "whatever became of the first try, there is one job");
}

#[test]
fn a_redis_that_refuses_writes_is_away_too() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 503);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 200);
}
