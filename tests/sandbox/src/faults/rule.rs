//! A rule: which requests, how often, and what happens.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effects::System;
use crate::google::refuse;
use crate::wire::Ask;

/// Which requests; what is not given fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Match {
    /// Who is asked.
    pub system: Option<System>,
    /// The method.
    pub method: Option<String>,
    /// The path at the sandbox's port (or the webhook url's path), `*` for any characters.
    pub path: Option<String>,
    /// A text that the raw query contains.
    pub query: Option<String>,
    /// A text that the body contains, such as a name.
    pub body: Option<String>,
}

impl Match {
    /// All requests to a system.
    #[must_use]
    pub fn on(system: System) -> Self {
        Self { system: Some(system), ..Self::default() }
    }

    /// Only a method and a path with `*`.
    #[must_use]
    pub fn request(self, method: &str, path: &str) -> Self {
        Self { method: Some(method.into()), path: Some(path.into()), ..self }
    }

    /// Only bodies that contain a text.
    #[must_use]
    pub fn containing(self, text: &str) -> Self {
        Self { body: Some(text.into()), ..self }
    }

    pub(crate) fn fits(&self, system: System, ask: &Ask) -> bool {
        self.system.is_none_or(|wanted| wanted == system)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&ask.method))
            && self.path.as_ref().is_none_or(|pattern| glob(pattern, &ask.path))
            && self.query.as_ref().is_none_or(|text| ask.query.contains(text.as_str()))
            && self.body.as_ref().is_none_or(|text| String::from_utf8_lossy(&ask.body).contains(text.as_str()))
    }
}

/// `*` fits any characters, also none.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => {
            let Some(tail) = text.strip_prefix(head) else { return false };
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| glob(rest, &tail[at..]))
        }
    }
}

/// What happens to a request. At [`System::Webhooks`], where the sandbox is the one who asks, only `Cut` (not sent),
/// `LoseAnswer` (sent, and tried again later), `AnswerAfter` (the product is taken to have answered so), `DelayBefore`
/// and `Duplicate` mean anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Answers so, without an effect.
    AnswerBefore {
        /// The status.
        status: u16,
        /// The body, as text.
        #[serde(default)]
        body: String,
        /// Further headers, such as Retry-After.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Lets it take effect, then answers so.
    AnswerAfter {
        /// The status.
        status: u16,
        /// The body, as text.
        #[serde(default)]
        body: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Cuts the connection without an effect.
    Cut,
    /// Lets it take effect, then cuts the connection.
    LoseAnswer,
    /// Waits before the effect.
    DelayBefore {
        /// How long.
        ms: u64,
    },
    /// Waits between effect and answer.
    DelayAfter {
        /// How long.
        ms: u64,
    },
    /// Answers 200 with a page of HTML, without an effect.
    HtmlBefore,
    /// Lets it take effect, then answers 200 with a page of HTML.
    HtmlAfter,
    /// Wraps the answer's object in an array.
    Array,
    /// Leaves fields out of the answer.
    Without {
        /// Their names.
        fields: Vec<String>,
    },
    /// Sets fields of the answer.
    Replace {
        /// The values.
        fields: BTreeMap<String, Value>,
    },
    /// Takes all tokens of the system that is asked back first, so that a request to its API is answered with 401.
    RevokeTokens,
    /// Google only: lets every sync token end first, so that a list with one is answered with 410.
    ExpireSyncTokens,
    /// Webhooks only: the request is sent again so many times.
    Duplicate {
        /// How often more.
        copies: u32,
    },
}

/// A rule. Without [`Fault::times`] it strikes every matching request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Which requests.
    #[serde(flatten)]
    pub target: Match,
    /// How many requests are struck at most.
    #[serde(default)]
    pub times: Option<u64>,
    /// How many matching requests pass first.
    #[serde(default)]
    pub skip: u64,
    /// Strikes only with this probability, 0 to 1, from the options' seed.
    #[serde(default)]
    pub probability: Option<f64>,
    /// What happens, in this order.
    pub actions: Vec<Action>,
}

impl Fault {
    /// A rule for all requests to a system, without an action yet.
    #[must_use]
    pub fn on(system: System) -> Self {
        Self { target: Match::on(system), ..Self::default() }
    }

    /// Only this method and path (with `*`).
    #[must_use]
    pub fn request(self, method: &str, path: &str) -> Self {
        Self { target: self.target.request(method, path), ..self }
    }

    /// Only GETs of a path.
    #[must_use]
    pub fn get(self, path: &str) -> Self {
        self.request("GET", path)
    }

    /// Only POSTs to a path.
    #[must_use]
    pub fn post(self, path: &str) -> Self {
        self.request("POST", path)
    }

    /// Only PUTs to a path.
    #[must_use]
    pub fn put(self, path: &str) -> Self {
        self.request("PUT", path)
    }

    /// Only `PATCH` requests to a path.
    #[must_use]
    pub fn patch(self, path: &str) -> Self {
        self.request("PATCH", path)
    }

    /// Only `DELETE` requests to a path.
    #[must_use]
    pub fn delete(self, path: &str) -> Self {
        self.request("DELETE", path)
    }

    /// Only bodies that contain a text.
    #[must_use]
    pub fn containing(self, text: &str) -> Self {
        Self { target: self.target.containing(text), ..self }
    }

    /// Strikes once.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Strikes so many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Strikes by chance.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    /// Adds any action.
    #[must_use]
    pub fn then(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    /// Answers so, without an effect.
    #[must_use]
    pub fn answer(self, status: u16, body: &str) -> Self {
        self.then(Action::AnswerBefore { status, body: body.into(), headers: BTreeMap::new() })
    }

    /// Lets it take effect, then answers so.
    #[must_use]
    pub fn answer_after(self, status: u16, body: &str) -> Self {
        self.then(Action::AnswerAfter { status, body: body.into(), headers: BTreeMap::new() })
    }

    /// Answers with Google's error of this status and reason, such as `rateLimitExceeded`, without an effect
    /// (google-calendar.md, Limits).
    #[must_use]
    pub fn google_error(self, status: u16, reason: &str) -> Self {
        let (body, headers) = google_error(status, reason);
        self.then(Action::AnswerBefore { status, body, headers })
    }

    /// Likewise, after the effect: what a client sees of a write that went through in the end.
    #[must_use]
    pub fn google_error_after(self, status: u16, reason: &str) -> Self {
        let (body, headers) = google_error(status, reason);
        self.then(Action::AnswerAfter { status, body, headers })
    }

    /// Lets every sync token of Google end before the request.
    #[must_use]
    pub fn expire_sync_tokens(self) -> Self {
        self.then(Action::ExpireSyncTokens)
    }

    /// Cuts the connection without an effect.
    #[must_use]
    pub fn cut(self) -> Self {
        self.then(Action::Cut)
    }

    /// Lets it take effect, then cuts the connection.
    #[must_use]
    pub fn lose_answer(self) -> Self {
        self.then(Action::LoseAnswer)
    }

    /// Waits before the effect.
    #[must_use]
    pub fn delay_before(self, wait: Duration) -> Self {
        self.then(Action::DelayBefore { ms: millis(wait) })
    }

    /// Waits between effect and answer.
    #[must_use]
    pub fn delay_after(self, wait: Duration) -> Self {
        self.then(Action::DelayAfter { ms: millis(wait) })
    }

    /// Leaves fields out of the answer.
    #[must_use]
    pub fn without(self, fields: &[&str]) -> Self {
        self.then(Action::Without { fields: fields.iter().map(|&field| field.to_owned()).collect() })
    }
}

fn google_error(status: u16, reason: &str) -> (String, BTreeMap<String, String>) {
    let answer = refuse::error(status, reason, "A scripted fault.");
    (String::from_utf8_lossy(&answer.body).into_owned(), answer.headers.into_iter().collect())
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        fn check(pattern: &str, text: &str, expected: bool) {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
        check("/a/b", "/a/b", true);
        check("/a/b", "/a/bc", false);
        check("*/Beteiligte", "/advoware/api/v1/advonet/Beteiligte", true);
        check("*/Beteiligte", "/advoware/api/v1/advonet/Beteiligte/5", false);
        check("*/Beteiligte/*", "/advoware/api/v1/advonet/Beteiligte/5", true);
        check("*", "", true);
    }
}
