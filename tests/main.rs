//! Every test that needs more than one module, in one binary: one link step, and one index to read.
//!
//! | module | what it proves |
//! |---|---|
//! | [`simulation`] | whole herds without sockets, from a seed: promises 1 to 3 after kills, cuts, pauses and losses |
//! | [`tidy`] | the laws of the house that a test can keep |
//!
//! No test sleeps: each waits on a value that stays true, with a deadline.

mod simulation;
mod tidy;
