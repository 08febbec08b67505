//! What the core takes from the allocator: nothing a line once every client is known, and so many bytes a client.
//!
//! Counted, not timed: the figures are the same on a busy machine, and in a build without optimization.
//!
//! ```text
//! cargo bench --bench allocations
//! ```

mod crowd;

use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use crowd::Crowd;
use herdctl::limits::LINK_BATCH_BYTES;
use herdctl::protocol::atlas::{Atlas, Source};
use herdctl::protocol::line::{Report, Time};
use herdctl::protocol::link::Link;
use herdctl::protocol::node::Node;

const CLIENTS: usize = 1_000;
/// A read of 64 KiB holds about so many lines.
const BURST: usize = 800;
const BURSTS: usize = 250;
/// Buffers find their sizes, and the order of editions is compacted for the first time.
const WARM_UP: usize = 50;
/// More than one allocation in so many lines is an allocation a burst, or worse.
const LINES_AN_ALLOCATION: usize = 2 * BURST;
const CROWDS: [usize; 2] = [100_000, 1_000_000];
const NOW: Time = Time::new(1_621_464_828, 223_371_889);

fn main() {
    println!("allocations in {} lines, once all {CLIENTS} clients are known:", BURST * BURSTS);
    hear_from_clients();
    hear_from_a_neighbour();
    tell();
    println!("bytes a client that an atlas holds, with names of 21 bytes:");
    CROWDS.into_iter().for_each(memory);
}

/// Clients say where they are, all of it news: the reading, the learning and the answer.
fn hear_from_clients() {
    let (mut node, mut crowd) = (Node::new("Clark", 0), Crowd::new("IAMAT ", CLIENTS));
    let mut answers = Vec::new();
    crowd.all().for_each(|line| drop(node.hear(line, NOW, &mut answers)));
    steady("IAMAT heard, news, answered", || {
        let moved = crowd.move_some(BURST);
        answers.clear();
        measure(|| moved.iter().for_each(|line| drop(black_box(node.hear(line, NOW, &mut answers)))))
    });
}

/// A neighbour tells a batch of news, and then what another neighbour has told already.
fn hear_from_a_neighbour() {
    let (mut atlas, mut crowd) = (Atlas::new(), Crowd::new("AT Clark +0.263873386 ", CLIENTS));
    let mut link = Link::new(Source::link(1), 0);
    for line in crowd.all() {
        link.hear(line, &mut atlas).expect("a line of a neighbour");
    }
    let mut told = 0;
    let mut hear = |burst: &[Vec<u8>]| {
        told += burst.len();
        let mark = format!("TOLD {told} {}", burst.len());
        measure(|| {
            for line in burst.iter().map(Vec::as_slice).chain([mark.as_bytes()]) {
                let _ = black_box(link.hear(line, &mut atlas));
            }
        })
    };
    steady("AT heard of a neighbour, news", || hear(crowd.move_some(BURST)));
    steady("AT heard of a neighbour, known", || hear(crowd.some(BURST)));
}

/// A link says a batch of what has just been learnt.
fn tell() {
    let (mut atlas, mut crowd) = (Atlas::new(), Crowd::new("AT Clark +0.263873386 ", CLIENTS));
    crowd.all().for_each(|line| learn(&mut atlas, line));
    let mut link = Link::new(Source::link(1), 0);
    link.hear(format!("HEARD {CLIENTS}").as_bytes(), &mut atlas).expect("a line of a neighbour");
    let mut bytes = Vec::new();
    steady("AT told to a neighbour", || {
        crowd.move_some(BURST).iter().for_each(|line| learn(&mut atlas, line));
        bytes.clear();
        measure(|| {
            while link.owes(&atlas) {
                link.tell(&atlas, LINK_BATCH_BYTES, &mut bytes);
            }
        })
    });
}

/// Only what is measured within a burst counts; none of it may be an allocation a line, nor one a burst.
fn steady(what: &str, mut burst: impl FnMut() -> AllocationInfo) {
    for _ in 0..WARM_UP {
        burst();
    }
    let count: u64 = (0..BURSTS).map(|_| burst().count_total).sum();
    println!("{count:>12}  {what}");
    assert!(count <= (BURST * BURSTS / LINES_AN_ALLOCATION) as u64, "{what}: it allocates in the steady state");
}

/// What stays allocated when everybody is known.
fn memory(clients: usize) {
    let crowd = Crowd::new("AT Clark +0.263873386 ", clients);
    let mut atlas = Atlas::new();
    let info = measure(|| crowd.all().for_each(|line| learn(&mut atlas, line)));
    println!("{:>12.1}  of {clients} clients", info.bytes_current as f64 / clients as f64);
    drop(atlas);
}

fn learn(atlas: &mut Atlas, line: &[u8]) {
    assert!(atlas.learn(Report::parse(line).expect("a report"), Source::CLIENT), "it is news");
}
