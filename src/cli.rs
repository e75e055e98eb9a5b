//! The command line: what every command takes, and the commands that need neither Redis nor an upstream.

pub mod admin;
pub mod completions;
pub mod config;
pub mod dead;
pub mod doctor;
pub mod records;
pub mod schedule;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::settings::Role;

const EXAMPLES: &str = "\
Examples:
  advosync up                      everything in one process, with a Redis of its own
  advosync doctor                  is everything set up? what is to be done?
  advosync sync SB --wait          sync one employee's calendar and wait for the end
  advosync dead list               jobs that failed for good
  advosync schedule '0 2 * * *'    when does this expression fire?

Exit codes:
  0   done
  1   failed: the message says what to do
  2   the command line is not understood
  78  the settings are not usable: every fault is listed, nothing was started

Settings come from the environment, .env and --config FILE; docs/settings.md describes all of them, `advosync config`
shows which are in effect. Results go to stdout; logs, warnings and progress go to stderr.";

/// Keeps Advoware, EspoCRM and Google Calendar in step, on a durable job queue in Redis.
#[derive(Debug, Parser)]
#[command(name = "advosync", version, about, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// Read settings from this TOML file too; the environment and .env beat it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. Roles run until SIGTERM or Ctrl-C.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run all roles in one process on one port; starts a private Redis where none is configured
    Up,
    /// Take webhooks and triggers over HTTP and enqueue jobs
    Ingress,
    /// Run jobs; start as many as needed, on any machine
    Worker,
    /// Enqueue what is due by schedule
    Cron,
    /// Pass /api/advoware/… on to Advoware, signed in
    Proxy,
    /// Serve the admin pages
    Console,
    /// Set up or change the layout in Redis; safe to repeat
    Migrate(DryRun),
    /// Show what waits, runs and failed, and whether the upstreams answer
    Status(Json),
    /// Sync the calendar of one employee or of all
    Sync(records::SyncArgs),
    /// Check one record now, or look at both sides without writing
    Record(records::RecordArgs),
    /// List, show, replay or discard jobs that failed for good
    Dead(dead::DeadArgs),
    /// Check settings, Redis and every upstream, and say what to do; exit code 1 where something is to be done
    Doctor,
    /// Set up an outside system
    Setup(SetupArgs),
    /// Show the settings in effect and where each came from; secrets as ***
    Config(Json),
    /// Show when a cron expression fires
    Schedule(schedule::ScheduleArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// `--dry-run`.
#[derive(Debug, Clone, Copy, Args)]
pub struct DryRun {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `--json`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// `setup SYSTEM`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// The system to set up.
    #[command(subcommand)]
    pub system: SetupSystem,
}

/// What can be set up.
#[derive(Debug, Subcommand)]
pub enum SetupSystem {
    /// Create the sync fields and webhooks in EspoCRM that are missing; change nothing that is there
    Espocrm(EspocrmArgs),
}

const SETUP_EXAMPLES: &str = "\
Examples:
  advosync setup espocrm --dry-run                             what would be created? creates nothing
  advosync setup espocrm --url http://advosync.example:3000    create it, and print the webhooks' secrets

Needs ESPOCRM_API_BASE_URL, ESPOCRM_ADMIN_USER and ESPOCRM_ADMIN_PASSWORD (an administrator without two-factor sign-in), and
better ESPOCRM_API_KEY too: then the API user owns the webhooks, and EspoCRM 9.2 and later does not send back what advosync
itself has changed. Settings come from the environment, .env and --config FILE (docs/settings.md).

Prints the list of all webhooks' ids and secrets to stdout: set ESPOCRM_WEBHOOK_SECRET to it. What was done is told on stderr.
Safe to repeat. Exit codes: 0 everything is there, 1 something could not be created.";

/// `setup espocrm`.
#[derive(Debug, Args)]
#[command(after_help = SETUP_EXAMPLES)]
pub struct EspocrmArgs {
    /// Where EspoCRM reaches the ingress; /vmh/webhook/ENTITY/ACTION is put behind it
    #[arg(long, value_name = "URL", required_unless_present = "dry_run", value_parser = ingress_url)]
    pub url: Option<Url>,
    /// Say what would be created, and create nothing
    #[arg(long)]
    pub dry_run: bool,
}

fn ingress_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.filter(|url| url.query().is_none() && url.fragment().is_none()).ok_or_else(|| {
        "write the address at which EspoCRM reaches advosync, such as http://advosync.example:3000".to_owned()
    })
}

/// What a command that needs nothing outside has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The result, for stdout; ends with a newline unless it is empty.
    pub stdout: String,
    /// Remarks for stderr.
    pub stderr: Vec<String>,
    /// The exit code.
    pub exit: u8,
}

impl Command {
    /// The role whose settings the command needs; none: it needs none.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Up => Some(Role::Up),
            Self::Ingress => Some(Role::Ingress),
            Self::Worker => Some(Role::Worker),
            Self::Cron => Some(Role::Cron),
            Self::Proxy => Some(Role::Proxy),
            Self::Console => Some(Role::Console),
            Self::Migrate(_) | Self::Status(_) | Self::Sync(_) | Self::Record(_) | Self::Dead(_) => Some(Role::Admin),
            Self::Doctor | Self::Config(_) => Some(Role::Doctor),
            Self::Setup(_) => Some(Role::Setup),
            Self::Schedule(_) | Self::Completions(_) => None,
        }
    }
}
