//! The clients: phones that roam from server to server over real TCP, say where they are and ask where others are.
//!
//! All of them are tasks of one thread. Each says its lines when they are due, whether or not earlier ones have been
//! answered: a server that is slow meets no mercy. Some names are reported by all of them at any server, with times that
//! go back or collide; some are reported once and never again, so that nothing newer can hide their loss.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::recorder::Recorder;
use crate::herd::api::{Failure, Kind};
use crate::judge::history::End;
use crate::judge::plan::Rng;
use crate::limits;

/// What all phones share.
pub struct Crowd {
    pub recorder: Arc<Recorder>,
    pub servers: Vec<(String, SocketAddr)>,
    pub phones: usize,
    /// Lines a second, of all.
    pub rate: u64,
    pub seed: u64,
    /// Nothing more is said.
    pub over: AtomicBool,
}

/// Lets the phones talk until it is over and all have their answers, or have waited long enough.
pub fn talk(crowd: &Arc<Crowd>) -> Result<(), Failure> {
    let mut rng = Rng::new(crowd.seed);
    on_one_thread(async {
        let mut phones = JoinSet::new();
        for number in 0..crowd.phones {
            let phone = Phone::new(Arc::clone(crowd), number, Rng::new(rng.draw()));
            phones.spawn_local(phone.live());
        }
        while phones.join_next().await.is_some() {}
    })
}

/// Asks every server for every client.
pub fn read_tables(crowd: &Arc<Crowd>) -> Result<(), Failure> {
    let names = crowd.recorder.clients();
    on_one_thread(async {
        let mut readers = JoinSet::new();
        for server in 0..crowd.servers.len() {
            let (crowd, names) = (Arc::clone(crowd), names.clone());
            readers.spawn_local(async move { read_table(&crowd, server, &names).await });
        }
        while readers.join_next().await.is_some() {}
    })
}

fn on_one_thread(work: impl Future<Output = ()>) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(|why| Failure::new(Kind::Failed, format!("the system gives no runtime: {why}")))?;
    runtime.block_on(work);
    runtime.shutdown_background();
    Ok(())
}

async fn read_table(crowd: &Crowd, server: usize, names: &[String]) {
    const AT_ONCE: usize = 100;
    let Some(mut talk) = Talk::open(crowd, server).await else { return };
    for some in names.chunks(AT_ONCE) {
        let lines: Vec<String> = some.iter().map(|name| format!("WHATSAT {name} 1 0")).collect();
        if talk.say(&lines).await.is_err() || !talk.hear_all().await {
            return;
        }
    }
}

struct Phone {
    crowd: Arc<Crowd>,
    number: usize,
    rng: Rng,
    due: Instant,
    every: Duration,
    /// Clients that this phone has reported for good.
    settled: u64,
    /// The last time it said: for another line with the same.
    last_time: String,
}

impl Phone {
    fn new(crowd: Arc<Crowd>, number: usize, mut rng: Rng) -> Self {
        let every = Duration::from_secs(crowd.phones as u64) / u32::try_from(crowd.rate).unwrap_or(u32::MAX);
        let first = every.mul_f64(rng.below(1000) as f64 / 1000.0);
        Self { crowd, number, rng, due: Instant::now() + first, every, settled: 0, last_time: "1".into() }
    }

    async fn live(mut self) {
        let crowd = Arc::clone(&self.crowd);
        while !crowd.over.load(Relaxed) {
            let server = self.rng.index(crowd.servers.len());
            match Talk::open(&crowd, server).await {
                Some(talk) => self.stay(talk).await,
                None => sleep(limits::CHAOS_REST).await,
            }
        }
    }

    /// Talks to one server for a while, and leaves when it has been answered.
    async fn stay(&mut self, mut talk: Talk<'_>) {
        let (least, most) = limits::CHAOS_STAY_MS.into_inner();
        let leaves = Instant::now() + Duration::from_millis(self.rng.between(least, most));
        loop {
            let stays = Instant::now() < leaves && !self.crowd.over.load(Relaxed);
            if !stays && talk.pending.is_empty() {
                return;
            }
            let may_say = stays && talk.pending.len() < limits::CHAOS_PENDING_MAX;
            let due = self.due.min(leaves);
            let going = tokio::select! {
                () = sleep_until(due), if may_say => {
                    if self.due > Instant::now() {
                        continue;
                    }
                    let line = self.compose();
                    talk.say(&[line]).await.is_ok()
                }
                going = talk.hear() => going,
            };
            if !going {
                return;
            }
        }
    }

    /// The next line, which is due now; the one after it is due a little later.
    fn compose(&mut self) -> String {
        let now = Instant::now();
        self.due += self.every;
        if self.due + limits::CHAOS_DIAL_MAX < now {
            // Far behind, after a pause: what was not said is not made up for.
            self.due = now;
        }
        let mover = format!("m{}", self.rng.index(self.crowd.phones));
        let settlers_max = limits::CHAOS_SETTLERS_MAX / self.crowd.phones as u64;
        let location = self.location();
        match self.rng.below(100) {
            0..10 if self.settled < settlers_max => {
                self.settled += 1;
                format!("IAMAT s{}-{} {location} {}", self.number, self.settled, wall_clock(0))
            }
            0..58 => {
                self.last_time = wall_clock(0);
                format!("IAMAT {mover} {location} {}", self.last_time)
            }
            58..64 => format!("IAMAT {mover} {location} {}", wall_clock(1 + self.rng.below(100))),
            64..67 => format!("IAMAT {mover} {location} {}", self.last_time),
            67..80 if self.settled > 0 => {
                format!("WHATSAT s{}-{} 10 0", self.number, 1 + self.rng.below(self.settled))
            }
            67..96 => format!("WHATSAT {mover} 10 0"),
            96..98 => format!("WHATSAT nobody-{} 10 0", self.rng.below(100)),
            _ => (*self.pick(&["IAMAT", "WHATSAT m0 51 0", "IAMAT m0 +91+0 1", "whereis m0", "AT S +0.1 m0 +1-1 1"]))
                .into(),
        }
    }

    fn location(&mut self) -> String {
        let mut degrees = |whole| format!("{}.{:06}", self.rng.below(whole), self.rng.below(1_000_000));
        let (latitude, longitude) = (degrees(90), degrees(180));
        let signs = self.pick(&[("+", "-"), ("-", "+"), ("+", "+"), ("-", "-")]);
        format!("{}{latitude}{}{longitude}", signs.0, signs.1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.rng.index(from.len())]
    }
}

/// POSIX seconds, so long ago.
fn wall_clock(seconds_ago: u64) -> String {
    let now = jiff::Timestamp::now();
    format!("{}.{:09}", now.as_second().saturating_sub_unsigned(seconds_ago).max(0), now.subsec_nanosecond())
}

/// One connection to one server, and the calls on it that have no answer yet.
struct Talk<'a> {
    recorder: &'a Recorder,
    server: &'a str,
    run: Option<u32>,
    stream: TcpStream,
    inbox: Vec<u8>,
    /// Oldest first.
    pending: VecDeque<Pending>,
    /// The first line of an answer whose places are still coming.
    first_line: Option<String>,
}

struct Pending {
    call: u64,
    since: Instant,
    is_question: bool,
}

impl Drop for Talk<'_> {
    /// Whatever ended the conversation ended its calls; a client that waited to the last gave up.
    fn drop(&mut self) {
        for pending in self.pending.drain(..) {
            let gave_up = pending.since.elapsed() >= limits::CHAOS_PATIENCE;
            self.recorder.end(pending.call, if gave_up { End::GaveUp } else { End::Closed });
        }
    }
}

impl<'a> Talk<'a> {
    async fn open(crowd: &'a Crowd, server: usize) -> Option<Self> {
        let (name, address) = &crowd.servers[server];
        let recorder = &*crowd.recorder;
        let (since, run) = (recorder.now(), recorder.run_of(name));
        let stream = match timeout(limits::CHAOS_DIAL_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) if stream.local_addr().ok() != stream.peer_addr().ok() => stream,
            _ => {
                recorder.refused(name, since);
                return None;
            }
        };
        let _ = stream.set_nodelay(true);
        // Between two runs, nobody knows which of them took the connection.
        let run = run.filter(|_| recorder.run_of(name) == run);
        let (inbox, pending) = (Vec::new(), VecDeque::new());
        Some(Self { recorder, server: name, run, stream, inbox, pending, first_line: None })
    }

    async fn say(&mut self, lines: &[String]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            let call = self.recorder.say(self.server, self.run, line);
            self.pending.push_back(Pending { call, since: Instant::now(), is_question: line.starts_with("WHATSAT") });
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        let writing = timeout(limits::CHAOS_PATIENCE, self.stream.write_all(&bytes));
        writing.await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Hears what comes next; false: nothing more will come, or it was waited for too long.
    async fn hear(&mut self) -> bool {
        let patience = self.pending.front().map(|first| first.since + limits::CHAOS_PATIENCE);
        let overdue = async {
            match patience {
                Some(patience) => sleep_until(patience).await,
                None => std::future::pending().await,
            }
        };
        let read = tokio::select! {
            read = self.stream.read_buf(&mut self.inbox) => read.unwrap_or(0),
            () = overdue => 0,
        };
        self.take_lines();
        read > 0
    }

    async fn hear_all(&mut self) -> bool {
        while !self.pending.is_empty() {
            if !self.hear().await {
                return false;
            }
        }
        true
    }

    fn take_lines(&mut self) {
        while let Some(end) = memchr::memchr(b'\n', &self.inbox) {
            let line: Vec<u8> = self.inbox.drain(..=end).collect();
            self.take_line(String::from_utf8_lossy(&line[..end]).into_owned());
        }
    }

    /// An answer is one line, or to a question its `AT` line, places, and an empty line.
    fn take_line(&mut self, line: String) {
        if let Some(first) = self.first_line.take() {
            if line.is_empty() {
                self.answered(first);
            } else {
                self.first_line = Some(first);
            }
            return;
        }
        let is_question = self.pending.front().is_some_and(|first| first.is_question);
        if is_question && line.starts_with("AT ") {
            self.first_line = Some(line);
        } else {
            self.answered(line);
        }
    }

    fn answered(&mut self, line: String) {
        match self.pending.pop_front() {
            Some(pending) => self.recorder.hear(pending.call, line),
            None => self.recorder.unasked(self.server, line),
        }
    }
}
