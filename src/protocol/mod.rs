//! The protocol: what the lines mean and what follows from them.
//!
//! Pure: bytes and a time in, bytes and a verdict out. Nothing here waits, does I/O, logs or looks at a
//! clock, so that a whole herd can be simulated in a loop (`tests/simulation.rs`).
//!
//! Reading order: [`mod@line`] the grammar, [`atlas`] what a server knows, [`node`] one server hearing one line,
//! [`query`] what a `WHATSAT` asks, [`hello`] how neighbours prove themselves, [`link`] how they tell each
//! other what follows an edition, `hold` who may do so a little later.

pub mod atlas;
pub mod hello;
mod hold;
pub mod line;
pub mod link;
pub mod node;
pub mod query;
