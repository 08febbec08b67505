//! The one integration binary: one link step, and this index.
//!
//! | module | what it shows |
//! |---|---|
//! | [`commands`] | the real binary as a person or a script meets it; every exit code |
//! | [`config`] | every mistake in a herd.toml, with the text that a person sees |
//! | [`dialogue`] | one server over real TCP: what a client says, byte for byte what it gets |
//! | [`failures`] | kill, start, pause, panic, silence, crowds, slow readers |
//! | [`flooding`] | a herd of real servers: every update reaches every server, and catches up |
//! | [`judge`] | `herdctl chaos`: a herd that is right holds, and each herd that lies is found out |
//! | [`places`] | the embedded places against samples, counts and brute force |
//! | [`readme`] | every session of the README, run as written |
//! | [`simulation`] | whole herds from a seed, without sockets: kills, cuts, losses, colliding times |
//! | [`supervisor`] | the herd with stand-ins for its servers: states, orders, readiness, the den, signals, detaching |
//! | [`tidy`] | the laws of the house that a test can keep |
//! | [`support`] | a herd of real servers in this process, clients, and waiting with a deadline |

mod commands;
mod config;
mod dialogue;
mod failures;
mod flooding;
mod judge;
mod places;
mod readme;
mod simulation;
mod supervisor;
mod support;
mod tidy;
