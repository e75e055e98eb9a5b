//! Connections to Redis: standalone, Sentinel or Cluster behind one type that reconnects.
//!
//! redis-rs would answer a blocking read with a timeout after 500 ms and make every clone of a connection wait behind
//! it, so each duty (bulk calls, renewals, blocking reads) has a `Link` of its own with response times that fit.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, FromRedisValue, Pipeline, RedisError, RedisFuture, TlsMode, Value,
};
use tokio::sync::Mutex;

use super::error::QueueError;
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
enum Target {
    Single(redis::Client),
    Sentinel(Mutex<SentinelClient>),
    Cluster(Box<ClusterClient>),
}

/// A connection of either kind.
#[derive(Clone)]
enum Conn {
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

/// The connection in use and its number, so that a late error does not throw away its successor.
struct Slot {
    conn: Option<Conn>,
    number: u64,
}

/// One connection for one duty. Made without touching the network; connects when it is first used, and again after a
/// failure.
#[derive(Clone)]
pub(super) struct Link {
    target: Arc<Target>,
    connect_within: Duration,
    answer_within: Duration,
    slot: Arc<Mutex<Slot>>,
}

impl Link {
    /// A link to the Redis of these options.
    pub(super) fn new(options: &Options) -> Result<Self, QueueError> {
        let target = Target::new(options).map_err(|error| QueueError::Address(error.to_string()))?;
        Ok(Self {
            target: Arc::new(target),
            connect_within: options.timeout,
            answer_within: options.timeout,
            slot: Arc::new(Mutex::new(Slot { conn: None, number: 0 })),
        })
    }

    /// A further connection to the same Redis, for answers that may take `longer` than usual.
    pub(super) fn another(&self, longer: Duration) -> Self {
        Self {
            target: Arc::clone(&self.target),
            connect_within: self.connect_within,
            answer_within: self.connect_within + longer,
            slot: Arc::new(Mutex::new(Slot { conn: None, number: 0 })),
        }
    }

    /// Sends one command.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        let (mut conn, number) = self.conn().await?;
        let answer = cmd.query_async(&mut conn).await;
        self.look_at(answer, number).await
    }

    /// Sends several commands at once.
    pub(super) async fn pipe<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, RedisError> {
        let (mut conn, number) = self.conn().await?;
        let answer = pipe.query_async(&mut conn).await;
        self.look_at(answer, number).await
    }

    async fn look_at<T>(&self, answer: Result<T, RedisError>, number: u64) -> Result<T, RedisError> {
        if let Err(error) = &answer
            && (error.is_unrecoverable_error()
                || error.is_timeout()
                || error.is_io_error()
                || error.code() == Some("READONLY"))
        {
            let mut slot = self.slot.lock().await;
            if slot.number == number {
                slot.conn = None;
            }
        }
        answer
    }

    async fn conn(&self) -> Result<(Conn, u64), RedisError> {
        let mut slot = self.slot.lock().await;
        if let Some(conn) = &slot.conn {
            return Ok((conn.clone(), slot.number));
        }
        let conn =
            tokio::time::timeout(self.connect_within, self.target.connect(self.connect_within, self.answer_within))
                .await
                .map_err(|_| {
                    RedisError::from(std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time"))
                })??;
        slot.number += 1;
        slot.conn = Some(conn.clone());
        Ok((conn, slot.number))
    }
}

impl Target {
    fn new(options: &Options) -> Result<Self, RedisError> {
        Ok(match &options.server {
            Server::Single(url) => Self::Single(redis::Client::open(url.expose())?),
            Server::Sentinel { nodes, service, database, login } => {
                let nodes = nodes.iter().map(|(host, port)| ConnectionAddr::Tcp(host.clone(), *port));
                let mut builder = SentinelClientBuilder::new(nodes, service.clone(), SentinelServerType::Master)?
                    .set_client_to_redis_db(*database);
                if let Some(username) = &login.username {
                    builder = builder.set_client_to_redis_username(username);
                }
                if let Some(password) = &login.password {
                    builder = builder.set_client_to_redis_password(password.expose());
                }
                if login.tls {
                    builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
                }
                Self::Sentinel(Mutex::new(builder.build()?))
            }
            Server::Cluster { nodes, login } => {
                let scheme = if login.tls { "rediss" } else { "redis" };
                let nodes: Vec<String> = nodes.iter().map(|(host, port)| format!("{scheme}://{host}:{port}")).collect();
                let mut builder = ClusterClientBuilder::new(nodes)
                    .connection_timeout(options.timeout)
                    // Blocking reads go through here, too.
                    .response_timeout(options.timeout + super::consumer::BLOCK);
                if let Some(username) = &login.username {
                    builder = builder.username(username);
                }
                if let Some(password) = &login.password {
                    builder = builder.password(password.expose());
                }
                Self::Cluster(Box::new(builder.build()?))
            }
        })
    }

    async fn connect(&self, connect_within: Duration, answer_within: Duration) -> Result<Conn, RedisError> {
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
