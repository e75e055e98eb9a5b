//! Arguments of `dead`.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::help;
use crate::cron::schedule::Moment;
use crate::queue::Flow;
use crate::settings::parse_duration;

/// `dead`.
#[derive(Debug, Args)]
#[command(after_help = help::DEAD)]
pub struct DeadArgs {
    /// What to do with dead jobs.
    #[command(subcommand)]
    pub command: DeadCommand,
    /// Only this flow; without it, both
    #[arg(long, global = true, value_name = "FLOW")]
    pub flow: Option<FlowName>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

/// The two flows of jobs, as they are written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FlowName {
    /// Records of EspoCRM and Advoware
    Vmh,
    /// Calendars
    Calendar,
}

impl FlowName {
    /// The flow.
    #[must_use]
    pub const fn flow(self) -> Flow {
        match self {
            Self::Vmh => Flow::Vmh,
            Self::Calendar => Flow::Calendar,
        }
    }
}

/// What can be done with dead jobs.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List them, with the last error
    List,
    /// Show one, with the error of every attempt
    Show {
        /// The job's id in the dead-letter stream
        id: String,
    },
    /// Run them again from the first attempt
    Replay(ReplayArgs),
    /// Say which party a record is that no rule can match, or that it is a new one; without a choice, show the candidates
    Decide(DecideArgs),
    /// Throw them away
    Discard {
        /// The jobs' ids in the dead-letter stream
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// `dead decide`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("choice").args(["this", "create"]))]
pub struct DecideArgs {
    /// The job's id in the dead-letter stream
    pub id: String,
    /// The record is the party with this number
    #[arg(long, value_name = "NUMBER")]
    pub this: Option<String>,
    /// The record is none of the candidates: create it in Advoware
    #[arg(long)]
    pub create: bool,
    /// Wait until the job that carries it out has ended
    #[arg(long, requires = "choice")]
    pub wait: bool,
}

/// `dead replay`: exactly one way to choose.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["ids", "all", "topic", "since", "from", "to"]).required(true).multiple(true))]
pub struct ReplayArgs {
    /// The jobs' ids in the dead-letter stream
    #[arg(value_name = "ID", conflicts_with_all = ["all", "topic", "since", "from", "to"])]
    pub ids: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with_all = ["topic", "since", "from", "to"])]
    pub all: bool,
    /// Those of this topic
    #[arg(long, value_name = "TOPIC", conflicts_with_all = ["since", "from", "to"])]
    pub topic: Option<String>,
    /// Those that died since then: an age such as 30m, 2h or 1d, or a time such as 2026-03-28T14:00
    #[arg(long, value_name = "SINCE", conflicts_with_all = ["from", "to"])]
    pub since: Option<Since>,
    /// Those from this id on, itself included; without --to, up to the newest
    #[arg(long, value_name = "ID")]
    pub from: Option<String>,
    /// Those up to this id, itself included; without --from, from the oldest on
    #[arg(long, value_name = "ID")]
    pub to: Option<String>,
}

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// At this time.
    At(Moment),
}

impl Since {
    /// The instant that is meant; wall times are read in `zone`.
    #[must_use]
    pub fn instant(self, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Ago(age) => {
                now.checked_sub_signed(chrono::TimeDelta::from_std(age).unwrap_or_default()).unwrap_or_default()
            }
            Self::At(moment) => moment.in_zone(zone),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = || text.parse().map(Self::At);
        parse_duration(text).map(Self::Ago).or_else(|_| at()).map_err(|_: crate::cron::schedule::MomentError| {
            "write an age such as 30m, 2h or 1d, or a time such as 2026-03-28T14:00 or 2026-03-28T13:00:00Z".to_owned()
        })
    }
}
