//! Slow connections, many of them, and a webhook that comes meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::support::{Home, Http, PATIENCE, Process};
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";
/// How long a webhook may take.
const SOON: Duration = Duration::from_millis(100);

/// This process needs a file descriptor for each of its connections.
fn may_open_many() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    assert!(hard >= 4_096, "this test opens 3,000 connections; the machine allows {hard} files");
}

fn connected(http: Http, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", http.port)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// A connection that sends this much of a webhook and then no more.
fn slow(http: Http, number: usize) -> TcpStream {
    let text = match number % 3 {
        0 => String::new(),
        1 => format!("POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        _ => format!("POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[{{\"id\":"),
    };
    connected(http, &text)
}

/// Twenty webhooks one after the other, each on a connection of its own; all are taken, and the middle one within the time.
fn webhooks_are_taken(ingress: &Process, prefix: &str) -> Duration {
    let mut took: Vec<Duration> = (0..21)
        .map(|number| {
            let begun = Instant::now();
            let answer = ingress.http().post(WEBHOOK, &format!(r#"[{{"id":"{prefix}-{number}"}}]"#));
            assert_eq!(answer.status, 200, "{prefix} {number}: {answer:?}");
            begun.elapsed()
        })
        .collect();
    took.sort();
    println!("{prefix}: {:?} in the middle, {:?} at most", took[10], took[20]);
    assert!(took[10] < SOON, "{prefix}: {took:?}");
    // Even the one that came into the burst did not wait until slow requests are given up, after 8 s.
    assert!(took[20] < Duration::from_secs(5), "{prefix}: {took:?}");
    took[10]
}

#[test]
fn thousands_of_slow_connections_do_not_keep_a_webhook_out() {
    may_open_many();
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let begun = Instant::now();
    let mut all: Vec<TcpStream> = (0..1_000).map(|number| slow(ingress.http(), number)).collect();
    webhooks_are_taken(&ingress, "thousand");
    // More bodies than there are places for. Some bytes now and then make nobody quicker.
    all.extend((1_000..3_000).map(|_| slow(ingress.http(), 2)));
    println!("3,000 connections were made in {:?}", begun.elapsed());
    for stream in &mut all {
        let _ = stream.write_all(b"1");
    }
    webhooks_are_taken(&ingress, "full");
    let metrics = ingress.http().get("/metrics").body;
    let shed = metrics.lines().find_map(|line| line.strip_prefix("advosync_http_shed_connections_total ")).unwrap();
    assert!(shed.parse::<u32>().unwrap() >= 1_900, "{shed}");
    let warning = ingress.says("all connections are taken, those that wait longest for their client are closed");
    assert_eq!(warning["level"], "WARN");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "42");
    // The first ones were closed.
    let mut rest = Vec::new();
    all[0].set_read_timeout(Some(PATIENCE)).unwrap();
    let closed = all[0].read_to_end(&mut rest);
    assert!(closed.is_ok() || closed.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
    drop(all);
    ingress.stop().with_code(0);
}

/// A process that may open few files has fewer places, and does not end at the limit.
#[test]
fn few_file_descriptors_are_enough() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready_with_files("ingress", 300);
    assert_eq!(
        ingress.says("fewer connections than usual, because this process may not open more files")["places"],
        44
    );
    let all: Vec<TcpStream> = (0..300).map(|number| slow(ingress.http(), number)).collect();
    webhooks_are_taken(&ingress, "few");
    drop(all);
    let ended = ingress.stop().with_code(0);
    assert!(!ended.stderr.contains("a connection could not be accepted"), "{}", ended.stderr);
}

/// What is sent on one connection, and the status of the first answer.
fn first_status(http: Http, text: &[u8]) -> String {
    let mut stream = connected(http, "");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may answer, and close, before all is sent.
    let _ = stream.write_all(text);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn heads_and_bodies_have_bounds() {
    let redis = Redis::start();
    let home = Home::at(&redis).with("ADVOSYNC_MAX_BODY_BYTES", "1000").with("ADVOSYNC_API_TOKEN", "geheim");
    let up = home.ready("up");
    let head = |more: &str| format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    let check = |text: &str, expected: &str| {
        let status = first_status(up.http(), text.as_bytes());
        assert!(status.contains(expected), "{status} for {}…", &text[..text.len().min(200)]);
    };
    check(&head(""), " 200 ");
    check(&head(&format!("X-Long: {}\r\n", "x".repeat(50_000))), " 200 ");
    check(&head(&format!("X-Long: {}\r\n", "x".repeat(200_000))), " 431 ");
    check(&head(&"X-Many: x\r\n".repeat(90)), " 200 ");
    check(&head(&"X-Many: x\r\n".repeat(200)), " 431 ");
    check(&format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000)), " 4");
    let chunked =
        format!("POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    check(&format!("{chunked}2\r\n[]\r\n0\r\n\r\n"), " 200 ");
    check(&format!("{chunked}fff\r\n{}\r\n0\r\n\r\n", " ".repeat(0xfff)), " 413 ");
    check(&format!("{chunked}{}\r\n0\r\n\r\n", "1\r\n \r\n".repeat(1_001)), " 413 ");
    // A stranger's body is not even read.
    check("POST /advoware/calendar/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n", " 401 ");
    up.stop().with_code(0);
}

/// Every route that reads a body gives up on one that does not come, also those that are open to strangers.
#[test]
fn bodies_that_do_not_come_are_given_up() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let up = home.ready("up");
    let paths = [WEBHOOK, "/advoware/calendar/sync", "/console/sign-in", "/console/sign-out"];
    let begun = Instant::now();
    let waiting: Vec<TcpStream> = paths
        .iter()
        .map(|path| {
            let form = "Content-Type: application/x-www-form-urlencoded";
            connected(up.http(), &format!("POST {path} HTTP/1.1\r\nHost: x\r\n{form}\r\nContent-Length: 99\r\n\r\na"))
        })
        .collect();
    for (path, mut stream) in paths.iter().zip(waiting) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 503", "{path}");
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    up.stop().with_code(0);
}
