//! Whatever a caller of the proxy asks for, Advoware is asked for something below its base, and for just that.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use advosync::clients::Secret;
use advosync::clients::advoware::{self, Client, MemoryTokenStore};
use advosync::proxy;
use axum::http::{Method, Uri};
use url::Url;

use crate::harness::{run, runtime};
use crate::requests::send;
use crate::upstream::{Answer, TOKEN, Upstream};

const PREFIX: &str = "/api/advoware/";
const BASE: &str = "/firm/";

/// How the tests sign in at an [`Upstream`] that plays Advoware.
pub(crate) fn options(upstream: &Upstream) -> advoware::Options {
    let url = |path: &str| Url::parse(&format!("{}{path}", upstream.origin)).unwrap();
    advoware::Options {
        base_url: Some(url(BASE)),
        auth_url: url(TOKEN),
        discovery_url: url(TOKEN),
        product_id: 64,
        app_id: "app-123".to_owned(),
        api_key: Secret::new("dGVzdC1zZWNyZXQta2V5"),
        kanzlei: "Muster".to_owned(),
        database: "db".to_owned(),
        user: "sync".to_owned(),
        role: 2,
        password: Secret::new("kennwort-7"),
        token_lifetime: Duration::from_mins(55),
        timeout: Duration::from_secs(4),
        write_protection: false,
        max_concurrency: 4,
    }
}

/// An input is a request's target as it stands in the request line.
#[test]
fn what_the_proxy_asks_for_lies_below_the_base() {
    let runtime = runtime();
    let upstream = runtime.block_on(Upstream::start());
    let client = Client::new(options(&upstream), Arc::new(MemoryTokenStore::new())).unwrap();
    let routes = proxy::router(client, proxy::Options { callers: Arc::default(), max_body_bytes: 1_000 });
    run("proxy_path", 6_000, |target| {
        // What the HTTP server cannot read never gets to the proxy.
        let Ok(uri) = Uri::try_from(target) else { return };
        upstream.says(Answer { status: 200, ..Answer::default() });
        let answer = runtime.block_on(send(&routes, Method::GET, uri.clone(), b""));
        let asked = upstream.targets();
        match (answer.status.as_u16(), asked.as_slice()) {
            (200, [asked]) => check(asked, &uri),
            (400 | 404, []) => {}
            (status, asked) => panic!("{status} after {asked:?}"),
        }
    });
}

fn check(asked: &str, uri: &Uri) {
    let rest = uri.path_and_query().unwrap().as_str().strip_prefix(PREFIX).unwrap();
    let below = asked.strip_prefix(BASE).unwrap_or_else(|| panic!("{asked} leaves the base at once"));
    assert_eq!(escaped(below), escaped(rest), "not what the caller asked for");
    let url = Url::parse(&format!("https://relay.example{asked}")).unwrap();
    let path = asked.split('?').next().unwrap();
    assert_eq!((url.host_str(), url.path()), (Some("relay.example"), path), "another parser reads another path");
    let mut text = path.as_bytes().to_vec();
    for _ in 0..8 {
        assert!(stays(&text), "it leaves the base as {}", text.escape_ascii());
        text = decoded(&text);
    }
}

/// A server that knows all that servers do with paths: both slashes part, parameters go, dots climb.
fn stays(path: &[u8]) -> bool {
    let mut depth = 0_i32;
    let inside = path.strip_prefix(BASE.as_bytes()).is_some_and(|below| {
        below.split(|byte| b"/\\".contains(byte)).all(|part| {
            match part.split(|byte| *byte == b';').next().unwrap_or_default() {
                b".." => depth -= 1,
                b"." | b"" => {}
                _ => depth += 1,
            }
            depth >= 0
        })
    });
    inside && !path.iter().any(u8::is_ascii_control)
}

/// As it has to be sent: what no address may hold is escaped (RFC 3986), all else is left.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'\'' | b'[' | b']' | 0..=32 | 127.. => {
                write!(out, "%{byte:02X}").unwrap();
            }
            _ => out.push(byte.into()),
        }
    }
    out
}

/// Decodes once; what is no escape stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| text[at] == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(text[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    out
}
