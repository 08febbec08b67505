//! How many answered updates are lost when the server that answered them is killed at that moment, or it and a neighbour.
//!
//! Rounds of: a burst of `IAMAT`s to one server, more to its neighbours so that it has input it has not read, a kill
//! as soon as some answers are there, every answer that arrived counted; then the survivors are asked, and, once
//! the server is back, asked again.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use herdctl::config::{Ack, Traffic};
use herdctl::protocol::line::Report;
use herdctl::server::Signal;
use std::sync::atomic::Ordering::Relaxed;

use crate::support::{Client, DEADLINE, Herd, wait_until};

/// Updates in one burst.
const BURST: usize = 64;
const PIECES: usize = 4;

/// What an answer waits for, and who is killed with it: Clark, and perhaps others.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    pub ack: Ack,
    pub heard: usize,
    pub victims: &'static [&'static str],
}

/// What became of the answered updates of some kills.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Losses {
    pub kills: u64,
    /// `AT` answers that arrived, before the kill or after it.
    pub answered: u64,
    /// Of these, unknown to the survivors.
    pub lost_while_down: u64,
    /// Of these, still unknown when the server was back and all agreed.
    pub lost: u64,
    /// Answers that the server gave without a confirmation because its patience was over.
    pub unconfirmed: u64,
}

/// Kills the victims, of the herd of five, so many times.
pub fn of_kills(level: Level, kills: u64, signal: Signal) -> Losses {
    let mut herd = Herd::five_with(|config| {
        (config.ack, config.heard) = (level.ack, level.heard);
        config.log.traffic = Traffic::Off;
        if level.ack == Ack::Stored {
            config.archive = Some(herdctl::config::Archive { directory: config.directory().join("data") });
        }
    });
    let mut losses = Losses::default();
    for round in 0..kills {
        let answered = round_of(&mut herd, round, level.victims, signal, &mut losses);
        losses.kills += 1;
        losses.answered += answered.len() as u64;
        wait_settled(&herd);
        losses.lost_while_down += unknown(&herd, "Bailey", round, &answered);
        level.victims.iter().for_each(|victim| herd.start(victim));
        herd.wait_linked();
        wait_settled(&herd);
        losses.lost += unknown(&herd, "Bailey", round, &answered);
    }
    losses
}

/// One burst and one kill; the clients whose updates were answered. They are the same clients in every round, at
/// another time, so that the thousandth round is no larger than the first.
fn round_of(herd: &mut Herd, round: u64, victims: &[&str], signal: Signal, losses: &mut Losses) -> BTreeSet<Vec<u8>> {
    let burst = |who: &str, clients: usize| -> String {
        (0..clients).map(|n| format!("IAMAT {who}-{n} +34.068930-118.445127 {}\n", time_of(round))).collect()
    };
    let mut phones = TcpStream::connect(herd.address("Clark")).unwrap();
    phones.set_nodelay(true).unwrap();
    phones.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut others: Vec<Client> = ["Bona", "Jaquez"].iter().map(|name| herd.client(name)).collect();
    for (number, other) in others.iter_mut().enumerate() {
        other.say(burst(&format!("other{number}"), BURST));
    }
    // In pieces, so that some are being heard while others are being answered.
    for piece in 0..PIECES {
        phones.write_all(burst(&format!("kiwi{piece}"), BURST / PIECES).as_bytes()).unwrap();
    }
    // A few answers, another few each time; then at once the kill.
    let mut answers = BufReader::new(phones);
    let mut answered = BTreeSet::new();
    for _ in 0..=(round % 8) {
        hear(&mut answers, &mut answered);
    }
    let unconfirmed = herd.vitals("Clark").unconfirmed.load(Relaxed);
    herd.end_together(victims, signal);
    losses.unconfirmed += unconfirmed;
    while hear(&mut answers, &mut answered) {}
    answered
}

/// Hears one answer; whether there was one.
fn hear(answers: &mut impl BufRead, answered: &mut BTreeSet<Vec<u8>>) -> bool {
    let mut line = Vec::new();
    // A reset takes what was on its way; what has arrived counts.
    if answers.read_until(b'\n', &mut line).is_err() {
        return false;
    }
    let Some(report) = line.strip_suffix(b"\n").and_then(Report::parse) else { return false };
    answered.insert(report.client().to_vec())
}

/// Waits until all servers that run agree, and those that have lost a neighbour know it.
fn wait_settled(herd: &Herd) {
    wait_until("the servers that run to agree", || {
        let mut seen = herd.running().map(|vitals| (vitals.knows.load(Relaxed), vitals.digest.load(Relaxed)));
        let first = seen.next().unwrap();
        herd.links_are_true() && seen.all(|other| other == first)
    });
}

/// When the clients of a round were where they say.
fn time_of(round: u64) -> u64 {
    1_600_000_000 + round
}

/// Of how many of these clients a server does not know where they were in that round.
fn unknown(herd: &Herd, server: &str, round: u64, clients: &BTreeSet<Vec<u8>>) -> u64 {
    let mut asker = herd.client(server);
    let known = format!(" {}\n", time_of(round));
    let mut unknown = 0;
    let questions = clients.iter().flat_map(|client| [b"WHATSAT ", client.as_slice(), b" 1 0\n"].concat());
    asker.say(questions.collect::<Vec<_>>());
    for _ in clients {
        let answer = asker.hear();
        unknown += u64::from(!answer.ends_with(&known));
        if answer.starts_with("AT ") {
            while asker.hear() != "\n" {}
        }
    }
    unknown
}
