//! Which paths may be passed on: those that every server on the way reads as lying below the base. Pure.

use percent_encoding::percent_decode_str;

/// Gateways decode once each; so many of them are looked through.
const DECODINGS: usize = 3;

/// Refuses a path (what follows `/api/advoware/`, as it arrived) that leaves the base, or may do so after decoding.
pub(super) fn check(path: &str) -> Result<(), &'static str> {
    if path.starts_with('/') {
        return Err("it starts with two slashes and would name another host");
    }
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err("it is an address of its own");
    }
    if !well_formed(path) {
        return Err("it has a % that no two hexadecimal digits follow");
    }
    check_plain(path)?;
    let mut text = path.to_owned();
    for _ in 0..DECODINGS {
        // Also refuses overlong forms of dot and slash, which are no UTF-8.
        let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| "it is not UTF-8")?.into_owned();
        if decoded == text {
            return Ok(());
        }
        if ['/', '.'].iter().any(|&c| decoded.matches(c).count() != text.matches(c).count()) {
            return Err("it has an encoded slash or dot");
        }
        check_plain(&decoded)?;
        text = decoded;
    }
    Err("it is encoded again and again")
}

fn check_plain(path: &str) -> Result<(), &'static str> {
    if path.contains(|c: char| c.is_control()) {
        return Err("it has a control character");
    }
    if path.contains('\\') {
        return Err("it has a backslash");
    }
    // Some servers cut `;…` off a part before they look at it.
    let mut parts = path.split('/').map(|part| part.split(';').next().unwrap_or_default());
    if parts.any(|part| part == "." || part == "..") {
        return Err("it climbs with dots");
    }
    Ok(())
}

fn well_formed(path: &str) -> bool {
    path.split('%').skip(1).all(|after| {
        let digits = after.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn what_is_passed_on_and_what_is_not() {
        let check = |path: &str, expected: bool| assert_eq!(check(path).is_ok(), expected, "{path:?}");
        for path in [
            "",
            "api/v1/advonet/Beteiligte/17",
            "api/v1/advonet/Termine/",
            "api//v1",
            "a/M%C3%BCller",
            "a/Müller",
            "a/file.tar.gz",
            "a/...",
            "a/..b/b..",
            "a/100%25",
            "a/x%20y",
            "a/b:c",
            "a;v=1/b",
        ] {
            check(path, true);
        }
        for path in [
            "..",
            "../x",
            "a/../b",
            "a/..",
            "a/./b",
            "a/..;/b",
            "a/..;x=1/b",
            "a/%2e%2e/b",
            "a/.%2E/b",
            "a/%2e",
            "a/x%2ey",
            "a%2fb",
            "a%2Fb",
            "a%5cb",
            "a\\b",
            "a/%252e%252e/b",
            "a%252fb",
            "a%25252fb",
            "a/%25252525252e",
            "a/%c0%ae%c0%ae/b",
            "a%c0%afb",
            "/evil.example/x",
            "//evil.example/x",
            "http://evil.example/x",
            "https:evil.example",
            "a%0d%0aX-Evil:1",
            "a%0a",
            "a%00b",
            "a\r\nb",
            "a\0b",
            "a%7f",
            "a%zz",
            "a%2",
            "a%",
        ] {
            check(path, false);
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_below_the_base(path in r"([./%2eEfF5cC\\;:a-c]|%2[eEfF]|%5[cC]|\.\./){0,12}") {
            if check(&path).is_ok() {
                let url = Url::parse(&format!("https://relay.example/firm/{path}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("relay.example"));
                prop_assert_eq!(url.path(), format!("/firm/{path}"));
            }
        }
    }
}
