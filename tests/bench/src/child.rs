//! Processes beside this one: the same program, told what to play.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};

/// How long a child may take to come up, or to end.
const WITHIN: Duration = Duration::from_mins(1);
/// What a child says when it is connected and waits for [`GO`].
const READY: &str = "ready";
/// What lets it begin.
const GO: &str = "go";

/// A child process that waits to be let go.
pub(crate) struct Child {
    process: Process,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program again with these arguments, and waits until it is ready.
    pub(crate) async fn start(args: &[&str]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().context("the child has no stdout")?).lines();
        let mut child = Self { process, stdin, stdout };
        match tokio::time::timeout(WITHIN, child.stdout.next_line()).await.context("the child does not get ready")?? {
            Some(line) if line == READY => Ok(child),
            other => bail!("the child said {other:?} instead of being ready"),
        }
    }

    /// Lets it begin.
    pub(crate) async fn go(&mut self) -> Result<()> {
        let stdin = self.stdin.as_mut().context("the child was stopped before")?;
        stdin.write_all(format!("{GO}\n").as_bytes()).await?;
        Ok(stdin.flush().await?)
    }

    /// The next line that it writes.
    pub(crate) async fn line(&mut self) -> Result<String> {
        self.stdout.next_line().await?.context("the child ended early")
    }

    /// Seconds of CPU that it has used, where the system tells.
    pub(crate) fn cpu(&self) -> Option<f64> {
        cpu_of(self.process.id()?)
    }

    /// Tells it to stop; answers what it wrote.
    pub(crate) async fn stop(mut self) -> Result<Vec<String>> {
        drop(self.stdin.take());
        let ended = async {
            let mut lines = Vec::new();
            while let Some(line) = self.stdout.next_line().await? {
                lines.push(line);
            }
            let status = self.process.wait().await?;
            if !status.success() {
                bail!("a child process failed: {status}");
            }
            Ok(lines)
        };
        tokio::time::timeout(WITHIN, ended).await.context("the child does not end")?
    }
}

/// Seconds of CPU that a process has used, where the system tells.
pub(crate) fn cpu_of(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold spaces: state is field 3, user and system time are fields 14 and 15, in 1/100 s.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// In the child: says that it is ready.
pub(crate) fn say_ready() {
    println!("{READY}");
}

/// In the child: says that it is ready and waits to be let go. `false`: it is to end instead.
pub(crate) async fn wait_for_go(commands: &mut Commands) -> Result<bool> {
    say_ready();
    Ok(commands.next_line().await?.is_some_and(|line| line == GO))
}

/// In the child: waits until it is told to stop.
pub(crate) async fn wait_for_stop(commands: &mut Commands) -> Result<()> {
    while commands.next_line().await?.is_some() {}
    Ok(())
}

/// In the child: what the parent says.
pub(crate) type Commands = Lines<BufReader<tokio::io::Stdin>>;

/// In the child: what the parent says.
pub(crate) fn commands() -> Commands {
    BufReader::new(tokio::io::stdin()).lines()
}
