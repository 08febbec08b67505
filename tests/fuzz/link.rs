//! A neighbour's bytes after the proof, to a real server over a real socket, in any pieces, over a link that may be
//! faulty: the server comes to know what a model knows that reads them all at once, says how much it has heard, and closes
//! the connection where the model does. What it says itself holds together, whatever it is told of its own editions.

use std::io::{Read, Write};
use std::net::Shutdown;

use herdctl::config::Ack;
use herdctl::limits;
use herdctl::protocol::atlas::{Atlas, Source};
use herdctl::protocol::hello::{Dialing, Identity};
use herdctl::protocol::line::Report;
use herdctl::protocol::link::{Breach, Link};
use herdctl::server::fault::{Chance, Fault};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use super::bytes::{Changes, Cuts, Said};
use super::wrong;
use crate::support::{Client, Herd, wait_until};

const LINE_BYTES_MAX: usize = *limits::LINE_BYTES_RANGE.start();
/// A client's line behind a server's name and a skew.
const REPORT_BYTES_MAX: usize = LINE_BYTES_MAX + limits::HELLO_BYTES_MAX;

const WORDS: &[&[u8]] = &[
    b"AT ",
    b"AT Bona +0.000000000 kiwi +1-1 5\n",
    b"TOLD ",
    b"TOLD 18446744073709551615 0\n",
    b"HEARD ",
    b"HEARD 1\n",
    b"HEARD 18446744073709551615\n",
    b"TOLD 1 18446744073709551615\n",
    b"HOLD\n",
    b"FLOW\n",
    b"18446744073709551616",
    b"IAMAT own +1-1 9\n",
    b"\r\n",
    b"\xff",
];
const SKEWS: &[&str] = &["+0.000000000", "-18446744073709551615.999999999", "+0.5", "0.000000000"];
const CLIENTS: &[&str] = &["kiwi", "mango", "k", "plum", "\u{202e}", "AT", "own"];
const TIMES: &[&str] = &["5", "6", "7.5", "18446744073709551615.999999999", "0"];

#[derive(Debug, Clone)]
struct Case {
    pieces: Vec<Said>,
    /// After so many pieces a client says something, which the neighbour is told.
    own: usize,
    weather: Fault,
}

/// What a neighbour says, before it is spoilt.
#[derive(Debug, Clone)]
enum Word {
    Report {
        skew: &'static str,
        client: &'static str,
        time: &'static str,
    },
    /// The end of a batch, that names so many reports too many.
    Told {
        too_many: u64,
    },
    Heard(u64),
    Long(usize),
}

fn cases() -> impl Strategy<Value = Case> {
    let words = vec(word(), 0..25).prop_map(|words| as_said(&words));
    let pieces = (words, Changes::up_to(2, WORDS), Cuts::up_to(10))
        .prop_map(|(words, changes, cuts)| cuts.of(&changes.to(&words)));
    let chance = |percent| Chance { percent, seed: 1 };
    let weather = prop_oneof![
        6 => Just(Fault::default()),
        2 => Just(Fault { dup: chance(100.0), ..Fault::default() }),
        2 => Just(Fault { reorder: chance(50.0), ..Fault::default() }),
        1 => Just(Fault { dup: chance(50.0), reorder: chance(100.0), throttle: 1_000_000, ..Fault::default() }),
    ];
    (pieces, 0_usize..8, weather).prop_map(|(pieces, own, weather)| Case { pieces, own, weather })
}

fn word() -> impl Strategy<Value = Word> {
    let skew = prop_oneof![6 => Just(SKEWS[0]), 1 => select(SKEWS)];
    let report =
        (skew, select(CLIENTS), select(TIMES)).prop_map(|(skew, client, time)| Word::Report { skew, client, time });
    let around = (REPORT_BYTES_MAX - 2)..(REPORT_BYTES_MAX + 3);
    prop_oneof![
        10 => report,
        4 => prop_oneof![3 => Just(0), 1 => 1_u64..3].prop_map(|too_many| Word::Told { too_many }),
        2 => (0_u64..5).prop_map(Word::Heard),
        1 => prop_oneof![4 => around, 1 => Just(70_000_usize)].prop_map(Word::Long),
    ]
}

fn as_said(words: &[Word]) -> Vec<u8> {
    let mut said = String::from("HEARD 0\n");
    let (mut edition, mut batch) = (0, Vec::new());
    for word in words {
        match word {
            Word::Report { skew, client, time } => {
                said += &format!("AT Bona {skew} {client} +1-1 {time}\n");
                edition += 1;
                batch.push(client);
            }
            Word::Told { too_many } => {
                batch.sort_unstable();
                batch.dedup();
                said += &format!("TOLD {edition} {}\n", batch.len() as u64 + too_many);
                batch.clear();
            }
            Word::Heard(edition) => said += &format!("HEARD {edition}\n"),
            Word::Long(length) => {
                let (head, tail) = ("AT Bona +0.000000000 ", " +1-1 5");
                said += &format!("{head}{}{tail}\n", "x".repeat(length - head.len() - tail.len()));
                edition += 1;
            }
        }
    }
    said.into_bytes()
}

#[test]
fn a_server_knows_what_the_model_knows_however_its_neighbours_bytes_are_cut() {
    super::run("link", &cases(), |case| talk(&case, Model::new(REPORT_BYTES_MAX, 0)));
}

#[test]
fn a_report_too_long_by_one_byte_is_found_out() {
    super::assert_found_out("a limit that is one byte off", &cases(), |case| {
        talk(&case, Model::new(REPORT_BYTES_MAX - 1, 0))
    });
}

#[test]
fn a_batch_that_is_skipped_is_found_out() {
    super::assert_found_out("a batch skipped on resume", &cases(), |case| talk(&case, Model::new(REPORT_BYTES_MAX, 1)));
}

/// Plays Bona, who has proved herself to the real Clark.
fn talk(case: &Case, mut model: Model) -> TestCaseResult {
    let (herd, _) = Herd::two_without("Bona", |config| {
        config.limits.line_bytes_max = LINE_BYTES_MAX;
        config.ack = Ack::Sent;
    });
    herd.fault("Bona", "Clark", case.weather);
    let (mut bona, mut other) = (prove(&herd), herd.client("Clark"));
    let mut phone = herd.client("Clark");
    for (number, Said(piece)) in case.pieces.iter().enumerate() {
        // It may have been sent away already.
        let _ = bona.stream.write_all(piece);
        // Whoever says something later is answered later: by then the piece has been read.
        if other.ask("x") != "? x\n" {
            return Err(wrong("a client is not answered"));
        }
        if number == case.own {
            phone.say("IAMAT own +1-1 6\n");
        }
    }
    let _ = bona.stream.shutdown(Shutdown::Write);
    let mut said = Vec::new();
    // Sent away with something unread, it sees a reset.
    let _ = bona.stream.read_to_end(&mut said);
    let own = if case.own < case.pieces.len() { phone.hear() } else { String::new() };
    Report::parse(own.trim_end().as_bytes()).map(|report| model.atlas.learn(report, Source::CLIENT));
    let is_breach = model.hear(&Said::whole(&case.pieces)).is_err();
    model.is_as_said(&said, &own, is_breach)?;
    let mut log = String::new();
    wait_until("the log to say why", || {
        log = herd.log("Clark");
        log.contains("link Bona down: ")
    });
    if log.contains("down: said what no neighbour says") != is_breach {
        return Err(wrong(format!(
            "the model says {is_breach} of a breach, and the log: {}",
            log.lines().last().unwrap_or_default()
        )));
    }
    // What overtook the breach has been learnt.
    let is_exact = !is_breach || case.weather.reorder == Chance::default();
    if is_exact { model.agrees_with(&herd) } else { Ok(()) }
}

fn prove(herd: &Herd) -> Client {
    let me = Identity { herd: "test", server: "Bona", run: 7, secret: herd.secret(), also: None };
    let dialing = Dialing::new(me, "Clark", [1; 16]);
    let mut bona = herd.client("Clark");
    let answer = bona.ask(dialing.hello());
    let (_, proof) = dialing.hear(answer.trim_end().as_bytes()).unwrap();
    bona.say(format!("{proof}\n"));
    assert_eq!(bona.hear(), "HEARD 0\n");
    bona
}

/// What a server must know, and may say.
struct Model {
    link: Link,
    atlas: Atlas,
    report_bytes_max: usize,
    /// How much had been heard after each line.
    heard: Vec<u64>,
}

impl Model {
    /// One that has heard so much of Bona in her present run.
    fn new(report_bytes_max: usize, heard: u64) -> Self {
        Self { link: Link::new(Source::link(1), heard), atlas: Atlas::new(), report_bytes_max, heard: vec![heard] }
    }

    fn hear(&mut self, said: &[u8]) -> Result<(), Breach> {
        for line in said.split_inclusive(|&byte| byte == b'\n') {
            let whole = line.strip_suffix(b"\n");
            if whole.unwrap_or(line).len() > self.report_bytes_max {
                return Err(Breach);
            }
            let Some(line) = whole else { break };
            self.link.hear(line, &mut self.atlas)?;
            self.heard.push(self.link.heard());
        }
        Ok(())
    }

    /// Whether what Clark says is what he may say: how much he has heard, and of reports his client's alone.
    fn is_as_said(&self, said: &[u8], own: &str, is_breach: bool) -> TestCaseResult {
        let (mut reports, mut heard) = (0, self.heard[0]);
        for line in String::from_utf8_lossy(said).split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            match line.trim_end().split(' ').collect::<Vec<_>>()[..] {
                ["HEARD", edition] => {
                    let edition = edition.parse().map_err(|_| wrong(format!("says {line:?}")))?;
                    if edition < heard || !self.heard.contains(&edition) {
                        return Err(wrong(format!("says {line:?} and has heard {:?}", self.heard)));
                    }
                    heard = edition;
                }
                ["TOLD", _, lines] if lines == reports.to_string() => reports = 0,
                ["AT", ..] if line == own => reports += 1,
                _ => return Err(wrong(format!("says {line:?} after {reports} reports"))),
            }
        }
        let last = self.heard[self.heard.len() - 1];
        // A neighbour that is sent away may not be told.
        if heard == last || is_breach { Ok(()) } else { Err(wrong(format!("says that it heard {heard}, of {last}"))) }
    }

    fn agrees_with(&self, herd: &Herd) -> TestCaseResult {
        use std::sync::atomic::Ordering::Relaxed;
        let clark = herd.vitals("Clark");
        let found = (clark.knows.load(Relaxed), clark.digest.load(Relaxed));
        let due = (self.atlas.len() as u64, self.atlas.digest());
        if found == due { Ok(()) } else { Err(wrong(format!("knows {found:?} and not {due:?}"))) }
    }
}
