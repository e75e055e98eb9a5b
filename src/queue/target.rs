//! Where Redis is: standalone, Sentinel or Cluster, and how a connection to it is made.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, ClientTlsConfig, Cmd, ConnectionAddr, IntoConnectionInfo, Pipeline, RedisError, RedisFuture,
    TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;

use crate::secret::Secret;

/// Where Redis is, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server.
    pub server: Server,
    /// Put before every key; empty, or one hash tag such as `{advosync}:` on a cluster.
    pub prefix: String,
    /// How long to wait for a connection and for an answer.
    pub timeout: Duration,
    /// Certificates, where the server is reached by TLS.
    pub tls: Tls,
}

/// Certificates for the way to Redis, as PEM.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The only authorities that are believed; none: those of the web.
    pub authorities: Option<Secret>,
    /// What is shown to Redis: the certificate with its chain, and its key.
    pub client: Option<(Secret, Secret)>,
}

impl Tls {
    fn certificates(&self) -> TlsCertificates {
        let bytes = |pem: &Secret| pem.expose().as_bytes().to_vec();
        TlsCertificates {
            client_tls: self
                .client
                .as_ref()
                .map(|(chain, key)| ClientTlsConfig { client_cert: bytes(chain), client_key: bytes(key) }),
            root_cert: self.authorities.as_ref().map(bytes),
        }
    }
}

/// The kinds of Redis.
#[derive(Debug, Clone)]
pub enum Server {
    /// One server, as `redis://…/database` or `rediss://…`.
    Single(Secret),
    /// Sentinels that know where the master is.
    Sentinel {
        /// The Sentinels, host and port.
        nodes: Vec<(String, u16)>,
        /// The master's name.
        service: String,
        /// The database at the master.
        database: i64,
        /// How to sign in at the master.
        login: Login,
    },
    /// A cluster.
    Cluster {
        /// Some of its nodes, host and port.
        nodes: Vec<(String, u16)>,
        /// How to sign in.
        login: Login,
    },
}

/// How to sign in, and whether by TLS.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Whether to use TLS.
    pub tls: bool,
}

/// How to reach a master.
pub(super) enum Target {
    Single(redis::Client),
    Sentinel(Mutex<SentinelClient>),
    Cluster(Box<ClusterClient>),
}

/// A connection of either kind.
#[derive(Clone)]
pub(super) enum Conn {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Conn {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(conn) => conn.req_packed_command(cmd),
            Self::Cluster(conn) => conn.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(conn) => conn.req_packed_commands(pipeline, offset, count),
            Self::Cluster(conn) => conn.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(conn) => conn.get_db(),
            Self::Cluster(conn) => conn.get_db(),
        }
    }
}

/// Calls are small and do not wait for each other's answers; holding one back until the last is acknowledged (Nagle)
/// would only delay it.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

impl Target {
    pub(super) fn new(options: &Options) -> Result<Self, RedisError> {
        Ok(match &options.server {
            Server::Single(url) => {
                let info = url.expose().into_connection_info()?.set_tcp_settings(tcp());
                // Telling our library's name is a command more than needed, and a right more for our user.
                let unnamed = info.redis_settings().clone().set_skip_set_lib_name();
                let info = info.set_redis_settings(unnamed);
                Self::Single(if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
                    redis::Client::build_with_tls(info, options.tls.certificates())?
                } else {
                    redis::Client::open(info)?
                })
            }
            Server::Sentinel { nodes, service, database, login } => {
                let nodes = nodes.iter().cloned().map(|(host, port)| {
                    if login.tls {
                        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
                    } else {
                        ConnectionAddr::Tcp(host, port)
                    }
                });
                let mut builder = SentinelClientBuilder::new(nodes, service.clone(), SentinelServerType::Master)?
                    .set_client_to_redis_tcp_settings(tcp())
                    .set_client_to_redis_db(*database);
                if let Some(username) = &login.username {
                    builder = builder.set_client_to_redis_username(username);
                }
                if let Some(password) = &login.password {
                    builder = builder.set_client_to_redis_password(password.expose());
                }
                if login.tls {
                    // Whoever can answer for a Sentinel chooses the master: it has to prove who it is as well.
                    builder = builder
                        .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                        .set_client_to_sentinel_certificates(options.tls.certificates())
                        .set_client_to_redis_tls_mode(TlsMode::Secure)
                        .set_client_to_redis_certificates(options.tls.certificates());
                }
                Self::Sentinel(Mutex::new(builder.build()?))
            }
            Server::Cluster { nodes, login } => {
                let scheme = if login.tls { "rediss" } else { "redis" };
                let nodes: Vec<String> = nodes.iter().map(|(host, port)| format!("{scheme}://{host}:{port}")).collect();
                let mut builder = ClusterClientBuilder::new(nodes)
                    .tcp_settings(tcp())
                    .connection_timeout(options.timeout)
                    // Blocking reads go through here, too.
                    .response_timeout(options.timeout + super::consumer::BLOCK);
                if let Some(username) = &login.username {
                    builder = builder.username(username);
                }
                if let Some(password) = &login.password {
                    builder = builder.password(password.expose());
                }
                if login.tls {
                    builder = builder.certs(options.tls.certificates());
                }
                Self::Cluster(Box::new(builder.build()?))
            }
        })
    }

    /// What to say when no connection comes about in time.
    pub(super) fn late(&self) -> &'static str {
        match self {
            Self::Single(client) if matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }) => {
                "no connection by TLS in time; a port of redis that does not speak TLS is silent like this"
            }
            _ => "no connection in time",
        }
    }

    pub(super) async fn connect(&self, connect_within: Duration, answer_within: Duration) -> Result<Conn, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_within))
            .set_response_timeout(Some(answer_within));
        Ok(match self {
            Self::Single(client) => Conn::Single(client.get_multiplexed_async_connection_with_config(&config).await?),
            Self::Sentinel(client) => {
                Conn::Single(client.lock().await.get_async_connection_with_config(&config).await?)
            }
            Self::Cluster(client) => Conn::Cluster(client.get_async_connection().await?),
        })
    }
}
