//! A load of updates over loopback, from one thread, for the benches of whole servers; the same for a Redis.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// What each connection does: say `depth` lines, hear as many, again.
#[derive(Clone, Copy)]
pub struct Load {
    pub connections: usize,
    /// Commands that each connection keeps in flight.
    pub depth: usize,
    /// Clients that move, over all connections.
    pub clients: usize,
    pub speech: Speech,
}

/// Whose language is spoken; each answers an update with one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// `IAMAT`
    Herd,
    /// `GEOADD`
    Redis,
}

/// A time as the load says it, of nanoseconds since the epoch.
pub fn time(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

impl Load {
    /// Says at least `updates` newer and newer reports at `to`; returns how long that took.
    pub fn run(self, to: SocketAddr, updates: u64, clock: &mut u64) -> Duration {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let rounds = updates.div_ceil((self.connections * self.depth) as u64);
        let first = *clock;
        *clock += rounds * self.depth as u64;
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let mut streams = Vec::new();
            for _ in 0..self.connections {
                let stream = TcpStream::connect(to).await.unwrap();
                stream.set_nodelay(true).unwrap();
                streams.push(stream);
            }
            let start = Instant::now();
            let talks: Vec<_> = streams
                .into_iter()
                .enumerate()
                .map(|(number, stream)| tokio::task::spawn_local(self.talk(stream, number, rounds, first)))
                .collect();
            for talk in talks {
                talk.await.unwrap();
            }
            start.elapsed()
        })
    }

    async fn talk(self, mut stream: TcpStream, connection: usize, rounds: u64, first: u64) {
        let mut answers = vec![0; 64 * 1024];
        let mut time = first;
        let mut burst = Vec::new();
        for _ in 0..rounds {
            burst.clear();
            for _ in 0..self.depth {
                time += 1;
                let client = (time as usize % self.clients * self.connections + connection) % self.clients;
                self.say(client, time, &mut burst);
            }
            stream.write_all(&burst).await.unwrap();
            let mut missing = self.depth;
            while missing > 0 {
                let read = stream.read(&mut answers).await.unwrap();
                assert!(read > 0, "the server hung up");
                missing -= memchr::memchr_iter(b'\n', &answers[..read]).count();
            }
        }
    }

    fn say(self, client: usize, ns: u64, burst: &mut Vec<u8>) {
        let _ = match self.speech {
            Speech::Herd => {
                writeln!(burst, "IAMAT client-{client:09} +34.068930-118.445127 {}", time(ns))
            }
            Speech::Redis => write!(
                burst,
                "*5\r\n$6\r\nGEOADD\r\n$4\r\nherd\r\n$11\r\n-118.{:06}\r\n$9\r\n34.068930\r\n$16\r\nclient-{client:09}\r\n",
                ns % 1_000_000
            ),
        };
    }
}
