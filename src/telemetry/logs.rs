//! Log lines.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::settings::{LogFormat, Telemetry};

/// Below info, these libraries log signed assertions, headers or tokens.
const TALKATIVE: [&str; 8] =
    ["yup_oauth2", "reqwest", "hyper", "hyper_util", "hyper_rustls", "h2", "rustls", "opentelemetry_http"];

/// The layer that writes to stderr.
pub(super) fn layer<S>(settings: &Telemetry) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let format =
        settings.format.unwrap_or_else(|| if io::stderr().is_terminal() { LogFormat::Pretty } else { LogFormat::Json });
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    lines.with_filter(filter(&settings.filter)).boxed()
}

fn filter<S: Subscriber>(text: &str) -> impl Filter<S> + use<S> {
    // The settings have judged the text already; whatever else comes here is logged at info.
    let chosen =
        EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::default().add_directive(LevelFilter::INFO.into()));
    chosen.and(filter_fn(may_log))
}

fn may_log(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !is_talkative(metadata.target())
}

fn is_talkative(target: &str) -> bool {
    let room = target.split("::").next().unwrap_or_default();
    TALKATIVE.contains(&room)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let metadata = event.metadata();
            self.0.lock().unwrap().push(format!("{} {}", metadata.level(), metadata.target()));
        }
    }

    #[test]
    fn talkative_libraries_stay_at_info_whatever_is_asked_for() {
        let seen = Seen::default();
        let subscriber =
            tracing_subscriber::registry().with(seen.clone().with_filter(filter("trace,yup_oauth2::deep=trace")));
        with_default(subscriber, || {
            tracing::debug!(target: "yup_oauth2::deep", "assertion");
            tracing::trace!(target: "hyper_util::client", "header");
            tracing::info!(target: "reqwest::connect", "connected");
            tracing::debug!(target: "reqwestlike", "fine");
            tracing::debug!(target: "advosync::queue", "fine");
        });
        assert_eq!(*seen.0.lock().unwrap(), ["INFO reqwest::connect", "DEBUG reqwestlike", "DEBUG advosync::queue"]);
    }

    #[test]
    fn the_filter_holds() {
        let seen = Seen::default();
        let subscriber = tracing_subscriber::registry().with(seen.clone().with_filter(filter("warn,advosync=info")));
        with_default(subscriber, || {
            tracing::info!(target: "other", "no");
            tracing::info!(target: "advosync::queue", "yes");
        });
        assert_eq!(*seen.0.lock().unwrap(), ["INFO advosync::queue"]);
    }
}
