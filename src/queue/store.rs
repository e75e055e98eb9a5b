//! What the ledger needs of Redis: commands and functions under the same prefix and connections as the queue.

use redis::{Cmd, FromRedisValue};

use super::Queue;
use super::error::QueueError;
use super::functions::Call;

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

    /// Calls a function of this layout. Must be safe to repeat: a dead connection makes it run twice.
    pub async fn call<T: FromRedisValue>(&self, name: &str, keys: Vec<String>, args: &[&str]) -> Result<T, QueueError> {
        Call::new(name).keys(keys).args(args).run_twice(&self.queue.bulk).await
    }
}
