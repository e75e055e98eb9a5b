//! Plays an upstream that answers whatever an input says, and remembers what it was asked for.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where tokens are issued; nothing else is answered by itself.
pub(crate) const TOKEN: &str = "/token";

/// What is answered to everything but a sign-in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Whether the connection breaks before the last byte.
    pub(crate) cut: bool,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first line of an input is the status, with `cut` behind it where the answer does not come whole; the rest is the
    /// body. Statuses that come without a body are none of ours.
    pub(crate) fn of(input: &[u8]) -> Self {
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let line = String::from_utf8_lossy(&input[..end]);
        let mut words = line.split_ascii_whitespace();
        let status = words.next().and_then(|word| word.parse().ok());
        let status = status.filter(|status| (200..600).contains(status) && ![204, 205, 304].contains(status));
        let body = input.get(end + 1..).unwrap_or_default().to_vec();
        Self { status: status.unwrap_or(200), cut: words.next() == Some("cut"), body }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn bytes(&self) -> Vec<u8> {
        let length = self.body.len() + usize::from(self.cut);
        let mut bytes = format!("HTTP/1.1 {} X\r\nContent-Length: {length}\r\n\r\n", self.status).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[derive(Default)]
struct State {
    answer: Answer,
    targets: Vec<String>,
}

/// A server on a random port, for as long as the runtime lives.
pub(crate) struct Upstream {
    /// `http://127.0.0.1:<port>`
    pub(crate) origin: String,
    state: Arc<Mutex<State>>,
}

impl Upstream {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { origin, state }
    }

    /// From now on this is answered, and nothing has been asked for yet.
    pub(crate) fn says(&self, answer: Answer) {
        *lock(&self.state) = State { answer, targets: Vec::new() };
    }

    /// The targets of all requests since then but those for a token, as they stood in the request line.
    pub(crate) fn targets(&self) -> Vec<String> {
        lock(&self.state).targets.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

/// Answers request after request; ends where the client or an answer hangs up.
async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut received = Vec::new();
    loop {
        let Some(end) = end_of_head(&received) else {
            if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let head = String::from_utf8(received[..end].to_vec()).unwrap();
        let whole = end + length(&head);
        while received.len() < whole {
            if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return;
            }
        }
        received.drain(..whole);
        let target = head.split(' ').nth(1).unwrap_or_default();
        let answer = if target == TOKEN {
            let body = br#"{"access_token":"t0ken-of-the-tests","expires_in":3600,"token_type":"Bearer"}"#.to_vec();
            Answer { status: 200, cut: false, body }
        } else {
            let mut state = lock(&state);
            state.targets.push(target.to_owned());
            state.answer.clone()
        };
        if stream.write_all(&answer.bytes()).await.is_err() || answer.cut {
            return;
        }
    }
}

fn end_of_head(received: &[u8]) -> Option<usize> {
    received.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn length(head: &str) -> usize {
    let named = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = named.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(0, |(_, value)| value.trim().parse().unwrap())
}
