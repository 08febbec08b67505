//! The one integration binary: one link step, and this index.
//!
//! | module | what it shows |
//! |---|---|
//! | [`commands`] | the real binary as a person or a script meets it; every exit code |
//! | [`config`] | every mistake in a herd.toml, with the text that a person sees |
//! | [`dialogue`] | one server over real TCP: what a client says, byte for byte what it gets |
//! | [`failures`] | kill, start, pause, panic, silence, crowds, slow readers |
//! | [`flooding`] | a herd of real servers: every update reaches every server, and catches up |
//! | [`places`] | the embedded places against samples, counts and brute force |
//! | [`simulation`] | whole herds without sockets, thousands of them, each from a seed: the promises after any failure |
//! | [`support`] | a herd of real servers in this process, clients, and waiting with a deadline |
//! | [`tidy`] | the laws of the house that a test can keep |

mod commands;
mod config;
mod dialogue;
mod failures;
mod flooding;
mod places;
mod simulation;
mod support;
mod tidy;
