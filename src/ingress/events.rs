//! What a webhook's body says: the ids of records to which something happened. Pure.
//!
//! `EspoCRM` sends an array; a single object is understood too (seed 003). Of the elements only `id` is read: the rest
//! is a snapshot of the past, and the handler reads the record again. Elements without a valid id are left out and
//! counted, because `EspoCRM` never sends a batch again that was answered with 400.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::Scalar;

/// An id is at most this long.
const LONGEST_ID: usize = 64;

/// The events of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    /// Distinct valid ids, in the order in which they came.
    pub(super) ids: Vec<String>,
    /// Elements without a valid id.
    pub(super) rejected: usize,
}

/// Why a body can never be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// It is no JSON text.
    #[error("the body is not JSON ({0}): send an array of objects that have an `id`")]
    NotJson(String),
    /// It is a string, a number, a boolean or null.
    #[error("the body is {0}: send an array of objects that have an `id`, or one such object")]
    Neither(&'static str),
    /// None of its elements has a valid id.
    #[error("no element has a valid `id` (a string of 1 to 64 letters, digits, `_` and `-`)")]
    NoId,
}

impl Unusable {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::Neither(_) => "not_an_array",
            Self::NoId => "no_valid_id",
        }
    }
}

/// Reads the events of a body. An empty array is no fault.
pub(super) fn read(body: &[u8]) -> Result<Events, Unusable> {
    // What is skipped is not looked at closely, so text that is not UTF-8 is found here.
    let text = std::str::from_utf8(body).map_err(|error| Unusable::NotJson(error.to_string()))?;
    match serde_json::from_str(text).map_err(|error| Unusable::NotJson(place(&error)))? {
        Body::Events { events, elements } if events.ids.is_empty() && elements > 0 => Err(Unusable::NoId),
        Body::Events { events, .. } => Ok(events),
        Body::Neither(kind) => Err(Unusable::Neither(kind)),
    }
}

/// Where the text stops being JSON; the parser's own words may quote the text.
fn place(error: &serde_json::Error) -> String {
    format!("line {} column {}", error.line(), error.column())
}

fn is_valid(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

enum Body {
    Events { events: Events, elements: usize },
    Neither(&'static str),
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeBody)
    }
}

struct WholeBody;

impl<'de> Visitor<'de> for WholeBody {
    type Value = Body;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Body, A::Error> {
        let (mut events, mut seen, mut elements) = (Events::default(), HashSet::new(), 0);
        while let Some(Element(id)) = items.next_element()? {
            elements += 1;
            match id {
                Some(id) if seen.contains(&id) => {}
                Some(id) => {
                    seen.insert(id.clone());
                    events.ids.push(id);
                }
                None => events.rejected += 1,
            }
        }
        Ok(Body::Events { events, elements })
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Body, A::Error> {
        let ids = Vec::from_iter(read_id(entries)?);
        Ok(Body::Events { events: Events { ids, rejected: 0 }, elements: 1 })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Body, E> {
        Ok(Body::Neither("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Body, E> {
        Ok(Body::Neither("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Body, E> {
        Ok(Body::Neither("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Body, E> {
        Ok(Body::Neither("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Body, E> {
        Ok(Body::Neither("a string"))
    }

    fn visit_unit<E>(self) -> Result<Body, E> {
        Ok(Body::Neither("null"))
    }
}

/// An element of the array, of which only its valid id is kept.
struct Element(Option<String>);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyElement).map(Element)
    }
}

struct AnyElement;

impl<'de> Visitor<'de> for AnyElement {
    type Value = Option<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        read_id(entries)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The valid id of an object. Of several `id` the last counts, as in `EspoCRM`'s own reading of JSON.
fn read_id<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Option<String>, A::Error> {
    let mut id = None;
    while let Some(name) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
        if name == "id" {
            id = match entries.next_value::<Scalar>()? {
                Scalar::Text(text) if is_valid(&text) => Some(text),
                _ => None,
            };
        } else {
            entries.next_value::<IgnoredAny>()?;
        }
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(body: &str, ids: &[&str], rejected: usize) {
        let events = read(body.as_bytes()).unwrap();
        assert_eq!(
            (events.ids, events.rejected),
            (ids.iter().map(|id| (*id).to_owned()).collect(), rejected),
            "{body}"
        );
    }

    #[test]
    fn events_are_read_from_arrays_and_objects() {
        check(r#"[{"id":"a"},{"id":"b-_9"}]"#, &["a", "b-_9"], 0);
        check(r#"{"id":"123","name":"Test Beteiligte"}"#, &["123"], 0);
        check("[]", &[], 0);
        check(" [ ] \n", &[], 0);
        check(r#"[{"id":"a"},{"id":"a","x":[{"id":"no"}]},{"id":"\u0061"}]"#, &["a"], 0);
        check(r#"[{"id":"a","id":"b"}]"#, &["b"], 0);
    }

    #[test]
    fn bad_elements_beside_good_ones_are_left_out_and_counted() {
        let long = "x".repeat(10_000);
        let (fits, too_long) = ("y".repeat(64), "y".repeat(65));
        let body = format!(
            r#"[{{"id":"{long}"}},{{"id":"good"}},{{"id":"a\u0000b"}},{{"id":"a\nb"}},{{"id":"Köln"}},{{"id":""}},
               {{"id":7}},{{"id":null}},{{"id":["a"]}},{{"id":{{"id":"a"}}}},{{}},7,-7,1.5,true,null,"text",["x"],
               {{"id":"{fits}"}},{{"id":"{too_long}"}},{{"id":"a:b"}},{{"id":"../x"}},{{"ID":"a"}}]"#
        );
        check(&body, &["good", &fits], 21);
    }

    #[test]
    fn what_can_never_be_accepted_says_why() {
        let check = |body: &[u8], code: &str| {
            assert_eq!(read(body).map_err(|why| why.code()), Err(code), "{}", String::from_utf8_lossy(body));
        };
        for body in ["", "{", "[{\"id\":\"a\"}", "[{\"id\":\"a\"}] x", "[{'id':1}]", "<xml/>", "[{\"id\":\"a\u{1}\"}]"]
        {
            check(body.as_bytes(), "not_json");
        }
        check(b"[{\"id\":\"a\",\"name\":\"\xff\"}]", "not_json");
        for body in ["null", "7", "-1", "1.5", "true", "\"text\""] {
            check(body.as_bytes(), "not_an_array");
        }
        for body in ["{}", "[{}]", "[1,2]", r#"{"id":5}"#, r#"[{"id":"ä"}]"#] {
            check(body.as_bytes(), "no_valid_id");
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(read(deep.as_bytes()), Err(Unusable::NoId));
        check(&format!(r#"[{{"id":"a","x":{deep}}},{{"id":{deep}}}]"#), &["a"], 1);
        let open = "{\"id\":".repeat(1_000_000);
        assert_eq!(read(open.as_bytes()).map_err(|why| why.code()), Err("not_json"));
    }

    proptest! {
        #[test]
        fn every_element_is_an_id_a_double_or_rejected(ids in proptest::collection::vec("[a-cé_]{0,2}", 1..40)) {
            let body = serde_json::to_vec(&ids.iter().map(|id| serde_json::json!({ "id": id })).collect::<Vec<_>>()).unwrap();
            let good: Vec<&String> = ids.iter().filter(|id| is_valid(id)).collect();
            match read(&body) {
                Ok(events) => {
                    prop_assert_eq!(events.rejected, ids.len() - good.len());
                    prop_assert_eq!(events.ids.iter().collect::<HashSet<_>>(), good.into_iter().collect::<HashSet<_>>());
                }
                Err(why) => {
                    prop_assert_eq!(why, Unusable::NoId);
                    prop_assert!(good.is_empty());
                }
            }
        }
    }
}
