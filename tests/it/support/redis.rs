//! A Redis of the test's own: random port, AOF always, its own folder, gone with the test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use advosync::queue::{Options, Queue, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A running redis-server.
pub struct Redis {
    child: Option<Child>,
    dir: TempDir,
    port: u16,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let mut redis = Self { child: None, dir: tempfile::tempdir().unwrap(), port: free_port() };
        redis.up();
        redis
    }

    /// Its address, database 1.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/1", self.port)
    }

    /// A queue in it, without prefix.
    pub fn queue(&self) -> Queue {
        let server = Server::Single(self.url().into());
        let options = Options { server, prefix: String::new(), timeout: Duration::from_secs(5) };
        Queue::new(&options).unwrap()
    }

    /// A queue in it whose layout is set up.
    pub async fn prepared(&self) -> Queue {
        let queue = self.queue();
        queue.prepare(chrono::Utc::now()).await.unwrap();
        queue
    }

    /// A raw connection, for looking at what is there.
    pub async fn raw(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Runs a command as a person at redis-cli would, words split at blanks; answers what it printed.
    pub fn cli(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let out = Command::new("redis-cli").args(["-p", &port, "-n", "1"]).args(words).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Freezes it as an overloaded machine would: connections stay, answers do not come.
    pub fn freeze(&self) {
        let pid = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    }

    /// Starts it again, on the same port, with what it kept.
    pub fn up(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed (`make test` installs it)");
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while self.cli(&["PING"]) != "PONG" {
            assert!(Instant::now() < until, "redis-server does not answer");
            std::thread::yield_now();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on right now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
