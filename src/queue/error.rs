//! What can go wrong between this program and Redis.

/// An error of the queue, told to a person.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// Redis cannot be reached, or did not answer in time. Whether a write took effect is unknown; every write here is
    /// safe to repeat.
    #[error("redis is unavailable ({0}); check that it runs and that REDIS_URL is right")]
    Unavailable(String),
    /// Redis answered with an error.
    #[error("redis refused a command ({0})")]
    Refused(String),
    /// The data in Redis belong to another version of this program.
    #[error("{0}")]
    Layout(String),
    /// The address in the settings cannot be used.
    #[error("REDIS_URL cannot be used: {0}")]
    Address(String),
    /// What was asked for does not exist, or the call was wrong.
    #[error("{0}")]
    Asked(String),
}

impl QueueError {
    /// Whether trying again can help once Redis is back.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        // A Redis that is still loading, has no master, or refuses writes for now is away as far as we are concerned.
        let busy = matches!(
            error.code(),
            Some("LOADING" | "MASTERDOWN" | "READONLY" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" | "BUSY" | "UNBLOCKED")
        );
        let away =
            error.is_io_error() || error.is_timeout() || error.is_connection_dropped() || error.is_connection_refusal();
        if busy || away { Self::Unavailable(error.to_string()) } else { Self::Refused(error.to_string()) }
    }
}
