//! For tests of the rooms that enqueue: a Redis of one's own, the captured webhook, requests without a socket.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

use crate::queue::{self, Flow, Lane, Queue};
use crate::secret::Secret;

/// A redis-server on a free port, gone when dropped.
pub(crate) struct Redis {
    port: u16,
    dir: tempfile::TempDir,
    server: Option<Child>,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut redis = Self { port, dir: tempfile::tempdir().unwrap(), server: None };
        redis.resume().await;
        redis
    }

    /// Starts it again on the same port.
    pub(crate) async fn resume(&mut self) {
        let server = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed");
        self.server = Some(server);
        let queue = self.queue();
        tokio::time::timeout(Duration::from_secs(20), async {
            while queue.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("redis-server did not answer");
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Its address, database 1.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/1", self.port)
    }

    /// A queue in it.
    pub(crate) fn queue(&self) -> Queue {
        let server = queue::Server::Single(Secret::new(self.url()));
        Queue::new(&queue::Options {
            server,
            prefix: String::new(),
            timeout: Duration::from_secs(2),
            tls: queue::Tls::default(),
        })
        .unwrap()
    }

    /// Sends any command.
    pub(crate) async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.query_async(&mut connection).await.unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The stream of a flow's lane, as people at redis-cli know it.
pub(crate) fn stream(flow: Flow, lane: Lane) -> String {
    let mut parts = vec!["jobs", flow.name()];
    parts.extend((lane == Lane::Sweep).then_some("sweep"));
    parts.join(":")
}

/// The captured webhook of `tests/fixtures/espocrm-create.json`.
pub(crate) struct Vector {
    pub(crate) webhook_id: String,
    pub(crate) secret: String,
    pub(crate) signature: String,
    pub(crate) x_signature: String,
    pub(crate) body: String,
}

impl Vector {
    pub(crate) fn real() -> Self {
        #[derive(Deserialize)]
        struct File {
            webhook_id: String,
            secret: String,
            headers: std::collections::HashMap<String, String>,
            body: String,
        }
        let file: File = serde_json::from_str(include_str!("../../tests/fixtures/espocrm-create.json")).unwrap();
        Self {
            webhook_id: file.webhook_id,
            secret: file.secret,
            signature: file.headers["Signature"].clone(),
            x_signature: file.headers["X-Signature"].clone(),
            body: file.body,
        }
    }

    /// Both headers.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("Signature", self.signature.parse().unwrap());
        headers.insert("X-Signature", self.x_signature.parse().unwrap());
        headers
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The status and the error's code.
    pub(crate) fn error(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{json}");
        (self.status.as_u16(), json["error"]["code"].as_str().unwrap().to_owned())
    }
}

/// Sends a request to routes.
pub(crate) async fn send(routes: &Router, request: Request<Body>) -> Answer {
    let response = routes.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// A request with headers.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}
