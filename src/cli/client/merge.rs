//! What the processes of a herd say, as one document: values in, values out.
//!
//! Each process speaks for its own server and for its own end of a link. A fault acts where a link is heard, so of what
//! is wrong with a link the end that hears it is asked. Who did not answer is shown as such, with the reason.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::config::{Config, Link};
use crate::herd::api::{
    self, ClientStatus, Down, Failure, FaultStatus, ForgetOrder, Forgotten, Knows, LinkStatus, PROTOCOL, Ps,
    ServerStatus, SilentServer, State, Summary, Whereis, Wrong,
};
use crate::herd::{ELSEWHERE, islands};
use crate::protocol::line::Time;

/// What each server's process said, in the order of herd.toml.
pub type Said<T> = Vec<Result<T, Failure>>;

/// The herd as `ps` shows it.
pub fn ps(config: &Config, said: &Said<Ps>) -> Ps {
    let servers: Vec<ServerStatus> = said.iter().enumerate().map(|(nth, ps)| server(config, nth, ps)).collect();
    let links: Vec<LinkStatus> = config.links.iter().map(|link| link_status(config, *link, said)).collect();
    let faults = faults(config, said);
    let logs = config.log.directory.display().to_string();
    let summary = summary(config, &servers, &links, &faults);
    let servers_up = servers.iter().map(|server| server.links.min(links_up(&links, &server.name)));
    let links_up: Vec<usize> = servers_up.collect();
    let servers = servers.into_iter().zip(links_up).map(|(server, links_up)| ServerStatus { links_up, ..server });
    Ps {
        schema: "herd.ps/1".into(),
        config: config.path.display().to_string(),
        herd: config.herd.clone(),
        pid: 0,
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: PROTOCOL,
        uptime_ms: said.iter().flatten().map(|ps| ps.uptime_ms).max().unwrap_or(0),
        logs,
        summary,
        servers: servers.collect(),
        links,
        faults,
        notes: said.iter().flatten().flat_map(|ps| ps.notes.clone()).collect(),
    }
}

fn server(config: &Config, nth: usize, said: &Result<Ps, Failure>) -> ServerStatus {
    let name = &config.servers[nth].name;
    let own = said.as_ref().ok().and_then(|ps| ps.servers.iter().find(|server| server.name == *name));
    if let Some(server) = own {
        return server.clone();
    }
    let why = said.as_ref().err().map_or("its process knows it not", |failure| failure.message.as_str());
    ServerStatus {
        name: name.clone(),
        state: State::Unreachable,
        since: String::new(),
        since_ms: 0,
        addr: config.servers[nth].address.to_string(),
        by: None,
        restarts: 0,
        uptime_ms: None,
        links_up: 0,
        links: config.neighbours(nth).count(),
        clients: 0,
        knows: 0,
        edition: 0,
        digest: String::new(),
        unconfirmed: 0,
        log_lost: 0,
        archive: None,
        bus: None,
        note: Some(why.into()),
    }
}

/// A link is up if every end that answers calls it so, and one does.
fn link_status(config: &Config, link: Link, said: &Said<Ps>) -> LinkStatus {
    let (from, to) = (&config.servers[link.dialer].name, &config.servers[link.listener].name);
    let calls_it_up = |end: usize| {
        let ps = said[end].as_ref().ok()?;
        ps.links.iter().find(|link| link.from == *from && link.to == *to).map(|link| link.up)
    };
    let ends: Vec<bool> = [link.dialer, link.listener].into_iter().filter_map(calls_it_up).collect();
    let up = !ends.is_empty() && ends.iter().all(|up| *up);
    LinkStatus { from: from.clone(), to: to.clone(), up, lag: None, held: [false; 2] }
}

fn links_up(links: &[LinkStatus], server: &str) -> usize {
    links.iter().filter(|link| link.up && (link.from == server || link.to == server)).count()
}

/// What is wrong with what each server hears, both directions of one thing as one. Numbers of processes are made one
/// herd's.
pub fn faults(config: &Config, said: &Said<Ps>) -> Vec<FaultStatus> {
    let mut faults: Vec<FaultStatus> = Vec::new();
    for (nth, ps) in said.iter().enumerate().filter_map(|(nth, ps)| Some((nth, ps.as_ref().ok()?))) {
        let me = &config.servers[nth].name;
        for heard in ps.faults.iter().filter_map(|fault| towards(me, fault)) {
            let is_twin = |other: &&mut FaultStatus| {
                (&other.from, &other.to) == (&heard.to, &heard.from)
                    && (other.wrong, other.seed, other.partition) == (heard.wrong, heard.seed, heard.partition)
            };
            match faults.iter_mut().find(is_twin) {
                Some(twin) => twin.one_way = false,
                None => faults.push(FaultStatus { id: heard.id * said.len() as u64 + nth as u64, ..heard }),
            }
        }
    }
    faults
}

/// The direction of a fault that this server hears.
fn towards(me: &str, fault: &FaultStatus) -> Option<FaultStatus> {
    match (fault.to == me, fault.from == me && !fault.one_way) {
        (true, _) => Some(FaultStatus { one_way: true, ..fault.clone() }),
        (_, true) => {
            let (from, to) = (fault.to.clone(), fault.from.clone());
            Some(FaultStatus { from, to, one_way: true, ..fault.clone() })
        }
        _ => None,
    }
}

fn summary(config: &Config, servers: &[ServerStatus], links: &[LinkStatus], faults: &[FaultStatus]) -> Summary {
    let in_state = |state| servers.iter().filter(|server| server.state == state).count();
    let live = || config.links.iter().zip(links).filter(|(_, status)| status.up).map(|(link, _)| *link);
    let whole: Vec<Link> = live().filter(|link| !is_cut(config, *link, faults)).collect();
    let island = islands(&running(servers), &whole);
    let is_alike = |(nth, first): (usize, &Option<usize>)| {
        first.is_none_or(|first| {
            servers[nth].digest == servers[first].digest && servers[nth].knows == servers[first].knows
        })
    };
    let unknown = in_state(State::Unreachable);
    Summary {
        servers: servers.len(),
        running: in_state(State::Running),
        paused: in_state(State::Paused),
        down: servers.iter().filter(|server| server.uptime_ms.is_none()).count(),
        links: links.len(),
        links_up: live().count(),
        faults: faults.len(),
        islands: island.iter().enumerate().filter(|(nth, first)| **first == Some(*nth)).count(),
        // Of who does not answer nobody can say that it knows the same.
        converged: unknown == 0 && island.iter().enumerate().all(is_alike),
    }
}

fn running(servers: &[ServerStatus]) -> Vec<bool> {
    servers.iter().map(|server| server.state == State::Running).collect()
}

/// The running servers that can reach each other, by the links that are not cut.
pub fn uncut_islands(config: &Config, ps: &Ps) -> Vec<Vec<String>> {
    let whole: Vec<Link> = config.links.iter().filter(|link| !is_cut(config, **link, &ps.faults)).copied().collect();
    let island = islands(&running(&ps.servers), &whole);
    let members = |first: usize| {
        let names = ps.servers.iter().zip(&island).filter(move |(_, of)| **of == Some(first));
        names.map(|(server, _)| server.name.clone()).collect::<Vec<_>>()
    };
    (0..island.len()).map(members).filter(|members| !members.is_empty()).collect()
}

/// Whether a link is cut, in either direction.
fn is_cut(config: &Config, link: Link, faults: &[FaultStatus]) -> bool {
    let ends = [&config.servers[link.dialer].name, &config.servers[link.listener].name];
    let is_on = |fault: &FaultStatus| ends.contains(&&fault.from) && ends.contains(&&fault.to);
    faults.iter().any(|fault| matches!(fault.wrong, Wrong::Cut { .. }) && is_on(fault))
}

/// Who knows what. A server that only tells of those that moved last is not asked for the others.
pub fn whereis(config: &Config, said: Said<Whereis>) -> Whereis {
    let mut merged = Whereis { schema: "herd.whereis/1".into(), clients: Vec::new(), known: 0, silent: Vec::new() };
    for (nth, said) in said.into_iter().enumerate() {
        match said {
            Err(why) => {
                let server = config.servers[nth].name.clone();
                let why = format!("cannot be asked: {}", why.message);
                merged.silent.push(SilentServer { server, state: State::Unreachable, why });
            }
            Ok(said) => {
                merged.known = merged.known.max(said.known);
                merged.silent.extend(said.silent.into_iter().filter(|silent| silent.why != ELSEWHERE));
                said.clients.into_iter().for_each(|client| add(&mut merged.clients, client));
            }
        }
    }
    merged.clients.iter_mut().for_each(judge);
    merged
}

/// Who has forgotten a client, and what may bring it back: each process can speak only of its own server.
pub fn forgotten(config: &Config, order: &ForgetOrder, said: Said<Forgotten>) -> Forgotten {
    let name = |nth: usize| &config.servers[nth % config.servers.len()].name;
    let mut merged = Forgotten {
        schema: "herd.forget/1".into(),
        changed: false,
        client: order.client.clone(),
        forgot: Vec::new(),
        may_return: Vec::new(),
    };
    for (nth, said) in said.into_iter().enumerate() {
        match said {
            Ok(said) => {
                merged.forgot.extend(said.forgot);
                merged.may_return.extend(said.may_return.into_iter().filter(|why| !why.contains(ELSEWHERE)));
            }
            Err(why) => {
                let why = format!("{} cannot be asked, and may still know it: {}", name(nth), why.message);
                merged.may_return.push(why);
            }
        }
    }
    let mut seen = HashSet::new();
    merged.may_return.retain(|why| seen.insert(why.clone()));
    let place = |server: &String| config.server_named(server);
    merged.forgot.sort_by_key(place);
    merged.forgot.dedup();
    merged.changed = !merged.forgot.is_empty();
    merged
}

/// What has ended in all of the processes.
pub fn down(config: &Config, said: Vec<Down>) -> Down {
    Down {
        schema: "herd.down/1".into(),
        changed: said.iter().any(|down| down.changed),
        servers: said.iter().map(|down| down.servers).sum(),
        clients: said.iter().map(|down| down.clients).sum(),
        took_ms: said.iter().map(|down| down.took_ms).max().unwrap_or(0),
        forced: said.into_iter().flat_map(|down| down.forced).collect(),
        logs: config.log.directory.display().to_string(),
    }
}

fn add(clients: &mut Vec<ClientStatus>, client: ClientStatus) {
    match clients.iter_mut().find(|known| known.client == client.client) {
        Some(known) => known.servers.extend(client.servers),
        None => clients.push(client),
    }
}

/// Who has the newest report, now that all have said what they have: by time, and among equals by who heard it.
fn judge(client: &mut ClientStatus) {
    let rank = |one: &api::Knowledge| {
        let time = one.time.as_deref().and_then(|time| Time::parse(time.as_bytes()));
        (time.map(|time| (time.seconds(), time.nanos())), one.said_to.clone(), one.location.clone())
    };
    let newest = client.servers.iter().filter(|one| one.knows != Knows::Nothing).map(rank).max();
    for one in client.servers.iter_mut().filter(|one| one.knows != Knows::Nothing) {
        one.knows = if Some(rank(one)) == newest { Knows::Newest } else { Knows::Old };
    }
    client.agreed = client.servers.iter().all(|one| one.knows == client.servers[0].knows);
    client.servers.sort_by_key(|one| Reverse(one.knows == Knows::Newest));
}
