//! When an `IAMAT` may be answered: once the edition that holds its report is safe enough.
//!
//! One number, `released`: answers that wait for an edition up to it may be written. It follows what neighbours have
//! said they heard (`ack = "heard"`) or what their sockets have taken (`ack = "sent"`); with no live link there is
//! nobody to wait for; and nobody waits longer than [`limits::CONFIRM_MAX`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::Notify;

use crate::config::Ack;
use crate::limits;
use crate::protocol::atlas::{Edition, Source};

pub(super) struct Confirmations {
    ack: Ack,
    /// Up to here a neighbour has said that it heard.
    heard: Cell<Edition>,
    /// Up to here the wait is over, heard or not.
    overdue: Cell<Edition>,
    /// The live links, and up to where the socket of each has taken the atlas.
    live: RefCell<Vec<(Source, Edition)>>,
    /// Rung whenever `released` may have moved.
    pub(super) moved: Notify,
}

impl Confirmations {
    pub(super) fn new(ack: Ack) -> Self {
        Self { ack, heard: Cell::new(0), overdue: Cell::new(0), live: RefCell::default(), moved: Notify::new() }
    }

    /// Answers that wait for an edition up to this one may be written.
    pub(super) fn released(&self) -> Edition {
        let live = self.live.borrow();
        let sent = live.iter().map(|&(_, sent)| sent).min();
        match (sent, self.ack) {
            (None, _) => Edition::MAX,
            (Some(_), Ack::Heard) => self.heard.get().max(self.overdue.get()),
            (Some(sent), Ack::Sent) => sent.max(self.overdue.get()),
        }
    }

    /// Whether the wait for `edition` ended because it had been long enough, and for no better reason.
    pub(super) fn gave_up_on(&self, edition: Edition) -> bool {
        let confirmed = match self.ack {
            Ack::Heard => self.heard.get(),
            Ack::Sent => self.live.borrow().iter().map(|&(_, sent)| sent).min().unwrap_or(Edition::MAX),
        };
        confirmed < edition && edition <= self.overdue.get()
    }

    /// A neighbour has said that it heard up to `edition`.
    pub(super) fn heard(&self, edition: Edition) {
        if edition > self.heard.get() {
            self.heard.set(edition);
            self.moved.notify_waiters();
        }
    }

    /// The socket of a link has taken the atlas up to `edition`, as far as the kernel takes anything.
    pub(super) fn sent(&self, link: Source, edition: Edition) {
        let mut live = self.live.borrow_mut();
        if let Some((_, sent)) = live.iter_mut().find(|(id, _)| *id == link)
            && *sent != edition
        {
            *sent = edition;
            self.moved.notify_waiters();
        }
    }

    pub(super) fn link_up(&self, link: Source) {
        self.live.borrow_mut().push((link, 0));
    }

    pub(super) fn link_down(&self, link: Source) {
        self.live.borrow_mut().retain(|&(id, _)| id != link);
        self.moved.notify_waiters();
    }
}

/// Remembers when which edition was there, in steps of a tenth of the longest wait.
#[derive(Default)]
pub(super) struct Patience {
    seen: VecDeque<(Instant, Edition)>,
}

impl Patience {
    /// Notes that `edition` is there and, while `waiting`, not confirmed; ends the wait for what is overdue.
    pub(super) fn look(&mut self, now: Instant, edition: Edition, confirmations: &Confirmations) {
        if edition <= confirmations.released() {
            self.seen.clear();
            return;
        }
        self.seen.push_back((now, edition));
        while let Some(&(at, edition)) = self.seen.front()
            && now.duration_since(at) >= limits::CONFIRM_MAX
        {
            self.seen.pop_front();
            confirmations.overdue.set(edition.max(confirmations.overdue.get()));
            confirmations.moved.notify_waiters();
        }
    }

    /// Whether there is nothing to be patient about.
    pub(super) fn is_idle(&self) -> bool {
        self.seen.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_no_link_nobody_is_waited_for() {
        let confirmations = Confirmations::new(Ack::Heard);
        assert_eq!(confirmations.released(), Edition::MAX);
        confirmations.link_up(Source::link(1));
        assert_eq!(confirmations.released(), 0);
        confirmations.link_down(Source::link(1));
        assert_eq!(confirmations.released(), Edition::MAX);
    }

    #[test]
    fn one_neighbour_that_heard_is_enough_and_all_must_have_been_sent() {
        let (first, second) = (Source::link(1), Source::link(2));
        for (ack, released) in [(Ack::Heard, 7), (Ack::Sent, 3)] {
            let confirmations = Confirmations::new(ack);
            confirmations.link_up(first);
            confirmations.link_up(second);
            confirmations.heard(7);
            confirmations.heard(5);
            confirmations.sent(first, 9);
            confirmations.sent(second, 3);
            assert_eq!(confirmations.released(), released, "{ack:?}");
        }
    }

    #[test]
    fn a_neighbour_that_says_nothing_is_waited_for_only_so_long() {
        let confirmations = Confirmations::new(Ack::Heard);
        confirmations.link_up(Source::link(1));
        let (mut patience, start) = (Patience::default(), Instant::now());
        patience.look(start, 4, &confirmations);
        patience.look(start + limits::CONFIRM_MAX / 2, 6, &confirmations);
        assert_eq!(confirmations.released(), 0);
        patience.look(start + limits::CONFIRM_MAX, 9, &confirmations);
        assert_eq!(confirmations.released(), 4);
        assert!(confirmations.gave_up_on(4) && !confirmations.gave_up_on(5));
        confirmations.heard(9);
        patience.look(start + limits::CONFIRM_MAX, 9, &confirmations);
        assert!(patience.is_idle() && !confirmations.gave_up_on(4));
    }
}
