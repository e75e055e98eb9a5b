//! Logs, traces and metrics of one process.
//!
//! Logs go to stderr, always: stdout carries only results. Every span gets OpenTelemetry ids, whether or not traces are
//! exported, so that a job carries one trace id from the request that enqueued it through every attempt.

mod export;
mod gauges;
mod hush;
mod logs;
mod metrics;
mod trace;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use gauges::{Gauge, Gauges};
pub(crate) use hush::Hush;
pub use metrics::render;
pub use trace::{current_traceparent, set_parent};

use crate::settings;

/// Keeps telemetry running; dropping it sends what is left (5 s at most).
#[must_use = "telemetry ends when this is dropped"]
#[derive(Debug)]
pub struct Guard {
    provider: SdkTracerProvider,
    _upkeep: Option<metrics::Upkeep>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nothing is left to tell of a failure here, and losing the last spans stops nobody.
        let _ = self.provider.shutdown_with_timeout(std::time::Duration::from_secs(5));
    }
}

/// Starts logs, traces and metrics. Where traces are exported it must be called within a tokio runtime.
///
/// A second call in one process changes nothing (tests). A collector that cannot be set up is logged and not used: syncing
/// goes on without traces.
pub fn init(settings: &settings::Telemetry) -> Guard {
    let (provider, fault) = match settings.otlp.as_ref().map(export::provider) {
        Some(Ok(provider)) => (provider, None),
        Some(Err(fault)) => (export::silent(), Some(fault)),
        None => (export::silent(), None),
    };
    let registry = tracing_subscriber::registry().with(trace::layer(&provider)).with(logs::layer(settings));
    let _ = registry.try_init();
    if let Some(fault) = fault {
        tracing::warn!(error = fault, "traces are not exported");
    }
    Guard { provider, _upkeep: metrics::install() }
}
