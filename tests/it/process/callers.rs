//! Several callers, what each token opens, and what a stranger meets.

use advosync_sandbox::{Options, Sandbox};
use nix::sys::signal::Signal;
use serde_json::json;

use super::support::{Answer, Home, Http, Process};
use crate::support::redis::Redis;

const TRIGGER: &str = "/advoware/calendar/sync";
const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";
const PROXIED: &str = "/api/advoware/api/v1/advonet/Beteiligte/1";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// Of `ADVOSYNC_API_TOKEN`.
const OWN: &str = "a-token-that-is-long-enough";

/// Somebody with a token of the file.
struct Holder {
    token: String,
    entry: String,
}

fn make(home: &Home, name: &str, scopes: &[&str]) -> Holder {
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let words: Vec<&str> = ["token", "new", name].into_iter().chain(scopes).collect();
    let made = home.run(&words).with_code(0);
    let token = made.stdout.strip_suffix('\n').unwrap().to_owned();
    assert!(!made.stderr.contains(&token));
    Holder { token, entry: made.stderr + "\n" }
}

fn with(http: Http, token: &str, method: &str, path: &str) -> Answer {
    http.send(method, path, &[("Authorization", &format!("Bearer {token}"))], b"")
}

fn bury(redis: &Redis) -> String {
    redis.cli(&["XADD", "jobs:vmh:dead", "*", "topic", "vmh.beteiligte.update", "key", "a", "errors", "[]"])
}

fn sign_in(http: Http, token: &str) -> Answer {
    http.send("POST", "/console/sign-in", &[FORM], format!("token={token}").as_bytes())
}

fn cookie(answer: &Answer) -> String {
    answer.headers["set-cookie"].split(';').next().unwrap().to_owned()
}

fn looks(http: Http, cookie: &str) -> bool {
    http.send("GET", "/console", &[("Cookie", cookie)], b"").status == 200
}

/// Reads the line in which somebody's action is told.
fn told_of(process: &Process, message: &str, caller: &str) {
    let line = process.says(message);
    assert_eq!(line["caller"], caller, "{line}");
    assert_eq!(line["span"]["caller"], caller, "the trace has it, too: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_token_opens() {
    let redis = Redis::start();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let home = Home::at(&redis).with_all(sandbox.env()).with("ADVOSYNC_API_TOKEN", OWN);
    let holders: Vec<(&str, Holder)> = ["read", "trigger", "proxy", "admin"]
        .map(|scope| (scope, make(&home, &format!("the-{scope}"), &[scope])))
        .into_iter()
        .chain([("both", make(&home, "both", &["trigger", "read"]))])
        .collect();
    let file: String = holders.iter().map(|(_, holder)| holder.entry.as_str()).collect();
    let home = home.file("callers.toml", &file).with("ADVOSYNC_CALLERS_FILE", "callers.toml");
    let up = home.ready("up");
    let http = up.http();
    let letter = bury(&redis);
    let discard = format!("/console/dead/vmh/{letter}/discard");
    // 404 of Advoware: the request has arrived there.
    let routes = [("GET", "/console"), ("POST", TRIGGER), ("GET", PROXIED), ("PUT", PROXIED), ("POST", &discard)];
    let expected = |scope: &str| match scope {
        "read" => [200, 403, 403, 403, 403],
        "trigger" => [403, 200, 403, 403, 403],
        "proxy" => [403, 403, 404, 400, 403],
        "both" => [200, 200, 403, 403, 403],
        _ => [200, 200, 404, 400, 303],
    };
    for (scope, holder) in &holders {
        let answers = routes.map(|(method, path)| with(http, &holder.token, method, path).status);
        let (mut answers, mut expected) = (answers, expected(scope));
        // What Advoware makes of an empty PUT is its own business.
        (answers[3], expected[3]) = (u16::from(answers[3] == 403), u16::from(expected[3] == 403));
        assert_eq!(answers, expected, "{scope}");
    }
    told_of(&up, "calendar sync triggered", "the-trigger");
    told_of(&up, "a write was passed on to advoware", "the-proxy");
    told_of(&up, "a dead letter was discarded from the console", "the-admin");
    let lacking = with(http, &holders[0].1.token, "POST", TRIGGER);
    lacking.is_error(403, "scope_missing");
    assert!(lacking.body.contains("the-read") && lacking.body.contains("trigger"), "{lacking:?}");
    with(http, &holders[1].1.token, "GET", PROXIED).is_error(403, "scope_missing");
    // The setting's token opens everything, as before there was a file.
    assert_eq!(with(http, OWN, "GET", "/console").status, 200);
    assert_eq!(with(http, OWN, "POST", TRIGGER).status, 200);
    assert_eq!(with(http, OWN, "GET", PROXIED).status, 404);
    for wrong in ["", "x", "the-admin", &holders[0].1.entry[..40].replace('\n', ""), &format!("{OWN}x")] {
        for (method, path) in [("POST", TRIGGER), ("GET", PROXIED)] {
            let answer = with(http, wrong, method, path);
            answer.is_error(401, "token_required");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        assert_eq!(with(http, wrong, "GET", "/console").status, 401);
    }
    let ended = up.stop().with_code(0);
    for (_, holder) in &holders {
        assert!(!ended.stderr.contains(&holder.token), "{}", ended.stderr);
    }
}

#[test]
fn a_session_is_as_strong_as_its_token_and_ends_with_it() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_API_TOKEN", OWN);
    let (reader, bot) = (make(&home, "anna", &["read"]), make(&home, "bot", &["trigger", "proxy"]));
    let both = format!("{}{}", reader.entry, bot.entry);
    let home = home.file("callers.toml", &both).with("ADVOSYNC_CALLERS_FILE", "callers.toml");
    let console = home.ready("console");
    let http = console.http();
    assert_eq!(sign_in(http, &bot.token).status, 403);
    let (annas, admins) = (cookie(&sign_in(http, &reader.token)), cookie(&sign_in(http, OWN)));
    assert!(looks(http, &annas) && looks(http, &admins) && !looks(http, "advosync_console=1.anna.x"));
    let letter = bury(&redis);
    let address = format!("/console/dead/vmh/{letter}");
    let page = |cookie: &str| http.send("GET", &address, &[("Cookie", cookie)], b"").body;
    assert!(!page(&annas).contains("Discard for ever") && !page(&annas).contains(">Replay<"));
    let shown = page(&admins);
    assert!(shown.contains("Discard for ever"));
    let key = shown.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let overview = http.send("GET", "/console", &[("Cookie", &annas)], b"").body;
    let annas_key = overview.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let discard = |cookie: &str, key: &str| {
        let body = format!("form_key={key}");
        http.send("POST", &format!("{address}/discard"), &[("Cookie", cookie), FORM], body.as_bytes()).status
    };
    assert_eq!((discard(&annas, &annas_key), discard(&annas, &key)), (403, 403));
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh:dead"]), "1");
    assert_eq!(discard(&admins, &key), 303);
    told_of(&console, "a dead letter was discarded from the console", "ADVOSYNC_API_TOKEN");
    console.stop().with_code(0);

    // Another process: the setting's session is still good; anna's has ended, and without her entry she has no way in.
    let home = home.file("callers.toml", &bot.entry);
    let console = home.ready("console");
    let http = console.http();
    assert!(looks(http, &admins) && !looks(http, &annas));
    assert_eq!(sign_in(http, &reader.token).status, 401);
    console.stop().with_code(0);
}

#[test]
fn wrong_tokens_are_limited_and_good_ones_and_webhooks_are_not() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_API_TOKEN", OWN).with("ESPOCRM_WEBHOOK_SECRET", "s");
    let up = home.ready("up");
    let http = up.http();
    let tries = |n: usize| -> Vec<Answer> { (0..n).map(|_| with(http, "guess", "POST", TRIGGER)).collect() };
    let answers = tries(70);
    let statuses = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((statuses(401), statuses(429)), (60, 10));
    let last = answers.last().unwrap();
    last.is_error(429, "too_many_attempts");
    assert!((1..=60).contains(&last.headers["retry-after"].parse::<u32>().unwrap()), "{last:?}");
    // The same door everywhere.
    assert_eq!(with(http, "guess", "GET", "/console").status, 429);
    assert_eq!(sign_in(http, "guess").status, 429);
    let forwarded = [("Authorization", "Bearer guess"), ("X-Forwarded-For", "192.0.2.9")];
    assert_eq!(http.send("POST", TRIGGER, &forwarded, b"").status, 429, "nobody believes that header");
    // Whoever is known comes in from the same address, at any time.
    assert_eq!(with(http, OWN, "POST", TRIGGER).status, 200);
    assert_eq!(sign_in(http, OWN).status, 303);
    assert_eq!(http.send("POST", TRIGGER, &[], b"").status, 401, "no token is no guess");
    for _ in 0..80 {
        http.send("POST", WEBHOOK, &[("Signature", "bm86bm8=")], b"[]").is_error(401, "bad_signature");
        http.send("POST", "/google/calendar/notify", &[("X-Goog-Channel-Token", "x")], b"")
            .is_error(401, "channel_token");
    }
    let line = up.says("a caller's token is wrong");
    assert_eq!((&line["level"], &line["address"]), (&json!("WARN"), &json!("127.0.0.1")));
    let metrics = http.get("/metrics").body;
    for (why, count) in [("wrong_token", 60), ("too_many", 13), ("no_token", 1)] {
        let expected = format!("advosync_refused_callers_total{{why=\"{why}\"}} {count}");
        assert!(metrics.contains(&expected), "{expected}:\n{metrics}");
    }
    let ended = up.stop().with_code(0);
    let told = ended.stderr.lines().filter(|line| line.contains("a caller's token is wrong")).count();
    assert!(told <= 4, "{told} lines: the log can be flooded");
    assert!(!ended.stderr.contains("guess"), "{}", ended.stderr);
}

#[test]
fn a_bad_file_starts_nothing_and_every_fault_has_its_line() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_CALLERS_FILE", "callers.toml").with("ADVOSYNC_LEASE", "soon");
    home.run(&["ingress"]).with_code(78).told("ADVOSYNC_CALLERS_FILE (environment): `callers.toml` cannot be read");
    let text = "[[caller]]\nname = 'a b'\nscopes = ['write']\nhash = 'advosync_geheim'\n\n[[caller]]\nname = 'x'\n";
    let home = home.file("callers.toml", text);
    for role in ["up", "ingress", "proxy", "console", "worker", "cron"] {
        let ended = home.run(&[role]).with_code(78);
        for place in ["name (callers.toml line 2)", "scopes (callers.toml line 3)", "hash (callers.toml line 4)"] {
            assert!(ended.stderr.contains(place), "{place}: {}", ended.stderr);
        }
        let ended =
            ended.told("scopes (callers.toml line 6)").told("hash (callers.toml line 6)").told("ADVOSYNC_LEASE");
        assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
    }
    // Nobody in it is not everybody.
    let home = Home::at(&redis).with("ADVOSYNC_CALLERS_FILE", "callers.toml").file("callers.toml", "# later\n");
    home.run(&["ingress"]).with_code(78).told("the file names nobody");
    let anna = make(&home, "anna", &["read"]);
    let home = home.file("callers.toml", &anna.entry);
    std::fs::set_permissions(home.path("callers.toml"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    home.run(&["ingress"])
        .with_code(78)
        .told("everybody on this machine can write to `callers.toml`")
        .told("chmod o-w");
    std::fs::set_permissions(home.path("callers.toml"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let ingress = home.ready("ingress");
    assert_eq!(ingress.http().post(TRIGGER, "").status, 401, "with a file alone nothing is open");
    // Admin commands serve nothing and need not be able to read it.
    ingress.signal(Signal::SIGTERM);
    ingress.end().with_code(0);
    let home = home.with("ADVOSYNC_CALLERS_FILE", "/root-only/callers.toml");
    home.run(&["migrate"]).with_code(0);
}

#[test]
fn beyond_loopback_a_file_of_callers_is_a_token_too() {
    let redis = Redis::start();
    let roles = ["up", "ingress", "worker", "cron", "console"];
    for address in ["0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "[::ffff:192.0.2.1]", "192.0.2.1"] {
        let home = Home::at(&redis).with("ADVOSYNC_LISTEN", &format!("{address}:1"));
        for role in roles {
            home.run(&[role]).with_code(78).told("set ADVOSYNC_API_TOKEN and ESPOCRM_WEBHOOK_SECRET");
        }
        let home = home.with("ESPOCRM_WEBHOOK_SECRET", "s");
        for role in roles {
            home.run(&[role]).with_code(78).told("set ADVOSYNC_API_TOKEN, or");
        }
    }
    let listen = format!("0.0.0.0:{}", crate::support::redis::free_port());
    let home = Home::at(&redis).with("ADVOSYNC_LISTEN", &listen).with("ESPOCRM_WEBHOOK_SECRET", "s");
    let anna = make(&home, "anna", &["read"]);
    let home = home.file("c.toml", &anna.entry).with("ADVOSYNC_CALLERS_FILE", "c.toml");
    home.start("console").says("listening");
    let home = home.with("ADVOSYNC_API_TOKEN", "short");
    let console = home.start("console");
    let warning = console.says("a setting deserves a look")["warning"].to_string();
    assert!(warning.contains("ADVOSYNC_API_TOKEN has fewer than 20 characters and can be guessed"), "{warning}");
    for loopback in ["127.0.0.1", "127.1.2.3", "[::ffff:127.0.0.1]"] {
        let address = format!("{loopback}:{}", crate::support::redis::free_port());
        Home::at(&redis).with("ADVOSYNC_LISTEN", &address).start("cron").says("listening");
    }
}
