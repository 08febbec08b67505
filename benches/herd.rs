//! Whole servers over loopback: one alone, five that flood to each other, and how soon the last of five knows.
//!
//! The generator takes one core. Figures of one run can be compared with each other, not with those of another
//! machine or day.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::hint::spin_loop;
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

/// From before an `IAMAT` is said to when the last of five shows that it knows.
fn convergence(criterion: &mut Criterion) {
    let herd = Herd::five();
    let mut client = herd.client("Clark");
    let mut time = 0;
    criterion.bench_function("known at the last of five, idle", |bencher| {
        bencher.iter(|| {
            time += 1;
            client.say(format!("IAMAT kiwi +34.068930-118.445127 {time}\n"));
            while herd.names().iter().any(|name| herd.vitals(name).edition.load(Relaxed) < time) {
                spin_loop();
            }
        });
    });
}

criterion_group!(benches, updates, convergence);
criterion_main!(benches);
