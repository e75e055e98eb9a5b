//! Admin commands: each opens what it needs, says what it found or did, and ends.

mod all_records;
mod dead;
mod doctor;
mod espocrm;
pub(super) mod finding;
mod mapping;
mod migrate;
mod progress;
mod record;
mod setup;
mod show;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod wait;

use anyhow::Result;

use super::{Command, Report, SetupArgs, SetupSystem};
use crate::roles::Parts;
use crate::settings::{Settings, Source};
use wait::Patience;

/// Runs an admin command. `source` is what `settings` were read from.
///
/// # Errors
/// Redis is out of reach, or what was asked for cannot be; the process ends with 1.
pub async fn run(command: &Command, settings: Settings, source: &Source) -> Result<Report> {
    if let Command::Doctor = command {
        return Ok(Box::pin(doctor::run(settings)).await);
    }
    if let Command::Mapping(args) = command {
        return Box::pin(mapping::run(settings, args.check())).await;
    }
    let parts = Parts::new(settings)?;
    match command {
        Command::Migrate(args) => migrate::run(&parts, args.dry_run).await,
        Command::Status(args) => status::run(&parts, source, args.json).await,
        Command::Sync(args) => sync::run(&parts, args, Patience::default()).await,
        Command::Record(args) => record::run(&parts, args, Patience::default()).await,
        Command::Dead(args) => dead::run(&parts, args).await,
        Command::Setup(SetupArgs { system: SetupSystem::Espocrm(args) }) => {
            Box::pin(setup::espocrm(&parts, source, args)).await
        }
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
