//! `POST /advoware/calendar/sync`: a person asks for a calendar sync (seed 000).

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};

use super::answer::ApiError;
use super::kuerzel::Target;
use super::scalar::Scalar;
use super::state::App;
use crate::callers::{Peer, Scope};
use crate::queue::{Batch, Lane, Mode};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Trigger {
    target: Target,
    /// `None`: nothing was chosen, so whatever was chosen before stays (C3).
    mode: Option<Mode>,
}

#[derive(Debug, Serialize)]
pub(super) struct Triggered {
    status: &'static str,
    kuerzel: String,
    message: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deduplicated: bool,
}

pub(super) async fn trigger(State(app): State<App>, request: Request) -> Result<Json<Triggered>, ApiError> {
    let (head, body) = request.into_parts();
    let caller = app.options.callers.admit(&head.headers, Peer::of(&head.extensions), Scope::Trigger)?;
    let body = app.reader.read(body).await?;
    let Trigger { target, mode } = parse(body.bytes())?;
    let keys = [target.key().to_owned()];
    let trace = app.trace();
    let batch = Batch { mode, traceparent: trace.as_deref(), ..Batch::new(target.topic(), Lane::First, &keys, "api") };
    let enqueued = app.enqueue(&batch).await?;
    let deduplicated = enqueued.new.is_empty();
    let [kuerzel] = keys;
    tracing::info!(kuerzel, mode = mode.map(Mode::name), deduplicated, caller = caller.name, "calendar sync triggered");
    Ok(Json(Triggered {
        status: "triggered",
        message: format!("Calendar sync triggered for {kuerzel}"),
        kuerzel,
        deduplicated,
    }))
}

#[derive(Deserialize)]
struct Fields {
    kuerzel: Option<Scalar>,
    full_content: Option<Scalar>,
}

fn parse(body: &[u8]) -> Result<Trigger, ApiError> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(Trigger { target: Target::All, mode: None });
    }
    if body[0] != b'{' {
        return Err(ApiError::bad_request(
            "not_an_object",
            r#"the body is not a JSON object: send {"kuerzel":"SB","full_content":true}, or nothing at all for everybody"#,
        ));
    }
    let not_json =
        |why: String| ApiError::bad_request("not_json", why + r#": send {"kuerzel":"SB","full_content":true}"#);
    // What is skipped is not looked at closely, so text that is not UTF-8 is found here.
    let text = std::str::from_utf8(body).map_err(|error| not_json(format!("the body is not UTF-8 ({error})")))?;
    let fields: Fields = serde_json::from_str(text).map_err(|error| {
        let why = if error.is_data() { "a field stands twice" } else { "the body is not JSON" };
        not_json(format!("{why} (line {} column {})", error.line(), error.column()))
    })?;
    let target = match fields.kuerzel {
        None | Some(Scalar::Null) => Target::All,
        Some(Scalar::Text(text)) => Target::parse(&text).ok_or_else(|| {
            ApiError::bad_request(
                "bad_kuerzel",
                "`kuerzel` is not valid: it has 1 to 20 letters, digits, `_` or `-`, or is `ALL`",
            )
        })?,
        Some(other) => return Err(wrong_type("kuerzel", "a string", &other)),
    };
    let mode = match fields.full_content {
        None | Some(Scalar::Null) => None,
        Some(Scalar::Flag(true)) => Some(Mode::Full),
        Some(Scalar::Flag(false)) => Some(Mode::Anonymised),
        Some(other) => return Err(wrong_type("full_content", "true or false", &other)),
    };
    Ok(Trigger { target, mode })
}

fn wrong_type(field: &str, expected: &str, given: &Scalar) -> ApiError {
    ApiError::bad_request("wrong_type", format!("`{field}` is {}: it must be {expected}", given.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_read_as_people_send_them() {
        let check = |body: &str, expected: (&str, Option<Mode>)| {
            let trigger = parse(body.as_bytes()).unwrap();
            assert_eq!((trigger.target.key(), trigger.mode), expected, "{body}");
        };
        for body in
            ["", " \n", "{}", r#"{"kuerzel":null,"full_content":null}"#, r#"{"other":[{"x":1}],"kuerzel":"all"}"#]
        {
            check(body, ("ALL", None));
        }
        check(r#"{"kuerzel":"SB"}"#, ("SB", None));
        check(r#"{"kuerzel":"SB","full_content":true}"#, ("SB", Some(Mode::Full)));
        check(r#"{"full_content":false}"#, ("ALL", Some(Mode::Anonymised)));
        check(r#"{"kuerzel":"M\u00dc"}"#, ("MÜ", None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |body: &[u8], code: &str, names: &str| {
            let error = parse(body).unwrap_err();
            assert_eq!(error.code(), code, "{error:?}");
            assert!(format!("{error:?}").contains(names), "{error:?}");
        };
        check(b"[]", "not_an_object", "object");
        check(b"null", "not_an_object", "object");
        check(b"\"SB\"", "not_an_object", "object");
        check(b"{", "not_json", "not JSON");
        check(b"{\"kuerzel\":\"\xff\"}", "not_json", "not UTF-8");
        check(b"{\"other\":\"\xff\",\"kuerzel\":\"SB\"}", "not_json", "not UTF-8");
        check(br#"{"kuerzel":"A","kuerzel":"B"}"#, "not_json", "twice");
        check(br#"{"kuerzel":5}"#, "wrong_type", "`kuerzel` is a number");
        check(br#"{"kuerzel":["SB"]}"#, "wrong_type", "`kuerzel` is an array");
        check(br#"{"full_content":"true"}"#, "wrong_type", "`full_content` is a string");
        check(br#"{"full_content":1}"#, "wrong_type", "`full_content` is a number");
        check(br#"{"kuerzel":""}"#, "bad_kuerzel", "1 to 20");
        check(br#"{"kuerzel":"S B"}"#, "bad_kuerzel", "1 to 20");
    }
}
