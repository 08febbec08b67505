//! One update on its way through a herd, as events in time: fast enough for ten thousand servers.
//!
//! It knows no protocol, only what follows from it: a server that hears an update for the first time says it to every
//! neighbour but the one that it came from; one that knows it says nothing. `real.rs` does the same with the
//! protocol's own nodes and links, and the tests hold the two against each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Times are in nanoseconds from the client's update on.
pub type Nanos = u64;

/// Who is linked with whom.
pub struct Graph {
    pub links: usize,
    /// By server, in the order of the links.
    pub neighbours: Vec<Vec<usize>>,
}

/// What everything takes.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From one end of a link to the other.
    pub link: Nanos,
    /// What one report costs the server that says it, and again the one that hears it. A server does one thing at a
    /// time.
    pub line: Nanos,
}

/// What became of one update.
#[derive(Debug, PartialEq, Eq)]
pub struct Flood {
    /// Reports that servers said to servers.
    pub lines: u64,
    /// When each server had heard of it.
    pub known: Vec<Nanos>,
    /// Reports that each server said or heard.
    pub handled: Vec<u64>,
}

impl Graph {
    pub fn new(servers: usize, links: &[(usize, usize)]) -> Self {
        let mut neighbours = vec![Vec::new(); servers];
        for &(one, other) in links {
            neighbours[one].push(other);
            neighbours[other].push(one);
        }
        Self { links: links.len(), neighbours }
    }

    pub fn servers(&self) -> usize {
        self.neighbours.len()
    }
}

impl Flood {
    /// When the last server knew.
    pub fn took(&self) -> Nanos {
        self.known.iter().copied().max().unwrap_or_default()
    }

    /// The most that one server had to say and hear.
    pub fn busiest(&self) -> u64 {
        self.handled.iter().copied().max().unwrap_or_default()
    }
}

/// A report that comes to a server. Of two at the same time the first that was said is first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: Nanos,
    nth: u64,
    to: usize,
    from: usize,
}

struct World<'a> {
    graph: &'a Graph,
    cost: Cost,
    arrivals: BinaryHeap<Reverse<Arrival>>,
    /// Until when each server is at work.
    busy: Vec<Nanos>,
    known: Vec<Option<Nanos>>,
    flood: Flood,
}

/// A client tells `origin`, and that is all that happens.
pub fn flood(graph: &Graph, origin: usize, cost: Cost) -> Flood {
    let servers = graph.servers();
    let mut world = World {
        graph,
        cost,
        arrivals: BinaryHeap::new(),
        busy: vec![0; servers],
        known: vec![None; servers],
        flood: Flood { lines: 0, known: Vec::new(), handled: vec![0; servers] },
    };
    world.learn(origin, None);
    while let Some(Reverse(arrival)) = world.arrivals.pop() {
        world.hear(arrival);
    }
    let known = world.known.into_iter().map(|known| known.expect("every server is reached"));
    Flood { known: known.collect(), ..world.flood }
}

impl World<'_> {
    fn hear(&mut self, Arrival { at, to, from, .. }: Arrival) {
        self.busy[to] = self.busy[to].max(at) + self.cost.line;
        self.flood.handled[to] += 1;
        if self.known[to].is_none() {
            self.learn(to, Some(from));
        }
    }

    fn learn(&mut self, server: usize, from: Option<usize>) {
        self.known[server] = Some(self.busy[server]);
        let graph = self.graph;
        for &to in graph.neighbours[server].iter().filter(|&&to| Some(to) != from) {
            self.busy[server] += self.cost.line;
            self.flood.handled[server] += 1;
            let at = self.busy[server] + self.cost.link;
            self.arrivals.push(Reverse(Arrival { at, nth: self.flood.lines, to, from: server }));
            self.flood.lines += 1;
        }
    }
}
