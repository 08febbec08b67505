//! Proof that the simulation can fail: each of these is a mistake that the code could make, made in the
//! simulated world instead, and found out (see the tests that name them).

use std::borrow::Cow;

use herdctl::protocol::atlas::{Atlas, Source};
use herdctl::protocol::line::Report;

use super::promise::Checked;
use super::wires::{is_report, is_told, number};
use super::witness::{self, client, is_newer};
use super::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A resumed link claims one report more than it has.
    SkipOneOnResume,
    /// A resumed link claims what it heard of a neighbour that has restarted since.
    ForgetTheRun,
    /// A server takes an older report for news.
    TakeOlder,
    /// The last report of a batch is not said, and not counted either.
    DropTheLast,
    /// A batch counts as whole, whatever came of it.
    IgnoreTheCount,
    /// A batch is said to be heard when only its first report is here.
    HeardTooSoon,
    /// An answer does not wait for a neighbour.
    AnswerTooSoon,
    /// ... or waits for one where it should wait for more.
    AnswerAfterOne,
    /// An end that goes back does not mark the place.
    NoMark,
    /// A report is told back over the connection on which it came.
    TellBack,
    /// What has been handed to the disk counts as stored.
    StoredTooSoon,
    /// ... or what is on the disk of a batch that was cut, although some client has moved meanwhile.
    StoredInPieces,
    /// Who is asked to hold back tells nothing any more.
    HoldForEver,
    /// A started server takes its disk to have been told by itself what was told by the run before.
    ForgetTheArchivesRun,
}

impl World {
    /// What an end hears of a `TOLD` whose count it ignores.
    pub(super) fn miscount<'a>(&mut self, connection: usize, end: usize, line: &'a [u8]) -> Cow<'a, [u8]> {
        if self.sabotage != Some(Sabotage::IgnoreTheCount) {
            return line.into();
        }
        let told_of = &mut self.connections[connection].ends[end].told_of;
        if is_report(line) {
            told_of.insert(client(line).to_vec());
        }
        if !is_told(line) {
            return line.into();
        }
        let [edition, _] = numbers_of(line);
        let lines = std::mem::take(told_of).len();
        format!("TOLD {edition} {lines}").into_bytes().into()
    }

    pub(super) fn sabotage_hearing(&mut self, connection: usize, end: usize, line: &[u8], news: bool) -> Checked {
        let server = self.connections[connection].ends[end].server;
        match self.sabotage {
            Some(Sabotage::TakeOlder) if !news && self.is_old(server, line) => {
                let atlas = self.life_mut(server).node.atlas_mut();
                *atlas = atlas_that_took(line, atlas);
                self.stir(server)
            }
            Some(Sabotage::HeardTooSoon) => {
                let link = self.connections[connection].ends[end].stage.link().expect("it has just heard");
                let too_soon = format!("HEARD {}\n", link.heard() + 1);
                self.write(connection, end, too_soon.as_bytes())
            }
            Some(Sabotage::TellBack) if news => self.write(connection, end, &[line, b"\n"].concat()),
            _ => Ok(()),
        }
    }

    fn is_old(&self, server: usize, line: &[u8]) -> bool {
        self.life(server).witness.of(client(line)).is_some_and(|known| is_newer(&known.line, line))
    }
}

/// An atlas that has taken `older` although it knew better, with every edition where it was.
fn atlas_that_took(older: &[u8], atlas: &Atlas) -> Atlas {
    let mut fallen = Atlas::new();
    let mut learn = |line: &[u8], source| fallen.learn(Report::parse(line).expect("an AT line"), source);
    let client = String::from_utf8_lossy(witness::client(older)).into_owned();
    let mut entries = atlas.after(0).filter(|entry| witness::client(entry.line) != client.as_bytes()).peekable();
    for edition in 1..=atlas.edition() {
        match entries.next_if(|entry| entry.edition == edition) {
            Some(entry) => learn(entry.line, entry.source),
            // In the place of what was superseded: older still.
            None => learn(format!("AT - +0.000000000 {client} +0+0 0.{edition:09}").as_bytes(), Source::CLIENT),
        };
    }
    learn(older, Source::CLIENT);
    fallen
}

/// Takes the last report out of a batch, and the `TOLD` that ends it; gives a `TOLD` that does not count it.
pub fn drop_the_last(lines: &mut Vec<&[u8]>) -> Option<Vec<u8>> {
    let last = lines.iter().rposition(|line| is_report(line))?;
    lines.remove(last);
    let [edition, count] = numbers_of(lines.pop().expect("a TOLD ends a batch"));
    Some(format!("TOLD {edition} {}", count - 1).into_bytes())
}

fn numbers_of(told: &[u8]) -> [u64; 2] {
    let mut words = told.split(|&byte| byte == b' ').skip(1).map(number);
    std::array::from_fn(|_| words.next().expect("two numbers"))
}
