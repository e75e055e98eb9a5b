//! What is logged and traced, and how.

use tracing_subscriber::EnvFilter;
use url::Url;

use super::fault::Problem;
use super::parse;
use super::reader::Reader;
use super::source::Origin;

/// Logs and traces.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The log filter, in the syntax of `RUST_LOG`; valid.
    pub filter: String,
    /// How to log; none: pretty on a terminal, else JSON.
    pub format: Option<LogFormat>,
    /// Where traces go; none: nowhere.
    pub otlp: Option<Otlp>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines, one object a line.
    Json,
}

/// A collector of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otlp {
    /// Its base address, without `v1/traces`.
    pub endpoint: Url,
    /// The endpoint stands in the environment, where the OpenTelemetry SDK reads it and everything that refines it itself.
    pub in_environment: bool,
}

impl Default for Telemetry {
    /// Logs at info, exports nothing: for commands that need no settings.
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: None, otlp: None }
    }
}

impl Telemetry {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let filter = reader.value("RUST_LOG", filter);
        let format = reader.optional("ADVOSYNC_LOG_FORMAT", format);
        let in_environment = reader.find(ENDPOINT).is_some_and(|found| found.origin == Origin::Environment);
        let otlp = reader.optional(ENDPOINT, parse::base_url).map(|endpoint| Otlp { endpoint, in_environment });
        Self { filter, format, otlp }
    }
}

fn filter(text: &str) -> Result<String, Problem> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| {
        Problem::new(format!("`{text}` is no filter ({error})"), "write a level, or info,advosync::queue=debug")
    })
}

fn format(text: &str) -> Result<LogFormat, Problem> {
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err(Problem::new(format!("`{text}` is neither pretty nor json"), "write pretty or json")),
    }
}
