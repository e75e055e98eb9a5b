//! The processes that take webhooks: the product's ingress, and the same kind of server with plain XADD behind it.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::process::{Child as Process, Command};
use tokio::time::{Instant, sleep};

use crate::child::{self, Child};
use crate::http::{Connection, SECRET};
use crate::jobs;
use crate::raw;
use crate::world::binary;

/// How long a server may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// A server under load.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    process: Running,
}

enum Running {
    Ingress { process: Process, _folder: TempDir },
    Plain(Child),
}

impl Server {
    /// The real `advosync ingress`, with signatures on; its log at `level` goes nowhere.
    pub(crate) async fn ingress(redis: &str, level: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let address = free_address()?;
        let process = Command::new(binary())
            .arg("ingress")
            .env_clear()
            .env("REDIS_URL", redis)
            .env("ADVOSYNC_LISTEN", address.to_string())
            .env("ESPOCRM_WEBHOOK_SECRET", SECRET)
            .env("RUST_LOG", level)
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started; `make bench` builds it", binary().display()))?;
        let server = Self { address, process: Running::Ingress { process, _folder: dir } };
        let until = Instant::now() + UP_WITHIN;
        while server.ready().await.is_err() {
            if Instant::now() > until {
                bail!("`advosync ingress` does not get ready");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// One pipelined XADD a request and nothing else.
    pub(crate) async fn plain(redis: &str) -> Result<Self> {
        let mut child = Child::start(&["server", "--redis", redis]).await?;
        let address = child.line().await?.parse()?;
        Ok(Self { address, process: Running::Plain(child) })
    }

    /// Seconds of CPU that it has used.
    pub(crate) fn cpu(&self) -> Option<f64> {
        match &self.process {
            Running::Ingress { process, .. } => child::cpu_of(process.id()?),
            Running::Plain(child) => child.cpu(),
        }
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> Result<()> {
        match self.process {
            Running::Ingress { mut process, .. } => Ok(process.kill().await?),
            Running::Plain(child) => child.stop().await.map(drop),
        }
    }

    async fn ready(&self) -> Result<()> {
        Connection::open(self.address).await?.send(b"GET /readyz HTTP/1.1\r\nhost: bench\r\n\r\n").await
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// In a child process: the plain server, until the parent closes our stdin.
pub(crate) async fn serve(redis: String) -> Result<()> {
    let mut commands = child::commands();
    let conn = crate::redis::connect(&redis).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // Small answers must not wait for the client's acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let routes = Router::new().route("/vmh/webhook/{entity}/{action}", post(receive)).with_state(conn);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    child::say_ready();
    println!("{address}");
    child::wait_for_stop(&mut commands).await
}

async fn receive(State(mut conn): State<MultiplexedConnection>, body: Bytes) -> Result<&'static str, StatusCode> {
    // The keys are made up, the body is only taken in: the least that any server would do.
    let n = body.len() as u64;
    let keys = [jobs::key(n), jobs::key(n + 1)];
    let added = raw::add(&mut conn, &keys, &jobs::traceparent(n)).await;
    added.map(|()| r#"{"status":"received"}"#).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
