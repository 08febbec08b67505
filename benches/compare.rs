//! One load on one server, for `compare.sh`: the same connections, depth and clients against a herd or a Redis, by the
//! same loop; against a cluster of NATS as many updates in flight. Prints updates a second; of a herd only those count
//! that all its servers know, of NATS those that a subscriber at each server has. What sockets alone would allow is
//! measured against a thread of this process that says back what it hears.
//!
//! ```text
//! cargo bench --bench compare -- herd DEPTH UPDATES 127.0.0.1:11003 127.0.0.1:11000 …
//! cargo bench --bench compare -- redis DEPTH UPDATES 127.0.0.1:6379
//! cargo bench --bench compare -- nats DEPTH UPDATES 127.0.0.1:4222 127.0.0.1:4223 …
//! cargo bench --bench compare -- echo DEPTH UPDATES
//! ```
//!
//! `CLIENTS=1000000` in the environment: so many clients move, and not a thousand.

mod echo;
mod load;
#[cfg(feature = "bus")]
mod nats;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use load::{Load, Speech};

/// Nothing that works takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [speech, depth, updates, addresses @ ..] = args.as_slice() else {
        return println!("nothing to compare with; see benches/compare.sh");
    };
    let updates: u64 = updates.parse().expect("a number");
    let clients = std::env::var("CLIENTS").map_or(1000, |clients| clients.parse().expect("a number of clients"));
    let to = || addresses.first().and_then(|to| to.parse().ok()).expect("an address");
    let others = addresses.get(1..).unwrap_or_default();
    // Every run is newer than the one before it.
    let clock = jiff::Timestamp::now().as_nanosecond().try_into().expect("a time after 1970");
    let load = |speech| Load { connections: 32, depth: depth.parse().expect("a depth"), clients, speech };
    let took = match speech.as_str() {
        "herd" => herd(load(Speech::Herd), updates, to(), others, clock),
        "redis" => warm(load(Speech::Redis), updates, to(), clock).0,
        "echo" => warm(load(Speech::Herd), updates, echo::start(), clock).0,
        #[cfg(feature = "bus")]
        "nats" => nats::run(load(Speech::Herd), updates, to(), others, clock),
        _ => panic!("neither herd nor redis, nor echo, nor nats with the feature `bus`"),
    };
    println!("{:.0}", updates as f64 / took.as_secs_f64());
}

/// Until all its servers know.
fn herd(load: Load, updates: u64, to: SocketAddr, others: &[String], clock: u64) -> Duration {
    let (took, clock) = warm(load, updates, to, clock);
    took + wait_until_known(to, others, clock)
}

/// After a tenth that does not count; returns the last time that was said, too.
fn warm(load: Load, updates: u64, to: SocketAddr, mut clock: u64) -> (Duration, u64) {
    load.run(to, updates / 10, &mut clock);
    (load.run(to, updates, &mut clock), clock)
}

/// Says one more update and asks the others for it: each server tells in the order in which it learnt, so who knows
/// the last knows all.
fn wait_until_known(to: SocketAddr, others: &[String], clock: u64) -> Duration {
    let start = Instant::now();
    let time = load::time(clock + 1);
    assert!(ask(to, &format!("IAMAT compare-end +34.068930-118.445127 {time}\n")).starts_with("AT "));
    for other in others {
        let other = other.parse().expect("an address");
        while !ask(other, "WHATSAT compare-end 1 0\n").trim_end().ends_with(&time) {
            assert!(start.elapsed() < PATIENCE, "{other} does not know the last update");
        }
    }
    start.elapsed()
}

/// The first line of the answer.
fn ask(to: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(to).expect("a server");
    stream.write_all(line.as_bytes()).expect("a server that listens");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("an answer");
    answer
}
