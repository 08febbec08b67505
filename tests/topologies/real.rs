//! The same update on its way through the protocol's own nodes and links, byte for byte, in the same imagined time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use herdctl::protocol::atlas::Source;
use herdctl::protocol::line::Time;
use herdctl::protocol::link::{Effect, Link};
use herdctl::protocol::node::{Node, Reply};

use super::flood::{Cost, Flood, Graph, Nanos};

struct Server {
    node: Node,
    links: Vec<End>,
    busy: Nanos,
    known: Option<Nanos>,
    handled: u64,
}

/// A server's end of a link.
struct End {
    link: Link,
    to: usize,
    /// Which of the other server's ends is the other end.
    slot: usize,
}

/// What one end has written, and when it comes to the other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: Nanos,
    nth: u64,
    to: usize,
    slot: usize,
    bytes: Vec<u8>,
}

struct World {
    servers: Vec<Server>,
    cost: Cost,
    arrivals: BinaryHeap<Reverse<Arrival>>,
    said: u64,
    lines: u64,
}

/// As [`super::flood::flood`].
pub fn flood(graph: &Graph, origin: usize, cost: Cost) -> Flood {
    let mut world = World::linked(graph, cost);
    world.client_says(origin);
    while let Some(Reverse(arrival)) = world.arrivals.pop() {
        world.deliver(&arrival);
    }
    let known = world.servers.iter().map(|server| server.known.expect("every server is reached")).collect();
    Flood { lines: world.lines, known, handled: world.servers.iter().map(|server| server.handled).collect() }
}

impl World {
    /// Every link is up, and both ends have said that they know nothing yet.
    fn linked(graph: &Graph, cost: Cost) -> Self {
        let end = |from: usize, nth: usize, to: usize| End {
            link: Link::new(Source::link(u32::try_from(nth + 1).unwrap()), 0),
            to,
            slot: graph.neighbours[to].binary_search(&from).expect("neighbours are in order"),
        };
        let server = |(index, neighbours): (usize, &Vec<usize>)| Server {
            node: Node::new(&format!("S{}", index + 1), 0),
            links: neighbours.iter().enumerate().map(|(nth, &to)| end(index, nth, to)).collect(),
            busy: 0,
            known: None,
            handled: 0,
        };
        let mut servers: Vec<Server> = graph.neighbours.iter().enumerate().map(server).collect();
        for server in &mut servers {
            for end in &mut server.links {
                assert_eq!(end.link.hear(b"HEARD 0", server.node.atlas_mut()), Ok(Effect::Acknowledged));
            }
        }
        Self { servers, cost, arrivals: BinaryHeap::new(), said: 0, lines: 0 }
    }

    fn client_says(&mut self, origin: usize) {
        let said = b"IAMAT kiwi +34.068930-118.445127 1621464827.959498503";
        let reply = self.servers[origin].node.hear(said, Time::new(1_700_000_000, 0), &mut Vec::new());
        assert_eq!(reply, Reply::Say { after: 1 });
        self.tell(origin);
    }

    fn deliver(&mut self, arrival: &Arrival) {
        let server = &mut self.servers[arrival.to];
        server.busy = server.busy.max(arrival.at);
        let mut answer = Vec::new();
        for line in arrival.bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            if line.starts_with(b"AT ") {
                server.busy += self.cost.line;
                server.handled += 1;
            }
            let link = &mut server.links[arrival.slot].link;
            match link.hear(line, server.node.atlas_mut()).expect("what a neighbour says") {
                Effect::Answer => link.say_heard(&mut answer),
                Effect::Learned | Effect::Known | Effect::Acknowledged => {}
                odd => panic!("{odd:?} in a world without faults"),
            }
        }
        self.tell(arrival.to);
        if !answer.is_empty() {
            self.send(arrival.to, arrival.slot, answer);
        }
    }

    /// Every link that owes something tells it.
    fn tell(&mut self, from: usize) {
        let server = &mut self.servers[from];
        if server.known.is_none() && server.node.atlas().edition() > 0 {
            server.known = Some(server.busy);
        }
        for slot in 0..self.servers[from].links.len() {
            let Server { node, links, busy, handled, .. } = &mut self.servers[from];
            let link = &mut links[slot].link;
            if !link.owes(node.atlas()) {
                continue;
            }
            let mut bytes = Vec::new();
            let reports = link.tell(node.atlas(), 64 * 1024, &mut bytes).expect("it has said what it knows").reports;
            if reports > 0 {
                *busy += self.cost.line * reports;
                *handled += reports;
                self.lines += reports;
                self.send(from, slot, bytes);
            }
        }
    }

    fn send(&mut self, from: usize, slot: usize, bytes: Vec<u8>) {
        let server = &self.servers[from];
        let End { to, slot, .. } = server.links[slot];
        let at = server.busy + self.cost.link;
        self.arrivals.push(Reverse(Arrival { at, nth: self.said, to, slot, bytes }));
        self.said += 1;
    }
}
