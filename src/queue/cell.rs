//! A small value that all processes share and one of them renews, such as a sign-in token.

use std::time::Duration;

use super::Queue;
use super::error::QueueError;
use super::functions::Call;

/// A shared value with an expiry.
#[derive(Clone)]
pub struct Cell {
    queue: Queue,
    key: String,
}

impl Queue {
    /// The shared value of this name (under the key prefix).
    #[must_use]
    pub fn cell(&self, name: &str) -> Cell {
        Cell { queue: self.clone(), key: self.keys.at(name) }
    }
}

impl Cell {
    /// Its key in Redis.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value and how long it will be there.
    pub async fn get(&self) -> Result<Option<(String, Duration)>, QueueError> {
        let (value, left): (Option<String>, i64) =
            self.queue.control.pipe_twice(redis::pipe().cmd("GET").arg(&self.key).cmd("PTTL").arg(&self.key)).await?;
        Ok(value.map(|value| (value, Duration::from_millis(u64::try_from(left).unwrap_or(0)))))
    }

    /// Stores a value for this long, whoever else does so.
    pub async fn put(&self, value: &str, keep_for: Duration) -> Result<(), QueueError> {
        let ms = keep_for.as_millis().max(1).to_string();
        let mut set = redis::cmd("SET");
        set.arg(&self.key).arg(value).arg("PX").arg(ms);
        Ok(self.queue.control.query_twice(&set).await?)
    }

    /// Stores a value for this long and gives the right to renew back. `false`: the right was lost, nothing is stored.
    pub async fn put_renewed(&self, owner: &str, value: &str, keep_for: Duration) -> Result<bool, QueueError> {
        let ms = keep_for.as_millis().max(1).to_string();
        let stored: i64 = Call::new("renewed")
            .keys([self.renewal_key(), self.key.clone()])
            .args([owner, value, &ms])
            .run(&self.queue.control)
            .await?;
        Ok(stored == 1)
    }

    /// Takes the value away if it is still this one.
    pub async fn remove(&self, value: &str) -> Result<bool, QueueError> {
        let gone: i64 = Call::new("remove").key(self.key.clone()).arg(value).run(&self.queue.control).await?;
        Ok(gone == 1)
    }

    /// Takes the right to renew the value for at most this long; `owner` names the taker. `false`: somebody else does it.
    pub async fn begin_renewal(&self, owner: &str, at_most: Duration) -> Result<bool, QueueError> {
        let ms = at_most.as_millis().max(1).to_string();
        let key = self.renewal_key();
        let set: Option<String> =
            self.queue.control.query(redis::cmd("SET").arg(key).arg(owner).arg("NX").arg("PX").arg(ms)).await?;
        Ok(set.is_some())
    }

    /// Gives the right to renew back.
    pub async fn end_renewal(&self, owner: &str) -> Result<(), QueueError> {
        let _: i64 = Call::new("remove").key(self.renewal_key()).arg(owner).run(&self.queue.control).await?;
        Ok(())
    }

    fn renewal_key(&self) -> String {
        format!("{}:renewal", self.key)
    }
}
