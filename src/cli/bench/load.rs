//! The loop that loads the herd: one thread, one clock, every connection looked at in turn, and a wait until something
//! has come or is due.
//!
//! Closed loop (the default): each connection keeps `depth` commands in flight. Open loop (`--rate`): commands are due
//! at fixed moments whether the herd keeps up or not, and a latency counts from that moment, so that a herd which
//! stands still is not measured by the few commands that it let through (no coordinated omission).

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::connection::{Asked, Connection, Verb, is_refusal};
use super::plan::Mix;
use super::probe::Probe;
use crate::limits;

/// What is said, to whom, how fast.
pub struct Plan {
    pub clients: u64,
    pub connections: usize,
    pub depth: usize,
    /// Commands a second over all connections; none: as fast as they are answered.
    pub rate: Option<f64>,
    pub mix: Mix,
    pub to: Vec<SocketAddr>,
    /// How long connecting may take.
    pub limit: Duration,
}

/// What was measured.
pub struct Measured {
    /// Nanoseconds.
    pub iamat: Histogram<u64>,
    pub whatsat: Histogram<u64>,
    /// Answered `? …`.
    pub refused: u64,
    /// Commands without an answer when it was over; their latencies so far are counted.
    pub unanswered: u64,
    /// Answers within the time measured.
    pub in_time: u64,
}

impl Measured {
    /// # Panics
    ///
    /// Never: the bounds are sound.
    pub fn new() -> Self {
        // From a microsecond to longer than anything here may take, to three digits.
        let histogram = || Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).expect("the bounds are sound");
        Self { iamat: histogram(), whatsat: histogram(), refused: 0, unanswered: 0, in_time: 0 }
    }

    fn note(&mut self, verb: Verb, took: Duration) {
        let histogram = match verb {
            Verb::Iamat => &mut self.iamat,
            Verb::Whatsat => &mut self.whatsat,
        };
        histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// What a connection says next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Every client once, so that everyone is known.
    Introduce { next: u64 },
    /// Clients by chance.
    Load,
    /// Nothing more.
    Drain,
}

pub struct Load {
    plan: Plan,
    connections: Vec<Connection>,
    probe: Option<Probe>,
    clock: Clock,
    dice: Dice,
    phase: Phase,
    scratch: Vec<u8>,
    pub measured: Measured,
    /// What was due earlier is not counted.
    count_from: Option<Instant>,
}

impl Load {
    /// # Errors
    ///
    /// Those of connecting.
    pub fn connect(plan: Plan, probe: Option<Probe>) -> io::Result<Self> {
        let open = |number| Connection::open(plan.to[number % plan.to.len()], plan.limit);
        Ok(Self {
            connections: (0..plan.connections).map(open).collect::<io::Result<_>>()?,
            probe,
            clock: Clock::new(),
            dice: Dice(0x9e37_79b9_7f4a_7c15),
            phase: Phase::Drain,
            scratch: vec![0; limits::READ_BYTES],
            measured: Measured::new(),
            count_from: None,
            plan,
        })
    }

    /// Says every client once.
    ///
    /// # Errors
    ///
    /// A connection is broken.
    pub fn introduce(&mut self) -> io::Result<()> {
        self.phase = Phase::Introduce { next: 0 };
        let end = Instant::now() + limits::BENCH_INTRODUCE_MAX;
        self.run(end, |load| load.phase == Phase::Drain && load.in_flight() == 0)
    }

    /// Loads the herd for so long; what is measured goes on from where it was.
    ///
    /// # Errors
    ///
    /// A connection is broken.
    pub fn load(&mut self, until: Instant) -> io::Result<()> {
        if self.phase != Phase::Load {
            self.phase = Phase::Load;
            self.spread();
        }
        self.run(until, |_| false)
    }

    /// From here on it counts.
    pub fn measure(&mut self) {
        (self.measured, self.count_from) = (Measured::new(), Some(Instant::now()));
        if let Some(probe) = &mut self.probe {
            probe.reset();
        }
    }

    /// Says nothing more, waits for what is owed, and counts what never comes.
    ///
    /// # Errors
    ///
    /// A connection is broken.
    pub fn drain(&mut self) -> io::Result<()> {
        let (end, in_time) = (Instant::now(), self.measured.in_time);
        self.phase = Phase::Drain;
        self.run(end + limits::BENCH_DRAIN_MAX, |load| load.in_flight() == 0)?;
        self.measured.in_time = in_time;
        for asked in self.connections.iter().flat_map(Connection::waiting) {
            self.measured.unanswered += 1;
            self.measured.note(asked.verb, asked.due.elapsed());
        }
        Ok(())
    }

    /// How long each probe took to reach the last server, and how many never did.
    pub fn convergence(&self) -> Option<(&[Duration], u64)> {
        self.probe.as_ref().map(|probe| (probe.took.as_slice(), probe.unseen))
    }

    fn in_flight(&self) -> usize {
        self.connections.iter().map(|connection| connection.waiting().len()).sum()
    }

    /// Open loop: the connections take their turns, evenly spread.
    fn spread(&mut self) {
        let Some(rate) = self.plan.rate else { return };
        let now = Instant::now();
        for (number, connection) in self.connections.iter_mut().enumerate() {
            connection.next_due = now + Duration::from_secs_f64(number as f64 / rate);
        }
    }

    fn run(&mut self, until: Instant, is_done: impl Fn(&Self) -> bool) -> io::Result<()> {
        while Instant::now() < until && !is_done(self) {
            self.say()?;
            self.wait(until)?;
        }
        Ok(())
    }

    fn say(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for number in 0..self.connections.len() {
            while let Some(due) = self.next_due(number, now) {
                self.say_one(number, due, now);
            }
            self.connections[number].write()?;
        }
        match &mut self.probe {
            Some(probe) if self.phase == Phase::Load => probe.step(now, &mut self.clock),
            _ => Ok(()),
        }
    }

    /// When the connection's next command was or is due, if it is to be said now.
    fn next_due(&mut self, number: usize, now: Instant) -> Option<Instant> {
        let connection = &mut self.connections[number];
        let waiting = connection.waiting().len();
        match (self.phase, self.plan.rate) {
            (Phase::Drain, _) => None,
            (Phase::Load, Some(rate)) => {
                let due = connection.next_due;
                let may = due <= now && waiting < limits::BENCH_WAITING_MAX;
                may.then(|| {
                    connection.next_due += Duration::from_secs_f64(self.plan.connections as f64 / rate);
                    due
                })
            }
            (Phase::Introduce { .. }, _) => (waiting < limits::BENCH_INTRODUCE_DEPTH).then_some(now),
            (Phase::Load, None) => (waiting < self.plan.depth).then_some(now),
        }
    }

    fn say_one(&mut self, number: usize, due: Instant, now: Instant) {
        let (client, verb) = match &mut self.phase {
            Phase::Introduce { next } => {
                let client = *next;
                *next += 1;
                if *next >= self.plan.clients {
                    self.phase = Phase::Drain;
                }
                (client, Verb::Iamat)
            }
            Phase::Load | Phase::Drain => (self.dice.below(self.plan.clients), self.dice.verb(self.plan.mix)),
        };
        let (clock, dice) = (&mut self.clock, &mut self.dice);
        let connection = &mut self.connections[number];
        write_command(verb, client, now, clock, dice, connection.outbox());
        connection.asked(Asked { verb, due });
    }

    fn wait(&mut self, until: Instant) -> io::Result<()> {
        let left = self.wake_at(until).saturating_duration_since(Instant::now());
        let probes = self.probe.iter().flat_map(Probe::connections);
        let mut watched: Vec<PollFd<'_>> = self.connections.iter().chain(probes).map(watch).collect();
        match ppoll(&mut watched, Some(TimeSpec::from_duration(left)), None) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            Err(why) => return Err(why.into()),
        }
        let readable = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !(events & !PollFlags::POLLOUT).is_empty());
        let ready: Vec<bool> = watched.iter().map(readable).collect();
        let (loads, probes) = ready.split_at(self.connections.len());
        for (number, _) in loads.iter().enumerate().filter(|(_, ready)| **ready) {
            self.hear(number)?;
        }
        match &mut self.probe {
            Some(probe) if probes.contains(&true) => probe.read(&mut self.scratch),
            _ => Ok(()),
        }
    }

    fn hear(&mut self, number: usize) -> io::Result<()> {
        let (measured, count_from) = (&mut self.measured, self.count_from);
        let now = Instant::now();
        self.connections[number].read(&mut self.scratch, |asked, answer| {
            measured.in_time += 1;
            measured.refused += u64::from(is_refusal(answer));
            if count_from.is_some_and(|from| asked.due >= from) {
                measured.note(asked.verb, now.saturating_duration_since(asked.due));
            }
        })
    }

    /// When something is due although nothing has come.
    fn wake_at(&self, until: Instant) -> Instant {
        if self.phase != Phase::Load {
            return until;
        }
        let probe = self.probe.as_ref().map(Probe::next);
        let turns = self.plan.rate.and_then(|_| self.connections.iter().map(|c| c.next_due).min());
        [probe, turns].into_iter().flatten().fold(until, Instant::min)
    }
}

fn watch(connection: &Connection) -> PollFd<'_> {
    let more = if connection.has_more_to_write() { PollFlags::POLLOUT } else { PollFlags::empty() };
    PollFd::new(connection.as_fd(), PollFlags::POLLIN | more)
}

fn write_command(verb: Verb, client: u64, now: Instant, clock: &mut Clock, dice: &mut Dice, out: &mut Vec<u8>) {
    out.extend_from_slice(match verb {
        Verb::Iamat => b"IAMAT bench-",
        Verb::Whatsat => b"WHATSAT bench-",
    });
    write_digits(client, 8, out);
    match verb {
        Verb::Iamat => {
            // Somewhere in Los Angeles.
            out.extend_from_slice(b" +34.0");
            write_digits(dice.below(100_000), 5, out);
            out.extend_from_slice(b"-118.4");
            write_digits(dice.below(100_000), 5, out);
            out.push(b' ');
            clock.write_time(now, out);
            out.push(b'\n');
        }
        Verb::Whatsat => out.extend_from_slice(b" 10 5\n"),
    }
}

/// Appends the last `digits` digits of a number.
fn write_digits(mut number: u64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + digits, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
}

/// The times that commands carry: the wall clock, and never the same twice.
pub struct Clock {
    start: Instant,
    start_ns: u64,
    last_ns: u64,
}

impl Clock {
    fn new() -> Self {
        let now = jiff::Timestamp::now().as_nanosecond();
        Self { start: Instant::now(), start_ns: u64::try_from(now).unwrap_or_default(), last_ns: 0 }
    }

    /// Appends a time later than every one before it: ten digits of seconds, nine of nanoseconds.
    pub fn write_time(&mut self, now: Instant, out: &mut Vec<u8>) {
        let since = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        self.last_ns = self.start_ns.saturating_add(since).max(self.last_ns + 1);
        write_digits(self.last_ns / 1_000_000_000, 10, out);
        out.push(b'.');
        write_digits(self.last_ns % 1_000_000_000, 9, out);
    }
}

/// Chance enough to spread a load: Marsaglia's xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }

    fn verb(&mut self, mix: Mix) -> Verb {
        let whole = u64::from(mix.iamat) + u64::from(mix.whatsat);
        if self.below(whole) < u64::from(mix.iamat) { Verb::Iamat } else { Verb::Whatsat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_lines_of_the_protocol_and_times_rise() {
        let (mut clock, mut dice, now) = (Clock::new(), Dice(1), Instant::now());
        let mut said = Vec::new();
        for verb in [Verb::Iamat, Verb::Iamat, Verb::Whatsat] {
            write_command(verb, 42, now, &mut clock, &mut dice, &mut said);
        }
        let said = String::from_utf8(said).unwrap();
        let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split(' ').collect()).collect();
        assert_eq!(lines[2], ["WHATSAT", "bench-00000042", "10", "5"]);
        assert_eq!(lines[0][..2], ["IAMAT", "bench-00000042"]);
        assert!(lines[0][3] < lines[1][3], "{said}");
        assert!(lines[0][2].starts_with("+34.0") && lines[0][2].len() == "+34.068930-118.445127".len());
    }

    #[test]
    fn the_mix_is_kept_by_chance() {
        let mut dice = Dice(7);
        let asked = (0..10_000).filter(|_| dice.verb(Mix { iamat: 95, whatsat: 5 }) == Verb::Whatsat).count();
        assert!((300..700).contains(&asked), "{asked}");
        assert!((0..100).all(|_| dice.verb(Mix { iamat: 1, whatsat: 0 }) == Verb::Iamat));
    }
}
