//! Writes the page about growth, and its plot: `cargo bench --bench growth`.
//!
//! What an update costs the servers' processor as there are more clients, and as there are more servers. Sizes are
//! measured in turns, so that whatever else the machine does falls on all alike; medians are compared, as ratios to the
//! smallest. The generator's own thread is not counted.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
mod plot;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use herdctl::config::topology::Topology;
use herdctl::config::{Shape, Traffic};
use load::{Load, Speech};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use plot::Panel;
use support::Herd;

const ROUNDS: usize = 5;
const CROWDS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const HERDS: [usize; 5] = [5, 20, 50, 100, 200];
/// Links that each server has, whatever the size of its herd.
const DEGREE: usize = 4;
/// Updates of a round: enough for a tenth of a second of the smallest herd.
const UPDATES: u64 = 200_000;
const UPDATES_OF_MANY: u64 = 20_000;

/// A herd and a load, and what each round cost.
struct Size {
    herd: Herd,
    load: Load,
    updates: u64,
    clock: u64,
    costs: Vec<f64>,
}

fn main() -> std::io::Result<()> {
    let crowds = measured(CROWDS.map(crowd).into());
    let herds = measured(HERDS.map(herd).into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/growth");
    let page = page(&crowds, &herds);
    print!("{page}");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("README.md"), page)?;
    fs::write(folder.join("plot.svg"), picture(&crowds, &herds))
}

/// Five servers that know so many clients, all of which move.
fn crowd(clients: usize) -> Size {
    let herd = Herd::five_with(|config| {
        config.log.traffic = Traffic::Off;
        config.limits.clients_max = config.limits.clients_max.max(clients as u64);
    });
    Size::new(herd, clients, UPDATES.max(clients as u64))
}

/// So many servers, and a thousand clients.
fn herd(servers: usize) -> Size {
    let shape = Shape { topology: Topology::SmallWorld, servers, degree: DEGREE, seed: 1 };
    Size::new(Herd::of(shape, |config| config.log.traffic = Traffic::Off), 1_000, UPDATES_OF_MANY)
}

/// The median cost of each, in nanoseconds an update and server, in turns.
fn measured(mut sizes: Vec<Size>) -> Vec<f64> {
    for _ in 0..ROUNDS {
        sizes.iter_mut().for_each(Size::measure);
    }
    sizes.into_iter().map(Size::median).collect()
}

impl Size {
    /// Every client is known before the first round.
    fn new(herd: Herd, clients: usize, updates: u64) -> Self {
        let load = Load { connections: 32, depth: 64, clients, speech: Speech::Herd };
        let mut size = Self { herd, load, updates, clock: 1_600_000_000_000_000_000, costs: Vec::new() };
        size.run(updates.max(clients as u64));
        size
    }

    fn measure(&mut self) {
        let before = servers_time();
        self.run(self.updates);
        let took = servers_time() - before;
        let servers = self.herd.config.servers.len() as f64;
        self.costs.push(took.as_nanos() as f64 / self.updates as f64 / servers);
    }

    /// Over when all servers know all.
    fn run(&mut self, updates: u64) {
        let first = &self.herd.names()[0];
        self.load.run(self.herd.address(first), updates, &mut self.clock);
        self.herd.wait_converged(self.load.clients as u64);
    }

    fn median(mut self) -> f64 {
        self.costs.sort_unstable_by(f64::total_cmp);
        self.costs[self.costs.len() / 2]
    }
}

/// What this process has taken of the processor, without this thread, which generates the load.
fn servers_time() -> Duration {
    let taken = |who| {
        let usage = getrusage(who).expect("the system knows what it gave");
        Duration::from_micros((usage.user_time() + usage.system_time()).num_microseconds().unsigned_abs())
    };
    taken(UsageWho::RUSAGE_SELF).saturating_sub(taken(UsageWho::RUSAGE_THREAD))
}

fn page(crowds: &[f64], herds: &[f64]) -> String {
    format!(
        "# What an update costs as the herd grows\n\n\
         Made by `cargo bench --bench growth`. The processor time of an update in one server, all its threads and the\n\
         kernel's work on its sockets included, and the ratio to the first row. Figures of one run can be compared with\n\
         each other, not with those of another machine or day.\n\n\
         ![the same as a plot](plot.svg)\n\n\
         Five servers, the default links, all clients move:\n\n{}\n\
         A thousand clients, every server with {DEGREE} links (`small-world`), so that each reads about three lines an update\n\
         whatever the size of the herd:\n\n{}",
        table("clients", &CROWDS, crowds),
        table("servers", &HERDS, herds),
    )
}

fn table(what: &str, sizes: &[usize], costs: &[f64]) -> String {
    let rows = sizes
        .iter()
        .zip(costs)
        .map(|(&size, cost)| format!("| {} | {cost:.0} ns | {:.2} |\n", plot::count(size as f64), cost / costs[0]));
    format!("| {what} | an update and server | ratio |\n|---:|---:|---:|\n{}", rows.collect::<String>())
}

fn picture(crowds: &[f64], herds: &[f64]) -> String {
    let panel = |title, what, marks, sizes: &[usize], costs: &[f64]| Panel {
        title,
        label: |ns| format!("{} µs", ns / 1e3),
        decades: (2, 5),
        across: (what, marks),
        lines: vec![sizes.iter().map(|&size| size as f64).zip(costs.iter().copied()).collect()],
    };
    let panels = [
        panel("an update and server, more clients", "clients", &[1e3, 1e4, 1e5, 1e6], &CROWDS, crowds),
        panel("an update and server, more servers", "servers", &[5.0, 20.0, 50.0, 100.0, 200.0], &HERDS, herds),
    ];
    plot::plot("What an update costs as the herd grows", &panels, &["processor time".to_owned()])
}
