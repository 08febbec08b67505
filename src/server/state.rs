//! What the tasks of one server share, and nobody else: its node, its neighbours, who waits for what.
//!
//! Held in `Rc`, with cells inside: it cannot leave its thread.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Notify;
use tracing::{info, warn};

use super::clock;
use super::confirm::Confirmations;
use super::counts;
use super::events::Herald;
use super::fault::Fault;
use super::journal::Journal;
use super::lookup::Lookups;
use super::secret::Keys;
use super::socket::Scratch;
use super::trust::Trust;
use super::vitals::Vitals;
use super::way::Way;
use crate::config::{Config, counted};
use crate::limits;
use crate::places::Provider;
use crate::protocol::atlas::{Edition, Source};
use crate::protocol::hello::Identity;
use crate::protocol::link::Acquaintance;
use crate::protocol::node::Node;

/// One server, shared by its tasks and by nobody else.
pub(super) struct Server {
    pub(super) config: Arc<Config>,
    pub(super) index: usize,
    /// By what it and its neighbours know each other.
    pub(super) trust: Trust,
    /// Chosen at random: a neighbour that knew another run knows nothing of this one.
    pub(super) run: u64,
    pub(super) node: RefCell<Node>,
    pub(super) neighbours: Vec<Neighbour>,
    /// Rung when the atlas has a new edition, and when a link must look up for another reason.
    pub(super) moved: Notify,
    pub(super) confirmations: Confirmations,
    pub(super) lookups: Lookups,
    pub(super) scratch: Scratch,
    pub(super) journal: Journal,
    pub(super) vitals: Arc<Vitals>,
    pub(super) herald: Herald,
    pub(super) links_made: Cell<u32>,
    /// Connections that are there only in case they are neighbours'; they count as clients until they prove it.
    waiting: Cell<usize>,
    /// Clients that the operator has had forgotten and the archive has not; none without an archive.
    pub(super) forgotten: RefCell<Vec<Vec<u8>>>,
    /// Connections are to be reset, not closed.
    pub(super) power_cut: Rc<Cell<bool>>,
    pub(super) leaving: Cell<Leaving>,
    /// Rung when `leaving` moves on.
    pub(super) leave: Notify,
    /// How often a link has gone down.
    pub(super) links_lost: Cell<u64>,
}

/// How far a stopping server has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leaving {
    No,
    /// Clients get what they are owed and are sent away.
    Clients,
    /// Neighbours are told the rest.
    Links,
    /// The archive and the bus are told the rest.
    Archive,
}

/// As what a connection is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Client,
    /// There are too many: only a neighbour may stay.
    NeighbourOnly(Full),
}

impl Admission {
    /// What it adds to the number of those that wait.
    fn waits(self) -> usize {
        usize::from(self != Self::Client)
    }
}

/// Why there is no room for one more client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Clients,
    Descriptors,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "there are connections_max clients already",
            Self::Descriptors => "no descriptors are left for clients",
        })
    }
}

/// A neighbour, whether linked at present or not.
pub(super) struct Neighbour {
    pub(super) name: String,
    pub(super) way: Way,
    /// It dials this server; otherwise this server dials it.
    pub(super) dials: bool,
    /// The live connection to it.
    pub(super) current: Cell<Option<Source>>,
    /// What is known of its run when last linked: where to resume.
    known: Cell<Option<Acquaintance>>,
    /// What is wrong with what comes from it.
    pub(super) fault: Cell<Fault>,
    /// Rung when `fault` has changed.
    pub(super) struck: Notify,
}

impl Neighbour {
    /// That run of it has been heard up to there.
    pub(super) fn is_heard(&self, run: u64, heard: Edition) {
        self.known
            .update(|known| known.map(|known| if known.run == run { Acquaintance { heard, ..known } } else { known }));
    }
}

impl Server {
    pub(super) fn new(
        config: Arc<Config>,
        index: usize,
        trust: Trust,
        provider: &Provider,
        vitals: Arc<Vitals>,
        herald: Herald,
        journal: Journal,
    ) -> io::Result<Self> {
        let limits = &config.limits;
        Ok(Self {
            run: getrandom::u64().map_err(io::Error::other)?,
            node: RefCell::new(node(&config, index)),
            neighbours: neighbours(&config, index),
            moved: Notify::new(),
            confirmations: Confirmations::new(config.ack, config.heard),
            lookups: Lookups::new(provider, limits.lookups_max, Arc::clone(&vitals)),
            scratch: Scratch::new(),
            links_made: Cell::new(0),
            waiting: Cell::new(0),
            forgotten: RefCell::default(),
            power_cut: Rc::default(),
            leaving: Cell::new(Leaving::No),
            leave: Notify::new(),
            links_lost: Cell::new(0),
            config,
            index,
            trust,
            journal,
            vitals,
            herald,
        })
    }

    /// How this server names itself to a neighbour.
    pub(super) fn identity<'a>(&'a self, keys: &'a Keys) -> Identity<'a> {
        Identity {
            herd: &self.config.herd,
            server: &self.config.servers[self.index].name,
            run: self.run,
            secret: &keys.spoken,
            also: keys.also.as_deref(),
        }
    }

    pub(super) fn edition(&self) -> Edition {
        self.node.borrow().atlas().edition()
    }

    /// Shows and announces what the atlas has become.
    pub(super) fn learned(&self) {
        let edition = self.edition();
        if self.vitals.edition.load(Relaxed) != edition {
            self.show_atlas();
            self.vitals.neighbours.iter().for_each(|link| link.owes(edition, clock::now));
            self.moved.notify_waiters();
        }
        self.vitals.log_lost.store(self.journal.lost(), Relaxed);
        self.vitals.counts.log_records.store(self.journal.lines(), Relaxed);
    }

    /// Shows what the atlas has become.
    pub(super) fn show_atlas(&self) {
        let node = self.node.borrow();
        let atlas = node.atlas();
        self.vitals.edition.store(atlas.edition(), Relaxed);
        self.vitals.knows.store(atlas.len() as u64, Relaxed);
        self.vitals.digest.store(atlas.digest(), Relaxed);
    }

    /// Takes a client out of what is known, and out of the archive; says whether it was known. The archive may hold
    /// it even if nobody knows it any more.
    pub(super) fn forget(&self, client: &[u8]) -> bool {
        let known = self.node.borrow_mut().atlas_mut().forget(client);
        self.show_atlas();
        let mut forgotten = self.forgotten.borrow_mut();
        if self.config.archive.is_none() || forgotten.iter().any(|other| other == client) {
            return known;
        }
        if forgotten.len() < limits::FORGOTTEN_MAX {
            forgotten.push(client.to_vec());
            self.moved.notify_waiters();
        } else {
            warn!("the archive keeps client {}: it has too many to forget", client.escape_ascii());
        }
        known
    }

    /// Takes note of what is wrong with the links from its neighbours, in their order; what is not named is well.
    pub(super) fn suffer(&self, faults: &[Fault]) {
        for (nth, neighbour) in self.neighbours.iter().enumerate() {
            let fault = faults.get(nth).copied().unwrap_or_default();
            if neighbour.fault.replace(fault) != fault {
                info!("fault on what comes from {}: {fault}", neighbour.name);
                neighbour.struck.notify_waiters();
            }
        }
    }

    /// A neighbour has been told up to `told`, and is whole up to `whole`, as far as the kernel takes anything.
    pub(super) fn told(&self, neighbour: usize, link: Source, told: Edition, whole: Edition) {
        self.vitals.neighbours[neighbour].told.store(told, Relaxed);
        self.confirmations.sent(link, whole);
    }

    /// A neighbour has heard up to `heard`, and is whole up to `whole`.
    pub(super) fn confirmed_by(&self, neighbour: usize, link: Source, heard: Edition, whole: Edition) {
        self.vitals.neighbours[neighbour].confirmed(heard, self.edition(), clock::now);
        self.confirmations.heard(link, whole);
    }

    pub(super) fn count_unconfirmed(&self, answers: u64) {
        self.vitals.unconfirmed.fetch_add(answers, Relaxed);
    }

    pub(super) fn line_bytes_max(&self) -> usize {
        self.config.limits.line_bytes_max
    }

    /// The longest line of a neighbour: a client's, behind a server's name and a skew.
    pub(super) fn report_bytes_max(&self) -> usize {
        self.line_bytes_max() + limits::HELLO_BYTES_MAX
    }

    pub(super) fn neighbour_that_dials(&self, name: &str) -> Option<usize> {
        self.neighbours.iter().position(|neighbour| neighbour.dials && neighbour.name == name)
    }

    pub(super) fn clients(&self) -> u32 {
        self.vitals.clients.load(Relaxed)
    }

    /// As what the next connection is let in; why it is not. It may have one of the descriptors that are kept from clients.
    pub(super) fn admission(&self, has_kept_descriptor: bool) -> Result<Admission, Full> {
        let waiting = self.waiting.get();
        let full = match self.clients() as usize - waiting {
            clients if clients >= self.config.limits.connections_max => Full::Clients,
            _ if has_kept_descriptor => Full::Descriptors,
            _ => return Ok(Admission::Client),
        };
        if waiting < limits::NEIGHBOURS_WAITING_MAX { Ok(Admission::NeighbourOnly(full)) } else { Err(full) }
    }

    /// Counts a client for as long as the seat is kept.
    pub(super) fn seat_client(self: &Rc<Self>, admission: Admission) -> ClientSeat {
        self.vitals.clients.fetch_add(1, Relaxed);
        self.waiting.update(|waiting| waiting + admission.waits());
        counts::add(&self.vitals.counts.connections, 1);
        ClientSeat { server: Rc::clone(self), admission }
    }

    /// Another one who says reports.
    pub(super) fn new_source(&self) -> Source {
        self.links_made.set(self.links_made.get() + 1);
        Source::link(self.links_made.get())
    }

    /// What is known of a neighbour's present run.
    pub(super) fn meet(&self, neighbour: usize, run: u64) -> Acquaintance {
        let known = &self.neighbours[neighbour].known;
        let met = Acquaintance::with(run, known.get(), || self.new_source());
        known.set(Some(met));
        met
    }

    /// Makes a new connection the live one of its link, for as long as the seat is kept. An older connection to the
    /// same neighbour sees that it is no longer current and ends.
    pub(super) fn seat_link(self: &Rc<Self>, neighbour: usize) -> LinkSeat {
        let id = self.new_source();
        self.neighbours[neighbour].current.set(Some(id));
        self.confirmations.link_up(neighbour, id);
        self.show_link(neighbour, true);
        self.moved.notify_waiters();
        LinkSeat { server: Rc::clone(self), neighbour, id }
    }

    /// Shows a link as live or not; says so where answers now wait for another number of neighbours than `heard` asks
    /// for, or for that again.
    fn show_link(&self, neighbour: usize, live: bool) {
        let heard = self.config.heard;
        let waited_for = || self.vitals.links_live().min(heard);
        let before = waited_for();
        self.vitals.set_live(neighbour, live);
        let now = waited_for();
        match heard {
            1 => {}
            _ if now < before && !self.is_leaving() => {
                warn!("answers wait for {} only: no more are linked", counted(now, "neighbour"));
            }
            _ if now > before && now == heard => info!("answers wait for {heard} neighbours"),
            _ => {}
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.get() != Leaving::No
    }

    pub(super) fn links_leave(&self) -> bool {
        self.leaving.get() >= Leaving::Links
    }

    pub(super) fn move_on(&self, leaving: Leaving) {
        self.leaving.set(leaving);
        self.leave.notify_waiters();
        self.moved.notify_waiters();
    }
}

pub(super) struct ClientSeat {
    server: Rc<Server>,
    pub(super) admission: Admission,
}

impl Drop for ClientSeat {
    fn drop(&mut self) {
        self.server.vitals.clients.fetch_sub(1, Relaxed);
        self.server.waiting.update(|waiting| waiting - self.admission.waits());
    }
}

pub(super) struct LinkSeat {
    server: Rc<Server>,
    neighbour: usize,
    pub(super) id: Source,
}

impl LinkSeat {
    pub(super) fn is_current(&self, server: &Server) -> bool {
        server.neighbours[self.neighbour].current.get() == Some(self.id)
    }
}

impl Drop for LinkSeat {
    fn drop(&mut self) {
        self.server.confirmations.link_down(self.id);
        if self.is_current(&self.server) {
            self.server.neighbours[self.neighbour].current.set(None);
            self.server.show_link(self.neighbour, false);
            self.server.vitals.neighbours[self.neighbour].held.store(false, Relaxed);
            self.server.links_lost.update(|lost| lost + 1);
            self.server.moved.notify_waiters();
        }
    }
}

fn node(config: &Config, index: usize) -> Node {
    let limits = &config.limits;
    Node::new(&config.servers[index].name, limits.clients_max).with_future_max(limits.future_seconds_max)
}

/// The neighbours of a server, in the order of the links.
fn neighbours(config: &Config, index: usize) -> Vec<Neighbour> {
    let ends = config.links.iter().filter_map(|link| match index {
        _ if link.dialer == index => Some((link.listener, false)),
        _ if link.listener == index => Some((link.dialer, true)),
        _ => None,
    });
    ends.map(|(server, dials)| Neighbour {
        name: config.servers[server].name.clone(),
        way: Way::to(config.servers[server].address.clone()),
        dials,
        current: Cell::new(None),
        known: Cell::new(None),
        fault: Cell::default(),
        struck: Notify::new(),
    })
    .collect()
}

/// A number that cannot be guessed; without a source of randomness, one that can.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}
