//! How much a server holds, and how fast it is whole again: bytes a client, bytes an idle connection, and the catch-up
//! of a server that lost everything.
//!
//! ```text
//! cargo bench --bench capacity
//! ```

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use herdctl::config::{Config, Traffic};
use herdctl::server::vitals::Vitals;
use load::{Load, Speech};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::Herd;

const CROWDS: [u64; 2] = [100_000, 1_000_000];
const IDLE: usize = 10_000;
/// Both ends of a connection are here, and some descriptors are others'.
const DESCRIPTORS: u64 = 2 * IDLE as u64 + 500;
const CLOCK: u64 = 1_600_000_000_000_000_000;

fn main() {
    idle_connections();
    CROWDS.into_iter().for_each(memory);
    CROWDS.into_iter().for_each(catch_up);
}

/// Connections that have spoken once and are silent since.
fn idle_connections() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let many = if hard < DESCRIPTORS { (hard as usize).saturating_sub(500) / 2 } else { IDLE };
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(DESCRIPTORS), hard).expect("the soft limit may rise to the hard one");
    let herd = Herd::one(|config| config.limits.connections_max = many + 10);
    // So that the client is known, and the server has what it needs for any.
    herd.client("Clark").ask("IAMAT kiwi +34.068930-118.445127 1");
    let before = memory_in_use();
    let idle: Vec<TcpStream> = (0..many).map(|_| spoken(herd.address("Clark"))).collect();
    let each = memory_in_use().saturating_sub(before) / many as u64;
    println!("{many} idle connections: {each} bytes each");
    let start = Instant::now();
    herd.client("Clark").ask("IAMAT kiwi +34.068930-118.445127 1");
    println!("    beside them another connects and is answered in {:?}", start.elapsed());
    drop(idle);
}

/// A connection that has said where somebody is; the bench keeps nothing of it but the socket.
fn spoken(to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("a server that listens");
    stream.write_all(b"IAMAT kiwi +34.068930-118.445127 1\n").expect("a server that hears");
    let mut answer = [0; 100];
    while !answer.contains(&b'\n') {
        assert!(stream.read(&mut answer).expect("an answer") > 0, "the server hung up");
    }
    stream
}

/// A server and its whole process, with this many clients in the atlas; without what the first thousand took, for then
/// the load has its own buffers.
fn memory(clients: u64) {
    const FIRST: u64 = 1000;
    let herd = Herd::one(|config| adjust(config, clients));
    fill(&herd, "Clark", FIRST);
    let before = memory_in_use();
    fill(&herd, "Clark", clients);
    let each = memory_in_use().saturating_sub(before) as f64 / (clients - FIRST) as f64;
    println!("{clients} clients with names of 16 bytes: {each:.0} bytes each in a server, buffers included");
}

/// From the start of a server that knows nothing to when it knows everything.
fn catch_up(clients: u64) {
    let mut herd = Herd::two(|config| adjust(config, clients));
    fill(&herd, "Clark", clients);
    herd.kill("Bona");
    let start = Instant::now();
    herd.start("Bona");
    wait(herd.vitals("Bona"), clients);
    println!("{clients} clients caught up in {:?}", start.elapsed());
}

fn adjust(config: &mut Config, clients: u64) {
    config.log.traffic = Traffic::Off;
    config.limits.clients_max = config.limits.clients_max.max(clients);
}

fn fill(herd: &Herd, name: &str, clients: u64) {
    let load = Load { connections: 32, depth: 64, clients: clients as usize, speech: Speech::Herd };
    let mut clock = CLOCK;
    while herd.vitals(name).knows.load(Relaxed) < clients {
        load.run(herd.address(name), clients, &mut clock);
    }
    herd.wait_converged(clients);
}

fn wait(vitals: &Vitals, clients: u64) {
    while vitals.knows.load(Relaxed) < clients {
        if vitals.knows.load(Relaxed) == 0 { sleep(Duration::from_micros(50)) } else { yield_now() }
    }
}

/// What this process has in memory, in bytes.
fn memory_in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of what is resident");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
