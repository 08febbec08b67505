//! When an `IAMAT` may be answered: once the edition that holds its report is safe enough.
//!
//! One number, `released`: answers that wait for an edition up to it may be written. It follows what neighbours have
//! said they heard (`ack = "heard"`, and as many of them as `heard` says) or what their sockets have taken (`ack =
//! "sent"`); whoever is not linked is not waited for, so with no live link nobody is; and nobody waits longer than
//! [`limits::CONFIRM_MAX`].
//!
//! With `ack = "stored"` the archive must have it besides, and for that there is no longest wait: an answer that says
//! "on the disk" when the disk is full would be a lie, and somebody chose this level because of that.
//!
//! Pure but for those it wakes, so that the simulation of whole herds answers by these rules and by no others.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::config::Ack;
use crate::limits;
use crate::protocol::atlas::{Edition, Source};

/// What a server knows of who has what, and so which answers may be written.
pub struct Confirmations {
    ack: Ack,
    /// So many neighbours must have heard, or all that are linked, if those are fewer.
    heard: usize,
    /// Up to here the wait for neighbours is over, heard or not.
    overdue: Cell<Edition>,
    /// Up to here the archive has the atlas.
    stored: Cell<Edition>,
    /// One a neighbour, in the order of what they have heard, most first.
    live: RefCell<Vec<Live>>,
    /// Who waits for `released` to reach an edition. Only they are woken: a busy server has many that wait for later ones.
    waiting: RefCell<BTreeMap<(Edition, Ticket), Waker>>,
    tickets: Cell<Ticket>,
}

/// Tells those apart who wait for the same edition.
type Ticket = u64;

/// A live link. What its neighbour has said goes with it: it may come back and know nothing.
struct Live {
    id: Source,
    neighbour: usize,
    /// Up to here its socket has taken the atlas.
    sent: Edition,
    /// Up to here the neighbour has said that it heard.
    heard: Edition,
}

impl Confirmations {
    /// Of a server that has no link yet, and has stored nothing.
    #[must_use]
    pub fn new(ack: Ack, heard: usize) -> Self {
        let (overdue, stored) = (Cell::new(0), Cell::new(0));
        let (waiting, tickets) = (RefCell::default(), Cell::new(0));
        Self { ack, heard, overdue, stored, live: RefCell::default(), waiting, tickets }
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

    /// Waits until answers for `edition` may be written. What had been released need not be any more when it is looked at.
    #[must_use]
    pub fn release_of(&self, edition: Edition) -> Release<'_> {
        self.tickets.update(|ticket| ticket + 1);
        Release { confirmations: self, place: (edition, self.tickets.get()) }
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
            Ack::Heard | Ack::Stored => live[..self.heard.min(live.len())].last().map(|link| link.heard),
            Ack::Sent => live.iter().map(|link| link.sent).min(),
        };
        confirmed.unwrap_or(Edition::MAX)
    }

    /// The neighbour at the other end of a link has said that it heard up to `edition`.
    pub fn heard(&self, link: Source, edition: Edition) {
        if self.advance(link, |live| &mut live.heard, edition) {
            self.live.borrow_mut().sort_unstable_by_key(|live| Reverse(live.heard));
            self.wake();
        }
    }

    /// The socket of a link has taken the atlas up to `edition`, as far as the kernel takes anything.
    pub fn sent(&self, link: Source, edition: Edition) {
        if self.advance(link, |live| &mut live.sent, edition) && self.ack == Ack::Sent {
            self.wake();
        }
    }

    /// The archive has the atlas up to `edition`.
    pub fn stored(&self, edition: Edition) {
        if self.stored.replace(edition) != edition {
            self.wake();
        }
    }

    /// A link to a neighbour, by its number, is live. It has not said anything yet; and what it said over an older
    /// link, which has yet to end, does not count twice.
    pub fn link_up(&self, neighbour: usize, id: Source) {
        let mut live = self.live.borrow_mut();
        live.retain(|live| live.neighbour != neighbour);
        live.push(Live { id, neighbour, sent: 0, heard: 0 });
    }

    /// Nobody waits for this link any more.
    pub fn link_down(&self, link: Source) {
        self.live.borrow_mut().retain(|live| live.id != link);
        self.wake();
    }

    /// Says whether that is another number than before.
    fn advance(&self, link: Source, number: impl Fn(&mut Live) -> &mut Edition, edition: Edition) -> bool {
        let mut live = self.live.borrow_mut();
        let link = live.iter_mut().find(|live| live.id == link);
        link.is_some_and(|link| std::mem::replace(number(link), edition) != edition)
    }

    /// Wakes whoever need not wait any longer.
    fn wake(&self) {
        let (released, mut waiting) = (self.released(), self.waiting.borrow_mut());
        while let Some(first) = waiting.first_entry()
            && first.key().0 <= released
        {
            first.remove().wake();
        }
    }
}

/// See [`Confirmations::release_of`].
pub struct Release<'a> {
    confirmations: &'a Confirmations,
    place: (Edition, Ticket),
}

impl Future for Release<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.place.0 <= self.confirmations.released() {
            return Poll::Ready(());
        }
        self.confirmations.waiting.borrow_mut().insert(self.place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.confirmations.waiting.borrow_mut().remove(&self.place);
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
            confirmations.wake();
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
        let confirmations = Confirmations::new(Ack::Heard, 1);
        assert_eq!(confirmations.released(), Edition::MAX);
        confirmations.link_up(0, Source::link(1));
        assert_eq!(confirmations.released(), 0);
        confirmations.link_down(Source::link(1));
        assert_eq!(confirmations.released(), Edition::MAX);
    }

    #[test]
    fn one_neighbour_that_heard_is_enough_and_all_must_have_been_sent() {
        let (first, second) = (Source::link(1), Source::link(2));
        for (ack, released) in [(Ack::Heard, 7), (Ack::Sent, 3)] {
            let confirmations = Confirmations::new(ack, 1);
            confirmations.link_up(0, first);
            confirmations.link_up(1, second);
            confirmations.heard(first, 7);
            confirmations.heard(second, 5);
            confirmations.sent(first, 9);
            confirmations.sent(second, 3);
            assert_eq!(confirmations.released(), released, "{ack:?}");
        }
    }

    #[test]
    fn a_neighbour_that_says_nothing_is_waited_for_only_so_long() {
        let confirmations = Confirmations::new(Ack::Heard, 1);
        confirmations.link_up(0, Source::link(1));
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
        let confirmations = Confirmations::new(Ack::Heard, 1);
        confirmations.link_up(0, first);
        confirmations.heard(first, 7);
        confirmations.link_down(first);
        confirmations.link_up(0, again);
        assert_eq!(confirmations.released(), 0, "it may have been started anew, and know nothing");
        confirmations.heard(again, 7);
        assert_eq!(confirmations.released(), 7);
    }

    #[test]
    fn as_many_neighbours_as_heard_says_or_as_are_linked() {
        let links = [1, 2, 3].map(Source::link);
        for (heard, released) in [(1, [7, 9, 9]), (2, [7, 7, 7]), (3, [7, 7, 5]), (9, [7, 7, 5])] {
            let confirmations = Confirmations::new(Ack::Heard, heard);
            for (neighbour, edition) in [7, 9, 5].into_iter().enumerate() {
                confirmations.link_up(neighbour, links[neighbour]);
                confirmations.heard(links[neighbour], edition);
                assert_eq!(confirmations.released(), released[neighbour], "{heard} of {}", neighbour + 1);
            }
            confirmations.link_down(links[1]);
            assert_eq!(confirmations.released(), if heard == 1 { 7 } else { 5 });
        }
    }

    #[test]
    fn a_neighbour_that_is_linked_anew_counts_once() {
        let [one, other, again] = [1, 2, 3].map(Source::link);
        let confirmations = Confirmations::new(Ack::Heard, 2);
        confirmations.link_up(0, one);
        confirmations.link_up(1, other);
        confirmations.heard(one, 7);
        confirmations.link_up(0, again);
        confirmations.heard(again, 7);
        confirmations.heard(one, 8);
        assert_eq!(confirmations.released(), 0, "the other neighbour has nothing");
        confirmations.link_down(one);
        confirmations.heard(other, 6);
        assert_eq!(confirmations.released(), 6);
    }

    #[test]
    fn stored_waits_for_neighbour_and_disk_and_for_the_disk_without_end() {
        let link = Source::link(1);
        let confirmations = Confirmations::new(Ack::Stored, 1);
        assert_eq!(confirmations.released(), 0, "with no neighbour there is still the disk");
        confirmations.link_up(0, link);
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
