//! Where Redis is.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use super::fault::Problem;
use super::parse;
use super::reader::Reader;
use super::redis_tls::RedisTls;
use super::secret::{Secret, hide_password};

/// Redis, as it was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Where it is.
    pub server: Server,
    /// Certificates, where the way there uses TLS.
    pub tls: RedisTls,
    /// How long to wait for a connection or an answer.
    pub timeout: Duration,
}

/// The kinds of Redis that are understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// Nothing is configured: `up` starts its own, other commands call [`Redis::resolve`].
    Unset {
        /// The database to use.
        database: i64,
    },
    /// One server: a whole URL with a database, `redis://` or `rediss://`; it may hold a password.
    Single(Secret),
    /// Sentinels that know the master.
    Sentinel(Sentinel),
    /// A cluster, whose only database is 0.
    Cluster(Cluster),
}

/// Redis behind Sentinels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentinel {
    /// The Sentinels.
    pub nodes: Vec<Node>,
    /// The master's name at the Sentinels.
    pub service: String,
    /// The database at the master.
    pub database: i64,
    /// How to sign in at the master.
    pub credentials: Credentials,
    /// Whether to use TLS (`rediss-sentinel://`).
    pub tls: bool,
}

/// A Redis cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Some of its nodes; the rest is found from there.
    pub nodes: Vec<Node>,
    /// How to sign in.
    pub credentials: Credentials,
    /// Whether to use TLS (`rediss-cluster://`).
    pub tls: bool,
}

/// A user and a password, where the URL has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

const FORMS: &str = "write redis://host:6379/1, rediss://:PASSWORD@host:6380/1, redis-sentinel://host:26379,host:26379/service or \
                     redis-cluster://host:6379,host:6379";

impl Redis {
    /// The file in the data folder where `up` writes the address of the Redis it started.
    #[must_use]
    pub fn url_file(data_dir: &Path) -> PathBuf {
        data_dir.join("redis.url")
    }

    /// The server to talk to where none is configured: the one that `up` wrote down in `data_dir`, else
    /// `redis://127.0.0.1:6379` with the configured database. Never [`Server::Unset`].
    #[must_use]
    pub fn resolve(&self, data_dir: &Path) -> Server {
        let Server::Unset { database } = self.server else {
            return self.server.clone();
        };
        // Whatever keeps the file from being read, the usual address is the next best guess; Redis out of reach is told then.
        let recorded = std::fs::read_to_string(Self::url_file(data_dir)).ok();
        recorded
            .and_then(|text| server(text.trim(), database).ok())
            .unwrap_or_else(|| Server::Single(Secret::new(format!("redis://127.0.0.1:6379/{database}"))))
    }

    pub(super) fn read(reader: &mut Reader<'_>, key_prefix: &str) -> Self {
        let timeout =
            reader.value("REDIS_TIMEOUT_SECONDS", parse::bare("seconds", Duration::from_secs(1), 0.1..=300.0));
        let database = reader.value("REDIS_DB_CALENDAR_SYNC", parse::number(0..=1_000_000));
        let server = if reader.is_set("REDIS_URL") {
            for name in ["REDIS_HOST", "REDIS_PORT"] {
                if reader.is_set(name) {
                    reader.warnings.push(format!("{name} is not read, because REDIS_URL is set"));
                }
            }
            reader.optional("REDIS_URL", |text| server(text, database))
        } else if reader.is_set("REDIS_HOST") || reader.is_set("REDIS_PORT") {
            let host = reader.optional("REDIS_HOST", host).unwrap_or_else(|| "127.0.0.1".to_owned());
            let port = reader.value("REDIS_PORT", port);
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            Some(Server::Single(Secret::new(format!("redis://{host}:{port}/{database}"))))
        } else {
            None
        };
        if matches!(server, Some(Server::Cluster(_))) && !is_hash_tag(key_prefix) {
            let instead = "write one hash tag, such as {advosync}:, so that all keys share a slot";
            reader.fault("ADVOSYNC_KEY_PREFIX", Problem::new("on a cluster every key must be in one slot", instead));
        }
        let tls = RedisTls::read(reader, server.as_ref());
        Self { server: server.unwrap_or(Server::Unset { database }), tls, timeout }
    }
}

impl Server {
    /// As it may be shown to people and logged: passwords are hidden.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |nodes: &[Node]| nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Unset { .. } => "not configured".to_owned(),
            Self::Single(url) => hide_password(url.expose()),
            Self::Sentinel(it) => {
                format!("{}-sentinel://{}/{}/{}", scheme(it.tls), list(&it.nodes), it.service, it.database)
            }
            Self::Cluster(it) => format!("{}-cluster://{}", scheme(it.tls), list(&it.nodes)),
        }
    }

    /// Whether whatever goes there and comes back is encrypted.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        match self {
            Self::Unset { .. } => false,
            Self::Single(url) => url.expose().starts_with("rediss://"),
            Self::Sentinel(it) => it.tls,
            Self::Cluster(it) => it.tls,
        }
    }

    /// Whether passwords and parties' data go over a network as they are.
    #[must_use]
    pub fn can_be_overheard(&self) -> bool {
        let elsewhere = |nodes: &[Node]| nodes.iter().any(|node| !is_loopback(&node.host));
        !self.uses_tls()
            && match self {
                Self::Unset { .. } => false,
                Self::Single(url) => {
                    let url = Url::parse(url.expose()).ok();
                    url.is_none_or(|url| !is_loopback(url.host_str().unwrap_or_default().trim_matches(['[', ']'])))
                }
                Self::Sentinel(it) => elsewhere(&it.nodes),
                Self::Cluster(it) => elsewhere(&it.nodes),
            }
    }
}

const fn scheme(tls: bool) -> &'static str {
    if tls { "rediss" } else { "redis" }
}

/// Whether this is our own machine, without asking anybody for a name.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

impl std::fmt::Display for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

/// A key prefix that puts every key into one slot: exactly one non-empty `{tag}`.
fn is_hash_tag(prefix: &str) -> bool {
    let Some((before, rest)) = prefix.split_once('{') else { return false };
    let Some((tag, after)) = rest.split_once('}') else { return false };
    !tag.is_empty() && ![before, tag, after].iter().any(|part| part.contains(['{', '}']))
}

/// Reads an address; `database` is used where its path names none.
fn server(text: &str, database: i64) -> Result<Server, Problem> {
    let refused = |what: &str| Problem::new(what, FORMS);
    if text.contains('#') {
        // Some clients read `#insecure` as leave to believe any certificate.
        let instead = "leave out what begins with # (in a password write %23); a certificate that is not believed needs REDIS_TLS_CA_FILE";
        return Err(Problem::new("it has a part that begins with #", instead));
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| refused("it has no scheme"))?;
    let (name, tls) =
        scheme.strip_prefix("rediss").map_or_else(|| (scheme.strip_prefix("redis"), false), |name| (Some(name), true));
    match name {
        Some("") => single(text, database),
        Some("-sentinel") => {
            let (credentials, nodes, path) = split(rest, 26379)?;
            let (service, path) = path.split_once('/').unwrap_or((path, ""));
            if service.is_empty() {
                return Err(refused("the path does not name the Sentinels' service"));
            }
            let database = database_of(path)?.unwrap_or(database);
            Ok(Server::Sentinel(Sentinel { nodes, service: service.to_owned(), database, credentials, tls }))
        }
        Some("-cluster") => {
            let (credentials, nodes, path) = split(rest, 6379)?;
            match database_of(path)? {
                None | Some(0) => Ok(Server::Cluster(Cluster { nodes, credentials, tls })),
                Some(_) => Err(Problem::new("a cluster has only database 0", "leave the database out of the URL")),
            }
        }
        _ => Err(refused("its scheme is none of Redis")),
    }
}

fn single(text: &str, database: i64) -> Result<Server, Problem> {
    let mut url = Url::parse(text).map_err(|error| Problem::new(format!("it is no URL ({error})"), FORMS))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Problem::new("it names no host", FORMS));
    }
    if database_of(url.path().trim_start_matches('/'))?.is_none() {
        url.set_path(&format!("/{database}"));
    }
    Ok(Server::Single(Secret::new(url.as_str())))
}

fn database_of(path: &str) -> Result<Option<i64>, Problem> {
    match path.trim_end_matches('/') {
        "" => Ok(None),
        text => text.parse().ok().filter(|number| *number >= 0).map(Some).ok_or_else(|| {
            Problem::new("its path names no database", "end the URL with the database's number, such as /1")
        }),
    }
}

/// `[user:password@]host:port,host:port/path` as its three parts.
fn split(rest: &str, default_port: u16) -> Result<(Credentials, Vec<Node>, &str), Problem> {
    let (authority, path) = match rest.rfind('@').map(|at| at + 1) {
        Some(hosts) => {
            rest[hosts..].split_once('/').map_or((rest, ""), |(part, path)| (&rest[..hosts + part.len()], path))
        }
        None => rest.split_once('/').unwrap_or((rest, "")),
    };
    let (user_info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let decode =
        |text: &str| Some(percent_decode_str(text).decode_utf8_lossy().into_owned()).filter(|it| !it.is_empty());
    let credentials = Credentials { username: decode(username), password: decode(password).map(Secret::new) };
    let nodes = hosts.split(',').map(|part| node(part.trim(), default_port)).collect::<Result<_, _>>()?;
    Ok((credentials, nodes, path))
}

fn node(text: &str, default_port: u16) -> Result<Node, Problem> {
    let (name, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest))),
    };
    let port = rest.map_or(Ok(default_port), port)?;
    Ok(Node { host: host(name)?, port })
}

fn host(text: &str) -> Result<String, Problem> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Problem::new("it names no host", "write a host name or an address, without a scheme"))
}

fn port(text: &str) -> Result<u16, Problem> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
        let what = match text.strip_prefix("tcp://") {
            // Kubernetes sets such variables for every service of that name.
            Some(_) => "it is an address, as Kubernetes' service links set it, and no port",
            None => "it has no port from 1 to 65535",
        };
        Problem::new(what, "write a port such as 6379")
    })
}
