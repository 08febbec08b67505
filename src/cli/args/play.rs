//! The arguments of `play`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Play {
    /// The scenario, a TOML file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Play it to a herd of its own, on free ports in a temporary folder
    #[arg(long)]
    pub own: bool,
    /// Where all chance comes from [default: a new one, printed]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write the result to this file as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Only see whether the file is right
    #[arg(long, conflicts_with_all = ["own", "seed", "junit"])]
    pub check: bool,
}
