//! What TLS costs: the same five servers with plain links and with links inside TLS, by turns, so that a machine that is
//! busy is busy for both. Updates a second that all five know, the processor's time an update, and how soon a server that
//! knows nothing has caught up.
//!
//! The generator takes one core, and its time is in that of an update. Medians of the turns; figures of one run can be
//! compared with each other, not with those of another machine or day.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use herdctl::config::{Config, Traffic};
use load::{Load, Speech};
use nix::sys::resource::{UsageWho, getrusage};
use support::certificates::Authority;
use support::{Herd, wait_until};

const TURNS: usize = 9;
const DEPTHS: [usize; 3] = [1, 16, 256];
/// Those of whom a server that comes back is told.
const CLIENTS: usize = 200_000;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return println!("cargo bench --bench tls");
    }
    let authority = Authority::new();
    let calm = |config: &mut Config| config.log.traffic = Traffic::Off;
    let mut plain = Herd::five_with(calm);
    let mut inside = Herd::five_with(|config| {
        calm(config);
        authority.certify(config);
    });
    println!("{:<34}{:>12}{:>12}{:>9}", "five servers, no traffic log", "plain", "in TLS", "");
    let mut clock = 1_600_000_000_000_000_000;
    for depth in DEPTHS {
        let mut turns = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
        for _ in 0..TURNS {
            for (turns, herd) in turns.iter_mut().zip([&plain, &inside]) {
                let (a_second, cpu_us) = updates(herd, depth, &mut clock);
                turns[0].push(a_second);
                turns[1].push(cpu_us);
            }
        }
        let [plain, inside] = turns;
        show(&format!("updates a second, depth {depth}"), &plain[0], &inside[0]);
        show(&format!("CPU time an update, µs, depth {depth}"), &plain[1], &inside[1]);
    }
    for herd in [&plain, &inside] {
        let load = Load { connections: 32, depth: 256, clients: CLIENTS, speech: Speech::Herd };
        load.run(herd.address("Clark"), 2 * CLIENTS as u64, &mut clock);
        level(herd);
    }
    let mut turns = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (turns, herd) in turns.iter_mut().zip([&mut plain, &mut inside]) {
            herd.kill("Jaquez");
            let start = Instant::now();
            herd.start("Jaquez");
            level(herd);
            turns.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let clients = inside.vitals("Clark").knows.load(Relaxed);
    show(&format!("catching up {clients} clients, ms"), &turns[0], &turns[1]);
}

/// Updates a second that all know, and the processor's time for one, in microseconds.
fn updates(herd: &Herd, depth: usize, clock: &mut u64) -> (f64, f64) {
    let updates = 20_000 * (1 + depth as u64 / 8).min(8);
    let load = Load { connections: 32, depth, clients: 1000, speech: Speech::Herd };
    let (start, cpu) = (Instant::now(), cpu_time());
    load.run(herd.address("Clark"), updates, clock);
    level(herd);
    let (took, cpu) = (start.elapsed(), cpu_time() - cpu);
    (updates as f64 / took.as_secs_f64(), cpu.as_secs_f64() * 1e6 / updates as f64)
}

/// Waits until all servers know what Clark knows.
fn level(herd: &Herd) {
    wait_until("all to know the same", || {
        let digest = herd.vitals("Clark").digest.load(Relaxed);
        herd.running().all(|vitals| vitals.digest.load(Relaxed) == digest)
    });
}

fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system counts");
    let time = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).expect("it goes on"))
}

fn show(what: &str, plain: &[f64], inside: &[f64]) {
    let (plain, inside) = (median(plain), median(inside));
    let digits = usize::from(plain < 100.0);
    println!("{what:<34}{plain:>12.digits$}{inside:>12.digits$}{:>+8.1}%", (inside / plain - 1.0) * 100.0);
}

fn median(turns: &[f64]) -> f64 {
    let mut turns = turns.to_vec();
    turns.sort_by(f64::total_cmp);
    turns[turns.len() / 2]
}
