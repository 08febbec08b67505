//! What the reports of one burst of a neighbour were, to be counted once a burst.

use std::ops::Range;

use super::counts::{self, Counts};
use crate::protocol::line::{Report, Time};
use crate::protocol::link::Effect;

/// What the reports of one burst of a neighbour were.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) learned: u64,
    known: u64,
    stale: u64,
    /// Where the last one that was new stands in the inbox.
    newest: Range<usize>,
}

impl Tally {
    pub(super) fn note(&mut self, effect: Effect, line: Range<usize>) {
        match effect {
            Effect::Learned => {
                self.learned += 1;
                self.newest = line;
            }
            Effect::Known => self.known += 1,
            Effect::Stale => self.stale += 1,
            Effect::Nothing | Effect::Answer | Effect::AnswerLater | Effect::Acknowledged | Effect::GoneBack => {}
        }
    }

    pub(super) fn count(&self, counts: &Counts, now: Time, inbox: &[u8]) {
        counts::add(&counts.accepted_from_neighbours, self.learned);
        counts::add(&counts.known, self.known);
        counts::add(&counts.stale, self.stale);
        let accepted = Report::parse(&inbox[self.newest.clone()]).and_then(|report| report.accepted());
        if let Some(accepted) = accepted {
            counts.convergence.observe(now.since(accepted), 1);
        }
    }
}
