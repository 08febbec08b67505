//! The arguments of commands that show what happens, and of those that write for a shell or a reader.

use std::path::PathBuf;

use clap::Args;
use regex::Regex;

use crate::cli::logs::sieve::Importance;

#[derive(Debug, Args)]
pub struct Logs {
    /// Names, in any case; `herd` is the herd's own log [default: all]
    #[arg(value_name = "SERVER")]
    pub servers: Vec<String>,
    /// Go on showing what is logged
    #[arg(short, long)]
    pub follow: bool,
    /// Show the last N records of the merged output, or all
    /// [default: 200; all with --since, --until, --grep or --level]
    #[arg(short = 'n', long = "lines", value_name = "N|all", value_parser = parse_lines)]
    pub lines: Option<Lines>,
    /// Nothing earlier: 5m (ago), 15:04 (UTC, as shown) or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Nothing later
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<String>,
    /// Only records whose text matches this regular expression
    #[arg(long, value_name = "RE", value_parser = parse_regex)]
    pub grep: Option<Regex>,
    /// Only records whose text does not match
    #[arg(short = 'v', long = "invert", requires = "grep")]
    pub invert: bool,
    /// Nothing that matters less: traffic, info, warn or error
    #[arg(long, value_enum, value_name = "LEVEL", hide_possible_values = true)]
    pub level: Option<Importance>,
    /// Leave out time, number and name
    #[arg(long)]
    pub no_prefix: bool,
    /// Show links' heartbeats too
    #[arg(long)]
    pub heartbeats: bool,
}

#[derive(Debug, Args)]
pub struct Top {
    /// Do what keys say without asking first
    #[arg(long)]
    pub no_confirm: bool,
}

#[derive(Debug, Args)]
pub struct Dash {
    /// Open it in the browser
    #[arg(long)]
    pub open: bool,
    /// An address that lets its reader look, and change nothing
    #[arg(long)]
    pub read_only: bool,
    /// The port, if it is not served yet; 0: any [default: 11080]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct Events {
    /// Only these kinds or families of kinds
    #[arg(long, value_name = "K,…", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Begin after this number, or at this time: 5m, 15:04, RFC 3339
    #[arg(long, value_name = "SEQ|TIME")]
    pub since: Option<String>,
    /// Leave after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Every hop of every report too
    #[arg(long)]
    pub flood: bool,
}

/// `-n`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    All,
    Last(usize),
}

fn parse_regex(typed: &str) -> Result<Regex, String> {
    Regex::new(typed).map_err(|why| why.to_string())
}

fn parse_lines(typed: &str) -> Result<Lines, String> {
    if typed.eq_ignore_ascii_case("all") {
        return Ok(Lines::All);
    }
    typed.parse().map(Lines::Last).map_err(|_| "a number, or all".into())
}

#[derive(Debug, Args)]
pub struct Completions {
    /// bash, zsh or fish
    #[arg(value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them into
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
