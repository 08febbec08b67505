//! The arguments of what is done to links, and of who knows what.

use std::time::Duration;

use clap::Args;

use crate::cli::human::{parse_bytes, parse_delay, parse_duration, parse_percent};

/// The two ends of a link, and how long something is wrong with it.
#[derive(Debug, Args)]
pub struct Ends {
    /// A server, in any case
    #[arg(value_name = "A")]
    pub from: String,
    /// Its neighbour
    #[arg(value_name = "B")]
    pub to: String,
    /// Only what A says to B
    #[arg(long)]
    pub one_way: bool,
    /// Heal by itself after so long
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Cut {
    #[command(flatten)]
    pub ends: Ends,
    /// Keep connections open and let nothing arrive
    #[arg(long)]
    pub silent: bool,
}

#[derive(Debug, Args)]
pub struct Delay {
    #[command(flatten)]
    pub ends: Ends,
    /// 250ms, 1s; 0 removes the delay
    #[arg(value_name = "DELAY", value_parser = parse_delay)]
    pub delay: Duration,
    /// More or less by up to so much, by chance
    #[arg(long, value_name = "DUR", value_parser = parse_delay, default_value = "0")]
    pub jitter: Duration,
    /// The seed of that chance [default: a new one, printed]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Chance {
    #[command(flatten)]
    pub ends: Ends,
    /// Of the reports: 20%; 0 removes it
    #[arg(value_name = "PERCENT", value_parser = parse_percent, allow_hyphen_values = true)]
    pub percent: f64,
    /// The seed of the chance [default: a new one, printed]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Throttle {
    #[command(flatten)]
    pub ends: Ends,
    /// Bytes a second: 500, 64k, 2M; 0 removes it
    #[arg(value_name = "BYTES", value_parser = parse_bytes)]
    pub bytes_per_second: u64,
}

#[derive(Debug, Args)]
pub struct Partition {
    /// Groups: names with commas between them
    #[arg(value_name = "S,S…", required_unless_present_any = ["isolate", "random"], conflicts_with_all = ["isolate", "random"])]
    pub groups: Vec<String>,
    /// This server against all others
    #[arg(long, value_name = "SERVER", conflicts_with = "random")]
    pub isolate: Option<String>,
    /// Two groups by chance
    #[arg(long)]
    pub random: bool,
    /// The seed of that chance [default: a new one, printed]
    #[arg(long, value_name = "N", requires = "random")]
    pub seed: Option<u64>,
    /// Keep connections open and let nothing arrive
    #[arg(long)]
    pub silent: bool,
    /// Heal by itself after so long
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Heal {
    /// Two neighbours: their link; one server: all its links
    #[arg(value_name = "SERVER", required_unless_present = "all", conflicts_with = "all", num_args = 1..=2)]
    pub servers: Vec<String>,
    /// All that is wrong
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Links {
    /// Go on showing them: redrawn on a terminal, a line each with --json
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct Whereis {
    /// The client's name
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub client: Option<String>,
    /// The clients that moved last
    #[arg(long)]
    pub all: bool,
    /// Go on showing it, with the way that each report took
    #[arg(long, conflicts_with = "all")]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct Forget {
    /// The client's name
    pub client: String,
}

#[derive(Debug, Args)]
pub struct Wait {
    #[command(flatten)]
    pub what: Awaited,
    /// With --event: of this server, at either end of a link
    #[arg(long, value_name = "SERVER", conflicts_with_all = ["ready", "converged", "down"])]
    pub server: Option<String>,
    /// With --event: what happened after this number, or since this time, counts
    #[arg(long, value_name = "SEQ|TIME", conflicts_with_all = ["ready", "converged", "down"])]
    pub since: Option<String>,
}

/// What is waited for: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Awaited {
    /// All servers run and all links are up
    #[arg(long)]
    pub ready: bool,
    /// All running servers know the same
    #[arg(long)]
    pub converged: bool,
    /// This server is down
    #[arg(long, value_name = "S")]
    pub down: Option<String>,
    /// An event of this kind, or of this family of kinds, happens
    #[arg(long, value_name = "KIND", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub event: Option<String>,
}
