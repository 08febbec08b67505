//! What a WHATSAT costs before it is written: the search, and the search with its answer printed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use herdctl::places::Circle;
use herdctl::places::embedded::Embedded;

/// From the emptiest to the densest part of the globe.
const CENTRES: [(&str, f64, f64); 5] = [
    ("mid-Pacific", 0.0, -150.0),
    ("Lagos", 6.5244, 3.3792),
    ("Los Angeles", 34.068_930, -118.445_127),
    ("Tokyo", 35.6812, 139.7671),
    ("Milan", 45.4642, 9.19),
];

fn places(criterion: &mut Criterion) {
    let embedded = Embedded::open();
    for (name, lat, lng) in CENTRES {
        let circle = Circle { lat, lng, radius_km: 50.0 };
        let mut group = criterion.benchmark_group(format!("places/50 km around {name}"));
        group.bench_function("nearest 20", |bencher| bencher.iter(|| embedded.nearest(black_box(circle), 20)));
        group.bench_function("answer", |bencher| bencher.iter(|| embedded.nearby(black_box(circle), 20)));
        group.finish();
    }
}

criterion_group!(benches, places);
criterion_main!(benches);
