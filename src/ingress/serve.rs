//! Listens: HTTP/1 with bounds on slow clients, and a stop that lets requests finish.
//!
//! Not `axum::serve`, which sets no limit on how long a client may take to send its request's head.
//!
//! | bound | on |
//! | --- | --- |
//! | 15 s, 64 KiB, 100 headers | a request's head; 15 s also for a connection without a request |
//! | `ADVOSYNC_MAX_BODY_BYTES`, 8 s (proxy: 30 s) | a request's body, by each room |
//! | 30 s | an answer of which the client takes nothing |
//! | 1,024 | connections at once, see `house.rs` |

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http;
use axum::response::Response;
use futures::{StreamExt as _, ready, stream};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::house::{Guest, House, places};
use crate::callers::Peer;

/// A request's head is complete within this time; also how long an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// The largest head, bytes; proxied queries may be long.
const HEAD_BYTES: usize = 64 * 1024;
/// A client that takes nothing of its answer for so long is gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The pause after a failed accept (such as no free file descriptors), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then takes no new connections and gives requests under way at most `drain` to finish.
/// Whatever is not done by then is cut off.
pub async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken, drain: Duration) {
    serve_in(House::new(places()), listener, routes, shutdown, drain).await;
}

async fn serve_in(
    house: Arc<House>,
    listener: TcpListener,
    routes: Router,
    shutdown: CancellationToken,
    drain: Duration,
) {
    let connections = TaskTracker::new();
    let cut_off = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &house) => accepted,
        };
        match accepted {
            Ok((stream, from, guest)) => {
                let (routes, shutdown, cut_off) = (routes.clone(), shutdown.clone(), cut_off.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = cut_off.cancelled() => {}
                        () = guest.leave.cancelled() => {}
                        () = connection(stream, from, Arc::clone(&guest), routes, shutdown) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                house.make_room();
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

async fn accept(listener: &TcpListener, house: &Arc<House>) -> std::io::Result<(TcpStream, SocketAddr, Arc<Guest>)> {
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, house.enter().await))
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    guest: Arc<Guest>,
    routes: Router,
    shutdown: CancellationToken,
) {
    // Small answers must not wait for the client's acknowledgement. A socket that refuses this works all the same.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(ANSWER_WITHIN));
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
    let service = tower::service_fn(move |request| answer(&routes, from, &guest, request));
    let connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service));
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

/// One request's answer. Notes where the request comes from, and whose turn it is.
fn answer<B>(
    routes: &Router,
    from: SocketAddr,
    guest: &Arc<Guest>,
    request: http::Request<B>,
) -> impl Future<Output = Result<Response, std::convert::Infallible>> + use<B>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut request = request.map(|body| complete(body, Arc::clone(guest)));
    request.extensions_mut().insert(Peer(from.ip()));
    let (answering, guest) = (ServiceExt::<Request>::oneshot(routes.clone(), request), Arc::clone(guest));
    async move {
        let answer = answering.await;
        guest.owes();
        answer
    }
}

/// The same body; once it is complete, the client owes nothing.
fn complete<B>(body: B, guest: Arc<Guest>) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    if body.is_end_stream() {
        guest.owes_nothing();
        return Body::new(body);
    }
    let mut parts = Body::new(body).into_data_stream();
    Body::from_stream(stream::poll_fn(move |context| {
        let part = ready!(parts.poll_next_unpin(context));
        if part.is_none() {
            guest.owes_nothing();
        }
        std::task::Poll::Ready(part)
    }))
}

#[cfg(test)]
mod tests {
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
        async fn start(drain: Duration) -> Self {
            Self::of(100, drain).await
        }

        /// A server for so many connections, whose `/wait` says that it was entered and answers when it is told to.
        async fn of(places: usize, drain: Duration) -> Self {
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
            let routes =
                Router::new().route("/wait", wait).route("/length", post(async |body: Bytes| body.len().to_string()));
            let shutdown = CancellationToken::new();
            let task = tokio::spawn(serve_in(House::new(places), listener, routes, shutdown.clone(), drain));
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

    /// In a full house, in turn: idle, in the middle of a head, in the middle of a body, answered and idle again.
    #[tokio::test]
    async fn slow_clients_make_room_and_what_is_worked_on_stays() {
        let server = Server::of(5, Duration::from_mins(1)).await;
        let busy = server.connect("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
        server.entered.notified().await;
        let mut used = server.connect("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na").await;
        let mut one = [0; 1];
        used.read_exact(&mut one).await.unwrap();
        let idle = server.connect("").await;
        let head = server.connect("GET /length HTT").await;
        let body = server.connect("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc").await;
        let mut slow = vec![used, idle, head, body];
        for number in 0..12 {
            let request = "POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
            assert!(answer(server.connect(request).await).await.ends_with('3'), "{number}");
            slow.push(server.connect("POST /len").await);
        }
        // Those that came first are closed; the four places that are left have the newest.
        for (number, mut stream) in slow.drain(..12).enumerate() {
            let mut rest = Vec::new();
            let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
            assert!(closed.is_ok(), "{number} is still there");
        }
        server.leave.notify_one();
        assert!(answer(busy).await.ends_with("done"));
    }
}
