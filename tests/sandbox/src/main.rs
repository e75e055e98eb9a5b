//! The sandbox as a program, for the demo and for checks from outside.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use advosync_sandbox::{CBETEILIGTE, Options, Sandbox};
use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Plays Advoware, `EspoCRM` and Google Calendar until SIGTERM or Ctrl-C. It is driven over HTTP under /sandbox/.
#[derive(Debug, Parser)]
#[command(name = "advosync-sandbox", version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// The product: registers the three webhooks of `CBeteiligte` there and delivers them periodically.
    #[arg(long, value_name = "URL")]
    webhooks_to: Option<String>,
    /// Writes the settings that the product needs, once the sandbox can be used; beside it a `….service-account.json`.
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
    /// The pace of webhook deliveries in ms (the real one: 2 minutes).
    #[arg(long, default_value_t = 300)]
    deliver_every_ms: u64,
    /// The wait of a failed webhook in ms (the real one: 10 minutes).
    #[arg(long, default_value_t = 2000)]
    retry_after_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut options = Options { listen: arguments.listen, ..Options::default() };
    // A name of its own: a real `service-account.json` may be there.
    options.google.key_file = arguments.env_file.as_ref().map(|path| beside(path, "service-account.json"));
    options.webhooks.retry_after_ms = arguments.retry_after_ms;
    options.deliver_every_ms = arguments.webhooks_to.is_some().then_some(arguments.deliver_every_ms);

    // Before anything is announced: who reads the address may stop us at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let sandbox = Sandbox::start(options).await?;
    if let Some(product) = &arguments.webhooks_to {
        sandbox.register_webhooks(CBETEILIGTE, &format!("{}/vmh/webhook/beteiligte", product.trim_end_matches('/')));
    }
    if let Some(path) = &arguments.env_file {
        write_whole(path, &sandbox.env_file())?;
    }
    let origin = sandbox.origin();
    eprintln!("sandbox of Advoware, EspoCRM and Google Calendar on {origin}, controls under {origin}/sandbox/");
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    sandbox.stop().await;
    Ok(())
}

/// Writes beside and renames, so that a script that waits for the file never reads half of it.
fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let part = beside(path, "part");
    std::fs::write(&part, text).with_context(|| format!("cannot write {}", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))
}

/// `.env` and `part` give `.env.part`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
