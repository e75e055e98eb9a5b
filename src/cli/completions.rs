//! `advosync completions`: a script for the shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Report};

/// `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  advosync completions bash > /etc/bash_completion.d/advosync")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// The script.
#[must_use]
pub fn run(args: &CompletionsArgs) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "advosync", &mut script);
    Report { stdout: String::from_utf8_lossy(&script).into_owned(), ..Report::default() }
}
