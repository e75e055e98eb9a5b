//! A Redis of the target's own, empty before every input.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use advosync::queue::{Options, Queue, Server, Tls};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

/// Gone when dropped.
pub(crate) struct Redis {
    server: Child,
    _folder: TempDir,
    /// The queue in it.
    pub(crate) queue: Queue,
    /// For looking at what is there.
    pub(crate) raw: MultiplexedConnection,
}

impl Redis {
    /// Starts one, and waits until the queue is set up in it.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed; `make test` does that");
        let url = format!("redis://127.0.0.1:{port}/1");
        let client = redis::Client::open(url.as_str()).unwrap();
        let started = Instant::now();
        let raw = loop {
            match client.get_multiplexed_async_connection().await {
                Ok(raw) => break raw,
                Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let options = Options {
            server: Server::Single(url.into()),
            prefix: String::new(),
            timeout: Duration::from_secs(10),
            tls: Tls::default(),
        };
        let queue = Queue::new(&options).unwrap();
        queue.prepare(chrono::Utc::now()).await.unwrap();
        Self { server, _folder: folder, queue, raw }
    }

    /// A command's answer.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut self.raw).await.unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
