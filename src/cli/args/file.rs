//! The arguments of commands about a herd.toml.

use std::path::PathBuf;

use clap::Args;

use crate::config::topology;

#[derive(Debug, Args)]
pub struct Check {
    /// Ask the provider of places, too
    #[arg(long)]
    pub places: bool,
    /// The file [default: the herd.toml in use]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write herd.toml into [default: this one]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write over an existing herd.toml
    #[arg(long)]
    pub force: bool,
    /// Write to standard output instead
    #[arg(long)]
    pub stdout: bool,
    /// A herd of so many servers, S1, S2, … [default: the five]
    #[arg(long, value_name = "N", value_parser = parse_servers)]
    pub servers: Option<usize>,
    /// How they are linked
    #[arg(long, value_enum, default_value_t, requires = "servers")]
    pub topology: Topology,
    /// Links a server, for tree, random and small-world
    #[arg(long, value_name = "D", default_value_t = 4, requires = "servers", value_parser = clap::value_parser!(u16).range(2..))]
    pub degree: u16,
    /// What the random links are drawn from
    #[arg(long, value_name = "N", default_value_t = 1, requires = "servers")]
    pub seed: u64,
}

fn parse_servers(text: &str) -> Result<usize, String> {
    let range = crate::limits::SERVERS_RANGE;
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("a herd has {} to {} servers", range.start(), range.end()))
}

/// The families of graphs, as words.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum Topology {
    Line,
    Ring,
    Star,
    Tree,
    Grid,
    Random,
    #[default]
    SmallWorld,
    Full,
}

impl From<Topology> for topology::Topology {
    fn from(word: Topology) -> Self {
        match word {
            Topology::Line => Self::Line,
            Topology::Ring => Self::Ring,
            Topology::Star => Self::Star,
            Topology::Tree => Self::Tree,
            Topology::Grid => Self::Grid,
            Topology::Random => Self::Random,
            Topology::SmallWorld => Self::SmallWorld,
            Topology::Full => Self::Full,
        }
    }
}
