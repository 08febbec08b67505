//! `up` and `down`: a herd comes and goes.
//!
//! In the foreground the herd runs on the main thread and everything that is shown goes through a thread of its
//! own, so that a terminal that is slow or stopped never holds up a server.

mod screen;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::client::Client;
use super::output::{Output, Stop};
use super::session::{ANSWER_MAX, Session};
use super::term::{self, Pen};
use super::{Done, Exit, args, escape, human, names};
use crate::config::Config;
use crate::herd::api::{Down, Failure, Kind, Ps, ServerStatus, State};
use crate::herd::{self, Up};
use screen::Screen;

/// A herd of more servers than this shows only those that do not run.
const SHOWN_MAX: usize = 30;
/// Servers in one row of what `up` shows.
const ROW: usize = 3;

/// `herd.up/1`
#[derive(Debug, Serialize)]
struct UpDocument<'a> {
    schema: &'static str,
    changed: bool,
    pid: u32,
    config: &'a str,
    /// From the command's first act; none if the herd was up already.
    ready_ms: Option<u64>,
    servers: Vec<UpServer<'a>>,
    links_up: usize,
    links: usize,
    logs: &'a str,
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
struct UpServer<'a> {
    name: &'a str,
    addr: &'a str,
    state: State,
}

/// `herdctl up`
///
/// # Errors
///
/// `bad_config`, `unknown_name`; `taken`: nothing was started; `timeout`, `failed`: it did not become ready, and
/// all was taken down again.
pub fn up(args: &args::Up, session: &mut Session) -> Done {
    let begun = Instant::now();
    if session.global.socket.is_some() {
        let failure = Failure::new(Kind::Usage, "a herd comes up from a herd.toml, not from a socket");
        return Err(failure.hint("herdctl up --config FILE").into());
    }
    let (config, warnings) = session.config()?;
    if !warnings.is_empty() {
        session.out.message(warnings.render(session.out.message_pen().styled).trim_end());
    }
    let path = config.path.clone();
    let plan = plan(args, config, true, session)?;
    let outcome = if args.detach { detached(args, &plan, begun, session) } else { foreground(plan, begun, session) };
    match outcome {
        Err(Stop::Failed(failure)) if failure.already_up.is_some() => already_up(&failure, path, session),
        outcome => outcome,
    }
}

/// The life of the process that `up -d` leaves behind.
///
/// # Errors
///
/// `bad_config`, `unknown_name`.
pub fn supervise(args: &args::Up, session: &mut Session) -> Result<ExitCode, Stop> {
    let (config, _) = session.config()?;
    let plan = plan(args, config, false, session)?;
    // What is held of the caller's own streams would keep them open for as long as the herd lives.
    session.out = Output::nowhere();
    Ok(herd::detach::child(plan))
}

fn plan(args: &args::Up, config: Config, foreground: bool, session: &Session) -> Result<Up, Failure> {
    let known: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
    let place = session.config_name(&config.path);
    let only = args.only.iter().map(|typed| names::pick(typed.trim(), &known, &place)).collect::<Result<_, _>>()?;
    let wait_ms = u64::try_from(args.wait_timeout.as_millis()).unwrap_or(u64::MAX);
    Ok(Up { config, port_offset: args.port_offset, only, wait_ms, no_wait: args.no_wait, served: None, foreground })
}

/// `herdctl serve`: one server of the herd, in this process, in the foreground.
///
/// # Errors
///
/// As [`up`]; `taken` if this server is served already.
pub fn serve(args: &args::Serve, session: &mut Session) -> Done {
    let begun = Instant::now();
    let (mut config, warnings) = session.config()?;
    if !warnings.is_empty() {
        session.out.message(warnings.render(session.out.message_pen().styled).trim_end());
    }
    let known: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
    let served = names::pick(&args.server, &known, &session.config_name(&config.path))?;
    // Numbers of records are one process's own: logs of two processes cannot be merged, and lie apart.
    config.log.directory.push(&config.servers[served].name);
    let wait_ms = u64::try_from(args.wait_timeout.as_millis()).unwrap_or(u64::MAX);
    let only = vec![served];
    let plan = Up { config, port_offset: 0, only, wait_ms, no_wait: false, served: Some(served), foreground: true };
    foreground(plan, begun, session)
}

fn detached(args: &args::Up, plan: &Up, begun: Instant, session: &mut Session) -> Done {
    let ps = herd::detach::start(&child_args(args, plan))?;
    let view = View::of(session, begun, args.no_wait);
    if session.out.json {
        session.out.document(&view.document(&ps))?;
        return Ok(Exit::Fine);
    }
    view.notes(&ps, &mut session.out);
    session.out.answer(&view.text(&ps, session.out.pen()))?;
    session.out.hint("herdctl ps · herdctl logs -f · herdctl down");
    Ok(Exit::Fine)
}

/// The same herd, whatever folder the child is in.
fn child_args(args: &args::Up, plan: &Up) -> Vec<OsString> {
    let wait = format!("--wait-timeout={}ms", plan.wait_ms);
    let offset = format!("--port-offset={}", args.port_offset);
    let mut child: Vec<OsString> = vec!["--config".into(), plan.config.path.clone().into(), wait.into(), offset.into()];
    if args.no_wait {
        child.push("--no-wait".into());
    }
    for &index in &plan.only {
        child.push(format!("--only={}", plan.config.servers[index].name).into());
    }
    child
}

fn foreground(plan: Up, begun: Instant, session: &mut Session) -> Done {
    let view = View::of(session, begun, plan.no_wait);
    let own = session.spare_output();
    let out = std::mem::replace(&mut session.out, own);
    let mut shown = plan.config.clone();
    if let Some(served) = plan.served {
        shown.servers = vec![shown.servers.swap_remove(served)];
    }
    let screen = Screen::open(&shown, view.clone(), out)?;
    let ended = herd::run(plan, |ps| screen.ready(ps.clone()));
    if let Some(out) = screen.close(ended.as_ref().ok()) {
        session.out = out;
    }
    ended?;
    Ok(Exit::Fine)
}

fn already_up(failure: &Failure, config: PathBuf, session: &mut Session) -> Done {
    let name = session.config_name(&config);
    let running = Client::new(session.target_of(config), session.deadline(ANSWER_MAX)).and_then(|client| client.ps());
    if session.out.json {
        let view = View { begun: None, ..View::of(session, Instant::now(), false) };
        session.out.document(&view.document(&running?))?;
        return Ok(Exit::Fine);
    }
    let pid = failure.already_up.unwrap_or_default();
    let age = running.map_or_else(|_| String::new(), |ps| format!(", {}", human::age(ps.uptime_ms)));
    session.out.message(&format!("herd {name} is already up (pid {pid}{age}).  herdctl ps · herdctl down"));
    Ok(Exit::Fine)
}

/// A herd that has come up, as a person or a program sees it.
#[derive(Debug, Clone)]
struct View {
    begun: Option<Instant>,
    no_wait: bool,
    here: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl View {
    fn of(session: &Session, begun: Instant, no_wait: bool) -> Self {
        let (here, home) = (session.surroundings.here.clone(), session.surroundings.home.clone());
        Self { begun: Some(begun), no_wait, here, home }
    }

    fn took(&self) -> Option<Duration> {
        self.begun.map(|begun| begun.elapsed())
    }

    fn document<'a>(&self, ps: &'a Ps) -> UpDocument<'a> {
        let server =
            |server: &'a ServerStatus| UpServer { name: &server.name, addr: &server.addr, state: server.state };
        UpDocument {
            schema: "herd.up/1",
            changed: self.begun.is_some(),
            pid: ps.pid,
            config: &ps.config,
            ready_ms: self.took().map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            servers: ps.servers.iter().map(server).collect(),
            links_up: ps.summary.links_up,
            links: ps.summary.links,
            logs: &ps.logs,
            notes: &ps.notes,
        }
    }

    /// What was found on the way up.
    fn notes(&self, ps: &Ps, out: &mut Output) {
        for note in &ps.notes {
            let note = escape::text(note);
            let note = note.strip_prefix("note: ").unwrap_or(&note);
            out.message(&format!("{} {note}", out.message_pen().ink(term::WARN, "note:")));
        }
    }

    fn text(&self, ps: &Ps, pen: Pen) -> String {
        let config = human::path(ps.config.as_ref(), None, self.home.as_deref());
        let size = format!(
            "{}, {}",
            human::count(ps.summary.servers as u64, "server"),
            human::count(ps.summary.links as u64, "link")
        );
        let mut lines = vec![format!("herd {}   {size}", pen.ink(term::BOLD, &config))];
        lines.extend(rows(ps, pen));
        let took = human::took(self.took().unwrap_or_default());
        let logs = human::path(ps.logs.as_ref(), self.here.as_deref(), self.home.as_deref());
        let summary = &ps.summary;
        lines.push(format!(
            "{} in {took}: {}/{} listening, {}/{} links up   (pid {}, logs in {logs})",
            if self.no_wait { "started" } else { "ready" },
            summary.running,
            summary.servers,
            summary.links_up,
            summary.links,
            ps.pid
        ));
        lines.join("\n")
    }

    /// What ended.
    fn farewell(&self, down: &Down) -> String {
        let logs = human::path(down.logs.as_ref(), self.here.as_deref(), self.home.as_deref());
        farewell(down, false, &logs)
    }
}

fn rows(ps: &Ps, pen: Pen) -> Vec<String> {
    let is_shown = |server: &&ServerStatus| ps.servers.len() <= SHOWN_MAX || server.state != State::Running;
    let shown: Vec<(String, String, State)> = ps
        .servers
        .iter()
        .filter(is_shown)
        .map(|s| (escape::text(&s.name).into_owned(), escape::text(&s.addr).into_owned(), s.state))
        .collect();
    let width = |text: &dyn Fn(&(String, String, State)) -> usize| shown.iter().map(text).max().unwrap_or(0);
    let names = width(&|(name, ..)| unicode_width::UnicodeWidthStr::width(name.as_str()));
    let addresses = width(&|(_, address, _)| address.len());
    let cell = |(name, address, state): &(String, String, State)| {
        let (mark, style) = match state {
            State::Running => ("✔", term::GOOD),
            State::Stopped => ("·", term::DIM),
            State::Starting | State::Stopping | State::Paused => ("…", term::WARN),
            State::Killed | State::Crashed | State::Failed | State::Unreachable => ("✗", term::BAD),
        };
        format!("{} {} {}", pen.ink(style, mark), human::pad(name, names), human::pad(address, addresses))
    };
    let cells: Vec<String> = shown.iter().map(cell).collect();
    cells.chunks(ROW).map(|row| format!("  {}", row.join("   ")).trim_end().to_owned()).collect()
}

/// `herdctl down`: with no herd running it changes nothing and succeeds.
///
/// # Errors
///
/// As every call on the control channel but `not_running`.
pub fn down(args: &args::Down, session: &mut Session) -> Done {
    let grace = session.deadline(ANSWER_MAX);
    let client = session.client()?;
    let down = match client.down(grace, args.force) {
        Ok(down) => down,
        Err(failure) if failure.error == Kind::NotRunning => {
            if session.out.json {
                session.out.document(&nothing_to_do())?;
            } else {
                let name = &client.target.name;
                session.out.message(&format!("no herd is running for {name}; nothing to do"));
            }
            return Ok(Exit::Fine);
        }
        Err(failure) => return Err(failure.into()),
    };
    if session.out.json {
        session.out.document(&down)?;
    } else {
        let logs = session.path(down.logs.as_ref());
        session.out.answer(&farewell(&down, args.force, &logs))?;
    }
    Ok(Exit::Fine)
}

/// `stopped 5 servers in 38 ms; 12 clients disconnected; logs kept in ./logs`
fn farewell(down: &Down, force: bool, logs: &str) -> String {
    let servers = human::count(down.servers as u64, "server");
    let clients = human::count(down.clients.into(), "client");
    let took = human::took(Duration::from_millis(down.took_ms));
    let forced: Vec<_> = down.forced.iter().map(|name| escape::text(name).into_owned()).collect();
    let forced = match human::list(&forced) {
        nobody if nobody.is_empty() => nobody,
        all if force => format!("; {all} killed, as asked"),
        late => format!("; {late} did not leave in time and had to be killed"),
    };
    format!("stopped {servers} in {took}; {clients} disconnected{forced}; logs kept in {logs}")
}

fn nothing_to_do() -> Down {
    Down {
        schema: "herd.down/1".into(),
        changed: false,
        servers: 0,
        clients: 0,
        took_ms: 0,
        forced: Vec::new(),
        logs: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farewell_says_what_ended() {
        let down = Down { changed: true, servers: 5, clients: 12, took_ms: 38, ..nothing_to_do() };
        assert_eq!(
            farewell(&down, false, "./logs"),
            "stopped 5 servers in 38 ms; 12 clients disconnected; logs kept in ./logs"
        );
        let forced = Down { forced: vec!["Bona".into(), "Clark".into()], ..down };
        let said = |force| farewell(&forced, force, "./logs");
        assert!(said(false).contains("; Bona and Clark did not leave in time and had to be killed;"));
        assert!(said(true).contains("; Bona and Clark killed, as asked;"));
    }
}
