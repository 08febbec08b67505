//! What comes in, each kind on a thread of its own that only reads and hands on: keys, looks at the herd, events, the
//! log. All goes through one bounded channel, in the order in which it came; who is too fast for it waits, and the
//! herd never does: what its events' reader misses is a stated gap.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event as Terminal, KeyEventKind};

use super::meters::Reading;
use super::model::Input;
use crate::cli::client::{Client, Lines, Marks, Piece, Target};
use crate::cli::logs::Live;
use crate::cli::output::Output;
use crate::cli::term::{self, Pen};
use crate::cli::{escape, events};
use crate::herd::api::{Event, EventsQuery, Failure, Kind, WhereisOrder};

/// Without an event, the herd is looked at so often; …
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// … with ever so many of them, not more often than this.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Where the clients are is asked so often at most, if any has moved; …
const CLIENTS_EVERY: Duration = Duration::from_secs(2);
/// … and with more of them than this, where the answer is long, …
const CLIENTS_FEW: u64 = 200;
/// … so often.
const CLIENTS_SELDOM: Duration = Duration::from_secs(10);
/// Whether other events are wanted, or the herd is back, is looked at so often.
const NOTICE: Duration = Duration::from_millis(250);
/// So much of a line is kept, in columns.
const LINE_MAX: usize = 500;

/// Of several processes one that hangs is waited for so long at each look: the others go on.
const PROCESS_MAX: Duration = Duration::from_secs(1);
/// Since then: all events that are kept.
const ALL: &str = "1970-01-01T00:00:00Z";

/// Says that a thread has panicked: without it the view would go on with a part of it dead.
struct Alarm(SyncSender<Input>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(Input::Broken);
        }
    }
}

/// Runs one source on its own thread. It ends with the process, or at the first thing nobody takes.
///
/// # Errors
///
/// `failed`: the system gives no thread.
pub fn begin(
    name: &str,
    inputs: &SyncSender<Input>,
    source: impl FnOnce(&SyncSender<Input>) + Send + 'static,
) -> Result<(), Failure> {
    let alarm = Alarm(inputs.clone());
    let thread = thread::Builder::new().name(name.into()).spawn(move || source(&alarm.0));
    thread.map(|_| ()).map_err(|why| Failure::new(Kind::Failed, format!("the system gives no thread: {why}")))
}

/// Says that a source cannot even begin.
fn broken(inputs: &SyncSender<Input>) {
    let _ = inputs.send(Input::Broken);
}

/// Keys, and changes of the terminal's size.
pub fn keys(inputs: &SyncSender<Input>) {
    loop {
        let input = match event::read() {
            Ok(Terminal::Key(key)) if key.kind != KeyEventKind::Release => Input::Key(key),
            Ok(Terminal::Resize(..)) => Input::Resized,
            Ok(_) => continue,
            // The terminal is gone.
            Err(_) => Input::Leave,
        };
        let is_end = matches!(input, Input::Leave);
        if inputs.send(input).is_err() || is_end {
            return;
        }
    }
}

/// How the herd stands, whenever `nudges` says that something has happened and every second.
pub fn looks(target: &Target, patience: Duration, nudges: &Receiver<()>, inputs: &SyncSender<Input>) {
    let patience = if target.processes.is_empty() { patience } else { patience.min(PROCESS_MAX) };
    let Ok(client) = Client::new(target.clone(), patience) else { return broken(inputs) };
    let mut clients = ClientsLook::default();
    loop {
        let looked = look(&client);
        let edition = looked.as_ref().ok().and_then(edition);
        let input = looked.unwrap_or_else(|failure| lost(&failure));
        if inputs.send(input).is_err() {
            return;
        }
        let moved = edition.and_then(|edition| clients.look(&client, edition));
        if moved.is_some_and(|moved| inputs.send(moved).is_err()) {
            return;
        }
        thread::sleep(LOOK_PAUSE);
        if nudges.recv_timeout(LOOK_EVERY - LOOK_PAUSE) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn look(client: &Client) -> Result<Input, Failure> {
    let ps = client.ps()?;
    let metrics = client.metrics()?;
    Ok(Input::Look(Box::new(ps), Reading::of(&metrics)))
}

fn lost(failure: &Failure) -> Input {
    let is_gone = failure.error == Kind::NotRunning;
    Input::Lost((!is_gone).then(|| escape::text(failure.message.lines().next().unwrap_or_default()).into_owned()))
}

/// What changes when any client moves, and how many clients there are.
fn edition(input: &Input) -> Option<(u64, u64)> {
    let Input::Look(ps, _) = input else { return None };
    let editions = ps.servers.iter().map(|server| server.edition).sum();
    Some((editions, ps.servers.iter().map(|server| server.knows).max().unwrap_or(0)))
}

/// When the clients were asked for last.
#[derive(Default)]
struct ClientsLook {
    at: Option<Instant>,
    editions: u64,
}

impl ClientsLook {
    /// Where the clients are, if it is time to ask and any has moved.
    fn look(&mut self, client: &Client, (editions, known): (u64, u64)) -> Option<Input> {
        let every = if known > CLIENTS_FEW { CLIENTS_SELDOM } else { CLIENTS_EVERY };
        let is_due = self.at.is_none_or(|at| at.elapsed() >= every);
        if !is_due || (self.at.is_some() && editions == self.editions) {
            return None;
        }
        (self.at, self.editions) = (Some(Instant::now()), editions);
        client.whereis(&WhereisOrder { client: None, all: true }).ok().map(Input::Clients)
    }
}

/// Events as they happen, from those that are kept on; again when another herd has come up.
pub struct Happenings {
    pub target: Target,
    pub patience: Duration,
    pub pen: Pen,
    /// Whether every hop is wanted.
    pub hops: Arc<AtomicBool>,
    pub nudge: SyncSender<()>,
}

impl Happenings {
    pub fn tell(&self, inputs: &SyncSender<Input>) {
        let Ok(client) = Client::new(self.target.clone(), self.patience) else { return broken(inputs) };
        let mut marks = Marks::default();
        loop {
            let hops = self.hops.load(Ordering::Relaxed);
            let query = EventsQuery { since: Some(ALL.into()), flood: hops, ..EventsQuery::default() };
            if let Ok(mut lines) = client.events_after(&marks, &query) {
                while self.hops.load(Ordering::Relaxed) == hops
                    && let Some(told) = self.next(&mut lines)
                {
                    marks.extend(told.marks);
                    if !told.lines.is_empty() && inputs.send(Input::Events(told.lines)).is_err() {
                        return;
                    }
                }
            }
            if self.nudge.try_send(()) == Err(TrySendError::Disconnected(())) {
                return;
            }
            thread::sleep(NOTICE);
        }
    }

    /// The next that are told; none at the end.
    fn next(&self, lines: &mut Lines<'_>) -> Option<Told> {
        let Ok(Piece::Lines(piece)) = lines.next(Some(NOTICE)).map(quiet) else { return None };
        let events = piece.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Event>(line).ok());
        let mut told = Told::default();
        for event in events {
            told.marks.insert(event.process.clone(), (event.run.clone(), event.seq));
            if event.kind == "stream.opened" {
                continue;
            }
            if !event.kind.starts_with("flood.") {
                // Full: a look is under way already.
                let _ = self.nudge.try_send(());
            }
            told.lines.push(term::cut(&events::text(&event, self.pen), LINE_MAX));
        }
        Some(told)
    }
}

/// Nothing is no line, and no end.
fn quiet(piece: Piece) -> Piece {
    if piece == Piece::Nothing { Piece::Lines(Vec::new()) } else { piece }
}

/// Painted lines of events, and which were the last.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    marks: Marks,
}

/// The log, as `herdctl logs -f` shows it.
pub fn log(mut live: Live, pen: Pen, inputs: &SyncSender<Input>) {
    let mut out = Output::into_pane(Box::new(Pane { bytes: Vec::new(), inputs: inputs.clone() }), pen);
    while live.look(&mut out).is_ok() {
        thread::sleep(NOTICE);
    }
}

/// Hands on whole lines at each flush.
struct Pane {
    bytes: Vec<u8>,
    inputs: SyncSender<Input>,
}

impl Write for Pane {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text.lines().map(|line| term::cut(line, LINE_MAX)).collect();
        let taken = self.inputs.send(Input::Log(lines));
        self.bytes.clear();
        taken.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
