//! Convergence as a client sees it: a probe is said at one server, and asked for at every other, again and again,
//! until the last of them has answered with it. One process, one clock.
//!
//! What is measured is never less than the truth, and more by at most one round trip of a question, for a server is
//! asked again only when it has answered. Between probes nothing is asked.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connection::{Asked, Connection, Verb};
use super::load::Clock;
use crate::limits;

pub struct Probe {
    said_at: Connection,
    watchers: Vec<Watcher>,
    /// The time of the probe that flies, as it was said, and when.
    flies: Option<(Vec<u8>, Instant)>,
    next: Instant,
    /// From saying to the last server's knowing.
    pub took: Vec<Duration>,
    /// Probes that a server did not know of in time.
    pub unseen: u64,
}

struct Watcher {
    connection: Connection,
    knows: bool,
}

impl Probe {
    /// One that is said at `at` and watched for at `others`.
    ///
    /// # Errors
    ///
    /// Those of connecting.
    pub fn new(at: SocketAddr, others: &[SocketAddr], limit: Duration) -> io::Result<Self> {
        let watcher = |&to| Ok(Watcher { connection: Connection::open(to, limit)?, knows: true });
        Ok(Self {
            said_at: Connection::open(at, limit)?,
            watchers: others.iter().map(watcher).collect::<io::Result<_>>()?,
            flies: None,
            next: Instant::now(),
            took: Vec::new(),
            unseen: 0,
        })
    }

    /// Forgets what was measured so far.
    pub fn reset(&mut self) {
        (self.took, self.unseen) = (Vec::new(), 0);
    }

    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        std::iter::once(&self.said_at).chain(self.watchers.iter().map(|watcher| &watcher.connection))
    }

    /// When to be called again although nothing has come.
    pub fn next(&self) -> Instant {
        self.flies.as_ref().map_or(self.next, |(_, since)| *since + limits::BENCH_PROBE_MAX)
    }

    /// Says the next probe if it is time; gives up one that has flown too long.
    ///
    /// # Errors
    ///
    /// A connection is broken.
    pub fn step(&mut self, now: Instant, clock: &mut Clock) -> io::Result<()> {
        if self.flies.as_ref().is_some_and(|(_, since)| now >= *since + limits::BENCH_PROBE_MAX) {
            self.unseen += 1;
            self.flies = None;
        }
        if self.flies.is_none() && now >= self.next {
            self.say(now, clock)?;
        }
        Ok(())
    }

    fn say(&mut self, now: Instant, clock: &mut Clock) -> io::Result<()> {
        let mut time = Vec::new();
        clock.write_time(now, &mut time);
        let outbox = self.said_at.outbox();
        outbox.extend_from_slice(b"IAMAT bench-probe +34.068930-118.445127 ");
        outbox.extend_from_slice(&time);
        outbox.push(b'\n');
        // Read off the clock last, so that nothing of ours is counted.
        let since = Instant::now();
        self.said_at.asked(Asked { verb: Verb::Iamat, due: since });
        self.said_at.write()?;
        self.flies = Some((time, since));
        self.next = since + limits::BENCH_PROBE_EVERY;
        for watcher in &mut self.watchers {
            watcher.knows = false;
            watcher.ask()?;
        }
        Ok(())
    }

    /// Reads what has come.
    ///
    /// # Errors
    ///
    /// A connection is broken.
    pub fn read(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        self.said_at.read(scratch, |_, _| {})?;
        let Some((time, since)) = &self.flies else {
            return self.watchers.iter_mut().try_for_each(|watcher| watcher.connection.read(scratch, |_, _| {}));
        };
        for watcher in &mut self.watchers {
            watcher.look_for(time, scratch)?;
        }
        if self.watchers.iter().all(|watcher| watcher.knows) {
            self.took.push(since.elapsed());
            self.flies = None;
        }
        Ok(())
    }
}

impl Watcher {
    /// One question at a time: an answer to an older probe's question may still be on its way.
    fn ask(&mut self) -> io::Result<()> {
        if self.connection.waiting().len() == 0 {
            self.connection.outbox().write_all(b"WHATSAT bench-probe 1 0\n")?;
            self.connection.asked(Asked { verb: Verb::Whatsat, due: Instant::now() });
        }
        self.connection.write()
    }

    fn look_for(&mut self, time: &[u8], scratch: &mut [u8]) -> io::Result<()> {
        let mut knows = self.knows;
        self.connection.read(scratch, |_, answer| {
            let line = answer.split(|&byte| byte == b'\n').next().unwrap_or_default();
            knows |= line.ends_with(time);
        })?;
        self.knows = knows;
        if knows { Ok(()) } else { self.ask() }
    }
}
