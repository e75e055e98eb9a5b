//! Every setting: name, default, kind, what it does, whether it is secret. The one table behind `advosync config`,
//! `docs/settings.md` and the hints at mistyped names.

/// What stands in for a setting that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Value(&'static str),
    /// Nothing; the text says what that means.
    Told(&'static str),
}

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it.
    Open,
    /// All but the user information of a URL.
    Url,
    /// Nothing.
    Secret,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name, the same in the environment, `.env` and a TOML file.
    pub name: &'static str,
    /// What is in effect when it is not set.
    pub fallback: Fallback,
    /// What may be written, for people.
    pub kind: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// How much of its value may be shown.
    pub secrecy: Secrecy,
    /// Older names that are still read, with a warning.
    pub aliases: &'static [&'static str],
}

impl Entry {
    /// Whether it may hold a secret, and so may also come from a file or a credential of systemd.
    #[must_use]
    pub fn may_be_in_a_file(&self) -> bool {
        // Of the addresses only Redis' carries a password.
        self.secrecy == Secret || self.name == "REDIS_URL"
    }
}

/// Settings that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// Its settings, in the order of the documentation.
    pub entries: &'static [Entry],
}

/// Settings of the older system that mean nothing here: accepted, with a warning.
pub const IGNORED: [(&str, &str); 2] = [
    ("REDIS_DB_ADVOWARE_CACHE", "the token lives in the same database as the jobs"),
    ("POSTGRES_HOST", "the sync state lives in Redis"),
];

/// What the name of a secret's file ends in.
pub const FILE: &str = "_FILE";

use Fallback::{Told, Value};
use Secrecy::{Open, Secret, Url};

const fn entry(name: &'static str, fallback: Fallback, kind: &'static str, about: &'static str) -> Entry {
    Entry { name, fallback, kind, about, secrecy: Open, aliases: &[] }
}

const fn secret(name: &'static str, fallback: Fallback, kind: &'static str, about: &'static str) -> Entry {
    Entry { secrecy: Secret, ..entry(name, fallback, kind, about) }
}

const fn url(name: &'static str, fallback: Fallback, kind: &'static str, about: &'static str) -> Entry {
    Entry { secrecy: Url, ..entry(name, fallback, kind, about) }
}

/// All settings.
#[rustfmt::skip]
pub const GROUPS: &[Group] = &[
    Group { title: "Redis", entries: &[
        url("REDIS_URL", Told("REDIS_HOST and REDIS_PORT; without those `up` starts its own Redis and every other command reads `$ADVOSYNC_DATA_DIR/redis.url`, else `redis://127.0.0.1:6379/1`"), "`redis://`, `rediss://`, `redis-sentinel://host:port,host:port/service`, `redis-cluster://host:port,host:port`", "Where the jobs live; without a database in its path, `REDIS_DB_CALENDAR_SYNC` names it (a cluster has only 0)"),
        entry("REDIS_HOST", Told("not set; `127.0.0.1` where only `REDIS_PORT` is set"), "host name", "Redis' host, where `REDIS_URL` is not set"),
        entry("REDIS_PORT", Value("6379"), "port", "Redis' port, with `REDIS_HOST`"),
        entry("REDIS_DB_CALENDAR_SYNC", Value("1"), "number", "Redis' database, where the URL names none"),
        entry("REDIS_TLS_CA_FILE", Told("the authorities of the web, as Mozilla lists them"), "file (PEM)", "The only authorities whose certificates of Redis are believed, with `rediss…://`"),
        entry("REDIS_TLS_CERT_FILE", Told("no client certificate is shown"), "file (PEM)", "The certificate that this program shows to Redis, with those between it and its authority; needs `REDIS_TLS_KEY_FILE`"),
        entry("REDIS_TLS_KEY_FILE", Told("no client certificate is shown"), "file (PEM)", "The key of that certificate"),
        entry("REDIS_TIMEOUT_SECONDS", Value("5"), "seconds", "How long to wait for a connection to or an answer of Redis"),
        entry("ADVOSYNC_KEY_PREFIX", Told("empty"), "text", "Stands before every key; on a cluster it must hold one hash tag, such as `{advosync}:`"),
    ]},
    Group { title: "Process and HTTP", entries: &[
        entry("ADVOSYNC_LISTEN", Told("`127.0.0.1:3000` for `up`, `ingress` and `proxy`, `127.0.0.1:3001` for `console`; `worker` and `cron` listen only where it is set"), "address:port", "Where to listen; beyond loopback only with `ESPOCRM_WEBHOOK_SECRET` and a token (`ADVOSYNC_API_TOKEN` or `ADVOSYNC_CALLERS_FILE`)"),
        secret("ADVOSYNC_API_TOKEN", Told("not set: whoever reaches the port may call"), "text", "Bearer token that opens trigger, proxy and console"),
        entry("ADVOSYNC_CALLERS_FILE", Told("nobody beside `ADVOSYNC_API_TOKEN`"), "file", "Further callers, each with a name, a token and what it opens ([callers.md](callers.md)); read at the start"),
        entry("ADVOSYNC_MAX_BODY_BYTES", Value("16777216"), "bytes", "Largest request body; larger ones get 413"),
        entry("ADVOSYNC_DRAIN_SECONDS", Value("25"), "seconds", "How long running jobs may take to finish after SIGTERM"),
        entry("ADVOSYNC_DATA_DIR", Value("./data"), "folder", "Where `up` keeps its own Redis and its address, and every role what it knew of the data in Redis (`redis.seen`)"),
        entry("ADVOSYNC_MAPPINGS", Value("mappings"), "folder", "Entity definitions; the shipped ones are built in, so the default folder may be missing"),
    ]},
    Group { title: "Jobs", entries: &[
        entry("ADVOSYNC_WORKER_CONCURRENCY", Value("16"), "number", "Jobs at once, for each flow"),
        entry("ADVOSYNC_LEASE", Value("15s"), "duration", "How long a lock outlives its worker; renewed at a quarter"),
        entry("ADVOSYNC_RETRY_SCHEDULE", Value("1m,5m,15m,1h"), "durations", "Waits between attempts; the last one repeats"),
        entry("ADVOSYNC_MAX_ATTEMPTS", Value("5"), "number", "Attempts in all, then the job is dead until a person replays it"),
        entry("ADVOSYNC_QUIET_TIME", Value("60s"), "duration", "How long to wait after a create whose outcome is unknown, or an update that nobody answered; must exceed `ADVOWARE_API_TIMEOUT_SECONDS`"),
    ]},
    Group { title: "Schedules", entries: &[
        entry("ADVOSYNC_CRON_CALENDAR", Value("0 2 * * *"), "cron expression or `off`", "When all calendars are synced; `advosync schedule EXPR` shows when that is"),
        entry("ADVOSYNC_CRON_RECORDS", Value("*/15 * * * *"), "cron expression or `off`", "When records that no webhook told of are looked for"),
        entry("ADVOSYNC_TIMEZONE", Value("Europe/Berlin"), "IANA name", "The zone in which the schedules are read"),
    ]},
    Group { title: "Advoware", entries: &[
        Entry { aliases: &["ADVOWARE_BASE_URL"], ..url("ADVOWARE_API_BASE_URL", Told("asked from Advoware's discovery"), "URL", "The API's base") },
        url("ADVOWARE_AUTH_URL", Value("https://security.advo-net.net/api/v1/Token"), "URL", "Where tokens come from"),
        entry("ADVOWARE_PRODUCT_ID", Value("64"), "number", "The product number that Advoware gave you"),
        entry("ADVOWARE_APP_ID", Told("needed by both flows"), "text", "The application's id"),
        secret("ADVOWARE_API_KEY", Told("needed by both flows"), "base64", "The key that signs token requests"),
        entry("ADVOWARE_KANZLEI", Told("needed by both flows"), "text", "The law firm's name at Advoware"),
        entry("ADVOWARE_DATABASE", Told("needed by both flows"), "text", "The law firm's database"),
        Entry { aliases: &["ADVOWARE_USERNAME"], ..entry("ADVOWARE_USER", Told("needed by both flows"), "text", "The user to sign in as") },
        entry("ADVOWARE_ROLE", Value("2"), "number", "That user's role"),
        secret("ADVOWARE_PASSWORD", Told("needed by both flows"), "text", "That user's password"),
        entry("ADVOWARE_TOKEN_LIFETIME_MINUTES", Value("55"), "minutes", "When a token is renewed at the latest"),
        secret("ADVOSYNC_ENCRYPTION_KEY", Told("made of `ADVOWARE_API_KEY` and `ADVOWARE_PASSWORD`"), "32 bytes, hex or base64", "What Advoware's token in Redis is encrypted with; the same for all processes that call Advoware"),
        entry("ADVOWARE_API_TIMEOUT_SECONDS", Value("30"), "seconds", "How long to wait for an answer"),
        entry("ADVOWARE_WRITE_PROTECTION", Value("false"), "true or false", "Write nothing to Advoware; jobs report what they would write"),
    ]},
    Group { title: "EspoCRM", entries: &[
        url("ESPOCRM_API_BASE_URL", Told("needed by the flow vmh"), "URL that ends in `/api/v1`", "The API's base"),
        secret("ESPOCRM_API_KEY", Told("needed by the flow vmh"), "text", "The API user's key"),
        secret("ESPOCRM_API_SECRET", Told("sign-in by key alone"), "text", "The API user's secret key; set: HMAC sign-in"),
        secret("ESPOCRM_WEBHOOK_SECRET", Told("webhooks are not checked"), "one secret, or `webhookId:secret,webhookId:secret`", "Checks the signature of webhooks"),
        entry("ESPOCRM_API_TIMEOUT_SECONDS", Value("10"), "seconds", "How long to wait for an answer"),
        entry("ESPOCRM_ADMIN_USER", Told("needed by `setup espocrm`"), "text", "An administrator, for `setup espocrm` only"),
        secret("ESPOCRM_ADMIN_PASSWORD", Told("needed by `setup espocrm`"), "text", "That administrator's password"),
    ]},
    Group { title: "Google Calendar", entries: &[
        entry("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", Value("service-account.json"), "file", "The service account's key file; needed by the flow calendar"),
        url("GOOGLE_CALENDAR_API_BASE_URL", Value("https://www.googleapis.com/calendar/v3"), "URL", "The API's base"),
        entry("GOOGLE_CALENDAR_OWNER", Told("calendars are shared with nobody"), "e-mail address", "The firm's main account, made an owner of every calendar"),
        entry("GOOGLE_CALENDAR_SUBJECT", Told("the service account acts as itself"), "e-mail address", "The user to act as (domain-wide delegation)"),
        entry("GOOGLE_MIN_INTERVAL", Value("100ms"), "duration", "Least time between two calls, over all workers"),
        entry("GOOGLE_MAX_RATE", Value("8"), "number a second", "Most calls a second, over all workers"),
        url("GOOGLE_PUSH_URL", Told("changes are found by the schedule only"), "URL", "Where Google reaches `/google/calendar/notify` of the ingress, by HTTPS; then a change enqueues a sync at once"),
        secret("GOOGLE_PUSH_TOKEN", Told("no push is believed"), "text", "What every push has to carry; ours to choose, the same for worker and ingress"),
    ]},
    Group { title: "Calendar sync", entries: &[
        entry("CALENDAR_SYNC_DEBUG_EMPLOYEES", Told("everybody"), "Kürzel, by commas", "Only these employees are synced by the sweep"),
        entry("CALENDAR_SYNC_PAST", Value("90d"), "duration", "How far back the time window reaches"),
        entry("CALENDAR_SYNC_FUTURE", Value("730d"), "duration", "How far ahead the time window reaches"),
        entry("CALENDAR_SYNC_MAX_DELETIONS", Value("max(5,10%)"), "`max(N,P%)`, `N` or `P%`", "More deletions in one calendar at once wait for `--confirm-deletions`"),
        entry("CALENDAR_SYNC_BLOCKED_TITLE", Value("blocked"), "text", "Title of events in anonymised mode"),
        entry("CALENDAR_SYNC_MULTIDAY", Value("all-day"), "`all-day` or `timed`", "What becomes of entries longer than a day"),
    ]},
    Group { title: "Logs and traces", entries: &[
        entry("RUST_LOG", Value("info"), "filter, such as `info,advosync::queue=debug`", "What is logged, to stderr"),
        entry("ADVOSYNC_LOG_FORMAT", Told("`pretty` on a terminal, else `json`"), "`pretty` or `json`", "How it is logged"),
        url("OTEL_EXPORTER_OTLP_ENDPOINT", Told("nothing is exported"), "URL", "Where traces go (OTLP over HTTP); the other standard `OTEL_…` variables are read from the environment only"),
    ]},
];

/// Every setting, in the order of the documentation.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    GROUPS.iter().flat_map(|group| group.entries)
}

/// Every name that is known: settings, their older names, and what is ignored.
pub fn names() -> impl Iterator<Item = &'static str> {
    let settings = entries().flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()));
    settings.chain(IGNORED.iter().map(|(name, _)| *name))
}

/// The known name that is equal to `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static str> {
    names().find(|known| *known == name)
}

/// The setting whose file `name` names: `ADVOWARE_PASSWORD` for `ADVOWARE_PASSWORD_FILE`.
#[must_use]
pub fn in_file(name: &str) -> Option<&'static str> {
    let setting = name.strip_suffix(FILE)?;
    entries().find(|entry| entry.name == setting && entry.may_be_in_a_file()).map(|entry| entry.name)
}

/// The setting of this name, which must be one of the table.
pub(super) fn get(name: &str) -> &'static Entry {
    entries()
        .find(|entry| entry.name == name)
        .expect("settings are read by names of this table; tests read all of them")
}
