//! How the connections of a world are made, read and closed.

use herdctl::protocol::hello::{Answering, Dialing, Nonce};
use herdctl::protocol::link::{Acquaintance, Effect, Link};
use herdctl::server::fault::Cut;

use super::plan::Millis;
use super::promise::{Checked, Failure, Promise, check};
use super::sabotage::Sabotage;
use super::server::Stage;
use super::world::{Connection, End, Happening, World};

pub const HEARTBEAT_EVERY: Millis = 1_000;
/// The longest wait before dialling again.
const BACKOFF_MAX: Millis = 500;

impl World {
    // Making a connection.

    pub(super) fn dial_soon(&mut self, wire: usize) {
        if !std::mem::replace(&mut self.wires[wire].dial_awaited, true) {
            let backoff = self.rng.between(1, BACKOFF_MAX);
            self.at(self.now + backoff, Happening::Dial(wire));
        }
    }

    pub(super) fn dial(&mut self, wire: usize) {
        self.wires[wire].dial_awaited = false;
        let [dialer, listener] = self.wires[wire].ends;
        let has_one = self.connections.iter().any(|c| c.wire == wire && !c.ends[0].stage.is_closed());
        let Some(me) = self.servers[dialer].identity() else { return };
        // Whoever is paused dials when it is resumed, and whoever has a connection when that is closed.
        if self.servers[dialer].paused || has_one {
            return;
        }
        if self.servers[listener].life.is_none() || self.wires[wire].faults[0].is_closed() {
            return self.dial_soon(wire);
        }
        let (stage, hello) = if self.plan.weather.proofs {
            let dialing = Dialing::new(me, self.servers[listener].name, self.nonce());
            let hello = dialing.hello().to_owned();
            (Stage::Dialing(dialing), hello)
        } else {
            (Stage::Calling, format!("RUN {}", me.run))
        };
        let ends = [End::new(dialer, stage, self.now), End::new(listener, Stage::Listening, self.now)];
        self.connections.push(Connection { wire, ends, pipes: Default::default() });
        let connection = self.connections.len() - 1;
        self.send(connection, 0, hello.as_bytes());
        (0..2).for_each(|end| self.at(self.now + HEARTBEAT_EVERY, Happening::Beat(connection, end)));
    }

    fn nonce(&mut self) -> Nonce {
        u128::from(self.rng.next()).to_le_bytes()
    }

    /// The other end has proved itself: a link begins, from what was heard of the other's run before.
    fn go_live(&mut self, connection: usize, end: usize, their_run: u64) -> Checked {
        let (wire, server) = (self.connections[connection].wire, self.connections[connection].ends[end].server);
        let neighbour = self.connections[connection].ends[1 - end].server;
        if let Some(&(old, _)) = self.life(server).live.get(&wire) {
            self.counts.replaced += 1;
            self.hang_up(old, end)?;
        }
        let forgets = self.sabotage == Some(Sabotage::ForgetTheRun);
        let skips = self.sabotage == Some(Sabotage::SkipOneOnResume);
        let (name, hold_after) = (self.servers[neighbour].name, self.plan.rules.hold_after);
        let life = self.life_mut(server);
        let mut known = life.known.get(&neighbour).copied();
        if forgets {
            known = known.map(|known| Acquaintance { run: their_run, ..known });
        }
        let met = Acquaintance::with(their_run, known, || life.next_source());
        life.known.insert(neighbour, met);
        let (heard, source) = (met.heard, life.next_source());
        let link = Link::new(met.source, if heard > 0 && skips { heard + 1 } else { heard });
        let mut link = link.named(name).holding_after(hold_after);
        life.live.insert(wire, (connection, end));
        life.confirmations.link_up(wire, source);
        let mut hello = Vec::new();
        link.say_heard(&mut hello);
        let at = &mut self.connections[connection].ends[end];
        (at.stage, at.source, at.their_run, at.heard_at) = (Stage::Live(link), source, their_run, self.now);
        self.counts.resumes += u64::from(heard > 0);
        self.write(connection, end, &hello)
    }

    /// Closes one end. The other finds out when it has read what still comes.
    pub(super) fn hang_up(&mut self, connection: usize, end: usize) -> Checked {
        let at = &mut self.connections[connection];
        let (wire, server, their_run) = (at.wire, at.ends[end].server, at.ends[end].their_run);
        let neighbour = at.ends[1 - end].server;
        let ended = std::mem::replace(&mut at.ends[end].stage, Stage::Closed);
        if ended.is_closed() {
            return Ok(());
        }
        let unread = at.pipes[end].drop_all(self.now);
        at.pipes[1 - end].close(self.now, unread, &mut self.rng);
        self.await_delivery(connection, 1 - end);
        self.note(|world| format!("{} hangs up", world.arrow(connection, end)));
        let source = self.connections[connection].ends[end].source;
        let Some(life) = self.servers[server].life.as_mut() else { return Ok(()) };
        if let Some(link) = ended.link() {
            let known = life.known.get_mut(&neighbour).filter(|known| known.run == their_run);
            known.into_iter().for_each(|known| known.heard = link.heard());
            life.confirmations.link_down(source);
        }
        if life.live.get(&wire) == Some(&(connection, end)) {
            life.live.remove(&wire);
        }
        self.end_holds(server);
        if end == 0 {
            self.dial_soon(wire);
        }
        self.settle(server)
    }

    // Reading.

    pub(super) fn await_delivery(&mut self, connection: usize, end: usize) {
        let now = self.now;
        let at = &self.connections[connection];
        let (pipe, inlet) = (&at.pipes[end], &at.ends[end].inlet);
        let (comes, arrives) = (pipe.next_due(now).filter(|_| inlet.has_room()), inlet.wakes_at());
        let arrives = arrives.map(|due| self.millis(due).max(now));
        let Some(due) = [comes, arrives].into_iter().flatten().min().filter(|_| !pipe.awaited) else { return };
        self.connections[connection].pipes[end].awaited = true;
        self.at(due, Happening::Deliver(connection, end));
    }

    /// An end reads what has come, through what is wrong with the link, and perhaps the end of it.
    pub(super) fn deliver(&mut self, connection: usize, end: usize) -> Checked {
        let (now, instant) = (self.now, self.instant());
        let at = &mut self.connections[connection];
        at.pipes[end].awaited = false;
        let (pipe, here, fault) = (&mut at.pipes[end], &mut at.ends[end], self.wires[at.wire].faults[end]);
        // Whoever is resumed looks again.
        if here.stage.is_closed() || self.servers[here.server].paused {
            return Ok(());
        }
        here.inlet.suffer(fault, instant);
        match fault.cut {
            Some(Cut::Closed) => {
                self.counts.closed += 1;
                return self.hang_up(connection, end);
            }
            Some(Cut::Silent) => {
                self.counts.swallowed += u64::from(pipe.next_due(now) == Some(now));
                return Ok(());
            }
            None => {}
        }
        while let Some(line) = pipe.receive(now) {
            here.inlet.take_in(line, instant);
        }
        if pipe.has_ended(now) {
            here.inlet.take_end(instant);
        }
        // What comes before the proof does not make it wait longer for that.
        if here.inlet.release(instant, &mut self.counts) && here.stage.link().is_some() {
            here.heard_at = now;
        }
        while let Some(line) = self.connections[connection].ends[end].inlet.next() {
            self.hear(connection, end, &line)?;
        }
        if self.connections[connection].ends[end].inlet.has_ended() {
            return self.hang_up(connection, end);
        }
        self.await_delivery(connection, end);
        Ok(())
    }

    fn hear(&mut self, connection: usize, end: usize, line: &[u8]) -> Checked {
        let refused = |why: String| Failure { promise: Promise::NoBreach, what: format!("{}: {why}", text(line)) };
        let nonce = self.nonce();
        let line = &*self.miscount(connection, end, line);
        let [dialer, _] = self.wires[self.connections[connection].wire].ends;
        let at = &mut self.connections[connection].ends[end];
        let server = at.server;
        let me = self.servers[server].identity().expect("only the living hear");
        match std::mem::replace(&mut at.stage, Stage::Listening) {
            Stage::Listening if line.starts_with(b"RUN ") => {
                self.send(connection, end, format!("RUN {}", me.run).as_bytes());
                self.go_live(connection, end, run_of(line))
            }
            Stage::Listening => {
                let expected = self.servers[dialer].name;
                let (answering, _, answer) =
                    Answering::new(me, line, nonce, |from| from == expected).map_err(|why| refused(why.to_string()))?;
                at.stage = Stage::Answering(answering);
                self.send(connection, end, answer.as_bytes());
                Ok(())
            }
            Stage::Calling => self.go_live(connection, end, run_of(line)),
            Stage::Dialing(dialing) => {
                let (proven, proof) = dialing.hear(line).map_err(|why| refused(why.to_string()))?;
                self.send(connection, end, proof.as_bytes());
                self.go_live(connection, end, proven.run)
            }
            Stage::Answering(answering) => {
                let proven = answering.hear(line).map_err(|why| refused(why.to_string()))?;
                self.go_live(connection, end, proven.run)
            }
            Stage::Live(mut link) => {
                let life = self.servers[server].life.as_mut().expect("only the living hear");
                let effect = link.hear(line, life.node.atlas_mut());
                at.stage = Stage::Live(link);
                let effect = effect.map_err(|_| refused("no neighbour says that".to_owned()))?;
                self.follow(connection, end, line, effect)
            }
            Stage::Closed => {
                at.stage = Stage::Closed;
                Ok(())
            }
        }
    }

    /// Does what a server does after a neighbour's line.
    fn follow(&mut self, connection: usize, end: usize, line: &[u8], effect: Effect) -> Checked {
        let [here, there] = [end, 1 - end].map(|end| &self.connections[connection].ends[end]);
        let (server, from) = (here.server, (there.server, here.their_run));
        if is_report(line) {
            let life = self.life_mut(server);
            let edition = life.node.atlas().edition();
            let news = life.witness.hear(line, edition, Some(from));
            check(Promise::OnlyNewsIsLearnt, news == (effect == Effect::Learned), || {
                format!("{} after {} is {effect:?}", text(line), self.servers[server].name)
            })?;
            self.sabotage_hearing(connection, end, line, news)?;
        }
        let prompt = self.plan.weather.prompt;
        let at = &mut self.connections[connection].ends[end];
        if at.stage.link().is_some_and(Link::owes_hold) {
            self.turn_soon(connection, end);
        }
        let at = &mut self.connections[connection].ends[end];
        match effect {
            Effect::Nothing | Effect::Known | Effect::Stale => return Ok(()),
            Effect::Learned => return self.stir(server),
            Effect::Answer => at.answer_due = true,
            Effect::AnswerLater => {
                at.answer_due = true;
                self.turn_soon(connection, end);
                return Ok(());
            }
            Effect::Acknowledged => {
                self.settle(server)?;
                self.turn_soon(connection, end);
                return Ok(());
            }
            Effect::GoneBack => {
                at.mark_due = true;
                self.counts.gone_back += 1;
            }
        }
        if prompt {
            return self.say_due(connection, end);
        }
        self.turn_soon(connection, end);
        Ok(())
    }
}

pub fn is_report(line: &[u8]) -> bool {
    line.starts_with(b"AT ")
}

pub fn is_told(line: &[u8]) -> bool {
    line.starts_with(b"TOLD ")
}

pub fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn run_of(line: &[u8]) -> u64 {
    number(line.strip_prefix(b"RUN ").expect("in a world without proofs"))
}

pub fn number(digits: &[u8]) -> u64 {
    text(digits).parse().expect("a number")
}
