//! Paths of requests, made of ids that come from outside.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One part of a path or a query.
pub(super) fn encoded(part: &str) -> String {
    utf8_percent_encode(part, ENCODED).to_string()
}

/// Parts with a slash before each. An empty one, or dots alone, would address something else: a list instead of a record.
pub(super) fn joined(parts: &[&str]) -> Result<String, String> {
    let mut path = String::new();
    for part in parts {
        if part.trim().is_empty() || part.chars().all(|c| c == '.') {
            return Err(format!("{part:?} is no name and no id"));
        }
        path.push('/');
        path.push_str(&encoded(part));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_encoded_and_none_is_empty() {
        let check =
            |parts: &[&str], expected: Option<&str>| assert_eq!(joined(parts).ok().as_deref(), expected, "{parts:?}");
        check(&["CBeteiligte", "65a1"], Some("/CBeteiligte/65a1"));
        check(&["CBeteiligte", "../User/1?x#y"], Some("/CBeteiligte/..%2FUser%2F1%3Fx%23y"));
        check(&["users", "me", "calendarList"], Some("/users/me/calendarList"));
        check(&["calendars", "de.german#holiday@x", "acl"], Some("/calendars/de.german%23holiday%40x/acl"));
        check(&["calendars", "../a?b/ü"], Some("/calendars/..%2Fa%3Fb%2F%C3%BC"));
        check(&["calendars", "", "events"], None);
        check(&["calendars", " ", "events"], None);
        check(&["calendars", "..", "events"], None);
    }
}
