//! `kill`, `stop`, `start`, `restart`, `pause`, `resume`: one order to the herd, and what it changed.

use std::time::Duration;

use super::args::{self, Members};
use super::client::Client;
use super::output::Output;
use super::session::{ANSWER_MAX, Session};
use super::term::{self, Pen};
use super::{Done, Exit, escape, human};
use crate::herd::api::{Change, ChangeResult, Failure, Kind, Order, State, Summary};
use crate::limits;

/// `herdctl kill`
///
/// # Errors
///
/// As every call on the control channel; `unknown_name` before anything was done.
pub fn kill(args: &args::Kill, session: &mut Session) -> Done {
    let args::Kill { servers, all, random, seed, power, lasts } = args;
    let (servers, for_ms) = (servers.clone(), lasts.map(human::ms));
    let order = Order { servers, all: *all, random: *random, seed: *seed, power: *power, for_ms, ..Order::default() };
    give(Verb::Kill, &order, session)
}

/// `herdctl stop`
///
/// # Errors
///
/// As [`kill`].
pub fn stop(args: &Members, session: &mut Session) -> Done {
    give(Verb::Stop, &order(args), session)
}

/// `herdctl start`
///
/// # Errors
///
/// As [`kill`].
pub fn start(args: &args::Start, session: &mut Session) -> Done {
    give(Verb::Start, &Order { wait: args.wait, ..order(&args.members) }, session)
}

/// `herdctl restart`
///
/// # Errors
///
/// As [`kill`].
pub fn restart(args: &args::Restart, session: &mut Session) -> Done {
    give(Verb::Restart, &Order { wait: args.wait, hard: args.hard, ..order(&args.members) }, session)
}

/// `herdctl pause`
///
/// # Errors
///
/// As [`kill`].
pub fn pause(args: &args::Pause, session: &mut Session) -> Done {
    give(Verb::Pause, &Order { for_ms: args.lasts.map(human::ms), ..order(&args.members) }, session)
}

/// `herdctl resume`
///
/// # Errors
///
/// As [`kill`].
pub fn resume(args: &Members, session: &mut Session) -> Done {
    give(Verb::Resume, &order(args), session)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Kill,
    Stop,
    Start,
    Restart,
    Pause,
    Resume,
}

impl Verb {
    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// How long the answer may take: longer than the herd's own limit for what is asked, so that the herd can
    /// still say what went wrong.
    pub(super) fn patience(self, waits: bool) -> Duration {
        let done_in = match self {
            Self::Kill | Self::Pause | Self::Resume => Duration::ZERO,
            Self::Stop => limits::LEAVE_MAX,
            Self::Start => limits::SERVING_MAX,
            Self::Restart => limits::LEAVE_MAX + limits::SERVING_MAX,
        };
        let whole_in = if waits { limits::SETTLE_MAX } else { Duration::ZERO };
        done_in + whole_in + ANSWER_MAX
    }
}

fn order(members: &Members) -> Order {
    Order { servers: members.servers.clone(), all: members.all, ..Order::default() }
}

fn give(verb: Verb, order: &Order, session: &mut Session) -> Done {
    let deadline = session.deadline(verb.patience(order.wait));
    let client = session.client()?.with_deadline(deadline);
    let change = client.order(verb.route(), order).map_err(|failure| match failure.error {
        Kind::Timeout if order.wait => not_whole(&client, deadline).unwrap_or(failure),
        _ => failure,
    })?;
    if session.out.json {
        session.out.document(&change)?;
    } else {
        show(verb, &change, &mut session.out)?;
    }
    Ok(Exit::Fine)
}

/// The herd answers, but what was waited for did not come: what is missing. `None`: the herd does not answer.
fn not_whole(client: &Client, waited: Duration) -> Option<Failure> {
    let ps = client.ps().ok()?;
    let missing = ps.servers.iter().filter(|server| server.links_up < server.links || server.state != State::Running);
    let missing: Vec<_> = missing
        .map(|server| format!("{} {}, {}/{} links", server.name, server.state, server.links_up, server.links))
        .collect();
    let missing = if missing.is_empty() { "the servers do not know the same yet".into() } else { missing.join("; ") };
    let message = format!("not whole after {}: {missing}", human::limit(waited));
    Some(Failure::new(Kind::Timeout, message).hint("herdctl ps --wide"))
}

fn show(verb: Verb, change: &Change, out: &mut Output) -> Result<(), super::output::Stop> {
    let pen = out.pen();
    let lines: Vec<_> = change.results.iter().map(|result| line(verb, result, pen)).collect();
    out.answer(&lines.join("\n"))?;
    out.message(&format!("  {}", aftermath(verb, change)));
    Ok(())
}

/// What an order did to one server.
pub(super) fn line(verb: Verb, result: &ChangeResult, pen: Pen) -> String {
    let name = escape::text(&result.server);
    if !result.changed {
        return format!("{} {name} is already {}", pen.ink(term::DIM, "·"), result.to);
    }
    let (mark, style, what) = match verb {
        Verb::Kill => ("✗", term::BAD, format!("killed: {}", losses(result))),
        Verb::Stop => ("■", term::WARN, format!("stopped: {}", farewells(result))),
        Verb::Start => ("✔", term::GOOD, format!("started {}", arrival(result))),
        Verb::Restart => ("✔", term::GOOD, format!("restarted {}", arrival(result))),
        Verb::Pause => ("‖", term::WARN, "paused: it takes connections and answers nothing".to_owned()),
        Verb::Resume => ("▶", term::GOOD, format!("goes on: {}", links(result))),
    };
    format!("{} {} {what}", pen.ink(style, mark), pen.ink(term::BOLD, &name))
}

fn losses(result: &ChangeResult) -> String {
    format!("{} and {} gone, {} in its memory lost", peers(result), clients(result), locations(result.locations_lost))
}

fn farewells(result: &ChangeResult) -> String {
    format!("{} and {} closed, {} let go", peers(result), clients(result), locations(result.locations_lost))
}

fn arrival(result: &ChangeResult) -> String {
    let took = human::took(Duration::from_micros(result.took_us));
    let knows = locations(result.knows);
    format!("in {took}: listening on {}, {}, knows {knows}", escape::text(&result.addr), links(result))
}

fn peers(result: &ChangeResult) -> String {
    human::count(result.peers_reset as u64, "link")
}

fn clients(result: &ChangeResult) -> String {
    human::count(result.clients_reset.into(), "client connection")
}

fn locations(n: u64) -> String {
    human::count(n, "location")
}

fn links(result: &ChangeResult) -> String {
    format!("{}/{} links up", result.links_up, result.links)
}

/// What is left of the herd, and the command that undoes this one.
fn aftermath(verb: Verb, change: &Change) -> String {
    let names: Vec<_> = change.results.iter().map(|result| escape::text(&result.server)).collect();
    let names = names.join(" ");
    let left = left(&change.summary);
    let seed = change.seed.map(|seed| format!("chosen by chance (seed {seed}), ")).unwrap_or_default();
    let left = format!("{seed}{left}");
    if let Some(ms) = change.for_ms.filter(|_| change.changed) {
        let back = if verb == Verb::Pause { "goes on" } else { "starts again" };
        return format!("{left}.  By itself it {back} in {}", human::limit(Duration::from_millis(ms)));
    }
    match verb {
        Verb::Kill | Verb::Stop => format!("{left}.  Bring it back: herdctl start {names}"),
        Verb::Pause => format!("{left}.  Let it go on: herdctl resume {names}"),
        Verb::Start | Verb::Restart | Verb::Resume => format!("{left}.  See: herdctl ps"),
    }
}

fn left(summary: &Summary) -> String {
    let islands = match summary.islands {
        0 => "none left".to_owned(),
        1 if summary.running == summary.servers => "one island".to_owned(),
        1 => "still one island".to_owned(),
        n => human::count(n as u64, "island"),
    };
    format!("{}/{} running, {islands}", summary.running, summary.servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(to: State, changed: bool) -> Change {
        Change {
            schema: "herd.change/1".into(),
            changed,
            results: vec![ChangeResult {
                server: "Clark".into(),
                from: State::Running,
                to,
                changed,
                took_us: 19_000,
                peers_reset: 2,
                clients_reset: 3,
                locations_lost: 41,
                addr: "127.0.0.1:11003".into(),
                links_up: 2,
                links: 2,
                knows: 41,
            }],
            summary: Summary {
                servers: 5,
                running: 4,
                paused: 0,
                down: 1,
                links: 6,
                links_up: 4,
                islands: 1,
                converged: true,
                faults: 0,
            },
            seed: None,
            for_ms: None,
        }
    }

    fn shown(verb: Verb, to: State, changed: bool) -> String {
        let (mut out, answers, messages) = Output::captured(false);
        show(verb, &change(to, changed), &mut out).unwrap();
        answers.text() + &messages.text()
    }

    #[test]
    fn a_kill_says_what_is_gone_and_how_to_bring_it_back() {
        assert_eq!(
            shown(Verb::Kill, State::Killed, true),
            "✗ Clark killed: 2 links and 3 client connections gone, 41 locations in its memory lost\n  \
             4/5 running, still one island.  Bring it back: herdctl start Clark\n"
        );
    }

    #[test]
    fn a_restart_says_what_is_back() {
        let said = shown(Verb::Restart, State::Running, true);
        assert!(
            said.starts_with(
                "✔ Clark restarted in 19 ms: listening on 127.0.0.1:11003, 2/2 links up, knows 41 locations\n"
            ),
            "{said}"
        );
    }

    #[test]
    fn what_changes_nothing_says_so() {
        let said = shown(Verb::Kill, State::Killed, false);
        assert!(said.starts_with("· Clark is already killed\n"), "{said}");
    }
}
