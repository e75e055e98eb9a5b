//! The port: takes requests, lets faults and gates act around the effect, answers or cuts the connection.

mod listener;
mod play;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::listener::{CuttableListener, Wire};
use self::play::Played;
use crate::control;
use crate::webhooks::deliver::Sender;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// The largest body that is read.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What requests, the sender and the handle share.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) sender: Sender,
    pub(crate) gates: Mutex<Vec<crate::Gate>>,
}

impl Shared {
    pub(crate) fn new(world: World, sender: Sender) -> Self {
        Self { world: Mutex::new(world), sender, gates: Mutex::new(Vec::new()) }
    }

    /// The state. A panic in one request must not hide it from the test that looks for the cause.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the token is cancelled; then the port is closed and every connection is dead.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let app = Router::new().nest("/sandbox", control::routes()).fallback(handle).with_state(shared);
    let app = app.into_make_service_with_connect_info::<Wire>();
    let listener = CuttableListener::new(listener, stop.clone());
    tokio::select! {
        () = stop.cancelled() => {}
        result = axum::serve(listener, app) => {
            if let Err(error) = result {
                tracing::error!(%error, "sandbox stopped serving");
            }
        }
    }
}

/// Binds a port; a port of an earlier sandbox can be taken again at once.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response<Body> {
    let Some(ask) = read(request).await else { return Answer::empty(413).into_response() };
    // A task of its own: as at a real server, a caller that hangs up does not undo what it asked for.
    match tokio::spawn(play::play(shared, ask)).await {
        Ok(Played::Answer(answer)) => answer.into_response(),
        Ok(Played::Cut) => {
            wire.cut();
            Answer::empty(500).into_response()
        }
        Err(error) => Answer::text(500, &format!("the sandbox failed: {error}")).into_response(),
    }
}

async fn read(request: Request) -> Option<Ask> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await.ok()?;
    Some(Ask {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    })
}
