//! Who knows what, read from the servers' own tables: `whereis`, and `forget`, which takes a report out of them.
//!
//! All servers that run are asked at once, each with a deadline: one that hangs is named, and holds up nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::api::{
    ClientStatus, Failure, ForgetOrder, Forgotten, Kind, Knowledge, Knows, SilentServer, State, Whereis, WhereisOrder,
};
use super::panics::printable;
use super::{Herd, Shared};
use crate::limits;
use crate::server::question::{Known, Question};

/// One client, or those that moved last, and what each server knows of it.
///
/// # Errors
///
/// [`Kind::Usage`] unless it is one of the two.
pub async fn whereis(herd: &Shared, order: &WhereisOrder) -> Result<Whereis, Failure> {
    let clients: Vec<Vec<u8>> = match (&order.client, order.all) {
        (Some(client), false) => vec![client.clone().into_bytes()],
        (None, true) => newest(herd).await,
        _ => return Err(Failure::new(Kind::Usage, "which client? One, or all")),
    };
    let known = survey(herd, clients).await;
    let herd = herd.borrow();
    let most = herd.children.iter().filter_map(|child| Some(child.vitals()?.knows.load(Relaxed))).max();
    let status = |nth: usize| known.status(&herd, nth);
    Ok(Whereis {
        schema: "herd.whereis/1".into(),
        clients: (0..known.clients.len()).map(status).collect(),
        known: most.unwrap_or(0),
        silent: known.silent,
    })
}

/// Takes a client's report out of every server that runs, again while a neighbour tells it again, and says what could
/// still bring it back: the protocol has no word for "forget", so whoever still holds it tells it on.
///
/// # Errors
///
/// [`Kind::Usage`] without a client.
pub async fn forget(herd: &Shared, order: &ForgetOrder) -> Result<Forgotten, Failure> {
    if order.client.is_empty() {
        return Err(Failure::new(Kind::Usage, "which client?"));
    }
    let client = order.client.clone().into_bytes();
    info!("forget {} (cli)", printable(&order.client));
    let (mut forgot, mut silent, mut left) = (Vec::new(), Vec::new(), true);
    for _ in 0..limits::FORGET_ROUNDS_MAX {
        let round = ask_all(herd, |to| Question::Forget { client: client.clone(), to }).await;
        forgot.extend(round.answers.iter().filter(|(_, was)| was.is_some()).map(|(server, _)| *server));
        silent = round.silent;
        let after = ask_all(herd, |to| Question::Whereis { clients: [client.clone()].into(), to }).await;
        left = after.answers.iter().any(|(_, known)| known.iter().any(Option::is_some));
        if !left {
            break;
        }
    }
    forgot.sort_unstable();
    forgot.dedup();
    let herd = herd.borrow();
    let mut may_return: Vec<String> = silent
        .iter()
        .filter(|server| lives(&herd, server))
        .map(|server| format!("{} {}, and may still know it", server.server, server.why))
        .collect();
    if left {
        may_return.push("a neighbour tells it again and again: a client may still be saying it".into());
    }
    if herd.config.archive.is_some() {
        let down = silent.iter().filter(|server| !lives(&herd, server));
        may_return.extend(down.map(|server| format!("{} {}, and its archive may keep it", server.server, server.why)));
    }
    if herd.config.bus.is_some() {
        may_return.push("the bus keeps it, and herds that are joined by the bus may know it".into());
    }
    let faults = herd.faults.count();
    if faults > 0 {
        may_return.push(format!("{faults} of the links' faults may hold it up on its way"));
    }
    may_return.iter().for_each(|why| warn!("{} may come back: {why}", printable(&order.client)));
    Ok(Forgotten {
        schema: "herd.forget/1".into(),
        changed: !forgot.is_empty(),
        client: order.client.clone(),
        forgot: forgot.into_iter().map(|server| herd.children[server].name().to_owned()).collect(),
        may_return,
    })
}

/// The clients that moved last at any server, each once.
async fn newest(herd: &Shared) -> Vec<Vec<u8>> {
    let asked = ask_all(herd, |to| Question::Newest { most: limits::WHEREIS_CLIENTS_MAX, to }).await;
    let mut clients: Vec<Vec<u8>> = asked.answers.into_iter().flat_map(|(_, clients)| clients).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// What each server knows of some clients.
struct Survey {
    clients: Arc<[Vec<u8>]>,
    answers: Vec<(usize, Vec<Option<Known>>)>,
    silent: Vec<SilentServer>,
}

async fn survey(herd: &Shared, clients: Vec<Vec<u8>>) -> Survey {
    let clients: Arc<[Vec<u8>]> = clients.into();
    let asked = ask_all(herd, |to| Question::Whereis { clients: clients.clone(), to }).await;
    Survey { clients, answers: asked.answers, silent: asked.silent }
}

impl Survey {
    fn status(&self, herd: &Herd, nth: usize) -> ClientStatus {
        let of = |known: &Vec<Option<Known>>| known.get(nth).cloned().flatten();
        let newest = self.answers.iter().filter_map(|(_, known)| of(known)).max();
        let servers: Vec<Knowledge> = self
            .answers
            .iter()
            .map(|(server, known)| knowledge(herd.children[*server].name(), of(known), newest.as_ref()))
            .collect();
        let client = &self.clients[nth];
        ClientStatus {
            client: String::from_utf8(client.clone()).unwrap_or_else(|_| client.escape_ascii().to_string()),
            agreed: servers.iter().all(|one| one.knows == servers[0].knows),
            servers,
        }
    }
}

fn knowledge(server: &str, known: Option<Known>, newest: Option<&Known>) -> Knowledge {
    Knowledge {
        server: server.into(),
        knows: match &known {
            None => Knows::Nothing,
            Some(known) if Some(known) == newest => Knows::Newest,
            Some(_) => Knows::Old,
        },
        location: known.as_ref().map(Known::location),
        time: known.as_ref().map(Known::time),
        said_to: known.as_ref().map(Known::said_to),
        ..Knowledge::default()
    }
}

/// Why a server of another process is not asked.
pub const ELSEWHERE: &str = "runs in another process";

/// What came of asking all servers.
struct Asked<T> {
    answers: Vec<(usize, T)>,
    silent: Vec<SilentServer>,
}

/// Puts a question to all servers that run; those that do not, or do not answer in time, are named.
async fn ask_all<T>(herd: &Shared, question: impl Fn(oneshot::Sender<T>) -> Question) -> Asked<T> {
    let mut asked = Asked { answers: Vec::new(), silent: Vec::new() };
    let mut waiting = Vec::new();
    {
        let herd = herd.borrow();
        for (server, child) in herd.children.iter().enumerate() {
            let (to, answer) = oneshot::channel();
            match child.state() {
                State::Running if child.ask(question(to)) => waiting.push((server, answer)),
                State::Running => asked.silent.push(silent(&herd, server, "has too many questions open")),
                State::Paused => asked.silent.push(silent(&herd, server, "is paused")),
                _ if child.is_elsewhere() => asked.silent.push(silent(&herd, server, ELSEWHERE)),
                state => asked.silent.push(silent(&herd, server, &format!("is {state}"))),
            }
        }
    }
    let deadline = tokio::time::Instant::now() + limits::QUESTION_MAX;
    for (server, answer) in waiting {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        match timeout(left, answer).await {
            Ok(Ok(answer)) => asked.answers.push((server, answer)),
            Ok(Err(_)) => asked.silent.push(silent(&herd.borrow(), server, "has just ended")),
            Err(_) => asked.silent.push(silent(&herd.borrow(), server, "does not answer; it may hang")),
        }
    }
    asked.silent.sort_by_key(|one| herd.borrow().config.server_named(&one.server));
    asked
}

/// What a server knows goes with its life. Of one in another process nobody here can tell whether it lives.
fn lives(herd: &Herd, server: &SilentServer) -> bool {
    let is_elsewhere = herd.children.iter().any(|child| child.name() == server.server && child.is_elsewhere());
    is_elsewhere || matches!(server.state, State::Starting | State::Running | State::Paused | State::Stopping)
}

fn silent(herd: &Herd, server: usize, why: &str) -> SilentServer {
    let child = &herd.children[server];
    SilentServer { server: child.name().into(), state: child.state(), why: why.into() }
}
