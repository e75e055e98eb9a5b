//! When the next request may go out.

use std::time::Duration;

use async_trait::async_trait;

/// The pace that all processes of one acting user keep together.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Reserves a place in line and says how long to wait for it.
    async fn take(&self) -> Result<Duration, LimiterError>;
    /// Nobody may call for this long.
    async fn pause(&self, at_least: Duration) -> Result<(), LimiterError>;
}

/// The limiter's store is out of reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LimiterError(pub String);

/// Lets everything through at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLimiter;

#[async_trait]
impl Limiter for NoLimiter {
    async fn take(&self) -> Result<Duration, LimiterError> {
        Ok(Duration::ZERO)
    }

    async fn pause(&self, _: Duration) -> Result<(), LimiterError> {
        Ok(())
    }
}
