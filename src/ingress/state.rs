//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::ApiError;
use super::body::Reader;
use crate::callers::Door;
use crate::queue::{Batch, Enqueued, Queue, QueueError};
use crate::secret::Secret;
use crate::settings::WebhookSecrets;
use crate::telemetry::Hush;

/// Gives the W3C `traceparent` of the current span, if there is a trace.
pub type Trace = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What the routes need.
#[derive(Clone)]
pub struct Options {
    /// Where jobs go.
    pub queue: Queue,
    /// The mappings' names; webhooks for other entities are answered with 404.
    pub entities: Vec<String>,
    /// Unset: webhooks are let in unsigned (only ever on loopback).
    pub webhook_secrets: Option<WebhookSecrets>,
    /// Who may trigger.
    pub callers: Arc<Door>,
    /// What Google's notification channels carry. Unset: every notification is refused.
    pub channel_token: Option<Secret>,
    /// The largest body, bytes.
    pub max_body_bytes: usize,
    /// An answer is given within this time; `EspoCRM` waits for 10 s.
    pub deadline: Duration,
    /// The trace that a request's jobs belong to.
    pub trace: Trace,
}

/// The options and what is made of them once.
#[derive(Clone)]
pub(super) struct App {
    pub(super) options: Arc<Options>,
    pub(super) reader: Reader,
    pub(super) refusals: Arc<Hush>,
    outage: Arc<Hush>,
}

impl App {
    pub(super) fn new(options: Options) -> Self {
        Self {
            reader: Reader::new(options.max_body_bytes),
            options: Arc::new(options),
            refusals: Arc::new(Hush::default()),
            outage: Arc::new(Hush::default()),
        }
    }

    pub(super) fn trace(&self) -> Option<String> {
        (self.options.trace)()
    }

    /// Enqueues; a failure becomes the 503 after which callers try again.
    pub(super) async fn enqueue(&self, batch: &Batch<'_>) -> Result<Enqueued, ApiError> {
        self.options.queue.enqueue(batch).await.map_err(|error| self.unavailable(&error))
    }

    fn unavailable(&self, error: &QueueError) -> ApiError {
        if let Some(unsaid) = self.outage.may_speak(Instant::now()) {
            tracing::error!(%error, unsaid, "jobs cannot be enqueued, requests are answered with 503");
        }
        ApiError::queue(error)
    }
}
