//! The page about topologies: what a herd of each shape and size costs, on paper and followed step by step.

use std::fmt::Write as _;

use herdctl::config::topology::Topology;

use super::flood::{Cost, Flood, Graph, Nanos, flood};
use super::paper;

/// Servers of the herds that are looked at.
pub const SIZES: [usize; 8] = [5, 10, 50, 100, 500, 1000, 5000, 10_000];
/// How long a link takes: loopback, a rack, a continent's worth, half the globe.
pub const DELAYS: [Nanos; 4] = [50_000, 1_000_000, 20_000_000, 100_000_000];
/// What a report that comes alone costs a server that says or hears it: a system call and little else.
pub const LINE: Nanos = 3_000;
/// Links a server, as `herdctl init` has them; and its seed.
pub const DEGREE: usize = 4;
pub const SEED: u64 = 1;
/// More links than this are not followed: each would be an event, and a herd of such a shape a mistake.
const LINKS_MAX: usize = 1_000_000;

/// A herd of one shape and size.
#[derive(Debug, Clone)]
pub struct Row {
    pub topology: Topology,
    pub servers: usize,
    links: usize,
    /// Reports for one update, all servers together.
    pub lines: u64,
    /// The most that one server says and hears; unknown, as all that follows, if it was not followed.
    busiest: u64,
    worst: usize,
    mean: f64,
    /// Until the last server knew, for each of [`DELAYS`].
    pub took: Option<[Nanos; 4]>,
}

impl Row {
    /// What paper says, and what is seen when an update is followed from the server that has the longest way.
    ///
    /// # Panics
    ///
    /// If the two do not agree.
    pub fn of(topology: Topology, servers: usize) -> Self {
        if let Some(links) = paper::links(topology, servers, DEGREE).filter(|&links| links > LINKS_MAX) {
            return Self::on_paper(topology, servers, links);
        }
        let graph = Graph::new(servers, &topology.links(servers, DEGREE, SEED));
        let reach = paper::reach(&graph);
        let lines = paper::lines(servers, graph.links);
        let floods = DELAYS.map(|link| flood(&graph, reach.origin, Cost { link, line: LINE }));
        assert!(floods.iter().all(|flood| flood.lines == lines), "{topology} of {servers}");
        Self {
            topology,
            servers,
            links: graph.links,
            lines,
            busiest: floods.iter().map(Flood::busiest).max().unwrap_or_default(),
            worst: reach.worst,
            mean: reach.mean,
            took: Some(floods.map(|flood| flood.took())),
        }
    }

    /// Of a full graph, the only one that has so many links.
    fn on_paper(topology: Topology, servers: usize, links: usize) -> Self {
        let worst = paper::diameter(topology, servers).expect("a full graph is one hop wide");
        let (lines, busiest) = (paper::lines(servers, links), 2 * (servers as u64 - 1) - 1);
        Self { topology, servers, links, lines, busiest, worst, mean: worst as f64, took: None }
    }

    fn text(&self) -> String {
        let Self { topology, servers, links, lines, busiest, worst, mean, took } = self;
        let each = *lines as f64 / *servers as f64;
        let mut text = format!(
            "| {topology} | {} | {} | {} | {} | {} | {} / {mean:.1} |",
            thousands(*servers as u64),
            thousands(*links as u64),
            thousands(*lines),
            if each < 99.95 {
                format!("{each:.1}")
            } else {
                thousands((lines + *servers as u64 / 2) / *servers as u64)
            },
            thousands(*busiest),
            thousands(*worst as u64),
        );
        for (nth, delay) in DELAYS.iter().enumerate() {
            let paper = ms(*worst as u64 * delay);
            let seen = took.map_or("–".to_owned(), |took| ms(took[nth]));
            let _ = write!(text, " {paper} / {seen} |");
        }
        text
    }
}

/// All rows of these sizes, shape by shape.
pub fn rows(sizes: &[usize]) -> Vec<Row> {
    Topology::ALL.iter().flat_map(|&topology| sizes.iter().map(move |&servers| Row::of(topology, servers))).collect()
}

/// The table of these rows.
pub fn table(rows: &[Row]) -> String {
    let mut text =
        "| topology | servers | links | lines an update | a server | busiest | hops, worst / mean |".to_owned();
    for delay in DELAYS {
        let _ = write!(text, " {} ms |", delay as f64 / 1e6);
    }
    text.push_str("\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for row in rows {
        text.push_str(&row.text());
        text.push('\n');
    }
    text
}

/// The whole page.
pub fn page(rows: &[Row]) -> String {
    include_str!("page.md").replace("{table}\n", &table(rows))
}

/// Milliseconds, to three digits.
fn ms(nanos: Nanos) -> String {
    let ms = nanos as f64 / 1e6;
    match ms {
        _ if ms >= 1000.0 => thousands((nanos + 500_000) / 1_000_000),
        _ if ms >= 99.95 => format!("{ms:.0}"),
        _ if ms >= 9.995 => format!("{ms:.1}"),
        _ => format!("{ms:.2}"),
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
