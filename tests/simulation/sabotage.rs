//! Proof that the simulation can fail: each of these is a mistake that the code could make, made in the
//! simulated world instead, and found out (see the tests that name them).

use herdctl::protocol::atlas::{Atlas, Source};
use herdctl::protocol::line::Report;

use super::witness;

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
    /// A batch is said to be heard when only its first report is here.
    HeardTooSoon,
    /// An answer does not wait for a neighbour.
    AnswerTooSoon,
    /// An end that goes back does not mark the place.
    NoMark,
    /// A report is told back over the connection on which it came.
    TellBack,
}

/// An atlas that has taken `older` although it knew better, with every edition where it was.
pub fn atlas_that_took(older: &[u8], atlas: &Atlas) -> Atlas {
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
