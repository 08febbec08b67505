//! One load on one server, for `compare.sh`: the same connections, depth and clients against a herd or a Redis, by the
//! same loop. Prints updates a second; of a herd only those count that all its servers know.
//!
//! ```text
//! cargo bench --bench compare -- herd DEPTH UPDATES 127.0.0.1:11003 127.0.0.1:11000 …
//! cargo bench --bench compare -- redis DEPTH UPDATES 127.0.0.1:6379
//! ```

mod load;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use load::{Load, Speech};

/// Nothing that works takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [speech, depth, updates, to, others @ ..] = args.as_slice() else {
        return println!("nothing to compare with; see benches/compare.sh");
    };
    let speech = if speech == "redis" { Speech::Redis } else { Speech::Herd };
    let load = Load { connections: 32, depth: depth.parse().expect("a depth"), clients: 1000, speech };
    let (updates, to): (u64, SocketAddr) = (updates.parse().expect("a number"), to.parse().expect("an address"));
    // Every run is newer than the one before it.
    let mut clock = jiff::Timestamp::now().as_nanosecond().try_into().expect("a time after 1970");
    load.run(to, updates / 10, &mut clock);
    let mut took = load.run(to, updates, &mut clock);
    if speech == Speech::Herd {
        took += wait_until_known(to, others, clock);
    }
    println!("{:.0}", updates as f64 / took.as_secs_f64());
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
