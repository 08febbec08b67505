//! Writes the page about topologies, and its plot: `cargo bench --bench topologies`.
//!
//! What an update costs in herds of eight shapes and up to ten thousand servers: on paper, and followed step by step.
//! Nothing here looks at a clock, so everybody gets the same page. Up to a thousand servers the protocol's own nodes and
//! links are asked, too, and must agree.

#[path = "../tests/topologies/flood.rs"]
mod flood;
#[path = "../tests/topologies/page.rs"]
mod page;
#[path = "../tests/topologies/paper.rs"]
mod paper;
#[path = "topologies/plot.rs"]
mod plot;
#[path = "../tests/topologies/real.rs"]
mod real;

use std::fs;
use std::path::Path;

use flood::{Cost, Graph};
use herdctl::config::topology::Topology;
use page::{DEGREE, DELAYS, LINE, SEED, SIZES};

/// The largest herd that is made of real nodes, and of how many links.
const REAL_SERVERS_MAX: usize = 1000;
const REAL_LINKS_MAX: usize = 20_000;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/topologies");
    let rows = page::rows(&SIZES);
    fs::write(folder.join("README.md"), page::page(&rows))?;
    fs::write(folder.join("plot.svg"), plot::plot(&rows))?;
    println!("wrote benches/topologies/README.md and plot.svg: {} herds", rows.len());
    let checked = SIZES.into_iter().filter(|&servers| servers <= REAL_SERVERS_MAX).map(check).sum::<usize>();
    println!("{checked} floods through the protocol's own nodes and links took the same lines and times");
    Ok(())
}

/// Holds the model against the protocol in all herds of this size; says how many floods that were.
fn check(servers: usize) -> usize {
    let mut checked = 0;
    for topology in Topology::ALL {
        let graph = Graph::new(servers, &topology.links(servers, DEGREE, SEED));
        if graph.links > REAL_LINKS_MAX {
            continue;
        }
        for link in DELAYS {
            let cost = Cost { link, line: LINE };
            assert_eq!(flood::flood(&graph, 0, cost), real::flood(&graph, 0, cost), "{topology} of {servers}");
            checked += 1;
        }
    }
    checked
}
