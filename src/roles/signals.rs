//! SIGTERM and Ctrl-C.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by the first SIGTERM or Ctrl-C. A second one ends the process at once. Both are caught when this returns: one
/// that came earlier would end the process as if nothing had been running.
pub(super) fn stop() -> CancellationToken {
    let mut signals = Signals::caught();
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        told.cancel();
        signals.next().await;
        tracing::warn!("second signal: ending at once; what runs is taken over by another worker");
        std::process::exit(1);
    });
    stop
}

/// What cannot be caught never comes.
struct Signals {
    term: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    fn caught() -> Self {
        let term = signal(SignalKind::terminate());
        if let Err(error) = &term {
            tracing::error!(%error, "SIGTERM cannot be caught; only Ctrl-C stops in order");
        }
        Self { term: term.ok(), interrupt: signal(SignalKind::interrupt()).ok() }
    }

    async fn next(&mut self) {
        tokio::select! {
            () = one(self.term.as_mut()) => {}
            () = one(self.interrupt.as_mut()) => {}
        }
    }
}

async fn one(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => pending().await,
    }
}
