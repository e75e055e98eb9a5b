//! One field of Advoware that EspoCRM keeps in several attributes: joined there, and split back only where that is certain.

use serde_json::{Map, Value};

use super::convert::{Unreadable, plain};

/// Why a text stays in Advoware.
pub(super) const NOT_SPLIT: &str = "cannot be split into its attributes with certainty";

/// Several attributes in their order, and what stands between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// EspoCRM's attributes, two at least.
    pub attributes: Vec<String>,
    /// Stands between the filled ones; not empty, but perhaps a space.
    pub separator: String,
}

impl Joined {
    /// The filled parts with the separator in between; `None` is blank. Nothing at all where an attribute is hidden: the
    /// rest would look like a shorter value.
    pub(super) fn read(&self, record: &Map<String, Value>) -> Option<Result<Option<String>, Unreadable>> {
        let mut parts = Vec::new();
        for attribute in &self.attributes {
            match plain(record.get(attribute)?) {
                Ok(part) => parts.extend(part),
                Err(unreadable) => return Some(Err(unreadable)),
            }
        }
        // Advoware's own text is trimmed as well, and a separator at its end would not come back.
        let text = parts.join(&self.separator).trim().to_owned();
        Some(Ok((!text.is_empty()).then_some(text)))
    }

    /// One part for every attribute; `None` unless the text has exactly so many, all of them filled. With fewer nobody can
    /// say which is missing, with more not where one ends.
    pub(super) fn split<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let parts: Vec<&str> = text.split(self.separator.as_str()).map(str::trim).collect();
        (parts.len() == self.attributes.len() && parts.iter().all(|part| !part.is_empty())).then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn joined(separator: &str) -> Joined {
        Joined { attributes: vec!["a".to_owned(), "b".to_owned()], separator: separator.to_owned() }
    }

    fn record(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn filled_parts_are_joined_and_a_hidden_one_hides_all() {
        let read = |value: Value| joined(", ").read(&record(value));
        assert_eq!(read(json!({"a": " x ", "b": "y"})), Some(Ok(Some("x, y".to_owned()))));
        assert_eq!(read(json!({"a": null, "b": "y"})), Some(Ok(Some("y".to_owned()))));
        assert_eq!(read(json!({"a": "", "b": null})), Some(Ok(None)));
        assert_eq!(read(json!({"b": "y"})), None);
        assert!(matches!(read(json!({"a": [1], "b": "y"})), Some(Err(_))));
    }

    #[test]
    fn only_a_text_with_as_many_parts_as_attributes_is_split() {
        let (space, comma) = (joined(" "), joined(", "));
        assert_eq!(space.split("Max Muster"), Some(vec!["Max", "Muster"]));
        assert_eq!(comma.split("Muster, Max Emil"), Some(vec!["Muster", "Max Emil"]));
        for text in ["Muster", "Anna Maria Muster", "Max  Muster"] {
            assert_eq!(space.split(text), None, "{text}");
        }
        for text in ["Muster,Max", "Muster, ", ", Max", "a, b, c"] {
            assert_eq!(comma.split(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever is split means what it meant, and what two filled parts without a separator gave comes back as they were.
        #[test]
        fn what_is_split_joins_to_the_same(a in "[a-c ,]{0,6}", b in "[a-c ,]{0,6}", comma: bool) {
            let joined = joined(if comma { ", " } else { " " });
            if let Some(Ok(Some(text))) = joined.read(&record(json!({ "a": a, "b": b }))) {
                if let Some(parts) = joined.split(&text) {
                    let again = joined.read(&record(json!({ "a": parts[0], "b": parts[1] })));
                    // A separator with a space beside it may lose that space, but never a letter.
                    let letters = |text: &str| text.replace(' ', "");
                    prop_assert_eq!(again.unwrap().unwrap().map(|it| letters(&it)), Some(letters(&text)));
                }
                let simple = |part: &str| !part.trim().is_empty() && !part.contains([' ', ',']);
                if simple(&a) && simple(&b) {
                    prop_assert_eq!(joined.split(&text), Some(vec![a.as_str(), b.as_str()]));
                }
            }
        }
    }
}
