//! Arguments of `sync` and `record`.

use std::str::FromStr;

use clap::{ArgGroup, Args};

use super::help;
use crate::ingress::Target;

/// `sync`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, and clap keeps the exclusive two apart"
)]
#[derive(Debug, Args)]
#[command(after_help = help::SYNC)]
pub struct SyncArgs {
    /// The employee's Kürzel (1 to 20 letters, digits, `_` or `-`), or ALL
    #[arg(value_name = "KUERZEL|ALL", default_value = "ALL", value_parser = target)]
    pub target: Target,
    /// From now on: busy times only, without title, description and place
    #[arg(long, conflicts_with = "full")]
    pub anonymised: bool,
    /// From now on: whole appointments; without --anonymised and --full the mode stays
    #[arg(long)]
    pub full: bool,
    /// Wait until the jobs have ended
    #[arg(long)]
    pub wait: bool,
    /// Carry out deletions that were held back because there were too many at once
    #[arg(long)]
    pub confirm_deletions: bool,
}

impl SyncArgs {
    /// Whether whole appointments are wanted; none: the mode stays.
    #[must_use]
    pub fn full_content(&self) -> Option<bool> {
        (self.full || self.anonymised).then_some(self.full)
    }
}

fn target(text: &str) -> Result<Target, String> {
    Target::parse(text).ok_or_else(|| "a Kürzel has 1 to 20 letters, digits, `_` or `-`".to_owned())
}

/// `record`.
#[derive(Debug, Args)]
#[command(after_help = help::RECORD, group = ArgGroup::new("how").args(["wait", "inspect", "all"]))]
pub struct RecordArgs {
    /// The mapping's name, such as beteiligte
    #[arg(value_name = "ENTITY")]
    pub entity: String,
    /// The record's id in EspoCRM (1 to 64 letters, digits, `_` or `-`)
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub id: Option<RecordId>,
    /// Compare every record and wait for the end; goes on where an earlier one was stopped
    #[arg(long)]
    pub all: bool,
    /// Wait until the job has ended: exit code 0 done, 1 failed or dead
    #[arg(long)]
    pub wait: bool,
    /// Show both sides, the last agreement and what a run would write; writes nothing
    #[arg(long)]
    pub inspect: bool,
}

/// A record's id at EspoCRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordId(pub String);

impl FromStr for RecordId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if (1..=64).contains(&text.len()) && text.chars().all(valid) {
            return Ok(Self(text.to_owned()));
        }
        Err("an id has 1 to 64 letters, digits, `_` or `-`".to_owned())
    }
}
