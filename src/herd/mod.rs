//! The supervisor: it starts the servers, watches them, and does to them what it is told.
//!
//! One loop over one channel of `Event`s, on one thread. What takes time (an order that waits for a server's
//! end, readiness, leaving) is a task of the same thread that looks at the shared `Herd` and never holds it
//! across an await; so `ps` is answered at once, whatever else hangs. What a server knows or says is none of
//! the herd's business: it sees atomics and sends signals.
//!
//! Reading order: here (prepare, serve), `life` the loop, `asked` what the loop is asked, `child` one server, `orders` what is done to servers,
//! `faults` what is wrong with the links, `later` what undoes itself, `whereis` what servers know, `status` what they look like,
//! `chronicle` what has happened, `metrics` the same in numbers, `control` the HTTP API, `dash` the page in a browser, `remote` and [`token`] the same for other hosts, `entrance` and `guest` who comes in over TCP,
//! `health` whether all is well, [`den`] and [`lock`] the folder and who holds it,
//! `ports`, [`secret`], `certificates`, `names`, `signals`, `runner`, `panics`, [`detach`] the life without a terminal, [`api`] the documents.

pub mod api;
mod asked;
mod certificates;
mod child;
mod chronicle;
mod control;
mod dash;
pub mod den;
pub mod detach;
mod entrance;
mod faults;
mod guest;
mod health;
mod later;
mod life;
pub mod lock;
mod logs;
mod metrics;
mod names;
mod orders;
mod panics;
mod ports;
mod remote;
mod runner;
mod scrape;
pub mod secret;
mod signals;
mod status;
mod ticker;
pub mod token;
mod whereis;

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_local;
use tokio::time::timeout_at;
use tracing::{info, warn};

use crate::config::{self, Config, Log, WhenBehind};
use crate::limits;
use crate::server::journal::Journal;
use crate::server::{self, Provider, Seat, Secret, Trouble};
use api::{Down, Failure, Kind, Ps};
use child::{Child, Gifts};
use chronicle::Chronicle;
use control::Control;
use den::Den;
use faults::Ills;
use life::{Event, Leaving, become_ready, leave, live};
use remote::Remote;
use runner::Runner;
pub use status::islands;
pub use whereis::ELSEWHERE;

/// What `herdctl up` was asked.
#[derive(Debug, Clone)]
pub struct Up {
    pub config: Config,
    /// Added to every port that is not 0.
    pub port_offset: u16,
    /// The servers to start, as indexes into [`Config::servers`]; empty: all.
    pub only: Vec<usize>,
    /// How long all may take until they listen and are linked.
    pub wait_ms: u64,
    /// Say "ready" at once.
    pub no_wait: bool,
    /// The one server of the herd that this process runs (`herdctl serve`); the others run elsewhere.
    pub served: Option<usize>,
    /// There is a terminal, and a hangup of it ends the herd.
    pub foreground: bool,
}

/// What runs on a server's thread: [`server::main`], or a test's stand-in.
pub type Body = fn(Seat) -> Result<(), Trouble>;

/// Runs the herd on this thread until `down`, a signal, or trouble. `ready` is called once, with the
/// `herd.ps/1` document, when all listen and all links are up (at once with `no_wait`).
///
/// # Errors
///
/// [`Kind::Taken`] if a herd runs here or a port is taken, and nothing was started; [`Kind::Timeout`] or
/// [`Kind::Failed`] if the herd did not become ready, and all was taken down again.
pub fn run(up: Up, ready: impl FnOnce(&Ps)) -> Result<Down, Failure> {
    Supervisor::new(up).run_with_signals(ready)
}

/// A herd about to come up.
#[derive(Debug)]
pub struct Supervisor {
    up: Up,
    body: Body,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
}

/// A way to ask a herd to leave from any thread, as Ctrl-C does; never waits.
#[derive(Debug, Clone)]
pub struct Interrupt(mpsc::Sender<Event>);

impl Interrupt {
    /// Asks once; asking again changes nothing.
    pub fn press(&self) {
        // The queue is as good as never full, and a second press needs no queue.
        let _ = self.0.try_send(Event::Pressed);
    }
}

impl Supervisor {
    /// A herd as `herdctl up` asked for it; nothing is taken or started yet.
    #[must_use]
    pub fn new(up: Up) -> Self {
        let (events, inbox) = mpsc::channel(limits::EVENTS_MAX);
        Self { up, body: server::main, events, inbox }
    }

    /// Puts another body on the servers' threads.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// The way to ask it to leave from elsewhere.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.events.clone())
    }

    /// [`run`](Self::run), with the process's signals taken; once in a process.
    ///
    /// # Errors
    ///
    /// As [`run`].
    pub fn run_with_signals(self, ready: impl FnOnce(&Ps)) -> Result<Down, Failure> {
        signals::install(self.interrupt(), self.up.foreground)?;
        self.run(ready)
    }

    /// Runs the herd on this thread, as [`run`] says, without touching the process's signals.
    ///
    /// # Errors
    ///
    /// As [`run`].
    pub fn run(self, ready: impl FnOnce(&Ps)) -> Result<Down, Failure> {
        let (prepared, den, control) = self.prepare()?;
        let journal = prepared.journal()?;
        let _events = journal.install();
        ports::raise_descriptors();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .map_err(|why| Failure::new(Kind::Failed, format!("the system gives no runtime: {why}")))?;
        let outcome = runtime.block_on(prepared.serve(den, control, ready));
        runtime.shutdown_background();
        outcome
    }

    /// Takes all that can be refused, before any server runs: the den, the secret, the ports.
    fn prepare(self) -> Result<(Prepared, Den, UnixListener), Failure> {
        let Self { up, body, events, inbox } = self;
        let mut config = ports::moved(up.config.clone(), up.port_offset)?;
        let served = up.served;
        if let Some(served) = served {
            names::can_be_served(&config, served)?;
        }
        let since = Timestamp::now();
        let tenant = served.map(|served| config.servers[served].name.clone());
        let fingerprint = fingerprint(&config, &up.only);
        let (den, control) = Den::take(&config.path, tenant.as_deref(), &fingerprint, &status::rfc3339(since))?;
        let (secret, _) = secret::of(&config)?;
        certificates::prove(&config, &up.only)?;
        let provider = provider_of(&config)?;
        let listeners = ports::bind_own(&mut config, served)?;
        let own = served.and_then(|served| config.servers[served].metrics);
        let remote = served.map(|served| Remote::bind(&config, served)).transpose()?.flatten();
        let scrape = own.or(config.metrics.listen).map(ports::bind_metrics).transpose()?;
        let chronicle = Rc::new(Chronicle::new(&config, since));
        let child = |(index, server): (usize, &config::Server)| {
            let is_elsewhere = served.is_some_and(|served| served != index);
            Child::new(index, &server.name, chronicle.clone()).elsewhere(is_elsewhere)
        };
        let children = config.servers.iter().enumerate().map(child).collect();
        let faults = Ills::none(&config, chronicle.clone());
        let herd = Herd {
            config: Arc::new(config),
            body,
            secret,
            provider,
            since,
            up_at: Instant::now(),
            children,
            chronicle,
            faults,
            changed: Arc::new(Notify::new()),
            events,
            dash: None,
            readers: logs::Readers::default(),
            runner: if served.is_some() { Runner::of_process() } else { Runner::default() },
            leaving: None,
        };
        Ok((Prepared { up, herd, listeners, scrape, remote, inbox }, den, control))
    }
}

/// What there is to know of a running herd. Shared by the tasks of the supervisor's thread, and borrowed only between awaits.
struct Herd {
    config: Arc<Config>,
    body: Body,
    secret: Secret,
    provider: Provider,
    since: Timestamp,
    up_at: Instant,
    children: Vec<Child>,
    /// Where whatever is done is noted, right after it was logged.
    chronicle: Rc<Chronicle>,
    /// What is wrong with the links; it outlives the servers.
    faults: Ills,
    /// Rung when a server's phase, a link's liveness, or anything here has changed.
    changed: Arc<Notify>,
    events: mpsc::Sender<Event>,
    /// The dashboard, once somebody has asked for it.
    dash: Option<dash::Door>,
    readers: logs::Readers,
    /// Who wants to know how this process fares.
    runner: Runner,
    leaving: Option<Leaving>,
}

type Shared = Rc<RefCell<Herd>>;

/// A herd whose ports are bound and whose servers do not run yet.
struct Prepared {
    up: Up,
    herd: Herd,
    /// The servers that are run here, and their ports.
    listeners: Vec<(usize, TcpListener)>,
    /// Where the metrics are served beside the control socket.
    scrape: Option<TcpListener>,
    /// Where commands on other hosts are answered.
    remote: Option<Remote>,
    inbox: mpsc::Receiver<Event>,
}

impl Prepared {
    /// The supervisor's own log. It never waits for the disk, whatever the servers do: `ps` must be answered.
    fn journal(&self) -> Result<Journal, Failure> {
        let log = Log { when_behind: WhenBehind::Count, ..self.herd.config.log.clone() };
        Journal::open(&log, "herd", self.herd.since).map_err(|why| {
            let path = log.directory.join("herd.log");
            Failure::new(Kind::Failed, format!("cannot write the log {}: {why}", path.display()))
        })
    }

    async fn serve(self, den: Den, control: UnixListener, ready: impl FnOnce(&Ps)) -> Result<Down, Failure> {
        let Self { up, mut herd, listeners, scrape, remote, inbox } = self;
        let mut notes = leftover_notes(&den);
        if let Some(warning) = herd.provider.warning() {
            warn!("places: {warning}");
            notes.push(format!("places: {warning}"));
        }
        let cannot = |why: io::Error| Failure::new(Kind::Failed, format!("cannot serve the control channel: {why}"));
        let control = Control::serve(control, herd.events.clone()).map_err(cannot)?;
        let remote = remote.map(|remote| remote.serve(herd.events.clone())).transpose().map_err(cannot)?;
        info!("up: {} with {} servers, pid {}", herd.config.path.display(), listeners.len(), std::process::id());
        herd.note("herd.up", None);
        let chosen =
            if up.only.is_empty() { listeners.iter().map(|(index, _)| *index).collect() } else { up.only.clone() };
        for (index, listener) in listeners {
            if chosen.contains(&index) {
                // A failure is the child's state, and readiness reports it.
                let _ = herd.start(index, listener, None);
            }
        }
        let chronicle = herd.chronicle.clone();
        let herd = Rc::new(RefCell::new(herd));
        spawn_local({
            let chronicle = chronicle.clone();
            async move { chronicle.keep().await }
        });
        if let Some(listener) = scrape {
            scrape::begin(listener, herd.borrow().events.clone());
        }
        spawn_local(observe(herd.clone()));
        spawn_local(runner::be_watched(herd.clone()));
        spawn_local(become_ready(herd.clone(), chosen, up.clone()));
        let outcome = live(&herd, inbox, &up, |ps| {
            let mut ps = ps;
            ps.notes = notes;
            ready(&ps);
        })
        .await;
        chronicle.close();
        herd.borrow().readers.close();
        // Before anyone is told: who hears "down" may say "up" at once.
        drop(den);
        let down = outcome.down.clone();
        for farewell in herd.borrow_mut().leaving.take().into_iter().flat_map(|leaving| leaving.farewells) {
            let _ = farewell.send(down.clone());
        }
        for control in [Some(control), remote].into_iter().flatten() {
            control.close().await;
        }
        outcome.trouble.map_or(Ok(outcome.down), Err)
    }
}

/// Keeps the states what the vitals say, so that "since" is true and the log tells each change when it happens.
async fn observe(herd: Shared) {
    let changed = herd.borrow().changed.clone();
    loop {
        let mut rung = pin!(changed.notified());
        rung.as_mut().enable();
        herd.borrow_mut().observe();
        rung.await;
    }
}

/// Waits until `level` gives something, looking whenever something has changed; nothing after the deadline.
async fn until<T>(herd: &Shared, deadline: Instant, mut level: impl FnMut(&Herd) -> Option<T>) -> Option<T> {
    let changed = herd.borrow().changed.clone();
    loop {
        // Before the levels are read, or a change between reading and waiting is missed.
        let mut rung = pin!(changed.notified());
        rung.as_mut().enable();
        herd.borrow_mut().observe();
        if let Some(reached) = level(&herd.borrow()) {
            return Some(reached);
        }
        if timeout_at(deadline.into(), rung).await.is_err() {
            return None;
        }
    }
}

impl Herd {
    /// Starts a server on a bound listener, and gives the number of its life.
    fn start(&mut self, index: usize, listener: TcpListener, by: Option<&'static str>) -> Result<u32, Failure> {
        let gifts = Gifts {
            config: self.config.clone(),
            listener,
            herd_up_since: self.since,
            secret: self.secret.clone(),
            faults: self.faults.towards(index),
            provider: self.provider.clone(),
            changed: self.changed.clone(),
            events: self.events.clone(),
            body: self.body,
        };
        let child = &mut self.children[index];
        child.spawn(gifts, by).map_err(|why| {
            let why = format!("the system gives no thread: {why}");
            child.could_not_start(&why);
            Failure::new(Kind::Failed, format!("{} failed: {why}", child.name()))
        })
    }

    /// Notes what has just been logged of the herd itself.
    fn note(&self, kind: &str, why: Option<&str>) {
        self.chronicle.note(api::Event { kind: kind.into(), note: why.map(Into::into), ..api::Event::default() });
    }

    fn observe(&mut self) {
        for child in &mut self.children {
            child.observe();
        }
    }

    fn ps(&mut self) -> Ps {
        self.observe();
        status::ps(self)
    }
}

/// Two `up`s with equal fingerprints ask for the same herd. What `herd.toml` means counts, not how it is
/// spelled; a new comment is no change.
fn fingerprint(config: &Config, only: &[usize]) -> String {
    den::hash16(format!("{config:?} {only:?}").as_bytes())
}

/// What WHATSATs will be answered from, read once for all servers.
fn provider_of(config: &Config) -> Result<Provider, Failure> {
    Provider::load(&config.places).map_err(|why| Failure::new(Kind::BadConfig, why.to_string()).hint(why.hint()))
}

fn leftover_notes(den: &Den) -> Vec<String> {
    let note = den.leftover().map(|left| {
        let note = format!("the last supervisor (pid {}) died without cleaning up; starting fresh", left.pid);
        warn!("{note}");
        note
    });
    note.into_iter().collect()
}
