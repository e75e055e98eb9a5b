//! Calls the Redis functions of `migrations/`, and mends what a flush or a failover took away.

use redis::{Cmd, FromRedisValue, RedisError};

use super::error::QueueError;
use super::keys::{GROUP, Keys};
use super::link::{Link, is_dead};
use super::topic::{Flow, Lane};

/// The libraries by name. A released layout's code never changes: what changes gets a new number. The last one has
/// stable names, for people.
pub(super) const LIBRARIES: [(&str, &str); 4] = [
    ("advosync_1", include_str!("../../migrations/0001_queue.lua")),
    ("advosync_1_layout", include_str!("../../migrations/0001_layout.lua")),
    ("advosync_1_ledger", include_str!("../../migrations/0001_ledger.lua")),
    ("advosync_admin", include_str!("../../migrations/admin.lua")),
];
/// Put before the names of this layout's functions.
const FUNCTION_PREFIX: &str = "advosync_1_";

/// A call that is being put together: keys first, arguments after.
pub(super) struct Call {
    name: String,
    keys: Vec<String>,
    args: Vec<Vec<u8>>,
    read_only: bool,
}

impl Call {
    /// A call of one of this layout's functions.
    pub(super) fn new(name: &str) -> Self {
        Self { name: format!("{FUNCTION_PREFIX}{name}"), keys: Vec::new(), args: Vec::new(), read_only: false }
    }

    /// A call of a function of the library for people.
    pub(super) fn admin(name: &str) -> Self {
        Self { name: name.to_owned(), keys: Vec::new(), args: Vec::new(), read_only: false }
    }

    /// Marks the function as one that writes nothing.
    pub(super) const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(super) fn key(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }

    pub(super) fn keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.keys.extend(keys);
        self
    }

    pub(super) fn arg(mut self, arg: impl AsRef<[u8]>) -> Self {
        self.args.push(arg.as_ref().to_vec());
        self
    }

    pub(super) fn args<T: AsRef<[u8]>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_vec()));
        self
    }

    fn command(&self) -> Cmd {
        let mut cmd = redis::cmd(if self.read_only { "FCALL_RO" } else { "FCALL" });
        cmd.arg(&self.name).arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        cmd
    }

    /// Runs it. A library that is missing (a Redis that was emptied) is loaded and the call repeated. What only reads is
    /// repeated also when the connection turned out to be dead.
    pub(super) async fn run<T: FromRedisValue>(self, link: &Link) -> Result<T, QueueError> {
        if self.read_only {
            return self.run_twice(link).await;
        }
        match self.attempt(link).await {
            Err(error) if is_missing_function(&error) => {
                load_libraries(link).await?;
                Ok(self.attempt(link).await?)
            }
            other => Ok(other?),
        }
    }

    /// Runs what is safe to repeat: once more when the connection turned out to be dead.
    pub(super) async fn run_twice<T: FromRedisValue>(self, link: &Link) -> Result<T, QueueError> {
        match self.attempt(link).await {
            Err(error) if is_missing_function(&error) => load_libraries(link).await?,
            Err(error) if is_dead(&error) => {}
            other => return Ok(other?),
        }
        Ok(self.attempt(link).await?)
    }

    async fn attempt<T: FromRedisValue>(&self, link: &Link) -> Result<T, RedisError> {
        link.query(&self.command()).await
    }
}

fn is_missing_function(error: &RedisError) -> bool {
    error.to_string().contains("Function not found")
}

/// Loads the libraries, replacing what is there.
pub(super) async fn load_libraries(link: &Link) -> Result<(), QueueError> {
    for (_, code) in LIBRARIES {
        let () = link.query(redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(code)).await?;
    }
    link.tell_loaded();
    Ok(())
}

/// Makes sure that the streams of a flow and their group exist. From id 0, never `$`: entries that came before the
/// group did are jobs too.
pub(super) async fn create_groups(link: &Link, keys: &Keys, flow: Flow) -> Result<(), QueueError> {
    let mut new = 0;
    for lane in Lane::ALL {
        let made: Result<(), RedisError> = link
            .query(redis::cmd("XGROUP").arg("CREATE").arg(keys.stream(flow, lane)).arg(GROUP).arg("0").arg("MKSTREAM"))
            .await;
        match made {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            other => {
                other?;
                new += 1;
            }
        }
    }
    if new > 0 {
        tracing::info!(%flow, made = new, "groups of job streams were missing in redis and were made");
    }
    Ok(())
}
