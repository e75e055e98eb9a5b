//! `advosync schedule`: when an expression fires. Needs no settings.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use clap::Args;

use super::Report;
use crate::cron::schedule::{Moment, Schedule, ScheduleError};

/// What a person gets to see who asks for nothing in particular.
const DEFAULT_COUNT: usize = 10;

/// The most that is listed, so that a far `--until` ends with a message and not with a full disk.
const MOST: usize = 1_000_000;

const EXAMPLES: &str = "\
Examples:
  advosync schedule '0 2 * * *'
  advosync schedule '30 2 * * *' --after 2026-03-27 --until 2026-03-31     over a clock change
  advosync schedule '*/15 * * * *' --timezone UTC --count 4 --json

Five fields: minute hour day month weekday; six: seconds first. An hour that is written out fires once on every date: at the
first instant after a missing hour, in the first pass of a doubled one. Hours from * or */n fire in both passes. Where both
day and weekday are restricted, either matches.";

/// `schedule`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ScheduleArgs {
    /// The cron expression, in quotes
    #[arg(value_name = "EXPR")]
    pub expression: String,
    /// The zone in which the expression, and times without an offset, are read
    #[arg(long, value_name = "TZ", default_value = "Europe/Berlin", value_parser = timezone)]
    pub timezone: Tz,
    /// Only fire times later than this; without it: later than now
    #[arg(long, value_name = "T")]
    pub after: Option<Moment>,
    /// Only fire times earlier than this
    #[arg(long, value_name = "T")]
    pub until: Option<Moment>,
    /// At most so many; without it and without --until: 10
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: Option<u32>,
    /// Print a JSON list of UTC times
    #[arg(long)]
    pub json: bool,
}

fn timezone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "write an IANA name such as Europe/Berlin or UTC".to_owned())
}

/// The fire times; exit code 1 with an explanation where the expression has no meaning or never fires.
#[must_use]
pub fn run(args: &ScheduleArgs, now: DateTime<Utc>) -> Report {
    let times = match times(args, now) {
        Ok(times) => times,
        Err(error) => return Report { stderr: vec![error], exit: 1, ..Report::default() },
    };
    let utc = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let stdout = if args.json {
        let times: Vec<String> = times.iter().map(utc).collect();
        format!("{}\n", serde_json::Value::from(times))
    } else {
        let local = |at: &DateTime<Utc>| at.with_timezone(&args.timezone).format("%a %Y-%m-%d %H:%M:%S %:z");
        times.iter().flat_map(|at| [local(at).to_string(), "  ".to_owned(), utc(at), "\n".to_owned()]).collect()
    };
    let stderr = if times.is_empty() { vec!["no fire time in this range".to_owned()] } else { Vec::new() };
    Report { stdout, stderr, exit: 0 }
}

fn times(args: &ScheduleArgs, now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, String> {
    let schedule = Schedule::parse(&args.expression, args.timezone).map_err(|error| error.to_string())?;
    let after = args.after.map_or(now, |moment| moment.in_zone(args.timezone));
    let until = args.until.map(|moment| moment.in_zone(args.timezone));
    let count = args.count.map(|count| count as usize);
    let limit = count.unwrap_or(if until.is_some() { MOST + 1 } else { DEFAULT_COUNT });
    let times: Vec<_> =
        schedule.after(after).take_while(|at| until.is_none_or(|until| *at < until)).take(limit).collect();
    if times.len() > MOST {
        return Err(format!(
            "there are more than {MOST} fire times before --until; choose an earlier one, or give --count"
        ));
    }
    if times.is_empty() && until.is_none() {
        schedule.next_after(after).map_err(|error: ScheduleError| error.to_string())?;
    }
    Ok(times)
}
