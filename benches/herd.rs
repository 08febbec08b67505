//! Whole servers over loopback: one alone, and five that flood to each other. How soon the last of them knows is
//! measured by [`convergence`](convergence.rs), what more of them cost by [`growth`](growth.rs).
//!
//! The generator takes one core. Figures of one run can be compared with each other, not with those of another
//! machine or day.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herdctl::config::Traffic;
use load::{Load, Speech};
use support::Herd;

const DEPTHS: [usize; 3] = [1, 16, 256];

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

criterion_group!(benches, updates);
criterion_main!(benches);
