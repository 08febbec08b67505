//! When an `IAMAT` may be answered: once the edition that holds its report is safe enough.
//!
//! One number, `released`: answers that wait for an edition up to it may be written. It follows what neighbours have
//! said they heard (`ack = "heard"`) or what their sockets have taken (`ack = "sent"`); with no live link there is
//! nobody to wait for; and nobody waits longer than [`limits::CONFIRM_MAX`].
//!
//! With `ack = "stored"` the archive must have it besides, and for that there is no longest wait: an answer that says
//! "on the disk" when the disk is full would be a lie, and somebody chose this level because of that.
//!
//! Pure but for a bell, so that the simulation of whole herds answers by these rules and by no others.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::Notify;

use crate::config::Ack;
use crate::limits;
use crate::protocol::atlas::{Edition, Source};

/// What a server knows of who has what, and so which answers may be written.
pub struct Confirmations {
    ack: Ack,
    /// Up to here the wait for neighbours is over, heard or not.
    overdue: Cell<Edition>,
    /// Up to here the archive has the atlas.
    stored: Cell<Edition>,
    live: RefCell<Vec<Live>>,
    /// Rung whenever `released` may have moved.
    pub(super) moved: Notify,
}

/// A live link. What its neighbour has said goes with it: it may come back and know nothing.
struct Live {
    id: Source,
    /// Up to here its socket has taken the atlas.
    sent: Edition,
    /// Up to here the neighbour has said that it heard.
    heard: Edition,
}

impl Confirmations {
    /// Of a server that has no link yet, and has stored nothing.
    #[must_use]
    pub fn new(ack: Ack) -> Self {
        Self { ack, overdue: Cell::new(0), stored: Cell::new(0), live: RefCell::default(), moved: Notify::new() }
    }

    /// Answers that wait for an edition up to this one may be written.
    #[must_use]
    pub fn released(&self) -> Edition {
        let by_neighbours = self.confirmed().max(self.overdue.get());
        match self.ack {
            Ack::Stored => by_neighbours.min(self.stored.get()),
            Ack::Heard | Ack::Sent => by_neighbours,
        }
    }

    /// Whether the wait for `edition` ended because it had been long enough, and for no better reason.
    #[must_use]
    pub fn gave_up_on(&self, edition: Edition) -> bool {
        self.confirmed() < edition && edition <= self.overdue.get()
    }

    /// Up to here the neighbours that are there have done what is waited for.
    fn confirmed(&self) -> Edition {
        let live = self.live.borrow();
        let confirmed = match self.ack {
            Ack::Heard | Ack::Stored => live.iter().map(|link| link.heard).max(),
            Ack::Sent => live.iter().map(|link| link.sent).min(),
        };
        confirmed.unwrap_or(Edition::MAX)
    }

    /// The neighbour at the other end of a link has said that it heard up to `edition`.
    pub fn heard(&self, link: Source, edition: Edition) {
        self.advance(link, |live| &mut live.heard, edition);
    }

    /// The socket of a link has taken the atlas up to `edition`, as far as the kernel takes anything.
    pub fn sent(&self, link: Source, edition: Edition) {
        self.advance(link, |live| &mut live.sent, edition);
    }

    /// The archive has the atlas up to `edition`.
    pub fn stored(&self, edition: Edition) {
        if self.stored.replace(edition) != edition {
            self.moved.notify_waiters();
        }
    }

    /// A link is live, whose neighbour has not said anything yet.
    pub fn link_up(&self, id: Source) {
        self.live.borrow_mut().push(Live { id, sent: 0, heard: 0 });
    }

    /// Nobody waits for this link any more.
    pub fn link_down(&self, link: Source) {
        self.live.borrow_mut().retain(|live| live.id != link);
        self.moved.notify_waiters();
    }

    fn advance(&self, link: Source, number: impl Fn(&mut Live) -> &mut Edition, edition: Edition) {
        let mut live = self.live.borrow_mut();
        if let Some(link) = live.iter_mut().find(|live| live.id == link)
            && std::mem::replace(number(link), edition) != edition
        {
            self.moved.notify_waiters();
        }
    }
}

/// Remembers when which edition was there, in steps of a tenth of the longest wait.
#[derive(Default)]
pub struct Patience {
    seen: VecDeque<(Instant, Edition)>,
}

impl Patience {
    /// Notes that `edition` is there and not confirmed by neighbours; ends the wait for what is overdue.
    pub fn look(&mut self, now: Instant, edition: Edition, confirmations: &Confirmations) {
        if edition <= confirmations.confirmed().max(confirmations.overdue.get()) {
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
    #[must_use]
    pub fn is_idle(&self) -> bool {
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
            confirmations.heard(first, 7);
            confirmations.heard(second, 5);
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
        confirmations.heard(Source::link(1), 9);
        patience.look(start + limits::CONFIRM_MAX, 9, &confirmations);
        assert!(patience.is_idle() && !confirmations.gave_up_on(4));
    }

    #[test]
    fn what_a_neighbour_heard_counts_for_as_long_as_it_is_linked() {
        let (first, again) = (Source::link(1), Source::link(2));
        let confirmations = Confirmations::new(Ack::Heard);
        confirmations.link_up(first);
        confirmations.heard(first, 7);
        confirmations.link_down(first);
        confirmations.link_up(again);
        assert_eq!(confirmations.released(), 0, "it may have been started anew, and know nothing");
        confirmations.heard(again, 7);
        assert_eq!(confirmations.released(), 7);
    }

    #[test]
    fn stored_waits_for_neighbour_and_disk_and_for_the_disk_without_end() {
        let link = Source::link(1);
        let confirmations = Confirmations::new(Ack::Stored);
        assert_eq!(confirmations.released(), 0, "with no neighbour there is still the disk");
        confirmations.link_up(link);
        confirmations.stored(5);
        assert_eq!(confirmations.released(), 0);
        confirmations.heard(link, 9);
        assert_eq!(confirmations.released(), 5);
        let (mut patience, start) = (Patience::default(), Instant::now());
        for wait in [0, 1, 100] {
            patience.look(start + limits::CONFIRM_MAX * wait, 9, &confirmations);
            assert!(confirmations.released() == 5 && patience.is_idle() && !confirmations.gave_up_on(9));
        }
        confirmations.link_down(link);
        assert_eq!(confirmations.released(), 5);
    }
}
