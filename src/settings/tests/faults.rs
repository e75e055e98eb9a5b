//! Every fault says what is wrong and what to write instead; all of them at once.

use super::super::{Role, SettingsError, Source};
use super::{Settings, faults, loaded};

/// One bad setting of `up` gives exactly this text after its name and place.
fn check(name: &'static str, value: &str, expected: &str) {
    assert_eq!(faults(Role::Up, &[(name, value)]), [format!("{name} (environment): {expected}")]);
}

#[test]
fn durations_and_numbers() {
    check("ADVOSYNC_LEASE", "15", "`15` has no unit; write 15s for seconds (ms, s, m, h, d)");
    check(
        "ADVOSYNC_LEASE",
        "soon",
        "`soon` is no duration; write a whole number and a unit, such as 200ms, 15s, 1m, 1h or 90d",
    );
    check("ADVOSYNC_LEASE", "100ms", "`100ms` is out of range; write a duration from 200ms to 1h");
    check(
        "ADVOSYNC_RETRY_SCHEDULE",
        "1m,,5m",
        "`` is no duration; write a whole number and a unit, such as 200ms, 15s, 1m, 1h or 90d",
    );
    check(
        "ADVOSYNC_DRAIN_SECONDS",
        "25s",
        "`25s` has a unit, and the name already says seconds; write a bare number of seconds from 0 to 86400",
    );
    check("REDIS_TIMEOUT_SECONDS", "0", "`0` is out of range; write a bare number of seconds from 0.1 to 300");
    check(
        "ADVOWARE_TOKEN_LIFETIME_MINUTES",
        "long",
        "`long` is no number; write a bare number of minutes from 0.01 to 1440",
    );
    check("ADVOSYNC_WORKER_CONCURRENCY", "0", "`0` is no whole number from 1 to 1024; write such a number");
    check("ADVOSYNC_MAX_ATTEMPTS", "five", "`five` is no whole number from 1 to 1000; write such a number");
    check("ADVOSYNC_MAX_BODY_BYTES", "-1", "`-1` is no whole number from 1 to 1073741824; write such a number");
    check("GOOGLE_MAX_RATE", "0", "`0` is no whole number from 1 to 1000; write such a number");
    check("ADVOWARE_WRITE_PROTECTION", "ja", "`ja` is neither true nor false; write true or false");
}

#[test]
fn quiet_time_must_exceed_the_api_timeout() {
    let expected = "`30s` does not exceed ADVOWARE_API_TIMEOUT_SECONDS (30); write a longer time: a create that is still under way must be over before it is looked for";
    check("ADVOSYNC_QUIET_TIME", "30s", expected);
    assert_eq!(faults(Role::Ingress, &[("ADVOSYNC_QUIET_TIME", "30s")]), [""; 0]);
    assert_eq!(faults(Role::Worker, &[("ADVOSYNC_QUIET_TIME", "3s"), ("ADVOWARE_API_TIMEOUT_SECONDS", "2")]), [""; 0]);
}

#[test]
fn addresses() {
    check(
        "ADVOSYNC_LISTEN",
        "3000",
        "`3000` is no address with a port; write 127.0.0.1:3000, [::1]:3000, or 0.0.0.0:3000 for all interfaces",
    );
    check(
        "ADVOWARE_AUTH_URL",
        "ftp://x/",
        "`ftp://x/` begins neither with http:// nor with https://; write it whole, such as https://host.example/path",
    );
    check(
        "ADVOWARE_API_BASE_URL",
        "advoware",
        "`advoware` is no URL (relative URL without a base); write it whole, such as https://host.example/path",
    );
    check(
        "ADVOWARE_API_BASE_URL",
        "https://u:p@x/",
        "`https://u:***@x/` holds a user or a password, which are settings of their own; write it whole, such as https://host.example/path",
    );
    check(
        "ESPOCRM_API_BASE_URL",
        "https://crm.example/",
        "`https://crm.example` does not end in /api/v1; write https://crm.example/api/v1",
    );
    check(
        "GOOGLE_CALENDAR_API_BASE_URL",
        "https://x/?a=b",
        "`https://x/?a=b` has a query or a fragment; write it whole, such as https://host.example/path",
    );
    check(
        "GOOGLE_CALENDAR_OWNER",
        "kanzlei",
        "`kanzlei` is no e-mail address; write it whole, such as kanzlei@example.org",
    );
}

#[test]
fn beyond_loopback_every_caller_is_checked() {
    let refused = |role, variables: &[(&'static str, &'static str)], missing: &str| {
        let listen: Vec<_> = [("ADVOSYNC_LISTEN", "0.0.0.0:3000")].iter().chain(variables).copied().collect();
        let expected = format!(
            "ADVOSYNC_LISTEN (environment): `0.0.0.0:3000` can be reached from other machines, and not every caller \
             would be checked; set {missing}, or listen on 127.0.0.1:3000"
        );
        assert_eq!(faults(role, &listen), [expected], "{role:?}");
    };
    for role in [Role::Up, Role::Ingress, Role::Worker, Role::Cron, Role::Proxy, Role::Console, Role::Doctor] {
        refused(role, &[], "ADVOSYNC_API_TOKEN and ESPOCRM_WEBHOOK_SECRET");
    }
    refused(Role::Up, &[("ADVOSYNC_API_TOKEN", "t")], "ESPOCRM_WEBHOOK_SECRET");
    refused(Role::Up, &[("ESPOCRM_WEBHOOK_SECRET", "s")], "ADVOSYNC_API_TOKEN");
    let both = [("ADVOSYNC_API_TOKEN", "t"), ("ESPOCRM_WEBHOOK_SECRET", "s"), ("ADVOSYNC_LISTEN", "0.0.0.0:3000")];
    assert_eq!(faults(Role::Up, &both), [""; 0]);
    assert_eq!(faults(Role::Admin, &[("ADVOSYNC_LISTEN", "0.0.0.0:3000")]), [""; 0]);
    for loopback in ["127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
        assert_eq!(faults(Role::Up, &[("ADVOSYNC_LISTEN", loopback)]), [""; 0]);
    }
}

#[test]
fn schedules_and_zones() {
    check("ADVOSYNC_TIMEZONE", "Berlin", "`Berlin` is no time zone; write an IANA name such as Europe/Berlin or UTC");
    check(
        "ADVOSYNC_CRON_RECORDS",
        "0 0 31 2 *",
        "`0 0 31 2 *` never fires: no date within 50 years matches, such as 31 February; or `off` to switch it off",
    );
    check(
        "ADVOSYNC_CRON_CALENDAR",
        "daily",
        "`daily` is no cron expression: it has 1 fields. Write five fields (minute hour day month weekday) or six \
         (seconds first), such as `0 2 * * *`; or `off` to switch it off",
    );
}

#[test]
fn choices_and_lists() {
    check("CALENDAR_SYNC_MULTIDAY", "both", "`both` is neither all-day nor timed; write all-day or timed");
    check("ADVOSYNC_LOG_FORMAT", "xml", "`xml` is neither pretty nor json; write pretty or json");
    check(
        "CALENDAR_SYNC_DEBUG_EMPLOYEES",
        "PB;AI",
        "`PB;AI` is no Kürzel; write Kürzel separated by commas, such as PB,AI",
    );
    let bound = "is no bound on deletions; write max(5,10%), a count such as 5, or a share such as 10%";
    for text in ["max(5,10%", "5,10%", "110%", "max(5,6)", "", "a%"].into_iter().filter(|text| !text.is_empty()) {
        check("CALENDAR_SYNC_MAX_DELETIONS", text, &format!("`{text}` {bound}"));
    }
    check(
        "ADVOSYNC_MAPPINGS",
        "/nowhere/at/all",
        "there is no folder `/nowhere/at/all`; create it, or leave the setting out for the built-in definitions",
    );
    check(
        "ADVOSYNC_KEY_PREFIX",
        "a b",
        "`a b` is no key prefix; write up to 64 characters without spaces, `*`, `?`, `[`, `]` and `\\`",
    );
}

#[test]
fn secrets_are_judged_without_being_shown() {
    check("ADVOWARE_API_KEY", "no base 64!", "the key is no base64; copy the whole key that Advoware gave you");
    check(
        "ADVOSYNC_API_TOKEN",
        "two words",
        "a token with spaces or other than ASCII characters fits no HTTP header; write one made by `openssl rand -hex 32`",
    );
    for short in ["short", "00112233445566778899aabbccddeeff", "AAAA", "zz"] {
        let what = "it is not 32 bytes in hex or base64; write one made by `openssl rand -hex 32`";
        check("ADVOSYNC_ENCRYPTION_KEY", short, what);
    }
    let forms = "write one secret, or webhookId:secret,webhookId:secret";
    check("ESPOCRM_WEBHOOK_SECRET", "a:1,b", &format!("an entry has no webhook id; {forms}"));
    check("ESPOCRM_WEBHOOK_SECRET", "a:1,a:2", &format!("a webhook id stands there twice; {forms}"));
    check("ESPOCRM_WEBHOOK_SECRET", "a:", &format!("an entry has no secret; {forms}"));
    check("ESPOCRM_WEBHOOK_SECRET", ":1", &format!("what stands before a `:` is no webhook id; {forms}"));
}

#[test]
fn push_needs_both_of_its_settings_and_https() {
    let (url, token) = ("GOOGLE_PUSH_URL", "GOOGLE_PUSH_TOKEN");
    let alone = |lacking: &str, there: &str| {
        [format!(
            "{lacking}: it is not set, although {there} is: a push needs both; set it, or leave {there} out to do \
             without push"
        )]
    };
    let address = "https://sync.example.org/google/calendar/notify";
    for role in [Role::Up, Role::Ingress, Role::Worker] {
        assert_eq!(faults(role, &[(url, address)]), alone(token, url), "{role:?}");
        assert_eq!(faults(role, &[(token, "kanal")]), alone(url, token), "{role:?}");
        assert_eq!(faults(role, &[(url, address), (token, "kanal")]), [""; 0], "{role:?}");
    }
    assert!(loaded(Role::Worker, &[]).push.is_none());
    assert!(loaded(Role::Worker, &[(url, ""), (token, "")]).push.is_none(), "empty is not set");
    let push = loaded(Role::Worker, &[(url, address), (token, "kanal")]).push.unwrap();
    assert_eq!((push.address.as_str(), push.token.expose()), (address, "kanal"));

    for host in ["sync.example.org", "127.0.0.1.example.org", "localhost.example.org", "10.0.0.1"] {
        let plain = format!("http://{host}/notify");
        let expected = format!(
            "{url} (environment): `{plain}` is not HTTPS, and Google pushes to nothing else; write https:// and the \
             public name of the ingress, such as https://sync.example.org/google/calendar/notify"
        );
        assert_eq!(faults(Role::Up, &[(url, &plain), (token, "kanal")]), [expected]);
    }
    for loopback in ["http://127.0.0.1:3000/notify", "http://[::1]:3000/notify", "http://localhost:3000/notify"] {
        assert_eq!(faults(Role::Up, &[(url, loopback), (token, "kanal")]), [""; 0]);
    }
    let unfit = faults(Role::Up, &[(url, address), (token, "zwei Wörter")]);
    assert!(unfit.len() == 1 && unfit[0].contains("fits no HTTP header"), "{unfit:?}");
}

#[test]
fn redis_addresses() {
    let forms = "write redis://host:6379/1, rediss://:PASSWORD@host:6380/1, redis-sentinel://host:26379,host:26379/service or redis-cluster://host:6379,host:6379";
    check("REDIS_URL", "localhost:6379", &format!("it has no scheme; {forms}"));
    check("REDIS_URL", "http://localhost", &format!("its scheme is none of Redis; {forms}"));
    check("REDIS_URL", "redis-sentinel://h:1", &format!("the path does not name the Sentinels' service; {forms}"));
    check(
        "REDIS_URL",
        "redis://h/one",
        "its path names no database; end the URL with the database's number, such as /1",
    );
    check("REDIS_URL", "redis-sentinel://h:0/s", "it has no port from 1 to 65535; write a port such as 6379");
    check(
        "REDIS_PORT",
        "tcp://10.0.0.1:6379",
        "it is an address, as Kubernetes' service links set it, and no port; write a port such as 6379",
    );
    let cluster = [("REDIS_URL", "redis-cluster://h:1"), ("ADVOSYNC_KEY_PREFIX", "advosync:")];
    let expected = "ADVOSYNC_KEY_PREFIX (environment): on a cluster every key must be in one slot; write one hash tag, such as {advosync}:, so that all keys share a slot";
    assert_eq!(faults(Role::Up, &cluster), [expected]);
    let database = [("REDIS_URL", "redis-cluster://h:1/3"), ("ADVOSYNC_KEY_PREFIX", "{a}:")];
    assert_eq!(
        faults(Role::Up, &database),
        ["REDIS_URL (environment): a cluster has only database 0; leave the database out of the URL"]
    );
}

#[test]
fn all_faults_of_all_layers_are_told_at_once() {
    let source = Source::default()
        .with_environment([("ADVOSYNC_LEASE", "15")])
        .with_dotenv("ADVOSYNC_MAX_ATTEMPTS=x\nnonsense\n")
        .with_file(
            "my.toml",
            "ADVOSYNC_TIMEZONE = \"Mars\"\n\nADVOSYNC_LEASES = \"1s\"\nREDIS_PORT = 1.5\n[http]\na = 1\n",
        );
    let error = Settings::load(&source, Role::Up).unwrap_err();
    let mut places: Vec<String> =
        error.faults.iter().map(|fault| format!("{} @ {}", fault.name, fault.place.clone().unwrap())).collect();
    places.sort();
    let expected = [
        ".env @ line 2",
        "ADVOSYNC_LEASE @ environment",
        "ADVOSYNC_LEASES @ my.toml line 3",
        "ADVOSYNC_MAX_ATTEMPTS @ .env line 1",
        "ADVOSYNC_TIMEZONE @ my.toml line 1",
        "REDIS_PORT @ my.toml line 4",
        "http @ my.toml line 5",
    ];
    assert_eq!(places, expected);
    let text = error.to_string();
    assert!(text.starts_with("7 faults in the settings, nothing was started:\n"), "{text}");
    assert!(text.contains("there is no such setting; did you mean ADVOSYNC_LEASE?"), "{text}");
    assert_eq!(SettingsError::EXIT_CODE, 78);
}

#[test]
fn broken_toml_is_a_fault_and_not_quoted() {
    let source =
        Source::default().with_file("my.toml", "ADVOWARE_PASSWORD = hunter2\nADVOSYNC_API_TOKEN = \"hunter3\nX");
    let text = Settings::load(&source, Role::Ingress).unwrap_err().to_string();
    assert!(text.contains("my.toml (line 1): this is no TOML"), "{text}");
    assert!(!text.contains("hunter"), "{text}");
}
