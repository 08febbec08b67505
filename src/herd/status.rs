//! What the herd looks like: read from the servers' vitals, which a hung or dead server shows as well.
//!
//! Values in, documents out; nothing here waits or changes anything.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use jiff::Timestamp;

use super::Herd;
use super::api::{self, ArchiveStatus, BusState, BusStatus, LinkStatus, Ps, ServerStatus, State, Summary};
use super::child::Child;
use crate::config::{Config, Link};
use crate::server::vitals::{self, Neighbour, Vitals, archive_trouble, bus_trouble};

/// The `herd.ps/1` document.
pub fn ps(herd: &Herd) -> Ps {
    let (config, children) = (&*herd.config, &*herd.children);
    Ps {
        schema: "herd.ps/1".into(),
        config: config.path.display().to_string(),
        herd: config.herd.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: api::PROTOCOL,
        uptime_ms: ms_since(herd.up_at),
        logs: config.log.directory.display().to_string(),
        summary: summary(herd),
        servers: (0..children.len())
            .filter(|&index| !children[index].is_elsewhere())
            .map(|index| server(config, children, index))
            .collect(),
        links: own_links(config, children).map(|link| link_status(config, children, link)).collect(),
        faults: herd.faults.statuses(config),
        notes: Vec::new(),
    }
}

/// The herd in numbers.
pub fn summary(herd: &Herd) -> Summary {
    let (config, children) = (&*herd.config, &*herd.children);
    let in_state = |state| children.iter().filter(|child| child.state() == state).count();
    let live = live_links(config, children);
    // What a silent cut separates is apart at once; that the link is dead is noticed later.
    let whole: Vec<Link> = live.iter().copied().filter(|link| !herd.faults.is_cut(*link)).collect();
    let islands = islands_over(children, &whole);
    let here = || children.iter().filter(|child| !child.is_elsewhere());
    let down = here().filter(|child| child.vitals().is_none()).count();
    Summary {
        servers: here().count(),
        running: in_state(State::Running),
        paused: in_state(State::Paused),
        down,
        links: own_links(config, children).count(),
        links_up: live.len(),
        faults: herd.faults.count(),
        islands: islands.iter().enumerate().filter(|(server, island)| **island == Some(*server)).count(),
        converged: islands.iter().enumerate().all(|(server, island)| match island {
            Some(first) => atlas(&children[server]) == atlas(&children[*first]),
            None => true,
        }),
    }
}

fn server(config: &Config, children: &[Child], index: usize) -> ServerStatus {
    let child = &children[index];
    let (since, since_at) = child.since();
    let vitals = child.vitals();
    let level = |read: fn(&Vitals) -> u64| vitals.map_or(0, read);
    ServerStatus {
        name: child.name().into(),
        state: child.state(),
        since: rfc3339(since),
        since_ms: ms_since(since_at),
        addr: config.servers[index].address.to_string(),
        by: child.by().map(Into::into),
        restarts: child.restarts(),
        uptime_ms: child.born().map(ms_since),
        links_up: links_up(config, children, index),
        links: links(config, index).count(),
        clients: vitals.map_or(0, |vitals| vitals.clients.load(Relaxed)),
        knows: level(|vitals| vitals.knows.load(Relaxed)),
        edition: level(|vitals| vitals.edition.load(Relaxed)),
        digest: format!("{:016x}", level(|vitals| vitals.digest.load(Relaxed))),
        unconfirmed: level(|vitals| vitals.unconfirmed.load(Relaxed)),
        log_lost: level(|vitals| vitals.log_lost.load(Relaxed)),
        archive: vitals.filter(|_| config.archive.is_some()).map(archive),
        bus: vitals.filter(|_| bridges(config, index)).map(bus),
        note: child.note(),
    }
}

fn archive(vitals: &Vitals) -> ArchiveStatus {
    // In this order, or an archive could be ahead of its atlas.
    let stored = vitals.archive.stored.load(Relaxed);
    let lag = vitals.edition.load(Relaxed).saturating_sub(stored);
    let committed = vitals.archive.committed_at_us.load(Relaxed);
    let committed = i64::try_from(committed).ok().filter(|&at| at > 0);
    ArchiveStatus {
        stored,
        lag,
        committed: committed.and_then(|at| Timestamp::from_microsecond(at).ok()).map(rfc3339),
        trouble: archive_trouble(&vitals.archive),
    }
}

/// Whether a server is a bridge to the bus.
pub fn bridges(config: &Config, index: usize) -> bool {
    config.bus.as_ref().is_some_and(|bus| bus.servers.contains(&index))
}

fn bus(vitals: &Vitals) -> BusStatus {
    let shown = &vitals.bus;
    // In this order, or a bus could be ahead of its atlas.
    let told = shown.told.load(Relaxed);
    BusStatus {
        state: match shown.state() {
            vitals::BusState::Joining => BusState::Joining,
            vitals::BusState::Joined => BusState::Joined,
            vitals::BusState::Away => BusState::Away,
        },
        told,
        lag: vitals.edition.load(Relaxed).saturating_sub(told),
        learned: shown.learned.load(Relaxed),
        refused: shown.refused.load(Relaxed),
        too_long: shown.too_long.load(Relaxed),
        trouble: bus_trouble(shown),
    }
}

fn link_status(config: &Config, children: &[Child], link: Link) -> LinkStatus {
    let (dialer, listener) = (&children[link.dialer], &children[link.listener]);
    let lag = |from: &Child, to: usize| {
        let vitals = from.vitals()?;
        Some(vitals.edition.load(Relaxed).saturating_sub(neighbour(vitals, to)?.heard.load(Relaxed)))
    };
    let is_held = |from: &Child, to: usize| {
        from.vitals().is_some_and(|vitals| neighbour(vitals, to).is_some_and(|to| to.held.load(Relaxed)))
    };
    LinkStatus {
        from: config.servers[link.dialer].name.clone(),
        to: config.servers[link.listener].name.clone(),
        up: is_up(children, link),
        lag: lag(dialer, link.listener).zip(lag(listener, link.dialer)).map(Into::into),
        held: [is_held(dialer, link.listener), is_held(listener, link.dialer)],
    }
}

/// The links of a server.
pub fn links(config: &Config, index: usize) -> impl Iterator<Item = Link> {
    config.links.iter().copied().filter(move |link| link.dialer == index || link.listener == index)
}

/// How many of a server's links are up.
pub fn links_up(config: &Config, children: &[Child], index: usize) -> usize {
    links(config, index).filter(|link| is_up(children, *link)).count()
}

/// The links with an end in this process.
fn own_links(config: &Config, children: &[Child]) -> impl Iterator<Item = Link> {
    let is_here = |server: usize| !children[server].is_elsewhere();
    config.links.iter().copied().filter(move |link| is_here(link.dialer) || is_here(link.listener))
}

/// Whether both ends call the link live; of an end in another process nothing is known here, and ours decides.
pub fn is_up(children: &[Child], link: Link) -> bool {
    let (dialer, listener) = (children[link.dialer].is_elsewhere(), children[link.listener].is_elsewhere());
    (dialer || calls_live(children, link.dialer, link.listener))
        && (listener || calls_live(children, link.listener, link.dialer))
        && !(dialer && listener)
}

/// Whether an end that runs calls the link live.
pub fn is_half_up(children: &[Child], link: Link) -> bool {
    let runs = |server: usize| children[server].state() == State::Running;
    let ends = [(link.dialer, link.listener), (link.listener, link.dialer)];
    ends.into_iter().any(|(from, to)| runs(from) && calls_live(children, from, to))
}

fn calls_live(children: &[Child], from: usize, to: usize) -> bool {
    let end = children[from].vitals().and_then(|vitals| neighbour(vitals, to));
    end.is_some_and(|end| end.live.load(Relaxed))
}

/// For each server the first one of its island, over these links; nothing for one that does not run.
pub fn islands_over(children: &[Child], links: &[Link]) -> Vec<Option<usize>> {
    let running: Vec<bool> = children.iter().map(|child| child.state() == State::Running).collect();
    islands(&running, links)
}

/// What tells two atlases apart; nothing for a server that is down.
pub fn atlas(child: &Child) -> Option<(u64, u64)> {
    child.vitals().map(|vitals| (vitals.digest.load(Relaxed), vitals.knows.load(Relaxed)))
}

fn live_links(config: &Config, children: &[Child]) -> Vec<Link> {
    config.links.iter().copied().filter(|link| is_up(children, *link)).collect()
}

fn neighbour(vitals: &Vitals, server: usize) -> Option<&Neighbour> {
    vitals.neighbours.iter().find(|neighbour| neighbour.server == server)
}

/// For each server the first one of its island, an island being the running servers that live links join; nothing for one that does not run.
#[must_use]
pub fn islands(running: &[bool], live: &[Link]) -> Vec<Option<usize>> {
    let mut island: Vec<Option<usize>> = (0..running.len()).map(|server| running[server].then_some(server)).collect();
    loop {
        let mut settled = true;
        for link in live {
            let (Some(a), Some(b)) = (island[link.dialer], island[link.listener]) else { continue };
            if a != b {
                settled = false;
                island[link.dialer] = Some(a.min(b));
                island[link.listener] = Some(a.min(b));
            }
        }
        if settled {
            return island;
        }
    }
}

/// RFC 3339, UTC, microseconds.
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// Whole milliseconds since then.
pub fn ms_since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The islands of servers (`x`: does not run), given live links as pairs of their places.
    fn check(servers: &str, live: &[(usize, usize)], expected: &[Option<usize>]) {
        let running: Vec<bool> = servers.chars().map(|c| c != 'x').collect();
        let live: Vec<Link> = live.iter().map(|&(dialer, listener)| Link { dialer, listener }).collect();
        assert_eq!(islands(&running, &live), expected, "{servers} {live:?}");
    }

    #[test]
    fn an_island_is_what_live_links_join() {
        check("", &[], &[]);
        check("..", &[], &[Some(0), Some(1)]);
        check("..", &[(1, 0)], &[Some(0), Some(0)]);
        check("....", &[(3, 2), (1, 0)], &[Some(0), Some(0), Some(2), Some(2)]);
        // A chain given from its far end.
        check("....", &[(2, 3), (1, 2), (0, 1)], &[Some(0); 4]);
        // A ring.
        check("...", &[(0, 1), (1, 2), (2, 0)], &[Some(0); 3]);
    }

    #[test]
    fn a_server_that_does_not_run_joins_nobody() {
        check(".x.", &[(0, 1), (1, 2)], &[Some(0), None, Some(2)]);
    }

    #[test]
    fn times_are_in_microseconds_and_utc() {
        let time = Timestamp::from_microsecond(1_795_413_952_120_000).unwrap();
        assert_eq!(rfc3339(time), "2026-11-23T06:05:52.120000Z");
    }
}
