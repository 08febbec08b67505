//! What an update costs in herds of any shape and size: the formulas, the model that follows an update as events, and
//! the protocol's own nodes and links agree; and the page that is made of them says what they say.
//!
//! `cargo bench --bench topologies` writes the page.

#[path = "topologies/flood.rs"]
mod flood;
#[path = "topologies/page.rs"]
mod page;
#[path = "topologies/paper.rs"]
mod paper;
#[path = "topologies/real.rs"]
mod real;

use flood::{Cost, Graph};
use herdctl::config::topology::Topology;
use proptest::prelude::*;

const PAGE: &str = include_str!("../benches/topologies/README.md");

fn graph(topology: Topology, servers: usize, seed: u64) -> Graph {
    Graph::new(servers, &topology.links(servers, page::DEGREE, seed))
}

#[test]
fn the_model_is_the_protocol() {
    for topology in Topology::ALL {
        for servers in [1, 2, 5, 20, 61] {
            let graph = graph(topology, servers, 7);
            for cost in [(50_000, 0), (50_000, page::LINE), (1_000_000, page::LINE), (1000, 700)] {
                let cost = Cost { link: cost.0, line: cost.1 };
                for origin in [0, servers / 3, servers - 1] {
                    let (model, real) = (flood::flood(&graph, origin, cost), real::flood(&graph, origin, cost));
                    assert_eq!(model, real, "{topology} of {servers}, from {origin}, {cost:?}");
                }
            }
        }
    }
}

#[test]
fn the_model_is_what_paper_says() {
    for topology in Topology::ALL {
        for servers in [1, 2, 3, 5, 6, 7, 8, 9, 30, 100] {
            let graph = graph(topology, servers, 3);
            if let Some(links) = paper::links(topology, servers, page::DEGREE).filter(|_| servers > 4) {
                assert_eq!(graph.links, links, "{topology} of {servers}");
            }
            let reach = paper::reach(&graph);
            if let Some(diameter) = paper::diameter(topology, servers).filter(|_| servers > 2) {
                assert_eq!(reach.worst, diameter, "{topology} of {servers}");
            }
            let seen = flood::flood(&graph, reach.origin, Cost { link: 1_000_000, line: 0 });
            assert_eq!(seen.lines, paper::lines(servers, graph.links), "{topology} of {servers}");
            assert_eq!(seen.took(), reach.worst as u64 * 1_000_000, "{topology} of {servers}");
        }
    }
}

#[test]
fn the_page_says_what_is_computed() {
    let small: Vec<usize> = page::SIZES.into_iter().filter(|&servers| servers <= 100).collect();
    for row in page::table(&page::rows(&small)).lines() {
        assert!(PAGE.contains(row), "cargo bench --bench topologies would write another page, with\n{row}");
    }
    let (empty, header) = (page::page(&[]), page::table(&[]));
    let (before, after) = empty.split_once(&header).expect("where the table goes");
    assert!(PAGE.starts_with(before) && PAGE.ends_with(after), "cargo bench --bench topologies has to be run again");
}

proptest! {
    /// Whatever the herd, a flood takes as many lines as the formula says, however unequal the work.
    #[test]
    fn any_flood_takes_as_many_lines_as_the_formula_says(
        nth in 0..Topology::ALL.len(), servers in 1_usize..80, seed in any::<u64>(), link in 1_u64..1_000_000, line in 0_u64..100_000,
    ) {
        let graph = graph(Topology::ALL[nth], servers, seed);
        let seen = flood::flood(&graph, servers / 2, Cost { link, line });
        prop_assert_eq!(seen.lines, paper::lines(servers, graph.links));
    }
}
