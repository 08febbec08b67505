//! A world: a herd, its connections, a clock and an agenda, all from one seed.
//!
//! Nothing here decides what the protocol decides, nor what a server decides of its faults, its answers and its disk. A
//! world carries lines between the real nodes and links, as late, as broken and as often as the plan says, and checks
//! what they say against what a [`Witness`](super::witness::Witness) of each server knows. Here: the agenda; `acts.rs`:
//! what is done to a herd; `clients.rs`: what clients say; `wires.rs`, `talk.rs`: what goes over connections;
//! `archive.rs`: what outlives a server; `checks.rs`: what must be so at the end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::{Duration, Instant};

use herdctl::protocol::atlas::Source;
use herdctl::server::fault::Fault;

use super::checks::newest_of;
use super::counts::Counts;
use super::inlet::Inlet;
use super::pipe::Pipe;
use super::plan::{Death, Millis, NAMES, Plan};
use super::promise::{Checked, Promise, check};
use super::rng::Rng;
use super::sabotage::Sabotage;
use super::server::{Life, Server, Stage};

/// Some hundred times what a world of this size needs.
const STEPS_MAX: u64 = 200_000;

pub struct World {
    pub(super) now: Millis,
    /// When `now` was 0, for what is timed by a real clock; only differences count.
    epoch: Instant,
    agenda: BinaryHeap<Reverse<(Millis, u64, Happening)>>,
    steps: u64,
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
    pub(super) watched: bool,
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
    /// This run of a server looks whether its answers have waited long enough.
    Look(usize, u64),
    /// The disk of this run of a server is done with something.
    Disk(usize, u64),
    /// This run of a server has just answered, and dies.
    Ambush(usize, u64, Death),
    Start(usize),
}

/// A link of the graph. Its dialer is end 0, its listener is end 1.
pub(super) struct Wire {
    pub(super) ends: [usize; 2],
    /// By the end that it all comes to.
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
    pub(super) inlet: Inlet,
    /// What its server calls it.
    pub(super) source: Source,
    pub(super) their_run: u64,
    pub(super) answer_due: bool,
    pub(super) mark_due: bool,
    pub(super) turn_awaited: bool,
    /// When it had last told all that there was, and whether the time is awaited when it need not hold back any longer.
    pub(super) told_at: Millis,
    pub(super) hold_awaited: bool,
    /// When the last of a line came; before there is a link, when the connection was made.
    pub(super) heard_at: Millis,
    /// Of whom the present batch has told, where its count is ignored.
    pub(super) told_of: HashSet<Vec<u8>>,
}

/// An `IAMAT` that was answered because it was safe.
pub(super) struct Confirmed {
    pub(super) line: Vec<u8>,
    pub(super) answered_by: (usize, u64),
    /// Each of these neighbours had it, in that run.
    pub(super) heard_by: Vec<(usize, u64)>,
    /// The disk of the server that answered had it.
    pub(super) stored: bool,
}

impl World {
    pub fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(&mut rng);
        let wire = |&(dialer, listener): &(usize, usize)| Wire {
            ends: [dialer, listener],
            faults: [Fault::default(); 2],
            dial_awaited: false,
        };
        let mut world = Self {
            now: 0,
            epoch: Instant::now(),
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

    /// Nobody checks what is said; only what is left in the end.
    pub fn unwatched(self) -> Self {
        Self { watched: false, ..self }
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
        self.check_archives()?;
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
            Happening::Look(server, run) => self.look(server, run),
            Happening::Disk(server, run) => self.disk(server, run),
            Happening::Ambush(server, run, death) => self.ambush(server, run, death),
            Happening::Start(server) => {
                self.start(server);
                Ok(())
            }
        }
    }

    /// The world's clock, as a real one.
    pub(super) fn instant(&self) -> Instant {
        self.epoch + Duration::from_millis(self.now)
    }

    /// The first millisecond of the world's clock that is not before `instant`.
    pub(super) fn millis(&self, instant: Instant) -> Millis {
        let since = instant.saturating_duration_since(self.epoch);
        u64::try_from(since.as_nanos().div_ceil(1_000_000)).expect("a world does not live so long")
    }

    pub(super) fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        let line = self.trace.is_some().then(|| format!("{:>6} ms  {}", self.now, what(self)));
        if let Some(trace) = &mut self.trace {
            trace.extend(line);
        }
    }

    // Small words.

    pub(super) fn life(&self, server: usize) -> &Life {
        self.servers[server].life.as_ref().expect("only the living are asked")
    }

    pub(super) fn life_mut(&mut self, server: usize) -> &mut Life {
        self.servers[server].life.as_mut().expect("only the living are asked")
    }

    /// Whether this run of a server lives.
    pub(super) fn lives(&self, server: usize, run: u64) -> bool {
        self.servers[server].life.as_ref().is_some_and(|life| life.run == run)
    }

    pub(super) fn connections_of(&self, wire: usize) -> Vec<usize> {
        (0..self.connections.len()).filter(|&connection| self.connections[connection].wire == wire).collect()
    }

    pub(super) fn arrow(&self, connection: usize, from: usize) -> String {
        let name = |end: usize| self.servers[self.connections[connection].ends[end].server].name;
        format!("#{connection} {} → {}", name(from), name(1 - from))
    }
}

impl End {
    pub(super) fn new(server: usize, stage: Stage, now: Millis) -> Self {
        Self {
            server,
            stage,
            inlet: Inlet::default(),
            source: Source::CLIENT,
            their_run: 0,
            answer_due: false,
            mark_due: false,
            turn_awaited: false,
            told_at: now,
            hold_awaited: false,
            heard_at: now,
            told_of: HashSet::new(),
        }
    }
}
