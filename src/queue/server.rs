//! What is asked of the server itself: where it keeps its data, how durable it is, to stop.

use std::collections::HashMap;

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

    /// How the server keeps what it accepts. Settings that the server hides (managed Redis) are empty.
    pub async fn durability(&self) -> Result<Durability, QueueError> {
        let info: String = self.control.query(redis::cmd("INFO").arg("server")).await?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
        let setting = async |name| self.server_setting(name).await.ok().flatten().unwrap_or_default();
        Ok(Durability {
            version: version.trim().to_owned(),
            append_only: setting("appendonly").await,
            fsync: setting("appendfsync").await,
            eviction: setting("maxmemory-policy").await,
        })
    }

    /// Asks the server to stop, after writing what it has. It answers by going away.
    pub async fn shut_server_down(&self) {
        let _: Result<(), _> = self.control.query(&redis::cmd("SHUTDOWN")).await;
    }

    async fn server_setting(&self, name: &str) -> Result<Option<String>, QueueError> {
        let mut found: HashMap<String, String> = self.control.query(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
        Ok(found.remove(name))
    }
}
