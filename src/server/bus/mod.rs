//! The bus that joins herds and keeps their last-known locations: one more thing that is told what follows an edition.
//!
//! A server that is a bridge puts each newest report into a key-value bucket of NATS JetStream, under its herd's name
//! and its client's, and learns what other bridges put there as it learns from a neighbour. Nothing is compared before
//! it is put: of two reports the newer wins at whoever reads them, and a report that is known changes nothing, so what
//! goes round ends. The herd never waits for the bus; a bus that is away makes the bridge lag, which costs one number.
//!
//! Reading order: here (the server's end), `key` what a client is called there, `batch` what is put, `piece` what is
//! taken, `mark` where a bridge stands, all pure; `keeper` the thread that speaks with the bus, and `nats` its words.

mod batch;
mod credentials;
mod keeper;
mod key;
mod mark;
#[cfg_attr(not(feature = "bus"), path = "absent.rs")]
mod nats;
mod piece;
mod trouble;

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::counts::add;
use super::state::{Leaving, Server};
use super::vitals;
use crate::config::Config;
use crate::limits;
use crate::protocol::atlas::{Atlas, Edition, Source};
use crate::protocol::line::Report;
use batch::Batch;
use keeper::Address;
pub(super) use keeper::Keeper;
use piece::Piece;
pub use trouble::Trouble;

/// The server's end of the bus.
pub(super) struct Bus {
    url: String,
    batches: mpsc::Sender<Batch>,
    news: mpsc::Receiver<News>,
    /// Who says what comes from there. Another one after the bus has lost everything, for then what it said is not
    /// known to it any more.
    source: Option<Source>,
    /// Which joining of the bus this is.
    session: u64,
    /// It is joined and may be told. What it holds has been read before, but for what others have put since: so it is not
    /// told what it has said.
    is_level: bool,
    told: Edition,
    /// The batch that is being put.
    writing: Option<Writing>,
    /// Clients of whom the bus has an older report than it was told: another bridge of this herd has put it later.
    owed: Vec<Vec<u8>>,
    /// The trouble that has been said.
    trouble: Option<Trouble>,
}

/// A batch on its way to the bus.
struct Writing {
    /// Where it ends.
    edition: Edition,
    /// So many clients of those that are owed are in it.
    owed: usize,
}

/// What the keeper has to say.
#[derive(Debug)]
enum News {
    /// The bus is joined; `anew`: it knows nothing of what it was told before.
    Joined { session: u64, anew: bool },
    /// Some of what is in the bucket.
    Piece(Piece),
    /// The batch is in the bucket, but for reports that are longer than the bus takes.
    Told { session: u64, too_long: u64 },
    /// The bus is not joined at present.
    Trouble(Trouble),
}

impl Bus {
    /// Starts a keeper for a server that is a bridge; none for others.
    ///
    /// # Errors
    ///
    /// If the system gives no thread or no runtime.
    pub(super) fn open(config: &Config, index: usize) -> io::Result<Option<(Self, Keeper)>> {
        let Some(address) = Address::of(config, index) else { return Ok(None) };
        let (batches, told) = mpsc::channel(limits::BUS_BATCHES_MAX);
        let (news, heard) = mpsc::channel(limits::BUS_NEWS_MAX);
        let bus = Self::new(address.url.clone(), batches, heard);
        let keeper = Keeper::spawn(address, &config.servers[index].name, told, news)?;
        Ok(Some((bus, keeper)))
    }

    fn new(url: String, batches: mpsc::Sender<Batch>, news: mpsc::Receiver<News>) -> Self {
        Self {
            url,
            batches,
            news,
            source: None,
            session: 0,
            is_level: false,
            told: 0,
            writing: None,
            owed: Vec::new(),
            trouble: None,
        }
    }

    /// Hands what follows to the keeper, if it is free and there is something.
    fn tell(&mut self, atlas: &Atlas) {
        let Some(source) = self.source.filter(|_| self.is_free()) else { return };
        if self.told >= atlas.edition() && self.owed.is_empty() {
            return;
        }
        let batch = Batch::after(self.told, atlas, &self.owed, source, self.session);
        if batch.lines.is_empty() {
            // All of it came from there.
            self.told = batch.edition;
            return;
        }
        let writing = Writing { edition: batch.edition, owed: self.owed.len() };
        if self.batches.try_send(batch).is_ok() {
            self.writing = Some(writing);
        }
    }

    fn is_free(&self) -> bool {
        self.is_level && self.writing.is_none()
    }

    /// Takes the bus for joined. What it knew, it knows still, and what it lacks is told at once; unless it is joined anew:
    /// then it becomes `source`, and is read before it is told.
    fn joined(&mut self, session: u64, anew: bool, source: impl FnOnce() -> Source) {
        (self.session, self.is_level, self.writing) = (session, !anew, None);
        if anew {
            (self.told, self.source) = (0, Some(source()));
            self.owed.clear();
        }
    }

    /// The batch of this session has been put.
    fn has_told(&mut self, session: u64) {
        if session == self.session
            && let Some(written) = self.writing.take()
        {
            self.told = written.edition;
            self.owed.drain(..written.owed);
        }
    }

    /// Notes that the bus has an older report of a client than was handed to it.
    fn owe(&mut self, client: &[u8]) {
        if self.owed.len() < limits::BUS_OWED_MAX {
            self.owed.push(client.to_vec());
        } else {
            // Too many to name: all of them follow edition 0.
            self.told = 0;
            if let Some(writing) = &mut self.writing {
                writing.edition = 0;
            }
        }
    }

    /// Nothing more can be done for what the server knows now.
    fn is_done(&self, atlas: &Atlas) -> bool {
        !self.is_level || (self.writing.is_none() && self.told >= atlas.edition() && self.owed.is_empty())
    }

    /// Takes a piece of the bucket into the atlas; returns how many reports were news.
    fn learn(&mut self, atlas: &mut Atlas, piece: &Piece) -> u64 {
        let Some(source) = self.source else { return 0 };
        let mut learned = 0;
        let handed_over = self.writing.as_ref().map_or(self.told, |writing| writing.edition);
        for (lines, is_own) in [(&piece.own, true), (&piece.others, false)] {
            for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                let report = Report::parse(line).expect("a piece holds reports");
                if atlas.learn(report, source) {
                    learned += 1;
                } else if is_own
                    && let Some((newest, edition)) = atlas.newest(report.client())
                    && newest > report
                    && edition <= handed_over
                {
                    self.owe(report.client());
                }
            }
        }
        self.is_level |= piece.level;
        learned
    }
}

/// Keeps the bus told, and learns what it says, until the server leaves and there is nothing more to tell.
pub(super) async fn follow(server: Rc<Server>, mut bus: Bus) {
    loop {
        bus.tell(server.node.borrow().atlas());
        show(&server, &bus);
        if server.leaving.get() == Leaving::Archive && bus.is_done(server.node.borrow().atlas()) {
            return;
        }
        tokio::select! {
            // A keeper that panicked says nothing more; the server goes on, and shows a bus that is away.
            news = bus.news.recv() => match news {
                Some(news) => hear(&server, &mut bus, news),
                None => return lose(&server, &mut bus),
            },
            () = server.moved.notified(), if bus.is_free() => {}
            () = server.leave.notified() => {}
        }
    }
}

fn hear(server: &Server, bus: &mut Bus, news: News) {
    let shown = &server.vitals.bus;
    match news {
        News::Joined { session, anew } => {
            bus.joined(session, anew, || server.new_source());
            bus.trouble = None;
            let how = if anew { ", which knows nothing from here" } else { " again" };
            info!("joined the bus at {}{how}", bus.url);
        }
        News::Piece(piece) => {
            let learned = bus.learn(server.node.borrow_mut().atlas_mut(), &piece);
            add(&shown.learned, learned);
            if piece.refused > 0 && shown.refused.fetch_add(piece.refused, Relaxed) == 0 {
                warn!("the bus at {} holds what is no report; it is left out and counted", bus.url);
            }
            if learned > 0 {
                server.learned();
            }
        }
        News::Told { session, too_long } => {
            bus.has_told(session);
            if too_long > 0 && shown.too_long.fetch_add(too_long, Relaxed) == 0 {
                warn!(
                    "the bus at {} does not take reports as long as some here; they are left out and counted",
                    bus.url
                );
            }
        }
        News::Trouble(trouble) => {
            (bus.is_level, bus.writing) = (false, None);
            if bus.trouble.replace(trouble) != Some(trouble) {
                warn!("the bus at {} is away: {trouble}; the server goes on", bus.url);
            }
        }
    }
}

fn lose(server: &Server, bus: &mut Bus) {
    hear(server, bus, News::Trouble(Trouble::Gone));
    show(server, bus);
}

fn show(server: &Server, bus: &Bus) {
    let shown = &server.vitals.bus;
    let state = match bus {
        Bus { trouble: Some(_), .. } => vitals::BusState::Away,
        Bus { is_level: true, .. } => vitals::BusState::Joined,
        _ => vitals::BusState::Joining,
    };
    shown.told.store(bus.told, Relaxed);
    shown.trouble.store(bus.trouble.map_or(0, |trouble| trouble as u8), Relaxed);
    shown.set_state(state);
}

#[cfg(test)]
mod tests;
