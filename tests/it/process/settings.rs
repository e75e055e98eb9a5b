//! Settings as an operator gets them wrong and right.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::support::{Ended, Home, files};
use crate::support::redis::Redis;

const ROLES: [&str; 6] = ["up", "ingress", "worker", "cron", "proxy", "console"];

/// Fails unless the program refused these settings and started nothing at all.
fn refused(home: &Home, redis: &Redis, role: &str) -> Ended {
    let ended = home.run(&[role]).with_code(78).told("nothing was started");
    assert_eq!(ended.stdout, "", "{role}");
    assert_eq!(redis.cli(&["KEYS", "*"]), "", "{role}");
    assert_eq!(redis.cli(&["FUNCTION", "LIST"]), "", "{role}");
    assert!(!home.path("data").exists(), "{role}: {:?}", files(&home.path("data")));
    assert!(!ended.stderr.contains("listening") && !ended.stderr.contains("started a private redis"), "{ended:?}");
    ended
}

#[test]
fn every_fault_is_told_at_once_and_nothing_is_started() {
    let redis = Redis::start();
    let home = Home::at(&redis)
        .with("ADVOSYNC_LEASE", "15")
        .with("ADVOSYNC_MAX_ATTEMPTS", "zero")
        .with("ADVOSYNC_CRON_CALENDAR", "61 * * * *")
        .with("ADVOSYNC_TIMEZONE", "Berlin")
        .with("ADVOSYNC_LISTEN", "somewhere")
        .with("REDIS_TIMEOUT_SECONDS", "5s")
        .with("ADVOSYNC_MAPPINGS", "nowhere")
        .file(".env", "ADVOSYNC_RETRY_SCHEDULE=soon\nthis is no line\n")
        .file("a.toml", "ADVOSYNC_DRAIN_SECONDS = \"long\"\nADVOSYNC_NO_SUCH = 1\n");
    for role in ROLES {
        let ended = refused(&home, &redis, role);
        for name in [
            "ADVOSYNC_LEASE (environment): `15` has no unit; write 15s",
            "ADVOSYNC_MAX_ATTEMPTS (environment)",
            "ADVOSYNC_CRON_CALENDAR (environment)",
            "ADVOSYNC_TIMEZONE (environment)",
            "ADVOSYNC_LISTEN (environment)",
            "REDIS_TIMEOUT_SECONDS (environment)",
            "ADVOSYNC_MAPPINGS (environment)",
            "ADVOSYNC_RETRY_SCHEDULE (.env line 1)",
            ".env (line 2)",
        ] {
            assert!(ended.stderr.contains(name), "{role}: {name} is missing in\n{}", ended.stderr);
        }
    }
    let with_file = home.run(&["ingress", "--config", "a.toml"]).with_code(78);
    with_file.told("ADVOSYNC_DRAIN_SECONDS (a.toml line 1)");
    home.run(&["--config", "missing.toml", "ingress"]).with_code(78).told("missing.toml: the file cannot be read");
    // Admin commands judge the settings, too.
    home.run(&["migrate"]).with_code(78).told("ADVOSYNC_LEASE");
}

#[test]
fn the_environment_beats_dotenv_beats_the_file() {
    let home = Home::new()
        .with("ADVOSYNC_LEASE", "3s")
        .with("ADVOSYNC_MAX_ATTEMPTS", "")
        .with("ADVOSYNC_QUIET_TIME", " ")
        .file(".env", "ADVOSYNC_LEASE=2s\nADVOSYNC_MAX_ATTEMPTS=4\n")
        .file("a.toml", "ADVOSYNC_LEASE = \"1s\"\nADVOSYNC_MAX_ATTEMPTS = 3\nADVOSYNC_QUIET_TIME = \"90s\"\n");
    let shown = home.run(&["config", "--json", "--config", "a.toml"]).with_code(0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let check = |name: &str, value: &str, place: &str| {
        let found = &shown["settings"][name];
        assert_eq!((&found["value"], &found["place"]), (&json!(value), &json!(place)), "{name}");
    };
    check("ADVOSYNC_LEASE", "3s", "environment");
    check("ADVOSYNC_MAX_ATTEMPTS", "4", ".env line 2");
    check("ADVOSYNC_QUIET_TIME", "90s", "a.toml line 3");
    check("ADVOSYNC_DRAIN_SECONDS", "25", "default");
}

#[test]
fn a_mistyped_mapping_is_named_with_file_line_and_key() {
    let redis = Redis::start();
    let shipped = include_str!("../../../mappings/beteiligte.toml");
    let typo = shipped.replacen("on_delete", "on_delte", 1);
    assert_ne!(typo, shipped);
    let line = 1 + typo.lines().position(|line| line.starts_with("on_delte")).unwrap();
    let home = Home::at(&redis).file("mine/beteiligte.toml", &typo).with("ADVOSYNC_MAPPINGS", "mine");
    let signed_in =
        ["APP_ID", "KANZLEI", "DATABASE", "USER", "PASSWORD"].map(|name| (format!("ADVOWARE_{name}"), "x".into()));
    let home = home.with_all(signed_in).with("ADVOWARE_API_KEY", "eA==");
    for role in ROLES {
        refused(&home, &redis, role).told(&format!("mine/beteiligte.toml:{line}: `on_delte`: unknown key"));
    }
    // Not even a Redis of its own is started.
    let home = home.without("REDIS_URL");
    refused(&home, &redis, "up");
    // The default folder is read where it is there.
    let home = Home::at(&redis).file("mappings/beteiligte.toml", &typo);
    refused(&home, &redis, "worker").told(&format!("mappings/beteiligte.toml:{line}: `on_delte`"));
    // Faults of the settings do not hide it: everything is told at once.
    let home = home.with("ADVOSYNC_LEASE", "soon");
    refused(&home, &redis, "worker").told(&format!("mappings/beteiligte.toml:{line}: `on_delte`"));
    refused(&home, &redis, "worker").told("ADVOSYNC_LEASE");
}

#[test]
fn beyond_loopback_secret_and_token_are_needed() {
    let redis = Redis::start();
    for listen in ["0.0.0.0", "[::]"] {
        let listen = format!("{listen}:{}", crate::support::redis::free_port());
        let home = || Home::at(&redis).with("ADVOSYNC_LISTEN", &listen);
        for role in ROLES {
            refused(&home(), &redis, role).told("set ADVOSYNC_API_TOKEN and ESPOCRM_WEBHOOK_SECRET");
        }
        refused(&home().with("ADVOSYNC_API_TOKEN", "t"), &redis, "up").told("set ESPOCRM_WEBHOOK_SECRET");
        let home = home().with("ESPOCRM_WEBHOOK_SECRET", "s").with("ADVOSYNC_API_TOKEN", "");
        refused(&home, &redis, "ingress").told("set ADVOSYNC_API_TOKEN,");
    }
    let port = crate::support::redis::free_port();
    let home = Home::at(&redis).with("ADVOSYNC_LISTEN", &format!("0.0.0.0:{port}"));
    let ingress = home.with("ESPOCRM_WEBHOOK_SECRET", "s").with("ADVOSYNC_API_TOKEN", "t").start("ingress");
    assert_eq!(ingress.says("listening")["address"], format!("0.0.0.0:{port}"));
}

#[test]
fn producers_never_look_at_the_upstreams_credentials() {
    let redis = Redis::start();
    for role in ["ingress", "cron", "console"] {
        let home = Home::at(&redis)
            .with("ADVOWARE_API_KEY", "!!")
            .with("ADVOWARE_API_BASE_URL", "nonsense")
            .with("ADVOWARE_API_TIMEOUT_SECONDS", "never")
            .with("ESPOCRM_API_BASE_URL", "nonsense")
            .with("ESPOCRM_API_TIMEOUT_SECONDS", "-1")
            .with("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", "/missing");
        let process = home.ready(role);
        let ended = process.stop().with_code(0);
        for word in ["nonsense", "credential", "ADVOWARE", "ESPOCRM", "GOOGLE"] {
            assert!(!ended.stderr.contains(word), "{role} looked: {}", ended.stderr);
        }
    }
}

#[test]
fn a_worker_without_credentials_leaves_the_jobs_alone() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    assert_eq!(ingress.http().post("/vmh/webhook/beteiligte/create", r#"[{"id":"a"}]"#).status, 200);
    drop(ingress);
    let worker = home.ready("worker");
    let warning = worker.says("an upstream is not configured, its jobs wait");
    assert_eq!(warning["level"], "WARN");
    worker.stop().with_code(0).told("ADVOWARE_APP_ID").told("ESPOCRM_API_BASE_URL");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "1");
    assert_eq!(redis.cli(&["SMEMBERS", "vmh:beteiligte:create_pending"]), "a");
    let groups = redis.cli(&["XINFO", "GROUPS", "jobs:vmh"]);
    assert!(groups.contains("pending\n0"), "{groups}");
    assert_eq!(redis.cli(&["EXISTS", "jobs:vmh:scheduled", "jobs:vmh:dead"]), "0");
}

#[test]
fn a_proxy_without_credentials_is_nothing() {
    let redis = Redis::start();
    let ended = refused(&Home::at(&redis).with("ADVOWARE_USER", "somebody"), &redis, "proxy");
    for name in ["APP_ID", "API_KEY", "KANZLEI", "DATABASE", "PASSWORD"] {
        assert!(ended.stderr.contains(&format!("ADVOWARE_{name}: ")), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("ADVOWARE_USER"), "{}", ended.stderr);
}

#[test]
fn an_address_in_use() {
    let redis = Redis::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = || Home::at(&redis).with("ADVOSYNC_LISTEN", &address);
    for role in ["worker", "cron"] {
        let home = home();
        let process = home.start(role);
        let warning = process.says("going on without /metrics: the address cannot be listened on");
        assert_eq!((&warning["level"], &warning["address"]), (&json!("WARN"), &json!(address)), "{role}");
        process.says("redis answers and its layout fits");
        process.stop().with_code(0);
    }
    for role in ["ingress", "console"] {
        home().run(&[role]).with_code(1).told(&format!("{address} is in use already")).told("ADVOSYNC_LISTEN");
    }
    let up = home().without("REDIS_URL");
    up.run(&["up"]).with_code(1).told(&format!("{address} is in use already"));
    assert_eq!(up.redis_url(), None, "its Redis is stopped again");
}

#[test]
fn older_names_are_understood_and_told() {
    let redis = Redis::start();
    let home = Home::at(&redis)
        .with("REDIS_DB_ADVOWARE_CACHE", "3")
        .with("POSTGRES_HOST", "localhost")
        .with("ADVOWARE_BASE_URL", "https://api.advoware.com")
        .with("ADVOWARE_USERNAME", "your_username")
        .with("ADVOSYNC_CONCURENCY", "3");
    let worker = home.ready("worker");
    let ended = worker.stop().with_code(0);
    for text in [
        "REDIS_DB_ADVOWARE_CACHE (environment) is not used any more",
        "POSTGRES_HOST (environment) is not used any more",
        "ADVOWARE_BASE_URL (environment) is an older name; write ADVOWARE_API_BASE_URL",
        "ADVOWARE_USERNAME (environment) is an older name; write ADVOWARE_USER",
        "did you mean ADVOSYNC_WORKER_CONCURRENCY?",
    ] {
        assert!(ended.stderr.contains(text), "{text} is missing in\n{}", ended.stderr);
    }
}

/// As a container or systemd hands them over: nothing of them is in the environment.
#[test]
fn secrets_come_from_files_and_credentials() {
    let redis = Redis::start();
    redis.cli(&["CONFIG", "SET", "requirepass", "geheim-redis"]);
    let url = redis.url().replace("redis://", "redis://:geheim-redis@");
    let home = Home::new()
        .file("secrets/redis", &format!("{url}\n"))
        .file("secrets/token", "geheim-token-from-a-file\n")
        .file("credentials/ESPOCRM_WEBHOOK_SECRET", "geheim-webhook\n")
        .with("REDIS_URL_FILE", "secrets/redis")
        .with("ADVOSYNC_API_TOKEN_FILE", "secrets/token");
    let folder = home.path("credentials");
    let home = home.with("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    let ingress = home.ready("ingress");
    let http = ingress.http();
    assert_eq!(http.post("/vmh/webhook/beteiligte/create", "[]").status, 401, "the secret is known");
    assert_eq!(http.post("/advoware/calendar/sync", "").status, 401);
    let bearer = [("Authorization", "Bearer geheim-token-from-a-file")];
    assert_eq!(http.send("POST", "/advoware/calendar/sync", &bearer, b"").status, 200);
    let shown = home.run(&["config", "--json"]).with_code(0);
    let all: Value = serde_json::from_str(&shown.stdout).unwrap();
    let check = |name: &str, source: &str, place: &str| {
        let found = &all["settings"][name];
        assert_eq!((&found["source"], &found["place"]), (&json!(source), &json!(place)), "{name}");
        assert!(found["value"].as_str().unwrap().contains("***"), "{found}");
    };
    check("REDIS_URL", "environment", "environment, from the file secrets/redis");
    check("ADVOSYNC_API_TOKEN", "environment", "environment, from the file secrets/token");
    check("ESPOCRM_WEBHOOK_SECRET", "credential", "credential ESPOCRM_WEBHOOK_SECRET");
    let told = ingress.stop().with_code(0).stderr + &shown.stdout + &shown.stderr;
    assert!(!told.contains("geheim"), "{told}");
    let home = home.with("ADVOSYNC_API_TOKEN_FILE", "secrets/none").with("REDIS_URL", "redis://127.0.0.1:1");
    let ended = home
        .run(&["ingress"])
        .with_code(78)
        .told("`secrets/none` cannot be read")
        .told("set either REDIS_URL or REDIS_URL_FILE");
    assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
}
