//! What is measured: the binary, a Redis, the sandbox.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use advosync::queue::{Options, Queue, Server};
use advosync_sandbox::{Options as SandboxOptions, Sandbox};
use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long everything may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// Everything that runs.
pub(crate) struct World {
    /// Plays Advoware and EspoCRM.
    pub(crate) sandbox: Sandbox,
    /// The queue of the running worker.
    pub(crate) queue: Queue,
    /// Its Redis, database 1.
    pub(crate) redis_url: String,
    redis: Child,
    worker: Child,
    _dir: TempDir,
}

impl World {
    /// Starts a Redis, the sandbox and one worker process.
    pub(crate) async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let redis = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server cannot be started; `make bench` installs it")?;
        let redis_url = format!("redis://127.0.0.1:{port}/1");
        let server = Server::Single(redis_url.clone().into());
        let queue = Queue::new(&Options { server, prefix: String::new(), timeout: Duration::from_secs(5) })?;
        let until = Instant::now() + UP_WITHIN;
        while queue.prepare(chrono::Utc::now()).await.is_err() {
            if Instant::now() > until {
                bail!("redis does not answer");
            }
            sleep(Duration::from_millis(20)).await;
        }
        let sandbox = Sandbox::start(SandboxOptions::default()).await?;
        let worker = Command::new(binary())
            .arg("worker")
            .env_clear()
            .envs(sandbox.env())
            .env("REDIS_URL", &redis_url)
            .env("RUST_LOG", "warn")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(dir.path())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started; `make bench` builds it", binary().display()))?;
        Ok(Self { sandbox, queue, redis_url, redis, worker, _dir: dir })
    }

    /// Ends it all.
    pub(crate) async fn stop(mut self) {
        let _ = self.worker.kill().await;
        let _ = self.redis.kill().await;
    }
}

/// The release binary beside this one.
fn binary() -> PathBuf {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.set_file_name("advosync");
    path
}
