//! Whole herds without sockets, thousands of them, each from one seed.
//!
//! A seed gives a plan (a graph, a weather, what clients say, what fails), a world lives through it, everything is
//! healed, and what is left is held against what was promised. A failure names its seed:
//!
//! ```text
//! HERD_SEED=4711 cargo test simulation      that world alone, with what happened in it
//! HERD_SEEDS=100000 HERD_THREADS=1 cargo test --release simulation::herds -- --nocapture
//! ```
//!
//! What decides in a world is the real thing, as it is in a server: the protocol, the faults of a link, when an answer may
//! be written, what goes to the disk. Reading order: `plan` what will happen, `world` the agenda, `acts` what is done to a
//! herd, `wires`, `inlet` and `talk` what links hear and say, `clients` who is answered when, `archive` what outlives a
//! server, `witness` and `promise` what must hold, `checks` the end, `counts` how much of it all there was, `sabotage`
//! the proof that all this can fail.

mod acts;
mod archive;
mod checks;
mod clients;
mod counts;
mod inlet;
mod pipe;
mod plan;
mod promise;
mod rng;
mod sabotage;
mod server;
mod talk;
mod wires;
mod witness;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use counts::Counts;
use promise::{Failure, Promise};
use sabotage::Sabotage;
use world::World;

/// How many herds a plain `cargo test` lives through: some ten seconds' worth in a debug build on two cores.
const SEEDS: u64 = 10_000;
/// Within so many herds each sabotage must be found out.
const SABOTAGED_SEEDS: u64 = 2_000;

#[test]
fn herds_keep_their_promises_whatever_fails() {
    if let Some(seed) = number_in("HERD_SEED") {
        return prove(seed);
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let (seeds, threads) = (number_in("HERD_SEEDS").unwrap_or(SEEDS), number_in("HERD_THREADS").unwrap_or(cores));
    let since = Instant::now();
    let counts = live_through(0..seeds, threads);
    println!("{counts:#?}");
    let a_second = seeds as f64 / since.elapsed().as_secs_f64();
    println!("{seeds} herds, {a_second:.0} a second on {threads} threads");
    counts.check_that_much_happened(seeds);
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..20 {
        let trace = |_| {
            let mut world = World::new(seed, None);
            world.trace = Some(Vec::new());
            world.live().map(|()| world.trace).expect("a herd keeps its promises")
        };
        assert_eq!(trace(1), trace(2), "seed {seed}");
    }
}

#[test]
fn a_report_skipped_when_a_link_resumes_is_found_out() {
    assert_found_out(Sabotage::SkipOneOnResume, &[Promise::HeardIsTrue]);
    assert_found_out_at_the_end(Sabotage::SkipOneOnResume, &[Promise::Agreement, Promise::Rest]);
}

#[test]
fn a_restart_that_is_not_noticed_is_found_out() {
    assert_found_out(Sabotage::ForgetTheRun, &[Promise::HeardIsTrue]);
    assert_found_out_at_the_end(Sabotage::ForgetTheRun, &[Promise::Agreement, Promise::Rest]);
}

#[test]
fn an_older_report_taken_for_news_is_found_out() {
    let promises = [Promise::NeverBack, Promise::OnlyNewsIsLearnt, Promise::OnlyTheNewestIsTold];
    assert_found_out(Sabotage::TakeOlder, &promises);
}

#[test]
fn a_report_neither_said_nor_counted_is_found_out() {
    assert_found_out(Sabotage::DropTheLast, &[Promise::HeardIsTrue]);
    assert_found_out_at_the_end(Sabotage::DropTheLast, &[Promise::Agreement]);
}

#[test]
fn a_count_that_is_ignored_is_found_out() {
    assert_found_out(Sabotage::IgnoreTheCount, &[Promise::HeardIsTrue]);
    assert_found_out_at_the_end(Sabotage::IgnoreTheCount, &[Promise::Agreement, Promise::AnsweredIsSafe]);
}

#[test]
fn a_batch_that_is_heard_before_it_is_there_is_found_out() {
    assert_found_out(Sabotage::HeardTooSoon, &[Promise::HeardIsTrue]);
    let promises = [Promise::AnsweredIsSafe, Promise::Agreement, Promise::BoundedTalk, Promise::Rest];
    assert_found_out_at_the_end(Sabotage::HeardTooSoon, &promises);
}

#[test]
fn an_answer_that_does_not_wait_is_found_out() {
    assert_found_out(Sabotage::AnswerTooSoon, &[Promise::AnsweredIsSafe]);
    assert_found_out_at_the_end(Sabotage::AnswerTooSoon, &[Promise::AnsweredIsSafe]);
}

#[test]
fn an_answer_that_waits_for_one_neighbour_and_not_for_two_is_found_out() {
    assert_found_out(Sabotage::AnswerAfterOne, &[Promise::AnsweredIsSafe]);
    assert_found_out_at_the_end(Sabotage::AnswerAfterOne, &[Promise::AnsweredIsSafe]);
}

#[test]
fn an_answer_that_does_not_wait_for_the_disk_is_found_out() {
    assert_found_out(Sabotage::StoredInPieces, &[Promise::AnsweredIsSafe]);
    assert_found_out(Sabotage::StoredTooSoon, &[Promise::AnsweredIsSafe]);
    assert_found_out_at_the_end(Sabotage::StoredTooSoon, &[Promise::AnsweredIsSafe]);
}

#[test]
fn an_archive_that_goes_on_where_another_run_stopped_is_found_out() {
    let promises = [Promise::AnsweredIsSafe, Promise::ArchiveIsWhole, Promise::Rest];
    assert_found_out(Sabotage::ForgetTheArchivesRun, &promises);
    assert_found_out_at_the_end(Sabotage::ForgetTheArchivesRun, &promises);
}

#[test]
fn a_link_that_is_held_back_for_ever_is_found_out() {
    assert_found_out_at_the_end(Sabotage::HoldForEver, &[Promise::Agreement, Promise::Rest]);
}

#[test]
fn a_place_that_is_not_marked_is_found_out() {
    assert_found_out(Sabotage::NoMark, &[Promise::Rest]);
}

#[test]
fn a_report_told_back_is_found_out() {
    assert_found_out(Sabotage::TellBack, &[Promise::NotToldBack]);
    assert_found_out_at_the_end(Sabotage::TellBack, &[Promise::BoundedTalk]);
}

/// Lives through all these worlds on so many threads; panics with the first failure.
fn live_through(seeds: std::ops::Range<u64>, threads: u64) -> Counts {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Counts::default());
    let failed = Mutex::new(None);
    let live = || {
        let mut counts = Counts::default();
        while failed.lock().expect("no panic").is_none() {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= seeds.end {
                break;
            }
            let mut world = World::new(seed, None);
            if world.live().is_err() {
                *failed.lock().expect("no panic") = Some(seed);
            }
            counts.add(world.counts);
        }
        total.lock().expect("no panic").add(counts);
    };
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(live)));
    });
    if let Some(seed) = failed.into_inner().expect("no panic") {
        prove(seed);
    }
    total.into_inner().expect("no panic")
}

/// Lives through one world and, if it fails, shows how it came to that.
fn prove(seed: u64) {
    let mut world = World::new(seed, None);
    world.trace = Some(Vec::new());
    let Err(failure) = world.live() else { return };
    let trace = world.trace.unwrap_or_default();
    let last = &trace[trace.len().saturating_sub(200)..];
    panic!("{}\n\n{failure}\nagain: HERD_SEED={seed} cargo test simulation\n", last.join("\n"));
}

/// Each line is watched as it is said.
fn assert_found_out(sabotage: Sabotage, expected: &[Promise]) {
    assert_fails(|seed| World::new(seed, Some(sabotage)), sabotage, expected);
}

/// Nobody watches; the mistake shows in what is left, as it would to a user.
fn assert_found_out_at_the_end(sabotage: Sabotage, expected: &[Promise]) {
    assert_fails(|seed| World::new(seed, Some(sabotage)).unwatched(), sabotage, expected);
}

fn assert_fails(world: impl Fn(u64) -> World, sabotage: Sabotage, expected: &[Promise]) {
    let found = (0..SABOTAGED_SEEDS).find_map(|seed| Some((seed, world(seed).live().err()?)));
    let Some((seed, Failure { promise, what })) = found else {
        panic!("{SABOTAGED_SEEDS} herds lived with {sabotage:?} and nothing was noticed");
    };
    println!("{sabotage:?} is found out by seed {seed}: {promise:?}: {what}");
    assert!(expected.contains(&promise), "{sabotage:?} is found out as {promise:?}: {what}");
}

fn number_in(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}
