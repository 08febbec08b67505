//! Bytes that nobody should send, against everything that reads bytes: each target knows what must come of them, and
//! is held to it for as long as one likes.
//!
//! Good input is drawn by its grammar and then spoilt, for random bytes hardly ever get past the first word; it comes in
//! pieces wherever pieces can matter. One case is one seed, and a failure is made as small as it gets and named:
//!
//! ```text
//! cargo test fuzz                                  two seconds a target
//! HERDCTL_FUZZ_SECONDS=3600 cargo test fuzz        an hour a target
//! HERDCTL_FUZZ_SEED=4711 cargo test fuzz::client   that case alone
//! ```
//!
//! | target | what is read | what must come of it |
//! |---|---|---|
//! | [`client`] | a client's bytes, by a real server | the answers of a model, however the bytes are cut |
//! | [`handshake`] | a neighbour's bytes before the proof, by a real server, dialled or dialling | a link for the right proof only |
//! | [`link`] | a neighbour's bytes after the proof, by a real server | the table of a model, however the bytes are cut |
//! | [`herd_toml`] | `herd.toml` | a whole configuration, or mistakes that a person can be shown |
//! | [`history`] | a recorded history, by the judge | a verdict, or the line that is none; what was right is found right |
//!
//! What is held in memory meanwhile is asserted where it is held, in debug builds.

mod bytes;
mod client;
mod handshake;
mod herd_toml;
mod history;
mod link;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestCaseResult, TestError, TestRng, TestRunner};

/// How long a target runs in a plain `cargo test`.
const SECONDS: u64 = 2;
/// Within so many cases a mistake that was made on purpose must be found out.
const SABOTAGED_CASES: u64 = 400;
/// So long a failing case is made smaller.
const SHRINK_MS: u32 = 30_000;

/// Draws cases and checks each until the time is over; panics with the first one that fails.
fn run<S: Strategy>(target: &str, cases: &S, check: impl Fn(S::Value) -> TestCaseResult) {
    let (start, lasts) = (Instant::now(), Duration::from_secs(number_in("HERDCTL_FUZZ_SECONDS").unwrap_or(SECONDS)));
    let replayed = number_in("HERDCTL_FUZZ_SEED");
    // Others each time: what was found is kept as a test.
    let first = replayed.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond().unsigned_abs() * 1_000);
    let mut seed = first;
    while seed == first || (replayed.is_none() && start.elapsed() < lasts) {
        if let Err(failure) = one(seed, SHRINK_MS, cases, &check) {
            panic!("{}\nagain: HERDCTL_FUZZ_SEED={seed} cargo test fuzz::{target}\n", shown(&failure));
        }
        seed += 1;
    }
    println!("fuzz::{target}: {} cases in {:.1} s, seeds from {first}", seed - first, start.elapsed().as_secs_f64());
}

/// Checks that a mistake is found out; `check` is held against something that makes it.
fn assert_found_out<S: Strategy>(mistake: &str, cases: &S, check: impl Fn(S::Value) -> TestCaseResult) {
    let found = (0..SABOTAGED_CASES).find_map(|seed| Some((seed, one(seed, 0, cases, &check).err()?)));
    let Some((seed, why)) = found else { panic!("{SABOTAGED_CASES} cases, and nobody noticed {mistake}") };
    println!("{mistake} is found out by seed {seed}: {}", shown(&why));
}

/// One case from one seed.
fn one<S: Strategy>(
    seed: u64,
    shrink_ms: u32,
    cases: &S,
    check: impl Fn(S::Value) -> TestCaseResult,
) -> Result<(), TestError<S::Value>> {
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_time: shrink_ms,
        max_shrink_iters: if shrink_ms == 0 { 0 } else { 1_000_000 },
        ..Config::default()
    };
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &key)).run(cases, check)
}

/// On two lines: what is wrong, and the case.
fn shown(failure: &TestError<impl Debug>) -> String {
    match failure {
        TestError::Fail(why, case) => format!("{why}\n{case:?}"),
        TestError::Abort(why) => why.to_string(),
    }
}

/// What is wrong with a case.
fn wrong(what: impl Into<String>) -> TestCaseError {
    TestCaseError::fail(what.into())
}

fn number_in(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}
