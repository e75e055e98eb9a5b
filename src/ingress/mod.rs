//! Requests become jobs: checks a request, writes jobs, answers. Nothing else (`docs/architecture.md`).
//!
//! ```text
//! body.rs ─▶ signature.rs ─▶ events.rs | trigger.rs ─▶ queue ─▶ answer
//! (bounds)   (raw bytes)      (pure)
//! ```
//!
//! The caller merges the routers of its role, puts [`around`] about them and gives them to [`serve()`]. The rules are in
//! the contract's section HTTP; what `EspoCRM` makes of each status is in its contract.

mod answer;
mod body;
mod edge;
mod events;
mod house;
mod kuerzel;
mod notify;
mod ops;
mod scalar;
mod serve;
mod signature;
mod state;
mod trigger;
mod webhook;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use answer::ApiError;
pub use edge::around;
pub use kuerzel::Target;
pub use ops::{OpsOptions, Render, ops_router};
pub use serve::serve;
pub use signature::{Refusal, sign, verify};
pub use state::{Options, Trace};

use axum::Router;
use axum::middleware;
use axum::routing::post;

use state::App;

/// The routes for webhooks, the calendar trigger and Google's notifications, without those for monitors.
pub fn router(options: Options) -> Router {
    let deadline = middleware::from_fn_with_state(edge::Deadline::new(options.deadline), edge::deadline);
    Router::new()
        .route("/vmh/webhook/{entity}/{action}", post(webhook::receive))
        .route("/webhooks/vmh/{entity}/{action}", post(webhook::receive))
        .route("/advoware/calendar/sync", post(trigger::trigger))
        .route("/google/calendar/notify", post(notify::notify))
        .route_layer(deadline)
        .with_state(App::new(options))
}
