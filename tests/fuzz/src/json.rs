//! What an input is as JSON, read by other means than the product's.

use serde_json::Value;

/// Whether a text is JSON.
pub(crate) enum Json {
    /// It is, and that is what it says.
    Is(Value),
    /// It is by the grammar, but says what a tree of values cannot hold: too deep, too large a number, half a character.
    Beyond,
    /// It is not.
    Not,
}

/// Reads a text that may be JSON.
pub(crate) fn read(text: &[u8]) -> Json {
    match serde_json::from_slice(text) {
        Ok(value) => Json::Is(value),
        Err(error) => {
            let why = error.to_string();
            let beyond = ["recursion limit", "out of range", "surrogate", "unexpected end of hex escape"];
            if beyond.iter().any(|word| why.contains(word)) { Json::Beyond } else { Json::Not }
        }
    }
}
