//! What is written where, and what never is.

use advosync_sandbox::{CBETEILIGTE, Options, Sandbox};
use serde_json::{Value, json};

use super::support::{Ended, Home, redis_cli, until};
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";

/// Every secret setting, with a value that is found again wherever it turns up.
const SECRETS: [(&str, &str); 8] = [
    ("ADVOSYNC_API_TOKEN", "geheim-token-1"),
    ("ESPOCRM_WEBHOOK_SECRET", "geheim-webhook-2"),
    ("ADVOWARE_API_KEY", "Z2VoZWltLWFkdm93YXJlLTM="),
    ("ADVOWARE_PASSWORD", "geheim-kennwort-4"),
    ("ESPOCRM_API_KEY", "geheim-schluessel-5"),
    ("ESPOCRM_API_SECRET", "geheim-hmac-6"),
    ("ESPOCRM_ADMIN_PASSWORD", "geheim-admin-7"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=geheim-otlp-8"),
];

fn keeps_secrets(ended: &Ended, what: &str) {
    for (name, secret) in SECRETS.iter().chain(&[("REDIS_URL", "geheim-redis-9")]) {
        let secret = secret.strip_prefix("authorization=").unwrap_or(secret);
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.contains(secret), "{what} tells {name}:\n{text}");
        }
    }
}

fn secretive(redis: &Redis) -> Home {
    let url = redis.url().replace("redis://", "redis://:geheim-redis-9@");
    let secrets = SECRETS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Home::at(redis).with("REDIS_URL", &url).with_all(secrets)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_even_where_all_is_traced() {
    let redis = Redis::start();
    redis.cli(&["CONFIG", "SET", "requirepass", "geheim-redis-9"]);
    // Both upstreams refuse these secrets.
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let id = sandbox.people().crm_create(CBETEILIGTE, &json!({"firstName": "Max", "lastName": "Mustermann"})).unwrap();
    let url = redis.url().replace("redis://", "redis://:geheim-redis-9@");
    for role in ["up", "ingress", "worker", "cron", "proxy", "console"] {
        redis_cli(&url, &["FLUSHALL"]);
        let home = secretive(&redis).with("RUST_LOG", "trace");
        let known = |name: &String| SECRETS.iter().any(|(secret, _)| secret == name);
        let home = home.with_all(sandbox.env().into_iter().filter(|(name, _)| !known(name)));
        let process = home.ready(role);
        let http = process.http();
        let bearer = [("Authorization", "Bearer geheim-token-1")];
        http.post(WEBHOOK, "[]");
        http.send("POST", "/advoware/calendar/sync", &[("Authorization", "Bearer falsch")], b"");
        http.send("POST", "/advoware/calendar/sync", &bearer, b"{");
        http.send("GET", "/console", &bearer, b"");
        http.send(
            "POST",
            "/console/sign-in",
            &[("Content-Type", "application/x-www-form-urlencoded")],
            b"token=geheim-token-1",
        );
        http.send("GET", "/api/advoware/api/v1/advonet/Beteiligte/1", &bearer, b"");
        home.run(&["record", "beteiligte", &id]).with_code(0);
        if matches!(role, "up" | "worker") {
            until("a sign-in was refused", || !redis_cli(&url, &["HGETALL", "upstream:espocrm"]).is_empty());
        }
        let metrics = http.get("/metrics").body;
        keeps_secrets(&Ended { stdout: metrics, ..process.stop().with_code(0) }, role);
    }
    let home = secretive(&redis);
    for args in [&["config"][..], &["config", "--json"], &["migrate"], &["doctor"], &["status"], &["status", "--json"]]
    {
        keeps_secrets(&home.run(args), &args.join(" "));
    }
    let shown: Value = serde_json::from_str(&home.run(&["config", "--json"]).stdout).unwrap();
    for (name, _) in SECRETS.iter().take(7) {
        assert_eq!(shown["settings"][name]["value"], "***", "{name}");
    }
    let url = shown["settings"]["REDIS_URL"]["value"].as_str().unwrap();
    assert!(url.starts_with("redis://:***@127.0.0.1:"), "{url}");
}

#[test]
fn no_secret_is_told_with_a_fault() {
    let redis = Redis::start();
    let faulty = secretive(&redis)
        .with("ADVOWARE_API_KEY", "geheim-kennwort-4 is no base64")
        .with("ADVOSYNC_API_TOKEN", "geheim-token-1 with spaces")
        .with("ESPOCRM_WEBHOOK_SECRET", "geheim-webhook-2:,:")
        .with("REDIS_URL", "redis://:geheim-redis-9@host:port/x")
        .file(".env", "ADVOWARE_PASSWORD='geheim-kennwort-4\nESPOCRM_API_KEY geheim-schluessel-5\n")
        .file("a.toml", "ADVOWARE_PASSWORD = \"geheim-kennwort-4\nESPOCRM_API_SECRET = geheim-hmac-6\n");
    for args in
        [&["up"][..], &["up", "--config", "a.toml"], &["config"], &["config", "--config", "a.toml"], &["doctor"]]
    {
        let ended = faulty.run(args);
        assert_ne!(ended.code(), Some(0), "{args:?}");
        keeps_secrets(&ended, &args.join(" "));
    }
}

#[test]
fn roles_log_json_lines_to_stderr_and_nothing_to_stdout() {
    let redis = Redis::start();
    for role in ["up", "ingress", "worker", "cron", "console"] {
        let home = Home::at(&redis);
        let process = home.ready(role);
        process.http().post(WEBHOOK, r#"[{"id":"a","name":"Mustermann"},{}]"#);
        process.http().post(WEBHOOK, "no json");
        process.http().post("/advoware/calendar/sync", "");
        let ended = process.stop().with_code(0);
        assert_eq!(ended.stdout, "", "{role}");
        assert!(ended.stderr.lines().count() >= 4, "{}", ended.stderr);
        for line in ended.stderr.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{role}: {error}: {line}"));
            let message = line["message"].as_str().unwrap();
            let begins = message.split_whitespace().next().unwrap();
            // Names of settings are spelled as they are.
            let is_name = begins.len() > 1 && begins.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            assert!(is_name || begins.starts_with(|c: char| c.is_lowercase()), "{role}: {message}");
            assert!(!message.contains("127.0.0.1") && !message.contains("beteiligte"), "values are fields: {message}");
            assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
            chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
        }
        assert!(!ended.stderr.contains("Mustermann"), "party data above debug: {}", ended.stderr);
    }
}

#[test]
fn format_and_filter_can_be_chosen() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_LOG_FORMAT", "pretty");
    let ended = home.ready("ingress").stop().with_code(0);
    assert!(ended.stderr.contains("INFO") && !ended.stderr.contains("{\"timestamp"), "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "no colours where nobody sees them: {}", ended.stderr);
    let home = Home::at(&redis).with("RUST_LOG", "warn");
    let ended = home.ready("ingress").stop().with_code(0);
    assert_eq!(ended.stderr, "");
    let home = Home::at(&redis).with("RUST_LOG", "=").with("ADVOSYNC_LOG_FORMAT", "xml");
    home.run(&["ingress"]).with_code(78).told("RUST_LOG").told("ADVOSYNC_LOG_FORMAT");
}
