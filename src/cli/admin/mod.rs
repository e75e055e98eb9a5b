//! Admin commands: each opens what it needs, says what it found or did, and ends.

mod migrate;
mod record;

use anyhow::Result;

use super::{Command, Report};
use crate::roles::Parts;
use crate::settings::Settings;

/// Runs an admin command.
///
/// # Errors
/// Redis is out of reach, or what was asked for cannot be; the process ends with 1.
pub async fn run(command: &Command, settings: Settings) -> Result<Report> {
    let parts = Parts::new(settings)?;
    match command {
        Command::Migrate(args) => migrate::run(&parts, args.dry_run).await,
        Command::Record(args) => record::run(&parts, args).await,
        _ => anyhow::bail!("not an admin command"),
    }
}

/// A result for stdout.
fn said(text: impl Into<String>) -> Report {
    let mut stdout = text.into();
    if !stdout.ends_with('\n') {
        stdout.push('\n');
    }
    Report { stdout, ..Report::default() }
}
