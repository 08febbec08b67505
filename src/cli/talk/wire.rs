//! A TCP connection to one server, as a client has it: one line and its answer, or many lines and what comes.
//! Every wait has a limit.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::output::{Output, Stop};
use crate::cli::session::{ANSWER_MAX, Session};
use crate::cli::{Done, Exit, escape, human, names, term};
use crate::herd::api::{Failure, Kind, Ps, ServerStatus, State};

/// No single answer is longer: a WHATSAT has at most twenty places.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often `send` looks up from waiting for answers to see whether it still has lines to send.
const LOOK_UP: Duration = Duration::from_millis(50);

/// A conversation with one server, over one connection.
pub struct Talk {
    /// The server's, harmless on a terminal.
    pub name: String,
    /// Why it may not answer.
    state: State,
    stream: TcpStream,
    limit: Duration,
}

/// What a server said to one line.
pub struct Answer {
    pub bytes: Vec<u8>,
    pub took: Duration,
}

impl Answer {
    /// `? …`
    pub fn is_refusal(&self) -> bool {
        self.bytes.starts_with(b"? ") || self.bytes == b"?\n"
    }
}

impl Talk {
    /// With the server of this name, or else the first that runs.
    pub fn with(to: Option<&str>, session: &mut Session) -> Result<Self, Failure> {
        let ps = session.client()?.ps()?;
        Self::to(to.map(str::to_owned), &ps, session)
    }

    /// As [`with`](Self::with), of a herd that has been asked already.
    pub fn to(to: Option<String>, ps: &Ps, session: &Session) -> Result<Self, Failure> {
        let server = match to {
            Some(typed) => {
                let names: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
                &ps.servers[names::pick(&typed, &names, &session.config_name(ps.config.as_ref()))?]
            }
            None => ps.servers.iter().find(|server| server.state == State::Running).ok_or_else(none_runs)?,
        };
        let limit = session.deadline(ANSWER_MAX);
        let stream = connect(server, limit)?;
        Ok(Self { name: escape::text(&server.name).into_owned(), state: server.state, stream, limit })
    }

    /// Sends one line and waits for its whole answer.
    pub fn ask(&mut self, line: &[u8]) -> Result<Answer, Failure> {
        let start = Instant::now();
        self.stream.write_all(&[line, b"\n"].concat()).map_err(|why| self.broken(&why))?;
        let has_places = line.trim_ascii_start().starts_with(b"WHATSAT");
        let mut bytes = Vec::new();
        while !is_whole(&bytes, has_places) {
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(Failure::new(Kind::Failed, format!("the answer of {} has no end", self.name)));
            }
            let left = self.limit.saturating_sub(start.elapsed());
            match self.read(left) {
                Ok(Some(some)) => bytes.extend_from_slice(&some),
                Ok(None) => return Err(self.closed()),
                Err(why) if is_timeout(&why) => return Err(self.silent()),
                Err(why) => return Err(self.broken(&why)),
            }
        }
        Ok(Answer { bytes, took: start.elapsed() })
    }

    /// Sends what `source` writes, then says that this was all, and hands on the answers until the server has
    /// said that they were all. Sending and reading go on side by side: answers may well come before the last
    /// line is sent, and a server whose answers nobody reads stops reading.
    pub fn pour(
        &mut self,
        source: impl FnOnce(&TcpStream) -> std::io::Result<()> + Send + 'static,
        out: &mut Output,
    ) -> Done {
        let sending = self.stream.try_clone().map_err(|why| self.broken(&why))?;
        let start = Instant::now();
        let all_sent = Arc::new(AtomicBool::new(false));
        let says_when_sent = Arc::clone(&all_sent);
        // Never joined: it may wait for standard input long after the server has left.
        thread::spawn(move || {
            // A server that has left shows at the reading end, which says so.
            let _ = source(&sending);
            let _ = sending.shutdown(Shutdown::Write);
            says_when_sent.store(true, Ordering::Release);
        });
        let mut refusals = Refusals::default();
        self.hand_on(&all_sent, &mut refusals, out)?;
        self.say_who(start.elapsed(), out);
        Ok(if refusals.seen { Exit::No } else { Exit::Fine })
    }

    fn hand_on(&self, all_sent: &AtomicBool, refusals: &mut Refusals, out: &mut Output) -> Result<(), Stop> {
        let mut quiet_since = Instant::now();
        loop {
            match self.read(LOOK_UP.min(self.limit)) {
                Ok(Some(some)) => {
                    refusals.look(&some);
                    out.bytes(&some)?;
                    out.flush()?;
                    quiet_since = Instant::now();
                }
                Ok(None) => return Ok(()),
                Err(why) if is_timeout(&why) => {
                    if !all_sent.load(Ordering::Acquire) {
                        quiet_since = Instant::now();
                    } else if quiet_since.elapsed() >= self.limit {
                        return Err(self.silent().into());
                    }
                }
                Err(why) => return Err(self.broken(&why).into()),
            }
        }
    }

    /// What has come; `None`: the server has said all.
    fn read(&self, wait: Duration) -> std::io::Result<Option<Vec<u8>>> {
        // Zero would mean for ever.
        self.stream.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        let mut some = vec![0; 64 * 1024];
        loop {
            match (&self.stream).read(&mut some) {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    some.truncate(n);
                    return Ok(Some(some));
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
    }

    /// Who it was and how long it took.
    pub fn say_who(&self, took: Duration, out: &mut Output) {
        let who = format!("({}, {})", human::took(took), self.name);
        out.message(&out.message_pen().ink(term::DIM, &who));
    }

    fn silent(&self) -> Failure {
        let message = format!("no answer from {} in {}", self.name, human::limit(self.limit));
        match self.state {
            State::Paused => Failure::new(Kind::Timeout, format!("{message}: it is paused"))
                .hint(format!("herdctl resume {}", self.name)),
            _ => Failure::new(Kind::Timeout, message).hint("herdctl ps"),
        }
    }

    fn closed(&self) -> Failure {
        Failure::new(Kind::Failed, format!("{} closed the connection without an answer", self.name)).hint("herdctl ps")
    }

    fn broken(&self, why: &std::io::Error) -> Failure {
        Failure::new(Kind::Failed, format!("the connection to {} broke: {why}", self.name)).hint("herdctl ps")
    }
}

fn none_runs() -> Failure {
    Failure::new(Kind::Failed, "no server runs").hint("herdctl start --all")
}

fn connect(server: &ServerStatus, limit: Duration) -> Result<TcpStream, Failure> {
    let name = escape::text(&server.name);
    if !matches!(server.state, State::Running | State::Paused | State::Starting) {
        let message = format!("{name} was {} {} ago", server.state, human::age(server.since_ms));
        return Err(Failure::new(Kind::Failed, message).hint(format!("herdctl start {name}")));
    }
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Failed, format!("cannot reach {name} at {}: {why}", server.addr)).hint("herdctl ps")
    };
    let stream = reach(&server.addr, limit).map_err(|why| cannot(&why))?;
    stream.set_nodelay(true).map_err(|why| cannot(&why))?;
    stream.set_write_timeout(Some(limit)).map_err(|why| cannot(&why))?;
    Ok(stream)
}

/// Connects to an IP address, or to the first of a name's that answers.
fn reach(address: &str, limit: Duration) -> std::io::Result<TcpStream> {
    let mut last = None;
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(why) => last = Some(why),
        }
    }
    Err(last.unwrap_or_else(|| ErrorKind::NotFound.into()))
}

/// Whether an answer has come to its end: a line, or with places, an empty line.
fn is_whole(answer: &[u8], has_places: bool) -> bool {
    if has_places && !answer.starts_with(b"?") { answer.ends_with(b"\n\n") } else { answer.ends_with(b"\n") }
}

/// A read that ran into its limit; which of the two it is called depends on the system.
fn is_timeout(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Looks for lines that start with `?` in bytes that come in pieces.
#[derive(Debug, Default)]
struct Refusals {
    seen: bool,
    mid_line: bool,
}

impl Refusals {
    fn look(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            self.seen |= !self.mid_line && piece.starts_with(b"?");
            self.mid_line = !piece.ends_with(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_line_or_with_an_empty_one() {
        assert!(is_whole(b"AT Clark +0.1 kiwi +1+2 3\n", false));
        assert!(!is_whole(b"AT Clark +0.1 kiwi +1+2 3\n", true));
        assert!(!is_whole(b"AT Clark +0.1 kiwi +1+2 3\n{\n}", true));
        assert!(is_whole(b"AT Clark +0.1 kiwi +1+2 3\n{\n}\n\n", true));
        assert!(is_whole(b"? WHATSAT x 1 1\n", true));
    }

    #[test]
    fn refusals_are_seen_in_pieces_of_any_size() {
        let said = b"AT Clark ? x\n? IAMAT bad\n";
        for cut in 0..said.len() {
            let mut refusals = Refusals::default();
            refusals.look(&said[..cut]);
            refusals.look(&said[cut..]);
            assert!(refusals.seen, "{cut}");
        }
        let mut refusals = Refusals::default();
        said[..13].iter().for_each(|byte| refusals.look(&[*byte]));
        assert!(!refusals.seen);
    }
}
