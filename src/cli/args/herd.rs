//! The arguments of commands about the whole herd: its beginning, its end, how it stands.

use std::time::Duration;

use clap::Args;

use crate::cli::human::parse_duration;

#[derive(Debug, Clone, Args)]
pub struct Up {
    /// Go to the background when the herd is ready
    #[arg(short, long)]
    pub detach: bool,
    /// How long the herd may take to be ready
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = parse_duration)]
    pub wait_timeout: Duration,
    /// Do not wait until all servers listen and all links are up
    #[arg(long)]
    pub no_wait: bool,
    /// Add N to every port, to run a second herd beside another
    #[arg(long, value_name = "N", default_value_t)]
    pub port_offset: u16,
    /// Start these servers only; the others are down until `start`
    #[arg(long, value_name = "S,…", value_delimiter = ',')]
    pub only: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The server to run
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// How long it may take until it listens
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = parse_duration)]
    pub wait_timeout: Duration,
}

#[derive(Debug, Args)]
pub struct Down {
    /// Kill all servers at once instead of stopping them
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Ps {
    /// Go on showing it: redrawn on a terminal, a line each with --json
    #[arg(long, conflicts_with = "check")]
    pub watch: bool,
    /// Exit with 8 unless all servers run and all links are up
    #[arg(long)]
    pub check: bool,
    /// Show all that is known of each server, and the links
    #[arg(long)]
    pub wide: bool,
}
