//! A wire between the program and its Redis that can go dead without a word, as behind a firewall that forgot it.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Where connections lead, and since which cut.
#[derive(Clone, Copy)]
struct State {
    /// Redis' port; connections that come before it is known wait.
    port: Option<u16>,
    /// Connections of before are dead: nothing passes, nothing is closed.
    cuts: u32,
}

/// A port that passes everything on. It ends with the test.
pub struct Wire {
    port: u16,
    state: watch::Sender<State>,
}

impl Wire {
    /// Takes a port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, seen) = watch::channel(State { port: None, cuts: 0 });
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, seen.clone()));
            }
        });
        Self { port, state }
    }

    /// The address of database 1 through this wire.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/1", self.port)
    }

    /// Leads to this address from now on.
    pub fn leads_to(&self, url: &str) {
        let port = url.trim_end_matches("/1").rsplit(':').next().unwrap().parse().unwrap();
        self.state.send_modify(|state| state.port = Some(port));
    }

    /// All connections go dead; new ones pass.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }
}

async fn pass(mut near: TcpStream, mut state: watch::Receiver<State>) {
    let Ok(State { port: Some(port), cuts }) = state.wait_for(|state| state.port.is_some()).await.map(|state| *state)
    else {
        return;
    };
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let cut = tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        cut = state.wait_for(|state| state.cuts > cuts) => cut.is_ok(),
    };
    if cut {
        // Held open until the test ends.
        let _ = state.wait_for(|_| false).await;
    }
}
