//! The product as an operator runs it: `advosync up` as a process, and its admin commands.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use advosync_sandbox::Sandbox;
use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::wait;

/// The bearer token of trigger and console in the demo.
pub(crate) const TOKEN: &str = "demo-token";
/// Advoware's API timeout, and so the least that the quiet time can be.
pub(crate) const API_TIMEOUT_SECONDS: u64 = 1;
/// How long a create whose outcome is unknown is left alone; 60 s by default.
pub(crate) const QUIET: Duration = Duration::from_secs(3);
/// The wait between two attempts; 1, 5, 15 and 60 minutes by default.
pub(crate) const RETRY_MS: u64 = 500;
/// Attempts in all; 5 by default.
pub(crate) const ATTEMPTS: u32 = 2;

/// How long it may take until it is ready: a Redis has to start.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long an admin command may take.
const COMMAND_WITHIN: Duration = Duration::from_mins(1);
/// How long it may take to stop: it drains for up to 25 s.
const STOP_WITHIN: Duration = Duration::from_secs(35);
/// Variables of the caller that the product sees too; nothing else may lead the demo to a real system.
const INHERITED: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LANG"];

/// A running `advosync up` with a folder of its own.
pub(crate) struct Product {
    binary: PathBuf,
    settings: Vec<(String, String)>,
    child: Child,
    folder: TempDir,
    /// `http://127.0.0.1:P`
    pub(crate) url: String,
}

/// What an admin command said.
pub(crate) struct Said {
    /// Whether it ended with 0.
    pub(crate) success: bool,
    /// Its result.
    pub(crate) stdout: String,
    /// Its messages.
    pub(crate) stderr: String,
}

impl Product {
    /// Starts it on this port, against the sandbox. Its webhooks have to be registered before, since their secrets are
    /// settings.
    pub(crate) fn start(binary: &Path, port: u16, sandbox: &Sandbox) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("advosync-demo-").tempdir().context("no temporary folder")?;
        let data = folder.path().join("data").display().to_string();
        let mut settings = sandbox.env();
        for (name, value) in [
            ("ADVOSYNC_LISTEN", format!("127.0.0.1:{port}")),
            ("ADVOSYNC_DATA_DIR", data),
            ("ADVOSYNC_API_TOKEN", TOKEN.to_owned()),
            ("ADVOSYNC_QUIET_TIME", format!("{}s", QUIET.as_secs())),
            ("ADVOWARE_API_TIMEOUT_SECONDS", API_TIMEOUT_SECONDS.to_string()),
            ("ADVOSYNC_RETRY_SCHEDULE", format!("{RETRY_MS}ms")),
            ("ADVOSYNC_MAX_ATTEMPTS", ATTEMPTS.to_string()),
            // Everything that happens is to come from the steps.
            ("ADVOSYNC_CRON_RECORDS", "off".to_owned()),
            ("ADVOSYNC_CRON_CALENDAR", "off".to_owned()),
            ("ADVOSYNC_LOG_FORMAT", "pretty".to_owned()),
        ] {
            settings.push((name.to_owned(), value));
        }
        let log = File::create(folder.path().join("advosync.log"))?;
        let child = command(binary, &settings, folder.path())
            .arg("up")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { binary: binary.to_owned(), settings, child, folder, url })
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let address = format!("{}/readyz", self.url);
        wait::until("advosync up is ready", READY_WITHIN, async || {
            if let Some(status) = self.child.try_wait()? {
                bail!("advosync up ended with {status} instead of getting ready");
            }
            let answer = client.get(&address).send().await;
            Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
        })
        .await
    }

    /// Runs an admin command.
    pub(crate) async fn admin(&self, words: &[&str]) -> anyhow::Result<Said> {
        let name = words.join(" ");
        let run = command(&self.binary, &self.settings, self.folder.path()).args(words).output();
        let out = tokio::time::timeout(COMMAND_WITHIN, run)
            .await
            .with_context(|| format!("`advosync {name}` did not end within {} s", COMMAND_WITHIN.as_secs()))?
            .with_context(|| format!("`advosync {name}` cannot be run"))?;
        Ok(Said {
            success: out.status.success(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        })
    }

    /// Runs an admin command that has to succeed.
    pub(crate) async fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let said = self.admin(words).await?;
        if !said.success {
            bail!("`advosync {}` failed: {}{}", words.join(" "), said.stdout, said.stderr);
        }
        Ok(said.stdout)
    }

    /// `advosync status --json`, of one flow.
    pub(crate) async fn flow(&self, flow: &str) -> anyhow::Result<Value> {
        let text = self.ask(&["status", "--json"]).await?;
        let status: Value =
            serde_json::from_str(&text).with_context(|| format!("`status --json` printed no JSON: {text}"))?;
        Ok(status["flows"][flow].clone())
    }

    /// The folder with the log and the product's data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the admin commands are.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("advosync.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Asks it to stop and waits until it has. Answers how long it took.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        if let Some(status) = self.child.try_wait()? {
            bail!("advosync up had ended by itself with {status}");
        }
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).context("advosync up has ended by itself")?;
        kill(Pid::from_raw(id), Signal::SIGTERM).context("advosync up cannot be signalled")?;
        let status = tokio::time::timeout(STOP_WITHIN, self.child.wait())
            .await
            .with_context(|| format!("advosync up did not stop within {} s", STOP_WITHIN.as_secs()))??;
        if !status.success() {
            bail!("advosync up ended with {status} when it was asked to stop");
        }
        Ok(begun.elapsed())
    }
}

fn command(binary: &Path, settings: &[(String, String)], folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // A group of its own: Ctrl-C at the demo is for the demo, which then stops the product in its own way.
    command.envs(settings.iter().cloned()).current_dir(folder).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}
