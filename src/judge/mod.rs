//! The judge: whether what a herd did agrees with what it promises, decided from a history and from nothing else.
//!
//! Pure, as the protocol is: records in, a verdict out; no socket, no clock, no file. Of the rest of the crate it knows
//! the grammar of a line. So a history that was recorded is judged again to the same verdict, and every rule is tested
//! with histories written by hand.
//!
//! Reading order: [`history`] what is recorded and how, [`plan`] what will be done to a herd, drawn from a seed,
//! [`timeline`] what was done to it and which report must have outlived that, `ledger` what is remembered of a client,
//! [`checker`] the rules, [`verdict`] what they found.

pub mod checker;
pub mod history;
mod ledger;
pub mod plan;
pub mod timeline;
pub mod verdict;
