//! What every client does alike around one HTTP exchange: how the connection is set up, what a failure means for the
//! effect of the call, and how much of an answer is read and shown.

use std::fmt::{self, Write as _};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use tokio_util::bytes::{Bytes, BytesMut};

/// The most bytes of an answer that is read into memory; a longer one is an error, not a crash.
pub(super) const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// How much of a text that nobody expected is shown in an error.
const SNIPPET_CHARS: usize = 200;
/// An upstream that asks for more than this is believed only so far.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Which request it was: method and path. The query is left out (it may hold names), except for a record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, or the whole address of a service beside it (sign-in, discovery).
    pub path: String,
}

impl Call {
    /// A read of this path.
    #[must_use]
    pub const fn get(path: String) -> Self {
        Self { method: Method::GET, path }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.path)
    }
}

/// Why a call brought no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection: name not found, refused, TLS failed, or no connection in time. Nothing was sent.
    #[error("no connection ({0})")]
    Connect(String),
    /// The request went out, or its sign-in did, and the whole answer was not here in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The connection broke after the request had started to go out.
    #[error("the connection broke before the answer was complete ({0})")]
    Cut(String),
    /// An HTTP status that says nothing about the effect: 5xx or 408.
    #[error("it answered {status}{}", quoted(.text))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer's text, without secrets; may be empty.
        text: String,
    },
    /// The gateway answers, but the system behind it is away for now; holds what the gateway says.
    #[error("the firm's server is offline (it says: {0})")]
    Offline(String),
    /// An answer came that is not what the contract promises; says what came instead.
    #[error("the answer was {0}")]
    Unreadable(String),
}

impl Cause {
    /// Whether this counts against the upstream as a whole (connection, timeout, 5xx), for a circuit breaker.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        !matches!(self, Self::Unreadable(_))
    }

    /// Whether the request may still be under way, and take effect later: nobody answered in time, be it the gateway that
    /// says so (504). Where a connection broke, whatever it led to has happened by the next attempt.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Status { status: 504, .. })
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

/// The connection pool of one client. No redirects, because a redirected POST would be sent twice or become a GET; no
/// silent retries, because a caller must know how often something was sent.
pub(super) fn connections(timeout: Duration) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .user_agent(concat!("advosync/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // Shorter than the whole, so that a slow connect is told apart from a request that went out.
        .connect_timeout((timeout / 2).min(Duration::from_secs(10)))
        .timeout(timeout)
        // Servers drop idle connections after some time; a write on such a one would have an unknown effect.
        .pool_idle_timeout(Duration::from_secs(15))
        .build()
        .map_err(|error| chain(&error))
}

/// Splits a transport failure into "nothing left this process" (`Err`) and "the effect is unknown" (`Ok`).
pub(super) fn transport(error: reqwest::Error, timeout: Duration) -> Result<Cause, Cause> {
    // The URL may carry names in its query.
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        Err(Cause::Connect(chain(&error)))
    } else if error.is_timeout() {
        Ok(Cause::Timeout(timeout))
    } else {
        Ok(Cause::Cut(chain(&error)))
    }
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    text
}

/// Reads an answer to its end, at most `limit` bytes.
pub(super) async fn read(mut response: reqwest::Response, limit: usize, timeout: Duration) -> Result<Bytes, Cause> {
    let too_long = || Cause::Unreadable(format!("longer than {limit} bytes"));
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => return Err(too_long()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(transport(error, timeout).unwrap_or_else(|cause| cause)),
        }
    }
}

/// The text of a body. German gateways also send Latin-1 without saying so.
pub(super) fn text(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match std::str::from_utf8(body) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => body.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// JSON with or without a byte order mark.
pub(super) fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()
}

/// The texts in a body that was sent. An error may repeat them, and they are somebody's personal data, which no log tells
/// above debug: so they are hidden in it like secrets. Shorter ones stand in ordinary words.
pub(super) fn sent_texts(body: Option<&Value>) -> Vec<&str> {
    match body {
        Some(Value::String(text)) if text.trim().chars().count() >= 4 => vec![text.trim()],
        Some(Value::Array(items)) => items.iter().flat_map(|item| sent_texts(Some(item))).collect(),
        Some(Value::Object(fields)) => fields.values().flat_map(|value| sent_texts(Some(value))).collect(),
        _ => Vec::new(),
    }
}

/// The first 200 characters of a text on one line, with everything in it replaced that is to be hidden.
pub(super) fn snippet(text: &str, hidden: &[&str]) -> String {
    let mut text = text.to_owned();
    let mut hidden: Vec<&str> = hidden.iter().copied().filter(|hidden| !hidden.is_empty()).collect();
    // What is part of another one must not leave the rest of that.
    hidden.sort_unstable_by_key(|hidden| std::cmp::Reverse(hidden.len()));
    for hidden in hidden {
        text = text.replace(hidden, "***");
    }
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SNIPPET_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What a body is, in words. JSON is described by its shape, because its content is somebody's personal data; so is what
/// only begins like JSON, such as an answer that was cut off.
pub(super) fn described(body: &[u8], hidden: &[&str]) -> String {
    let start = text(body).trim_start().chars().next();
    match json(body) {
        _ if body.trim_ascii().is_empty() => "empty".to_owned(),
        Some(value) => shape(&value),
        None if matches!(start, Some('{' | '[' | '"')) => format!("broken JSON of {} bytes", body.len()),
        None => format!("no JSON but: {}", snippet(&text(body), hidden)),
    }
}

/// The kind of a JSON value, in words.
pub(super) fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the JSON value {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a JSON string".to_owned(),
        Value::Array(items) => match items.first() {
            None => "an empty array".to_owned(),
            Some(first) => format!("an array of {} that starts with {}", items.len(), shape(first)),
        },
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Whether a body is a page for people: a login page, a proxy's error page.
pub(super) fn is_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    start.starts_with(b"<")
}

/// `Retry-After` in seconds or as an HTTP date, at most a day.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let at = DateTime::parse_from_rfc2822(value).ok()?;
        (at.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_are_short_single_lines_without_secrets() {
        let check = |text: &str, expected: &str| assert_eq!(snippet(text, &["geheim", ""]), expected);
        check("<html>\r\n <b>x</b>", "<html> <b>x</b>");
        check("Kennwort geheim falsch", "Kennwort *** falsch");
        let long = snippet(&"ä".repeat(500), &[]);
        assert_eq!(long.chars().count(), SNIPPET_CHARS + 1);
    }

    #[test]
    fn what_was_sent_is_hidden_in_what_comes_back() {
        let body = json(
            r#"{"name":" Mustermann ","vorname":"Max","mails":[{"text":"max@mustermann.de"}],"betNr":17}"#.as_bytes(),
        );
        let sent = sent_texts(body.as_ref());
        assert_eq!(sent, ["Mustermann", "max@mustermann.de"]);
        let text = "Der Name 'Mustermann' (Mustermann-Max, max@mustermann.de) ist zu lang, Nr. 17";
        assert_eq!(snippet(text, &sent), "Der Name '***' (***-Max, ***) ist zu lang, Nr. 17");
        assert_eq!(snippet("Anna Anna-Lena", &["Anna", "Anna-Lena"]), "*** ***");
    }

    #[test]
    fn latin_1_is_read() {
        assert_eq!(text(b"nicht f\xfcr Sie"), "nicht für Sie");
        assert_eq!(text("\u{feff}für".as_bytes()), "für");
    }

    #[test]
    fn json_is_described_by_shape_only() {
        let check = |body: &str, expected: &str| assert_eq!(described(body.as_bytes(), &[]), expected);
        check(r#"{"name":"Meier"}"#, "an object");
        check(r#"[{"name":"Meier"},{}]"#, "an array of 2 that starts with an object");
        check(r#""Meier""#, "a JSON string");
        check("  ", "empty");
        check("<html>", "no JSON but: <html>");
        for broken in [r#"{"name":"Meier","#, r#"[{"name":"Meier"}"#, r#"  "Meier"#, "\u{feff}[{\"name\":\"Meier\"},}"]
        {
            check(broken, &format!("broken JSON of {} bytes", broken.len()));
        }
        let latin_1 = b"\xef\xbb\xbf[{\"name\":\"M\xfcller\"}]";
        assert_eq!(described(latin_1, &[]), "broken JSON of 22 bytes");
    }

    #[test]
    fn retry_after_takes_both_forms() {
        let now = DateTime::parse_from_rfc3339("2026-10-21T07:28:00Z").unwrap().to_utc();
        let check = |value: &str, expected: Option<u64>| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        };
        check("7", Some(7));
        check("Wed, 21 Oct 2026 07:28:30 GMT", Some(30));
        check("Wed, 21 Oct 2026 07:00:00 GMT", Some(0));
        check("99999999", Some(86_400));
        check("soon", None);
    }
}
