//! Keeps the layout in Redis fit for this program for as long as a role runs.

use std::time::Duration;

use chrono::Utc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::queue::{Queue, QueueError};

/// How soon it is tried again while Redis is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a layout that was there is looked after: Redis may be emptied while we run.
const LOOK: Duration = Duration::from_secs(2);

/// Sets the layout up and looks after it until `stop`. The first answer is cancelled when it is there for the first
/// time; the second ends with an error, and stops the role, when another version's layout is there.
pub(super) fn keep(queue: Queue, stop: CancellationToken) -> (CancellationToken, JoinHandle<Result<(), QueueError>>) {
    let ready = CancellationToken::new();
    let told = ready.clone();
    let keeper = tokio::spawn(async move {
        let mut away = false;
        loop {
            let pause = match queue.prepare(Utc::now()).await {
                Ok(()) => {
                    if std::mem::take(&mut away) || !told.is_cancelled() {
                        tracing::info!("redis answers and its layout fits");
                    }
                    told.cancel();
                    LOOK
                }
                Err(error @ QueueError::Layout(_)) => {
                    tracing::error!(%error, "this program cannot work with what is in redis");
                    stop.cancel();
                    return Err(error);
                }
                Err(error) => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::error!(%error, "redis cannot be used, trying again");
                    }
                    AGAIN
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    });
    (ready, keeper)
}
