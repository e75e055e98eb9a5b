//! PHP's bracket query parameters: `where[0][type]=equals&where[0][value][]=a` becomes JSON.

use serde_json::{Map, Value};

/// The nested form of the parameters. Every leaf is a string, as PHP gives it.
pub(crate) fn nested(params: &[(String, String)]) -> Map<String, Value> {
    let mut root = Map::new();
    for (name, value) in params {
        put(&mut root, &path(name), value);
    }
    root.into_iter().map(|(name, value)| (name, listed(value))).collect()
}

/// `a[b][]` → `a`, `b`, and a blank for "the next number".
fn path(name: &str) -> Vec<&str> {
    match name.split_once('[') {
        Some((first, rest)) if rest.ends_with(']') => {
            std::iter::once(first).chain(rest[..rest.len() - 1].split("][")).collect()
        }
        _ => vec![name],
    }
}

fn put(node: &mut Map<String, Value>, path: &[&str], value: &str) {
    let Some((&head, rest)) = path.split_first() else { return };
    let key = if head.is_empty() { node.len().to_string() } else { head.to_owned() };
    if rest.is_empty() {
        node.insert(key, Value::String(value.to_owned()));
        return;
    }
    let child = node.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    if let Value::Object(child) = child {
        put(child, rest, value);
    }
}

/// An object whose keys are all numbers is an array, in the order of the numbers.
fn listed(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let map: Map<String, Value> = map.into_iter().map(|(name, value)| (name, listed(value))).collect();
    if map.is_empty() || !map.keys().all(|key| key.parse::<u32>().is_ok()) {
        return Value::Object(map);
    }
    let mut entries: Vec<(u32, Value)> = map.into_iter().filter_map(|(key, v)| Some((key.parse().ok()?, v))).collect();
    entries.sort_by_key(|(number, _)| *number);
    Value::Array(entries.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(query: &str, expected: &Value) {
        let params: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(&Value::Object(nested(&params)), expected, "{query}");
    }

    #[test]
    fn brackets_become_json() {
        check("maxSize=5", &json!({"maxSize": "5"}));
        check("where={}", &json!({"where": "{}"}));
        check(
            "where[0][type]=or&where[0][value][0][type]=equals&where[0][value][0][attribute]=a&where[0][value][0][value]=x",
            &json!({"where": [{"type": "or", "value": [{"type": "equals", "attribute": "a", "value": "x"}]}]}),
        );
        check("where[0][value][]=a&where[0][value][]=b", &json!({"where": [{"value": ["a", "b"]}]}));
    }
}
