//! The admin pages: what the flows are doing, which upstreams are down, dead letters and their replay.
//!
//! Rendered here, without scripts; everything that is shown is escaped. `access.rs` decides who may see it, `pages`
//! know nothing of requests, the handlers below fetch and show.

mod access;
mod actions;
mod candidates;
mod frame;
mod guard;
mod letter;
mod letters;
mod overview;
mod sign_in;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::routing::{any, get, post};
use axum::{Router, middleware};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use access::Access;

use crate::callers::Door;
use crate::queue::Queue;
use crate::secret::Secret;

/// The clock, UTC.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What the pages need.
#[derive(Clone)]
pub struct Options {
    /// What is looked at.
    pub queue: Queue,
    /// The mappings' names; a replay needs them to avoid doubles.
    pub entities: Vec<String>,
    /// The names under which workers report upstreams.
    pub upstreams: Vec<String>,
    /// Who may look and act.
    pub callers: Arc<Door>,
    /// `ADVOSYNC_API_TOKEN`: its own sessions are known to every process that has it.
    pub api_token: Option<Secret>,
    /// Whether nothing is written to Advoware: every page says so.
    pub write_protection: bool,
    /// In which times are shown.
    pub timezone: Tz,
    /// The clock.
    pub clock: Clock,
}

/// The options and what is made of them once.
#[derive(Clone)]
struct Console {
    options: Arc<Options>,
    access: Arc<Access>,
}

impl Console {
    /// A time as people here read it.
    fn local(&self, time: DateTime<Utc>) -> String {
        time.with_timezone(&self.options.timezone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

/// All pages, under `/console`.
pub fn router(options: Options) -> Router {
    let console = Console {
        access: Arc::new(Access::new(Arc::clone(&options.callers), options.api_token.clone())),
        options: Arc::new(options),
    };
    Router::new()
        .route("/console", get(overview::show))
        .route("/console/", get(overview::show))
        .route("/console/dead", get(letters::show))
        .route("/console/dead/{flow}/{id}", get(letter::show))
        .route("/console/dead/{flow}/{id}/candidates", get(candidates::show))
        .route("/console/dead/{flow}/{id}/decide", post(candidates::decide))
        .route("/console/dead/{flow}/{id}/replay", post(actions::replay))
        .route("/console/dead/{flow}/{id}/discard", post(actions::discard))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/{*rest}", any(async || frame::not_found("There is no such page.")))
        .route_layer(middleware::from_fn_with_state(console.clone(), guard::guard))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::enter))
        .route_layer(middleware::from_fn(guard::deadline))
        .layer(middleware::from_fn(guard::secure))
        .with_state(console)
}
