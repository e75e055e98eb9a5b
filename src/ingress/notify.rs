//! `POST /google/calendar/notify?kuerzel=SB`: Google says that a calendar changed. A push never chooses a mode (C3).

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::answer::ApiError;
use super::kuerzel::Target;
use super::state::App;
use crate::queue::{Batch, Lane};

#[derive(Deserialize)]
pub(super) struct Whose {
    kuerzel: Option<String>,
}

pub(super) async fn notify(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<Whose>, axum::extract::rejection::QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let given = headers.get("x-goog-channel-token");
    let known =
        app.options.channel_token.as_ref().zip(given).is_some_and(|(token, given)| token.matches(given.as_bytes()));
    if !known {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "channel_token",
            "the channel token is missing or wrong: this server knows no such notification channel",
        ));
    }
    let kuerzel = query.ok().and_then(|Query(whose)| whose.kuerzel);
    let Some(Target::Employee(kuerzel)) = kuerzel.as_deref().and_then(Target::parse) else {
        return Err(ApiError::bad_request(
            "bad_kuerzel",
            "the channel's address must end in `?kuerzel=` and the Kürzel whose calendar it watches",
        ));
    };
    let trace = app.trace();
    let target = Target::Employee(kuerzel);
    let keys = [target.key().to_owned()];
    let batch = Batch { traceparent: trace.as_deref(), ..Batch::new(target.topic(), Lane::First, &keys, "google") };
    app.enqueue(&batch).await?;
    Ok(StatusCode::OK)
}
