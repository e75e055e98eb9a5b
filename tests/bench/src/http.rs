//! A client that costs next to nothing: the machine's two cores are for what is measured.

use std::net::SocketAddr;

use advosync::ingress;
use advosync::secret::Secret;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::jobs;

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "bench-secret";

/// The `n`th signed webhook about these records, as bytes on the wire.
pub(crate) fn webhook(n: u64, keys: &[String]) -> Vec<u8> {
    let objects: Vec<String> = keys.iter().map(|key| format!(r#"{{"id":"{key}"}}"#)).collect();
    let body = format!("[{}]", objects.join(","));
    let digest = ingress::sign(&Secret::new(SECRET), body.as_bytes());
    let signature = STANDARD.encode(format!("68a0d1c2b3e4f5a60:{}", hex::encode(digest)));
    let head = [
        "POST /vmh/webhook/beteiligte/update HTTP/1.1".to_owned(),
        "host: bench".to_owned(),
        "content-type: application/json".to_owned(),
        format!("content-length: {}", body.len()),
        format!("signature: {signature}"),
        format!("traceparent: {}", jobs::traceparent(n)),
    ];
    format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes()
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::new() })
    }

    /// Sends a request and reads its answer, which must be 200.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the connection was closed");
            }
            let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.answer[..end])?.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.context("an answer without a length")?.trim().parse()?;
            if self.answer.len() >= end + 4 + length {
                if !head.starts_with("http/1.1 200") {
                    bail!("the answer is {}", String::from_utf8_lossy(&self.answer));
                }
                return Ok(());
            }
        }
    }
}
