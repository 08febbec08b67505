//! A client's connection: hear what has come, answer in one write a burst.
//!
//! One loop, one task, no buffers while idle. Answers leave in the order of their commands: some are held until a
//! neighbour has heard the report behind them, one may be waiting for places, and until it has them nothing after it
//! is heard. A client that does not read is first slowed (nothing more is read from it), then dropped.
//!
//! A connection that begins with a neighbour's hello, plain or inside TLS, leaves here and goes on in [`link`].

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use memchr::memchr;
use tokio::task::yield_now;
use tracing::{info, warn};

use super::counts::{self, Counts};
use super::events::{self, Answer, Hops, News, What};
use super::gone::Gone;
use super::handshake::Opening;
use super::record::Level;
use super::socket::{self, Outbox, Socket, WriteEnd};
use super::state::{Admission, ClientSeat, Server};
use super::{clock, link, lookup, tls};
use crate::limits;
use crate::protocol::atlas::Edition;
use crate::protocol::hello;
use crate::protocol::line::fields;
use crate::protocol::node::{self, Reply};

/// Serves one connection to its end. What it keeps is kept once: an `async fn` would hold its arguments twice.
pub(super) fn serve(
    server: Rc<Server>,
    mut stream: Socket,
    address: SocketAddr,
    seat: ClientSeat,
) -> impl Future<Output = ()> {
    let mut client = Client::new(server, address, seat.admission);
    async move {
        let connected = || info!("{} connected, {} now", client.who, client.server.clients());
        client.server.herald.tell(connected, What::Connected { address: client.address });
        match client.talk(&mut stream).await {
            End::Neighbour(opening) => {
                let Client { server, address, inbox, .. } = &mut client;
                // In a box of its own, or every client would be as large as a link.
                Box::pin(link::answer(server, stream, seat, *address, opening, std::mem::take(inbox))).await;
            }
            End::Left(why) => {
                let Client { server, address, who, .. } = &client;
                if why.is_ours() {
                    Box::pin(socket::linger(stream, &server.scratch)).await;
                }
                drop(seat);
                let gone = || info!("{who} gone, {} now: {why}", server.clients());
                server.herald.tell(gone, What::Gone { address: *address, why: why.to_string() });
            }
        }
    }
}

struct Client {
    server: Rc<Server>,
    address: SocketAddr,
    /// What the log calls it.
    who: String,
    admission: Admission,
    /// What has come and has not been heard: part of a line, or what stands behind a question.
    inbox: Vec<u8>,
    /// Answers that may not be written yet, oldest first, and their size.
    held: VecDeque<Held>,
    held_bytes: usize,
    outbox: Outbox,
    /// The places for a question; what comes after it waits.
    lookup: Option<Pin<Box<dyn Future<Output = lookup::Answer>>>>,
    /// A first line has been looked at: this is no neighbour.
    spoke: bool,
    /// The client has closed its side.
    closed: bool,
    /// Why nothing more is heard; what is owed is still written.
    ending: Option<Gone>,
    heard_at: Instant,
    /// When it last said a whole line; a byte now and then is nothing said.
    said_at: Instant,
    /// When the kernel last took something, or had nothing to take.
    taken_at: Instant,
}

/// The answers of one burst.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// The edition that they wait for.
    after: Edition,
    /// How many of them wait.
    waiting: u64,
    /// How many are `? …`.
    refused: u64,
    /// When the commands had been read.
    read_at: Option<Instant>,
    /// They are one answer to a question, on many lines, of which the log says this.
    places: Option<lookup::Told>,
}

/// Lines of one burst that were refused for more than their form.
#[derive(Default)]
struct Refused {
    full: u64,
    future: u64,
}

impl Refused {
    fn log(&self, who: &str) {
        let Self { full, future } = self;
        if *full > 0 {
            warn!("{who}: {full} new clients refused, the atlas holds clients_max");
        }
        if *future > 0 {
            warn!("{who}: {future} locations refused, further in the future than future_seconds_max");
        }
    }
}

enum End {
    /// It began as a neighbour's does.
    Neighbour(Opening),
    Left(Gone),
}

impl Client {
    fn new(server: Rc<Server>, address: SocketAddr, admission: Admission) -> Self {
        let now = clock::instant();
        Self {
            server,
            address,
            who: format!("client {address}"),
            admission,
            inbox: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            outbox: Outbox::default(),
            lookup: None,
            spoke: false,
            closed: false,
            ending: None,
            heard_at: now,
            said_at: now,
            taken_at: now,
        }
    }

    async fn talk(&mut self, stream: &mut Socket) -> End {
        let server = Rc::clone(&self.server);
        let (mut read, write) = stream.split();
        let leave = server.leave.notified();
        tokio::pin!(leave);
        loop {
            if server.is_leaving() && self.ending.is_none() {
                self.ending = Some(Gone::Stopping);
            }
            if !self.spoke && tls::is_hello(&self.inbox) {
                return End::Neighbour(Opening::Tls);
            }
            if self.can_hear() {
                if let Some(hello) = self.take_hello() {
                    return End::Neighbour(Opening::Plain(hello));
                }
                self.hear();
            }
            self.release();
            if let Err(why) = self.write(&write) {
                return End::Left(Gone::Broken(why));
            }
            if let Some(why) = self.finished() {
                return End::Left(why);
            }
            if self.can_hear() {
                yield_now().await;
                continue;
            }
            let (wants_more, deadline) = (self.wants_more(), self.deadline());
            let awaited = self.held.front().map_or(0, |held| held.after);
            tokio::select! {
                read = server.scratch.read(&mut read, &mut self.inbox), if wants_more => match read {
                    Ok(bytes) => self.take_in(bytes),
                    Err(why) => return End::Left(Gone::Broken(why)),
                },
                answer = poll_lookup(&mut self.lookup), if self.lookup.is_some() => self.take_places(answer),
                () = server.confirmations.release_of(awaited), if !self.held.is_empty() => {}
                _ = write.writable(), if !self.outbox.is_empty() => {}
                () = &mut leave, if self.ending.is_none() => {}
                () = socket::until(deadline) => return End::Left(self.overdue()),
            }
        }
    }

    /// Whether there is a line to hear, and room for its answer.
    fn can_hear(&self) -> bool {
        let ready = self.ending.is_none() && self.lookup.is_none() && self.has_room();
        ready && (memchr(b'\n', &self.inbox).is_some() || self.inbox.len() > self.server.line_bytes_max())
    }

    fn has_room(&self) -> bool {
        self.held_bytes + self.outbox.len() < self.server.config.limits.unread_bytes_max
    }

    /// Whether to read on. What has been read is heard first, so that the inbox never holds much more than a line.
    fn wants_more(&self) -> bool {
        !self.closed && self.ending.is_none() && self.lookup.is_none() && self.has_room()
    }

    fn take_in(&mut self, bytes: usize) {
        debug_assert!(self.inbox.len() <= self.server.line_bytes_max() + limits::READ_BYTES, "a line and a burst");
        self.heard_at = clock::instant();
        if bytes > 0 {
            self.server.node.borrow().look_ahead(&self.inbox[self.inbox.len() - bytes..]);
            return;
        }
        self.closed = true;
        if !self.inbox.is_empty() {
            // The last line, without its LF.
            self.inbox.push(b'\n');
        }
    }

    /// Looks at the first line; takes it if it is a neighbour's hello. One that is too long for that is a client's.
    fn take_hello(&mut self) -> Option<Vec<u8>> {
        if std::mem::replace(&mut self.spoke, true) {
            return None;
        }
        let most = limits::HELLO_BYTES_MAX.min(self.server.line_bytes_max());
        let end = memchr(b'\n', &self.inbox).filter(|&end| end <= most);
        if let Some(end) = end.filter(|&end| hello::is_hello(&self.inbox[..end])) {
            let mut hello: Vec<u8> = self.inbox.drain(..=end).collect();
            hello.pop();
            return Some(hello);
        }
        if let Admission::NeighbourOnly(full) = self.admission {
            self.ending = Some(Gone::TooMany(full));
        }
        None
    }

    /// Hears the lines that have come, and takes the places that are at hand: a few answers in one write, but not so
    /// many that a client that pipelines questions would keep the server to itself.
    fn hear(&mut self) {
        for _ in 0..limits::QUESTIONS_AT_ONCE {
            self.hear_lines();
            let at_hand = self.lookup.as_mut().and_then(FutureExt::now_or_never);
            let Some(answer) = at_hand else { return };
            self.take_places(answer);
            if !self.can_hear() {
                return;
            }
        }
    }

    fn take_places(&mut self, answer: lookup::Answer) {
        let lookup::Answer { bytes, told } = answer;
        self.lookup = None;
        self.hold(Held { bytes, places: Some(told), read_at: Some(self.heard_at), ..Held::default() });
    }

    /// Hears lines up to a question. No await from reading to knowing: a report is known and owed to every link, or
    /// neither.
    fn hear_lines(&mut self) {
        let server = Rc::clone(&self.server);
        let (now, line_bytes_max) = (clock::now(), server.line_bytes_max());
        let (mut heard, mut refused) = (0, Refused::default());
        // An answer is a little longer than its command.
        let bytes = Vec::with_capacity(self.inbox.len() * 3 / 2);
        let mut held = Held { bytes, read_at: Some(self.heard_at), ..Held::default() };
        let mut hops = server.herald.hops();
        let mut node = server.node.borrow_mut();
        let edition_before = node.atlas().edition();
        while self.ending.is_none() && self.lookup.is_none() && held.bytes.len() < limits::READ_BYTES {
            let Some(length) = memchr(b'\n', &self.inbox[heard..]).filter(|&length| length <= line_bytes_max) else {
                break;
            };
            let line = &self.inbox[heard..heard + length];
            heard += length + 1;
            let known = hops.as_ref().map(|_| node.atlas().edition());
            let reply = node.hear(line, now, &mut held.bytes);
            if let Some((hops, known)) = hops.as_mut().zip(known) {
                hops.line(heard_of(line, &reply, known < node.atlas().edition()));
            }
            match reply {
                Reply::Say { after } => {
                    held.after = held.after.max(after);
                    held.waiting += 1;
                }
                Reply::Ask(query) => {
                    let server = Rc::clone(&server);
                    self.lookup = Some(Box::pin(async move { server.lookups.answer(&query).await }));
                }
                Reply::Refuse => held.refused += 1,
                Reply::Full => (held.refused, refused.full) = (held.refused + 1, refused.full + 1),
                Reply::Future => (held.refused, refused.future) = (held.refused + 1, refused.future + 1),
                Reply::HangUp => {
                    held.refused += 1;
                    self.ending = Some(Gone::Http);
                }
            }
        }
        count_sightings(&server.vitals.counts, node.atlas().edition() - edition_before, held.waiting);
        drop(node);
        if self.ending.is_none() && self.lookup.is_none() && self.is_too_long(heard) {
            node::refuse(&self.inbox[heard..heard + line_bytes_max], &mut held.bytes);
            self.inbox.truncate(heard + line_bytes_max);
            self.inbox.push(b'\n');
            heard = self.inbox.len();
            held.refused += 1;
            self.ending = Some(Gone::LineTooLong);
        }
        let first = server.journal.client_traffic(now, Level::In, &self.who, &self.inbox[..heard]);
        if let Some(hops) = hops {
            hops.send(now, first);
        }
        if heard > 0 {
            self.said_at = self.heard_at;
        }
        self.forget_heard(heard);
        server.learned();
        refused.log(&self.who);
        self.hold(held);
    }

    /// Whether the line that begins at `start` is longer than a line may be.
    fn is_too_long(&self, start: usize) -> bool {
        let rest = &self.inbox[start..];
        memchr(b'\n', rest).unwrap_or(rest.len()) > self.server.line_bytes_max()
    }

    fn forget_heard(&mut self, heard: usize) {
        if heard == self.inbox.len() || self.ending.is_some() {
            self.inbox = Vec::new();
        } else {
            self.inbox.drain(..heard);
        }
    }

    fn hold(&mut self, mut held: Held) {
        if !held.bytes.is_empty() {
            // Behind a question most of the inbox is still to be heard, and its room is not this answer's.
            if held.bytes.capacity() > 2 * held.bytes.len() {
                held.bytes.shrink_to_fit();
            }
            self.held_bytes += held.bytes.len();
            self.held.push_back(held);
        }
    }

    /// Moves what may be written to the outbox; the log has it from there.
    fn release(&mut self) {
        let released = self.server.confirmations.released();
        while self.held.front().is_some_and(|held| held.after <= released)
            && let Some(held) = self.held.pop_front()
        {
            self.held_bytes -= held.bytes.len();
            if self.server.confirmations.gave_up_on(held.after) {
                self.server.count_unconfirmed(held.waiting);
                warn!("{}: {} answers written that no neighbour has confirmed in time", self.who, held.waiting);
            }
            self.log_said(&held);
            self.count_said(&held);
            if self.outbox.is_empty() {
                self.taken_at = clock::instant();
            }
            self.outbox.push(held.bytes);
        }
        if self.held.is_empty() {
            self.held = VecDeque::new();
        }
    }

    fn log_said(&self, held: &Held) {
        let (journal, now) = (&self.server.journal, clock::now());
        let hops = self.server.herald.hops();
        let first = match held.places {
            Some(told) => journal.client_traffic(now, Level::Out, &self.who, &told.of(&held.bytes)),
            None => journal.client_traffic(now, Level::Out, &self.who, &held.bytes),
        };
        if let Some(mut hops) = hops {
            self.answered(held, &mut hops);
            hops.send(now, first);
        }
    }

    fn answered(&self, held: &Held, hops: &mut Hops<'_>) {
        let lines = held.bytes.split_inclusive(|&byte| byte == b'\n');
        for line in lines.take(if held.places.is_some() { 1 } else { usize::MAX }) {
            let client = events::client_of(line);
            let answer = match client {
                Some(_) if held.places.is_some() => Answer::Places,
                Some(_) => Answer::Report,
                None => Answer::Refusal,
            };
            hops.line(Some(What::Answered { address: self.address, client, answer }));
        }
    }

    /// Counts what was answered, and how long that took since it had been read.
    fn count_said(&self, held: &Held) {
        let counts = &self.server.vitals.counts;
        let places = u64::from(held.places.is_some());
        let refusals = if held.places.is_some() { 0 } else { held.refused };
        counts::add(&counts.answers_report, held.waiting);
        counts::add(&counts.answers_places, places);
        counts::add(&counts.answers_refusal, refusals);
        if let Some(read_at) = held.read_at {
            counts.answer.observe(clock::instant() - read_at, held.waiting + places + refusals);
        }
    }

    fn write(&mut self, to: &WriteEnd<'_>) -> io::Result<()> {
        if !self.outbox.is_empty() && self.outbox.write(to)? {
            self.taken_at = clock::instant();
        }
        Ok(())
    }

    /// Why the connection is over, once nothing is owed.
    fn finished(&mut self) -> Option<Gone> {
        let owes = !self.held.is_empty() || !self.outbox.is_empty() || self.lookup.is_some();
        let heard_out = self.closed && !self.can_hear();
        match owes {
            true => None,
            false => self.ending.take().or_else(|| heard_out.then_some(Gone::Closed)),
        }
    }

    /// When this client has been silent, or has not read, for too long.
    fn deadline(&self) -> Option<Instant> {
        let limits = &self.server.config.limits;
        if !self.outbox.is_empty() {
            return Some(self.taken_at + Duration::from_secs(limits.unread_seconds_max));
        }
        if self.admission != Admission::Client && !self.spoke {
            return Some(self.said_at + limits::HANDSHAKE_MAX);
        }
        let may_be_idle = limits.idle_seconds_max > 0 && self.held.is_empty() && self.lookup.is_none();
        may_be_idle.then(|| self.said_at + Duration::from_secs(limits.idle_seconds_max))
    }

    fn overdue(&self) -> Gone {
        match self.admission {
            _ if !self.outbox.is_empty() => Gone::NotReading,
            Admission::NeighbourOnly(full) if !self.spoke => Gone::TooMany(full),
            _ => Gone::Idle,
        }
    }
}

/// What became of a client's line, for who watches: a report, if it was one.
fn heard_of(line: &[u8], reply: &Reply, is_new: bool) -> Option<What> {
    let Reply::Say { .. } = reply else { return None };
    let client = events::name(fields(line).nth(1)?);
    Some(What::Heard { from: None, client, news: if is_new { News::New } else { News::Stale } })
}

/// Of so many reports of clients, so many were new.
fn count_sightings(counts: &Counts, new: u64, reports: u64) {
    counts::add(&counts.accepted_from_clients, new);
    counts::add(&counts.stale, reports - new);
}

async fn poll_lookup(lookup: &mut Option<Pin<Box<dyn Future<Output = lookup::Answer>>>>) -> lookup::Answer {
    match lookup {
        Some(lookup) => lookup.await,
        None => std::future::pending().await,
    }
}
