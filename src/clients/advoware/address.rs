//! Building addresses below the base URL, and refusing what would leave it.

use url::Url;

use crate::clients::path::encoded;

/// The longest address that can be sent, bytes; escapes make one longer than what a caller gave.
const LONGEST: usize = 65_534;

/// How one record is addressed: `Beteiligte/17`, but `Termine?frnr=17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// The last part of the path.
    Path(&'a str),
    /// A query parameter: name and value. Advoware ignores a wrongly cased name silently.
    Query(&'a str, &'a str),
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(id: &'a str) -> Self {
        Self::Path(id)
    }
}

impl<'a> From<&'a String> for Key<'a> {
    fn from(id: &'a String) -> Self {
        Self::Path(id)
    }
}

/// Path and query of one record, or what is wrong with the key. An empty key would address the whole list.
pub(super) fn record(path: &str, key: Key<'_>) -> Result<String, String> {
    let path = path.trim_matches('/');
    let (Key::Path(id) | Key::Query(_, id)) = key;
    if id.trim().is_empty() {
        return Err("the record's number is empty".to_owned());
    }
    match key {
        Key::Path(id) if id.chars().all(|c| c == '.') => Err(format!("{id:?} is no record number")),
        Key::Path(id) => Ok(format!("{path}/{}", encoded(id))),
        Key::Query(name, id) => Ok(list(path, &[(name, id)])),
    }
}

/// Path and query of a list.
pub(super) fn list(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.trim_matches('/').to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(&encoded(name));
        target.push('=');
        target.push_str(&encoded(value));
    }
    target
}

/// The base with a closing slash and nothing behind its path.
pub(super) fn base(mut url: Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("{url} is no http or https address"));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// `base` and `target` put together; an error where the result would not lie under the base. The last wall: our token
/// goes to whatever address comes out here.
pub(super) fn under(base: &Url, target: &str) -> Result<Url, String> {
    let leaves = || "the path leaves Advoware's base URL".to_owned();
    let text = format!("{base}{target}");
    let url = Url::parse(&text).map_err(|error| error.to_string())?;
    let stays = url.origin() == base.origin()
        && url.username() == base.username()
        && url.password() == base.password()
        && url.path().starts_with(base.path());
    let path = target.split(['?', '#']).next().unwrap_or_default();
    // The parser resolves dots and turns backslashes into slashes, so a changed count of parts betrays both.
    let parts = format!("{}{path}", base.path()).matches('/').count();
    if !stays || url.path().matches('/').count() != parts || path.contains(['\\', '\r', '\n', '\t', '\0']) {
        return Err(leaves());
    }
    if url.as_str().len() > LONGEST {
        return Err(format!("the address is longer than {LONGEST} bytes"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_addresses() {
        let check = |key: Key<'_>, expected: Option<&str>| {
            assert_eq!(record("/api/v1/advonet/Termine/", key).ok().as_deref(), expected, "{key:?}");
        };
        check(Key::from("17"), Some("api/v1/advonet/Termine/17"));
        check(Key::Query("frnr", "-17"), Some("api/v1/advonet/Termine?frnr=-17"));
        check(Key::from("1/../2?x=ü"), Some("api/v1/advonet/Termine/1%2F..%2F2%3Fx%3D%C3%BC"));
        check(Key::from(""), None);
        check(Key::from(".."), None);
        check(Key::Query("frnr", " "), None);
    }

    #[test]
    fn lists_encode_their_query() {
        assert_eq!(list("B", &[("name", "Müller & Söhne"), ("vorname", "")]), {
            "B?name=M%C3%BCller%20%26%20S%C3%B6hne&vorname="
        });
    }

    #[test]
    fn nothing_leaves_the_base() {
        let base = base(Url::parse("https://relay.example/firm?x#y").unwrap()).unwrap();
        let check = |target: &str, expected: Option<&str>| {
            assert_eq!(under(&base, target).ok().as_ref().map(Url::as_str), expected, "{target}");
        };
        check("api/v1/X?q=../..", Some("https://relay.example/firm/api/v1/X?q=../.."));
        check("", Some("https://relay.example/firm/"));
        check("/other.example/x", Some("https://relay.example/firm//other.example/x"));
        check("../other", None);
        check("a/../../other", None);
        check("a/../b", None);
        check("a/%2e%2e/b", None);
        check("a\\..\\..\\b", None);
        check("a\nb", None);
        let fits = LONGEST - base.as_str().len();
        assert!(under(&base, &"a".repeat(fits)).is_ok() && under(&base, &"a".repeat(fits + 1)).is_err());
        assert!(under(&base, &"ü".repeat(fits / 3)).is_err(), "each is six bytes when it is sent");
    }
}
