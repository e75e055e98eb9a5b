//! A Redis of its own for a run, and what it says about itself.

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long Redis may take to come up, and to rewrite its log.
const WITHIN: Duration = Duration::from_secs(30);

/// When Redis writes to the disk what it has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fsync {
    /// Once a second: up to a second can be lost.
    Everysec,
    /// Before it answers.
    Always,
}

impl Fsync {
    /// The word that Redis knows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Everysec => "everysec",
            Self::Always => "always",
        }
    }

    /// What is put behind the figures' names.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Everysec => "",
            Self::Always => "_always",
        }
    }
}

/// A private Redis on a port of its own, in a folder of its own.
pub(crate) struct Redis {
    /// Its address, database 1.
    pub(crate) url: String,
    /// Its port.
    pub(crate) port: u16,
    fsync: Fsync,
    conn: MultiplexedConnection,
    process: Child,
    _dir: TempDir,
}

impl Redis {
    /// Starts it. The log of changes is never rewritten on its own: a fork in the middle would hit one side only.
    pub(crate) async fn start(fsync: Fsync) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", fsync.name(), "--auto-aof-rewrite-percentage", "0", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server cannot be started; `make bench` installs it")?;
        let url = format!("redis://127.0.0.1:{port}/1");
        let until = Instant::now() + WITHIN;
        let conn = loop {
            match connect(&url).await {
                Ok(conn) => break conn,
                Err(error) if Instant::now() > until => return Err(error.context("redis does not answer")),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        };
        Ok(Self { url, port, fsync, conn, process, _dir: dir })
    }

    /// Empties it, and its log of changes; functions stay.
    pub(crate) async fn empty(&self) -> Result<()> {
        let mut conn = self.conn.clone();
        let () = redis::cmd("FLUSHALL").arg("SYNC").query_async(&mut conn).await?;
        let _: String = redis::cmd("BGREWRITEAOF").query_async(&mut conn).await?;
        let until = Instant::now() + WITHIN;
        while self.info("persistence").await?.number("aof_rewrite_in_progress") > 0.0 {
            if Instant::now() > until {
                bail!("redis does not finish rewriting its log of changes");
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Waits until what was written before is on the disk, so that the next measurement does not pay for it.
    pub(crate) async fn settle(&self) -> Result<()> {
        if self.fsync == Fsync::Always {
            return Ok(());
        }
        // The last write is followed by a sync within a second.
        sleep(Duration::from_millis(1_100)).await;
        while self.info("persistence").await?.number("aof_pending_bio_fsync") > 0.0 {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Seconds of CPU that it has used, all its threads.
    pub(crate) async fn cpu(&self) -> Result<f64> {
        let info = self.info("cpu").await?;
        Ok(info.number("used_cpu_user") + info.number("used_cpu_sys"))
    }

    /// Bytes that it has allocated.
    pub(crate) async fn memory(&self) -> Result<f64> {
        Ok(self.info("memory").await?.number("used_memory"))
    }

    /// Its keys, with the bytes of each.
    pub(crate) async fn keys(&self) -> Result<Vec<(String, u64)>> {
        let mut conn = self.conn.clone();
        let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut conn).await?;
        let mut sizes = Vec::new();
        for name in names {
            let mut cmd = redis::cmd("MEMORY");
            let size: Option<u64> = cmd.arg("USAGE").arg(&name).arg("SAMPLES").arg(0).query_async(&mut conn).await?;
            sizes.push((name, size.unwrap_or_default()));
        }
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        Ok(sizes)
    }

    /// What it did so far, by command; what functions call is counted, too.
    pub(crate) async fn calls(&self) -> Result<Calls> {
        let info = self.info("commandstats").await?;
        let calls = info.0.iter().filter_map(|(name, stats)| {
            let number = |wanted: &str| {
                let mut parts = stats.split(',').filter_map(|part| part.split_once('='));
                parts.find(|(name, _)| *name == wanted)?.1.parse().ok()
            };
            Some((name.strip_prefix("cmdstat_")?.to_owned(), [number("calls")?, number("usec")?]))
        });
        Ok(Calls(calls.collect()))
    }

    /// How many entries or elements these streams and lists hold.
    pub(crate) async fn count(&self, keys: &[(&str, &str)]) -> Result<u64> {
        let mut pipe = redis::pipe();
        for (command, key) in keys {
            pipe.cmd(command).arg(key);
        }
        let counts: Vec<u64> = pipe.query_async(&mut self.conn.clone()).await?;
        Ok(counts.iter().sum())
    }

    /// A further connection.
    pub(crate) async fn connect(&self) -> Result<MultiplexedConnection> {
        connect(&self.url).await
    }

    async fn info(&self, section: &str) -> Result<Info> {
        let text: String = redis::cmd("INFO").arg(section).query_async(&mut self.conn.clone()).await?;
        let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Ok(Info(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        let _ = self.process.kill().await;
    }
}

/// How often each command was called, and how many microseconds that took.
pub(crate) struct Calls(HashMap<String, [f64; 2]>);

/// What clients send while they work through a queue. No function of ours calls these; if one did, it would count
/// against it.
const FROM_CLIENTS: [&str; 6] = ["fcall", "fcall_ro", "evalsha", "xreadgroup", "xautoclaim", "bzpopmin"];

impl Calls {
    /// What was done since `before`, the most expensive first: command, calls, microseconds.
    pub(crate) fn since(&self, before: &Self) -> Vec<(&str, f64, f64)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(name, [calls, time])| {
                let [calls_before, time_before] = before.0.get(name).copied().unwrap_or_default();
                (name.as_str(), calls - calls_before, time - time_before)
            })
            .collect();
        all.sort_by(|one, other| other.2.total_cmp(&one.2));
        all
    }

    /// How many calls clients made since `before`.
    pub(crate) fn by_clients_since(&self, before: &Self) -> f64 {
        self.since(before).iter().filter(|(name, ..)| FROM_CLIENTS.contains(name)).map(|(_, calls, _)| calls).sum()
    }
}

struct Info(HashMap<String, String>);

impl Info {
    fn number(&self, name: &str) -> f64 {
        self.0.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// A connection that waits as long as the slowest call may take.
pub(crate) async fn connect(url: &str) -> Result<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_mins(1)));
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await?)
}
