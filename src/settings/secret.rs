//! Text that must never be printed.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is shown in place of a secret.
pub const HIDDEN: &str = "***";

/// A secret: `Debug`, `Display` and serialising give `***`. The text itself comes only from [`Secret::expose`], so that
/// every place that reads it can be found by that word.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; never log it, never put it into an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// `text` with the user information of a URL in it hidden (`redis://:***@host:6379/1`); text without any comes back as it is.
///
/// Works on any text, also on one that is no valid URL: a mistyped address carries a password as well as a correct one.
#[must_use]
pub fn hide_password(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let Some(at) = text.rfind('@').filter(|at| *at >= start) else {
        return text.to_owned();
    };
    let credentials = &text[start..at];
    let user = credentials.split_once(':').map(|(user, _)| user);
    let shown = match user {
        Some(user) => format!("{user}:{HIDDEN}"),
        None => HIDDEN.to_owned(),
    };
    format!("{}{shown}{}", &text[..start], &text[at..])
}
