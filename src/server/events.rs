//! What happens in a server, for whoever watches: events with the numbers of their log records, handed to the
//! supervisor through bounded queues.
//!
//! A [`Herald`] never waits: what its queue has no room for is counted, and the count is told. Hops (each report
//! heard, told, answered) are made only while somebody listens to them; with nobody there, that is one relaxed load a
//! burst.
//!
//! The order of all events is exact, although every server hands on its own when it likes. A herald begins a *turn*
//! before it takes numbers and ends it when the events are in the queue; meanwhile its *floor* says below which
//! number nothing more can come. Whoever reads the next number, then the floors, then the queues, has every event
//! below all of them ([`Queue::floor`]).

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use memchr::memchr;
use tokio::sync::Notify;

use super::clock;
use super::record;
use crate::limits;
use crate::protocol::line::Time;

/// One event. Its number is that of the log record that says the same; a hop of a line that is not logged takes
/// one of its own.
#[derive(Debug)]
pub struct Event {
    pub seq: u64,
    pub at: Time,
    pub what: What,
}

/// What happened. A `peer` is an index into [`Config::servers`](crate::config::Config::servers); a `client` is the
/// start of a client's name.
#[derive(Debug)]
pub enum What {
    /// This end calls the link live.
    LinkUp {
        peer: usize,
    },
    LinkDown {
        peer: usize,
        why: String,
    },
    /// There is no link with a neighbour that was dialled, because one of the two does not trust the other.
    LinkRefused {
        peer: usize,
        why: String,
    },
    /// Somebody connected: a client, or a neighbour that has yet to prove itself.
    Connected {
        address: SocketAddr,
    },
    /// A connection is over, or is a neighbour's from here on.
    Gone {
        address: SocketAddr,
        why: String,
    },
    /// A report came, from a neighbour or from a client itself.
    Heard {
        from: Option<usize>,
        client: Box<[u8]>,
        news: News,
    },
    /// A report is told to a neighbour.
    Told {
        peer: usize,
        client: Box<[u8]>,
    },
    /// A client is answered.
    Answered {
        address: SocketAddr,
        client: Option<Box<[u8]>>,
        answer: Answer,
    },
}

/// What a report was to who heard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    New,
    /// The very same was known already: a duplicate, dropped.
    Known,
    /// Something newer is known of this client: stale, dropped.
    Stale,
}

/// What a client was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// `AT …`, to an `IAMAT`.
    Report,
    /// `AT …` and places, to a `WHATSAT`.
    Places,
    /// `? …`
    Refusal,
}

/// What all heralds of a herd share with whoever listens.
#[derive(Debug, Default)]
pub struct Audience {
    wants_hops: AtomicBool,
    /// Hops in the queues of all servers.
    hops_queued: AtomicUsize,
    /// Rung when there is something in a queue.
    bell: Notify,
}

impl Audience {
    /// Has every server produce hops from its next burst on, or no more.
    pub fn want_hops(&self, wants: bool) {
        self.wants_hops.store(wants, Ordering::Relaxed);
    }

    /// Waits until something is told.
    pub async fn told(&self) {
        self.bell.notified().await;
    }

    /// Rings the bell.
    pub fn ring(&self) {
        self.bell.notify_one();
    }
}

/// Hands on what happens in one server. Belongs to that server's thread.
#[derive(Debug, Clone)]
pub struct Herald {
    calm: SyncSender<Event>,
    hops: SyncSender<Vec<Event>>,
    shared: Arc<Shared>,
    audience: Arc<Audience>,
}

/// The other end of a [`Herald`].
#[derive(Debug)]
pub struct Queue {
    calm: Receiver<Event>,
    hops: Receiver<Vec<Event>>,
    shared: Arc<Shared>,
    audience: Arc<Audience>,
}

#[derive(Debug)]
struct Shared {
    /// Below this number no event will come any more; [`NO_TURN`] between turns.
    floor: AtomicU64,
    /// Events that there was no room for.
    missed: AtomicU64,
}

const NO_TURN: u64 = u64::MAX;

/// A herald, and where its events come out.
pub fn queue(audience: Arc<Audience>) -> (Herald, Queue) {
    let (calm, calm_out) = sync_channel(limits::EVENTS_QUEUED_MAX);
    let (hops, hops_out) = sync_channel(limits::HOP_BURSTS_QUEUED_MAX);
    let shared = Arc::new(Shared { floor: AtomicU64::new(NO_TURN), missed: AtomicU64::new(0) });
    let herald = Herald { calm, hops, shared: Arc::clone(&shared), audience: Arc::clone(&audience) };
    (herald, Queue { calm: calm_out, hops: hops_out, shared, audience })
}

impl Herald {
    /// Has `log` log one record, and hands on the event that goes with it, under that record's number.
    pub fn tell(&self, log: impl FnOnce(), what: What) {
        let turn = self.begin();
        log();
        let event = Event { seq: record::latest(), at: clock::now(), what };
        if self.calm.try_send(event).is_err() {
            turn.miss(1);
        }
    }

    /// The hops of a burst that is about to be heard or said, if somebody listens to them.
    pub fn hops(&self) -> Option<Hops<'_>> {
        // In a band of its own, so that the usual way costs one load.
        self.audience.wants_hops.load(Ordering::Relaxed).then(|| Hops::begin(self))
    }

    fn begin(&self) -> Turn<'_> {
        let floor = &self.shared.floor;
        let is_inner = floor.load(Ordering::Relaxed) != NO_TURN;
        if !is_inner {
            floor.store(record::next_number(), Ordering::SeqCst);
        }
        Turn { herald: self, is_inner }
    }
}

/// From before numbers are taken until their events are in the queue.
struct Turn<'a> {
    herald: &'a Herald,
    is_inner: bool,
}

impl Turn<'_> {
    fn miss(&self, events: u64) {
        self.herald.shared.missed.fetch_add(events, Ordering::Relaxed);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_inner {
            self.herald.shared.floor.store(NO_TURN, Ordering::SeqCst);
        }
        self.herald.audience.ring();
    }
}

/// The hops of one burst. Each belongs to a line of it, whose number it gets.
pub struct Hops<'a> {
    turn: Turn<'a>,
    hops: Vec<(u64, What)>,
    /// The line of the burst that is being looked at, counting from 0.
    line: Cell<u64>,
}

impl<'a> Hops<'a> {
    fn begin(herald: &'a Herald) -> Self {
        Self { turn: herald.begin(), hops: Vec::new(), line: Cell::new(0) }
    }

    /// Adds what became of the present line, if anything, and goes on to the next.
    pub fn line(&mut self, what: Option<What>) {
        let line = self.line.replace(self.line.get() + 1);
        self.hops.extend(what.map(|what| (line, what)));
    }

    /// Hands them on. `first` is the number of the burst's first line in the log, if it was logged.
    pub fn send(self, at: Time, first: Option<u64>) {
        let Self { turn, hops, .. } = self;
        if hops.is_empty() {
            return;
        }
        let (audience, count) = (&turn.herald.audience, hops.len());
        let has_room = audience.hops_queued.fetch_add(count, Ordering::Relaxed) < limits::HOPS_QUEUED_MAX;
        let sent = has_room && turn.herald.hops.try_send(numbered(hops, at, first)).is_ok();
        if !sent {
            audience.hops_queued.fetch_sub(count, Ordering::Relaxed);
            turn.miss(count as u64);
        }
    }
}

fn numbered(hops: Vec<(u64, What)>, at: Time, first: Option<u64>) -> Vec<Event> {
    match first {
        Some(first) => hops.into_iter().map(|(line, what)| Event { seq: first + line, at, what }).collect(),
        None => {
            let first = record::next_numbers(hops.len() as u64);
            (first..).zip(hops).map(|(seq, (_, what))| Event { seq, at, what }).collect()
        }
    }
}

impl Queue {
    /// Below this number no event will come that is not in the queue now. To be read after the process's next
    /// number, and before [`take`](Self::take).
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.shared.floor.load(Ordering::SeqCst)
    }

    /// Takes all that there is, and says how many events there was no room for since the last time.
    pub fn take(&self, mut into: impl FnMut(Event)) -> u64 {
        self.calm.try_iter().for_each(&mut into);
        for burst in self.hops.try_iter() {
            self.audience.hops_queued.fetch_sub(burst.len(), Ordering::Relaxed);
            burst.into_iter().for_each(&mut into);
        }
        self.shared.missed.swap(0, Ordering::Relaxed)
    }
}

impl News {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
            Self::Stale => "stale",
        }
    }
}

impl Answer {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Places => "places",
            Self::Refusal => "refusal",
        }
    }
}

/// The client that an `AT` line names; nothing for any other line.
pub(super) fn client_of(line: &[u8]) -> Option<Box<[u8]>> {
    let mut rest = line.strip_prefix(b"AT ")?;
    for _server_and_skew in 0..2 {
        rest = &rest[memchr(b' ', rest)? + 1..];
    }
    Some(name(&rest[..memchr(b' ', rest)?]))
}

/// A client's name, as far as an event holds it.
pub(super) fn name(client: &[u8]) -> Box<[u8]> {
    client[..client.len().min(limits::EVENT_CLIENT_BYTES_MAX)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop() -> What {
        What::Told { peer: 0, client: name(b"kiwi") }
    }

    fn taken(queue: &Queue) -> (Vec<u64>, u64) {
        let mut numbers = Vec::new();
        let missed = queue.take(|event| numbers.push(event.seq));
        (numbers, missed)
    }

    #[test]
    fn an_event_has_the_number_of_its_record() {
        let (herald, queue) = queue(Arc::default());
        let mut number = 0;
        herald.tell(|| number = record::next_numbers(1), What::LinkUp { peer: 1 });
        assert_eq!(taken(&queue), (vec![number], 0));
    }

    #[test]
    fn hops_are_made_only_for_who_listens() {
        let audience = Arc::new(Audience::default());
        let (herald, _queue) = queue(Arc::clone(&audience));
        assert!(herald.hops().is_none());
        audience.want_hops(true);
        assert!(herald.hops().is_some());
    }

    #[test]
    fn hops_have_the_numbers_of_their_lines() {
        let audience = Arc::new(Audience::default());
        audience.want_hops(true);
        let (herald, queue) = queue(audience);
        let mut hops = herald.hops().unwrap();
        hops.line(None);
        hops.line(Some(hop()));
        hops.line(None);
        hops.line(Some(hop()));
        hops.send(Time::default(), Some(100));
        assert_eq!(taken(&queue), (vec![101, 103], 0));
    }

    #[test]
    fn during_a_turn_the_floor_is_below_what_will_come() {
        let audience = Arc::new(Audience::default());
        audience.want_hops(true);
        let (herald, queue) = queue(audience);
        assert_eq!(queue.floor(), NO_TURN);
        let mut hops = herald.hops().unwrap();
        let floor = queue.floor();
        // An event in the midst of a burst neither raises the floor nor ends the turn.
        herald.tell(|| _ = record::next_numbers(1), What::LinkUp { peer: 1 });
        assert_eq!(queue.floor(), floor);
        hops.line(Some(hop()));
        hops.send(Time::default(), None);
        assert_eq!(queue.floor(), NO_TURN);
        assert!(taken(&queue).0.iter().all(|&seq| seq >= floor));
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_and_nobody_waits() {
        let audience = Arc::new(Audience::default());
        audience.want_hops(true);
        let (herald, queue) = queue(audience);
        for _ in 0..limits::EVENTS_QUEUED_MAX + 3 {
            herald.tell(|| _ = record::next_numbers(1), What::LinkUp { peer: 1 });
        }
        let burst = |size: usize| {
            let mut hops = herald.hops().unwrap();
            (0..size).for_each(|_| hops.line(Some(hop())));
            hops.send(Time::default(), None);
        };
        burst(limits::HOPS_QUEUED_MAX);
        burst(7);
        let (numbers, missed) = taken(&queue);
        assert_eq!((numbers.len(), missed), (limits::EVENTS_QUEUED_MAX + limits::HOPS_QUEUED_MAX, 3 + 7));
        // What was left out makes no room smaller.
        burst(limits::HOPS_QUEUED_MAX);
        assert_eq!(taken(&queue).1, 0);
    }

    #[test]
    fn the_client_of_a_line() {
        assert_eq!(client_of(b"AT Clark +0.2 kiwi +34-118 1").as_deref(), Some(&b"kiwi"[..]));
        for other in [&b"TOLD 41 1"[..], b"HEARD 3", b"AT Clark", b"? AT Clark +0.2 kiwi +34-118 1", b""] {
            assert_eq!(client_of(other), None);
        }
        let long = [&b"AT Clark +0.2 "[..], &b"x".repeat(5000), b" +34-118 1"].concat();
        assert_eq!(client_of(&long).unwrap().len(), limits::EVENT_CLIENT_BYTES_MAX);
    }
}
