//! What must be so in a world when everything is healed.

use std::collections::{BTreeMap, HashSet};

use super::pipe::Pipe;
use super::plan::Millis;
use super::promise::{Checked, Promise, check};
use super::server::Life;
use super::wires::{is_report, text};
use super::witness::{Witness, client, is_newer};
use super::world::{Confirmed, World};

/// From the last repair until everything must be at rest, generously: a dead link is noticed after three
/// seconds, dialled within half a second, and a gap is asked for again at each heartbeat.
const UNREST_MAX: Millis = 60_000;
/// How often to look, and how long rest must last to be rest.
const HEARTBEATS: Millis = 3_000;

impl World {
    /// Waits until every link is live and has nothing to say but heartbeats, and sees that it stays so.
    pub(super) fn rest(&mut self) -> Checked {
        let healed = self.now;
        while let Some(why) = self.unrest() {
            check(Promise::Rest, self.now < healed + UNREST_MAX, || format!("after {UNREST_MAX} ms {why}"))?;
            self.run_until(self.now + 500)?;
        }
        let told = self.counts.reports_told;
        self.run_until(self.now + HEARTBEATS)?;
        let why = self.unrest();
        check(Promise::Rest, why.is_none(), || format!("the rest did not last: {why:?}"))?;
        check(Promise::Rest, self.counts.reports_told == told, || "a herd at rest tells reports".to_owned())
    }

    /// Why this world is not at rest.
    fn unrest(&self) -> Option<String> {
        let is_half_open = |connection: &usize| {
            let [dialer, listener] = &self.connections[*connection].ends;
            dialer.stage.is_closed() != listener.stage.is_closed()
        };
        if let Some(connection) = (0..self.connections.len()).find(is_half_open) {
            return Some(format!("{} is half open", self.arrow(connection, 0)));
        }
        let lags = |life: &&Life| life.archive.as_ref().is_some_and(|archive| !archive.is_done(life));
        if let Some(life) = self.servers.iter().filter_map(|server| server.life.as_ref()).find(lags) {
            return Some(format!("the archive of run {} is behind {}", life.run, life.node.atlas().edition()));
        }
        (0..self.wires.len()).find_map(|wire| {
            let ends = self.wires[wire].ends;
            if ends.iter().any(|&server| self.servers[server].life.is_none()) {
                return None;
            }
            let live =
                |&connection: &usize| self.connections[connection].ends.iter().all(|end| end.stage.link().is_some());
            let Some(connection) = self.connections_of(wire).into_iter().find(live) else {
                return Some(format!(
                    "{} and {} are not linked",
                    self.servers[ends[0]].name, self.servers[ends[1]].name
                ));
            };
            (0..2).find_map(|end| self.unrest_of(connection, end))
        })
    }

    fn unrest_of(&self, connection: usize, end: usize) -> Option<String> {
        let (here, there) = (&self.connections[connection].ends[end], &self.connections[connection].ends[1 - end]);
        let (link, other) = (here.stage.link()?, there.stage.link()?);
        let edition = self.life(here.server).node.atlas().edition();
        let said = [link.told(), Some(link.acknowledged()), Some(link.confirmed()), Some(other.heard())];
        let settled = said.iter().all(|&said| said == Some(edition));
        let speaks = self.connections[connection].pipes[1 - end].lines().any(|line| !line.starts_with(b"TOLD "));
        (!settled || speaks)
            .then(|| format!("{} is at {edition}: {link:?}, {other:?}, speaks: {speaks}", self.arrow(connection, end)))
    }

    /// Groups of living servers that can reach each other.
    pub(super) fn islands(&self) -> Vec<Vec<usize>> {
        let lives = |server: &usize| self.servers[*server].life.is_some();
        let mut islands: Vec<Vec<usize>> = (0..self.servers.len()).filter(lives).map(|server| vec![server]).collect();
        for wire in &self.wires {
            let [one, other] = wire.ends.map(|end| islands.iter().position(|island| island.contains(&end)));
            if let (Some(one), Some(other)) = (one, other)
                && one != other
            {
                let joined = islands[one.max(other)].clone();
                islands[one.min(other)].extend(joined);
                islands.remove(one.max(other));
            }
        }
        islands
    }

    /// Everyone on an island knows the same: the newest of what its living knew when they were healed, or what
    /// one that was killed had still sent.
    pub(super) fn check_island(&self, island: &[usize], newest: &Atlas, late: &HashSet<Vec<u8>>) -> Checked {
        let first = self.life(island[0]);
        let contents = contents(first);
        for &server in island {
            let life = self.life(server);
            let same = life.node.atlas().digest() == first.node.atlas().digest() && self::contents(life) == contents;
            check(Promise::Agreement, same && life.node.atlas().len() == contents.len(), || {
                format!("{} and {} differ", self.servers[island[0]].name, self.servers[server].name)
            })?;
            let witnessed = newest_of([&life.witness].into_iter());
            check(Promise::NeverBack, self::contents(life) == witnessed, || {
                format!("{} does not know the newest that it has heard", self.servers[server].name)
            })?;
        }
        for (client, line) in newest {
            check(Promise::NothingLost, contents.contains_key(client), || format!("{} is lost", text(line)))?;
        }
        for (client, line) in &contents {
            let expected = newest.get(client);
            let arrived_late = late.contains(line) && expected.is_none_or(|known| is_newer(line, known));
            check(Promise::NothingLost, expected == Some(line) || arrived_late, || {
                format!("{} is known, and the newest is {:?}", text(line), expected.map(|line| text(line)))
            })?;
            check(Promise::NothingLost, self.said.contains(line), || format!("nobody said {}", text(line)))?;
        }
        Ok(())
    }

    /// An archive at rest holds what its server knows, and that of the dead no more than was said.
    pub(super) fn check_archives(&self) -> Checked {
        for server in self.servers.iter().filter(|_| self.plan.rules.archive) {
            let (name, reports) = (server.name, server.disk.reports());
            let is_whole = server.life.as_ref().is_none_or(|life| contents(life) == *reports);
            check(Promise::ArchiveIsWhole, is_whole, || format!("the archive of {name} is not what {name} knows"))?;
            let unsaid = reports.values().find(|line| !self.said.contains(*line));
            check(Promise::ArchiveIsWhole, unsaid.is_none(), || {
                format!("nobody said what {name} has stored: {unsaid:?}")
            })?;
        }
        Ok(())
    }

    /// An answered `IAMAT` outlives its server, as long as a neighbour lives that had heard it; and if it was stored,
    /// it is there again when its server is.
    pub(super) fn check_confirmed(&mut self) -> Checked {
        for confirmed in &self.confirmed {
            let Confirmed { line, answered_by, heard_by, stored } = confirmed;
            let keeps = |server: usize| {
                let known = self.life(server).node.atlas().newest(client(line));
                let kept = known.is_some_and(|(report, _)| !is_newer(line, report.line()));
                check(Promise::AnsweredIsSafe, kept, || {
                    format!("{} was answered and is lost at {}", text(line), self.servers[server].name)
                })
            };
            let survivors: Vec<_> = heard_by.iter().filter(|&&(server, run)| self.lives(server, run)).collect();
            survivors.iter().try_for_each(|&&(server, _)| keeps(server))?;
            let (server, run) = *answered_by;
            if *stored {
                check(Promise::AnsweredIsSafe, self.servers[server].disk.covers(line), || {
                    format!("{} was answered and is not on the disk", text(line))
                })?;
                if self.servers[server].life.is_some() {
                    keeps(server)?;
                }
            }
            let died = !self.lives(server, run);
            let is_back = died && self.servers[server].life.is_some();
            self.counts.outlived += u64::from(died && !survivors.is_empty());
            self.counts.outlived_two += u64::from(died && (1..heard_by.len()).contains(&survivors.len()));
            self.counts.came_back += u64::from(*stored && is_back && survivors.is_empty());
        }
        Ok(())
    }

    /// Without failures, an update costs at most 2E − (N − 1) reports on its island.
    pub(super) fn check_talk(&self) -> Checked {
        if !self.plan.calm {
            return Ok(());
        }
        let cost = |island: &Vec<usize>| {
            let links = self.wires.iter().filter(|wire| island.contains(&wire.ends[0])).count() as u64;
            let updates: u64 = island.iter().map(|&server| self.updates[server]).sum();
            updates * (2 * links - (island.len() as u64 - 1))
        };
        let most: u64 = self.islands().iter().map(cost).sum();
        check(Promise::BoundedTalk, self.counts.reports_told <= most, || {
            format!("{} reports were told, {most} were enough", self.counts.reports_told)
        })
    }

    /// The reports that have been sent and not been heard.
    pub(super) fn on_the_way(&self) -> HashSet<Vec<u8>> {
        let in_pipes = self.connections.iter().flat_map(|connection| &connection.pipes).flat_map(Pipe::lines);
        let ends = self.connections.iter().flat_map(|connection| &connection.ends);
        let lines = in_pipes.chain(ends.flat_map(|end| end.inlet.under_way()));
        lines.filter(|line| is_report(line)).map(<[u8]>::to_vec).collect()
    }
}

/// By client, its newest report.
pub type Atlas = BTreeMap<Vec<u8>, Vec<u8>>;

fn contents(life: &Life) -> Atlas {
    life.node.atlas().after(0).map(|entry| (client(entry.line).to_vec(), entry.line.to_vec())).collect()
}

/// The newest that any of them knows.
pub fn newest_of<'a>(witnesses: impl Iterator<Item = &'a Witness>) -> Atlas {
    let mut newest = Atlas::new();
    for (client, known) in witnesses.flat_map(Witness::all) {
        let line = newest.entry(client.to_vec()).or_insert_with(|| known.line.clone());
        if is_newer(&known.line, line) {
            line.clone_from(&known.line);
        }
    }
    newest
}
