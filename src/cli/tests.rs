//! Command lines: what is understood, what is refused, and the answers of commands that need nothing outside.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{CommandFactory, Parser};

use super::dead::{DeadArgs, DeadCommand, FlowName, Since};
use super::*;
use crate::ingress::Target;
use crate::settings::Source;

fn parse(line: &str) -> Cli {
    Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(line: &str) {
    let error = Cli::try_parse_from(line.split_whitespace()).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}: {error}");
}

fn now() -> DateTime<Utc> {
    "2026-03-28T12:00:00Z".parse().unwrap()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_is_understood() {
    for line in [
        "advosync up",
        "advosync --config a.toml ingress",
        "advosync worker --config a.toml",
        "advosync cron",
        "advosync proxy",
        "advosync console",
        "advosync migrate --dry-run",
        "advosync status --json",
        "advosync sync",
        "advosync sync SB --anonymised --wait --confirm-deletions",
        "advosync record beteiligte abc --wait",
        "advosync record beteiligte abc --inspect",
        "advosync record beteiligte --all",
        "advosync dead list --flow vmh --json",
        "advosync dead --flow calendar show 1-0",
        "advosync dead replay 1-0 2-0 --flow vmh",
        "advosync dead replay --all",
        "advosync dead replay --topic vmh.beteiligte.update",
        "advosync dead replay --from 1-0 --to 2-0",
        "advosync dead replay --from 1-0",
        "advosync dead replay --to 2 --flow vmh",
        "advosync dead discard 1-0 2-0",
        "advosync doctor",
        "advosync setup espocrm",
        "advosync setup espocrm --dry-run",
        "advosync setup espocrm --url http://advosync.example:3000",
        "advosync config --json",
        "advosync mapping check a.toml b.toml --json",
        "advosync mapping check --live a.toml",
        "advosync completions zsh",
        "advosync token new n8n --scope trigger --scope read",
    ] {
        parse(line);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for line in [
        "advosync",
        "advosync sync SB --anonymised --full",
        "advosync sync S:B",
        "advosync sync ABCDEFGHIJKLMNOPQRSTU",
        "advosync record beteiligte",
        "advosync record beteiligte a/b",
        "advosync record beteiligte abc --all",
        "advosync record beteiligte --all --inspect",
        "advosync record beteiligte abc --wait --inspect",
        "advosync dead replay",
        "advosync dead replay 1-0 --all",
        "advosync dead replay --all --topic x",
        "advosync dead replay --all --from 1-0",
        "advosync dead replay 1-0 --to 2-0",
        "advosync dead replay --since 1h --from 1-0",
        "advosync dead replay --since soon",
        "advosync dead discard",
        "advosync dead list --flow other",
        "advosync mapping check",
        "advosync mapping a.toml",
        "advosync setup",
        "advosync setup espocrm --url advosync.example",
        "advosync completions sh42",
        "advosync token",
        "advosync token new n8n",
        "advosync token new --scope read",
        "advosync token new n8n --scope write",
        "advosync token new a/b --scope read",
        "advosync token new ADVOSYNC_API_TOKEN --scope read",
        "advosync schedule x --timezone Mars",
        "advosync schedule x --after yesterday",
        "advosync schedule x --count 0",
    ] {
        refused(line);
    }
}

#[test]
fn targets_and_modes() {
    let check = |line: &str, target: &Target, full: Option<bool>| match parse(line).command {
        Command::Sync(args) => assert_eq!((&args.target, args.full_content()), (target, full), "{line}"),
        other => panic!("{other:?}"),
    };
    check("advosync sync", &Target::All, None);
    check("advosync sync aLL --full", &Target::All, Some(true));
    check("advosync sync MÜ-1 --anonymised", &Target::Employee("MÜ-1".to_owned()), Some(false));
}

#[test]
fn since_is_an_age_or_a_time() {
    let check = |text: &str, expected: &str| match parse(&format!("advosync dead replay --since {text}")).command {
        Command::Dead(DeadArgs { command: DeadCommand::Replay(args), .. }) => {
            let instant = args.since.map(|since: Since| since.instant(now(), chrono_tz::Europe::Berlin));
            assert_eq!(instant, Some(expected.parse().unwrap()), "{text}");
        }
        other => panic!("{other:?}"),
    };
    check("2h", "2026-03-28T10:00:00Z");
    check("2026-03-28T02:00", "2026-03-28T01:00:00Z");
    check("2026-03-28T02:00:00Z", "2026-03-28T02:00:00Z");
    assert_eq!(FlowName::Vmh.flow().name(), "vmh");
}

fn schedule(line: &[&str]) -> Report {
    let line = ["advosync", "schedule"].iter().chain(line);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Schedule(args) => schedule::run(&args, now()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fire_times_as_json() {
    let check = |line: &[&str], expected: &str| {
        let line: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
        let report = schedule(&line);
        assert_eq!((report.stdout.trim_end(), report.exit), (expected, 0), "{line:?}");
    };
    check(&["0 2 * * *", "--after", "2026-03-27T02:00", "--count", "1"], r#"["2026-03-28T01:00:00Z"]"#);
    check(
        &["30 2 * * *", "--after", "2026-03-28", "--until", "2026-03-30"],
        r#"["2026-03-28T01:30:00Z","2026-03-29T01:00:00Z"]"#,
    );
    // Both ends are exclusive.
    check(
        &["0 * * * *", "--timezone", "UTC", "--after", "2026-01-01T01:00", "--until", "2026-01-01T03:00"],
        r#"["2026-01-01T02:00:00Z"]"#,
    );
    check(&["0 0 31 2 *", "--until", "2027-01-01"], "[]");
    check(&["0 0 1 1 *", "--until", "2026-01-01"], "[]");
}

#[test]
fn without_a_bound_there_are_ten_from_now_on() {
    let report = schedule(&["0 12 * * *", "--timezone", "UTC", "--json"]);
    let times: Vec<DateTime<Utc>> = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(times.len(), 10);
    assert_eq!(times[0], now() + TimeDelta::days(1));
}

#[test]
fn fire_times_for_people_show_wall_time_and_utc() {
    let report = schedule(&["30 2 * * *", "--count", "2"]);
    let expected =
        "Sun 2026-03-29 03:00:00 +02:00  2026-03-29T01:00:00Z\nMon 2026-03-30 02:30:00 +02:00  2026-03-30T00:30:00Z\n";
    assert_eq!(report, Report { stdout: expected.to_owned(), stderr: Vec::new(), exit: 0 });
}

#[test]
fn what_cannot_be_scheduled_is_explained() {
    let check = |line: &[&str], expected: &str| {
        let report = schedule(line);
        assert_eq!((report.exit, report.stdout.as_str()), (1, ""), "{line:?}");
        assert!(report.stderr[0].contains(expected), "{:?}", report.stderr);
    };
    check(&["0 0 31 2 *"], "never fires");
    check(&["0 0 31 2 *", "--json"], "never fires");
    check(&["0 25 * * *"], "is no cron expression");
    check(&["* * * * * *", "--until", "2027-01-01"], "more than 1000000 fire times");
}

#[test]
fn config_shows_values_and_origins_and_hides_secrets() {
    let source = Source::default()
        .with_environment([("ADVOWARE_PASSWORD", "hunter2"), ("ADVOSYNC_LEASE", "9s"), ("ESPOCRM_API_KEYS", "hunter3")])
        .with_dotenv("REDIS_URL=redis://:hunter4@h/1");
    let text = config::run(Json { json: false }, &source);
    let rows: Vec<Vec<&str>> = text.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        vec!["ADVOSYNC_LEASE", "9s", "environment"],
        vec!["ADVOWARE_PASSWORD", "***", "environment"],
        vec!["REDIS_URL", "redis://:***@h/1", ".env", "line", "1"],
        vec!["REDIS_HOST", "-", "default"],
        vec!["ADVOSYNC_MAX_ATTEMPTS", "5", "default"],
    ] {
        assert!(rows.contains(&row), "{row:?} in {}", text.stdout);
    }
    assert!(text.stderr[0].ends_with("did you mean ESPOCRM_API_KEY?"), "{:?}", text.stderr);
    assert_eq!(text.exit, 0);
    let json = config::run(Json { json: true }, &source);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["settings"]["ADVOSYNC_LEASE"]["source"], "environment");
    assert_eq!(document["settings"]["ADVOWARE_PASSWORD"]["value"], "***");
    assert!(!format!("{text:?}{json:?}").contains("hunter"));
}

#[test]
fn config_with_faults_shows_them_all_and_ends_78() {
    let source = Source::default().with_environment([("ADVOSYNC_LEASE", "9"), ("ADVOSYNC_TIMEZONE", "Mars")]);
    let report = config::run(Json { json: false }, &source);
    assert_eq!((report.exit, report.stderr.len()), (78, 2));
    assert!(report.stdout.contains("ADVOSYNC_LEASE"));
}

#[test]
fn completion_scripts_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        match parse(&format!("advosync completions {shell}")).command {
            Command::Completions(args) => {
                let script = completions::run(&args).stdout;
                assert!(["schedule", "mapping", "check"].iter().all(|word| script.contains(word)), "{shell}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What is on a command line, everybody on the machine can read.
#[test]
fn no_command_takes_a_secret_as_an_argument() {
    fn walk(command: &clap::Command, names: &mut Vec<String>) {
        names.extend(command.get_arguments().map(|argument| argument.get_id().to_string()));
        command.get_subcommands().for_each(|it| walk(it, names));
    }
    let (mut cli, mut names) = (Cli::command(), Vec::new());
    cli.build();
    walk(&cli, &mut names);
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let is_secret =
            ["secret", "token", "password", "key", "url_with", "hash"].iter().any(|word| name.contains(word));
        assert!(!is_secret, "{name}");
    }
}

#[test]
fn help_tells_of_examples_exit_codes_and_settings() {
    let help = Cli::command().render_long_help().to_string();
    for text in ["Examples:", "78", "docs/settings.md", "stderr"] {
        assert!(help.contains(text), "{text}");
    }
    let mut cli = Cli::command();
    cli.build();
    let with_settings = cli
        .get_subcommands()
        .filter(|it| !["setup", "mapping", "schedule", "completions", "token", "help"].contains(&it.get_name()));
    for command in with_settings {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("docs/settings.md"), "{}", command.get_name());
    }
}

#[test]
fn a_new_token_is_shown_once_and_its_entry_is_read_by_the_settings() {
    let make = |line: &str| match parse(line).command {
        Command::Token(args) => token::run(&args),
        other => panic!("{other:?}"),
    };
    let (first, second) =
        (make("advosync token new n8n --scope trigger --scope proxy"), make("advosync token new b --scope read"));
    let secret = first.stdout.trim_end();
    assert!(secret.starts_with("advosync_") && first.exit == 0 && secret.lines().count() == 1, "{secret}");
    assert!(!first.stderr.concat().contains(secret), "{:?}", first.stderr);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), first.stderr.concat() + &second.stderr.concat()).unwrap();
    let source = Source::default().with_environment([("ADVOSYNC_CALLERS_FILE", file.path().to_str().unwrap())]);
    let callers = crate::settings::Settings::load(&source, Role::Ingress).unwrap().http.callers;
    let door = crate::callers::Door::new(callers);
    let here = crate::callers::Peer::of(&axum::http::Extensions::new());
    let opens = |token: &str, scope| door.recognise(token.trim_end().as_bytes(), here, scope).map(|it| it.name).ok();
    assert_eq!(opens(&first.stdout, crate::callers::Scope::Trigger).as_deref(), Some("n8n"));
    assert_eq!(opens(&first.stdout, crate::callers::Scope::Read), None);
    assert_eq!(opens(&second.stdout, crate::callers::Scope::Read).as_deref(), Some("b"));
}
