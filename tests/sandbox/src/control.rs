//! The sandbox by HTTP, for scripts and other processes: everything under `/sandbox/`.
//!
//! | route | what |
//! | --- | --- |
//! | `GET effects?since=N`, `GET calls`, `GET counts`, `POST reset` | the log |
//! | `GET state` | all records of all systems, notes, webhooks that wait |
//! | `GET env` | the settings as a dotenv file |
//! | `GET options`, `POST options` | a part of the options, merged into them |
//! | `GET faults`, `POST faults` (one rule or an array), `DELETE faults` | the script |
//! | `POST gates` `{…match, "phase":"before", "nth":1}` → `{"gate":0}`, `GET gates/0` → `{"arrived":true}`, `DELETE gates/0` | gates |
//! | `POST deliver?all=true`, `DELETE webhooks` | a run of the sending job; loses what waits |
//! | `POST revoke-tokens`, `POST advance` `{"seconds":600}`, `POST expire-sync-tokens` | time and tokens |
//! | `POST push` | sends Google's notifications that are due |
//! | `POST crm/E`, `GET crm/E`, `GET`, `PUT`, `DELETE crm/E/id` | as the CRM's user |
//! | `POST advoware/R`, `GET advoware/R`, `GET`, `PUT`, `DELETE advoware/R/number` | as the lawyer |
//! | `GET google`, `POST google` `{"summary":"AW-SB"}`, `DELETE google/C` | as the employee: calendars, by title or id |
//! | `POST google/C/events`, `GET google/C/events`, `GET`, `PUT` (merges, null clears), `DELETE google/C/events/id` | events |
//! | `PUT`, `DELETE google/C/events/id/2026-03-05` | edits or cancels the instance of that day |
//! | `GET google/C/instances?from=2026-03-01T00:00:00Z&to=…`, `GET google/C/acl` | what the employee sees |

mod google;
mod people;
mod steer;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use crate::people::Refused;
use crate::server::Shared;

/// The control routes, to be nested under `/sandbox`.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/effects", get(steer::effects))
        .route("/calls", get(steer::calls))
        .route("/counts", get(steer::counts))
        .route("/reset", post(steer::reset))
        .route("/state", get(people::state))
        .route("/env", get(steer::env))
        .route("/options", get(steer::options).post(steer::configure))
        .route("/faults", get(steer::faults).post(steer::plant).delete(steer::clear_faults))
        .route("/gates", post(steer::gate))
        .route("/gates/{index}", get(steer::gate_state).delete(steer::release))
        .route("/deliver", post(steer::deliver))
        .route("/webhooks", get(steer::webhooks).delete(steer::forget_webhooks))
        .route("/revoke-tokens", post(steer::revoke_tokens))
        .route("/advance", post(steer::advance))
        .route("/push", post(steer::push))
        .route("/expire-sync-tokens", post(steer::expire_sync_tokens))
        .merge(google::routes())
        .route("/crm/{entity}", get(people::crm_list).post(people::crm_create))
        .route("/crm/{entity}/{id}", get(people::crm_get).put(people::crm_update).delete(people::crm_delete))
        .route("/advoware/{resource}", get(people::advoware_list).post(people::lawyer_create))
        .route(
            "/advoware/{resource}/{number}",
            get(people::advoware_get).put(people::lawyer_update).delete(people::lawyer_delete),
        )
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(json!({"error": self.reason}))).into_response()
    }
}
