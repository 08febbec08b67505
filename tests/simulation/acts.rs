//! What is done to a herd.

use herdctl::config::Ack;
use herdctl::server::confirm::Confirmations;
use herdctl::server::fault::{Cut, Fault};

use super::plan::{Act, Death, Millis};
use super::promise::Checked;
use super::sabotage::Sabotage;
use super::server::Life;
use super::world::{Happening, World};

/// Whoever was killed in an ambush is started again within this, or at the end, or never.
const AMBUSHED_MAX: Millis = 3_000;

impl World {
    pub(super) fn act(&mut self, act: Act) -> Checked {
        self.note(|_| format!("{act:?}"));
        match act {
            Act::Say { server, .. } | Act::Ask { server, .. } => return self.hear_client(server, act),
            Act::Kill { server, death } => return self.kill(server, death),
            Act::Resume { server } => return self.resume(server),
            Act::Start { server } => self.start(server),
            Act::Pause { server } => self.pause(server),
            Act::Strike { link, to, fault } => {
                (0..2).filter(|&end| to.is_none_or(|to| to == end)).for_each(|end| self.strike(link, end, fault));
            }
            Act::Heal { link } => self.heal(link),
            Act::Part { island, cut } => self.part(&island, cut),
            Act::Reunite { island } => self.reunite(&island),
            Act::Fill { server } => self.servers[server].disk.full = true,
            Act::MakeRoom { server } => self.servers[server].disk.full = false,
        }
        Ok(())
    }

    pub(super) fn start(&mut self, server: usize) {
        if self.servers[server].life.is_some() {
            return;
        }
        self.runs += 1;
        let run = 1_000 + self.runs;
        self.note(|world| format!("{} starts", world.servers[server].name));
        let heard = if self.sabotage == Some(Sabotage::AnswerAfterOne) { 1 } else { self.plan.rules.heard };
        let confirmations = Confirmations::new(self.plan.rules.ack, heard);
        self.servers[server].life = Some(Life::new(self.servers[server].name, run, confirmations));
        self.load(server);
        self.dial_all(server);
    }

    fn dial_all(&mut self, server: usize) {
        for wire in 0..self.wires.len() {
            if self.wires[wire].ends[0] == server {
                self.dial_soon(wire);
            }
        }
    }

    fn kill(&mut self, server: usize, death: Death) -> Checked {
        let Some(life) = self.servers[server].life.take() else { return Ok(()) };
        self.note(|world| format!("{} dies: {death:?}", world.servers[server].name));
        self.servers[server].paused = false;
        self.servers[server].inbox.clear();
        self.servers[server].disk.outlive(life, &mut self.rng);
        match death {
            Death::Killed => self.counts.kills += 1,
            Death::PowerCut => self.counts.power_cuts += 1,
        }
        for (connection, end) in self.open_ends(server) {
            if death == Death::PowerCut {
                self.counts.cut_off += self.connections[connection].pipes[1 - end].reset(self.now);
            }
            self.hang_up(connection, end)?;
        }
        Ok(())
    }

    fn open_ends(&self, server: usize) -> Vec<(usize, usize)> {
        let ends = (0..self.connections.len()).flat_map(|connection| [(connection, 0), (connection, 1)]);
        let is_open = |&(connection, end): &(usize, usize)| {
            let end = &self.connections[connection].ends[end];
            end.server == server && !end.stage.is_closed()
        };
        ends.filter(is_open).collect()
    }

    /// A server has just answered. It dies, and at that instant so do all that may without a loss: of the neighbours
    /// that have heard all but one, and those first that had heard before the others; and if it is on the disk, the
    /// whole herd.
    pub(super) fn ambush(&mut self, server: usize, run: u64, death: Death) -> Checked {
        if !self.lives(server, run) {
            return Ok(());
        }
        self.counts.ambushes += 1;
        let mut victims = vec![server];
        if self.plan.rules.ack == Ack::Stored {
            victims = (0..self.servers.len()).collect();
        } else {
            let heard = self.those_who_heard_most(server, self.plan.rules.heard - 1);
            victims.extend(heard.into_iter().map(|(neighbour, _)| neighbour));
        }
        for victim in victims {
            self.kill(victim, death)?;
            let back = self.now + self.rng.between(1, AMBUSHED_MAX);
            if self.rng.percent(75) && back < self.plan.end {
                self.at(back, Happening::Start(victim));
            }
        }
        Ok(())
    }

    fn pause(&mut self, server: usize) {
        let lives = self.servers[server].life.is_some();
        self.counts.pauses += u64::from(lives && !self.servers[server].paused);
        self.servers[server].paused = lives;
    }

    fn resume(&mut self, server: usize) -> Checked {
        if !std::mem::take(&mut self.servers[server].paused) {
            return Ok(());
        }
        for (connection, end) in self.open_ends(server) {
            self.at(self.now, Happening::Deliver(connection, end));
            self.at(self.now, Happening::Turn(connection, end));
        }
        self.dial_all(server);
        self.look_soon(server);
        for act in std::mem::take(&mut self.servers[server].inbox) {
            self.hear_client(server, act)?;
        }
        Ok(())
    }

    // Links.

    /// Something else is wrong with what comes to this end.
    fn strike(&mut self, wire: usize, end: usize, fault: Fault) {
        self.wires[wire].faults[end] = fault;
        for connection in self.connections_of(wire) {
            self.at(self.now, Happening::Deliver(connection, end));
        }
    }

    fn heal(&mut self, wire: usize) {
        (0..2).for_each(|end| self.strike(wire, end, Fault::default()));
    }

    fn part(&mut self, island: &[usize], cut: Cut) {
        let shores = self.shores(island);
        self.counts.partitions += u64::from(!shores.is_empty());
        self.cut(&shores, Some(cut));
    }

    fn reunite(&mut self, island: &[usize]) {
        let shores = self.shores(island);
        let differ = |wire: &&usize| {
            let digest = |server: usize| self.servers[server].life.as_ref().map(|life| life.node.atlas().digest());
            let [one, other] = self.wires[**wire].ends.map(digest);
            one.is_some() && other.is_some() && one != other
        };
        self.counts.diverged += shores.iter().filter(differ).count() as u64;
        self.cut(&shores, None);
    }

    fn cut(&mut self, wires: &[usize], cut: Option<Cut>) {
        for &wire in wires {
            (0..2).for_each(|end| self.strike(wire, end, Fault { cut, ..self.wires[wire].faults[end] }));
        }
    }

    /// The links between these servers and the others.
    fn shores(&self, island: &[usize]) -> Vec<usize> {
        let is_shore = |&wire: &usize| {
            let [one, other] = self.wires[wire].ends.map(|server| island.contains(&server));
            one != other
        };
        (0..self.wires.len()).filter(is_shore).collect()
    }

    pub(super) fn heal_all(&mut self) -> Checked {
        self.note(|_| "everything is healed".to_owned());
        (0..self.wires.len()).for_each(|wire| self.heal(wire));
        for server in 0..self.servers.len() {
            self.servers[server].disk.full = false;
            self.resume(server)?;
            // Some of the dead stay dead.
            if !self.rng.percent(30) {
                self.start(server);
            }
        }
        Ok(())
    }
}
