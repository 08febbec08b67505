//! One server: one thread, its own runtime, listener, state and log; the only place with herd sockets.
//!
//! A server is a process that happens to be a thread. What it knows is held in `Rc` and `RefCell`, so it cannot be
//! shared with another server: it would not compile. Four things cross threads and nothing else does: the proven
//! configuration (read only), [`Signal`]s in, [`Vitals`](vitals::Vitals) out, and log records to the appender.
//!
//! Reading order: here (bind, serve, obey), [`connection`] a client, [`link`] a neighbour, `confirm` when an answer
//! may be written, `lookup` places, `socket` what all connections share, [`journal`], `logfile` and [`record`] the
//! log, [`vitals`] what it shows, [`clock`].

pub mod clock;
mod confirm;
mod connection;
pub mod journal;
mod link;
mod logfile;
mod lookup;
pub mod record;
mod socket;
pub mod vitals;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::config::Config;
use crate::limits;
use crate::places::Places;
use crate::protocol::atlas::{Edition, Source};
use crate::protocol::hello::Identity;
use crate::protocol::node::Node;
use confirm::{Confirmations, Patience};
use connection::Admission;
use journal::Journal;
use lookup::Lookups;
use socket::Scratch;
use vitals::{Phase, Vitals};

/// All that a server is given when it starts.
pub struct Seat {
    /// The herd, with the addresses that were really bound (no port 0).
    pub config: Arc<Config>,
    /// Which of its servers this is.
    pub index: usize,
    /// Already bound and listening, so that nothing can fail between `bind` and the first answer.
    pub listener: TcpListener,
    /// When the herd came up: the mark of this run in every log file.
    pub herd_up_since: jiff::Timestamp,
    /// The key of every proof between neighbours.
    pub secret: Secret,
    /// Where it shows itself.
    pub vitals: Arc<Vitals>,
    /// What the herd wants of it. Closed without a word means [`Signal::Kill`].
    pub signals: mpsc::Receiver<Signal>,
}

/// The key of every proof between neighbours; shared by all servers of a herd.
#[derive(Clone)]
pub struct Secret(pub Arc<[u8]>);

/// What a process would be sent with `kill(2)`.
///
/// A sender unparks the server's thread after sending, for it may be parked by [`Signal::Stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGSTOP: the thread parks; the kernel still accepts, nothing answers.
    Stop,
    /// SIGCONT.
    Continue,
    /// SIGTERM: take nothing new, say what is owed, leave.
    Terminate,
    /// SIGKILL: every socket closes, nothing is flushed.
    Kill,
    /// What a bug would do: the server panics. For tests of what contains it.
    Panic,
}

/// Why a server could not run.
#[derive(Debug)]
pub enum Trouble {
    /// Its log file could not be opened.
    Log { path: PathBuf, why: io::Error },
    /// The kernel refused a runtime, the listener, or randomness.
    Runtime(io::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { path, .. } => write!(f, "cannot write the log {}", path.display()),
            Self::Runtime(_) => write!(f, "cannot run"),
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log { why, .. } | Self::Runtime(why) => Some(why),
        }
    }
}

/// Runs a server on the present thread until it is told to leave.
///
/// # Errors
///
/// [`Trouble`], before anything has been answered.
///
/// # Panics
///
/// A panic in any of the server's tasks is resumed here, so that it ends this server's thread, and only it.
pub fn main(seat: Seat) -> Result<(), Trouble> {
    let name = &seat.config.servers[seat.index].name;
    let log = &seat.config.log;
    let journal = Journal::open(log, name, seat.herd_up_since)
        .map_err(|why| Trouble::Log { path: log.directory.join(format!("{name}.log")), why })?;
    let _events = journal.install();
    let runtime =
        Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).map_err(Trouble::Runtime)?;
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(live(seat, journal))));
    // Never dropped: a plain drop would wait for whatever a task has blocked on.
    runtime.shutdown_background();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// One server, shared by its tasks and by nobody else.
struct Server {
    config: Arc<Config>,
    index: usize,
    secret: Secret,
    /// Chosen at random: a neighbour that knew another run knows nothing of this one.
    run: u64,
    node: RefCell<Node>,
    neighbours: Vec<Neighbour>,
    /// Rung when the atlas has a new edition, and when a link must look up for another reason.
    moved: Notify,
    confirmations: Confirmations,
    lookups: Lookups,
    scratch: Scratch,
    journal: Journal,
    vitals: Arc<Vitals>,
    links_made: Cell<u32>,
    leaving: Cell<Leaving>,
    /// Rung when `leaving` moves on.
    leave: Notify,
}

/// How far a stopping server has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    No,
    /// Clients get what they are owed and are sent away.
    Clients,
    /// Neighbours are told the rest.
    Links,
}

/// A neighbour, whether linked at present or not.
struct Neighbour {
    name: String,
    address: SocketAddr,
    /// It dials this server; otherwise this server dials it.
    dials: bool,
    /// The live connection to it.
    current: Cell<Option<Source>>,
    /// Its run when last linked, and what was heard of that run: where to resume.
    resume: Cell<(u64, Edition)>,
}

impl Neighbour {
    /// What this server already has of that run.
    fn heard_of(&self, run: u64) -> Edition {
        let (known, heard) = self.resume.get();
        if known == run { heard } else { 0 }
    }
}

async fn live(seat: Seat, journal: Journal) -> Result<(), Trouble> {
    let Seat { config, index, listener, secret, vitals, mut signals, .. } = seat;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Trouble::Runtime)?;
    let server = Rc::new(Server::new(config, index, secret, vitals, journal).map_err(Trouble::Runtime)?);
    let mut tasks = JoinSet::new();
    for (number, neighbour) in server.neighbours.iter().enumerate() {
        if !neighbour.dials {
            tasks.spawn_local(link::keep(Rc::clone(&server), number));
        }
    }
    tasks.spawn_local(be_patient(Rc::clone(&server)));
    info!("listening on {}", server.config.servers[index].address);
    server.vitals.set_phase(Phase::Serving);
    let mut door = Door::default();
    loop {
        tokio::select! {
            signal = signals.recv() => match obey(&server, signal, &mut signals) {
                Order::GoOn => {}
                Order::Stop => break,
                Order::Die => return Ok(()),
            },
            accepted = listener.accept(), if door.is_open() => door.admit(&server, &mut tasks, accepted),
            () = sleep(limits::ACCEPT_PAUSE), if !door.is_open() => door.open(),
            Some(ended) = tasks.join_next() => contain(ended),
        }
    }
    drop(listener);
    tokio::select! {
        () = leave(&server, &mut tasks) => {}
        () = wait_for_kill(&mut signals) => {}
    }
    Ok(())
}

/// What a signal comes to.
enum Order {
    GoOn,
    Stop,
    Die,
}

fn obey(server: &Server, signal: Option<Signal>, signals: &mut mpsc::Receiver<Signal>) -> Order {
    match signal {
        None | Some(Signal::Kill) => Order::Die,
        Some(Signal::Continue) => Order::GoOn,
        Some(Signal::Terminate) => Order::Stop,
        Some(Signal::Stop) => {
            let next = stand_still(server, signals);
            obey(server, next, signals)
        }
        Some(Signal::Panic) => panic!("told to panic"),
    }
}

/// Parks the thread, inside its own runtime, until a signal ends it; returns that signal.
fn stand_still(server: &Server, signals: &mut mpsc::Receiver<Signal>) -> Option<Signal> {
    let since = clock::instant();
    server.vitals.set_phase(Phase::Paused);
    let signal = loop {
        match signals.try_recv() {
            Ok(Signal::Stop) => {}
            Ok(signal) => break Some(signal),
            Err(mpsc::error::TryRecvError::Empty) => std::thread::park(),
            Err(mpsc::error::TryRecvError::Disconnected) => break None,
        }
    };
    if signal == Some(Signal::Continue) {
        server.vitals.set_phase(Phase::Serving);
        info!("resumed after {:.3} s", since.elapsed().as_secs_f64());
    }
    signal
}

/// A panic in any task is the server's own.
fn contain(ended: Result<(), tokio::task::JoinError>) {
    if let Err(why) = ended
        && why.is_panic()
    {
        error!("a task panicked; the server ends");
        resume_unwind(why.into_panic());
    }
}

/// Says what is owed: to the clients first, then to the neighbours.
async fn leave(server: &Rc<Server>, tasks: &mut JoinSet<()>) {
    server.vitals.set_phase(Phase::Stopping);
    info!("stopping, {} clients connected", server.clients());
    server.move_on(Leaving::Clients);
    let clients_gone = async {
        while server.clients() > 0
            && let Some(ended) = tasks.join_next().await
        {
            contain(ended);
        }
    };
    if timeout(limits::STOP_MAX, clients_gone).await.is_err() {
        warn!("{} clients did not take their answers in time", server.clients());
    }
    server.move_on(Leaving::Links);
    let links_gone = async {
        while server.vitals.links_live() > 0
            && let Some(ended) = tasks.join_next().await
        {
            contain(ended);
        }
    };
    let _ = timeout(limits::STOP_MAX, links_gone).await;
    info!("stopped");
}

async fn wait_for_kill(signals: &mut mpsc::Receiver<Signal>) {
    while !matches!(signals.recv().await, None | Some(Signal::Kill)) {}
}

/// Ends the wait of answers that nobody confirms.
async fn be_patient(server: Rc<Server>) {
    let mut patience = Patience::default();
    loop {
        patience.look(clock::instant(), server.edition(), &server.confirmations);
        if patience.is_idle() {
            server.moved.notified().await;
        } else {
            sleep(limits::CONFIRM_MAX / 10).await;
        }
    }
}

/// Where connections come in.
struct Door {
    open: bool,
}

impl Default for Door {
    fn default() -> Self {
        Self { open: true }
    }
}

impl Door {
    fn is_open(&self) -> bool {
        self.open
    }

    fn open(&mut self) {
        self.open = true;
    }

    fn admit(
        &mut self,
        server: &Rc<Server>,
        tasks: &mut JoinSet<()>,
        accepted: io::Result<(tokio::net::TcpStream, SocketAddr)>,
    ) {
        match accepted {
            Ok((stream, address)) => match server.admission() {
                Some(admission) => {
                    let _ = stream.set_nodelay(true);
                    tasks.spawn_local(connection::serve(Rc::clone(server), stream, address, admission));
                }
                None => warn!("client {address} dropped: there are connections_max clients already"),
            },
            // The caller gave up meanwhile; or there are no descriptors left, which time alone can mend.
            Err(why) => {
                warn!("cannot accept: {why}");
                self.open = false;
            }
        }
    }
}

impl Server {
    fn new(
        config: Arc<Config>,
        index: usize,
        secret: Secret,
        vitals: Arc<Vitals>,
        journal: Journal,
    ) -> io::Result<Self> {
        let limits = &config.limits;
        Ok(Self {
            run: getrandom::u64().map_err(io::Error::other)?,
            node: RefCell::new(Node::new(&config.servers[index].name, limits.clients_max)),
            neighbours: neighbours(&config, index),
            moved: Notify::new(),
            confirmations: Confirmations::new(config.ack),
            lookups: Lookups::new(Places::open(&config.places), limits.lookups_max),
            scratch: Scratch::new(),
            links_made: Cell::new(0),
            leaving: Cell::new(Leaving::No),
            leave: Notify::new(),
            config,
            index,
            secret,
            journal,
            vitals,
        })
    }

    /// How this server names itself to a neighbour.
    fn identity(&self) -> Identity<'_> {
        Identity {
            herd: &self.config.herd,
            server: &self.config.servers[self.index].name,
            run: self.run,
            secret: &self.secret.0,
        }
    }

    fn edition(&self) -> Edition {
        self.node.borrow().atlas().edition()
    }

    /// Shows and announces what the atlas has become.
    fn learned(&self) {
        let node = self.node.borrow();
        let atlas = node.atlas();
        if self.vitals.edition.swap(atlas.edition(), Relaxed) != atlas.edition() {
            self.vitals.knows.store(atlas.len() as u64, Relaxed);
            self.vitals.digest.store(atlas.digest(), Relaxed);
            self.moved.notify_waiters();
        }
        self.vitals.log_lost.store(self.journal.lost(), Relaxed);
    }

    /// A neighbour has been told up to `told`, as far as the kernel takes anything.
    fn told(&self, neighbour: usize, link: Source, told: Edition) {
        self.vitals.neighbours[neighbour].told.store(told, Relaxed);
        self.confirmations.sent(link, told);
    }

    /// A neighbour has said that it heard up to `edition`.
    fn confirmed_by(&self, neighbour: usize, edition: Edition) {
        self.vitals.neighbours[neighbour].heard.store(edition, Relaxed);
        self.confirmations.heard(edition);
    }

    fn count_unconfirmed(&self, answers: u64) {
        self.vitals.unconfirmed.fetch_add(answers, Relaxed);
    }

    fn line_bytes_max(&self) -> usize {
        self.config.limits.line_bytes_max
    }

    /// The longest line of a neighbour: a client's, behind a server's name and a skew.
    fn report_bytes_max(&self) -> usize {
        self.line_bytes_max() + limits::HELLO_BYTES_MAX
    }

    fn neighbour_that_dials(&self, name: &str) -> Option<usize> {
        self.neighbours.iter().position(|neighbour| neighbour.dials && neighbour.name == name)
    }

    fn clients(&self) -> u32 {
        self.vitals.clients.load(Relaxed)
    }

    fn admission(&self) -> Option<Admission> {
        let (clients, most) = (self.clients() as usize, self.config.limits.connections_max);
        match clients {
            _ if clients < most => Some(Admission::Client),
            _ if clients < most + limits::NEIGHBOURS_WAITING_MAX => Some(Admission::NeighbourOnly),
            _ => None,
        }
    }

    /// Counts a client for as long as the seat is kept.
    fn seat_client(self: &Rc<Self>) -> ClientSeat {
        self.vitals.clients.fetch_add(1, Relaxed);
        ClientSeat(Rc::clone(self))
    }

    /// Makes a new connection the live one of its link, for as long as the seat is kept. An older connection to the
    /// same neighbour sees that it is no longer current and ends.
    fn seat_link(self: &Rc<Self>, neighbour: usize) -> LinkSeat {
        self.links_made.set(self.links_made.get() + 1);
        let id = Source::link(self.links_made.get());
        self.neighbours[neighbour].current.set(Some(id));
        self.confirmations.link_up(id);
        self.vitals.set_live(neighbour, true);
        self.moved.notify_waiters();
        LinkSeat { server: Rc::clone(self), neighbour, id }
    }

    fn is_leaving(&self) -> bool {
        self.leaving.get() != Leaving::No
    }

    fn links_leave(&self) -> bool {
        self.leaving.get() == Leaving::Links
    }

    fn move_on(&self, leaving: Leaving) {
        self.leaving.set(leaving);
        self.leave.notify_waiters();
        self.moved.notify_waiters();
    }
}

struct ClientSeat(Rc<Server>);

impl Drop for ClientSeat {
    fn drop(&mut self) {
        self.0.vitals.clients.fetch_sub(1, Relaxed);
    }
}

struct LinkSeat {
    server: Rc<Server>,
    neighbour: usize,
    id: Source,
}

impl LinkSeat {
    fn is_current(&self, server: &Server) -> bool {
        server.neighbours[self.neighbour].current.get() == Some(self.id)
    }
}

impl Drop for LinkSeat {
    fn drop(&mut self) {
        self.server.confirmations.link_down(self.id);
        if self.is_current(&self.server) {
            self.server.neighbours[self.neighbour].current.set(None);
            self.server.vitals.set_live(self.neighbour, false);
        }
    }
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
        address: config.servers[server].address,
        dials,
        current: Cell::new(None),
        resume: Cell::new((0, 0)),
    })
    .collect()
}

/// A number that cannot be guessed; without a source of randomness, one that can.
fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}
