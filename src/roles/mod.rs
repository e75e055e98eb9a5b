//! Roles: what `advosync up`, `ingress`, `worker`, `cron`, `proxy` and `console` start, and how they stop.
//!
//! The only room that knows all others: it makes each room's options out of the settings and runs them until a signal
//! comes. Nothing is decided here.

mod durability;
mod gauges;
mod google_limiter;
mod layout;
mod listen;
mod memory;
mod parts;
mod pools;
mod private_redis;
mod probes;
mod seal;
mod signals;
mod token_store;

use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::http::StatusCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use parts::{BadMappings, Parts, bad_mappings, queue_options};
pub use private_redis::PrivateRedis;

use crate::ingress::ApiError;
use crate::settings::{Role, Server, Settings, Upstream};

/// Runs a role until SIGTERM or Ctrl-C, then stops in order.
///
/// # Errors
/// What keeps the role from running: its settings or mapping files are bad, the address is taken, Redis holds another
/// version's layout.
pub async fn run(role: Role, mut settings: Settings) -> anyhow::Result<()> {
    let stop = signals::stop();
    // Bad configuration starts nothing, not even a Redis.
    if let (Role::Proxy, Some(missing)) = (role, settings.missing.first()) {
        return Err(missing.as_faults().into());
    }
    let mappings = parts::load_mappings(&settings)?;
    let private = match (&role, &settings.redis.server) {
        (Role::Up, Server::Unset { database }) => {
            let private = PrivateRedis::start(&settings.data_dir, *database).await?;
            settings.redis.server = Server::Single(private.url().clone());
            Some(private)
        }
        _ => None,
    };
    let ran = match Parts::with(settings, mappings) {
        Ok(parts) => run_with_redis(role, parts, stop).await,
        Err(error) => Err(error),
    };
    if let Some(private) = private {
        private.stop().await;
    }
    ran
}

async fn run_with_redis(role: Role, parts: Parts, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = listen::bind(role, &parts.settings)?;
    // A set-up that never succeeds must still be stoppable, and a layout of another version stops everything.
    let (ready, layout) = layout::keep(role, &parts, stop.clone());
    let tasks = TaskTracker::new();
    if let Some(listener) = listener {
        let router = crate::ingress::around(routes(role, &parts)?);
        let (stop, stopped, drain) = (stop.clone(), stop.clone(), parts.settings.drain.min(Duration::from_secs(10)));
        tasks.spawn(async move { crate::ingress::serve(listener, router, stop, drain).await });
        // Nobody reads the gauges of a process that serves no metrics.
        tasks.spawn(gauges::keep(gauges::Source::of(&parts), ready.clone(), stopped));
    }
    if matches!(role, Role::Cron | Role::Up) {
        let (options, stop, ready) = (parts.cron(), stop.clone(), ready.clone());
        tasks.spawn(async move {
            if stop.run_until_cancelled(ready.cancelled()).await.is_some() {
                crate::cron::run(options, stop).await;
            }
        });
    }
    if matches!(role, Role::Worker | Role::Up) {
        tell_missing(&parts.settings);
        for pool in [parts.records_pool()?, parts.calendar_pool()?].into_iter().flatten() {
            let (stop, ready) = (stop.clone(), ready.clone());
            tasks.spawn(async move {
                if stop.run_until_cancelled(ready.cancelled()).await.is_some() {
                    pool.run(stop).await;
                }
            });
        }
    }
    if role.calls(Upstream::Advoware) && parts.settings.write_protection {
        tracing::warn!("ADVOWARE_WRITE_PROTECTION is on: nothing is written to advoware, jobs report what would be");
    }
    tracing::info!(?role, "started");
    stop.cancelled().await;
    tracing::info!("stopping");
    tasks.close();
    let patience = parts.settings.drain + Duration::from_secs(5);
    if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
        tracing::warn!("stopping took too long; what still runs is taken over by another worker");
    }
    layout.await.context("the layout's keeper ended unexpectedly")?.map_err(|error| anyhow!(error))?;
    tracing::info!("stopped");
    Ok(())
}

/// The routes of a role.
fn routes(role: Role, parts: &Parts) -> anyhow::Result<Router> {
    let mut router = crate::ingress::ops_router(parts.ops());
    if matches!(role, Role::Ingress | Role::Up) {
        router = router.merge(crate::ingress::router(parts.ingress()));
    }
    if matches!(role, Role::Console | Role::Up) {
        router = router.merge(crate::console::router(parts.console()));
    }
    if matches!(role, Role::Proxy | Role::Up) {
        router = match parts.proxy()? {
            Some(proxy) => router.merge(proxy),
            None => router.route("/api/advoware/{*path}", axum::routing::any(not_configured)),
        };
    }
    Ok(router)
}

/// `up` serves everybody else while Advoware's settings are incomplete.
async fn not_configured() -> ApiError {
    let message = "Advoware is not configured here; `advosync doctor` says which settings are missing";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_configured", message)
}

/// A flow whose upstream is not configured is not read: its jobs wait.
fn tell_missing(settings: &Settings) {
    for missing in &settings.missing {
        tracing::warn!(upstream = missing.upstream.name(), %missing, "an upstream is not configured, its jobs wait");
    }
}
