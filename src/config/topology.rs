//! Graphs for herds of any size: who talks with whom when nobody says so by hand.
//!
//! Every graph is connected, has no double links and no self-links, and is the same again for the same seed.

use std::collections::BTreeSet;
use std::fmt;

/// A family of graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Each server with the next.
    Line,
    /// A line whose ends are linked.
    Ring,
    /// The first server with all others.
    Star,
    /// Each server with up to `degree - 1` children.
    Tree,
    /// A square of rows and columns, the last row perhaps not full.
    Grid,
    /// A random tree, and random links until each server has `degree` of them on average.
    Random,
    /// A ring in which each server is linked to the `degree` nearest, and one link in ten goes anywhere instead; the
    /// ring itself stays (after Watts and Strogatz, "Collective dynamics of small-world networks", Nature 393, 1998).
    SmallWorld,
    /// Each server with every other.
    Full,
}

impl Topology {
    pub const ALL: [Self; 8] =
        [Self::Line, Self::Ring, Self::Star, Self::Tree, Self::Grid, Self::Random, Self::SmallWorld, Self::Full];

    /// The word for it on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Ring => "ring",
            Self::Star => "star",
            Self::Tree => "tree",
            Self::Grid => "grid",
            Self::Random => "random",
            Self::SmallWorld => "small-world",
            Self::Full => "full",
        }
    }

    /// The links among `servers` servers, as pairs of numbers from 0, each pair and the list in ascending order.
    ///
    /// `degree` is how many links a server has, where the family leaves that open (tree, random, small-world); at
    /// least 2 there.
    #[must_use]
    pub fn links(self, servers: usize, degree: usize, seed: u64) -> Vec<(usize, usize)> {
        let mut graph = Graph { servers, links: BTreeSet::new(), chance: Chance(seed) };
        match self {
            Self::Line => graph.line(),
            Self::Ring => graph.ring(),
            Self::Star => (1..servers).for_each(|server| graph.link(0, server)),
            Self::Tree => (1..servers).for_each(|server| graph.link((server - 1) / (degree.max(2) - 1), server)),
            Self::Grid => graph.grid(),
            Self::Random => graph.random(degree),
            Self::SmallWorld => graph.small_world(degree),
            Self::Full => (0..servers).for_each(|one| (one + 1..servers).for_each(|other| graph.link(one, other))),
        }
        graph.links.into_iter().collect()
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct Graph {
    servers: usize,
    links: BTreeSet<(usize, usize)>,
    chance: Chance,
}

impl Graph {
    /// Links two servers, if they are two and not linked yet.
    fn link(&mut self, one: usize, other: usize) {
        if one != other {
            self.links.insert((one.min(other), one.max(other)));
        }
    }

    fn line(&mut self) {
        (1..self.servers).for_each(|server| self.link(server - 1, server));
    }

    fn ring(&mut self) {
        self.line();
        if self.servers > 0 {
            self.link(0, self.servers - 1);
        }
    }

    fn grid(&mut self) {
        let columns = (1..).find(|side| side * side >= self.servers).unwrap_or(1);
        for server in 0..self.servers {
            if server % columns > 0 {
                self.link(server - 1, server);
            }
            if server >= columns {
                self.link(server - columns, server);
            }
        }
    }

    fn random(&mut self, degree: usize) {
        for server in 1..self.servers {
            let parent = self.chance.below(server);
            self.link(parent, server);
        }
        self.fill(self.servers * degree.max(2) / 2);
    }

    fn small_world(&mut self, degree: usize) {
        const REWIRED_IN: usize = 10;
        self.ring();
        for distance in 2..=(degree.max(2) / 2).min(self.servers / 2) {
            for server in 0..self.servers {
                let neighbour = if self.chance.below(REWIRED_IN) == 0 {
                    self.chance.below(self.servers)
                } else {
                    (server + distance) % self.servers
                };
                self.link(server, neighbour);
            }
        }
    }

    /// Adds random links until there are `wanted`, or as many as there can be.
    fn fill(&mut self, wanted: usize) {
        let most = self.servers * self.servers.saturating_sub(1) / 2;
        while self.links.len() < wanted.min(most) {
            let (one, other) = (self.chance.below(self.servers), self.chance.below(self.servers));
            self.link(one, other);
        }
    }
}

/// Chance from a seed: `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Chance(u64);

impl Chance {
    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_connected(servers: usize, links: &[(usize, usize)]) -> bool {
        let mut island: Vec<usize> = (0..servers).collect();
        for &(one, other) in links {
            let (from, to) = (island[one], island[other]);
            island.iter_mut().filter(|number| **number == from).for_each(|number| *number = to);
        }
        island.windows(2).all(|pair| pair[0] == pair[1])
    }

    #[test]
    fn the_families_have_the_links_that_they_are_known_for() {
        let count = |topology: Topology, servers| topology.links(servers, 4, 1).len();
        assert_eq!(count(Topology::Line, 10), 9);
        assert_eq!(count(Topology::Ring, 10), 10);
        assert_eq!(count(Topology::Star, 10), 9);
        assert_eq!(count(Topology::Tree, 10), 9);
        assert_eq!(count(Topology::Grid, 9), 12);
        assert_eq!(count(Topology::Random, 10), 20);
        assert_eq!(count(Topology::Full, 10), 45);
        assert_eq!(Topology::Grid.links(4, 0, 0), [(0, 1), (0, 2), (1, 3), (2, 3)]);
        let small_world = count(Topology::SmallWorld, 100);
        assert!((150..=200).contains(&small_world), "{small_world}");
    }

    proptest! {
        #[test]
        fn every_graph_is_connected_and_the_same_for_the_same_seed(servers in 1_usize..60, degree in 0_usize..9, seed in any::<u64>()) {
            for topology in Topology::ALL {
                let links = topology.links(servers, degree, seed);
                prop_assert!(is_connected(servers, &links), "{topology}");
                prop_assert!(links.iter().all(|&(one, other)| one < other && other < servers));
                prop_assert_eq!(&links, &topology.links(servers, degree, seed));
            }
        }
    }
}
