//! The demo: plays a real day of advosync against the sandbox, prints what happened, and ends 0 if all of it was right.

mod account;
mod keep;
mod product;
mod stage;
mod story;
mod wait;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use advosync_sandbox::{CBETEILIGTE, Entity, Options, Sandbox};
use anyhow::{Context, bail};
use clap::Parser;

use self::account::Account;
use self::product::{ATTEMPTS, Product, QUIET, RETRY_MS};
use self::stage::Stage;

/// The whole demo ends within this time, whatever hangs.
const AT_MOST: Duration = Duration::from_secs(300);

/// Runs advosync against a sandbox of Advoware and `EspoCRM`, and shows what happens.
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
    let mut stage = set_up(arguments).await?;
    let played = tokio::time::timeout(AT_MOST, play(&mut stage))
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("it took longer than {} s in all", AT_MOST.as_secs())));
    if let Err(error) = played {
        eprintln!("\nThe end of advosync's log:\n{}", stage.product.log_tail());
        return Err(error);
    }
    println!("\nDone in {:.1} s: everything came out as it should.", Duration::from_millis(ms(&stage)).as_secs_f64());
    if arguments.keep {
        keep::run(&stage).await?;
    }
    let took = stage.product.stop().await?;
    println!("advosync was asked to stop and did so in {} ms.", took.as_millis());
    Ok(())
}

fn ms(stage: &Stage) -> u64 {
    u64::try_from(stage.account.elapsed_ms()).unwrap_or(u64::MAX)
}

async fn set_up(arguments: &Arguments) -> anyhow::Result<Stage> {
    let mut account = Account::begin();
    println!("advosync's demo. Everything runs on this machine; no real system is called.");
    account.heading("Set-up");
    let binary = match &arguments.advosync {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("advosync"),
    };
    if !binary.is_file() {
        bail!("{} is missing; build it with `cargo build`, or name one with --advosync", binary.display());
    }
    let sandbox = Sandbox::start(options()).await?;
    account.note(format!("sandbox    {}: plays Advoware and EspoCRM, keeps its own log of effects", sandbox.origin()));
    let port = free_port()?;
    sandbox.register_webhooks(CBETEILIGTE, &format!("http://127.0.0.1:{port}/vmh/webhook/beteiligte"));
    let mut product = Product::start(&binary, port, &sandbox)?;
    account.note(format!("advosync   {}: `advosync up`, all roles, with a Redis of its own", product.url));
    account.note(format!(
        "settings   short waits, so that nobody gets bored: quiet time {} s (default 60 s), {ATTEMPTS} attempts (5), {RETRY_MS} ms between \
         them (1 to 60 min)",
        QUIET.as_secs()
    ));
    if let Err(error) = product.ready().await {
        eprintln!("\nThe end of advosync's log:\n{}", product.log_tail());
        return Err(error);
    }
    account.done("ready");
    Ok(Stage { sandbox, product, account })
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
    let created = story::create::run(stage).await?;
    let [max, erika, _company] = created.parties.as_slice() else { bail!("three parties were to be created") };
    story::edit::in_espocrm(stage, max).await?;
    story::edit::in_advoware(stage, max).await?;
    story::conflict::run(stage, erika).await?;
    story::duplicate::run(stage, &created.deliveries).await?;
    story::interrupted::run(stage).await?;
    story::dead::run(stage, max).await?;
    story::calendar::run(stage).await?;
    story::summary::run(stage).await
}
