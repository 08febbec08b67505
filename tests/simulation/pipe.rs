//! One direction of a connection: lines on their way, first in, first out, and perhaps an end.

use std::collections::VecDeque;

use super::plan::Millis;
use super::rng::Rng;

#[derive(Default)]
pub struct Pipe {
    lines: VecDeque<(Millis, Vec<u8>)>,
    /// Nothing more will come: whoever has read the rest finds the end, from then on.
    ended: Option<Millis>,
    /// Whether its next delivery is on the agenda.
    pub awaited: bool,
}

impl Pipe {
    /// Sends a line that arrives at `due`, or later where one before it does.
    pub fn send(&mut self, due: Millis, line: &[u8]) {
        if self.ended.is_none() {
            let due = self.lines.back().map_or(due, |&(before, _)| due.max(before));
            self.lines.push_back((due, line.to_vec()));
        }
    }

    /// The next line that has arrived.
    pub fn receive(&mut self, now: Millis) -> Option<Vec<u8>> {
        self.lines.front().filter(|&&(due, _)| due <= now)?;
        self.lines.pop_front().map(|(_, line)| line)
    }

    /// When there is something to read, if ever: a line or the end.
    pub fn next_due(&self, now: Millis) -> Option<Millis> {
        self.lines.front().map(|&(due, _)| due).or(self.ended).map(|due| due.max(now))
    }

    pub fn has_ended(&self, now: Millis) -> bool {
        self.lines.is_empty() && self.ended.is_some_and(|ended| ended <= now)
    }

    /// Whoever speaks into this has closed its side, or died. What it had said arrives, and then the end, at once or
    /// only after the other side has dialled anew. But if it has `unread` input, its kernel resets the connection, and
    /// of what is on its way nothing arrives but perhaps a beginning.
    pub fn close(&mut self, now: Millis, unread: bool, rng: &mut Rng) {
        if self.ended.is_some() {
            return;
        }
        if unread {
            let kept = if rng.percent(50) { 0 } else { rng.index(self.lines.len() + 1) };
            self.lines.truncate(kept);
        }
        self.ended = Some(now + if rng.percent(30) { rng.below(2_000) } else { 0 });
    }

    /// Whoever speaks into this has lost its power: what has not arrived is gone. Says how many lines that were.
    pub fn reset(&mut self, now: Millis) -> u64 {
        if self.ended.replace(now).is_some() {
            return 0;
        }
        let arrived = self.lines.iter().take_while(|&&(due, _)| due <= now).count();
        self.lines.drain(arrived..).count() as u64
    }

    /// Nobody reads this any more. Says whether something was there to read.
    pub fn drop_all(&mut self, now: Millis) -> bool {
        self.ended.get_or_insert(now);
        !std::mem::take(&mut self.lines).is_empty()
    }

    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|(_, line)| line.as_slice())
    }
}
