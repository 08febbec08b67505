//! What watching costs a server: a burst of lines with nobody there to listen, and with a listener who is told every
//! hop. To be held against what the lines themselves cost ([`core`](core.rs)): some 100 ns each.
//!
//! ```text
//! cargo bench --bench events -- --quick
//! ```

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herdctl::protocol::line::Time;
use herdctl::server::events::{self, Audience, Herald, What};

/// A read of 64 KiB holds about so many lines.
const BURST: u64 = 800;

fn watching(criterion: &mut Criterion) {
    let audience = Arc::<Audience>::default();
    let (herald, queue) = events::queue(Arc::clone(&audience));
    let mut group = criterion.benchmark_group("events");
    // An element is a line.
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("nobody listens", |bencher| bencher.iter(|| burst(&herald)));
    audience.want_hops(true);
    group.bench_function("every hop is told and taken", |bencher| {
        bencher.iter(|| {
            burst(&herald);
            assert_eq!(queue.take(|hop| drop(black_box(hop))), 0, "there was room for all of them");
        });
    });
    group.finish();
}

/// A burst of lines as a link says it: asked once whether anybody listens, told line by line if so.
fn burst(herald: &Herald) {
    let mut hops = herald.hops();
    for line in 0..BURST {
        if let Some(hops) = &mut hops {
            hops.line(Some(What::Told { peer: 0, client: b"kiwi.cs.ucla.edu".as_slice().into() }));
        }
        black_box(line);
    }
    if let Some(hops) = hops {
        hops.send(Time::new(1_621_464_828, 0), Some(1));
    }
}

criterion_group!(benches, watching);
criterion_main!(benches);
