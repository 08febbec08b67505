//! The command line.

pub mod check;
pub mod fake_places;
pub mod init;
