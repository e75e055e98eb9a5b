//! What a collector of traces gets: which record and which job, never whose name, and no secret.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use advosync_sandbox::Options;
use axum::Router;
use axum::body::Bytes;
use serde_json::json;

use super::{on_post, person};
use crate::support::process::borrowed;
use crate::support::secrets::{assert_untold, party_word};
use crate::support::world::World;

/// A collector; what it got, and where it listens.
async fn collector() -> (Arc<Mutex<Vec<u8>>>, String) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let into = Arc::clone(&got);
    let take = move |body: Bytes| {
        into.lock().unwrap().extend_from_slice(&body);
        std::future::ready("")
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    (got, address)
}

#[tokio::test]
async fn traces_tell_neither_a_secret_nor_a_party() {
    let (got, address) = collector().await;
    // Whatever is logged, and with what an upstream says of a name in the error.
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("RUST_LOG", "trace")];
    let mut world = World::idle(&settings, Options::default()).await;
    world.sandbox.fault(on_post("Mustermann").once().answer(400, "Mustermann ist gesperrt."));
    world.start_worker();
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "emailGesch": "kanzlei@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.notes(&id).len(), 1, "a conflict");
    let (status, _) = world.take_worker().terminate(Duration::from_secs(30)).await;
    assert!(status.success());
    // Strings stand in the message as they are.
    let text = String::from_utf8_lossy(&got.lock().unwrap()).into_owned();
    assert!(text.contains("vmh.beteiligte.create") && text.contains(&id), "the job is told");
    assert!(text.contains("a run did not succeed"), "and what went wrong");
    assert_untold(borrowed(world.environment()), "a trace", &text);
    assert_eq!(party_word(&text), None);
}
