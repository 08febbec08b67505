//! What can be said of a flood with a pencil, without following it: lines by a formula, hops by the shape of the graph.

use std::collections::VecDeque;

use herdctl::config::topology::Topology;

use super::flood::Graph;

/// Reports for one update: along a tree that reaches everybody once, along every other link once from each end. The
/// first report to come along a link that is not of the tree meets a server that has already said its own.
pub fn lines(servers: usize, links: usize) -> u64 {
    let (servers, links) = (servers as u64, links as u64);
    2 * links - (servers - 1)
}

/// How many links such a graph has, if that is certain.
pub fn links(topology: Topology, servers: usize, degree: usize) -> Option<usize> {
    match topology {
        Topology::Line | Topology::Star | Topology::Tree => Some(servers - 1),
        Topology::Ring => Some(servers),
        Topology::Full => Some(servers * (servers - 1) / 2),
        Topology::Random => Some((servers * degree / 2).min(servers * (servers - 1) / 2)),
        Topology::Grid | Topology::SmallWorld => None,
    }
}

/// Hops from one server to the last of the others, at worst, if a formula gives them.
pub fn diameter(topology: Topology, servers: usize) -> Option<usize> {
    match topology {
        Topology::Line => Some(servers - 1),
        Topology::Ring => Some(servers / 2),
        Topology::Star => Some(2.min(servers - 1)),
        Topology::Full => Some(1),
        Topology::Grid => {
            let columns = (1..).find(|side| side * side >= servers)?;
            // From the end of the first row to the beginning of the last.
            Some(columns - 1 + servers.div_ceil(columns) - 1)
        }
        Topology::Tree | Topology::Random | Topology::SmallWorld => None,
    }
}

/// How far the servers are from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// A server from which the way to the last one is longest, and how many hops that is.
    pub origin: usize,
    pub worst: usize,
    /// Hops to the last server, on average over all origins.
    pub mean: f64,
}

/// Looks from every server.
pub fn reach(graph: &Graph) -> Reach {
    let mut hops = vec![usize::MAX; graph.servers()];
    let all: Vec<usize> = (0..graph.servers()).map(|origin| eccentricity(graph, origin, &mut hops)).collect();
    let worst = all.iter().copied().max().unwrap_or_default();
    let origin = all.iter().position(|&hops| hops == worst).unwrap_or_default();
    Reach { origin, worst, mean: all.iter().sum::<usize>() as f64 / all.len() as f64 }
}

/// Hops from `origin` to the last server.
pub fn eccentricity(graph: &Graph, origin: usize, hops: &mut [usize]) -> usize {
    hops.fill(usize::MAX);
    hops[origin] = 0;
    let (mut waiting, mut last) = (VecDeque::from([origin]), 0);
    while let Some(server) = waiting.pop_front() {
        last = hops[server];
        for &neighbour in &graph.neighbours[server] {
            if hops[neighbour] == usize::MAX {
                hops[neighbour] = last + 1;
                waiting.push_back(neighbour);
            }
        }
    }
    last
}
