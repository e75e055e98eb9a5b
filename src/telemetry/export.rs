//! Where spans go: to a collector by OTLP over HTTP, or nowhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;

use crate::settings::Otlp;

/// Gives spans their ids and drops them.
pub(super) fn silent() -> SdkTracerProvider {
    SdkTracerProvider::builder().build()
}

/// Sends spans to the collector in batches.
pub(super) fn provider(otlp: &Otlp) -> Result<SdkTracerProvider, String> {
    let runtime = Handle::try_current().map_err(|error| error.to_string())?;
    let mut builder = OtlpExporter::builder().with_http();
    if !otlp.in_environment {
        // The SDK reads the environment only; an endpoint set in code is the whole address.
        let traces = otlp.endpoint.join("v1/traces").map_err(|error| error.to_string())?;
        builder = builder.with_endpoint(traces.as_str());
    }
    let inner = builder.build().map_err(|error| error.to_string())?;
    let mut exporter = OnRuntime { inner: Arc::new(inner), runtime };
    let resource = resource();
    exporter.set_resource(&resource);
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// `service.name` is `advosync` unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
fn resource() -> Resource {
    let own = Resource::builder_empty().with_service_name("advosync").build();
    let by_environment = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty())
        || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|text| text.contains("service.name="));
    if by_environment {
        Resource::builder().build()
    } else {
        Resource::builder().with_attributes(attributes(&own)).build()
    }
}

fn attributes(resource: &Resource) -> Vec<opentelemetry::KeyValue> {
    resource.iter().map(|(key, value)| opentelemetry::KeyValue::new(key.clone(), value.clone())).collect()
}

/// The SDK exports from a thread of its own, and the HTTP client needs tokio: each batch is sent on the runtime.
struct OnRuntime {
    inner: Arc<OtlpExporter>,
    runtime: Handle,
}

impl fmt::Debug for OnRuntime {
    /// The exporter's own rendering shows its headers, which hold the collector's token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnRuntime")
    }
}

impl SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let inner = Arc::clone(&self.inner);
        let sending = self.runtime.spawn(async move { inner.export(batch).await });
        sending.await.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn spans_reach_a_collector_named_by_a_file() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/base/", listener.local_addr().unwrap()).parse().unwrap();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // The name of the service stands in the body's first part, so it is there once the name of the span is.
            while !String::from_utf8_lossy(&request).contains("a job") {
                let length = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            sender.send(String::from_utf8_lossy(&request).into_owned()).unwrap();
        });
        let provider = provider(&Otlp { endpoint, in_environment: false }).unwrap();
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(super::super::trace::layer(&provider)),
            || drop(tracing::info_span!("a job").entered()),
        );
        tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
        let request = requests.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(request.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("advosync"), "{request}");
    }

    #[test]
    fn without_a_runtime_it_is_told() {
        let otlp = Otlp { endpoint: "http://127.0.0.1:1/".parse().unwrap(), in_environment: false };
        assert!(provider(&otlp).is_err_and(|error| error.contains("no reactor running")));
    }
}
