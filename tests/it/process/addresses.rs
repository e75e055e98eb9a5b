//! Every way to say where Redis is.

use std::process::{Child, Command, Stdio};

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Options, Sandbox};
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::support::{Home, redis_cli, redis_pid, until};
use crate::support::redis::{Redis, free_port};

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";
const TAKEN: &str = r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#;

/// A redis-server with arguments of its own.
struct Server {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Server {
    /// With these lines of configuration; a sentinel writes its own down there, too.
    fn start(config: &[&str], args: &[&str]) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = dir.path().join("redis.conf");
        std::fs::write(&file, config.join("\n")).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&file).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(dir.path());
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { child: command.spawn().unwrap(), port, _dir: dir };
        until("redis answers", || !server.cli(&["PING"]).is_empty());
        server
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn cli(&self, words: &[&str]) -> String {
        redis_cli(&self.url(), words)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails unless a webhook that is taken with this home is found in this database, and only there.
fn lands(home: &Home, redis: &Redis, database: &str) {
    let ingress = home.ready("ingress");
    ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, TAKEN);
    ingress.stop().with_code(0);
    let keyspace = redis.cli(&["INFO", "keyspace"]);
    let databases: Vec<_> = keyspace.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    assert_eq!(databases, [format!("db{database}")]);
    redis.cli(&["FLUSHALL"]);
}

#[test]
fn which_database_is_meant() {
    let redis = Redis::start();
    let url = redis.url();
    let bare = url.strip_suffix("/1").unwrap();
    let port = bare.rsplit_once(':').unwrap().1;
    let check = |settings: &[(&str, &str)], database: &str| {
        let home = settings.iter().fold(Home::new(), |home, (name, value)| home.with(name, value));
        lands(&home, &redis, database);
    };
    check(&[("REDIS_URL", bare)], "1");
    check(&[("REDIS_URL", &format!("{bare}/"))], "1");
    check(&[("REDIS_URL", &format!("{bare}/5"))], "5");
    check(&[("REDIS_URL", &format!("{bare}/0")), ("REDIS_DB_CALENDAR_SYNC", "4")], "0");
    check(&[("REDIS_URL", bare), ("REDIS_DB_CALENDAR_SYNC", "4")], "4");
    check(&[("REDIS_HOST", "localhost"), ("REDIS_PORT", port)], "1");
    check(&[("REDIS_PORT", port)], "1");
    check(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", port), ("REDIS_DB_CALENDAR_SYNC", "7")], "7");
    check(&[("REDIS_URL", bare), ("REDIS_HOST", "nowhere.invalid"), ("REDIS_PORT", "1")], "1");
}

#[test]
fn every_key_has_the_prefix() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_KEY_PREFIX", "kanzlei-a:").with("ADVOSYNC_CRON_RECORDS", "* * * * * *");
    let up = home.ready("up");
    up.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, TAKEN);
    assert_eq!(up.http().post("/advoware/calendar/sync", r#"{"kuerzel":"SB","full_content":false}"#).status, 200);
    until("cron has fired", || redis.cli(&["XLEN", "kanzlei-a:jobs:vmh:sweep"]) == "1");
    home.run(&["record", "beteiligte", "b"]).with_code(0);
    let keys = redis.cli(&["KEYS", "*"]);
    assert!(keys.lines().count() > 8, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("kanzlei-a:"), "{key}");
    }
    assert_eq!(redis.cli(&["SMEMBERS", "kanzlei-a:vmh:beteiligte:create_pending"]), "a");
    // Another firm in the same database knows nothing of it.
    let other = Home::at(&redis);
    let ingress = other.ready("ingress");
    ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, TAKEN);
    up.stop().with_code(0);
}

#[test]
fn a_password() {
    let redis = Redis::start();
    redis.cli(&["CONFIG", "SET", "requirepass", "p@ss/wort"]);
    let at = |login: &str| Home::new().with("REDIS_URL", &redis.url().replace("redis://", &format!("redis://{login}")));
    let home = at(":p%40ss%2Fwort@");
    let ingress = home.ready("ingress");
    ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, TAKEN);
    let ended = ingress.stop().with_code(0);
    assert!(!ended.stderr.contains("p@ss") && !ended.stderr.contains("p%40ss"), "{}", ended.stderr);
    home.run(&["migrate"]).with_code(0);
    for wrong in ["", ":falsch-geheim@"] {
        let home = at(wrong);
        let ended = home.run(&["migrate"]).with_code(1).told("redis");
        assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
        let ingress = home.start("ingress");
        ingress.says("redis cannot be used, trying again");
        ingress.http().get("/readyz").is_error(503, "not_ready");
        assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 503);
        let ended = ingress.stop().with_code(0);
        assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
    }
}

#[test]
fn out_of_reach_is_1_for_people_at_the_command_line() {
    let port = free_port().to_string();
    for home in [
        Home::new().with("REDIS_URL", &format!("redis://127.0.0.1:{port}")),
        Home::new().with("REDIS_HOST", "127.0.0.1").with("REDIS_PORT", &port),
        Home::new().file("data/redis.url", &format!("redis://127.0.0.1:{port}/1")),
    ] {
        for args in [&["migrate"][..], &["migrate", "--dry-run"], &["record", "beteiligte", "a"]] {
            let ended = home.run(args).with_code(1).told("redis is unavailable").told("REDIS_URL");
            assert_eq!(ended.stdout, "", "{args:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster() {
    let node = Server::start(&["save \"\"", "cluster-enabled yes"], &[]);
    node.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("the cluster is whole", || node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let url = format!("redis-cluster://127.0.0.1:{}", node.port);
    Home::new().with("REDIS_URL", &url).run(&["up"]).with_code(78).told("ADVOSYNC_KEY_PREFIX").told("{advosync}:");

    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let max = json!({"firstName": "Max", "lastName": "Mustermann"});
    let id = sandbox.people().crm_create(CBETEILIGTE, &max).unwrap();
    let home =
        || Home::new().with("REDIS_URL", &url).with("ADVOSYNC_KEY_PREFIX", "{advosync}:").with_all(sandbox.env());
    let (ingress_home, worker_home) = (home(), home());
    let ingress = ingress_home.ready("ingress");
    ingress.http().post(WEBHOOK, &json!([{"id": id}]).to_string()).is(200, TAKEN);
    assert_eq!(node.cli(&["XLEN", "{advosync}:jobs:vmh"]), "1");
    let worker = worker_home.ready("worker");
    until("the job is done", || node.cli(&["XRANGE", "{advosync}:jobs:vmh:done", "-", "+"]).contains(&id));
    assert_eq!(sandbox.people().advoware_list(BETEILIGTE).len(), 1);
    let keys = node.cli(&["KEYS", "*"]);
    assert!(keys.lines().all(|key| key.starts_with("{advosync}:")), "{keys}");
    ingress_home.run(&["migrate"]).with_code(0);
    worker.stop().with_code(0);
    ingress.stop().with_code(0);
}

#[test]
fn sentinels_lead_to_the_master_also_after_a_failover() {
    let master = Server::start(&["save \"\""], &[]);
    let replica = Server::start(&["save \"\"", &format!("replicaof 127.0.0.1 {}", master.port)], &[]);
    let monitor = format!("sentinel monitor jobs 127.0.0.1 {} 1", master.port);
    let quick = ["sentinel down-after-milliseconds jobs 500", "sentinel failover-timeout jobs 1000"];
    let sentinel = Server::start(&[&monitor, quick[0], quick[1]], &["--sentinel"]);
    let known = |name: &str, value: &str| {
        let state = sentinel.cli(&["SENTINEL", "MASTER", "jobs"]);
        state.lines().zip(state.lines().skip(1)).any(|(field, found)| field == name && found == value)
    };
    until("the sentinel knows the replica", || known("num-slaves", "1"));
    until("the replica follows", || replica.cli(&["INFO", "replication"]).contains("master_link_status:up"));

    let home = Home::new().with("REDIS_URL", &format!("redis-sentinel://127.0.0.1:{}/jobs", sentinel.port));
    let ingress = home.ready("ingress");
    ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, TAKEN);
    let length = |server: &Server| redis_cli(&format!("{}/1", server.url()), &["XLEN", "jobs:vmh"]);
    assert_eq!(length(&master), "1");
    home.run(&["migrate"]).with_code(0);
    until("it is at the replica", || length(&replica) == "1");
    let pid = redis_pid(&master.url());
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    until("the new master takes jobs", || ingress.http().post(WEBHOOK, r#"[{"id":"b"}]"#).status == 200);
    until("ready", || ingress.http().get("/readyz").status == 200);
    assert_eq!(length(&replica), "2");
    ingress.stop().with_code(0);
}
