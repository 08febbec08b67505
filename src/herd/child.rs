//! One server as the herd sees it: its thread, what it may be told, and the state it is in.
//!
//! A server is a process that happens to be a thread: `spawn` is fork and exec, `signal` is kill(2), the
//! event that its thread sends as it returns is SIGCHLD, joining it is wait(2). Nothing here waits.

use std::error::Error as _;
use std::fmt;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tracing::{error, info, warn};

use super::api::{self, State};
use super::chronicle::Chronicle;
use super::panics::{self, printable};
use super::{Body, Event};
use crate::config::Config;
use crate::limits;
use crate::server::fault::Faults;
use crate::server::question::Question;
use crate::server::vitals::{Phase, Vitals};
use crate::server::{Condition, Provider, Seat, Secret, Signal, Trouble};

/// One server of the herd, alive or not.
#[derive(Debug)]
pub struct Child {
    name: String,
    index: usize,
    /// Another process runs it; here it is a name and the far end of links.
    is_elsewhere: bool,
    state: State,
    since: (Timestamp, Instant),
    /// Whose order brought it into its state.
    by: Option<&'static str>,
    note: Option<String>,
    /// How its provider of places was last seen to fare.
    places: Condition,
    /// How many lives it has had.
    lives: u32,
    life: Option<Life>,
    chronicle: Rc<Chronicle>,
}

/// One incarnation, from spawn to join.
#[derive(Debug)]
struct Life {
    vitals: Arc<Vitals>,
    /// `None`: the queue was full when a kill came; its end says so instead.
    signals: Option<mpsc::Sender<Signal>>,
    questions: mpsc::Sender<Question>,
    thread: JoinHandle<()>,
    born: Instant,
    /// How it was told to end.
    dismissed: Option<Dismissal>,
    /// It has outlived a kill.
    stuck: bool,
}

/// How a server is told to end. The stronger overrules the weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dismissal {
    /// SIGTERM.
    Stop,
    /// SIGKILL.
    Kill,
    /// A power cut.
    PowerCut,
}

/// How an incarnation ended.
#[derive(Debug)]
pub enum Ending {
    /// It returned.
    Left,
    /// It could not run.
    Trouble(String),
    /// It panicked.
    Panicked(String),
}

impl Ending {
    /// Why it is not one that was wanted.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Left => None,
            Self::Trouble(why) | Self::Panicked(why) => Some(why.clone()),
        }
    }
}

/// What a new life is given beside its number.
pub struct Gifts {
    pub config: Arc<Config>,
    pub listener: TcpListener,
    pub herd_up_since: Timestamp,
    pub secret: Secret,
    pub faults: watch::Receiver<Faults>,
    pub provider: Provider,
    pub changed: Arc<Notify>,
    pub events: mpsc::Sender<Event>,
    pub body: Body,
}

impl Child {
    /// Whether another process runs it.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// The same, run by another process or not.
    pub fn elsewhere(self, is_elsewhere: bool) -> Self {
        Self { is_elsewhere, ..self }
    }

    /// A server that has not run yet.
    pub fn new(index: usize, name: &str, chronicle: Rc<Chronicle>) -> Self {
        Self {
            name: name.into(),
            index,
            is_elsewhere: false,
            state: State::Stopped,
            since: (Timestamp::now(), Instant::now()),
            by: None,
            note: None,
            places: Condition::Fine,
            lives: 0,
            life: None,
            chronicle,
        }
    }

    /// Starts a thread for it, and gives the number of this life.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    ///
    /// # Panics
    ///
    /// If it is alive.
    pub fn spawn(&mut self, gifts: Gifts, by: Option<&'static str>) -> std::io::Result<u32> {
        assert!(self.life.is_none(), "{} is alive", self.name);
        let Gifts { config, listener, herd_up_since, secret, provider, faults, changed, events, body } = gifts;
        let vitals = Arc::new(Vitals::new(config.neighbours(self.index), changed));
        let (sender, signals) = mpsc::channel(limits::SIGNALS_MAX);
        let (asker, questions) = mpsc::channel(limits::QUESTIONS_MAX);
        let index = self.index;
        let life = self.lives + 1;
        let herald = self.chronicle.herald(index);
        let seat = Seat {
            config,
            index,
            listener,
            herd_up_since,
            secret,
            provider,
            vitals: vitals.clone(),
            herald,
            signals,
            faults,
            questions,
        };
        let thread = thread::Builder::new().name(self.name.clone()).spawn(move || {
            let ending = Ending::of(panics::contain(|| body(seat)));
            // Nobody listens any more once the herd is gone; then nothing is to be told.
            let _ = events.blocking_send(Event::Ended { index, life, ending });
        })?;
        self.lives = life;
        self.life = Some(Life {
            vitals,
            signals: Some(sender),
            questions: asker,
            thread,
            born: Instant::now(),
            dismissed: None,
            stuck: false,
        });
        self.note = None;
        // It has not asked its provider yet, so nothing has become better.
        self.places = Condition::Fine;
        self.by = by;
        self.observe();
        Ok(life)
    }

    /// Sends a signal and wakes the thread to it; says whether it was taken.
    pub fn signal(&self, signal: Signal) -> bool {
        let Some(life) = &self.life else { return false };
        let sent = life.signals.as_ref().is_some_and(|signals| signals.try_send(signal).is_ok());
        life.thread.thread().unpark();
        sent
    }

    /// Puts a question to it; says whether it was taken.
    pub fn ask(&self, question: Question) -> bool {
        self.life.as_ref().is_some_and(|life| life.questions.try_send(question).is_ok())
    }

    /// Tells it to end, and gives the number of the life that shall; nothing if it has none.
    pub fn dismiss(&mut self, how: Dismissal, by: Option<&'static str>) -> Option<u32> {
        let life = self.life.as_mut()?;
        if life.dismissed < Some(how) {
            life.dismissed = Some(how);
            self.by = by;
        }
        match how {
            // A parked server hears nothing else, like a process that SIGTERM finds stopped.
            Dismissal::Stop => {
                self.signal(Signal::Continue);
                self.signal(Signal::Terminate);
            }
            Dismissal::Kill | Dismissal::PowerCut => {
                let signal = if how == Dismissal::Kill { Signal::Kill } else { Signal::PowerCut };
                if !self.signal(signal) {
                    self.hang_up();
                }
            }
        }
        self.observe();
        Some(self.lives)
    }

    /// Closes the queue of signals: to the server that is a kill.
    fn hang_up(&mut self) {
        if let Some(life) = &mut self.life {
            life.signals = None;
            life.thread.thread().unpark();
        }
    }

    /// Notes that it did not end although it was killed.
    pub fn outlived_a_kill(&mut self) {
        if let Some(life) = &mut self.life {
            life.stuck = true;
            let ms = limits::KILL_MAX.as_millis();
            warn!("{} was killed and did not end within {ms} ms", self.name);
        }
    }

    /// Takes note of the end of a life, and buries it. A life that is over already is not this child's any more.
    pub fn ended(&mut self, life: u32, ending: Ending) {
        if life != self.lives {
            return;
        }
        let Some(life) = self.life.take() else { return };
        // The thread has nothing left to do but to return; its panic, if any, was contained in it.
        let _ = life.thread.join();
        let (state, note) = match (ending, life.dismissed) {
            (Ending::Panicked(said), _) => (State::Crashed, Some(said)),
            (Ending::Trouble(why), _) => (State::Failed, Some(why)),
            (Ending::Left, Some(Dismissal::Kill | Dismissal::PowerCut)) => (State::Killed, None),
            (Ending::Left, Some(Dismissal::Stop)) => (State::Stopped, None),
            (Ending::Left, None) => (State::Failed, Some("left without being told to".into())),
        };
        if life.dismissed.is_none() || matches!(state, State::Crashed | State::Failed) {
            self.by = None;
        }
        self.note = note;
        self.enter(state);
    }

    /// Notes that it could not be started.
    pub fn could_not_start(&mut self, why: &str) {
        self.by = None;
        self.note = Some(why.into());
        self.enter(State::Failed);
    }

    /// Takes note of what its vitals say; to be called whenever they may have changed.
    pub fn observe(&mut self) {
        let state = self.now();
        if state != self.state {
            self.enter(state);
        }
        self.observe_places();
    }

    /// Says so once for each change, however often the provider was asked meanwhile.
    fn observe_places(&mut self) {
        let Some(places) = self.vitals().map(Vitals::places).filter(|&places| places != self.places) else { return };
        self.places = places;
        match places.note() {
            Some(note) => warn!("{}: {note}", self.name),
            None => info!("{}: places: the provider answers again", self.name),
        }
        self.chronicle.note(api::Event {
            kind: format!("places.{}", places.name()),
            server: Some(self.name.clone()),
            note: places.note().map(Into::into),
            ..api::Event::default()
        });
    }

    /// The state that its vitals show; that of its end if it has none.
    fn now(&self) -> State {
        let Some(life) = &self.life else { return self.state };
        if life.dismissed.is_some() {
            return State::Stopping;
        }
        match life.vitals.phase() {
            Phase::Starting => State::Starting,
            Phase::Serving => State::Running,
            Phase::Paused => State::Paused,
            Phase::Stopping => State::Stopping,
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = (Timestamp::now(), Instant::now());
        match (state, &self.note) {
            (State::Crashed | State::Failed, Some(note)) => error!("{} {state}: {note}", self.name),
            (_, Some(note)) => warn!("{} {state}: {note}", self.name),
            (_, None) => info!("{} {state}", self.name),
        }
        self.chronicle.note(api::Event {
            kind: format!("server.{state}"),
            server: Some(self.name.clone()),
            by: self.by.map(Into::into),
            note: self.note.clone(),
            ..api::Event::default()
        });
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// When it entered its state.
    pub fn since(&self) -> (Timestamp, Instant) {
        self.since
    }

    pub fn by(&self) -> Option<&'static str> {
        self.by
    }

    pub fn set_by(&mut self, by: Option<&'static str>) {
        self.by = by;
    }

    /// Whether it has had a life.
    pub fn was_started(&self) -> bool {
        self.lives > 0
    }

    /// How often it was started after the first time.
    pub fn restarts(&self) -> u32 {
        self.lives.saturating_sub(1)
    }

    /// Whether this life is still being lived.
    pub fn lives(&self, life: u32) -> bool {
        self.life.is_some() && self.lives == life
    }

    /// The life it is living.
    pub fn life(&self) -> Option<u32> {
        self.life.as_ref().map(|_| self.lives)
    }

    /// It has been told to end and has not yet.
    pub fn is_leaving(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.dismissed.is_some())
    }

    /// It has outlived a kill; waiting longer is no use.
    pub fn is_stuck(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.stuck)
    }

    /// What it shows of itself; nothing if it does not live.
    pub fn vitals(&self) -> Option<&Vitals> {
        self.life.as_ref().map(|life| &*life.vitals)
    }

    /// When this life began.
    pub fn born(&self) -> Option<Instant> {
        self.life.as_ref().map(|life| life.born)
    }

    /// What a person should know of it.
    pub fn note(&self) -> Option<String> {
        match &self.life {
            Some(life) if life.stuck => {
                let ms = limits::KILL_MAX.as_millis();
                Some(format!("was killed and did not end within {ms} ms; its thread still runs"))
            }
            Some(_) if self.state == State::Paused => Some("accepts, does not answer".into()),
            Some(life) if life.vitals.shortage().note().is_some() => life.vitals.shortage().note().map(Into::into),
            Some(_) if self.places != Condition::Fine => self.places.note().map(Into::into),
            _ => self.note.clone(),
        }
    }
}

impl Ending {
    fn of(outcome: Result<Result<(), Trouble>, String>) -> Self {
        match outcome {
            Ok(Ok(())) => Self::Left,
            Ok(Err(trouble)) => Self::Trouble(why(&trouble)),
            Err(said) => Self::Panicked(said),
        }
    }
}

impl fmt::Display for Dismissal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::PowerCut => "power cut",
        })
    }
}

fn why(trouble: &Trouble) -> String {
    let cause = trouble.source().map(|why| format!(": {why}")).unwrap_or_default();
    printable(&format!("{trouble}{cause}"))
}
