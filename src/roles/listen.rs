//! Taking the port.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpSocket};

use crate::settings::{Role, Settings};

/// Connections that may wait to be accepted. With the usual 128 a burst of them makes everybody's next one wait for a second,
/// until its client asks again; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// The listener of a role, if it has one. A worker or cron process whose port is taken goes on without.
pub(super) fn bind(role: Role, settings: &Settings) -> Result<Option<TcpListener>> {
    let Some(address) = settings.http.listen else { return Ok(None) };
    match listen(address) {
        Ok(listener) => {
            tracing::info!(%address, "listening");
            Ok(Some(listener))
        }
        Err(error) if matches!(role, Role::Worker | Role::Cron) => {
            tracing::warn!(%address, %error, "going on without /metrics: the address cannot be listened on");
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error)
            .with_context(|| format!("{address} is in use already; stop what listens there or set ADVOSYNC_LISTEN")),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}; check ADVOSYNC_LISTEN")),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A role that is started anew must not wait until its old connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
