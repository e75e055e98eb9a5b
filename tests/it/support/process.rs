//! The program as a child process, with nothing of this process' environment.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::secrets::{assert_no_party, assert_untold};

/// A running role. Killed when it is dropped; its log is shown when the test fails, and must hold no secret.
pub struct Process {
    child: Child,
    name: String,
    settings: Vec<(String, String)>,
    log: PathBuf,
}

impl Process {
    /// Starts `advosync <role>` in a folder, with these settings and no others.
    pub fn start(folder: &Path, name: &str, role: &str, settings: &[(String, String)]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        let child = command(folder, settings)
            .arg(role)
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .expect("the binary was built with this test");
        Self { child, name: name.to_owned(), settings: settings.to_vec(), log }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its log, line by line.
    pub fn lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// SIGKILL: nothing is cleaned up.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, then waits for its end; answers how it ended and how long that took.
    pub async fn terminate(mut self, patience: Duration) -> (ExitStatus, Duration) {
        self.signal(Signal::SIGTERM);
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, asked.elapsed());
            }
            assert!(asked.elapsed() < patience, "{} does not stop", self.name);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGSTOP: it stands still, as in a machine that is being moved.
    pub fn freeze(&self) {
        super::frozen::freeze(self.child.id());
    }

    /// SIGCONT: it goes on as if no time had passed.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("──── {} ────\n{}", self.name, self.log());
            return;
        }
        assert_untold(borrowed(&self.settings), &self.name, &self.log());
        assert_no_party(&self.name, &self.log());
    }
}

/// The program with these settings and no others.
pub fn command(folder: &Path, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_advosync"));
    command.current_dir(folder).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command
}

/// Names and values of settings.
pub fn borrowed(settings: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
