//! A connection to a neighbour: once proven, one loop that tells what follows `told`.
//!
//! The loop never stops reading because it cannot write: a cycle of servers that each wait to write before they read
//! would stand still for ever. What it says goes out in one write a burst. A neighbour that is slow costs nothing
//! but its number, for nothing is put into the outbox before the last of it has been taken.
//!
//! Faults, when there are any, act here and nowhere else, on the path that health uses: whatever is heard of a
//! neighbour comes through [`Inlet`], and a link that is cut is neither dialled nor answered.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use memchr::memchr;
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::clock;
use super::events::{self, Hops, News, What};
use super::fault::Inlet;
use super::handshake::{Made, NoLink, Opening, dial, prove_as_listener};
use super::record::Level;
use super::setbacks::{Setbacks, backoff};
use super::socket::{Outbox, Socket, WriteEnd, linger, until};
use super::state::{ClientSeat, LinkSeat, Server, random};
use super::tally::Tally;
use crate::config::Flooding;
use crate::limits;
use crate::protocol::hello::Proven;
use crate::protocol::link::{Effect, Link};

/// Keeps the link to a neighbour that this server dials: dials, talks, dials again.
pub(super) async fn keep(server: Rc<Server>, neighbour: usize) {
    let name = server.neighbours[neighbour].name.clone();
    let (mut tries, mut last_said) = (0, String::new());
    while !server.is_leaving() {
        match dial(&server, neighbour).await {
            Ok(made) => {
                (tries, last_said) = (0, String::new());
                talk(&server, made).await;
            }
            // The same trouble is said once, however often it is met.
            Err(why) if why.to_string() != last_said => {
                last_said = why.to_string();
                let said = || warn!("no link to {name}: {last_said}; dialling on");
                if why.is_refusal() {
                    let peer = server.vitals.neighbours[neighbour].server;
                    server.herald.tell(said, What::LinkRefused { peer, why: last_said.clone() });
                } else {
                    said();
                }
            }
            Err(_) => {}
        }
        sleep(server.neighbours[neighbour].way.rest(backoff(tries, random()))).await;
        tries += 1;
    }
}

/// Answers a connection that began as a neighbour's does; what has come of it since is in `inbox`. It holds a client's
/// seat until it has proved itself, so that hellos cannot crowd a server any more than clients can.
pub(super) async fn answer(
    server: &Rc<Server>,
    mut stream: Socket,
    seat: ClientSeat,
    address: SocketAddr,
    opening: Opening,
    mut inbox: Vec<u8>,
) {
    let who = format!("client {address}");
    let proving = prove_as_listener(server, &mut stream, &who, opening, &mut inbox);
    match timeout(limits::HANDSHAKE_MAX, proving).await.unwrap_or(Err(NoLink::Slow)) {
        Ok((neighbour, proven, inlet)) => {
            drop(seat);
            let name = &server.neighbours[neighbour].name;
            let proved = || info!("{who} has proved that it is {name}");
            server.herald.tell(proved, What::Gone { address, why: format!("it is {name}") });
            talk(server, Made { stream, neighbour, proven, inlet, inbox }).await;
        }
        Err(why) => {
            linger(stream, &server.scratch).await;
            drop(seat);
            let gone = || warn!("{who} gone, {} now: it claimed to be a neighbour, but {why}", server.clients());
            server.herald.tell(gone, What::Gone { address, why: format!("it claimed to be a neighbour, but {why}") });
        }
    }
}

/// Talks over a proven connection to its end.
async fn talk<'a>(server: &'a Rc<Server>, made: Made<'a>) {
    let Made { mut stream, neighbour, proven, inlet, inbox } = made;
    let mut talk = Talk::new(server, neighbour, proven, inlet, inbox);
    let peer = server.vitals.neighbours[neighbour].server;
    server.herald.tell(|| info!("link {} up", talk.name()), What::LinkUp { peer });
    let why = talk.run(&mut stream).await;
    if matches!(why, Down::Stopping) {
        linger(stream, &server.scratch).await;
    }
    server.herald.tell(|| info!("link {} down: {why}", talk.name()), What::LinkDown { peer, why: why.to_string() });
}

struct Talk<'a> {
    server: &'a Rc<Server>,
    neighbour: usize,
    their_run: u64,
    seat: LinkSeat,
    link: Link,
    inlet: Inlet<'a>,
    inbox: Vec<u8>,
    outbox: Outbox,
    /// When `HEARD` is to be said, if it is; sooner if there is something to say it with.
    heard_due: Option<Instant>,
    /// The place where the telling begins again is to be marked.
    owes_mark: bool,
    heard_at: Instant,
    said_at: Instant,
    /// When it was last told all that there was.
    told_at: Instant,
    /// [`Server::links_lost`], as this link has seen it.
    links_lost: u64,
    setbacks: Setbacks,
}

/// Why a link ended.
enum Down {
    Closed,
    Broken(io::Error),
    Silent,
    Breach(Vec<u8>),
    Replaced,
    Stopping,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "closed by the neighbour"),
            Self::Broken(why) => write!(f, "{why}"),
            Self::Silent => write!(f, "heard nothing for {} s", limits::LINK_SILENCE_MAX.as_secs_f64()),
            Self::Breach(line) => write!(f, "said what no neighbour says: {}", line.escape_ascii()),
            Self::Replaced => write!(f, "the neighbour has connected again"),
            Self::Stopping => write!(f, "this server stops"),
        }
    }
}

impl<'a> Talk<'a> {
    fn new(server: &'a Rc<Server>, neighbour: usize, proven: Proven, inlet: Inlet<'a>, inbox: Vec<u8>) -> Self {
        let seat = server.seat_link(neighbour);
        let met = server.meet(neighbour, proven.run);
        let hold_after = (server.config.flooding == Flooding::Tree).then_some(limits::HOLD_KNOWN_MIN);
        let link = Link::new(met.source, met.heard).named(&server.neighbours[neighbour].name);
        let link = link.holding_after(hold_after);
        let now = clock::instant();
        Self {
            server,
            neighbour,
            their_run: proven.run,
            seat,
            link,
            inlet,
            inbox,
            outbox: Outbox::default(),
            heard_due: Some(now),
            owes_mark: false,
            heard_at: now,
            said_at: now,
            told_at: now,
            links_lost: server.links_lost.get(),
            setbacks: Setbacks::default(),
        }
    }

    fn name(&self) -> &'a str {
        &self.server.neighbours[self.neighbour].name
    }

    async fn run(&mut self, stream: &mut Socket) -> Down {
        let server = self.server;
        let (mut read, write) = stream.split();
        let alarm = sleep_until(self.next_deadline().into());
        tokio::pin!(alarm);
        loop {
            if let Err(breach) = self.hear() {
                return breach;
            }
            self.look_for_lost_links();
            if let Err(why) = self.speak(&write) {
                return Down::Broken(why);
            }
            if !self.seat.is_current(server) {
                return Down::Replaced;
            }
            let has_said_all = self.outbox.is_empty() && !self.owes();
            if has_said_all && server.links_leave() {
                return Down::Stopping;
            }
            // Later is soon enough when it has gone off; sooner is where a heartbeat can be said from now on.
            let deadline = self.next_deadline().into();
            if alarm.is_elapsed() || deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                // Whatever has come is heard before anything is called dead.
                biased;
                read = self.inlet.read(&mut read, &mut self.inbox) => match read {
                    Ok(0) => {
                        self.say_last_heard(&write);
                        return Down::Closed;
                    }
                    Ok(_) => self.came(),
                    Err(why) => return Down::Broken(why),
                },
                _ = write.writable(), if !self.outbox.is_empty() => {}
                () = server.moved.notified(), if has_said_all => {}
                () = yield_now(), if self.outbox.is_empty() && !has_said_all => {}
                () = until(self.setbacks.rest_until), if self.setbacks.rest_until.is_some() => self.setbacks.rest_until = None,
                () = &mut alarm => if self.heard_at.elapsed() >= limits::LINK_SILENCE_MAX {
                    return Down::Silent;
                },
            }
        }
    }

    /// The inbox holds more.
    fn came(&mut self) {
        debug_assert!(self.inbox.len() <= self.server.report_bytes_max() + limits::READ_BYTES, "a report and a burst");
        self.heard_at = clock::instant();
    }

    /// When to say what is due, or a heartbeat, if one could be said, or to call the link dead, whichever is first.
    fn next_deadline(&self) -> Instant {
        let dead = self.heard_at + limits::LINK_SILENCE_MAX;
        if !self.outbox.is_empty() {
            return dead;
        }
        let can_tell = self.link.told().is_some() && self.may_tell();
        let heartbeat = can_tell.then(|| self.said_at + limits::HEARTBEAT_EVERY);
        let waits = can_tell && self.link.is_held() && self.owes_reports();
        let batch = waits.then(|| self.told_at + limits::HOLD_REST);
        [heartbeat, batch, self.heard_due].into_iter().flatten().fold(dead, Instant::min)
    }

    /// Hears the whole lines that have come.
    fn hear(&mut self) -> Result<(), Down> {
        if let Some(end) = memchr::memrchr(b'\n', &self.inbox) {
            self.hear_up_to(end)?;
        }
        if self.inbox.len() > self.server.report_bytes_max() { Err(self.breach(0)) } else { Ok(()) }
    }

    /// Hears what has come up to the LF at `end`.
    fn hear_up_to(&mut self, end: usize) -> Result<(), Down> {
        let (server, now) = (self.server, clock::now());
        let mut hops = server.herald.hops();
        let first = server.journal.neighbour_traffic(now, Level::In, self.name(), &self.inbox[..=end]);
        Link::look_ahead(&self.inbox[..=end], server.node.borrow().atlas());
        let mut tally = Tally::default();
        let heard = self.hear_lines(end, &mut tally, &mut hops);
        if let Some(hops) = hops {
            hops.send(now, first);
        }
        tally.count(&server.vitals.counts, now, &self.inbox);
        if tally.learned > 0 {
            server.learned();
        }
        heard?;
        if !server.vitals.has_caught_up() && self.link.has_caught_up(limits::LINK_BATCH_BYTES) {
            server.vitals.set_caught_up();
        }
        self.inbox.drain(..=end);
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        }
        Ok(())
    }

    /// Hears the lines of it, one by one.
    fn hear_lines(&mut self, end: usize, tally: &mut Tally, hops: &mut Option<Hops<'_>>) -> Result<(), Down> {
        let mut start = 0;
        while start <= end {
            let length = memchr(b'\n', &self.inbox[start..=end]).unwrap_or(end - start);
            let line = &self.inbox[start..start + length];
            // However it came, in one piece or in many, what is too long is no report.
            if length > self.server.report_bytes_max() {
                return Err(self.breach(start));
            }
            let Ok(effect) = self.link.hear(line, self.server.node.borrow_mut().atlas_mut()) else {
                return Err(self.breach(start));
            };
            if let Some(hops) = hops {
                hops.line(self.heard_of(line, effect));
            }
            tally.note(effect, start..start + length);
            self.follow(effect);
            start += length + 1;
        }
        Ok(())
    }

    /// What became of a neighbour's line, for who watches: a report, if it was one.
    fn heard_of(&self, line: &[u8], effect: Effect) -> Option<What> {
        let news = match effect {
            Effect::Learned => News::New,
            Effect::Known => News::Known,
            Effect::Stale => News::Stale,
            Effect::Nothing | Effect::Answer | Effect::AnswerLater | Effect::Acknowledged | Effect::GoneBack => {
                return None;
            }
        };
        Some(What::Heard { from: Some(self.peer()), client: events::client_of(line)?, news })
    }

    /// The neighbour's index in the configuration.
    fn peer(&self) -> usize {
        self.server.vitals.neighbours[self.neighbour].server
    }

    fn follow(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing | Effect::Learned | Effect::Known | Effect::Stale => {}
            Effect::Answer => self.heard_up_to_here(self.heard_at),
            Effect::AnswerLater => self.heard_up_to_here(self.heard_at + limits::HEARD_REST),
            Effect::Acknowledged => self.setbacks.ease(),
            Effect::GoneBack => {
                self.owes_mark = true;
                if self.setbacks.count == 0 {
                    warn!("link {}: something was lost, telling it again", self.name());
                }
                self.setbacks.add(clock::instant());
            }
        }
    }

    /// Remembers it, and says it when that is due.
    fn heard_up_to_here(&mut self, due: Instant) {
        self.heard_due = Some(self.heard_due.map_or(due, |before| before.min(due)));
        self.server.neighbours[self.neighbour].is_heard(self.their_run, self.link.heard());
    }

    /// Puts what is owed into the outbox, if that is empty, and writes what the kernel takes.
    fn speak(&mut self, write: &WriteEnd<'_>) -> io::Result<()> {
        if self.outbox.is_empty() {
            self.fill_outbox();
        }
        if !self.outbox.is_empty() {
            self.outbox.write(write)?;
        }
        self.show();
        Ok(())
    }

    /// Shows how far the neighbour is, which may release answers, and whether it can wait.
    fn show(&self) {
        let (server, link) = (self.server, &self.link);
        server.vitals.neighbours[self.neighbour].held.store(link.is_held(), Relaxed);
        if let Some(told) = link.told() {
            server.told(self.neighbour, self.seat.id, told, link.told_whole());
            let (heard, whole) = (link.acknowledged().max(link.confirmed()), link.confirmed());
            server.confirmed_by(self.neighbour, self.seat.id, heard, whole);
        }
    }

    fn owes(&self) -> bool {
        let owes_reports = || self.owes_reports() && !self.is_held_back();
        self.heard_is_due() || self.link.owes_hold() || (self.may_tell() && (self.owes_mark || owes_reports()))
    }

    fn owes_reports(&self) -> bool {
        self.link.owes(self.server.node.borrow().atlas())
    }

    /// Whether what is owed still waits.
    fn is_held_back(&self) -> bool {
        self.link.can_wait(self.server.node.borrow().own())
            && self.told_at.elapsed() < limits::HOLD_REST
            && !self.server.links_leave()
    }

    /// What came sooner over a link that is gone has to come over the others.
    fn look_for_lost_links(&mut self) {
        let lost = self.server.links_lost.get();
        if std::mem::replace(&mut self.links_lost, lost) != lost {
            self.link.end_hold();
        }
    }

    fn fill_outbox(&mut self) {
        let mut bytes = Vec::new();
        if self.heard_is_due() {
            self.say_heard(&mut bytes);
        }
        self.link.say_hold(&mut bytes);
        if self.may_tell() {
            self.tell(&mut bytes);
        }
        if self.heard_due.is_some() && !bytes.is_empty() {
            self.say_heard(&mut bytes);
        }
        if !bytes.is_empty() {
            self.said_at = clock::instant();
            self.log_said(&bytes);
            self.outbox.push(bytes);
        }
    }

    /// Whoever leaves says it first.
    fn heard_is_due(&self) -> bool {
        self.heard_due.is_some_and(|due| due <= clock::instant() || self.server.links_leave())
    }

    /// Whoever has closed its own side is told what of it has been heard, and had been left for later.
    fn say_last_heard(&mut self, write: &WriteEnd<'_>) {
        if self.heard_due.is_some() && self.outbox.is_empty() {
            let mut bytes = Vec::new();
            self.say_heard(&mut bytes);
            self.log_said(&bytes);
            // It may be gone altogether.
            let _ = write.try_write(&bytes);
        }
    }

    fn say_heard(&mut self, bytes: &mut Vec<u8>) {
        self.heard_due = None;
        self.link.say_heard(bytes);
    }

    fn log_said(&self, bytes: &[u8]) {
        let (server, now) = (self.server, clock::now());
        let hops = server.herald.hops();
        let first = server.journal.neighbour_traffic(now, Level::Out, self.name(), bytes);
        if let Some(mut hops) = hops {
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                let client = events::client_of(line);
                hops.line(client.map(|client| What::Told { peer: self.peer(), client }));
            }
            hops.send(now, first);
        }
    }

    /// Whether reports may be told now: not while the link rests from having lost them.
    fn may_tell(&self) -> bool {
        self.setbacks.rest_until.is_none()
    }

    /// Appends what the neighbour is owed of the atlas, or a heartbeat if one is due.
    fn tell(&mut self, bytes: &mut Vec<u8>) {
        if std::mem::take(&mut self.owes_mark) {
            self.link.say_mark(bytes);
        }
        let is_held_back = self.is_held_back();
        let (node, batch_bytes) = (self.server.node.borrow(), self.setbacks.batch_bytes());
        if self.link.owes(node.atlas()) && !is_held_back {
            self.link.tell(node.atlas(), batch_bytes, bytes);
            if !self.link.owes(node.atlas()) {
                self.told_at = clock::instant();
            }
        }
        if bytes.is_empty() && self.said_at.elapsed() >= limits::HEARTBEAT_EVERY {
            self.link.tell(node.atlas(), batch_bytes, bytes);
        }
    }

    fn breach(&self, start: usize) -> Down {
        const SHOWN: usize = 120;
        let rest = &self.inbox[start..];
        let line = &rest[..memchr(b'\n', rest).unwrap_or(rest.len()).min(SHOWN)];
        Down::Breach(line.to_vec())
    }
}
