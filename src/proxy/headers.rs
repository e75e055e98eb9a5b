//! Which headers go along, in each direction. Pure.

use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION,
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, PROXY_AUTHENTICATE, RANGE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    WWW_AUTHENTICATE,
};

/// What a caller may say to Advoware. A list of what is allowed, because headers that override the method or the address
/// (`X-HTTP-Method-Override`, `X-Original-URL`, …) would go round write protection and the check of the path.
const ONWARD: [HeaderName; 15] = [
    ACCEPT,
    ACCEPT_CHARSET,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// What ends at us: hop by hop (RFC 9110, 7.6.1), and Advoware's own session with us.
const ENDS_HERE: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    WWW_AUTHENTICATE,
];

/// The caller's headers for Advoware: no sign-in, no cookies.
pub(super) fn onward(caller: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ONWARD {
        for value in caller.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    for name in named_by_connection(caller) {
        headers.remove(name);
    }
    headers
}

/// Advoware's headers for the caller.
pub(super) fn back(mut upstream: HeaderMap) -> HeaderMap {
    for name in named_by_connection(&upstream).into_iter().chain(ENDS_HERE) {
        upstream.remove(name);
    }
    upstream
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn only_harmless_headers_go_onward() {
        let caller = map(&[
            ("accept", "application/json"),
            ("authorization", "Bearer ours"),
            ("connection", "keep-alive, if-match"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("cookie", "a=b"),
            ("host", "us"),
            ("if-match", "x"),
            ("transfer-encoding", "chunked"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/other"),
        ]);
        assert_eq!(names(&onward(&caller)), ["accept", "content-type"]);
    }

    #[test]
    fn what_belongs_to_the_connection_does_not_come_back() {
        let upstream = map(&[
            ("connection", "x-internal"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("set-cookie", "session=1"),
            ("transfer-encoding", "chunked"),
            ("www-authenticate", "Bearer"),
            ("x-internal", "1"),
            ("x-total", "7"),
        ]);
        assert_eq!(names(&back(upstream)), ["content-length", "content-type", "x-total"]);
    }
}
