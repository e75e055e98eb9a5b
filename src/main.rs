//! Starts one role or admin command: logging first, the whole configuration next, ports last.

use std::io::Write;
use std::process::ExitCode;

use advosync::cli::{self, Cli, Command, Report};
use advosync::roles::{self, BadMappings};
use advosync::settings::{Settings, SettingsError, Source};
use advosync::telemetry;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("no threads can be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(cli));
    // A job that hangs in a blocking call must not keep the process from ending.
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli) -> ExitCode {
    let Some(role) = cli.command.role() else {
        return report(&match &cli.command {
            Command::Schedule(args) => cli::schedule::run(args, chrono::Utc::now()),
            Command::Completions(args) => cli::completions::run(args),
            Command::Token(args) => cli::token::run(args),
            Command::Mapping(args) => cli::mapping::run(args.check()),
            _ => unreachable!("every other command has a role"),
        });
    };
    let source = Source::gather(cli.config.as_deref());
    if let Command::Config(json) = &cli.command {
        return report(&cli::config::run(*json, &source));
    }
    let settings = match Settings::load(&source, role) {
        Ok(settings) => settings,
        Err(error) if matches!(cli.command, Command::Doctor) => return report(&cli::doctor::faults(&error)),
        Err(error) => return misconfigured(&error, &source),
    };
    let _telemetry = telemetry::init(&settings.telemetry);
    for warning in &settings.warnings {
        tracing::warn!(warning, "a setting deserves a look");
    }
    let ran = match &cli.command {
        Command::Up | Command::Ingress | Command::Worker | Command::Cron | Command::Proxy | Command::Console => {
            roles::run(role, settings).await.map(|()| Report::default())
        }
        command => cli::admin::run(command, settings, &source).await,
    };
    match ran {
        Ok(done) => report(&done),
        Err(error) if error.is::<BadMappings>() || error.is::<SettingsError>() => {
            tell(&format!("{error}"));
            ExitCode::from(SettingsError::EXIT_CODE)
        }
        Err(error) => {
            tell(&format!("advosync: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn misconfigured(error: &SettingsError, source: &Source) -> ExitCode {
    tell(&format!("{error}"));
    if let Some(bad) = roles::bad_mappings(source) {
        tell(&format!("{bad}"));
    }
    ExitCode::from(SettingsError::EXIT_CODE)
}

/// Results go to stdout, remarks to stderr.
fn report(report: &Report) -> ExitCode {
    for remark in &report.stderr {
        tell(remark);
    }
    // Whoever reads us may have seen enough (`| head`).
    let _ = std::io::stdout().write_all(report.stdout.as_bytes());
    ExitCode::from(report.exit)
}

fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
