//! Requests that no honest client sends, byte by byte, at the proxy; and what of them reaches Advoware, byte by byte.
//!
//! Every case is one connection. After it comes a question to `/healthz` that closes the connection: where it is not answered, the
//! proxy has closed before.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::support::{Home, PATIENCE, Process};
use crate::support::redis::Redis;

const BASE: &str = "/api/advoware";
/// What a request of a known caller has.
const KNOWN: &str = "Host: x\r\nAuthorization: Bearer geheim\r\n";
const LAST: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A request as it came to Advoware.
#[derive(Debug, Clone)]
struct Came {
    line: String,
    /// Names in lower case, and values.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Came {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.strip_suffix("\r\n").unwrap_or_else(|| panic!("a line that is none: {line:?}")) {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers: Vec<(String, String)> = lines[1..]
            .iter()
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line:?}")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        Some(Self { line: lines[0].clone(), headers, body })
    }

    /// Method, target and body, as the table has it.
    fn short(&self) -> String {
        let line = self.line.strip_suffix(" HTTP/1.1").unwrap();
        if self.body.is_empty() { line.to_owned() } else { format!("{line} | {}", String::from_utf8_lossy(&self.body)) }
    }
}

/// Advoware, as far as the proxy sees it: it issues a token, answers everything, and keeps every byte.
struct Advoware {
    port: u16,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Advoware {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, came) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut answers, kept) = (stream.unwrap(), Arc::clone(&kept));
                std::thread::spawn(move || {
                    let mut requests = BufReader::new(answers.try_clone().unwrap());
                    while let Some(came) = Came::read(&mut requests) {
                        let body = if came.line.contains("/token") { r#"{"access_token":"ours"}"# } else { "{}" };
                        let more = "Content-Type: application/json\r\nConnection: keep-alive, X-Inner\r\nX-Inner: 1\r\n\
                                    Set-Cookie: session=advoware\r\nWWW-Authenticate: Bearer\r\nX-Total: 7\r\n";
                        kept.lock().unwrap().push(came);
                        let answer = format!("HTTP/1.1 200 OK\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len());
                        answers.write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        Self { port, came }
    }

    /// What came since the last look, without sign-ins.
    fn came(&self) -> Vec<Came> {
        let came = std::mem::take(&mut *self.came.lock().unwrap());
        came.into_iter().filter(|it| !it.line.contains("/token")).collect()
    }
}

/// A proxy before this Advoware.
struct Stage {
    advoware: Advoware,
    proxy: Process,
    _home: Home,
    _redis: Redis,
}

impl Stage {
    fn set() -> Self {
        let (redis, advoware) = (Redis::start(), Advoware::start());
        let at = |path: &str| format!("http://127.0.0.1:{}{path}", advoware.port);
        let signed_in =
            ["APP_ID", "KANZLEI", "DATABASE", "USER", "PASSWORD"].map(|name| (format!("ADVOWARE_{name}"), "x".into()));
        let home = Home::at(&redis)
            .with_all(signed_in)
            .with("ADVOWARE_API_KEY", "eA==")
            .with("ADVOWARE_API_BASE_URL", &at("/firm/"))
            .with("ADVOWARE_AUTH_URL", &at("/token"))
            .with("ADVOSYNC_MAX_BODY_BYTES", "5000")
            .with("ADVOSYNC_API_TOKEN", "geheim");
        let proxy = home.ready("proxy");
        Self { advoware, proxy, _home: home, _redis: redis }
    }

    /// Everything that comes back for these bytes, until the proxy closes.
    fn answers(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.proxy.http().port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The proxy may close before all is sent, and what it said before can be read all the same.
        let _ = stream.write_all(&[bytes, LAST.as_bytes()].concat());
        let mut answers = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answers) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{bytes:?}");
        }
        String::from_utf8(answers).unwrap()
    }

    /// Fails unless these are the answers, that of `/healthz` included, and this is what came to Advoware.
    fn check(&self, bytes: impl AsRef<[u8]>, statuses: &[u16], came: &[&str]) {
        let bytes = bytes.as_ref();
        let answers = self.answers(bytes);
        let found: Vec<u16> = answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect();
        let found_came: Vec<String> = self.advoware.came().iter().map(Came::short).collect();
        let sent = String::from_utf8_lossy(bytes);
        assert_eq!(
            (&found[..], &found_came[..]),
            (statuses, &came.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
            "{sent:?}\n{answers}"
        );
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{KNOWN}\r\n")
}

/// A POST with these header lines and what follows the head.
fn post(headers: &str, rest: &str) -> String {
    format!("POST {BASE}/x HTTP/1.1\r\n{KNOWN}{headers}\r\n{rest}")
}

/// A second request that must not be taken for one.
fn smuggled() -> String {
    get(&format!("{BASE}/smuggled"))
}

#[test]
fn where_a_body_ends_is_never_in_doubt() {
    let stage = Stage::set();
    let check = |bytes: String, statuses: &[u16], came: &[&str]| stage.check(bytes, statuses, came);
    let (abc, empty) = ("POST /firm/x | abc", "POST /firm/x");
    check(post("Content-Length: 3\r\n", "abc"), &[200, 200], &[abc]);
    check(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), &[200, 200], &[abc]);
    check(post("", ""), &[200, 200], &[empty]);
    // Both: the chunks count, and the connection ends with the answer.
    let both = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
    ];
    for headers in both {
        check(post(headers, &format!("0\r\n\r\n{}", smuggled())), &[200], &[empty]);
    }
    check(
        post(
            &format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", 3 + smuggled().len()),
            &format!("3\r\nabc\r\n0\r\n\r\n{}", smuggled()),
        ),
        &[200],
        &[abc],
    );
    // Lengths that are none, or two.
    for length in ["+3", "-3", "0x3", "3 3", "3, 3", "3,4", "", "3a", "99999999999999999999", "\u{b}3"] {
        check(post(&format!("Content-Length: {length}\r\n"), &format!("abc{}", smuggled())), &[400], &[]);
    }
    check(post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), &[400], &[]);
    check(post("Content-Length: 0\r\nContent-Length: 3\r\n", "abc"), &[400], &[]);
    check(post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), &[200, 200], &[abc]);
    // Encodings that we do not know may hide a length.
    for encoding in [
        "xchunked",
        "chunked, identity",
        "identity",
        "chunked;q=1",
        "\u{b}chunked",
        "\"chunked\"",
        "chunke",
        "chunked\0",
    ] {
        let bytes =
            post(&format!("Transfer-Encoding: {encoding}\r\n"), &format!("3\r\nabc\r\n0\r\n\r\n{}", smuggled()));
        check(bytes, &[400], &[]);
    }
    check(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), &[400], &[]);
    check(post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), &[400], &[]);
    check(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), &[400], &[]);
    check(post("Content-Length : 3\r\n", "abc"), &[400], &[]);
    check(post("X-A: b\r\n folded\r\nContent-Length: 3\r\n", "abc"), &[400], &[]);
    check(post(" Content-Length: 3\r\n", "abc"), &[400], &[]);
    check(post("Content-Length\r\n", "abc"), &[400], &[]);
    check(post("X\0: y\r\n", ""), &[400], &[]);
    check(post("X: a\0b\r\n", ""), &[400], &[]);
    check(post("X: a\rContent-Length: 3\r\n", "abc"), &[400], &[]);
    check(post("Content-Length: 3\r\nX(: y\r\n", "abc"), &[400], &[]);
    let chunked = |chunks: &str| post("Transfer-Encoding: chunked\r\n", &format!("{chunks}{}", smuggled()));
    check(post("Transfer-Encoding: chunked\r\n", "3;ext=1\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"), &[200, 200], &[abc]);
    for chunks in [
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc",
        "3\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "g\r\nabc",
    ] {
        check(chunked(chunks), &[400], &[]);
    }
    // HTTP/1.0 knows no chunks.
    let old = format!("POST {BASE}/x HTTP/1.0\r\n{KNOWN}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", smuggled());
    check(old, &[400], &[]);
}

/// An answer that does not need the body must not leave it lying there as the next request.
#[test]
fn the_body_of_a_refused_request_is_no_request() {
    let stage = Stage::set();
    let hidden = smuggled();
    let refused = |head: &str, status: u16| {
        let answers = stage.answers(format!("{head}Content-Length: {}\r\n\r\n{hidden}", hidden.len()).as_bytes());
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        // Whether the connection goes on after that is its own choice.
        assert_eq!(statuses[0], status.to_string(), "{head}: {answers}");
        assert!(statuses.len() <= 2 && !statuses[1..].contains(&"404"), "{head}: {answers}");
        assert_eq!(stage.advoware.came().len(), 0, "{head}");
    };
    refused(&format!("POST {BASE}/x HTTP/1.1\r\nHost: x\r\n"), 401);
    refused(&format!("POST {BASE}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer falsch\r\n"), 401);
    refused(&format!("POST {BASE}/../x HTTP/1.1\r\n{KNOWN}"), 400);
    refused(&format!("PATCH {BASE}/x HTTP/1.1\r\n{KNOWN}"), 405);
    refused("POST /nothing HTTP/1.1\r\nHost: x\r\n", 404);
    refused("POST /healthz HTTP/1.1\r\nHost: x\r\n", 405);
    // Too long by its own word, and too long as it comes.
    let long = " ".repeat(6_000);
    let stated = post("Content-Length: 6000\r\n", &long);
    let chunked = post("Transfer-Encoding: chunked\r\n", &format!("1770\r\n{long}\r\n0\r\n\r\n"));
    for bytes in [stated, chunked] {
        let answers = stage.answers(format!("{bytes}{hidden}").as_bytes());
        assert!(answers.starts_with("HTTP/1.1 413"), "{answers}");
        assert!(
            stage.advoware.came().iter().all(|came| came.short() == "GET /firm/smuggled"),
            "only what comes after it whole"
        );
    }
}

#[test]
fn no_target_leads_out_of_the_base() {
    let stage = Stage::set();
    let check = |target: &str, status: u16| {
        let answers = stage.answers(get(target).as_bytes());
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{target:?}: {answers}");
        assert_eq!(stage.advoware.came().len(), 0, "{target:?}");
    };
    for path in [
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./x",
        "a/./b",
        "%2e%2e/x",
        "%2E%2e/x",
        ".%2e/x",
        "a/%2e%2e%2fb",
        "a%2fb",
        "a%2Fb",
        "a%5cb",
        "a\\b",
        "..\\x",
        "%252e%252e/x",
        "a%252fb",
        "%c0%ae%c0%ae/x",
        "a%c0%afb",
        "..;/x",
        "a/..;v=1/b",
        "..%3b/x",
        "/evil.example/x",
        "//evil.example/x",
        "/%2fevil.example",
        "http://evil.example/x",
        "https:evil.example",
        "HTTP://evil.example",
        "a%0d%0aX-Evil:%201",
        "a%0a",
        "a%0d",
        "a%00",
        "%00",
        "a%7f",
        "a%",
        "a%2",
        "a%zz",
        "a%u002e",
    ] {
        check(&format!("{BASE}/{path}"), 400);
    }
    // These name no route of the proxy.
    for target in [
        "/api/advoware",
        "/api/advoware%2fx",
        "/API/advoware/x",
        "//x/api/advoware/x",
        "/../api/advoware/x",
        "/api//advoware/x",
        "/api/advoware../x",
        "/x/../api/advoware/x",
        "http://evil.example/x",
        "*",
        "x",
    ] {
        check(target, 404);
    }
    // These are no targets, or none of ours.
    for target in ["/api/advoware/a b", "/api/advoware/a\tb", "/api/advoware/a\0b", "/api/advoware/a\u{7f}b", "http://"]
    {
        check(target, 40);
    }
    // A line break in the target begins a header, which is none.
    check("/api/advoware/a\r\nX-Evil: 1", 400);
    check("/api/advoware/a\nX-Evil: 1", 400);
    // Raw bytes that are no UTF-8.
    let bytes = [b"GET /api/advoware/M\xfcller HTTP/1.1\r\n", KNOWN.as_bytes(), b"\r\n"].concat();
    assert!(stage.answers(&bytes).starts_with("HTTP/1.1 400"));
    assert_eq!(stage.advoware.came().len(), 0);
    // What may pass, passes as it is.
    for (target, expected) in [
        ("a//b", "a//b"),
        ("a/...", "a/..."),
        ("a%20b;v=1/", "a%20b;v=1/"),
        ("x?u=http://a/../b&q=%0d%0a%00&r=../..", "x?u=http://a/../b&q=%0d%0a%00&r=../.."),
        ("x?", "x?"),
        ("", ""),
    ] {
        stage.check(get(&format!("{BASE}/{target}")), &[200, 200], &[&format!("GET /firm/{expected}")]);
    }
    // The form that clients of a forward proxy send: only its path counts.
    stage.check(get("http://evil.example/api/advoware/x"), &[200, 200], &["GET /firm/x"]);
}

#[test]
fn nothing_of_the_callers_connection_goes_along_and_nothing_of_advowares_comes_back() {
    let stage = Stage::set();
    let allowed = ["accept", "authorization", "content-length", "content-type", "host", "if-match", "user-agent"];
    let request = |connection: &str| {
        post(
            &format!(
                "{connection}X-Foo: 1\r\nCookie: a=b\r\nTE: trailers\r\nKeep-Alive: timeout=9\r\nProxy-Authorization: Basic eA==\r\n\
                 Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-HTTP-Method-Override: DELETE\r\nX-Original-URL: /other\r\n\
                 X-Rewrite-URL: /other\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\nX-Forwarded-For: 1.2.3.4\r\n\
                 Trailer: X-Late\r\nIf-Match: \"1\"\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
            ),
            "abc",
        )
    };
    for (connection, expects_match, keeps) in [
        ("", true, true),
        ("Connection: X-Foo\r\n", true, true),
        ("Connection: close, X-Foo, If-Match\r\n", false, false),
        ("Connection: Content-Length, Host, Authorization\r\n", true, true),
        ("Connection: X-Foo\r\nConnection: close\r\n", true, false),
    ] {
        let answers = stage.answers(request(connection).as_bytes());
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 1 + usize::from(keeps), "{connection}: {answers}");
        let came = stage.advoware.came();
        assert_eq!((came.len(), came[0].short().as_str()), (1, "POST /firm/x | abc"), "{connection}");
        for (name, value) in &came[0].headers {
            assert!(allowed.contains(&name.as_str()), "{connection}: {name}: {value} went along");
        }
        let value =
            |wanted: &str| came[0].headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(value("authorization"), Some("Bearer ours"));
        assert_eq!(value("host"), Some(format!("127.0.0.1:{}", stage.advoware.port).as_str()));
        assert_eq!(value("if-match").is_some(), expects_match, "{connection}");
        let head = answers.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(head.contains("x-total: 7") && head.contains("content-type: application/json"), "{head}");
        for gone in ["x-inner", "set-cookie", "www-authenticate", "session=", "keep-alive,"] {
            assert!(!head.contains(gone), "{gone} came back: {head}");
        }
    }
}

#[test]
fn hosts_versions_methods_and_several_requests_at_once() {
    let stage = Stage::set();
    let bearer = "Authorization: Bearer geheim\r\n";
    let came: &[&str] = &["GET /firm/x"];
    // Whom we are asked as means nothing to us, and Advoware is asked as itself (the test above).
    for host in ["", "Host: evil.example\r\n", "Host: a\r\nHost: b\r\n", "Host: a@b:1/..\r\n"] {
        stage.check(format!("GET {BASE}/x HTTP/1.1\r\n{host}{bearer}\r\n"), &[200, 200], came);
    }
    let first = stage.answers(format!("GET {BASE}/x HTTP/1.0\r\n{KNOWN}\r\n").as_bytes());
    assert!(first.starts_with("HTTP/1.0 200") && !first.contains("healthz"), "{first}");
    assert_eq!(stage.advoware.came().len(), 1);
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1", "http/1.1", "HTTP/1.1 x", ""] {
        let answers = stage.answers(format!("GET {BASE}/x {version}\r\n{KNOWN}\r\n").as_bytes());
        assert!(!answers.contains(" 200 "), "{version}: {answers}");
        assert_eq!(stage.advoware.came().len(), 0, "{version}");
    }
    for method in ["TRACE", "OPTIONS", "PATCH", "HEAD", "get", "PROPFIND", "G\u{e4}T", "GET\0"] {
        let answers = stage.answers(format!("{method} {BASE}/x HTTP/1.1\r\n{KNOWN}\r\n").as_bytes());
        let status = if method.chars().all(|c| c.is_ascii_alphabetic()) { "HTTP/1.1 405" } else { "HTTP/1.1 400" };
        assert!(answers.starts_with(status), "{method}: {answers}");
        assert_eq!(stage.advoware.came().len(), 0, "{method}");
    }
    let tunnel = stage.answers(format!("CONNECT evil.example:443 HTTP/1.1\r\n{KNOWN}\r\n").as_bytes());
    assert!(tunnel.starts_with("HTTP/1.1 4"), "{tunnel}");
    // Lines may end in LF alone (RFC 9112, 2.2), which makes no two requests of one.
    stage.check(get(&format!("{BASE}/x")).replace("\r\n", "\n"), &[200, 200], came);
    // One after the other, in order; after one that is broken comes nothing any more.
    let (one, two) = (get(&format!("{BASE}/1")), get(&format!("{BASE}/2")));
    stage.check(format!("{one}{two}"), &[200, 200, 200], &["GET /firm/1", "GET /firm/2"]);
    stage.check(format!("{one}nonsense\r\n\r\n{two}"), &[200, 400], &["GET /firm/1"]);
    stage.check(format!("{}{two}", get("/api/advoware/a b")), &[400], &[]);
    let refused = get(&format!("{BASE}/../x"));
    stage.check(format!("{refused}{two}"), &[400, 200, 200], &["GET /firm/2"]);
    let expecting = post("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc");
    stage.check(expecting, &[100, 200, 200], &["POST /firm/x | abc"]);
}
