//! What is loaded: defaults, precedence, roles, older names, Redis' address.

use std::time::Duration;

use super::super::{MaxDeletions, Multiday, Node, Origin, Role, Server, Source, WebhookSecrets, effective, manual};
use super::{Settings, loaded};

#[test]
fn defaults_are_those_of_the_documentation() {
    let settings = loaded(Role::Up, &[]);
    assert_eq!(settings.redis.server, Server::Unset { database: 1 });
    assert_eq!(settings.redis.timeout, Duration::from_secs(5));
    assert_eq!(settings.key_prefix, "");
    assert_eq!(settings.http.max_body_bytes, 16 << 20);
    assert_eq!(settings.drain, Duration::from_secs(25));
    assert_eq!(settings.worker.concurrency, 16);
    assert_eq!(settings.worker.lease, Duration::from_secs(15));
    assert_eq!(settings.worker.retry_schedule, [60, 300, 900, 3600].map(Duration::from_secs));
    assert_eq!(settings.worker.max_attempts, 5);
    assert_eq!(settings.worker.quiet_time, Duration::from_mins(1));
    assert_eq!(settings.cron.calendar.unwrap().expression(), "0 2 * * *");
    assert_eq!(settings.cron.records.unwrap().expression(), "*/15 * * * *");
    assert_eq!(settings.cron.timezone, chrono_tz::Europe::Berlin);
    assert!(settings.mappings.is_default);
    assert_eq!(settings.calendar.past, Duration::from_hours(2160));
    assert_eq!(settings.calendar.future, Duration::from_hours(17520));
    assert_eq!(settings.calendar.max_deletions, MaxDeletions { count: 5, percent: 10 });
    assert_eq!(settings.calendar.blocked_title, "blocked");
    assert_eq!(settings.calendar.multiday, Multiday::AllDay);
    assert_eq!(settings.telemetry.filter, "info");
    assert_eq!(settings.telemetry.otlp, None);
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn every_role_has_its_own_default_address() {
    let check = |role, expected: Option<&str>| {
        assert_eq!(loaded(role, &[]).http.listen.map(|address| address.to_string()).as_deref(), expected, "{role:?}");
    };
    check(Role::Up, Some("127.0.0.1:3000"));
    check(Role::Ingress, Some("127.0.0.1:3000"));
    check(Role::Proxy, Some("127.0.0.1:3000"));
    check(Role::Console, Some("127.0.0.1:3001"));
    check(Role::Worker, None);
    check(Role::Cron, None);
    let set = loaded(Role::Worker, &[("ADVOSYNC_LISTEN", "localhost:9100")]);
    assert_eq!(set.http.listen.unwrap().to_string(), "127.0.0.1:9100");
}

#[test]
fn the_environment_beats_dotenv_beats_the_file_and_empty_is_not_set() {
    let source = Source::default()
        .with_file("a.toml", "ADVOSYNC_LEASE = \"1s\"\nADVOSYNC_MAX_ATTEMPTS = 3\nADVOWARE_WRITE_PROTECTION = true\nADVOSYNC_DRAIN_SECONDS = 7")
        .with_dotenv("ADVOSYNC_LEASE=2s\nADVOSYNC_MAX_ATTEMPTS=4\nADVOSYNC_DRAIN_SECONDS=\n")
        .with_environment([("ADVOSYNC_LEASE", "3s"), ("ADVOSYNC_MAX_ATTEMPTS", " ")]);
    let settings = Settings::load(&source, Role::Admin).unwrap();
    assert_eq!(settings.worker.lease, Duration::from_secs(3));
    assert_eq!(settings.worker.max_attempts, 4);
    assert_eq!(settings.drain, Duration::from_secs(7));
    let shown = effective(&source);
    let place = |name: &str| shown.iter().find(|it| it.name == name).map(|it| (it.origin, it.place.clone())).unwrap();
    assert_eq!(place("ADVOSYNC_LEASE"), (Origin::Environment, "environment".to_owned()));
    assert_eq!(place("ADVOSYNC_MAX_ATTEMPTS"), (Origin::Dotenv, ".env line 2".to_owned()));
    assert_eq!(place("ADVOSYNC_DRAIN_SECONDS"), (Origin::File, "a.toml line 4".to_owned()));
    assert_eq!(place("ADVOSYNC_QUIET_TIME"), (Origin::Default, "default".to_owned()));
}

#[test]
fn a_schedule_is_switched_off_by_off() {
    let settings = loaded(Role::Cron, &[("ADVOSYNC_CRON_CALENDAR", "off"), ("ADVOSYNC_CRON_RECORDS", "OFF")]);
    assert!(settings.cron.calendar.is_none() && settings.cron.records.is_none());
}

#[test]
fn roles_ignore_upstreams_that_they_never_call() {
    let broken = [
        ("ADVOWARE_API_BASE_URL", "nonsense"),
        ("ADVOWARE_API_TIMEOUT_SECONDS", "x"),
        ("ESPOCRM_API_BASE_URL", "nonsense"),
        ("GOOGLE_CALENDAR_OWNER", "x"),
    ];
    for role in [Role::Ingress, Role::Cron, Role::Console, Role::Admin] {
        let settings = loaded(role, &broken);
        assert!(settings.advoware.is_none() && settings.espocrm.is_none() && settings.missing.is_empty(), "{role:?}");
    }
    for (role, expected) in [(Role::Up, 4), (Role::Worker, 4), (Role::Doctor, 4), (Role::Proxy, 2), (Role::Setup, 1)] {
        assert_eq!(super::faults(role, &broken).len(), expected, "{role:?}");
    }
}

const ADVOWARE: [(&str, &str); 6] = [
    ("ADVOWARE_APP_ID", "app"),
    ("ADVOWARE_API_KEY", "dGVzdC1zZWNyZXQta2V5"),
    ("ADVOWARE_KANZLEI", "kanzlei"),
    ("ADVOWARE_DATABASE", "db"),
    ("ADVOWARE_USER", "user"),
    ("ADVOWARE_PASSWORD", " pass word "),
];

#[test]
fn a_worker_without_credentials_says_what_is_missing() {
    let settings = loaded(Role::Worker, &[("ADVOWARE_APP_ID", "app"), ("ESPOCRM_API_KEY", "key")]);
    assert!(settings.advoware.is_none() && settings.espocrm.is_none() && settings.google.is_none());
    let told: Vec<String> = settings.missing.iter().map(ToString::to_string).collect();
    let expected = [
        "advoware cannot be called: set ADVOWARE_API_KEY, ADVOWARE_KANZLEI, ADVOWARE_DATABASE, ADVOWARE_USER, ADVOWARE_PASSWORD",
        "espocrm cannot be called: set ESPOCRM_API_BASE_URL",
        "google cannot be called: set GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH (there is no file service-account.json)",
    ];
    assert_eq!(told, expected);
    assert_eq!(settings.missing_for_records().len(), 2);
    assert_eq!(settings.missing_for_calendars().len(), 2);
}

#[test]
fn complete_upstreams_are_loaded() {
    let account = tempfile::NamedTempFile::new().unwrap();
    let path = account.path().to_str().unwrap();
    let variables: Vec<_> = ADVOWARE
        .into_iter()
        .chain([
            ("ADVOWARE_API_BASE_URL", "https://host:90"),
            ("ESPOCRM_API_BASE_URL", "https://crm.example/sub/api/v1/"),
            ("ESPOCRM_API_KEY", "key"),
            ("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", path),
        ])
        .collect();
    let settings = loaded(Role::Worker, &variables);
    assert_eq!(settings.missing, []);
    let advoware = settings.advoware.unwrap();
    assert_eq!(advoware.base_url.as_ref().unwrap().as_str(), "https://host:90/");
    assert_eq!(advoware.api_key_bytes(), b"test-secret-key");
    assert_eq!(advoware.password.expose(), " pass word ");
    assert_eq!((advoware.product_id, advoware.role, advoware.write_protection), (64, 2, false));
    assert_eq!(settings.espocrm.unwrap().base_url.as_str(), "https://crm.example/sub/api/v1/");
    assert_eq!(settings.google.unwrap().base_url.as_str(), "https://www.googleapis.com/calendar/v3/");
}

#[test]
fn a_key_is_the_same_in_hex_and_in_base64() {
    let read = |key| {
        let variables: Vec<_> = ADVOWARE.into_iter().chain([("ADVOSYNC_ENCRYPTION_KEY", key)]).collect();
        loaded(Role::Worker, &variables).advoware.unwrap().encryption_key.unwrap()
    };
    let hex = read("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    assert_eq!(read("ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8="), hex);
    assert_eq!(read("00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"), hex);
    assert!(loaded(Role::Worker, &ADVOWARE).advoware.unwrap().encryption_key.is_none());
}

#[test]
fn older_names_are_read_and_ignored_ones_told() {
    let variables: Vec<_> = ADVOWARE
        .into_iter()
        .filter(|(name, _)| *name != "ADVOWARE_USER")
        .chain([
            ("ADVOWARE_USERNAME", "old"),
            ("ADVOWARE_BASE_URL", "https://old/"),
            ("POSTGRES_HOST", "db"),
            ("REDIS_DB_ADVOWARE_CACHE", "3"),
            ("ADVOSYNC_CONCURENCY", "3"),
        ])
        .collect();
    let settings = loaded(Role::Proxy, &variables);
    let advoware = settings.advoware.unwrap();
    assert_eq!((advoware.user.as_str(), advoware.base_url.unwrap().as_str()), ("old", "https://old/"));
    let expected = [
        "ADVOSYNC_CONCURENCY (environment) is no setting and is not read; did you mean ADVOSYNC_WORKER_CONCURRENCY?",
        "ADVOWARE_BASE_URL (environment) is an older name; write ADVOWARE_API_BASE_URL",
        "ADVOWARE_USERNAME (environment) is an older name; write ADVOWARE_USER",
        "REDIS_DB_ADVOWARE_CACHE (environment) is not used any more: the token lives in the same database as the jobs; remove it",
        "POSTGRES_HOST (environment) is not used any more: the sync state lives in Redis; remove it",
    ];
    assert_eq!(settings.warnings, expected);
}

#[test]
fn one_server() {
    let check = |variables: &[(&str, &str)], expected: &str| match loaded(Role::Admin, variables).redis.server {
        Server::Single(url) => assert_eq!(url.expose(), expected),
        other => panic!("{other:?}"),
    };
    check(&[("REDIS_URL", "redis://h")], "redis://h/1");
    check(&[("REDIS_URL", "redis://h:7/"), ("REDIS_DB_CALENDAR_SYNC", "4")], "redis://h:7/4");
    check(&[("REDIS_URL", "rediss://u:p%40@h:7/0"), ("REDIS_HOST", "other")], "rediss://u:p%40@h:7/0");
    check(&[("REDIS_HOST", "localhost")], "redis://localhost:6379/1");
    check(&[("REDIS_HOST", "::1"), ("REDIS_PORT", "7"), ("REDIS_DB_CALENDAR_SYNC", "0")], "redis://[::1]:7/0");
    check(&[("REDIS_PORT", "7")], "redis://127.0.0.1:7/1");
}

#[test]
fn sentinels_and_clusters() {
    let url = "redis-sentinel://user:p%2Fw@h1:1,[::1]:2,h3/main/2";
    let Server::Sentinel(sentinel) = loaded(Role::Admin, &[("REDIS_URL", url)]).redis.server else { panic!() };
    let nodes = [("h1", 1), ("::1", 2), ("h3", 26379)].map(|(host, port)| Node { host: host.to_owned(), port });
    assert_eq!(sentinel.nodes, nodes);
    assert_eq!((sentinel.service.as_str(), sentinel.database, sentinel.tls), ("main", 2, false));
    assert_eq!(sentinel.credentials.username.as_deref(), Some("user"));
    assert_eq!(sentinel.credentials.password.unwrap().expose(), "p/w");

    let variables = [("REDIS_URL", "rediss-cluster://:pw@h1,h2:7"), ("ADVOSYNC_KEY_PREFIX", "{advosync}:")];
    let server = loaded(Role::Admin, &variables).redis.server;
    assert_eq!(server.describe(), "rediss-cluster://h1:6379,h2:7");
    let Server::Cluster(cluster) = server else { panic!() };
    assert!(cluster.tls && cluster.credentials.username.is_none());
}

#[test]
fn an_unset_server_is_the_one_that_up_started_else_the_usual() {
    let folder = tempfile::tempdir().unwrap();
    let redis = loaded(Role::Admin, &[("REDIS_DB_CALENDAR_SYNC", "3")]).redis;
    let check = |expected: &str| match redis.resolve(folder.path()) {
        Server::Single(url) => assert_eq!(url.expose(), expected),
        other => panic!("{other:?}"),
    };
    check("redis://127.0.0.1:6379/3");
    std::fs::write(super::super::Redis::url_file(folder.path()), "redis://:pw@127.0.0.1:7777/1\n").unwrap();
    check("redis://:pw@127.0.0.1:7777/1");
}

#[test]
fn webhook_secrets() {
    let read = |text| loaded(Role::Ingress, &[("ESPOCRM_WEBHOOK_SECRET", text)]).webhook_secrets.unwrap();
    let shared = read("s3cret");
    assert_eq!(shared.of("any").unwrap().expose(), "s3cret");
    let several = read("w1:aaa, w2:bbb,");
    assert!(matches!(&several, WebhookSecrets::ByWebhook(list) if list.len() == 2));
    assert_eq!(several.of("w2").unwrap().expose(), "bbb");
    assert_eq!(several.of("w3"), None);
}

#[test]
fn bounds_on_deletions() {
    let check = |text, entries, expected| {
        let bound = loaded(Role::Worker, &[("CALENDAR_SYNC_MAX_DELETIONS", text)]).calendar.max_deletions;
        assert_eq!(bound.allowed(entries), expected, "{text} of {entries}");
    };
    check("max(5,10%)", 0, 5);
    check("max(5,10%)", 59, 5);
    check("max(5,10%)", 60, 6);
    check("max( 10% , 5 )", 200, 20);
    check("7", 1000, 7);
    check("10%", 9, 0);
    check("100%", 9, 9);
}

#[test]
fn the_manual_page_is_made_from_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, manual()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(page == manual(), "docs/settings.md differs from the catalogue; run with UPDATE_DOCS=1");
}

/// A folder with one file of this content.
fn secret_file(content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn every_secret_may_be_in_a_file() {
    let mut count = 0;
    for entry in super::super::catalogue::entries().filter(|entry| entry.may_be_in_a_file()) {
        let (_folder, path) = secret_file("the value\n");
        let name = format!("{}_FILE", entry.name);
        for source in [
            Source::default().with_environment([(name.clone(), path.clone())]),
            Source::default().with_dotenv(&format!("{name}={path}")),
            Source::default().with_file("a.toml", &format!("{name} = '{path}'")),
        ] {
            assert_eq!(source.find(entry.name).unwrap().text, "the value", "{name}");
            assert!(source.faults().is_empty() && source.warnings().is_empty(), "{name}");
        }
        count += 1;
    }
    assert!(count >= 8, "{count}");
    assert_eq!(super::super::catalogue::in_file("ADVOSYNC_LEASE_FILE"), None);
}

#[test]
fn what_is_in_a_file_is_read_as_it_is() {
    let check = |content: &str, expected: Result<&str, &str>| {
        let (folder, path) = secret_file(content);
        let source = Source::default().with_environment([("ADVOSYNC_API_TOKEN_FILE", path.as_str())]);
        let found = Settings::load(&source, Role::Ingress);
        let found =
            found.map(|it| it.http.api_token.unwrap().expose().to_owned()).map_err(|error| error.faults[0].to_string());
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected)),
            Err(expected) => {
                let fault = found.unwrap_err();
                assert!(
                    fault.contains(expected) && fault.contains("ADVOSYNC_API_TOKEN (environment, from the file"),
                    "{fault}"
                );
            }
        }
        drop(folder);
    };
    check("geheim", Ok("geheim"));
    check("geheim\n", Ok("geheim"));
    check("geheim\r\n\n", Ok("geheim"));
    check("", Err("is empty"));
    check("\n", Err("is empty"));
    check(&"x".repeat(70_000), Err("longer than any secret"));
    check("two words", Err("fits no HTTP header"));
    let missing = super::faults(Role::Ingress, &[("ADVOSYNC_API_TOKEN_FILE", "/nowhere/x")]);
    assert!(missing.len() == 1 && missing[0].contains("`/nowhere/x` cannot be read"), "{missing:?}");
    // A role that never calls Advoware never minds.
    assert_eq!(super::faults(Role::Ingress, &[("ADVOWARE_PASSWORD_FILE", "/nowhere/x")]), [""; 0]);
    assert_eq!(super::faults(Role::Worker, &[("ADVOWARE_PASSWORD_FILE", "/nowhere/x")]).len(), 1);
}

#[test]
fn a_secret_that_is_there_twice_is_a_fault_in_one_place_and_a_choice_in_two() {
    let (folder, path) = secret_file("from-file");
    let twice = super::faults(Role::Ingress, &[("ADVOSYNC_API_TOKEN", "x"), ("ADVOSYNC_API_TOKEN_FILE", "/nowhere/x")]);
    assert!(
        twice.len() == 1 && twice[0].ends_with("set either ADVOSYNC_API_TOKEN or ADVOSYNC_API_TOKEN_FILE"),
        "{twice:?}"
    );
    let name = "ADVOSYNC_API_TOKEN";
    std::fs::write(folder.path().join(name), "from-systemd\n").unwrap();
    std::fs::write(folder.path().join("ADVOSYNC_LEASE"), "1s").unwrap();
    let credentials = Source::default().with_credentials(folder.path());
    let check = |source: &Source, expected: &str, origin: Origin, place: &str| {
        let settings = Settings::load(source, Role::Ingress).unwrap();
        assert_eq!(settings.http.api_token.unwrap().expose(), expected);
        let shown = effective(source).into_iter().find(|it| it.name == name).unwrap();
        assert_eq!((shown.value.as_deref(), shown.origin, shown.place.as_str()), (Some("***"), origin, place));
    };
    check(&credentials, "from-systemd", Origin::Credential, "credential ADVOSYNC_API_TOKEN");
    assert_eq!(Settings::load(&credentials, Role::Ingress).unwrap().worker.lease, Duration::from_secs(15), "no secret");
    let in_config = credentials.with_file("a.toml", &format!("{name}_FILE = '{path}'"));
    check(&in_config, "from-file", Origin::File, &format!("a.toml line 1, from the file {path}"));
    let in_environment = in_config.with_environment([(name, "itself")]);
    check(&in_environment, "itself", Origin::Environment, "environment");
}
