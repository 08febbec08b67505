//! A commented herd.toml for any number of servers: the default one, with other servers and links.

use std::fmt::Write;

use super::TEMPLATE;
use super::topology::Topology;

/// The graph of a herd to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub topology: Topology,
    /// At least 1.
    pub servers: usize,
    /// See [`Topology::links`].
    pub degree: usize,
    pub seed: u64,
}

/// The first port of a herd that is written here; as in the default herd.toml.
const FIRST_PORT: usize = 11_000;

impl Shape {
    /// The text of a herd.toml with this graph. Servers are called `S1`, `S2`, …
    #[must_use]
    pub fn herd_toml(&self) -> String {
        let names: Vec<String> = (1..=self.servers).map(|number| format!("S{number}")).collect();
        let mut servers = String::from("servers = [\n");
        for (number, name) in names.iter().enumerate() {
            let _ = writeln!(servers, "    {{ name = \"{name}\", address = \"127.0.0.1:{}\" }},", FIRST_PORT + number);
        }
        let mut links = String::from("links = [\n");
        for (one, other) in self.topology.links(self.servers, self.degree, self.seed) {
            let _ = writeln!(links, "    [\"{}\", \"{}\"],", names[one], names[other]);
        }
        let text = with_list(TEMPLATE, "servers = [\n", &servers);
        let text = with_list(&text, "links = [\n", &links);
        let first = format!("# A herd of {} location servers on this machine: {}.", self.servers, self.description());
        text.replacen("# A herd of five location servers on this machine.", &first, 1)
    }

    fn description(&self) -> String {
        let Self { topology, degree, seed, .. } = self;
        match topology {
            Topology::Tree => format!("a tree of degree {degree}"),
            Topology::Random | Topology::SmallWorld => format!("a {topology} graph of degree {degree}, seed {seed}"),
            _ => format!("a {topology}"),
        }
    }
}

/// The text with the list that begins with `opening` replaced by `list`, up to its closing bracket.
fn with_list(text: &str, opening: &str, list: &str) -> String {
    let start = text.find(opening).expect("the template has this list");
    let end = start + text[start..].find("\n]\n").expect("the template closes it") + 1;
    [&text[..start], list, &text[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_written_is_proven_without_a_warning_and_has_the_graph() {
        for topology in Topology::ALL {
            for servers in [1, 2, 7, 100] {
                let shape = Shape { topology, servers, degree: 4, seed: 7 };
                let (herd, warnings) = parse(&shape.herd_toml(), Path::new("/herd.toml")).unwrap();
                assert!(warnings.is_empty(), "{topology} of {servers}: {warnings}");
                let links: Vec<_> = herd.links.iter().map(|link| (link.dialer, link.listener)).collect();
                assert_eq!(links, topology.links(servers, 4, 7));
                assert_eq!(herd.servers.len(), servers);
            }
        }
    }
}
