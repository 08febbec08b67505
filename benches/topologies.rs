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
mod plot;
#[path = "../tests/topologies/real.rs"]
mod real;

use std::fs;
use std::path::Path;

use flood::{Cost, Graph};
use herdctl::config::topology::Topology;
use page::{DEGREE, DELAYS, LINE, Row, SEED, SIZES};
use plot::Panel;

/// The largest herd that is made of real nodes, and of how many links.
const REAL_SERVERS_MAX: usize = 1000;
const REAL_LINKS_MAX: usize = 20_000;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/topologies");
    let rows = page::rows(&SIZES);
    fs::write(folder.join("README.md"), page::page(&rows))?;
    fs::write(folder.join("plot.svg"), picture(&rows))?;
    println!("wrote benches/topologies/README.md and plot.svg: {} herds", rows.len());
    let checked = SIZES.into_iter().filter(|&servers| servers <= REAL_SERVERS_MAX).map(check).sum::<usize>();
    println!("{checked} floods through the protocol's own nodes and links took the same lines and times");
    Ok(())
}

fn picture(rows: &[Row]) -> String {
    let panel = |title, label, decades, value: &dyn Fn(&Row) -> Option<f64>| Panel {
        title,
        label,
        decades,
        across: ("servers", &[5.0, 10.0, 100.0, 1000.0, 10_000.0]),
        lines: lines(rows, value),
    };
    let panels = [
        panel("lines an update", plot::count, (0, 8), &|row| Some(row.lines as f64)),
        panel("until the last knows, links of 0.05 ms", time, (-2, 4), &|row| took(row, 0)),
        panel("until the last knows, links of 20 ms", time, (1, 6), &|row| took(row, 2)),
    ];
    let title = "What an update costs in herds of eight shapes, from 5 to 10,000 servers";
    plot::plot(title, &panels, &Topology::ALL.map(|topology| topology.to_string()))
}

/// One for each shape of herd.
fn lines(rows: &[Row], value: &dyn Fn(&Row) -> Option<f64>) -> Vec<Vec<(f64, f64)>> {
    let of = |topology| rows.iter().filter(move |row| row.topology == topology);
    let point = |row: &Row| Some((row.servers as f64, value(row)?));
    Topology::ALL.into_iter().map(|topology| of(topology).filter_map(point).collect()).collect()
}

/// Milliseconds, with links of that delay.
fn took(row: &Row, nth: usize) -> Option<f64> {
    debug_assert!(nth < DELAYS.len());
    row.took.map(|took| took[nth] as f64 / 1e6)
}

/// Of milliseconds.
fn time(value: f64) -> String {
    if value >= 1e3 { format!("{} s", value / 1e3) } else { format!("{value} ms") }
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
