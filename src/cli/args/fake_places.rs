//! The arguments of `fake-places`.

use std::time::Duration;

use clap::Args;

use crate::cli::fake_places::Scenario;
use crate::cli::human::parse_duration;

#[derive(Debug, Args)]
pub struct FakePlaces {
    /// The port on 127.0.0.1; 0 takes any
    #[arg(long, value_name = "N", default_value_t = 11090)]
    pub port: u16,
    /// How it behaves
    #[arg(long, value_enum, value_name = "NAME", default_value = "ok", hide_possible_values = false)]
    pub scenario: Scenario,
    /// How long each answer takes [default: no time]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub delay: Option<Duration>,
}
