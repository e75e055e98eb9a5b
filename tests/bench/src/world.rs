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

    /// How long the last run of this topic and key took, by the queue's own record, in ms.
    pub(crate) async fn last_run_ms(&self, topic_and_key: &str) -> Result<f64> {
        let mut redis = self.redis.connect().await?;
        let entries: redis::streams::StreamRangeReply =
            redis::cmd("XREVRANGE").arg("jobs:vmh:done").arg("+").arg("-").query_async(&mut redis).await?;
        let runs = entries.ids.iter().filter_map(|entry| entry.get::<String>("run"));
        let runs = runs.filter_map(|run| serde_json::from_str::<serde_json::Value>(&run).ok());
        let name = |run: &serde_json::Value| {
            format!("{} {}", run["topic"].as_str().unwrap_or(""), run["key"].as_str().unwrap_or(""))
        };
        let run = runs.into_iter().find(|run| name(run) == topic_and_key).context("no such run is on record")?;
        let at = |name: &str| run[name].as_f64().context("a run without times");
        Ok(at("ended_at")? - at("started_at")?)
    }

    /// From now on the peak of the worker's memory is counted anew.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        let pid = self.worker.id().context("the worker has ended")?;
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the peak cannot be reset")
    }

    /// The most memory that the worker has had since.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        peak_mib(&self.worker.id().context("the worker has ended")?.to_string())
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

/// The most memory that a process has had; `self` is this one.
pub(crate) fn peak_mib(process: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
