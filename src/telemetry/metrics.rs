//! Metrics, as Prometheus reads them.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Seconds; from a Redis call to the longest upstream timeout.
const BUCKETS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// All metrics of this process in Prometheus' text format; empty before [`super::init`].
#[must_use]
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// A thread that folds recorded samples into their buckets: otherwise they would pile up in a process that nobody
/// scrapes. Ends when this is dropped.
#[derive(Debug)]
pub(super) struct Upkeep {
    _stop: Sender<()>,
}

/// Installs the recorder, once in a process; none if there is one already.
pub(super) fn install() -> Option<Upkeep> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .expect("the bounds are a non-empty constant, which is all that is asked of them")
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    let handle = HANDLE.get_or_init(|| handle);
    let (stop, stopped) = channel();
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || keep_up(handle, &stopped)).ok()?;
    Some(Upkeep { _stop: stop })
}

fn keep_up(handle: &PrometheusHandle, stopped: &Receiver<()>) {
    while stopped.recv_timeout(UPKEEP_EVERY) == Err(RecvTimeoutError::Timeout) {
        handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_rendered_and_a_second_recorder_is_none() {
        let upkeep = install();
        metrics::counter!("test_jobs_total", "flow" => "vmh").increment(2);
        metrics::histogram!("test_seconds").record(0.02);
        let page = render();
        assert!(page.contains("test_jobs_total{flow=\"vmh\"} 2"), "{page}");
        assert!(page.contains("test_seconds_bucket{le=\"0.025\"} 1"), "{page}");
        assert!(install().is_none());
        drop(upkeep);
    }
}
