//! Makes each room's options out of the settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use chrono::Utc;

use super::gauges;
use super::google_limiter::SharedPace;
use super::token_store::SharedToken;
use crate::callers::Door;
use crate::clients::{UPSTREAMS, advoware, espocrm, google};
use crate::queue::{self, Queue};
use crate::settings::{self, Settings};
use crate::sync::record::mapping::{DEFAULT_FOLDER, Mapping, MappingFault, Mappings};
use crate::telemetry::Gauges;
use crate::worker::Gate;
use crate::{console, cron, ingress, proxy};

/// EspoCRM waits ten seconds for an answer; a request that takes longer than this is answered with 503.
const REQUEST_WITHIN: Duration = Duration::from_secs(8);
/// For one request to Google, and for one sign-in there.
const GOOGLE_WITHIN: Duration = Duration::from_secs(30);

/// Mapping files that cannot be used: a fault of the configuration, like a bad setting.
#[derive(Debug)]
pub struct BadMappings(pub Vec<MappingFault>);

impl std::fmt::Display for BadMappings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the mapping files cannot be used, nothing was started:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for BadMappings {}

/// What every role is made of.
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// The queue.
    pub queue: Queue,
    /// All entities.
    pub mappings: Vec<Arc<Mapping>>,
    /// Who may call; one for all routes of this process.
    callers: Arc<Door>,
    /// One for all pools of this process.
    pub(super) gate: Gate,
    /// What is read for `/metrics` now and then.
    pub(super) gauges: Arc<Gauges>,
}

/// All entities of these settings.
///
/// # Errors
/// [`BadMappings`], with every fault of every file.
pub(super) fn load_mappings(settings: &Settings) -> Result<Vec<Arc<Mapping>>> {
    let folder = (!settings.mappings.is_default).then_some(settings.mappings.path.as_path());
    let mappings = Mappings::load(folder).map_err(BadMappings)?;
    Ok(mappings.iter().cloned().map(Arc::new).collect())
}

/// What is wrong with the mapping files, for a start that bad settings prevent anyway: a person is told everything at
/// once. `None` where they are good, or where the settings do not say where they are.
#[must_use]
pub fn bad_mappings(source: &settings::Source) -> Option<BadMappings> {
    let chosen = settings::effective(source).into_iter().find(|it| it.name == "ADVOSYNC_MAPPINGS")?;
    let path = PathBuf::from(chosen.value?);
    let is_default = path.as_os_str() == DEFAULT_FOLDER;
    if !is_default && !path.is_dir() {
        return None;
    }
    Mappings::load((!is_default).then_some(path.as_path())).map_err(BadMappings).err()
}

/// The queue's options.
#[must_use]
pub fn queue_options(settings: &Settings) -> queue::Options {
    let nodes = |nodes: &[settings::Node]| nodes.iter().map(|node| (node.host.clone(), node.port)).collect();
    let login = |credentials: &settings::Credentials, tls| queue::Login {
        username: credentials.username.clone(),
        password: credentials.password.clone(),
        tls,
    };
    let server = match settings.redis.resolve(&settings.data_dir) {
        settings::Server::Single(url) => queue::Server::Single(url),
        settings::Server::Sentinel(it) => queue::Server::Sentinel {
            nodes: nodes(&it.nodes),
            login: login(&it.credentials, it.tls),
            service: it.service,
            database: it.database,
        },
        settings::Server::Cluster(it) => {
            queue::Server::Cluster { nodes: nodes(&it.nodes), login: login(&it.credentials, it.tls) }
        }
        // `resolve` never answers this; the contract's last resort serves as well as a panic would not.
        settings::Server::Unset { database } => {
            queue::Server::Single(format!("redis://127.0.0.1:6379/{database}").into())
        }
    };
    let tls = queue::Tls {
        authorities: settings.redis.tls.authorities.clone(),
        client: settings.redis.tls.client.clone().map(|it| (it.chain, it.key)),
    };
    queue::Options { server, prefix: settings.key_prefix.clone(), timeout: settings.redis.timeout, tls }
}

impl Parts {
    /// Loads the mappings and makes the queue's handle; touches no network.
    pub fn new(settings: Settings) -> Result<Self> {
        let mappings = load_mappings(&settings)?;
        Self::with(settings, mappings)
    }

    /// As [`Parts::new`], with mappings that were loaded before.
    pub(super) fn with(settings: Settings, mappings: Vec<Arc<Mapping>>) -> Result<Self> {
        Ok(Self::around(Queue::new(&queue_options(&settings))?, settings, mappings))
    }

    /// As [`Parts::with`], around a queue's handle that was made before.
    #[must_use]
    pub fn around(queue: Queue, settings: Settings, mappings: Vec<Arc<Mapping>>) -> Self {
        let gauges = Arc::new(Gauges::new(gauges::FRESH_FOR));
        let callers = Arc::new(Door::new(settings.http.callers.clone()));
        Self { settings, queue, mappings, callers, gate: Gate::default(), gauges }
    }

    /// The mappings' names.
    #[must_use]
    pub fn entities(&self) -> Vec<String> {
        self.mappings.iter().map(|mapping| mapping.name.clone()).collect()
    }

    /// Advoware's client, where it is configured.
    pub fn advoware(&self) -> Result<Option<advoware::Client>> {
        let Some(it) = &self.settings.advoware else { return Ok(None) };
        self.advoware_with(Arc::new(SharedToken::new(&self.queue, it)?))
    }

    /// As [`Parts::advoware`], with another place for the token: whoever wants to see whether the sign-in works must not
    /// be given a token that somebody else got.
    pub fn advoware_with(&self, token: Arc<dyn advoware::TokenStore>) -> Result<Option<advoware::Client>> {
        let Some(it) = &self.settings.advoware else { return Ok(None) };
        let options = advoware::Options {
            base_url: it.base_url.clone(),
            auth_url: it.auth_url.clone(),
            discovery_url: advoware::Options::DEFAULT_DISCOVERY_URL.parse()?,
            product_id: i64::from(it.product_id),
            app_id: it.app_id.clone(),
            api_key: it.api_key.clone(),
            kanzlei: it.kanzlei.clone(),
            database: it.database.clone(),
            user: it.user.clone(),
            role: i64::from(it.role),
            password: it.password.clone(),
            token_lifetime: it.token_lifetime,
            timeout: it.timeout,
            write_protection: it.write_protection,
            max_concurrency: advoware::Options::DEFAULT_MAX_CONCURRENCY,
        };
        Ok(Some(advoware::Client::new(options, token)?))
    }

    /// EspoCRM's client, where it is configured.
    pub fn espocrm(&self) -> Result<Option<espocrm::Client>> {
        let Some(it) = &self.settings.espocrm else { return Ok(None) };
        let options = espocrm::Options {
            base_url: it.base_url.clone(),
            credentials: espocrm::Credentials::api_user(it.api_key.clone(), it.api_secret.clone()),
            timeout: it.timeout,
        };
        Ok(Some(espocrm::Client::new(options)?))
    }

    /// Google Calendar's client, where it is configured, at the pace that all workers share.
    pub fn google(&self) -> Result<Option<google::Client>> {
        let (Some(it), Some(options)) = (&self.settings.google, self.google_options()) else { return Ok(None) };
        let pace = SharedPace::new(&self.queue, it, &options.acting_user()?);
        Ok(Some(google::Client::new(options, Arc::new(pace))?))
    }

    /// As [`Parts::google`], but for a few calls that ask nobody for the pace: whoever looks at everything must not be kept
    /// from Google by a Redis that is away.
    pub fn google_alone(&self) -> Result<Option<google::Client>> {
        let Some(options) = self.google_options() else { return Ok(None) };
        Ok(Some(google::Client::new(options, Arc::new(google::NoLimiter))?))
    }

    fn google_options(&self) -> Option<google::Options> {
        let it = self.settings.google.as_ref()?;
        Some(google::Options {
            base_url: it.base_url.clone(),
            service_account: it.service_account.clone(),
            subject: it.subject.clone(),
            timeout: GOOGLE_WITHIN,
            backoff_unit: Duration::from_secs(1),
        })
    }

    /// The ingress' options.
    #[must_use]
    pub fn ingress(&self) -> ingress::Options {
        ingress::Options {
            queue: self.queue.clone(),
            entities: self.entities(),
            webhook_secrets: self.settings.webhook_secrets.clone(),
            callers: Arc::clone(&self.callers),
            channel_token: self.settings.push.as_ref().map(|push| push.token.clone()),
            max_body_bytes: self.settings.http.max_body_bytes,
            deadline: REQUEST_WITHIN,
            trace: Arc::new(|| Some(crate::telemetry::current_traceparent())),
        }
    }

    /// What monitors ask for.
    #[must_use]
    pub fn ops(&self) -> ingress::OpsOptions {
        let gauges = Arc::clone(&self.gauges);
        let metrics = Arc::new(move || crate::telemetry::render() + &gauges.render());
        ingress::OpsOptions { queue: self.queue.clone(), metrics }
    }

    /// The outside systems whose breakers are worth a look.
    pub(super) fn upstreams() -> Vec<String> {
        UPSTREAMS.map(str::to_owned).to_vec()
    }

    /// The console's options.
    #[must_use]
    pub fn console(&self) -> console::Options {
        console::Options {
            queue: self.queue.clone(),
            entities: self.entities(),
            upstreams: Self::upstreams(),
            callers: Arc::clone(&self.callers),
            api_token: self.settings.http.api_token.clone(),
            write_protection: self.settings.write_protection,
            timezone: self.settings.cron.timezone,
            clock: Arc::new(Utc::now),
        }
    }

    /// The proxy's routes, where Advoware is configured.
    pub fn proxy(&self) -> Result<Option<Router>> {
        let options =
            proxy::Options { callers: Arc::clone(&self.callers), max_body_bytes: self.settings.http.max_body_bytes };
        Ok(self.advoware()?.map(|advoware| proxy::router(advoware, options)))
    }

    /// The cron role's options.
    #[must_use]
    pub fn cron(&self) -> cron::Options {
        let both = [
            (cron::Work::Calendar, self.settings.cron.calendar.clone()),
            (cron::Work::Records, self.settings.cron.records.clone()),
        ];
        let schedules =
            both.into_iter().filter_map(|(work, schedule)| Some(cron::Planned::new(work, schedule?))).collect();
        cron::Options { queue: self.queue.clone(), entities: self.entities(), schedules, clock: Arc::new(Utc::now) }
    }
}

/// Unlike that of any other process, and of any other call; readable in XINFO CONSUMERS.
pub(super) fn process_name() -> String {
    let host = hostname::get().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    let run = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}-{}-{}", std::process::id(), &run[..6])
}
