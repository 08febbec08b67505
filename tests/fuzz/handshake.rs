//! A neighbour's bytes before the proof, to a real server over a real socket, in any pieces: one that answers a hello, and
//! one that has said its own. Only the right proof makes a link, and only over a link is anything learnt.
//!
//! What is right is worked out here once more, from the bytes that were really said.

use std::io::Write;
use std::net::Shutdown;

use herdctl::limits;
use herdctl::protocol::hello::is_hello;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use sha2::Sha256;

use super::bytes::{Changes, Cuts, Said};
use super::wrong;
use crate::support::{Client, Herd, canary};

const WORDS: &[&[u8]] = &[
    b"PEER ",
    b"PEER 1 ",
    b" test ",
    b" Bona ",
    b" Clark ",
    b" Bona Clark ",
    b"PROOF ",
    b"? ",
    b"0",
    b"f",
    b"\xff",
    b"AT ",
    b"01010101010101010101010101010101",
    b"18446744073709551615",
    &[b'x'; limits::HELLO_BYTES_MAX],
];
/// What is said after the proof, and what of it must not be heard without one.
const AFTER: &[u8] = b"HEARD 0\nAT Mallory +0.000000000 evil +1-1 5\nTOLD 1 1\n";

#[derive(Debug, Clone)]
struct Case {
    run: u64,
    nonce: u128,
    /// What is done to the first line that is said...
    first: Changes,
    /// ... and to the second.
    second: Changes,
    /// The other's own proof is said for the right one.
    reflects: bool,
    cuts: Cuts,
}

/// The key that the stranger has, and the key that the model calls right.
#[derive(Clone, Copy)]
struct Keys {
    used: &'static [u8],
    right: &'static [u8],
}

const RIGHT: Keys = Keys { used: canary::SECRET, right: canary::SECRET };
const OTHER: &[u8] = b"another secret";

fn cases() -> impl Strategy<Value = Case> {
    let changes = || Changes::up_to(3, WORDS);
    let run = select(vec![0, 1, 7, u64::MAX]);
    (run, any::<u128>(), changes(), changes(), prop::bool::weighted(0.1), Cuts::up_to(6))
        .prop_map(|(run, nonce, first, second, reflects, cuts)| Case { run, nonce, first, second, reflects, cuts })
}

#[test]
fn only_the_right_proof_makes_a_link_with_a_server_that_is_dialled() {
    super::run("handshake::only_the_right_proof_makes_a_link_with_a_server_that_is_dialled", &cases(), |case| {
        dial(&case, RIGHT)
    });
}

#[test]
fn only_the_right_proof_makes_a_link_with_a_server_that_dials() {
    super::run("handshake::only_the_right_proof_makes_a_link_with_a_server_that_dials", &cases(), |case| {
        answer(&case, RIGHT)
    });
}

#[test]
fn a_server_that_refuses_the_right_proof_is_found_out() {
    let other = Keys { used: OTHER, right: OTHER };
    super::assert_found_out("a right proof refused by a dialled server", &cases(), |case| dial(&case, other));
    super::assert_found_out("a right proof refused by a dialling server", &cases(), |case| answer(&case, other));
}

#[test]
fn a_server_that_takes_a_wrong_proof_is_found_out() {
    let wrong = Keys { right: OTHER, ..RIGHT };
    super::assert_found_out("a wrong proof taken by a dialled server", &cases(), |case| dial(&case, wrong));
    super::assert_found_out("a wrong proof taken by a dialling server", &cases(), |case| answer(&case, wrong));
}

/// Plays Bona, who dials the real Clark.
fn dial(case: &Case, keys: Keys) -> TestCaseResult {
    let (herd, _) = Herd::two_without("Bona", |_| {});
    let mut stranger = Stranger::new(&herd, "Clark", Client::connect(herd.address("Clark")), &case.cuts);
    let hello = line(&case.first.to(&case.hello("Bona", "Clark")));
    stranger.say(&hello, b"")?;
    let answer = stranger.client.hear();
    if !is_right_hello(&hello) {
        stranger.is(&answer, &refused(&hello))?;
        return stranger.ends_without_a_link(is_hello(&hello) && hello.len() <= limits::HELLO_BYTES_MAX);
    }
    let Some((theirs, proof)) = answer.trim_end().rsplit_once(' ') else { return Err(wrong("no proof")) };
    let good = format!("PROOF {}", mac(keys.used, "dialer", &hello, theirs.as_bytes()));
    let said = if case.reflects { format!("PROOF {proof}") } else { good };
    let said = line(&case.second.to(said.as_bytes()));
    stranger.say(&said, AFTER)?;
    let right = format!("PROOF {}", mac(keys.right, "dialer", &hello, theirs.as_bytes()));
    if is_same(&said, &right) {
        stranger.is(proof, &mac(keys.right, "listener", &hello, theirs.as_bytes()))?;
        return stranger.has_a_link();
    }
    if said.len() <= limits::HELLO_BYTES_MAX {
        let answer = stranger.client.hear();
        stranger.is(&answer, &refused(&said))?;
    }
    stranger.ends_without_a_link(true)
}

/// Plays Clark, whom the real Bona dials.
fn answer(case: &Case, keys: Keys) -> TestCaseResult {
    let (herd, listener) = Herd::two_without("Clark", |_| {});
    let client = Client::of(listener.accept().unwrap().0);
    let mut stranger = Stranger::new(&herd, "Bona", client, &case.cuts);
    let theirs = stranger.client.hear();
    let (theirs, hello) = (theirs.trim_end().as_bytes(), case.hello("Clark", "Bona"));
    let with_proof = |key| [&hello[..], mac(key, "listener", theirs, &hello).as_bytes()].join(&b' ');
    let said = line(&case.first.to(&with_proof(keys.used)));
    stranger.say(&said, AFTER)?;
    if is_same(&said, &String::from_utf8_lossy(&with_proof(keys.right))) {
        let proof = stranger.client.hear();
        stranger.is(&proof, &format!("PROOF {}\n", mac(keys.right, "dialer", theirs, &hello)))?;
        return stranger.has_a_link();
    }
    stranger.ends_without_a_link(true)
}

impl Case {
    fn hello(&self, from: &str, to: &str) -> Vec<u8> {
        format!("PEER 1 test {from} {to} {} {:032x}", self.run, self.nonce).into_bytes()
    }
}

/// One that means to be a neighbour.
struct Stranger<'a> {
    herd: &'a Herd,
    server: &'static str,
    client: Client,
    /// A client like any other.
    other: Client,
    cuts: &'a Cuts,
}

impl<'a> Stranger<'a> {
    fn new(herd: &'a Herd, server: &'static str, client: Client, cuts: &'a Cuts) -> Self {
        Self { herd, server, client, other: herd.client(server), cuts }
    }

    /// Says a line and what follows it, in pieces; whoever else asks is answered meanwhile.
    fn say(&mut self, line: &[u8], after: &[u8]) -> TestCaseResult {
        for Said(piece) in self.cuts.of(&[line, b"\n", after].concat()) {
            // It may have been sent away already.
            let _ = self.client.stream.write_all(&piece);
            let answer = self.other.ask("x");
            self.is(&answer, "? x\n")?;
        }
        Ok(())
    }

    fn is(&self, found: &str, due: &str) -> TestCaseResult {
        if found == due { Ok(()) } else { Err(wrong(format!("{} says {found:?} and not {due:?}", self.server))) }
    }

    fn has_a_link(mut self) -> TestCaseResult {
        // The first is left out where the second is already due.
        let first = self.client.hear();
        let last = if first == "HEARD 0\n" { self.client.hear() } else { first };
        self.is(&last, "HEARD 1\n")?;
        let links = self.herd.vitals(self.server).links_live();
        if links != 1 {
            return Err(wrong(format!("{links} links")));
        }
        let answer = self.other.ask("WHATSAT evil 10 0");
        self.is(&answer, "AT Mallory +0.000000000 evil +1-1 5\n")
    }

    /// It hears nothing more; and if `is_sent_away`, that is the server's doing.
    fn ends_without_a_link(mut self, is_sent_away: bool) -> TestCaseResult {
        if !is_sent_away {
            // It is a client, whose lines are all wrong.
            let _ = self.client.stream.write_all(AFTER);
            for due in ["? HEARD 0\n", "? AT Mallory +0.000000000 evil +1-1 5\n", "? TOLD 1 1\n"] {
                let found = self.client.hear();
                self.is(&found, due)?;
            }
        }
        let _ = self.client.stream.shutdown(Shutdown::Write);
        if !self.client.is_gone() {
            return Err(wrong("more is said to a stranger"));
        }
        let links = self.herd.vitals(self.server).links_live();
        if links != 0 {
            return Err(wrong("there is a link"));
        }
        let answer = self.other.ask("WHATSAT evil 10 0");
        self.is(&answer, "? WHATSAT evil 10 0\n")
    }
}

/// One line of it, for what follows another LF would be another line.
fn line(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|&byte| byte != b'\n').collect()
}

/// What a client is shown of a line that is refused.
fn refused(line: &[u8]) -> String {
    format!("? {}\n", String::from_utf8_lossy(line))
}

fn is_right_hello(line: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(line) else { return false };
    let ["PEER", "1", "test", "Bona", "Clark", run, nonce] = text.split(' ').collect::<Vec<_>>()[..] else {
        return false;
    };
    let is_run = !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_digit()) && run.parse::<u64>().is_ok();
    is_run && nonce.len() == 32 && is_hello(line) && line.len() <= limits::HELLO_BYTES_MAX
}

/// Whether a line with a proof at its end is the right one; of a proof, the case does not matter.
fn is_same(said: &[u8], right: &str) -> bool {
    let (start, proof) = right.rsplit_once(' ').expect("a line with a proof");
    said.strip_prefix(start.as_bytes())
        .and_then(|rest| rest.strip_prefix(b" "))
        .is_some_and(|said| said.eq_ignore_ascii_case(proof.as_bytes()))
}

fn mac(key: &[u8], role: &str, dialer: &[u8], listener: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    let said = [role.as_bytes(), dialer, listener, b""].join(&b'\n');
    hex(&mac.chain_update(said).finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
