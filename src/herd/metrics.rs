//! The herd in Prometheus' text format (version 0.0.4): <https://prometheus.io/docs/instrumenting/exposition_formats/>
//!
//! Read from the servers' vitals when somebody asks. Counters of a server start anew with each of its lives, as those
//! of a process would; names and units follow Prometheus' conventions.

use std::fmt::{Display, Write as _};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::Herd;
use super::api::State;
use super::child::Child;
use super::status::bridges;
use crate::config::Config;
use crate::server::clock;
use crate::server::counts::{BUCKETS_US, Counts, Histogram, LOOKUP_STATUSES};
use crate::server::vitals::{Bus, BusState, Neighbour, Vitals};

/// What the text is served as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of the herd.
pub fn page(herd: &Herd) -> String {
    let mut page = Page::default();
    let servers = Servers { config: &herd.config, children: &herd.children };
    page.family("herd_info", "gauge", "Which herd this is; always 1.");
    let info = [("herd", herd.config.herd.as_str()), ("version", env!("CARGO_PKG_VERSION"))];
    page.sample("herd_info", &info, 1);
    page.family("herd_start_time_seconds", "gauge", "When the herd came up, in seconds since the epoch.");
    page.sample("herd_start_time_seconds", &[], micros(herd.since.as_microsecond().unsigned_abs()));
    servers.states(&mut page);
    servers.knowledge(&mut page);
    servers.traffic(&mut page);
    servers.links(&mut page);
    servers.bus(&mut page);
    servers.logs(&mut page);
    page.text
}

struct Servers<'a> {
    config: &'a Config,
    children: &'a [Child],
}

impl<'a> Servers<'a> {
    fn states(&self, page: &mut Page) {
        page.family("herd_server_up", "gauge", "Whether the server runs: 1, or 0 while it is paused or down.");
        for child in self.here() {
            page.sample("herd_server_up", &of(child), u8::from(child.state() == State::Running));
        }
        page.family("herd_server_state", "gauge", "The state that the server is in; always 1.");
        for child in self.here() {
            let state = child.state().to_string();
            page.sample("herd_server_state", &[("server", child.name()), ("state", &state)], 1);
        }
        page.family("herd_server_restarts_total", "counter", "How often the server was started again.");
        for child in self.here() {
            page.sample("herd_server_restarts_total", &of(child), child.restarts());
        }
    }

    /// Those that this process runs.
    fn here(&self) -> impl Iterator<Item = &'a Child> + use<'a> {
        self.children.iter().filter(|child| !child.is_elsewhere())
    }

    fn knowledge(&self, page: &mut Page) {
        self.each(page, "herd_atlas_clients", "gauge", "Clients whose location the server knows.", |vitals| {
            &vitals.knows
        });
        self.each(page, "herd_atlas_edition", "gauge", "How often the server's atlas has changed.", |vitals| {
            &vitals.edition
        });
        let name = "herd_reports_accepted_total";
        page.family(name, "counter", "Reports that were news to the server, by who said them.");
        for (child, vitals) in self.alive() {
            let counts = &vitals.counts;
            for (from, counter) in
                [("client", &counts.accepted_from_clients), ("neighbour", &counts.accepted_from_neighbours)]
            {
                page.sample(name, &[("server", child.name()), ("from", from)], counter.load(Relaxed));
            }
        }
        self.count(page, "herd_reports_known_total", "Reports of neighbours that were known already.", |counts| {
            &counts.known
        });
        self.count(page, "herd_reports_stale_total", "Reports older than what was known.", |counts| &counts.stale);
        self.histogram(
            page,
            "herd_convergence_seconds",
            "From when a report was accepted anywhere until this server knew it; the last of each burst is measured.",
            |counts| &counts.convergence,
        );
    }

    fn traffic(&self, page: &mut Page) {
        page.family("herd_clients_connected", "gauge", "Clients connected to the server.");
        for (child, vitals) in self.alive() {
            page.sample("herd_clients_connected", &of(child), vitals.clients.load(Relaxed));
        }
        self.count(page, "herd_connections_accepted_total", "Connections let in, those of neighbours too.", |counts| {
            &counts.connections
        });
        page.family("herd_answers_total", "counter", "Answers to clients, by what was answered.");
        for (child, vitals) in self.alive() {
            let counts = &vitals.counts;
            for (kind, counter) in [
                ("report", &counts.answers_report),
                ("places", &counts.answers_places),
                ("refusal", &counts.answers_refusal),
            ] {
                let labels = [("server", child.name()), ("kind", kind)];
                page.sample("herd_answers_total", &labels, counter.load(Relaxed));
            }
        }
        let help = "Answers written before a neighbour had confirmed the report.";
        self.each(page, "herd_answers_unconfirmed_total", "counter", help, |vitals| &vitals.unconfirmed);
        page.family("herd_lookups_total", "counter", "Lookups of places, by Google's word for how they went.");
        for (child, vitals) in self.alive() {
            let words = LOOKUP_STATUSES.iter().copied().chain(["other"]);
            for (status, counter) in words.zip(&vitals.counts.lookups) {
                let labels = [("server", child.name()), ("status", status)];
                page.sample("herd_lookups_total", &labels, counter.load(Relaxed));
            }
        }
        self.histogram(
            page,
            "herd_answer_seconds",
            "From when a command had been read until its answer could be written.",
            |counts| &counts.answer,
        );
    }

    fn links(&self, page: &mut Page) {
        page.family("herd_link_up", "gauge", "Whether the server calls its link to the peer live.");
        for (child, peer, link) in self.link_ends() {
            page.sample("herd_link_up", &between(child, peer), u8::from(link.live.load(Relaxed)));
        }
        let name = "herd_link_lag_editions";
        page.family(name, "gauge", "Editions of the server's atlas that the peer has not confirmed.");
        for (child, peer, link) in self.link_ends() {
            let edition = child.vitals().map_or(0, |vitals| vitals.edition.load(Relaxed));
            page.sample(name, &between(child, peer), edition.saturating_sub(link.heard.load(Relaxed)));
        }
        let name = "herd_link_lag_seconds";
        page.family(name, "gauge", "For how long the peer has not confirmed what the server knew then.");
        let now = clock::now();
        for (child, peer, link) in self.link_ends() {
            page.sample(name, &between(child, peer), link.lag(now).as_secs_f64());
        }
    }

    fn bus(&self, page: &mut Page) {
        let name = "herd_bus_up";
        page.family(name, "gauge", "Whether the bridge has joined the bus and read what it holds.");
        for (child, vitals) in self.bridges() {
            page.sample(name, &of(child), u8::from(vitals.bus.state() == BusState::Joined));
        }
        let name = "herd_bus_lag_editions";
        page.family(name, "gauge", "Editions of the bridge's atlas that the bus has not confirmed.");
        for (child, vitals) in self.bridges() {
            let told = vitals.bus.told.load(Relaxed);
            page.sample(name, &of(child), vitals.edition.load(Relaxed).saturating_sub(told));
        }
        for (name, help, counter) in [
            ("herd_bus_reports_learned_total", "Reports that the bus said and that were news.", |bus| &bus.learned),
            ("herd_bus_entries_refused_total", "What the bus holds that is no report.", |bus| &bus.refused),
            ("herd_bus_reports_too_long_total", "Reports that are longer than the bus takes.", |bus| &bus.too_long),
        ] as [(&str, &str, fn(&Bus) -> &AtomicU64); 3]
        {
            page.family(name, "counter", help);
            for (child, vitals) in self.bridges() {
                page.sample(name, &of(child), counter(&vitals.bus).load(Relaxed));
            }
        }
    }

    fn bridges(&self) -> impl Iterator<Item = (&'a Child, &'a Vitals)> {
        let config = self.config;
        let alive = self.children.iter().enumerate().filter(move |&(index, _)| bridges(config, index));
        alive.filter_map(|(_, child)| Some((child, child.vitals()?)))
    }

    fn logs(&self, page: &mut Page) {
        let help = "Lines of clients and neighbours handed to the log.";
        self.count(page, "herd_log_records_total", help, |counts| &counts.log_records);
        let help = "Log records that could not be written.";
        self.each(page, "herd_log_records_lost_total", "counter", help, |vitals| &vitals.log_lost);
    }

    fn alive(&self) -> impl Iterator<Item = (&'a Child, &'a Vitals)> {
        self.children.iter().filter_map(|child| Some((child, child.vitals()?)))
    }

    fn link_ends(&self) -> impl Iterator<Item = (&'a Child, &'a str, &'a Neighbour)> {
        let config = self.config;
        self.alive().flat_map(move |(child, vitals)| {
            vitals.neighbours.iter().map(move |link| (child, config.servers[link.server].name.as_str(), link))
        })
    }

    fn each(&self, page: &mut Page, name: &str, kind: &str, help: &str, level: fn(&Vitals) -> &AtomicU64) {
        page.family(name, kind, help);
        for (child, vitals) in self.alive() {
            page.sample(name, &of(child), level(vitals).load(Relaxed));
        }
    }

    fn count(&self, page: &mut Page, name: &str, help: &str, counter: fn(&Counts) -> &AtomicU64) {
        page.family(name, "counter", help);
        for (child, vitals) in self.alive() {
            page.sample(name, &of(child), counter(&vitals.counts).load(Relaxed));
        }
    }

    fn histogram(&self, page: &mut Page, name: &str, help: &str, histogram: fn(&Counts) -> &Histogram) {
        page.family(name, "histogram", help);
        for (child, vitals) in self.alive() {
            let (buckets, sum_us) = histogram(&vitals.counts).read();
            let ends = BUCKETS_US.iter().map(|&us| micros(us).to_string()).chain(["+Inf".to_owned()]);
            let mut so_far = 0;
            for (end, bucket) in ends.zip(buckets) {
                so_far += bucket;
                page.sample(&format!("{name}_bucket"), &[("server", child.name()), ("le", &end)], so_far);
            }
            page.sample(&format!("{name}_sum"), &of(child), micros(sum_us));
            page.sample(&format!("{name}_count"), &of(child), so_far);
        }
    }
}

fn of(child: &Child) -> [(&str, &str); 1] {
    [("server", child.name())]
}

fn between<'a>(child: &'a Child, peer: &'a str) -> [(&'a str, &'a str); 2] {
    [("server", child.name()), ("peer", peer)]
}

/// Microseconds as seconds.
fn micros(us: u64) -> f64 {
    us as f64 / 1e6
}

/// The text as it grows.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.text, "{name} {value}"),
            false => writeln!(self.text, "{name}{{{}}} {value}", labels.join(",")),
        };
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_escaped_as_the_format_says() {
        let mut page = Page::default();
        page.sample("a_total", &[("b", "c\"d\\e\nf"), ("g", "h")], 7);
        page.sample("i", &[], micros(1_500_000));
        assert_eq!(page.text, "a_total{b=\"c\\\"d\\\\e\\nf\",g=\"h\"} 7\ni 1.5\n");
    }
}
