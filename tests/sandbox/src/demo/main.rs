//! The demo: plays a real day of advosync against the sandbox, prints what happened, and ends 0 if all of it was right.

mod account;
mod keep;
mod office;
mod product;
mod stage;
mod story;
mod wait;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use advosync_sandbox::{CBETEILIGTE, Entity, Options, Sandbox};
use anyhow::{Context, anyhow, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use self::account::Account;
use self::product::{ATTEMPTS, Product, QUIET, RETRY_MS};
use self::stage::Stage;

/// The whole demo ends within this time, whatever hangs.
const AT_MOST: Duration = Duration::from_mins(5);

/// Runs advosync against a sandbox of Advoware, `EspoCRM` and Google Calendar, and shows what happens.
#[derive(Debug, Parser)]
#[command(name = "advosync-demo", version)]
struct Arguments {
    /// Go on running afterwards, with things to try
    #[arg(long)]
    keep: bool,
    /// The product; by default the `advosync` beside this program
    #[arg(long, value_name = "PATH")]
    advosync: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments) -> anyhow::Result<()> {
    let mut account = Account::begin();
    account.line("advosync's demo. Everything runs on this machine; no real system is called.");
    account.heading("Set-up");
    let (sandbox, product) = start(arguments, &account).await?;
    let mut stage = Stage { sandbox, product, account };
    let played = tokio::select! {
        played = tokio::time::timeout(AT_MOST, play(&mut stage)) => {
            played.unwrap_or_else(|_| Err(anyhow!("it took longer than {} s in all", AT_MOST.as_secs())))
        }
        interrupted = interruption() => Err(interrupted.map_or_else(Into::into, |()| anyhow!("it was interrupted"))),
    };
    match &played {
        Ok(()) => {
            let took = Duration::from_millis(ms(&stage));
            stage.account.line(&format!("\nDone in {:.1} s: everything came out as it should.", took.as_secs_f64()));
            if arguments.keep {
                keep::run(&stage).await?;
            }
        }
        Err(_) => eprintln!("\nThe end of advosync's log:\n{}", stage.product.log_tail()),
    }
    // In every case: it takes its Redis along.
    let stopped = stage.product.stop().await;
    played?;
    stage.account.line(&format!("advosync was asked to stop and did so in {} ms.", stopped?.as_millis()));
    Ok(())
}

/// Ends with Ctrl-C or SIGTERM.
async fn interruption() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

fn ms(stage: &Stage) -> u64 {
    u64::try_from(stage.account.elapsed_ms()).unwrap_or(u64::MAX)
}

/// Starts the sandbox and the product; the latter is not ready yet.
async fn start(arguments: &Arguments, account: &Account) -> anyhow::Result<(Sandbox, Product)> {
    let binary = match &arguments.advosync {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("advosync"),
    };
    if !binary.is_file() {
        bail!("{} is missing; build it with `cargo build`, or name one with --advosync", binary.display());
    }
    let sandbox = Sandbox::start(options()).await?;
    account.note(format!(
        "sandbox    {}: plays Advoware, EspoCRM and Google Calendar, keeps its own log of effects",
        sandbox.origin()
    ));
    let port = free_port()?;
    sandbox.register_webhooks(CBETEILIGTE, &format!("http://127.0.0.1:{port}/vmh/webhook/beteiligte"));
    let product = Product::start(&binary, port, &sandbox)?;
    account.note(format!("advosync   {}: `advosync up`, all roles, with a Redis of its own", product.url));
    account.note(format!(
        "settings   short waits: quiet time {} s (default 60 s), {ATTEMPTS} attempts (5), {RETRY_MS} ms between them (1 to 60 min)",
        QUIET.as_secs()
    ));
    Ok((sandbox, product))
}

/// A sandbox in which companies can be created, and whose webhooks hold our own writes too: the harder case.
fn options() -> Options {
    let mut options = Options::default();
    options.espocrm.entities = vec![Entity::beteiligte(CBETEILIGTE).not_required("lastName")];
    options.webhooks.honour_skip_own = false;
    options
}

/// A port that nobody listens on right now.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.port())
}

async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.product.ready().await?;
    stage.account.done("ready");
    let created = story::create::run(stage).await?;
    let [max, erika, _company] = created.parties.as_slice() else { bail!("three parties were to be created") };
    story::edit::in_espocrm(stage, max).await?;
    story::edit::in_advoware(stage, max).await?;
    story::conflict::run(stage, erika).await?;
    story::unannounced::run(stage, max, erika).await?;
    story::duplicate::run(stage, &created.deliveries).await?;
    story::interrupted::run(stage).await?;
    story::dead::run(stage, max).await?;
    story::calendar::run(stage).await?;
    story::summary::run(stage).await
}
