//! What is asked of the server itself: where it keeps its data, how durable it is, to stop.

use std::collections::HashMap;

use redis::FromRedisValue;

use super::Queue;
use super::error::QueueError;

/// How the server keeps what it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// Its version.
    pub version: String,
    /// `appendonly`: `yes` or `no`.
    pub append_only: String,
    /// `appendfsync`: `always`, `everysec` or `no`.
    pub fsync: String,
    /// `maxmemory-policy`; anything but `noeviction` may throw jobs away.
    pub eviction: String,
}

impl Queue {
    /// The folder in which the server keeps its data.
    pub async fn server_folder(&self) -> Result<String, QueueError> {
        Ok(self.server_setting("dir").await?.unwrap_or_default())
    }

    /// How the server keeps what it accepts. What it hides (managed Redis has no CONFIG) is empty, unless INFO tells.
    ///
    /// # Errors
    /// `Unavailable`; a refusal is no error here.
    pub async fn durability(&self) -> Result<Durability, QueueError> {
        let info: String = self.unless_refused(&redis::cmd("INFO")).await?.unwrap_or_default();
        let told = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let mut settings = Vec::new();
        for name in ["appendonly", "appendfsync", "maxmemory-policy"] {
            let mut found: HashMap<String, String> =
                self.unless_refused(redis::cmd("CONFIG").arg("GET").arg(name)).await?.unwrap_or_default();
            settings.push(found.remove(name));
        }
        let [append_only, fsync, eviction] = settings.try_into().unwrap_or_default();
        let appends = told("aof_enabled").map(|on| if on == "1" { "yes" } else { "no" });
        let or_told = |setting: Option<String>, told: Option<&str>| setting.or_else(|| told.map(str::to_owned));
        Ok(Durability {
            version: told("redis_version").unwrap_or_default().to_owned(),
            append_only: or_told(append_only, appends).unwrap_or_default(),
            fsync: fsync.unwrap_or_default(),
            eviction: or_told(eviction, told("maxmemory_policy")).unwrap_or_default(),
        })
    }

    /// Asks the server to stop, after writing what it has. It answers by going away.
    pub async fn shut_server_down(&self) {
        let _: Result<(), _> = self.control.query(&redis::cmd("SHUTDOWN")).await;
    }

    /// `None` where the server does not answer such questions.
    async fn unless_refused<T: FromRedisValue>(&self, cmd: &redis::Cmd) -> Result<Option<T>, QueueError> {
        match self.control.query(cmd).await.map_err(QueueError::from) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_unavailable() => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn server_setting(&self, name: &str) -> Result<Option<String>, QueueError> {
        let mut found: HashMap<String, String> = self.control.query(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
        Ok(found.remove(name))
    }
}
