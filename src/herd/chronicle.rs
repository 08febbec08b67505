//! What has happened in the herd, in one true order: gathered from all servers, kept for a while, told to readers.
//!
//! Every event has the number that its thread took, from the one counter of the process, when it happened; so their
//! order needs no clock. What is gathered is given out only when nothing with a lower number can come any more (see
//! [`crate::server::events`]). A reader that cannot keep up misses events and is told how many; nobody waits for it.
//!
//! Lives on the supervisor's thread. Whoever makes something happen there says so with [`Chronicle::note`].

mod reader;
mod ring;
mod told;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

use super::api::{self, EventsQuery, Failure, Kind};
use super::status::rfc3339;
use crate::config::Config;
use crate::limits;
use crate::server::events::{self, Audience, Herald, Queue};
use crate::server::{clock, record};
use reader::{GAP, OPENED, Reader, Wanted, is_hop};
use ring::{Ring, Since};
use told::told;

/// What has happened, and who wants to know.
#[derive(Debug)]
pub struct Chronicle {
    audience: Arc<Audience>,
    heralds: Vec<Herald>,
    book: RefCell<Book>,
}

#[derive(Debug)]
struct Book {
    /// When this herd came up, as its log files say it: no two runs have the same.
    run: String,
    names: Vec<String>,
    sources: Vec<Source>,
    /// Gathered, and not yet given out.
    pending: BinaryHeap<Reverse<Entry>>,
    /// The number of the last event given out.
    last: u64,
    calm: Ring,
    hops: Ring,
    readers: Vec<Reader>,
}

/// One server's events.
#[derive(Debug)]
struct Source {
    queue: Queue,
    /// The turn that it was last seen in, and since when.
    turn: Option<(u64, Instant)>,
}

/// One event, as it is told. Ordered by its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    seq: u64,
    /// RFC 3339.
    at: String,
    kind: String,
    /// JSON, ended by LF.
    line: Bytes,
}

/// Events for one reader: those of before first, then those that come. Each piece is whole lines of JSON. It ends
/// when the herd goes.
#[derive(Debug)]
pub struct Subscription {
    pub before: VecDeque<Bytes>,
    pub live: Receiver<Bytes>,
}

impl Chronicle {
    /// The chronicle of a herd that comes up now; `run` is the time that its log files begin with.
    pub fn new(config: &Config, run: jiff::Timestamp) -> Self {
        let audience = Arc::new(Audience::default());
        let (heralds, queues): (Vec<_>, Vec<_>) =
            config.servers.iter().map(|_| events::queue(audience.clone())).unzip();
        let book = Book {
            run: rfc3339(run),
            names: config.servers.iter().map(|server| server.name.clone()).collect(),
            sources: queues.into_iter().map(|queue| Source { queue, turn: None }).collect(),
            pending: BinaryHeap::new(),
            last: 0,
            calm: Ring::new(limits::EVENTS_KEPT),
            hops: Ring::new(limits::HOPS_KEPT),
            readers: Vec::new(),
        };
        Self { audience, heralds, book: RefCell::new(book) }
    }

    /// Where the server with this index tells what happens in it.
    pub fn herald(&self, index: usize) -> Herald {
        self.heralds[index].clone()
    }

    /// Notes what the supervisor has just done and logged: the event gets the number of that record. What `event`
    /// needs to say is its kind, `family.word`, and what the kind is about; number, time and run are filled in.
    pub fn note(&self, event: api::Event) {
        let mut book = self.book.borrow_mut();
        let event = api::Event { seq: record::latest(), t: record::time(clock::now()), ..event };
        book.hold(event);
        self.audience.ring();
    }

    /// Begins to tell somebody. All between two subscriptions of one reader can be had with `since`, or a gap is
    /// stated.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`] if `since` is neither a number nor a time; [`Kind::Taken`] if there are too many readers.
    pub fn subscribe(&self, query: &EventsQuery) -> Result<Subscription, Failure> {
        let (since, wanted) = (Since::of(query)?, Wanted::of(query));
        self.gather();
        let book = &mut *self.book.borrow_mut();
        book.readers.retain(|reader| !reader.to.is_closed());
        if book.readers.len() >= limits::EVENTS_READERS_MAX {
            let most = limits::EVENTS_READERS_MAX;
            return Err(Failure::new(Kind::Taken, format!("{most} readers of events are connected already")));
        }
        // Numbers mean nothing in another run: then all that is kept is new.
        let is_other_run = query.run.as_ref().is_some_and(|run| *run != book.run);
        let since = if is_other_run && since != Since::Now { Since::Seq(0) } else { since };
        let before = book.since(&since, &wanted, is_other_run);
        let (to, live) = channel(limits::EVENTS_CHUNKS_MAX);
        book.readers.push(Reader::new(wanted, to));
        self.audience.want_hops(book.wants_hops());
        Ok(Subscription { before, live })
    }

    /// Gathers and tells for as long as the herd lives.
    pub async fn keep(&self) {
        loop {
            self.audience.told().await;
            loop {
                let began = Instant::now();
                let is_all = self.gather();
                // However much there is, the supervisor has two thirds of its time for everything else.
                sleep(self.pause().max(2 * began.elapsed())).await;
                if is_all {
                    break;
                }
            }
        }
    }

    /// Tells the last of it, and ends every subscription.
    pub fn close(&self) {
        self.gather();
        let book = &mut *self.book.borrow_mut();
        book.give_out(u64::MAX);
        book.readers.clear();
        self.audience.want_hops(false);
    }

    fn pause(&self) -> Duration {
        let is_read = !self.book.borrow().readers.is_empty();
        if is_read { limits::EVENTS_GATHER_EVERY } else { limits::EVENTS_GATHER_IDLE }
    }

    /// Takes what the servers have told, and gives out what is in order; says whether that was all.
    fn gather(&self) -> bool {
        let book = &mut *self.book.borrow_mut();
        // In this order: number, floors, queues. What is below number and floors is in the queues.
        let next = record::next_number();
        let limit = book.sources.iter_mut().map(Source::floor).min().unwrap_or(u64::MAX).min(next);
        book.take();
        book.give_out(limit);
        self.audience.want_hops(book.wants_hops());
        book.pending.is_empty() && book.readers.iter().all(|reader| reader.missed == 0)
    }
}

impl Source {
    /// Below this number nothing more will come; one that takes too long over it is not waited for.
    fn floor(&mut self) -> u64 {
        let floor = self.queue.floor();
        match self.turn {
            _ if floor == u64::MAX => self.turn = None,
            Some((turn, since)) if turn == floor => {
                if since.elapsed() >= limits::EVENTS_TURN_MAX {
                    return u64::MAX;
                }
            }
            _ => self.turn = Some((floor, Instant::now())),
        }
        floor
    }
}

impl Book {
    fn take(&mut self) {
        for index in 0..self.sources.len() {
            let mut taken = Vec::new();
            let mut missed = self.sources[index].queue.take(|event| taken.push(event));
            for event in taken {
                // Too late: a later one has been told.
                if event.seq <= self.last {
                    missed += 1;
                } else {
                    self.hold(told(index, event, &self.names));
                }
            }
            if missed > 0 {
                self.hold(api::Event {
                    seq: record::next_numbers(1),
                    t: record::time(clock::now()),
                    kind: GAP.into(),
                    server: Some(self.names[index].clone()),
                    missed: Some(missed),
                    ..api::Event::default()
                });
            }
        }
    }

    fn hold(&mut self, event: api::Event) {
        self.pending.push(Reverse(self.entry(event)));
    }

    fn entry(&self, event: api::Event) -> Entry {
        let event = api::Event { schema: "herd.event/1".into(), run: self.run.clone(), ..event };
        let mut line = serde_json::to_vec(&event).expect("strings and numbers are JSON");
        line.push(b'\n');
        Entry { seq: event.seq, at: event.t, kind: event.kind, line: line.into() }
    }

    fn give_out(&mut self, limit: u64) {
        while let Some(Reverse(entry)) = self.pending.peek()
            && entry.seq < limit
            && let Some(Reverse(entry)) = self.pending.pop()
        {
            self.last = entry.seq;
            for reader in &mut self.readers {
                reader.tell(&entry);
            }
            let ring = if is_hop(&entry.kind) { &mut self.hops } else { &mut self.calm };
            ring.keep(entry);
        }
        for index in 0..self.readers.len() {
            let missed = self.readers[index].missed;
            if missed == 0 {
                self.readers[index].flush();
            } else {
                let gap = self.gap(self.last, Some(missed), None);
                self.readers[index].state_gap(gap);
            }
        }
        self.readers.retain(|reader| !reader.to.is_closed());
    }

    fn wants_hops(&self) -> bool {
        self.readers.iter().any(|reader| reader.wanted.hops)
    }

    /// The first thing that a reader is told: which run this is. What follows has a number above `seq`.
    fn opening(&self, seq: u64) -> Bytes {
        let t = record::time(clock::now());
        self.entry(api::Event { seq, t, kind: OPENED.into(), ..api::Event::default() }).line
    }

    /// That events are missing before what comes next; `missed`: `None` where nobody can tell how many.
    fn gap(&self, seq: u64, missed: Option<u64>, why: Option<&str>) -> Bytes {
        let (t, note) = (record::time(clock::now()), why.map(Into::into));
        self.entry(api::Event { seq, t, kind: GAP.into(), missed, note, ..api::Event::default() }).line
    }

    /// An opening, and what is kept of what was wanted, in pieces.
    fn since(&self, since: &Since, wanted: &Wanted, is_other_run: bool) -> VecDeque<Bytes> {
        let rings = [Some(&self.calm), wanted.hops.then_some(&self.hops)];
        let rings = rings.into_iter().flatten();
        let mut kept: Vec<&Entry> =
            rings.clone().flat_map(|ring| ring.after(since)).filter(|entry| wanted.wants(entry)).collect();
        kept.sort_unstable_by_key(|entry| entry.seq);
        let seq = kept.first().map_or(self.last, |first| first.seq - 1);
        let mut pieces = Pieces::default();
        pieces.add(&self.opening(seq));
        if is_other_run {
            pieces.add(&self.gap(seq, None, Some("another herd has come up")));
        } else if rings.clone().any(|ring| ring.has_forgotten(since)) {
            pieces.add(&self.gap(seq, None, Some("older events are not kept")));
        }
        kept.iter().for_each(|entry| pieces.add(&entry.line));
        pieces.done()
    }
}

/// Lines in pieces of a readable size.
#[derive(Default)]
struct Pieces {
    done: VecDeque<Bytes>,
    begun: Vec<u8>,
}

impl Pieces {
    fn add(&mut self, line: &[u8]) {
        self.begun.extend_from_slice(line);
        if self.begun.len() >= limits::EVENTS_CHUNK_BYTES {
            self.done.push_back(std::mem::take(&mut self.begun).into());
        }
    }

    fn done(mut self) -> VecDeque<Bytes> {
        if !self.begun.is_empty() {
            self.done.push_back(self.begun.into());
        }
        self.done
    }
}

#[cfg(test)]
mod tests;
