//! What the ledger needs of Redis: commands and functions under the same prefix and connections as the queue.

use redis::{Cmd, FromRedisValue};

use super::Queue;
use super::error::QueueError;
use super::functions::Call;
use super::topic::Flow;

/// Redis for another room that keeps state of its own.
#[derive(Clone)]
pub struct Store {
    queue: Queue,
}

impl Queue {
    /// Redis for another room that keeps state of its own.
    #[must_use]
    pub fn store(&self) -> Store {
        Store { queue: self.clone() }
    }
}

impl Store {
    /// `name` under the key prefix.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        self.queue.keys.at(name)
    }

    /// Sends one command. Must be safe to repeat: a dead connection makes it run twice.
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, QueueError> {
        Ok(self.queue.bulk.query_twice(cmd).await?)
    }

    /// Calls a function of a ledger by its whole name; its first key is the lock of the run. Must be safe to repeat: a dead
    /// connection makes it run twice. A run that writes here is on its way: should its worker die, that was not the job's
    /// doing (Q10).
    pub async fn call<T: FromRedisValue>(
        &self,
        flow: Flow,
        function: &str,
        keys: Vec<String>,
        args: &[impl AsRef<[u8]>],
    ) -> Result<T, QueueError> {
        let mut progress = redis::cmd("HSET");
        progress.arg(self.queue.keys.progress(flow)).arg(&keys[0]).arg(1);
        Call::named(function).keys(keys).args(args).run_with(progress, &self.queue.bulk).await
    }

    /// Deletes a string if it is still this value.
    pub async fn remove(&self, key: &str, value: &str) -> Result<bool, QueueError> {
        let gone: i64 = Call::new("remove").key(key).arg(value).run_twice(&self.queue.control).await?;
        Ok(gone == 1)
    }
}
