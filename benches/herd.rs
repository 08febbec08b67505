//! Whole servers over loopback: one alone, five that flood to each other, and how soon the
//! last of five, or of a hundred, knows.
//!
//! The generator takes one core. Figures of one run can be compared with each other, not with those of another
//! machine or day.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herdctl::config::topology::Topology;
use herdctl::config::{Shape, Traffic};
use load::{Load, Speech};
use support::Herd;

const DEPTHS: [usize; 3] = [1, 16, 256];
/// How late an end may be seen.
const LOOK_EVERY: Duration = Duration::from_micros(50);

fn updates(criterion: &mut Criterion) {
    for (what, herd) in [
        ("one server", Herd::one(|_| {})),
        ("five servers", Herd::five()),
        ("five servers, no traffic log", Herd::five_with(|config| config.log.traffic = Traffic::Off)),
    ] {
        let mut group = criterion.benchmark_group(what);
        group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(4));
        let mut clock = 1_600_000_000_000_000_000;
        for depth in DEPTHS {
            let load = Load { connections: 32, depth, clients: 1000, speech: Speech::Herd };
            group.bench_function(format!("update, depth {depth}"), |bencher| {
                bencher.iter_custom(|updates| {
                    let took = load.run(herd.address("Clark"), updates.max(10_000), &mut clock);
                    // Only what all servers know counts.
                    let start = Instant::now();
                    herd.wait_converged(herd.vitals("Clark").knows.load(Relaxed));
                    (took + start.elapsed()).mul_f64(updates as f64 / updates.max(10_000) as f64)
                });
            });
        }
    }
}

/// From before an `IAMAT` is said to when the last server shows that it knows, with nothing else to do.
fn convergence(criterion: &mut Criterion) {
    known_at_the_last(criterion, "five", Herd::five());
    for topology in [Topology::Tree, Topology::SmallWorld, Topology::Random] {
        let shape = Shape { topology, servers: 100, degree: 4, seed: 1 };
        known_at_the_last(criterion, &format!("a hundred, {topology}"), Herd::of(shape, |_| {}));
        let unlogged = Herd::of(shape, |config| config.log.traffic = Traffic::Off);
        known_at_the_last(criterion, &format!("a hundred, {topology}, no traffic log"), unlogged);
    }
}

fn known_at_the_last(criterion: &mut Criterion, servers: &str, herd: Herd) {
    let mut client = herd.client(&herd.names()[2]);
    let (mut time, mut times) = (0_u64, Vec::new());
    criterion.bench_function(&format!("known at the last of {servers}, idle"), |bencher| {
        bencher.iter_custom(|updates| {
            let mut sum = Duration::ZERO;
            for _ in 0..updates {
                time += 1;
                let start = Instant::now();
                client.say(format!("IAMAT kiwi +34.068930-118.445127 {time}\n"));
                while herd.running().any(|vitals| vitals.edition.load(Relaxed) < time) {
                    // Two cores have a hundred servers to serve: whoever looks all the time is in their way.
                    if herd.config.servers.len() > 5 { sleep(LOOK_EVERY) } else { yield_now() }
                }
                times.push(start.elapsed());
                sum += start.elapsed();
                client.hear();
            }
            sum
        });
    });
    if times.is_empty() {
        return; // Another one was asked for.
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("    median {:?}, p99 {:?} of {} updates", at(50), at(99), times.len());
}

criterion_group!(benches, updates, convergence);
criterion_main!(benches);
