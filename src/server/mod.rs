//! One server: one thread, its own runtime, listener, state and log; the only place with herd sockets.
//!
//! A server is a process that happens to be a thread. What it knows is held in `Rc` and `RefCell`, so it cannot be
//! shared with another server: it would not compile. What crosses threads, and nothing else does: the proven
//! configuration (read only), [`Signal`]s and [`Faults`] in, [`Question`]s in and their answers out, [`Vitals`] and
//! [`events`] out, and log records to the appender.
//!
//! Reading order: here (serve, obey, leave), `state` what its tasks share, `door` who is let in, `connection` a client,
//! `gone` how one ends, `way`, `handshake` and `link` a neighbour, `trust` by what they know each other: [`secret`] and
//! `tls`, which are `reread`; [`fault`] what can be wrong with a link, `setbacks` what it then does, [`confirm`] when an
//! answer may be written, `lookup` places, [`archive`] the disk, [`bus`] other herds, `socket` what all connections do,
//! [`journal`], `logfile` and [`record`] the log, [`vitals`] and [`counts`] what it shows, [`events`] what it tells,
//! [`question`] what it may be asked, [`clock`].

pub mod archive;
pub mod bus;
pub mod clock;
pub mod confirm;
mod connection;
pub mod counts;
mod door;
pub mod events;
pub mod fault;
mod gone;
mod handshake;
pub mod journal;
mod link;
mod logfile;
mod lookup;
pub mod question;
pub mod record;
mod reread;
pub mod secret;
mod setbacks;
mod socket;
mod state;
mod tally;
mod tls;
mod trust;
pub mod vitals;
mod way;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::config::Config;
use crate::limits;
pub use crate::places::{Condition, Provider};
use crate::tls::Tls;
use archive::file::RealDisk;
use archive::{Archive, News, Refusal};
use bus::Bus;
use confirm::Patience;
use door::Door;
use events::Herald;
use fault::Faults;
use journal::Journal;
use question::Question;
pub use secret::Secret;
use socket::until;
use state::{Leaving, Server};
use trust::Trust;
use vitals::{Phase, Vitals};

/// All that a server is given when it starts.
pub struct Seat {
    /// The herd, with the ports that were really bound (none is 0).
    pub config: Arc<Config>,
    /// Which of its servers this is.
    pub index: usize,
    /// Already bound and listening, so that nothing can fail between `bind` and the first answer.
    pub listener: TcpListener,
    /// When the herd came up: the mark of this run in every log file.
    pub herd_up_since: jiff::Timestamp,
    /// The key of every proof between neighbours.
    pub secret: Secret,
    /// Where the places of a `WHATSAT` come from.
    pub provider: Provider,
    /// Where it shows itself.
    pub vitals: Arc<Vitals>,
    /// Where it tells what happens.
    pub herald: Herald,
    /// What the herd wants of it. Closed without a word means [`Signal::Kill`].
    pub signals: mpsc::Receiver<Signal>,
    /// What is wrong with the links from its neighbours. Closed means that nothing changes any more.
    pub faults: watch::Receiver<Faults>,
    /// What the herd asks. Closed means that nothing is asked any more.
    pub questions: mpsc::Receiver<Question>,
}

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
    /// What a power cut does: as [`Signal::Kill`], and every connection is reset, with what was not sent yet gone.
    PowerCut,
    /// What a bug would do: the server panics. For tests of what contains it.
    Panic,
}

/// Why a server could not run.
#[derive(Debug)]
pub enum Trouble {
    /// Its log file could not be opened.
    Log { path: PathBuf, why: io::Error },
    /// Its archive cannot be used.
    Archive { path: PathBuf, why: Refusal },
    /// Its certificate cannot be used.
    Tls(crate::tls::Flaw),
    /// The kernel refused a runtime, the listener, or randomness.
    Runtime(io::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { path, .. } => write!(f, "cannot write the log {}", path.display()),
            Self::Archive { path, .. } => write!(f, "cannot use the archive {}", path.display()),
            Self::Tls(_) => write!(f, "cannot use [tls]"),
            Self::Runtime(_) => write!(f, "cannot run"),
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log { why, .. } | Self::Runtime(why) => Some(why),
            Self::Archive { why, .. } => Some(why),
            Self::Tls(why) => Some(why),
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
    let (archive, keeper) = Archive::open(&seat.config, seat.index, RealDisk).map_err(Trouble::Runtime)?.unzip();
    let (bus, bridge) = Bus::open(&seat.config, seat.index).map_err(Trouble::Runtime)?.unzip();
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(live(seat, journal, archive, bus))));
    // Never dropped: a plain drop would wait for whatever a task has blocked on.
    runtime.shutdown_background();
    // Its sockets are closed by now. Whoever starts it again must find the file closed too.
    if let Some(keeper) = keeper {
        keeper.join();
    }
    if let Some(bridge) = bridge {
        bridge.join();
    }
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

async fn live(seat: Seat, journal: Journal, archive: Option<Archive>, bus: Option<Bus>) -> Result<(), Trouble> {
    let Seat { config, index, listener, secret, provider, vitals, herald, .. } = seat;
    let (mut signals, mut faults, mut questions) = (seat.signals, seat.faults, seat.questions);
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Trouble::Runtime)?;
    let tls = config.tls.as_ref().map(|files| Tls::load(files, &config.servers[index].name));
    let trust = Trust::new(secret, tls.transpose().map_err(Trouble::Tls)?);
    let server = Server::new(config, index, trust, &provider, vitals, herald, journal).map_err(Trouble::Runtime)?;
    let server = Rc::new(server);
    server.suffer(&faults.borrow_and_update());
    let mut tasks = JoinSet::new();
    let mut following = Vec::new();
    if let Some(mut archive) = archive {
        match load(&server, &mut archive, &mut signals).await? {
            Order::GoOn => following.push(tasks.spawn_local(archive::follow(Rc::clone(&server), archive))),
            Order::Stop | Order::Die => return Ok(()),
        }
    }
    if let Some(bus) = bus {
        following.push(tasks.spawn_local(bus::follow(Rc::clone(&server), bus)));
    }
    for (number, neighbour) in server.neighbours.iter().enumerate() {
        if !neighbour.dials {
            tasks.spawn_local(link::keep(Rc::clone(&server), number));
        }
    }
    tasks.spawn_local(be_patient(Rc::clone(&server)));
    tasks.spawn_local(journal::follow());
    info!("listening on {}", server.config.servers[index].listen);
    server.vitals.set_phase(Phase::Serving);
    let mut door = Door::new();
    loop {
        tokio::select! {
            signal = signals.recv() => match obey(&server, signal, &mut signals) {
                Order::GoOn => {}
                Order::Stop => break,
                Order::Die => return Ok(()),
            },
            accepted = listener.accept(), if door.is_open() => door.admit(&server, &mut tasks, accepted),
            () = until(door.look_at) => door.look(&server, &listener),
            Some(ended) = tasks.join_next() => contain(ended),
            Ok(()) = faults.changed() => server.suffer(&faults.borrow_and_update()),
            Some(question) = questions.recv() => question::answer(&server, question),
        }
    }
    drop(listener);
    tokio::select! {
        () = leave(&server, &mut tasks, following) => {}
        () = wait_for_kill(&server, &mut signals) => {}
    }
    Ok(())
}

/// Loads what the server knew when it last ran; nothing is answered before.
async fn load(server: &Server, archive: &mut Archive, signals: &mut mpsc::Receiver<Signal>) -> Result<Order, Trouble> {
    let since = clock::instant();
    let refuse = |archive: &Archive, flaw| {
        let trouble = archive.refusal(flaw);
        error!("{trouble}: {}", std::error::Error::source(&trouble).expect("there is a reason"));
        trouble
    };
    loop {
        let news = tokio::select! {
            signal = signals.recv() => match obey(server, signal, signals) {
                Order::GoOn => continue,
                order => return Ok(order),
            },
            news = archive.news() => news,
        };
        match news {
            News::Expect(clients) => server.node.borrow_mut().atlas_mut().reserve(clients),
            News::Loaded(lines) => archive::learn(server, &lines).map_err(|flaw| refuse(archive, flaw))?,
            News::Refused(flaw) => return Err(refuse(archive, flaw)),
            _ => break,
        }
    }
    archive.is_loaded(server.node.borrow().atlas());
    info!("{} clients loaded from the archive in {:.3} s", server.edition(), since.elapsed().as_secs_f64());
    Ok(Order::GoOn)
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
        Some(Signal::PowerCut) => {
            server.power_cut.set(true);
            Order::Die
        }
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
    let (since, before) = (clock::instant(), server.vitals.phase());
    journal::hand_over();
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
        server.vitals.set_phase(before);
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

/// Says what is owed: to the clients first, then to the neighbours, then to the archive and the bus.
async fn leave(server: &Rc<Server>, tasks: &mut JoinSet<()>, following: Vec<AbortHandle>) {
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
    server.move_on(Leaving::Archive);
    let stored = async {
        while following.iter().any(|following| !following.is_finished())
            && let Some(ended) = tasks.join_next().await
        {
            contain(ended);
        }
    };
    if timeout(limits::ARCHIVE_STOP_MAX, stored).await.is_err() {
        warn!("the archive or the bus did not take in time what is known");
    }
    info!("stopped");
}

async fn wait_for_kill(server: &Server, signals: &mut mpsc::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            None | Some(Signal::Kill) => return,
            Some(Signal::PowerCut) => return server.power_cut.set(true),
            Some(_) => {}
        }
    }
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
