//! Listens: HTTP/1 with bounds on slow clients, and a stop that lets requests finish.
//!
//! Not `axum::serve`, which sets no limit on how long a client may take to send its request's head.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A request's head is complete within this time; also how long an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// The largest head, bytes; proxied queries may be long.
const HEAD_BYTES: usize = 64 * 1024;
/// Connections at once; further ones wait to be accepted.
const CONNECTIONS: usize = 1_024;
/// The pause after a failed accept (such as no free file descriptors), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then takes no new connections and gives requests under way at most `drain` to finish.
/// Whatever is not done by then is cut off.
pub async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken, drain: Duration) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let cut_off = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let (routes, shutdown, cut_off) = (routes.clone(), shutdown.clone(), cut_off.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = cut_off.cancelled() => {}
                        () = connection(stream, routes, shutdown) => {}
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(drain, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not finish in time and are cut off");
        cut_off.cancel();
        connections.wait().await;
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, routes: Router, shutdown: CancellationToken) {
    // Small answers must not wait for the client's acknowledgement. A socket that refuses this works all the same.
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    struct Server {
        address: SocketAddr,
        shutdown: CancellationToken,
        task: JoinHandle<()>,
        entered: Arc<Notify>,
        leave: Arc<Notify>,
    }

    impl Server {
        /// A server whose `/wait` says that it was entered and answers when it is told to.
        async fn start(drain: Duration) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let wait = {
                let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
                get(async move || {
                    entered.notify_one();
                    leave.notified().await;
                    "done"
                })
            };
            let routes = Router::new()
                .route("/wait", wait)
                .route("/length", post(async |body: axum::body::Bytes| body.len().to_string()));
            let shutdown = CancellationToken::new();
            let task = tokio::spawn(serve(listener, routes, shutdown.clone(), drain));
            Self { address, shutdown, task, entered, leave }
        }

        async fn connect(&self, request: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        }
    }

    async fn answer(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn a_stop_lets_requests_finish_and_closes_idle_connections() {
        let server = Server::start(Duration::from_mins(1)).await;
        let idle = server.connect("").await;
        let used = server.connect("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").await;
        let mut first = [0; 15];
        let mut used = used;
        used.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        let busy = server.connect("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
        server.entered.notified().await;
        server.shutdown.cancel();
        assert_eq!(answer(idle).await, "");
        assert!(answer(used).await.ends_with('3'));
        assert!(!server.task.is_finished());
        server.leave.notify_one();
        assert!(answer(busy).await.ends_with("done"));
        server.task.await.unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_ever() {
        let server = Server::start(Duration::from_millis(50)).await;
        let busy = server.connect("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
        server.entered.notified().await;
        server.shutdown.cancel();
        server.task.await.unwrap();
        assert_eq!(answer(busy).await, "");
    }

    #[tokio::test]
    async fn only_http_1_is_spoken() {
        let server = Server::start(Duration::ZERO).await;
        let stream = server.connect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert!(!answer(stream).await.contains("200"));
    }
}
