//! The Redis that `up` starts where none is configured: AOF always, a data folder of its own, loopback only.

use std::fs::{File, Permissions, TryLockError};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::queue::{Options, Queue, Server};
use crate::secret::Secret;
use crate::settings::Redis;

/// How long it may take to answer; a large AOF is read at the start.
const START_WITHIN: Duration = Duration::from_mins(2);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A redis-server that belongs to this process.
pub struct PrivateRedis {
    /// `None` for one that an earlier process left behind and that goes on serving us.
    child: Option<Child>,
    url: Secret,
    url_file: PathBuf,
    /// Held for as long as this process lives, however it ends.
    _only_one: File,
}

impl PrivateRedis {
    /// Starts it with its data below `data_dir`, and writes its address to `redis.url` there. One that a killed process
    /// left running over the same data is taken over; one that serves another living process is left alone.
    pub async fn start(data_dir: &Path, database: i64) -> Result<Self> {
        let dir = data_dir.join("redis");
        std::fs::create_dir_all(&dir)
            // What the server keeps holds party data.
            .and_then(|()| std::fs::set_permissions(&dir, Permissions::from_mode(0o700)))
            .with_context(|| format!("cannot create {}; check ADVOSYNC_DATA_DIR", dir.display()))?;
        let dir = dir.canonicalize()?;
        let only_one = claim(data_dir)?;
        let url_file = Redis::url_file(data_dir);
        let alone = match find_or_lock(&url_file, &dir).await? {
            Folder::Served(url) => {
                tracing::warn!(folder = %dir.display(), "taking over the redis that an earlier process left running");
                return Ok(Self { child: None, url, url_file, _only_one: only_one });
            }
            Folder::Free(alone) => alone,
        };
        let port = free_port()?;
        let url = Secret::new(format!("redis://127.0.0.1:{port}/{database}"));
        // Before it starts: should this process be killed meanwhile, the next one must be able to find it.
        std::fs::write(&url_file, url.expose()).with_context(|| format!("cannot write {}", url_file.display()))?;
        let child = spawn(&dir, port, alone).inspect_err(|_| {
            let _ = std::fs::remove_file(&url_file);
        })?;
        let mut private = Self { child: Some(child), url, url_file, _only_one: only_one };
        if let Err(error) = private.wait_until_up().await {
            private.stop().await;
            return Err(error);
        }
        tracing::info!(port, folder = %dir.display(), "started a private redis");
        Ok(private)
    }

    /// Its address.
    #[must_use]
    pub const fn url(&self) -> &Secret {
        &self.url
    }

    /// Stops it; everything it has accepted is on disk.
    pub async fn stop(mut self) {
        let _ = std::fs::remove_file(&self.url_file);
        if let Ok(queue) = queue(&self.url) {
            queue.shut_server_down().await;
        }
        if let Some(child) = &mut self.child
            && tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err()
        {
            tracing::warn!("the private redis did not stop in time and is killed; what it accepted is on disk");
            let _ = child.kill().await;
        }
    }

    async fn wait_until_up(&mut self) -> Result<()> {
        let queue = queue(&self.url)?;
        let until = Instant::now() + START_WITHIN;
        while let Err(error) = queue.ping().await {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("redis-server ended at once ({status}); its log is in the data folder, redis/redis.log");
            }
            if Instant::now() > until {
                bail!("redis-server does not answer: {error}");
            }
            sleep(ASK_EVERY).await;
        }
        Ok(())
    }
}

/// The folder of the data.
enum Folder {
    /// A server runs over it already.
    Served(Secret),
    /// Nobody does; whoever holds this is the only one who may.
    Free(File),
}

/// Two servers over one folder would ruin it. So a server holds a lock of its folder until it ends, in whatever state
/// the process is that started it.
async fn find_or_lock(url_file: &Path, dir: &Path) -> Result<Folder> {
    let path = dir.join("redis.lock");
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let until = Instant::now() + START_WITHIN;
    loop {
        if let Some(url) = left_behind(url_file, dir).await {
            return Ok(Folder::Served(url));
        }
        match lock.try_lock() {
            Ok(()) => return Ok(Folder::Free(lock)),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
            // It still starts, or stops.
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(ASK_EVERY).await,
            Err(TryLockError::WouldBlock) => {
                bail!("a redis-server runs over {} and does not answer; stop it and start again", dir.display())
            }
        }
    }
}

/// Keeps a second process out of the folder: it would take the first one's Redis over and stop it at its own end.
fn claim(data_dir: &Path) -> Result<File> {
    let path = data_dir.join("up.lock");
    let file =
        File::create(&path).with_context(|| format!("cannot write {}; check ADVOSYNC_DATA_DIR", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another `advosync up` runs with the data folder {}; stop it, or set ADVOSYNC_DATA_DIR to another folder",
            data_dir.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// A server that still runs over this folder, left by a process that was killed.
async fn left_behind(url_file: &Path, dir: &Path) -> Option<Secret> {
    let url = Secret::new(std::fs::read_to_string(url_file).ok()?.trim());
    let queue = queue(&url).ok()?;
    let serves = queue.server_folder().await.ok()?;
    (Path::new(&serves) == dir).then_some(url)
}

fn queue(url: &Secret) -> Result<Queue> {
    let options = Options {
        server: Server::Single(url.clone()),
        prefix: String::new(),
        timeout: Duration::from_secs(2),
        tls: crate::queue::Tls::default(),
    };
    Ok(Queue::new(&options)?)
}

fn spawn(dir: &Path, port: u16, alone: File) -> Result<Child> {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--protected-mode", "yes", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"])
        .args(["--logfile", "redis.log", "--dir"])
        .arg(dir)
        // It never reads from it, but the lock is held for as long as it is open.
        .stdin(alone)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C reaches the whole group of the terminal; the server must outlive the jobs that are still draining.
        .process_group(0);
    command.spawn().context(
        "cannot start redis-server; install it (apt-get install redis-server), or set REDIS_URL to one that runs",
    )
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
