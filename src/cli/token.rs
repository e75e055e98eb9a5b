//! `advosync token new`: a token for one more caller. It needs no settings and changes no file.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::{Report, help};
use crate::callers::{Digest, Scope, generate, is_name};

/// `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What to do with tokens.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a caller; the token goes to stdout, its entry for the file of callers to stderr
    #[command(after_help = help::TOKEN_NEW)]
    New(NewArgs),
}

/// `token new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Who gets it: 1 to 64 letters (a to z), digits, `.`, `_` or `-`; logs and traces show it
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,
    /// What it opens; may stand several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::name)))]
    pub scopes: Vec<String>,
}

fn name(text: &str) -> Result<String, String> {
    is_name(text)
        .then(|| text.to_owned())
        .ok_or_else(|| "write 1 to 64 letters (a to z), digits, `.`, `_` or `-`".to_owned())
}

/// The token on stdout, which is the only place that ever has it, and what to write down about it on stderr, as TOML.
#[must_use]
pub fn run(args: &TokenArgs) -> Report {
    let TokenCommand::New(NewArgs { name, scopes }) = &args.command;
    let token = generate();
    let hash = Digest::of(token.expose().as_bytes()).written();
    let entry = format!("[[caller]]\nname = \"{name}\"\nscopes = [\"{}\"]\nhash = \"{hash}\"\n", scopes.join("\", \""));
    Report { stdout: format!("{}\n", token.expose()), stderr: vec![entry], exit: 0 }
}
