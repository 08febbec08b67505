//! What a server must know, written down a second time and as plainly as can be: a sorted map of the newest
//! reports, compared as numbers and then as bytes. Shares no code with the atlas that it is held against.

use std::collections::BTreeMap;

use herdctl::protocol::atlas::Edition;

/// The newest reports that one server has heard in one run.
#[derive(Clone, Default)]
pub struct Witness {
    newest: BTreeMap<Vec<u8>, Known>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub line: Vec<u8>,
    /// The edition that it made at that server.
    pub edition: Edition,
    /// The neighbour from which it was heard, and its run; `None`: a client's.
    pub from: Option<(usize, u64)>,
}

impl Witness {
    /// Hears a report; says whether it is news.
    pub fn hear(&mut self, line: &[u8], edition: Edition, from: Option<(usize, u64)>) -> bool {
        let news = self.newest.get(client(line)).is_none_or(|known| is_newer(line, &known.line));
        if news {
            self.newest.insert(client(line).to_vec(), Known { line: line.to_vec(), edition, from });
        }
        news
    }

    pub fn of(&self, client: &[u8]) -> Option<&Known> {
        self.newest.get(client)
    }

    pub fn all(&self) -> impl Iterator<Item = (&[u8], &Known)> {
        self.newest.iter().map(|(client, known)| (client.as_slice(), known))
    }

    /// Whether it knows of this report, or of a newer one of that client.
    pub fn covers(&self, line: &[u8]) -> bool {
        self.of(client(line)).is_some_and(|known| !is_newer(line, &known.line))
    }
}

pub fn client(line: &[u8]) -> &[u8] {
    field(line, 3)
}

/// Whether one report of a client is newer than another.
pub fn is_newer(line: &[u8], than: &[u8]) -> bool {
    (nanoseconds(field(line, 5)), line) > (nanoseconds(field(than, 5)), than)
}

fn field(line: &[u8], index: usize) -> &[u8] {
    line.split(|&byte| byte == b' ').nth(index).expect("an AT line has six fields")
}

fn nanoseconds(time: &[u8]) -> u128 {
    let time = std::str::from_utf8(time).expect("digits");
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{whole}{fraction:0<9}").parse().expect("digits")
}
