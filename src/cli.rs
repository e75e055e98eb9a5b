//! The command line: what every command takes, and the commands that need neither Redis nor an upstream.

pub mod admin;
pub mod completions;
pub mod config;
pub mod dead;
pub mod doctor;
mod help;
pub mod mapping;
pub mod records;
pub mod schedule;
#[cfg(test)]
mod tests;
pub mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::settings::Role;

/// Keeps Advoware, EspoCRM and Google Calendar in step, on a durable job queue in Redis.
#[derive(Debug, Parser)]
#[command(name = "advosync", version, about, after_help = help::MAIN, propagate_version = true)]
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
    #[command(after_help = help::ROLE)]
    Up,
    /// Take webhooks and triggers over HTTP and enqueue jobs
    #[command(after_help = help::ROLE)]
    Ingress,
    /// Run jobs; start as many as needed, on any machine
    #[command(after_help = help::ROLE)]
    Worker,
    /// Enqueue what is due by schedule
    #[command(after_help = help::ROLE)]
    Cron,
    /// Pass /api/advoware/… on to Advoware, signed in
    #[command(after_help = help::ROLE)]
    Proxy,
    /// Serve the admin pages
    #[command(after_help = help::ROLE)]
    Console,
    /// Set up or change the layout in Redis; safe to repeat
    #[command(after_help = help::MIGRATE)]
    Migrate(DryRun),
    /// Show what waits, runs and failed, and whether the upstreams answer
    #[command(after_help = help::STATUS)]
    Status(Json),
    /// Sync the calendar of one employee or of all
    Sync(records::SyncArgs),
    /// Check one record now, or look at both sides without writing
    Record(records::RecordArgs),
    /// List, show, replay or discard jobs that failed for good
    Dead(dead::DeadArgs),
    /// Check settings, Redis and every upstream, and say what to do; exit code 1 where something is to be done
    #[command(after_help = help::DOCTOR)]
    Doctor,
    /// Check mapping files, which describe the entities that are synced
    Mapping(mapping::MappingArgs),
    /// Set up an outside system
    Setup(SetupArgs),
    /// Show the settings in effect and where each came from; secrets as ***
    #[command(after_help = help::CONFIG)]
    Config(Json),
    /// Make tokens for those who may call
    Token(token::TokenArgs),
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

/// `setup espocrm`.
#[derive(Debug, Args)]
#[command(after_help = help::SETUP_ESPOCRM)]
pub struct EspocrmArgs {
    /// Where EspoCRM reaches the ingress; /vmh/webhook/ENTITY/ACTION is put behind it. Without it: where webhooks of ours go
    /// already, else to this machine
    #[arg(long, value_name = "URL", value_parser = ingress_url)]
    pub url: Option<Url>,
    /// Say what would be created, and create nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the secrets into this file instead of printing them; the rest of it stays as it is
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".env")]
    pub write_env: Option<PathBuf>,
    /// Let what EspoCRM says replace other secrets in that file
    #[arg(long, requires = "write_env")]
    pub replace: bool,
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
            Self::Mapping(args) if args.check().live => Some(Role::Doctor),
            Self::Schedule(_) | Self::Completions(_) | Self::Mapping(_) | Self::Token(_) => None,
        }
    }
}
