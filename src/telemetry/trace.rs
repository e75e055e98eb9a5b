//! W3C trace context: a job carries the `traceparent` of the request that asked for it.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rand::RngExt;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

const HEADER: &str = "traceparent";

/// The layer that gives spans their ids. Info and above only, whatever is logged: below, libraries tell of tokens.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("advosync")).with_filter(LevelFilter::INFO)
}

/// The `traceparent` of the current span, such as `00-<32 hex>-<16 hex>-01`; outside of any span a new one, so that
/// whatever is enqueued has a trace id from its beginning.
#[must_use]
pub fn current_traceparent() -> String {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        let mut random = rand::rng();
        // Zero is the one id that is not allowed.
        let trace: u128 = random.random_range(1..=u128::MAX);
        let span: u64 = random.random_range(1..=u64::MAX);
        return format!("00-{trace:032x}-{span:016x}-01");
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(HEADER).unwrap_or_default()
}

/// Makes `span` a child of `traceparent`, to be called before the span is entered; a malformed one is left out, and the span
/// begins a trace of its own.
pub fn set_parent(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(HEADER.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&opentelemetry::Context::new(), &carrier);
    if context.span().span_context().is_valid() {
        // Refused only where no trace layer is installed or the span was entered before: then it keeps its own trace.
        let _ = span.set_parent(context);
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn trace_id(traceparent: &str) -> &str {
        let parts: Vec<&str> = traceparent.split('-').collect();
        let [version, trace, span, flags] = parts[..] else { panic!("{traceparent}") };
        assert_eq!((version, flags), ("00", "01"), "{traceparent}");
        let hex =
            |text: &str, length| text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(hex(trace, 32) && hex(span, 16), "{traceparent}");
        trace
    }

    #[test]
    fn without_a_span_there_is_a_new_trace_each_time() {
        let (one, other) = (current_traceparent(), current_traceparent());
        assert_ne!(trace_id(&one), trace_id(&other));
    }

    #[test]
    fn a_trace_is_carried_on_without_any_collector() {
        let provider = super::super::export::silent();
        with_default(tracing_subscriber::registry().with(layer(&provider)), || {
            let request = tracing::info_span!("request");
            let enqueued = request.in_scope(|| {
                assert_eq!(trace_id(&current_traceparent()), trace_id(&current_traceparent()));
                tracing::info_span!("inner").in_scope(current_traceparent)
            });
            let job = tracing::info_span!(parent: None, "job");
            set_parent(&job, &enqueued);
            let seen = job.in_scope(current_traceparent);
            assert_eq!(trace_id(&seen), trace_id(&enqueued));
            assert_ne!(seen, enqueued);
        });
    }

    #[test]
    fn a_malformed_parent_is_left_out() {
        let provider = super::super::export::silent();
        with_default(tracing_subscriber::registry().with(layer(&provider)), || {
            for malformed in ["", "nonsense", "00-00000000000000000000000000000000-0000000000000000-01"] {
                let job = tracing::info_span!("job");
                set_parent(&job, malformed);
                trace_id(&job.in_scope(current_traceparent));
            }
        });
    }
}
