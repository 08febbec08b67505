//! The arguments of `chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::human::parse_duration;
use crate::judge::plan::Fault;

#[derive(Debug, Args)]
pub struct Chaos {
    /// Where all chance comes from [default: a new one]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long things are done to the herd
    #[arg(long = "for", value_name = "DUR", default_value = "60s", value_parser = parse_duration)]
    pub lasts: Duration,
    /// What is done [default: all]: kill, power, stop, restart, pause,
    /// cut, partition, delay, loss, dup, reorder, throttle
    #[arg(long, value_name = "F,…", value_delimiter = ',', value_parser = parse_fault)]
    pub faults: Vec<Fault>,
    /// How many clients talk at once
    #[arg(long, value_name = "N", default_value = "20")]
    pub clients: usize,
    /// Lines a second, from all of them together
    #[arg(long, value_name = "R", default_value = "200")]
    pub rate: u64,
    /// How soon after the last heal the herd must agree [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub settle: Option<Duration>,
    /// Do it to a herd of its own, on free ports in a temporary folder
    #[arg(long)]
    pub own: bool,
    /// Write all that happens to this file, as NDJSON
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Judge such a file again, and do nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "lasts", "faults", "clients", "rate", "settle", "own", "history"])]
    pub check: Option<PathBuf>,
}

fn parse_fault(typed: &str) -> Result<Fault, String> {
    let known = Fault::ALL.map(Fault::word);
    let fault = Fault::ALL.into_iter().find(|fault| fault.word().eq_ignore_ascii_case(typed.trim()));
    fault.ok_or_else(|| format!("known are {}", known.join(", ")))
}
