//! A Redis of the test's own: random port, AOF always, its own folder, gone with the test.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use advosync::queue::{Options, Queue, Server, Tls};
use tempfile::TempDir;

/// Says which server is started instead of Debian's redis-server; `.ci/test valkey` sets it.
const SERVER: &str = "ADVOSYNC_TEST_REDIS_SERVER";

/// The server that is started.
fn server() -> OsString {
    std::env::var_os(SERVER).unwrap_or_else(|| "redis-server".into())
}

/// A running redis-server.
pub struct Redis {
    child: Option<Child>,
    dir: TempDir,
    port: u16,
    /// A configuration file, which counts where nothing else is said.
    file: Option<PathBuf>,
    way: Way,
}

/// How a server is started and spoken to, where that is not the usual way.
#[derive(Clone, Default)]
pub struct Way {
    /// What the server is told; the port is put behind the last one.
    pub server: Vec<String>,
    /// How redis-cli gets in.
    pub cli: Vec<String>,
    /// How the program gets in, without the port.
    pub address: Option<String>,
    /// Whom it believes.
    pub tls: Tls,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one with the settings of this file, but for its port and its folder.
    pub fn configured_by(file: &str) -> Self {
        Self::start_with(Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)))
    }

    fn start_with(file: Option<PathBuf>) -> Self {
        Self::reached_by(file, Way::default())
    }

    /// Starts one that is reached in another way, perhaps with the settings of a file.
    pub fn reached_by(file: Option<PathBuf>, way: Way) -> Self {
        let mut redis = Self { child: None, dir: tempfile::tempdir().unwrap(), port: free_port(), file, way };
        redis.up();
        redis
    }

    /// Its address, database 1.
    pub fn url(&self) -> String {
        format!("{}:{}/1", self.way.address.as_deref().unwrap_or("redis://127.0.0.1"), self.port)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A queue in it, without prefix.
    pub fn queue(&self) -> Queue {
        let server = Server::Single(self.url().into());
        let options =
            Options { server, prefix: String::new(), timeout: Duration::from_secs(5), tls: self.way.tls.clone() };
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
        let out =
            Command::new("redis-cli").args(["-p", &port, "-n", "1"]).args(&self.way.cli).args(words).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// [`Redis::cli`] for what keeps it from answering; ends when it answers again.
    pub fn later(&self, words: &'static [&'static str]) -> impl Future<Output = ()> + use<> {
        let port = self.port.to_string();
        let cli = move |words: &[&str]| {
            Command::new("redis-cli").args(["-p", &port, "-n", "1"]).args(words).output().unwrap();
        };
        let asked = tokio::task::spawn_blocking(move || {
            cli(words);
            // A pause is answered at once, and then holds up whatever follows.
            cli(&["SET", "paused", "1"]);
        });
        async move { asked.await.unwrap() }
    }

    /// Stops it in order, as an update of its package would, and starts it again.
    pub fn restart(&mut self) {
        self.cli(&["SHUTDOWN"]);
        self.kill();
        self.up();
    }

    /// A copy of what it keeps on disk, as a backup is made.
    pub fn backup(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_files(self.dir.path(), copy.path());
        copy
    }

    /// Starts it, after it was killed, with what a backup has.
    pub fn up_from(&mut self, backup: &TempDir) {
        self.dir = tempfile::tempdir().unwrap();
        copy_files(backup.path(), self.dir.path());
        self.up();
    }

    /// How many runs of the record flow are kept as done.
    pub fn done(&self) -> usize {
        self.cli(&["XRANGE", "jobs:vmh:done", "-", "+"]).lines().filter(|word| *word == "run").count()
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
        super::frozen::freeze(self.child.as_ref().unwrap().id());
    }

    /// Starts it again, on the same port, with what it kept.
    pub fn up(&mut self) {
        let mut command = Command::new(server());
        match &self.file {
            Some(file) => command.arg(file),
            None => {
                command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            }
        };
        let port = if self.way.server.is_empty() { &["--port".to_owned()] } else { self.way.server.as_slice() };
        let child = command
            .args(["--enable-debug-command", "yes", "--dir"])
            .arg(self.dir.path())
            .args(port)
            .arg(self.port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error} (`make test` installs what is needed)", server().display()));
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

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A port that nobody listens on right now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Tests on Valkey that ran on Redis would show nothing.
#[test]
fn the_server_is_the_one_that_was_asked_for() {
    let info = Redis::start().cli(&["INFO", "server"]);
    let asked = server();
    let is_valkey = Path::new(&asked).file_name().is_some_and(|name| name == "valkey-server");
    let says = |line: &str| info.lines().any(|said| said.starts_with(line));
    assert_eq!(says("valkey_version:9."), is_valkey, "{} was asked for, and runs: {info}", asked.display());
    assert!(is_valkey || says("redis_version:"), "{info}");
}
