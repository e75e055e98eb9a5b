//! Settings: one small struct per concern, read from the environment, `.env` and a TOML file, in this order of precedence.
//!
//! [`Source`] gathers what was written down; [`Settings::load`] reads it for a role and tells **every** fault at once.
//! Names, defaults and descriptions stand in [`catalogue`], which also makes `docs/settings.md` and `advosync config`.

pub mod catalogue;

mod advoware;
mod calendar;
mod callers;
mod cron;
pub(crate) mod dotenv;
mod effective;
mod espocrm;
mod fault;
mod file;
mod google;
mod halts;
mod hint;
mod http;
mod manual;
mod missing;
mod parse;
mod push;
mod reader;
mod redis;
mod redis_tls;
mod role;
mod secret;
mod secret_file;
mod source;
mod telemetry;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

pub use advoware::Advoware;
pub use calendar::{Calendar, MaxDeletions, Multiday};
pub use cron::Cron;
pub use effective::{Effective, effective};
pub use espocrm::{EspoCrm, EspoCrmAdmin, WebhookSecrets};
pub use fault::{Fault, Problem, SettingsError};
pub use google::Google;
pub(crate) use halts::halts;
pub use http::Http;
pub use manual::manual;
pub use missing::Missing;
pub(crate) use parse::duration as parse_duration;
pub use push::Push;
pub use redis::{Cluster, Credentials, Node, Redis, Sentinel, Server};
pub use redis_tls::{ClientCertificate, RedisTls};
pub use role::{Role, Upstream};
pub use secret::{HIDDEN, Secret, hide_password};
pub use source::{Origin, Source};
pub use telemetry::{LogFormat, Otlp, Telemetry};
pub use worker::Worker;

use reader::Reader;

/// Everything that one process needs to know, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Redis is.
    pub redis: Redis,
    /// Stands before every key; empty by default.
    pub key_prefix: String,
    /// Where to listen and who may call.
    pub http: Http,
    /// Where `up` keeps its own Redis.
    pub data_dir: PathBuf,
    /// How long running jobs may take to finish after SIGTERM.
    pub drain: Duration,
    /// How jobs are run.
    pub worker: Worker,
    /// When schedules fire.
    pub cron: Cron,
    /// Where entity definitions are.
    pub mappings: MappingsDir,
    /// Advoware; none where the role does not call it or its settings are incomplete (then [`Settings::missing`] says so).
    pub advoware: Option<Advoware>,
    /// Whether nothing may be written to Advoware, for roles that call it and for the console, which says so.
    pub write_protection: bool,
    /// `EspoCRM`; none as for Advoware.
    pub espocrm: Option<EspoCrm>,
    /// An administrator of `EspoCRM`, for `setup espocrm`.
    pub espocrm_admin: Option<EspoCrmAdmin>,
    /// What checks webhooks; none: they are not checked.
    pub webhook_secrets: Option<WebhookSecrets>,
    /// Google Calendar; none as for Advoware.
    pub google: Option<Google>,
    /// How Google tells of changes; none: it does not.
    pub push: Option<Push>,
    /// How calendars are synced.
    pub calendar: Calendar,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// What the upstreams that this role calls still lack.
    pub missing: Vec<Missing>,
    /// What a person should know, once, at start.
    pub warnings: Vec<String>,
}

/// The folder of entity definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingsDir {
    /// Where it is.
    pub path: PathBuf,
    /// It was not chosen, so that it may be missing: the shipped definitions are built in.
    pub is_default: bool,
}

impl Settings {
    /// Reads the settings for `role`. Faults of upstreams that the role never calls do not count.
    pub fn load(source: &Source, role: Role) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(source);
        let mut missing = Vec::new();
        let key_prefix = reader.optional("ADVOSYNC_KEY_PREFIX", key_prefix).unwrap_or_default();
        let redis = Redis::read(&mut reader, &key_prefix);
        let webhook_secrets = WebhookSecrets::read(&mut reader);
        let http = Http::read(&mut reader, role, webhook_secrets.as_ref());
        let drain =
            reader.value("ADVOSYNC_DRAIN_SECONDS", parse::bare("seconds", Duration::from_secs(1), 0.0..=86_400.0));
        let data_dir = reader.value("ADVOSYNC_DATA_DIR", |text| Ok(PathBuf::from(text)));
        let mappings = MappingsDir::read(&mut reader);
        let worker = Worker::read(&mut reader);
        let cron = Cron::read(&mut reader);
        let advoware = role.calls(Upstream::Advoware).then(|| Advoware::read(&mut reader, &mut missing));
        let (advoware, basics) = advoware.unzip();
        let write_protection = match &basics {
            Some(basics) => basics.write_protection,
            None => role == Role::Console && reader.value("ADVOWARE_WRITE_PROTECTION", parse::flag),
        };
        if let Some(timeout) = basics.map(|basics| basics.timeout).filter(|timeout| worker.quiet_time <= *timeout) {
            let what = format!(
                "`{}` does not exceed ADVOWARE_API_TIMEOUT_SECONDS ({})",
                parse::show(worker.quiet_time),
                timeout.as_secs_f64()
            );
            let instead = "write a longer time: a create that is still under way must be over before it is looked for";
            reader.fault("ADVOSYNC_QUIET_TIME", Problem::new(what, instead));
        }
        let espocrm = role.calls(Upstream::EspoCrm).then(|| EspoCrm::read(&mut reader, role, &mut missing));
        let (espocrm, espocrm_admin) = espocrm.unwrap_or_default();
        let google = role.calls(Upstream::Google).then(|| Google::read(&mut reader, &mut missing)).flatten();
        let push = Push::read(&mut reader);
        let calendar = Calendar::read(&mut reader);
        let telemetry = Telemetry::read(&mut reader);
        warn_of_ignored(&mut reader, source);
        let Reader { faults, warnings, .. } = reader;
        if !faults.is_empty() {
            return Err(SettingsError { faults });
        }
        Ok(Self {
            redis,
            key_prefix,
            http,
            data_dir,
            drain,
            worker,
            cron,
            mappings,
            advoware: advoware.flatten(),
            write_protection,
            espocrm,
            espocrm_admin,
            webhook_secrets,
            google,
            push,
            calendar,
            telemetry,
            missing,
            warnings,
        })
    }

    /// What keeps the flow `vmh` (records) from running; empty if nothing does.
    #[must_use]
    pub fn missing_for_records(&self) -> Vec<&Missing> {
        self.missing.iter().filter(|missing| missing.upstream != Upstream::Google).collect()
    }

    /// What keeps the flow `calendar` from running; empty if nothing does.
    #[must_use]
    pub fn missing_for_calendars(&self) -> Vec<&Missing> {
        self.missing.iter().filter(|missing| missing.upstream != Upstream::EspoCrm).collect()
    }
}

impl MappingsDir {
    fn read(reader: &mut Reader<'_>) -> Self {
        const NAME: &str = "ADVOSYNC_MAPPINGS";
        let catalogue::Fallback::Value(default) = catalogue::get(NAME).fallback else {
            unreachable!("the catalogue gives {NAME} a default")
        };
        let path = reader.value(NAME, |text| {
            let path = PathBuf::from(text);
            if text == default || path.is_dir() {
                return Ok(path);
            }
            Err(Problem::new(
                format!("there is no folder `{text}`"),
                "create it, or leave the setting out for the built-in definitions",
            ))
        });
        Self { is_default: path.as_os_str() == default, path }
    }
}

fn key_prefix(text: &str) -> Result<String, Problem> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '?' | '[' | ']' | '\\');
    if text.len() <= 64 && !text.contains(forbidden) {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is no key prefix"),
        "write up to 64 characters without spaces, `*`, `?`, `[`, `]` and `\\`",
    ))
}

fn warn_of_ignored(reader: &mut Reader<'_>, source: &Source) {
    for (name, why) in catalogue::IGNORED {
        if let Some(place) = source.place_of_ignored(name) {
            reader.warnings.push(format!("{name} ({place}) is not used any more: {why}; remove it"));
        }
    }
}
