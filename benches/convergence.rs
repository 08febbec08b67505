//! How soon an update that is said at one server is known at the last: of five, with nothing else to do and beside a
//! steady load on other connections; of a hundred. And how soon all five know all after as much load as there can be.
//! What five take stands beside what it should be, in round trips of an echo over loopback, which are measured in turns
//! with it: those hardly depend on the machine.
//!
//! `cargo bench --bench convergence -- [five|stop|hundred]`: all parts take half a minute.
//!
//! Each update is of a client that nobody has heard of: how many clients a server knows then says whether it knows this
//! one, whatever else it learns, and nobody has to be asked.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, sleep, yield_now};
use std::time::{Duration, Instant};

use herdctl::config::topology::Topology;
use herdctl::config::{Shape, Traffic};
use load::{Load, Speech};
use support::{Client, Herd};

/// Each thing is done so often in a turn, and there are so many turns.
const TIMES: usize = 500;
const TURNS: usize = 5;
/// Updates a second of the steady load, and the connections and the clients that they are spread over.
const RATE: u64 = 20_000;
const CONNECTIONS: usize = 32;
const CLIENTS: u64 = 1000;
/// As much as there can be.
const FULL: Load = Load { connections: CONNECTIONS, depth: 256, clients: CLIENTS as usize, speech: Speech::Herd };
/// Lines on each connection and their answers, so often.
const ROUNDS: u32 = 64;
const CLOCK: u64 = 1_600_000_000_000_000_000;
/// Where others need the processor, whoever looks all the time is in their way. With what Linux adds to every sleep an
/// end is seen up to a tenth of a millisecond late, and that is counted.
const LOOK_EVERY: Duration = Duration::from_micros(20);

const PARTS: [(&str, fn()); 3] = [("five", five), ("stop", stop), ("hundred", hundred)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let only = args.iter().find(|arg| PARTS.iter().any(|(name, _)| name == arg));
    for (_, part) in PARTS.into_iter().filter(|(name, _)| only.is_none_or(|only| only == name)) {
        part();
    }
}

/// The steady load is said at the same server as the updates that are measured.
fn five() {
    let herd = Herd::five();
    let (mut echo, mut updates) = (Echo::start(), Updates::at(&herd, "Clark"));
    let [mut idle_echo, mut idle, mut loaded_echo, mut loaded] = [const { Vec::new() }; 4];
    let mut rates = Vec::new();
    for _ in 0..TURNS {
        idle_echo.extend(echo.times());
        idle.extend(updates.times(yield_now));
        rates.push(while_paced(herd.address("Clark"), || {
            loaded_echo.extend(echo.times());
            loaded.extend(updates.times(|| sleep(LOOK_EVERY)));
        }));
    }
    let trip = at(&mut idle_echo, 50);
    println!("an echo over loopback: median {trip:.1?}, p99 {:.1?}", at(&mut idle_echo, 99));
    say("known at the last of five, idle", &mut idle, trip, [8.0, 16.0]);
    let rate = rates.iter().sum::<f64>() / TURNS as f64;
    say(&format!("known at the last of five, beside {rate:.0} updates a second"), &mut loaded, trip, [15.0, 40.0]);
    println!(
        "       an echo beside them: median {:.1?}, p99 {:.1?}",
        at(&mut loaded_echo, 50),
        at(&mut loaded_echo, 99)
    );
}

/// Median and 99th percentile, in round trips too, and what they should be at most.
fn say(what: &str, times: &mut [Duration], trip: Duration, goals: [f64; 2]) {
    let times = [at(times, 50), at(times, 99)];
    let trips = times.map(|time| time.as_secs_f64() / trip.as_secs_f64());
    let figure =
        format!("median {:.1?}, p99 {:.1?}: {:.1} and {:.1} round trips", times[0], times[1], trips[0], trips[1]);
    judge(what, figure, &format!("{} and {}", goals[0], goals[1]), trips[0] <= goals[0] && trips[1] <= goals[1]);
}

fn judge(what: &str, figure: impl Display, goal: &str, is_met: bool) {
    println!("{:6} {what}: {figure} (goal: {goal})", if is_met { "ok" } else { "MISSED" });
}

/// From when a load that takes all that the machine has says its last lines to when all five know the same.
fn stop() {
    const GOAL: Duration = Duration::from_millis(100);
    let (herd, mut clock) = (Herd::five(), CLOCK);
    let mut took = Vec::new();
    for _ in 0..TURNS {
        let start = Instant::now();
        let updates = u64::from(ROUNDS) * (FULL.connections * FULL.depth) as u64;
        let load = FULL.run(herd.address("Clark"), updates, &mut clock);
        herd.wait_converged(CLIENTS);
        // The load ends with its last answer; its last lines were said a round before. Connecting is counted, too.
        took.push(start.elapsed() - load + load / ROUNDS);
    }
    let (half, last) = (at(&mut took, 50), at(&mut took, 100));
    let figure = format!("{last:.1?} at the latest of {TURNS}, {half:.1?} for half of them");
    judge("all know all after full load has stopped", figure, "100 ms", last <= GOAL);
}

fn hundred() {
    for topology in [Topology::Tree, Topology::SmallWorld, Topology::Random] {
        let shape = Shape { topology, servers: 100, degree: 4, seed: 1 };
        for (logged, traffic) in [("all logged", Traffic::All), ("no traffic log", Traffic::Off)] {
            let herd = Herd::of(shape, |config| config.log.traffic = traffic);
            let mut times = Updates::at(&herd, &herd.names()[2]).times(|| sleep(LOOK_EVERY));
            let (half, most) = (at(&mut times, 50), at(&mut times, 99));
            println!("known at the last of a hundred, {topology}, {logged}, idle: median {half:.1?}, p99 {most:.1?}");
        }
    }
}

/// A client of one server that says of client after client where it is.
struct Updates<'a> {
    herd: &'a Herd,
    client: Client,
    said: u64,
}

impl<'a> Updates<'a> {
    /// Those of the steady load are known before, so that they do not count.
    fn at(herd: &'a Herd, name: &str) -> Self {
        let mut client = herd.client(name);
        for number in 0..CLIENTS {
            client.ask(&iamat(number, 1));
        }
        herd.wait_converged(CLIENTS);
        Self { herd, client, said: 0 }
    }

    /// From before an `IAMAT` is said to when the last server shows that it knows.
    fn times(&mut self, wait: fn()) -> Vec<Duration> {
        (0..TIMES).map(|_| self.time(wait)).collect()
    }

    fn time(&mut self, wait: fn()) -> Duration {
        // Never in step with anybody else.
        sleep(Duration::from_micros(500 + self.said * 137 % 1000));
        self.said += 1;
        let (line, known) = (iamat(CLIENTS + self.said, 1), CLIENTS + self.said);
        let start = Instant::now();
        self.client.say(line + "\n");
        while self.herd.running().any(|vitals| vitals.knows.load(Relaxed) < known) {
            wait();
        }
        let took = start.elapsed();
        self.client.hear();
        took
    }
}

fn iamat(client: u64, ns: u64) -> String {
    format!("IAMAT client-{client:09} +34.068930-118.445127 {}", load::time(ns))
}

/// A thread that says each byte again, and a client of it.
struct Echo(TcpStream);

impl Echo {
    /// The thread ends with its client.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let client = connect(listener.local_addr().expect("an address"));
        let (mut server, _) = listener.accept().expect("a client");
        server.set_nodelay(true).expect("a socket");
        thread::spawn(move || {
            let mut line = [0; 100];
            while let Ok(read @ 1..) = server.read(&mut line) {
                server.write_all(&line[..read]).expect("a client that hears");
            }
        });
        Self(client)
    }

    /// Of lines as long as an update.
    fn times(&mut self) -> Vec<Duration> {
        (0..TIMES).map(|_| self.time()).collect()
    }

    fn time(&mut self) -> Duration {
        let line = iamat(0, 1);
        let mut answer = vec![0; line.len()];
        let start = Instant::now();
        self.0.write_all(line.as_bytes()).expect("an echo that listens");
        self.0.read_exact(&mut answer).expect("an answer");
        start.elapsed()
    }
}

/// Acts while that server is told [`RATE`] updates a second; returns how many a second they were.
fn while_paced(to: SocketAddr, act: impl FnOnce()) -> f64 {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let pace = scope.spawn(|| pace(to, &is_over));
        act();
        is_over.store(true, Relaxed);
        pace.join().expect("a load that ran")
    })
}

/// Says what is due whether the herd keeps up or not, one line on each connection in turn.
fn pace(to: SocketAddr, is_over: &AtomicBool) -> f64 {
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(to)).collect();
    let first = u64::try_from(jiff::Timestamp::now().as_nanosecond()).expect("a clock that is set");
    let (start, mut said) = (Instant::now(), 0);
    while !is_over.load(Relaxed) {
        let due = start.elapsed().as_nanos() as u64 * RATE / 1_000_000_000;
        while said < due {
            said += 1;
            let stream = &mut streams[said as usize % CONNECTIONS];
            take_answers(stream);
            let line = iamat(said % CLIENTS, first + said) + "\n";
            stream.write_all(line.as_bytes()).expect("a server that listens");
        }
        sleep(LOOK_EVERY);
    }
    said as f64 / start.elapsed().as_secs_f64()
}

/// What is written is said at once.
fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("a server");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Those that have come; it waits for none.
fn take_answers(stream: &mut TcpStream) {
    stream.set_nonblocking(true).expect("a socket");
    match stream.read(&mut [0; 4096]) {
        Ok(read) => assert!(read > 0, "the server hung up"),
        Err(why) => assert_eq!(why.kind(), ErrorKind::WouldBlock, "{why}"),
    }
    stream.set_nonblocking(false).expect("a socket");
}

fn at(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}
