//! A client's bytes, to a real server over a real socket, in any pieces: the answers are those of a model that reads them
//! all at once, others are answered meanwhile, and what follows the last answer is an end and no reset.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use herdctl::limits;
use herdctl::protocol::atlas::{Atlas, Source};
use herdctl::protocol::hello;
use herdctl::protocol::line::{Command, Report, Sighting, Time};
use herdctl::protocol::node::refuse;
use herdctl::server::clock;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use super::bytes::{Changes, Cuts, Said};
use super::wrong;
use crate::support::{Client, Herd};

/// The shortest that it can be set to, so that long lines are cheap.
const LINE_BYTES_MAX: usize = *limits::LINE_BYTES_RANGE.start();
/// Few, so that a table is soon full.
const CLIENTS_MAX: u64 = 3;

/// How everything inside TLS begins; this server speaks plainly.
const TLS: &[u8] = b"\x16\x03";

const WORDS: &[&[u8]] = &[
    TLS,
    b"IAMAT ",
    b"WHATSAT ",
    b"AT ",
    b"PEER ",
    b"PEER 1 test Bona Clark 7 0",
    b"HEARD 0\n",
    b"TOLD 1 1\n",
    b"kiwi",
    b"GET / HTTP/1.1\r\n",
    b"+1-1",
    b"\r\n",
    b"\n\n",
    b"\xff\xfe",
    b"\x1b[2J",
    b"18446744073709551615",
];
const CLIENTS: &[&str] = &["kiwi", "mango", "k", "plum", "\u{202e}", "AT", "+1-1"];
const LOCATIONS: &[&str] =
    &["+1-1", "+34.068930-118.445127", "+90-180", "+90.00000001-1", "-0+0", "+1", "++1-1", "+1-1-1", "1-1", "+91+1"];
const TIMES: &[&str] =
    &["5", "6", "1621464827.959498503", "0", "18446744073709551615", "18446744073709551616", "5.", "-5", "4"];
const RADII: &[&str] = &["10", "50", "0.5", "50.1", "0", "-1", "1e3"];
/// Between which a name makes a line as long as it may be, or a little longer.
const HEADS: &[&[u8]] = &[b"IAMAT ", b"", b"PEER 1 test Bona Clark 7 ", b"GET "];
const TAILS: &[&[u8]] = &[b" +1-1 5\n", b"\n"];
const BOUNDS: &[&str] = &["0", "5", "20", "21", "-1", ""];

#[derive(Debug, Clone)]
struct Case {
    pieces: Vec<Said>,
    /// So few bytes of answers are held for a client that does not read.
    unread_bytes_max: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let lines = vec(line(), 1..20).prop_map(|lines| lines.concat());
    let pieces = (lines, Changes::up_to(4, WORDS), Cuts::up_to(12))
        .prop_map(|(lines, changes, cuts)| cuts.of(&changes.to(&lines)));
    let unread_bytes_max = select(vec![*limits::UNREAD_BYTES_RANGE.start(), limits::UNREAD_BYTES_MAX]);
    (pieces, unread_bytes_max).prop_map(|(pieces, unread_bytes_max)| Case { pieces, unread_bytes_max })
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let iamat = (select(CLIENTS), select(LOCATIONS), select(TIMES))
        .prop_map(|(client, location, time)| format!("IAMAT {client} {location} {time}\n").into_bytes());
    let whatsat = (select(CLIENTS), select(RADII), select(BOUNDS))
        .prop_map(|(client, radius, bound)| format!("WHATSAT {client} {radius} {bound}\n").into_bytes());
    let around = (LINE_BYTES_MAX - 2)..(LINE_BYTES_MAX + 3);
    let length = prop_oneof![4 => around, 1 => Just(70_000_usize)];
    let long = (select(HEADS), select(TAILS), length).prop_map(|(head, tail, length)| {
        let name = length.saturating_sub(head.len() + tail.len() - 1);
        [head, &b"x".repeat(name), tail].concat()
    });
    let junk = prop_oneof![select(WORDS).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..30)];
    prop_oneof![8 => iamat, 4 => whatsat, 1 => long, 2 => junk]
}

#[test]
fn a_client_is_answered_as_the_model_says_however_its_bytes_are_cut() {
    super::run("client", &cases(), |case| against_a_server(case, LINE_BYTES_MAX));
}

#[test]
fn a_limit_that_is_one_byte_off_is_found_out() {
    super::assert_found_out("a limit that is one byte off", &cases(), |case| {
        against_a_server(case, LINE_BYTES_MAX + 1)
    });
}

#[test]
fn a_line_that_is_forgotten_between_two_pieces_is_found_out() {
    super::assert_found_out("a line forgotten between two pieces", &cases(), against_a_forgetful_server);
}

/// The case against a real server that takes lines of at most so many bytes.
fn against_a_server(case: Case, line_bytes_max: usize) -> TestCaseResult {
    let herd = server(&case, line_bytes_max);
    talk(herd.address("Clark"), &case)
}

fn server(case: &Case, line_bytes_max: usize) -> Herd {
    Herd::one(|config| {
        config.limits.line_bytes_max = line_bytes_max;
        config.limits.unread_bytes_max = case.unread_bytes_max;
        config.limits.clients_max = CLIENTS_MAX;
    })
}

fn talk(server: SocketAddr, case: &Case) -> TestCaseResult {
    let (mut client, mut other) = (Client::connect(server), Client::connect(server));
    let before = clock::now();
    for Said(piece) in &case.pieces {
        // It may have been sent away already.
        let _ = client.stream.write_all(piece);
        // Whoever says something later is answered later: by then the piece has been read.
        if other.ask("x") != "? x\n" {
            return Err(wrong("another client is not answered"));
        }
    }
    let _ = client.stream.shutdown(Shutdown::Write);
    let answers = Said(client.hear_out());
    let mut model = Model { heard: &answers.0, atlas: Atlas::new(), between: (before, clock::now()) };
    model.hear(&Said::whole(&case.pieces))?;
    if model.heard.is_empty() {
        Ok(())
    } else {
        Err(wrong(format!("more than was due: {:?}", Said(model.heard.to_vec()))))
    }
}

/// What a server must answer. Its clock is not known, so what it says of that is looked at and taken over.
struct Model<'a> {
    /// The answers that have not been looked at.
    heard: &'a [u8],
    atlas: Atlas,
    /// All was said and answered between these.
    between: (Time, Time),
}

impl<'a> Model<'a> {
    fn hear(&mut self, said: &[u8]) -> TestCaseResult {
        if said.starts_with(TLS) {
            return self.due(&[hello::REFUSED_OF_TLS, b"\n"].concat());
        }
        for (number, line) in said.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if line.len() > LINE_BYTES_MAX {
                return self.refusal(&line[..LINE_BYTES_MAX]);
            }
            let sends_away = (number == 0 && hello::is_hello(line)) || Command::parse(line) == Command::Http;
            match Command::parse(line) {
                Command::IAmAt(sighting) if self.has_room_for(sighting.client) => self.report(sighting)?,
                Command::WhatsAt { client, bound, .. } if self.atlas.newest(client).is_some() => {
                    self.places(client, bound)?;
                }
                _ => self.refusal(line)?,
            }
            if sends_away {
                break;
            }
        }
        Ok(())
    }

    fn has_room_for(&self, client: &[u8]) -> bool {
        self.atlas.len() < CLIENTS_MAX as usize || self.atlas.newest(client).is_some()
    }

    fn refusal(&mut self, line: &[u8]) -> TestCaseResult {
        let mut due = Vec::new();
        refuse(line, &mut due);
        self.due(&due)
    }

    fn report(&mut self, sighting: Sighting<'_>) -> TestCaseResult {
        let Sighting { client, location, time, .. } = sighting;
        let line = self.next_line()?;
        let (first, last) = self.between;
        let is_it = Report::parse(line).is_some_and(|report| {
            report.line().starts_with(b"AT Clark ")
                && report.line().ends_with(&[b" ", client, b" ", location, b" ", time].concat())
                && report.accepted().is_some_and(|accepted| (first..=last).contains(&accepted))
        });
        if !is_it {
            return Err(wrong(format!("no report of {:?}: {:?}", Said(client.to_vec()), Said(line.to_vec()))));
        }
        self.atlas.learn(Report::parse(line).expect("it has just been read"), Source::CLIENT);
        Ok(())
    }

    fn places(&mut self, client: &[u8], bound: usize) -> TestCaseResult {
        let newest = self.atlas.newest(client).map(|(report, _)| report.line().to_vec()).unwrap_or_default();
        self.due(&[&newest[..], b"\n"].concat())?;
        let end = memchr::memmem::find(self.heard, b"\n\n").ok_or_else(|| wrong("an answer without an end"))?;
        let json: serde_json::Value =
            serde_json::from_slice(&self.heard[..end]).map_err(|why| wrong(why.to_string()))?;
        self.heard = &self.heard[end + 2..];
        let places = json["results"].as_array().map_or(usize::MAX, Vec::len);
        if places <= bound { Ok(()) } else { Err(wrong(format!("{places} places, not at most {bound}"))) }
    }

    fn due(&mut self, due: &[u8]) -> TestCaseResult {
        let (due, heard) = (Said(due.to_vec()), Said(self.heard[..due.len().min(self.heard.len())].to_vec()));
        if heard.0 != due.0 {
            return Err(wrong(format!("answered {heard:?} instead of {due:?}")));
        }
        self.heard = &self.heard[due.0.len()..];
        Ok(())
    }

    fn next_line(&mut self) -> Result<&'a [u8], TestCaseError> {
        let end = memchr::memchr(b'\n', self.heard).ok_or_else(|| wrong("a line was not answered"))?;
        let line = &self.heard[..end];
        self.heard = &self.heard[end + 1..];
        Ok(line)
    }
}

/// A real server behind a front that ends each piece as if it were a line.
fn against_a_forgetful_server(case: Case) -> TestCaseResult {
    let herd = server(&case, LINE_BYTES_MAX);
    let (server, listener) = (herd.address("Clark"), TcpListener::bind("127.0.0.1:0").unwrap());
    let front = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for client in listener.incoming().take(2).map(Result::unwrap) {
                let server = TcpStream::connect(server).unwrap();
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                scope.spawn(|| pass_on(client, server, Some(b'\n')));
                scope.spawn(|| pass_on(to, from, None));
            }
        });
        talk(front, &case)
    })
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, end: Option<u8>) {
    let mut piece = vec![0; limits::READ_BYTES];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let end = end.filter(|&end| piece[read - 1] != end);
        if to.write_all(&[&piece[..read], end.as_slice()].concat()).is_err() {
            break;
        }
    }
    // The other end may have gone.
    let _ = to.shutdown(Shutdown::Write);
}
