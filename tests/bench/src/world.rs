//! What is measured: the binary, a Redis, the sandbox.

use std::path::PathBuf;

use advosync::queue::Queue;
use advosync_sandbox::{Options as SandboxOptions, Sandbox};
use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::redis::{Fsync, Redis};
use crate::worker;

/// Everything that runs.
pub(crate) struct World {
    /// Plays Advoware and EspoCRM.
    pub(crate) sandbox: Sandbox,
    /// The queue of the running worker.
    pub(crate) queue: Queue,
    /// Its Redis.
    pub(crate) redis: Redis,
    worker: Child,
    _dir: TempDir,
}

impl World {
    /// Starts a Redis (AOF always, as in production), the sandbox and one worker process.
    pub(crate) async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let redis = Redis::start(Fsync::Always).await?;
        let queue = worker::queue(&redis.url)?;
        queue.prepare(chrono::Utc::now()).await?;
        let sandbox = Sandbox::start(SandboxOptions::default()).await?;
        let worker = Command::new(binary())
            .arg("worker")
            .env_clear()
            .envs(sandbox.env())
            .env("REDIS_URL", &redis.url)
            .env("RUST_LOG", "warn")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(dir.path())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started; `make bench` builds it", binary().display()))?;
        Ok(Self { sandbox, queue, redis, worker, _dir: dir })
    }

    /// Ends it all.
    pub(crate) async fn stop(mut self) {
        let _ = self.worker.kill().await;
        self.redis.stop().await;
    }
}

/// The release binary beside this one.
pub(crate) fn binary() -> PathBuf {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.set_file_name("advosync");
    path
}
