//! What one line costs without sockets: read, heard, learnt, told. Figures are nanoseconds a line, at a thousand
//! clients that move all the time, and at a million.
//!
//! ```text
//! cargo bench --bench core -- --quick
//! ```

mod crowd;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use crowd::Crowd;
use herdctl::limits::LINK_BATCH_BYTES;
use herdctl::protocol::atlas::{Atlas, Source};
use herdctl::protocol::line::{Command, Report, Time};
use herdctl::protocol::link::Link;
use herdctl::protocol::node::Node;

const CROWDS: [usize; 2] = [1_000, 1_000_000];
/// A read of 64 KiB holds about so many lines.
const BURST: usize = 800;
const NOW: Time = Time::new(1_621_464_828, 223_371_889);

fn core(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    // An element is a line.
    group.throughput(Throughput::Elements(1));
    read(&mut group);
    for clients in CROWDS {
        hear_from_clients(&mut group, clients);
        hear_from_a_neighbour(&mut group, clients);
        tell(&mut group, clients);
        follow(&mut group, clients);
    }
    group.finish();
}

fn read(group: &mut BenchmarkGroup<'_, WallTime>) {
    let iamat = b"IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503";
    let at = b"AT Clark +0.263873386 kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503";
    group.bench_function("parse/IAMAT", |bencher| bencher.iter(|| Command::parse(black_box(iamat))));
    group.bench_function("parse/AT", |bencher| bencher.iter(|| Report::parse(black_box(at))));
}

/// Clients say where they are, all of it news: the reading, the learning and the answer.
fn hear_from_clients(group: &mut BenchmarkGroup<'_, WallTime>, clients: usize) {
    let (mut node, mut crowd) = (Node::new("Clark", 0), Crowd::new("IAMAT ", clients));
    let mut answers = Vec::new();
    crowd.all().for_each(|line| drop(node.hear(line, NOW, &mut Vec::new())));
    group.bench_function(format!("hear/IAMAT new/{clients}"), |bencher| {
        bencher.iter_custom(|lines| {
            in_bursts(lines, |burst| {
                let moved = crowd.move_some(burst);
                let came = moved.join(&b'\n');
                answers.clear();
                timed(|| {
                    node.look_ahead(&came);
                    moved.iter().for_each(|line| drop(black_box(node.hear(line, NOW, &mut answers))));
                })
            })
        });
    });
}

/// A neighbour tells a batch: news, or what another neighbour has told already.
fn hear_from_a_neighbour(group: &mut BenchmarkGroup<'_, WallTime>, clients: usize) {
    let (mut atlas, mut crowd) = (Atlas::new(), Crowd::new("AT Clark +0.263873386 ", clients));
    let mut link = Link::new(Source::link(1), 0);
    for line in crowd.all() {
        link.hear(line, &mut atlas).expect("a line of a neighbour");
    }
    let mut told = 0;
    let mut hear = |burst: &[Vec<u8>], atlas: &mut Atlas| {
        told += burst.len();
        let mark = format!("TOLD {told} {}", burst.len());
        let came = burst.join(&b'\n');
        timed(|| {
            Link::look_ahead(&came, atlas);
            for line in burst.iter().map(Vec::as_slice).chain([mark.as_bytes()]) {
                let _ = black_box(link.hear(line, atlas));
            }
        })
    };
    group.bench_function(format!("hear/AT new/{clients}"), |bencher| {
        bencher.iter_custom(|lines| in_bursts(lines, |burst| hear(crowd.move_some(burst), &mut atlas)));
    });
    group.bench_function(format!("hear/AT known/{clients}"), |bencher| {
        bencher.iter_custom(|lines| in_bursts(lines, |burst| hear(crowd.some(burst), &mut atlas)));
    });
}

/// A link says a batch of what has just been learnt.
fn tell(group: &mut BenchmarkGroup<'_, WallTime>, clients: usize) {
    let (mut atlas, mut crowd) = (Atlas::new(), Crowd::new("AT Clark +0.263873386 ", clients));
    crowd.all().for_each(|line| learn(&mut atlas, line));
    let mut link = Link::new(Source::link(1), 0);
    link.hear(format!("HEARD {clients}").as_bytes(), &mut atlas).expect("a line of a neighbour");
    let mut bytes = Vec::new();
    group.bench_function(format!("tell/tail/{clients}"), |bencher| {
        bencher.iter_custom(|lines| {
            in_bursts(lines, |burst| {
                crowd.move_some(burst).iter().for_each(|line| learn(&mut atlas, line));
                bytes.clear();
                timed(|| {
                    while link.owes(&atlas) {
                        link.tell(&atlas, LINK_BATCH_BYTES, &mut bytes);
                    }
                })
            })
        });
    });
}

/// What follows the empty atlas is read: what a restarted neighbour, or a disk, begins with.
fn follow(group: &mut BenchmarkGroup<'_, WallTime>, clients: usize) {
    let (mut atlas, mut crowd) = (Atlas::new(), Crowd::new("AT Clark +0.263873386 ", clients));
    crowd.all().for_each(|line| learn(&mut atlas, line));
    // They have moved in another order than they came.
    (0..clients / BURST).for_each(|_| crowd.move_some(BURST).iter().for_each(|line| learn(&mut atlas, line)));
    group.throughput(Throughput::Elements(clients as u64));
    group.bench_function(format!("after/whole atlas/{clients}"), |bencher| {
        bencher.iter(|| atlas.after(0).map(|entry| entry.line.len()).sum::<usize>());
    });
    group.throughput(Throughput::Elements(1));
}

fn learn(atlas: &mut Atlas, line: &[u8]) {
    assert!(atlas.learn(Report::parse(line).expect("a report"), Source::CLIENT), "it is news");
}

/// The time that so many lines take, a burst at a time; what a burst needs beforehand is not counted.
fn in_bursts(lines: u64, mut burst: impl FnMut(usize) -> Duration) -> Duration {
    let (bursts, rest) = (lines / BURST as u64, (lines % BURST as u64) as usize);
    let whole: Duration = (0..bursts).map(|_| burst(BURST)).sum();
    if rest == 0 { whole } else { whole + burst(rest) }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

criterion_group!(benches, core);
criterion_main!(benches);
