//! The arguments of what is done to servers.

use std::time::Duration;

use clap::Args;

use crate::cli::human::parse_duration;

/// One server or more, or all of them.
#[derive(Debug, Args)]
pub struct Members {
    /// Names, in any case
    #[arg(value_name = "SERVER", required_unless_present = "all", conflicts_with = "all")]
    pub servers: Vec<String>,
    /// All servers
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Kill {
    /// Names, in any case
    #[arg(value_name = "SERVER", required_unless_present_any = ["all", "random"], conflicts_with_all = ["all", "random"])]
    pub servers: Vec<String>,
    /// All servers
    #[arg(long, conflicts_with = "random")]
    pub all: bool,
    /// One of those that run, by chance
    #[arg(long)]
    pub random: bool,
    /// The seed of that chance [default: a new one, printed]
    #[arg(long, value_name = "N", requires = "random")]
    pub seed: Option<u64>,
    /// As a power cut does: connections reset, unsent bytes gone
    #[arg(long)]
    pub power: bool,
    /// Start it again after so long
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    pub members: Members,
    /// Let it go on after so long
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Start {
    #[command(flatten)]
    pub members: Members,
    /// Answer when the links are up and it knows what its neighbours know
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct Restart {
    #[command(flatten)]
    pub members: Members,
    /// Kill instead of stop
    #[arg(long)]
    pub hard: bool,
    /// Answer when the links are up and it knows what its neighbours know
    #[arg(long)]
    pub wait: bool,
}
