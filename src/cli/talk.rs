//! `iamat`, `whatsat`, `send`: a client of a server, so that nobody needs netcat.
//!
//! Speaks TCP with the server itself, not with the herd's control channel, which only tells the address. What
//! the server says goes to stdout as it came; who said it and how fast goes to stderr.

mod line;

use std::io::{BufRead, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::output::{Output, Stop};
use super::session::{ANSWER_MAX, Session};
use super::{Done, Exit, args, escape, human, names, term};
use crate::herd::api::{Failure, Kind, Ps, ServerStatus, State};

/// No single answer is longer: a WHATSAT has at most twenty places.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often `send` looks up from waiting for answers to see whether it still has lines to send.
const LOOK_UP: Duration = Duration::from_millis(50);

/// `herdctl iamat`
///
/// # Errors
///
/// `usage`: what would be sent is wrong; `failed`, `timeout`: the server does not answer; and as every call on
/// the control channel.
pub fn iamat(args: &args::Iamat, session: &mut Session) -> Done {
    let time = args.at.as_deref().map_or_else(now, |at| at.as_bytes().to_vec());
    if !args.force {
        line::check_iamat(args.client.as_bytes(), args.location.as_bytes(), &time)
            .map_err(|wrong| Failure::new(Kind::Usage, wrong).hint("--force sends it all the same"))?;
    }
    let words: [&[u8]; 4] = [b"IAMAT", args.client.as_bytes(), args.location.as_bytes(), &time];
    let mut talk = Talk::with(args.to.as_deref(), session)?;
    let answer = talk.ask(&words.join(&b' '))?;
    if !session.out.json {
        return show(&answer, &talk, session);
    }
    let at = At::read(&answer.bytes).ok_or_else(|| refused(&answer.bytes))?;
    session.out.document(&IamatDocument {
        schema: "herd.iamat/1",
        server: &talk.name,
        took_us: micros(answer.took),
        at,
    })?;
    Ok(Exit::Fine)
}

/// `herdctl whatsat`: exit code 8 when the server answers `? …`.
///
/// # Errors
///
/// As [`iamat`].
pub fn whatsat(args: &args::Whatsat, session: &mut Session) -> Done {
    let words: [&[u8]; 4] = [b"WHATSAT", args.client.as_bytes(), args.radius.as_bytes(), args.count.as_bytes()];
    line::check_words(&words[1..]).map_err(|wrong| Failure::new(Kind::Usage, wrong))?;
    let mut talk = Talk::with(args.to.as_deref(), session)?;
    let answer = talk.ask(&words.join(&b' '))?;
    if !session.out.json {
        return show(&answer, &talk, session);
    }
    let end = memchr::memchr(b'\n', &answer.bytes).unwrap_or(answer.bytes.len());
    let at = At::read(&answer.bytes[..end]).ok_or_else(|| refused(&answer.bytes))?;
    let found: serde_json::Value = serde_json::from_slice(&answer.bytes[end..])
        .map_err(|why| Failure::new(Kind::Failed, format!("{} answered what is no JSON: {why}", talk.name)))?;
    session.out.document(&WhatsatDocument {
        schema: "herd.whatsat/1",
        server: &talk.name,
        took_us: micros(answer.took),
        at,
        status: found.get("status").cloned(),
        places: found.get("results").cloned().unwrap_or_else(|| serde_json::Value::Array(Vec::new())),
    })?;
    Ok(Exit::Fine)
}

/// `herdctl send`: exit code 8 when an answer is `? …`.
///
/// # Errors
///
/// As [`iamat`].
pub fn send(args: &args::Send, session: &mut Session) -> Done {
    let ps = session.client()?.ps()?;
    let (to, lines) = addressee(args, &ps, session)?;
    let mut talk = Talk::to(to, &ps, session)?;
    let from_stdin = matches!(lines, [only] if only.as_bytes() == b"-");
    if from_stdin || (lines.is_empty() && !std::io::stdin().is_terminal()) {
        return talk.pour(pour_stdin, &mut session.out);
    }
    if !lines.is_empty() {
        let text = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).collect::<Vec<_>>().concat();
        return talk.pour(move |mut server| server.write_all(&text), &mut session.out);
    }
    if !session.may_ask() {
        return Err(Failure::new(Kind::Usage, "no line to send, and nobody may be asked")
            .hint("herdctl send Clark 'IAMAT …', or - for standard input")
            .into());
    }
    prompt(&mut talk, &mut session.out)
}

/// Of `send [SERVER] [LINE… | -]`: the server that is meant, and the lines.
fn addressee<'a>(
    args: &'a args::Send,
    ps: &Ps,
    session: &Session,
) -> Result<(Option<String>, &'a [std::ffi::OsString]), Failure> {
    if let Some(to) = &args.to {
        return Ok((Some(to.clone()), &args.words));
    }
    let Some((first, rest)) = args.words.split_first() else { return Ok((None, &[])) };
    // A line has several words; one word alone can only be a server, or a typo that must not be sent.
    let is_line = first == "-" || first.as_bytes().iter().any(u8::is_ascii_whitespace) || first.is_empty();
    if is_line {
        return Ok((None, &args.words));
    }
    let names: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
    let place = session.config_name(ps.config.as_ref());
    let index = names::pick(&first.to_string_lossy(), &names, &place)?;
    Ok((Some(names[index].to_owned()), rest))
}

fn pour_stdin(mut server: &TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut std::io::stdin().lock(), &mut server).map(drop)
}

fn show(answer: &Answer, talk: &Talk, session: &mut Session) -> Done {
    session.out.bytes(&answer.bytes)?;
    session.out.flush()?;
    talk.say_who(answer.took, &mut session.out);
    Ok(if answer.is_refusal() { Exit::No } else { Exit::Fine })
}

fn refused(answer: &[u8]) -> Failure {
    Failure::new(Kind::CheckFailed, escape::line(answer.trim_ascii_end()))
}

fn now() -> Vec<u8> {
    let now = jiff::Timestamp::now();
    format!("{}.{:09}", now.as_second(), now.subsec_nanosecond()).into_bytes()
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// A conversation with one server, over one connection.
struct Talk {
    name: String,
    /// Why it may not answer.
    state: State,
    stream: TcpStream,
    limit: Duration,
}

struct Answer {
    bytes: Vec<u8>,
    took: Duration,
}

impl Answer {
    fn is_refusal(&self) -> bool {
        self.bytes.starts_with(b"? ") || self.bytes == b"?\n"
    }
}

impl Talk {
    /// With the server of this name, or else the first that runs.
    fn with(to: Option<&str>, session: &mut Session) -> Result<Self, Failure> {
        let ps = session.client()?.ps()?;
        Self::to(to.map(str::to_owned), &ps, session)
    }

    fn to(to: Option<String>, ps: &Ps, session: &Session) -> Result<Self, Failure> {
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
    fn ask(&mut self, line: &[u8]) -> Result<Answer, Failure> {
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
    fn pour(
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

    fn say_who(&self, took: Duration, out: &mut Output) {
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
    let address: SocketAddr = server.addr.parse().map_err(|why| cannot(&why))?;
    let stream = TcpStream::connect_timeout(&address, limit).map_err(|why| cannot(&why))?;
    stream.set_nodelay(true).map_err(|why| cannot(&why))?;
    stream.set_write_timeout(Some(limit)).map_err(|why| cannot(&why))?;
    Ok(stream)
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

const PROMPT_HELP: &str = "\
IAMAT <client> <±lat±lon> <posix seconds>     tell the server where a client is
WHATSAT <client> <kilometres> <places>        ask what is near a client
anything else is sent as it is and answered `? …`
help shows this; quit or Ctrl-D leaves";

/// Asks for lines on the terminal until its end.
fn prompt(talk: &mut Talk, out: &mut Output) -> Done {
    let mark = out.message_pen().ink(term::BOLD, &format!("{}> ", talk.name.to_lowercase()));
    let mut lines = std::io::stdin().lock();
    loop {
        out.ask(&mark);
        let mut line = Vec::new();
        let read = lines.read_until(b'\n', &mut line);
        let read = read.map_err(|why| Failure::new(Kind::Failed, format!("cannot read the terminal: {why}")))?;
        let typed = line.strip_suffix(b"\n").unwrap_or(&line);
        match typed.trim_ascii() {
            b"" if read == 0 => {
                out.message("");
                return Ok(Exit::Fine);
            }
            b"" => {}
            b"quit" | b"exit" => return Ok(Exit::Fine),
            b"help" => out.message(PROMPT_HELP),
            _ => {
                let answer = talk.ask(typed)?;
                out.bytes(&answer.bytes)?;
                out.flush()?;
                talk.say_who(answer.took, out);
            }
        }
    }
}

#[derive(Serialize)]
struct IamatDocument<'a> {
    schema: &'static str,
    server: &'a str,
    took_us: u64,
    at: At,
}

#[derive(Serialize)]
struct WhatsatDocument<'a> {
    schema: &'static str,
    server: &'a str,
    took_us: u64,
    at: At,
    status: Option<serde_json::Value>,
    places: serde_json::Value,
}

/// An `AT` line, field by field; bytes that are not UTF-8 are spelled out.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct At {
    /// The server that heard it from the client.
    server: String,
    skew: String,
    client: String,
    location: String,
    time: String,
}

impl At {
    fn read(line: &[u8]) -> Option<Self> {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(text).collect();
        let [at, server, skew, client, location, time] = <[String; 6]>::try_from(words).ok()?;
        (at == "AT").then_some(Self { server, skew, client, location, time })
    }
}

fn text(word: &[u8]) -> String {
    std::str::from_utf8(word).map_or_else(|_| escape::line(word).into_owned(), str::to_owned)
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

    #[test]
    fn an_at_line_is_read_field_by_field() {
        let at = At::read(b"AT Clark +0.000213 k\xffwi +34.068930-118.445127 1763823845.123243\n").unwrap();
        assert_eq!((at.server.as_str(), at.client.as_str()), ("Clark", "k\\xffwi"));
        assert_eq!((at.location.as_str(), at.time.as_str()), ("+34.068930-118.445127", "1763823845.123243"));
        assert_eq!(At::read(b"? IAMAT bad\n"), None);
    }
}
