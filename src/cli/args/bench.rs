//! The arguments of `bench`.

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::cli::bench::plan::{Condition, Mix, parse_condition, parse_mix};
use crate::cli::human::parse_duration;
use crate::limits;

#[derive(Debug, Args)]
pub struct Bench {
    /// Clients that move
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = RangedU64ValueParser::<u64>::new().range(limits::BENCH_CLIENTS_RANGE))]
    pub clients: u64,
    /// Connections they are said over
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(limits::BENCH_CONNECTIONS_RANGE))]
    pub connections: usize,
    /// Commands in flight on each
    #[arg(long, value_name = "N", default_value_t = 16, conflicts_with = "rate", value_parser = RangedU64ValueParser::<usize>::new().range(limits::BENCH_DEPTH_RANGE))]
    pub depth: usize,
    /// Commands a second in all: an open loop
    #[arg(long, value_name = "R", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// IAMAT to WHATSAT
    #[arg(long, value_name = "N:N", default_value = "95:5", value_parser = parse_mix)]
    pub mix: Mix,
    /// The server to load, or all [default: the first that runs]
    #[arg(long, value_name = "SERVER")]
    pub to: Option<String>,
    /// How long to measure
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = parse_duration)]
    pub duration: Duration,
    /// How long to load before that
    #[arg(long, value_name = "DUR", default_value = "1s", value_parser = parse_duration)]
    pub warm_up: Duration,
    /// Do not measure convergence
    #[arg(long)]
    pub no_convergence: bool,
    /// Exit with 8 if this holds; may be given more than once
    #[arg(long, value_name = "COND", value_parser = parse_condition)]
    pub fail_if: Vec<Condition>,
    /// Load servers, or a provider of places, not on this machine
    #[arg(long)]
    pub allow_remote: bool,
}

fn parse_rate(typed: &str) -> Result<f64, String> {
    let rate: Option<f64> = typed.parse().ok().filter(|rate| limits::BENCH_RATE_RANGE.contains(rate));
    rate.ok_or_else(|| "commands a second: 0.1 to 10000000".into())
}
