//! The program as a stranger runs it: its own folder, an empty environment, its output read as it comes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::redis::{Redis, free_port};
use crate::support::secrets::assert_untold;

/// Longer than anything that is waited for takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A working folder and the settings of the processes that run in it.
pub struct Home {
    dir: TempDir,
    settings: BTreeMap<String, String>,
    port: u16,
}

impl Home {
    /// A new folder, nothing set but a free port of 127.0.0.1 to listen on.
    pub fn new() -> Self {
        let port = free_port();
        let path = std::env::var("PATH").unwrap();
        let settings = [("ADVOSYNC_LISTEN", format!("127.0.0.1:{port}")), ("PATH", path)];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { dir: tempfile::tempdir().unwrap(), settings, port }
    }

    /// Likewise, with this Redis.
    pub fn at(redis: &Redis) -> Self {
        Self::new().with("REDIS_URL", &redis.url())
    }

    /// With one more setting in the environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without a setting.
    pub fn without(mut self, name: &str) -> Self {
        self.settings.remove(name);
        self
    }

    /// With what a sandbox asks to be set.
    pub fn with_all(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// Writes a file below the folder.
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// A path below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The port of `ADVOSYNC_LISTEN`.
    pub fn http(&self) -> Http {
        Http { port: self.port }
    }

    /// Whether anybody listens on that port.
    pub fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn command(&self, args: &[&str]) -> Command {
        self.prepared(env!("CARGO_BIN_EXE_advosync"), args)
    }

    fn prepared(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir.path()).env_clear().envs(&self.settings);
        // A group of its own, as a shell gives it: Ctrl-C goes to the whole of it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a role.
    pub fn start(&self, role: &str) -> Process {
        self.start_with(&[role])
    }

    /// Starts something that goes on.
    pub fn start_with(&self, args: &[&str]) -> Process {
        self.spawned(&args.join(" "), self.command(args))
    }

    /// Starts a role that may open so many files, and waits until it is ready.
    pub fn ready_with_files(&self, role: &str, files: u32) -> Process {
        let script = format!("ulimit -n {files} && exec {} {role}", env!("CARGO_BIN_EXE_advosync"));
        let process = self.spawned(role, self.prepared("sh", &["-c", &script]));
        process.until_ready();
        process
    }

    fn spawned(&self, what: &str, mut command: Command) -> Process {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Log::default());
        let (stderr, told) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                told.lines.lock().unwrap().0.push(line.unwrap());
                told.more.notify_all();
            }
            told.lines.lock().unwrap().1 = true;
            told.more.notify_all();
        });
        let mut stdout = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        Process {
            child: Some(child),
            what: what.to_owned(),
            settings: self.settings.clone(),
            log,
            readers: Some((reader, stdout)),
            http: self.http(),
        }
    }

    /// Starts a role that listens, and waits until it is ready.
    pub fn ready(&self, role: &str) -> Process {
        let process = self.start(role);
        process.until_ready();
        process
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.start_with(args).end()
    }

    /// The address of the Redis that `up` started here.
    pub fn redis_url(&self) -> Option<String> {
        std::fs::read_to_string(self.path("data/redis.url")).ok()
    }

    /// A command for the Redis that `up` started here.
    pub fn redis_cli(&self, words: &[&str]) -> String {
        redis_cli(&self.redis_url().unwrap(), words)
    }
}

impl Drop for Home {
    /// A private Redis whose `up` was killed must not outlive the test.
    fn drop(&mut self) {
        if let Some(url) = self.redis_url() {
            redis_cli(&url, &["SHUTDOWN", "NOSAVE"]);
        }
    }
}

/// The process id of a Redis server.
pub fn redis_pid(url: &str) -> Pid {
    let info = redis_cli(url, &["INFO", "server"]);
    Pid::from_raw(info.lines().find_map(|line| line.trim().strip_prefix("process_id:")).unwrap().parse().unwrap())
}

/// Whether a process is there.
pub fn is_alive(pid: Pid) -> bool {
    // One that has ended and that nobody has waited for is gone, too.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

/// A command as a person at redis-cli would give it; what it printed.
pub fn redis_cli(url: &str, words: &[&str]) -> String {
    let out = Command::new("redis-cli").args(["--no-auth-warning", "-u", url]).args(words).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// What a process has written to stderr so far, and whether it is all.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

/// A running process; stopped when dropped.
pub struct Process {
    child: Option<Child>,
    what: String,
    settings: BTreeMap<String, String>,
    log: Arc<Log>,
    readers: Option<(JoinHandle<()>, JoinHandle<String>)>,
    http: Http,
}

/// What a process left.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> Pid {
        Pid::from_raw(self.child.as_ref().unwrap().id().try_into().unwrap())
    }

    /// Waits for the `n`-th log line with this message, from 1.
    pub fn says_again(&self, message: &str, n: usize) -> Value {
        let is_it = |line: &&String| {
            let line: Option<Value> = serde_json::from_str(line).ok();
            line.is_some_and(|line| line["message"] == message)
        };
        let until = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.0.iter().filter(is_it).nth(n - 1) {
                return serde_json::from_str(line).unwrap();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!lines.1 && !left.is_zero(), "no {message:?} ({n}) in:\n{}", lines.0.join("\n"));
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for the first log line with this message.
    pub fn says(&self, message: &str) -> Value {
        self.says_again(message, 1)
    }

    /// Its port.
    pub const fn http(&self) -> Http {
        self.http
    }

    /// Waits until `/readyz` answers 200.
    pub fn until_ready(&self) {
        until("ready", || {
            assert!(!self.log.lines.lock().unwrap().1, "it ended:\n{}", self.log.lines.lock().unwrap().0.join("\n"));
            self.http.try_get("/readyz").is_some_and(|answer| answer.status == 200)
        });
    }

    /// Ctrl-C at its terminal.
    pub fn ctrl_c(&self) {
        killpg(self.id(), Signal::SIGINT).unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.id(), signal).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let mut child = self.child.take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("it did not end:\n{}", self.log.lines.lock().unwrap().0.join("\n"));
            }
            pause();
        };
        let (stderr, stdout) = self.readers.take().unwrap();
        stderr.join().unwrap();
        let (stderr, stdout) = (self.log.lines.lock().unwrap().0.join("\n"), stdout.join().unwrap());
        // `setup espocrm` exists to tell the webhooks' secrets.
        let told = if self.what.starts_with("setup") { stderr.clone() } else { format!("{stdout}{stderr}") };
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_untold(settings, &self.what, &told);
        Ended { status, stdout, stderr }
    }

    /// SIGTERM, and its end.
    pub fn stop(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// SIGKILL, and its end.
    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
        self.end();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Ended {
    /// The exit code.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless it ended with this code.
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self:#?}");
        self
    }

    /// Fails unless stderr has this text.
    pub fn told(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        self
    }
}

/// Waits for a condition that gives no signal.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        pause();
    }
}

/// Between two looks at something that gives no signal; nothing is ordered by it.
#[expect(clippy::disallowed_methods, reason = "a process' end and a Redis' state can only be looked at again")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Somebody's HTTP client, which sends what it is told, byte by byte.
#[derive(Clone, Copy)]
pub struct Http {
    pub port: u16,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Http {
    /// A request.
    pub fn send(self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).expect("an answer")
    }

    pub fn get(self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// `None` where nobody listens.
    pub fn try_get(self, path: &str) -> Option<Answer> {
        self.try_send("GET", path, &[], b"")
    }

    /// As `curl -X POST -H "Content-Type: application/json" -d` would.
    pub fn post(self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], body.as_bytes())
    }

    /// `None` where the connection breaks.
    pub fn try_post(self, path: &str, body: &str) -> Option<Answer> {
        self.try_send("POST", path, &[], body.as_bytes())
    }

    fn try_send(self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (host, length) = (format!("localhost:{}", self.port), body.len().to_string());
        let ours = [("Host", host.as_str()), ("Connection", "close"), ("Content-Length", &length)];
        let lines: Vec<_> = ours.iter().chain(headers).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\n{}\r\n", lines.concat());
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let (status, headers) = head.split_once("\r\n").unwrap();
        let headers = headers.lines().filter_map(|line| line.split_once(": "));
        Some(Answer {
            status: status.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        })
    }
}

impl Answer {
    /// Fails unless status and body are exactly these.
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
        assert_eq!(self.headers["content-type"], "application/json");
    }

    /// Fails unless it is an error of this status and code, in the form that all errors have, with a message.
    pub fn is_error(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        let error: Value = serde_json::from_str(&self.body).unwrap();
        let message = error["error"]["message"].as_str().unwrap_or_default();
        assert!(message.len() > 10, "{self:?}");
        assert_eq!(error, serde_json::json!({"error": {"code": code, "message": message}}));
    }
}

/// All files below a folder, for looking at what was left behind.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let below: Vec<PathBuf> = all.iter().filter(|path| path.is_dir()).flat_map(|path| files(path)).collect();
    all.extend(below);
    all
}
