//! Requests to routes, without a socket.

use std::sync::Arc;
use std::time::Duration;

use advosync::ingress::{self, Options};
use advosync::queue::Queue;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, Uri};
use serde_json::Value;
use tower::ServiceExt as _;

/// The largest body that the ingress of these tests takes.
pub(crate) const MOST: usize = 60_000;

/// The ingress as on a developer's machine: nothing is signed and nobody has a token.
pub(crate) fn ingress(queue: &Queue) -> Router {
    let routes = ingress::router(Options {
        queue: queue.clone(),
        entities: vec!["beteiligte".to_owned()],
        webhook_secrets: None,
        callers: Arc::default(),
        channel_token: None,
        max_body_bytes: MOST,
        deadline: Duration::from_secs(10),
        trace: Arc::new(|| None),
    });
    ingress::around(routes)
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body.escape_ascii()))
    }

    /// Its stable code; every answer that is an error has one, and a sentence for a person.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        assert!(json["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{json}");
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// Sends one.
pub(crate) async fn send(routes: &Router, method: Method, target: Uri, body: &[u8]) -> Answer {
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = method;
    *request.uri_mut() = target;
    let response = routes.clone().oneshot(request).await.unwrap();
    let status = response.status();
    Answer { status, body: to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec() }
}
