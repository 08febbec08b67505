//! The one integration binary: one link step, and this index.
//!
//! | module | what it shows |
//! |---|---|
//! | [`config`] | every mistake in a herd.toml, with the text that a person sees |
//! | [`dialogue`] | one server over real TCP: what a client says, byte for byte what it gets |
//! | [`failures`] | kill, start, pause, panic, silence, crowds, slow readers |
//! | [`flooding`] | a herd of real servers: every update reaches every server, and catches up |
//! | [`places`] | the embedded places against samples, counts and brute force |
//! | [`supervisor`] | the herd with stand-ins for its servers: states, orders, readiness, the den, signals, detaching |
//! | [`places_file`] | the user's own places: every format, what is left out, and how fast |
//! | [`places_google`] | the live provider against a fake on loopback: every way to answer and to fail |
//! | [`places_server`] | a server with a live provider: answers, logs, what it shows, and that nothing stands still |
//! | [`support`] | a herd of real servers in this process, clients, and waiting with a deadline |

mod config;
mod dialogue;
mod failures;
mod flooding;
mod places;
mod places_file;
mod places_google;
mod places_server;
mod supervisor;
mod support;
