//! `wait`: looks at the herd until it is as it should be, and says what is missing when it does not become so.

mod event;

use std::time::{Duration, Instant};

use super::client::Client;
use super::session::Session;
use super::{Done, Exit, args, human, names};
use crate::herd::api::{Failure, Kind, Knows, Ps, ServerStatus, State, WhereisOrder};

/// How long `wait` waits unless `--timeout` says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks: an atlas rings no bell when it grows, and a look takes a fraction of this.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(10);

/// `herdctl wait`: answers with the herd as it is then, or with the event.
///
/// # Errors
///
/// As every call on the control channel; `timeout` with what is missing, `unknown_name`.
pub fn run(args: &args::Wait, session: &mut Session) -> Done {
    let limit = session.deadline(PATIENCE);
    if let Some(kind) = &args.what.event {
        return event::run(kind, args, limit, session);
    }
    let client = session.client()?.with_deadline(limit);
    let wanted = Wanted::of(args, &client.ps()?)?;
    let began = Instant::now();
    let ps = loop {
        let ps = client.ps()?;
        let missing = wanted.missing(&ps);
        if missing.is_empty() {
            break ps;
        }
        if began.elapsed() >= limit {
            return Err(wanted.too_late(&client, limit, &missing).into());
        }
        std::thread::sleep(LOOK_EVERY);
    };
    if session.out.json {
        session.out.document(&ps)?;
    } else {
        let pen = session.out.pen();
        session.out.answer(&super::ps::summary(&ps.summary, pen))?;
    }
    Ok(Exit::Fine)
}

enum Wanted {
    Ready,
    Converged,
    /// The server of this name, as herd.toml writes it.
    Down(String),
}

impl Wanted {
    fn of(args: &args::Wait, ps: &Ps) -> Result<Self, Failure> {
        let Some(typed) = &args.what.down else {
            return Ok(if args.what.ready { Self::Ready } else { Self::Converged });
        };
        let known: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
        Ok(Self::Down(known[names::pick(typed, &known, &ps.config)?].to_owned()))
    }

    /// What keeps the herd from being so, in words.
    fn missing(&self, ps: &Ps) -> Vec<String> {
        match self {
            Self::Ready => unready(ps),
            Self::Converged => diverged(ps),
            Self::Down(name) => {
                let is_meant = |server: &&ServerStatus| server.name == *name && !is_down(server.state);
                ps.servers.iter().filter(is_meant).map(|server| format!("{name} is {}", server.state)).collect()
            }
        }
    }

    fn too_late(&self, client: &Client, limit: Duration, missing: &[String]) -> Failure {
        let example = matches!(self, Self::Converged).then(|| lacking(client)).flatten();
        let missing =
            example.map_or_else(|| missing.join("; "), |example| format!("{}; {example}", missing.join("; ")));
        Failure::new(Kind::Timeout, format!("not so after {}: {missing}", human::limit(limit))).hint("herdctl ps")
    }
}

pub(super) fn unready(ps: &Ps) -> Vec<String> {
    let servers = ps.servers.iter().filter(|server| server.state != State::Running);
    let links = ps.links.iter().filter(|link| !link.up);
    let servers = servers.map(|server| format!("{} is {}", server.name, server.state));
    servers.chain(links.map(|link| format!("no link {} – {}", link.from, link.to))).collect()
}

/// Servers that do not know what the one that knows most knows, or cannot be asked. Who is paused or down knows nothing
/// new and is not waited for.
pub(super) fn diverged(ps: &Ps) -> Vec<String> {
    let running: Vec<&ServerStatus> = ps.servers.iter().filter(|server| server.state == State::Running).collect();
    let Some(fullest) = running.iter().max_by_key(|server| server.knows) else { return vec!["no server runs".into()] };
    let others = running.iter().filter(|server| server.digest != fullest.digest);
    let said = |server: &&&ServerStatus| match fullest.knows - server.knows {
        0 => format!("{} and {} know the same clients in different places", fullest.name, server.name),
        lacks => format!("{} lacks {lacks} of {}", server.name, human::count(fullest.knows, "client")),
    };
    let unasked = ps.servers.iter().filter(|server| server.state == State::Unreachable);
    let unasked = unasked.map(|server| format!("{} cannot be asked", server.name));
    others.map(|server| said(&server)).chain(unasked).collect()
}

/// One client that not all know alike.
fn lacking(client: &Client) -> Option<String> {
    let whereis = client.whereis(&WhereisOrder { client: None, all: true }).ok()?;
    let one = whereis.clients.iter().find(|client| !client.agreed)?;
    let who = one.servers.iter().filter(|server| server.knows != Knows::Newest);
    let who: Vec<_> = who.map(|server| server.server.clone()).collect();
    Some(format!("for one, {} at {}", one.client, human::list(&who)))
}

pub(super) fn is_down(state: State) -> bool {
    matches!(state, State::Stopped | State::Killed | State::Crashed | State::Failed)
}
