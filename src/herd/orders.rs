//! Orders: what a person may want done to servers, and how long it may take.
//!
//! Each is a task that acts, waits on the herd's levels with a deadline, and tells what became of it. It
//! borrows the herd only between awaits. Several servers are served at once, so that one that hangs does
//! not hold up the others.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::sleep;
use tracing::info;

use super::api::by::By;
use super::api::{Change, ChangeResult, Down, Failure, Kind, Order, State};
use super::child::{Child, Dismissal};
use super::{Herd, Shared, faults, health, later, names, ports, status, until};
use crate::limits;
use crate::server::Signal;

/// What can be done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Kill,
    Stop,
    Start,
    Restart,
    Pause,
    Resume,
    /// A bug in the server, on purpose. No command of its own: it is for tests of what contains it.
    Panic,
}

impl Verb {
    /// Those that a person has a command for.
    pub const COMMANDS: [Self; 6] = [Self::Kill, Self::Stop, Self::Start, Self::Restart, Self::Pause, Self::Resume];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Panic => "panic",
        })
    }
}

/// Does what is wanted to all servers that `order` names.
///
/// # Errors
///
/// Before anything is done: unknown names, or a start while the herd leaves. After: what went wrong with
/// some, and which others are done.
pub async fn carry_out(herd: &Shared, verb: Verb, order: &Order, by: By) -> Result<Change, Failure> {
    let (chosen, seed) = chosen(&herd.borrow(), verb, order)?;
    if matches!(verb, Verb::Start | Verb::Restart) {
        herd.borrow().not_leaving()?;
    }
    let errands: Vec<_> = chosen
        .into_iter()
        .map(|index| Errand { herd: herd.clone(), index, by })
        .map(|errand| spawn_local(errand.run(verb, order.clone())))
        .collect();
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for errand in errands {
        match errand.await {
            Ok(Ok(result)) => results.push(result),
            Ok(Err(failure)) => failures.push(failure),
            Err(bug) => failures.push(Failure::new(Kind::Failed, format!("a bug in the supervisor: {bug}"))),
        }
    }
    if !failures.is_empty() {
        return Err(together(failures, &results));
    }
    let (for_ms, herd) = (order.for_ms, herd.borrow());
    let summary = status::summary(&herd);
    let changed = results.iter().any(|result| result.changed);
    Ok(Change { schema: "herd.change/1".into(), changed, results, seed, for_ms, summary })
}

/// The servers that are meant; with a choice by chance, its seed.
fn chosen(herd: &Herd, verb: Verb, order: &Order) -> Result<(Vec<usize>, Option<u64>), Failure> {
    let for_kills = "--random and --power are for kill, --for is for kill and pause";
    let fits = match verb {
        Verb::Kill => true,
        Verb::Pause => !order.random && !order.power,
        _ => !order.random && !order.power && order.for_ms.is_none(),
    };
    if !fits {
        return Err(Failure::new(Kind::Usage, for_kills));
    }
    if order.seed.is_some() && !order.random {
        return Err(Failure::new(Kind::Usage, "a seed is for a choice by chance").hint("add --random"));
    }
    if !order.random {
        let mut chosen = names::chosen(&herd.config, order)?;
        if order.all {
            chosen.retain(|&index| !herd.children[index].is_elsewhere());
        }
        if let Some(other) = chosen.iter().map(|&index| &herd.children[index]).find(|child| child.is_elsewhere()) {
            let message = format!("{} runs in another process", other.name());
            return Err(Failure::new(Kind::UnknownName, message).hint("ask that one, by its own --socket"));
        }
        return Ok((chosen, None));
    }
    names::none(order)?;
    let running: Vec<usize> =
        (0..herd.children.len()).filter(|&index| herd.children[index].state() == State::Running).collect();
    let seed = order.seed.unwrap_or_else(faults::seed);
    let nth = faults::chance(seed, 0).checked_rem(running.len() as u64);
    let nth = nth.ok_or_else(|| Failure::new(Kind::Failed, "no server runs").hint("herdctl start --all"))?;
    Ok((vec![running[nth as usize]], Some(seed)))
}

/// One failure out of several, with what was done all the same.
fn together(failures: Vec<Failure>, done: &[ChangeResult]) -> Failure {
    let mut messages: Vec<_> = failures.iter().map(|failure| failure.message.clone()).collect();
    let done: Vec<_> = done.iter().filter(|result| result.changed).map(|result| result.server.as_str()).collect();
    if !done.is_empty() {
        messages.push(format!("done: {}", done.join(" ")));
    }
    let first = failures.into_iter().next().expect("at least one failure");
    Failure { message: messages.join("; "), ..first }
}

/// One order for one server.
struct Errand {
    herd: Shared,
    index: usize,
    by: By,
}

impl Errand {
    async fn run(self, verb: Verb, order: Order) -> Result<ChangeResult, Failure> {
        let began = Instant::now();
        self.herd.borrow_mut().observe();
        let before = Before::of(&self.herd.borrow(), self.index);
        info!("{verb} {} ({})", self.name(), self.by);
        let changed = match verb {
            Verb::Kill => self.end(if order.power { Dismissal::PowerCut } else { Dismissal::Kill }).await?,
            Verb::Stop => self.end(Dismissal::Stop).await?,
            Verb::Start => self.start().await?,
            Verb::Restart => {
                self.end(if order.hard { Dismissal::Kill } else { Dismissal::Stop }).await?;
                self.start().await?
            }
            Verb::Pause => self.pause(order.all).await?,
            Verb::Resume => self.resume(order.all).await?,
            Verb::Panic => self.panic().await?,
        };
        if order.wait && matches!(verb, Verb::Start | Verb::Restart) {
            self.settle().await?;
        }
        if let Some(ms) = order.for_ms.filter(|_| changed) {
            let state = self.child(Child::state);
            later::undo(&self.herd, self.index, state, Duration::from_millis(ms).min(limits::FAULT_MAX), self.by);
        }
        let ends = changed && matches!(verb, Verb::Kill | Verb::Stop | Verb::Restart | Verb::Panic);
        let lost = if ends { before.clone() } else { Before { state: before.state, ..Before::default() } };
        Ok(result(&self.herd.borrow(), self.index, &lost, changed, began.elapsed()))
    }

    /// Ends the server, asking first if it is a stop; says whether there was anything to end.
    async fn end(&self, how: Dismissal) -> Result<bool, Failure> {
        let Some(life) = self.child_mut(|child| child.dismiss(how, Some(self.by))) else { return Ok(false) };
        let patience = match how {
            Dismissal::Stop => limits::LEAVE_MAX,
            Dismissal::Kill | Dismissal::PowerCut => limits::KILL_MAX,
        };
        if self.is_over(life, patience).await {
            return Ok(true);
        }
        if how == Dismissal::Stop {
            self.child_mut(|child| child.dismiss(Dismissal::Kill, Some(self.by)));
            if self.is_over(life, limits::KILL_MAX).await {
                return Ok(true);
            }
        }
        self.child_mut(Child::outlived_a_kill);
        Err(self.failure(Kind::Timeout, "was killed and did not end in time; its thread still runs (state: stopping)"))
    }

    async fn start(&self) -> Result<bool, Failure> {
        if let Some(life) = self.child(|child| child.life().filter(|_| child.is_leaving()))
            && (self.child(Child::is_stuck) || !self.is_over(life, limits::KILL_MAX).await)
        {
            return Err(self.failure(Kind::Failed, "is still stopping"));
        }
        let (life, changed) = match self.child(Child::life) {
            Some(life) => (life, false),
            None => (self.spawn()?, true),
        };
        self.serving(life).await?;
        Ok(changed)
    }

    /// Binds the address again and starts a thread. Nothing can come between: there is no await.
    fn spawn(&self) -> Result<u32, Failure> {
        let mut herd = self.herd.borrow_mut();
        herd.not_leaving()?;
        let listener = ports::bind(&herd.config.servers[self.index])
            .inspect_err(|failure| herd.children[self.index].could_not_start(&failure.message))?;
        herd.start(self.index, listener, Some(self.by))
    }

    /// Waits until this life answers, or is paused, which is somebody else's wish.
    async fn serving(&self, life: u32) -> Result<(), Failure> {
        let deadline = Instant::now() + limits::SERVING_MAX;
        let settled = until(&self.herd, deadline, |herd| {
            let child = &herd.children[self.index];
            match child.state() {
                _ if !child.lives(life) || child.is_leaving() => Some(false),
                State::Running | State::Paused => Some(true),
                _ => None,
            }
        });
        match settled.await {
            Some(true) => Ok(()),
            Some(false) => {
                let (state, note) = self.child(|child| (child.state(), child.note()));
                let why = note.map(|note| format!(": {note}")).unwrap_or_default();
                Err(self.failure(Kind::Failed, &format!("did not start, it is {state}{why}")))
            }
            None => Err(self.failure(Kind::Timeout, "was started and does not answer yet")),
        }
    }

    async fn pause(&self, lenient: bool) -> Result<bool, Failure> {
        match self.child(Child::state) {
            State::Paused => return Ok(false),
            State::Starting | State::Running => {}
            _ if lenient => return Ok(false),
            state => return Err(self.not_running(state)),
        }
        self.child(|child| child.signal(Signal::Stop));
        self.becomes(State::Paused).await.inspect_err(|_| {
            // Or a server that hangs now would pause by surprise when it comes to itself.
            self.child(|child| child.signal(Signal::Continue));
        })
    }

    async fn resume(&self, lenient: bool) -> Result<bool, Failure> {
        match self.child(Child::state) {
            State::Paused => {}
            State::Starting | State::Running => return Ok(false),
            _ if lenient => return Ok(false),
            state => return Err(self.not_running(state)),
        }
        self.child(|child| child.signal(Signal::Continue));
        self.becomes(State::Running).await
    }

    async fn panic(&self) -> Result<bool, Failure> {
        let Some(life) = self.child(Child::life) else { return Ok(false) };
        self.child(|child| child.signal(Signal::Panic));
        if self.is_over(life, limits::KILL_MAX).await {
            return Ok(true);
        }
        Err(self.failure(Kind::Timeout, "did not panic in time"))
    }

    /// Waits until the server is in a state that a signal brings it to.
    async fn becomes(&self, state: State) -> Result<bool, Failure> {
        let deadline = Instant::now() + limits::PAUSE_MAX;
        let reached = until(&self.herd, deadline, |herd| {
            let child = &herd.children[self.index];
            match child.life() {
                None => Some(Err(self.not_running(child.state()))),
                Some(_) => (child.state() == state).then_some(Ok(())),
            }
        });
        match reached.await {
            Some(Ok(())) => {
                self.child_mut(|child| child.set_by(Some(self.by)));
                Ok(true)
            }
            Some(Err(failure)) => Err(failure),
            None => Err(self.failure(Kind::Timeout, &format!("is not {state} in time; it may hang"))),
        }
    }

    /// Waits until its links to servers that run are up, and it knows what those know.
    async fn settle(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + limits::SETTLE_MAX;
        loop {
            let missing = self.missing();
            if missing.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let missing = missing.join(", ");
                return Err(self.failure(Kind::Timeout, &format!("runs, but is not settled: {missing}")));
            }
            sleep(limits::SETTLE_LOOK_EVERY).await;
        }
    }

    /// What keeps it from being settled, in words.
    fn missing(&self) -> Vec<String> {
        let mut herd = self.herd.borrow_mut();
        herd.observe();
        let (config, children) = (&herd.config, &herd.children);
        let me = &children[self.index];
        if me.state() != State::Running {
            return vec![format!("it is {}", me.state())];
        }
        // Of neighbours in other processes nobody here knows whether they run.
        if children.iter().any(Child::is_elsewhere) {
            return health::missing_of(&herd, self.index, me).into_iter().collect();
        }
        status::links(config, self.index)
            .filter_map(|link| {
                let other = &children[if link.dialer == self.index { link.listener } else { link.dialer }];
                match other.state() {
                    State::Running if !status::is_up(children, link) => Some(format!("no link with {}", other.name())),
                    State::Running if status::atlas(me) != status::atlas(other) => {
                        Some(format!("{} knows something else", other.name()))
                    }
                    _ => None,
                }
            })
            .collect()
    }

    /// Whether this life is over within `patience`.
    async fn is_over(&self, life: u32, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        until(&self.herd, deadline, |herd| (!herd.children[self.index].lives(life)).then_some(())).await.is_some()
    }

    fn not_running(&self, state: State) -> Failure {
        self.failure(Kind::Failed, &format!("is not running, it is {state}"))
            .hint(format!("herdctl start {}", self.name()))
    }

    fn failure(&self, kind: Kind, what: &str) -> Failure {
        Failure::new(kind, format!("{} {what}", self.name()))
    }

    fn name(&self) -> String {
        self.herd.borrow().children[self.index].name().into()
    }

    fn child<T>(&self, look: impl FnOnce(&Child) -> T) -> T {
        look(&self.herd.borrow().children[self.index])
    }

    fn child_mut<T>(&self, act: impl FnOnce(&mut Child) -> T) -> T {
        act(&mut self.herd.borrow_mut().children[self.index])
    }
}

/// What a server had before an order.
#[derive(Debug, Clone)]
struct Before {
    state: State,
    links_up: usize,
    clients: u32,
    knows: u64,
}

impl Default for Before {
    fn default() -> Self {
        Self { state: State::Stopped, links_up: 0, clients: 0, knows: 0 }
    }
}

impl Before {
    fn of(herd: &Herd, index: usize) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let child = &herd.children[index];
        let vitals = child.vitals();
        Self {
            state: child.state(),
            links_up: status::links_up(&herd.config, &herd.children, index),
            clients: vitals.map_or(0, |vitals| vitals.clients.load(Relaxed)),
            knows: vitals.map_or(0, |vitals| vitals.knows.load(Relaxed)),
        }
    }
}

fn result(herd: &Herd, index: usize, lost: &Before, changed: bool, took: Duration) -> ChangeResult {
    let now = Before::of(herd, index);
    ChangeResult {
        server: herd.children[index].name().into(),
        from: lost.state,
        to: now.state,
        changed,
        took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        peers_reset: lost.links_up,
        clients_reset: lost.clients,
        locations_lost: lost.knows,
        addr: herd.config.servers[index].address.to_string(),
        links_up: now.links_up,
        links: status::links(&herd.config, index).count(),
        knows: now.knows,
    }
}

/// Waits until all chosen servers answer and all links between those that run are up; nothing if the herd
/// is told to leave before. A server that somebody stops or pauses meanwhile is not waited for.
///
/// # Errors
///
/// [`Kind::Failed`] as soon as one cannot start or crashes, [`Kind::Timeout`] with what is missing.
pub async fn ready(herd: &Shared, chosen: &[usize], patience: Duration) -> Option<Result<(), Failure>> {
    let deadline = Instant::now() + patience;
    let outcome = until(herd, deadline, |herd| {
        if herd.leaving.is_some() {
            return Some(None);
        }
        let failed = chosen.iter().find_map(|&index| failed(&herd.children[index]));
        let outcome = failed.map(Err).or_else(|| unready(herd, chosen).is_empty().then_some(Ok(())));
        outcome.map(Some)
    });
    if let Some(outcome) = outcome.await {
        return outcome;
    }
    let missing = unready(&herd.borrow(), chosen).join(", ");
    let ms = patience.as_millis();
    Some(Err(Failure::new(Kind::Timeout, format!("not ready in {ms} ms: {missing}"))))
}

fn failed(child: &Child) -> Option<Failure> {
    if !matches!(child.state(), State::Crashed | State::Failed) {
        return None;
    }
    let why = child.note().unwrap_or_default();
    Some(Failure::new(Kind::Failed, format!("{} {}: {why}", child.name(), child.state())))
}

/// What keeps the herd from being ready, in words.
fn unready(herd: &Herd, chosen: &[usize]) -> Vec<String> {
    let (config, children) = (&herd.config, &herd.children);
    let silent = chosen
        .iter()
        .map(|&index| &children[index])
        .filter(|child| child.state() == State::Starting)
        .map(|child| format!("{} does not answer yet", child.name()));
    let runs = |index: usize| children[index].state() == State::Running;
    let unlinked = config
        .links
        .iter()
        .filter(|link| runs(link.dialer) && runs(link.listener) && !status::is_up(children, **link))
        .map(|link| format!("no link {}–{}", children[link.dialer].name(), children[link.listener].name()));
    silent.chain(unlinked).collect()
}

/// Takes the whole herd down: asks all, waits, kills the rest.
pub async fn leave(herd: &Shared, patience: Duration) -> Down {
    let began = Instant::now();
    let clients = (0..herd.borrow().children.len()).map(|index| Before::of(&herd.borrow(), index).clients).sum();
    let asked = herd.borrow_mut().dismiss_all(Dismissal::Stop);
    until(herd, began + patience, |herd| {
        let force = herd.leaving.as_ref().is_some_and(|leaving| leaving.force);
        (force || herd.alive().next().is_none()).then_some(())
    })
    .await;
    let forced = herd.borrow_mut().dismiss_all(Dismissal::Kill);
    until(herd, Instant::now() + limits::KILL_MAX, |herd| herd.alive().next().is_none().then_some(())).await;
    let mut herd = herd.borrow_mut();
    for child in &mut herd.children {
        child.outlived_a_kill();
    }
    Down {
        schema: "herd.down/1".into(),
        changed: true,
        servers: asked.len(),
        clients,
        took_ms: status::ms_since(began),
        forced,
        logs: herd.config.log.directory.display().to_string(),
    }
}

impl Herd {
    fn alive(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(|child| child.life().is_some())
    }

    /// Tells all that live to end, and gives their names.
    fn dismiss_all(&mut self, how: Dismissal) -> Vec<String> {
        self.children.iter_mut().filter_map(|child| child.dismiss(how, None).map(|_| child.name().to_owned())).collect()
    }

    fn not_leaving(&self) -> Result<(), Failure> {
        match self.leaving {
            Some(_) => Err(Failure::new(Kind::Failed, "the herd is going down")),
            None => Ok(()),
        }
    }
}
