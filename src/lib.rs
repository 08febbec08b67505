//! herdctl: a herd of location servers that you can run, watch and break on purpose.

pub mod cli;
pub mod config;
pub mod herd;
pub mod limits;
pub mod places;
pub mod protocol;
pub mod server;
