//! A world: a herd, its connections, a clock and an agenda, all from one seed.
//!
//! Nothing here decides what the protocol decides. A world carries lines between the protocol's own nodes and
//! links, as late, as broken and as often as the plan says, and checks what they say against what a
//! [`Witness`](super::witness::Witness) of each server knows. Here: the agenda and what is done to a herd;
//! `clients.rs`: what clients say; `wires.rs`: what goes over connections; `checks.rs`: what must be so at the end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::checks::newest_of;
use super::counts::Counts;
use super::pipe::Pipe;
use super::plan::{Act, Fault, Millis, NAMES, Plan};
use super::promise::{Checked, Promise, check};
use super::rng::Rng;
use super::sabotage::Sabotage;
use super::server::{Life, Server, Stage};

/// Some hundred times what a world of this size needs.
const STEPS_MAX: u64 = 200_000;

pub struct World {
    pub(super) now: Millis,
    pub(super) agenda: BinaryHeap<Reverse<(Millis, u64, Happening)>>,
    pub(super) steps: u64,
    pub(super) rng: Rng,
    pub(super) plan: Plan,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) servers: Vec<Server>,
    pub(super) wires: Vec<Wire>,
    pub(super) connections: Vec<Connection>,
    pub(super) runs: u64,
    /// Every report that a server has made.
    pub(super) said: HashSet<Vec<u8>>,
    /// By server: reports of clients that were news to it.
    pub(super) updates: Vec<u64>,
    pub(super) confirmed: Vec<Confirmed>,
    pub counts: Counts,
    /// Whether each line is checked as it is said, or only what is left in the end.
    pub watched: bool,
    /// What happened, if somebody wants to read it.
    pub trace: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    Act(usize),
    /// The dialer of a link tries.
    Dial(usize),
    /// Lines have come to an end of a connection.
    Deliver(usize, usize),
    /// A link writes what it owes.
    Turn(usize, usize),
    /// A link says that it lives, and looks whether the other does.
    Beat(usize, usize),
    /// Answers of this run of a server have waited long enough.
    Expire(usize, u64),
}

/// A link of the graph. Its dialer is end 0, its listener is end 1.
pub(super) struct Wire {
    pub(super) ends: [usize; 2],
    pub(super) cut: bool,
    pub(super) held: bool,
    /// By the end that the reports come to.
    pub(super) faults: [Fault; 2],
    pub(super) dial_awaited: bool,
}

pub(super) struct Connection {
    pub(super) wire: usize,
    pub(super) ends: [End; 2],
    /// By the end that the lines come to.
    pub(super) pipes: [Pipe; 2],
}

pub(super) struct End {
    pub(super) server: usize,
    pub(super) stage: Stage,
    pub(super) their_run: u64,
    pub(super) answer_due: bool,
    pub(super) mark_due: bool,
    pub(super) turn_awaited: bool,
    /// When the last line came.
    pub(super) heard_at: Millis,
}

/// An `IAMAT` that was answered because a neighbour had it.
pub(super) struct Confirmed {
    pub(super) line: Vec<u8>,
    pub(super) answered_by: (usize, u64),
    pub(super) heard_by: (usize, u64),
}

impl World {
    pub fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(&mut rng);
        Self::of(plan, rng, sabotage)
    }

    pub fn of(plan: Plan, rng: Rng, sabotage: Option<Sabotage>) -> Self {
        let wire = |&(dialer, listener): &(usize, usize)| Wire {
            ends: [dialer, listener],
            cut: false,
            held: false,
            faults: [Fault::default(); 2],
            dial_awaited: false,
        };
        let mut world = Self {
            now: 0,
            agenda: BinaryHeap::new(),
            steps: 0,
            rng,
            sabotage,
            servers: NAMES[..plan.servers].iter().map(|name| Server::new(name)).collect(),
            wires: plan.links.iter().map(wire).collect(),
            connections: Vec::new(),
            runs: 0,
            said: HashSet::new(),
            updates: vec![0; plan.servers],
            confirmed: Vec::new(),
            counts: Counts::default(),
            watched: true,
            trace: None,
            plan,
        };
        (0..world.servers.len()).for_each(|server| world.start(server));
        for act in 0..world.plan.acts.len() {
            world.at(world.plan.acts[act].0, Happening::Act(act));
        }
        world
    }

    /// Lives through the plan, heals everything, waits for rest, and checks what is left.
    pub fn live(&mut self) -> Checked {
        self.run_until(self.plan.end)?;
        self.heal_all()?;
        let living: Vec<_> = self.servers.iter().map(|s| s.life.as_ref().map(|life| life.witness.clone())).collect();
        // What a killed server had sent may still arrive: it may be known in the end, or not.
        let late = self.on_the_way();
        self.rest()?;
        for island in self.islands() {
            let newest = newest_of(island.iter().filter_map(|&server| living[server].as_ref()));
            self.check_island(&island, &newest, &late)?;
        }
        self.check_confirmed()?;
        self.check_talk()
    }

    // The agenda.

    pub(super) fn at(&mut self, when: Millis, happening: Happening) {
        self.steps += 1;
        self.agenda.push(Reverse((when, self.steps, happening)));
    }

    pub(super) fn run_until(&mut self, end: Millis) -> Checked {
        while let Some(&Reverse((when, _, happening))) = self.agenda.peek() {
            if when > end {
                break;
            }
            self.agenda.pop();
            self.now = when;
            self.counts.steps += 1;
            check(Promise::Rest, self.counts.steps < STEPS_MAX, || {
                format!("{STEPS_MAX} steps, and still at {} ms", self.now)
            })?;
            self.happen(happening)?;
        }
        self.now = end;
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Checked {
        match happening {
            Happening::Act(act) => {
                let act = self.plan.acts[act].1.clone();
                self.act(act)
            }
            Happening::Dial(wire) => {
                self.dial(wire);
                Ok(())
            }
            Happening::Deliver(connection, end) => self.deliver(connection, end),
            Happening::Turn(connection, end) => self.turn(connection, end),
            Happening::Beat(connection, end) => self.beat(connection, end),
            Happening::Expire(server, run) => self.expire(server, run),
        }
    }

    pub(super) fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        let line = self.trace.is_some().then(|| format!("{:>6} ms  {}", self.now, what(self)));
        if let Some(trace) = &mut self.trace {
            trace.extend(line);
        }
    }

    // What is done to a herd.

    fn act(&mut self, act: Act) -> Checked {
        self.note(|_| format!("{act:?}"));
        match act {
            Act::Say { server, .. } | Act::Ask { server, .. } => self.hear_client(server, act),
            Act::Kill { server } => self.kill(server),
            Act::Start { server } => {
                self.start(server);
                Ok(())
            }
            Act::Pause { server } => {
                self.servers[server].paused = self.servers[server].life.is_some();
                Ok(())
            }
            Act::Resume { server } => self.resume(server),
            Act::Cut { link } => {
                self.wires[link].cut = true;
                self.break_wire(link);
                Ok(())
            }
            Act::Hold { link } => {
                self.wires[link].held = true;
                Ok(())
            }
            Act::Spoil { link, to, fault } => {
                self.wires[link].faults[to] = fault;
                Ok(())
            }
            Act::Heal { link } => {
                self.heal(link);
                Ok(())
            }
        }
    }

    fn start(&mut self, server: usize) {
        if self.servers[server].life.is_some() {
            return;
        }
        self.runs += 1;
        let run = 1_000 + self.runs;
        self.servers[server].life = Some(Life::new(self.servers[server].name, run));
        for wire in 0..self.wires.len() {
            if self.wires[wire].ends[0] == server {
                self.dial_soon(wire);
            }
        }
    }

    fn kill(&mut self, server: usize) -> Checked {
        let Some(_) = self.servers[server].life.take() else { return Ok(()) };
        self.counts.kills += 1;
        self.servers[server].paused = false;
        self.servers[server].inbox.clear();
        for connection in 0..self.connections.len() {
            for end in 0..2 {
                if self.connections[connection].ends[end].server == server {
                    self.hang_up(connection, end)?;
                }
            }
        }
        Ok(())
    }

    fn resume(&mut self, server: usize) -> Checked {
        if !std::mem::take(&mut self.servers[server].paused) {
            return Ok(());
        }
        for connection in 0..self.connections.len() {
            for end in 0..2 {
                if self.connections[connection].ends[end].server == server {
                    self.await_delivery(connection, end);
                    self.at(self.now, Happening::Turn(connection, end));
                }
            }
        }
        for wire in 0..self.wires.len() {
            if self.wires[wire].ends[0] == server {
                self.dial_soon(wire);
            }
        }
        for act in std::mem::take(&mut self.servers[server].inbox) {
            self.hear_client(server, act)?;
        }
        Ok(())
    }

    fn heal(&mut self, wire: usize) {
        let healed = &mut self.wires[wire];
        (healed.cut, healed.held, healed.faults) = (false, false, [Fault::default(); 2]);
        for connection in self.connections_of(wire) {
            (0..2).for_each(|end| self.await_delivery(connection, end));
        }
    }

    fn heal_all(&mut self) -> Checked {
        self.note(|_| "everything is healed".to_owned());
        (0..self.wires.len()).for_each(|wire| self.heal(wire));
        for server in 0..self.servers.len() {
            self.resume(server)?;
            // Some of the dead stay dead.
            if !self.rng.percent(30) {
                self.start(server);
            }
        }
        Ok(())
    }
}
