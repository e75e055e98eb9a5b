//! Hiding what addresses carry.

pub use crate::secret::{HIDDEN, Secret};

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
