//! Taking the port.

use std::io::ErrorKind;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use crate::settings::{Role, Settings};

/// The listener of a role, if it has one. A worker or cron process whose port is taken goes on without.
pub(super) async fn bind(role: Role, settings: &Settings) -> Result<Option<TcpListener>> {
    let Some(address) = settings.http.listen else { return Ok(None) };
    match TcpListener::bind(address).await {
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
