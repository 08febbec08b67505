//! What goes over the connections of a world: dialling, the hello, lines, faults, heartbeats, the end.

use herdctl::protocol::hello::{Answering, Dialing, Nonce};
use herdctl::protocol::link::{Effect, Link};

use super::plan::Millis;
use super::promise::{Checked, Failure, Promise, check};
use super::sabotage::{Sabotage, atlas_that_took};
use super::server::{Life, Stage};
use super::witness::{client, is_newer};
use super::world::{Connection, End, Happening, World};

const HEARTBEAT_EVERY: Millis = 1_000;
/// An end that has heard nothing for so long calls the link dead.
const SILENCE_MAX: Millis = 3_000;
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
        if self.servers[listener].life.is_none() || self.wires[wire].cut || self.wires[wire].held {
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
        let life = self.life_mut(server);
        let remembered = life.heard.get(&neighbour).filter(|(run, _)| *run == their_run || forgets);
        let heard = remembered.map_or(0, |&(_, edition)| edition);
        let link = Link::new(life.next_source(), if heard > 0 && skips { heard + 1 } else { heard });
        life.live.insert(wire, (connection, end));
        let mut hello = Vec::new();
        link.say_heard(&mut hello);
        let at = &mut self.connections[connection].ends[end];
        (at.stage, at.their_run) = (Stage::Live(link), their_run);
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
        at.pipes[end].drop_all(self.now);
        at.pipes[1 - end].break_off(self.now, &mut self.rng);
        self.await_delivery(connection, 1 - end);
        self.note(|world| format!("{} hangs up", world.arrow(connection, end)));
        let Some(life) = self.servers[server].life.as_mut() else { return Ok(()) };
        if let Some(link) = ended.link() {
            life.heard.insert(neighbour, (their_run, link.heard()));
        }
        if life.live.get(&wire) == Some(&(connection, end)) {
            life.live.remove(&wire);
        }
        if end == 0 {
            self.dial_soon(wire);
        }
        self.settle(server)
    }

    pub(super) fn break_wire(&mut self, wire: usize) {
        for connection in self.connections_of(wire) {
            for end in 0..2 {
                self.connections[connection].pipes[end].break_off(self.now, &mut self.rng);
                self.await_delivery(connection, end);
            }
        }
    }

    // Reading.

    pub(super) fn await_delivery(&mut self, connection: usize, end: usize) {
        let now = self.now;
        let pipe = &mut self.connections[connection].pipes[end];
        let Some(due) = pipe.next_due(now).filter(|_| !pipe.awaited) else { return };
        pipe.awaited = true;
        self.at(due, Happening::Deliver(connection, end));
    }

    /// An end reads what has come, and perhaps the end of it.
    pub(super) fn deliver(&mut self, connection: usize, end: usize) -> Checked {
        let at = &mut self.connections[connection];
        at.pipes[end].awaited = false;
        // Whoever is resumed or healed looks again.
        if at.ends[end].stage.is_closed() || self.servers[at.ends[end].server].paused || self.wires[at.wire].held {
            return Ok(());
        }
        while let Some(line) = self.connections[connection].pipes[end].receive(self.now) {
            self.connections[connection].ends[end].heard_at = self.now;
            self.hear(connection, end, &line)?;
        }
        if self.connections[connection].pipes[end].has_ended(self.now) {
            return self.hang_up(connection, end);
        }
        self.await_delivery(connection, end);
        Ok(())
    }

    fn hear(&mut self, connection: usize, end: usize, line: &[u8]) -> Checked {
        let refused = |why: String| Failure { promise: Promise::NoBreach, what: format!("{}: {why}", text(line)) };
        let nonce = self.nonce();
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
            Stage::Closed => Ok(()),
        }
    }

    /// Does what a server does after a neighbour's line.
    fn follow(&mut self, connection: usize, end: usize, line: &[u8], effect: Effect) -> Checked {
        let server = self.connections[connection].ends[end].server;
        if line.starts_with(b"AT ") {
            let life = self.life_mut(server);
            let edition = life.node.atlas().edition();
            let news = life.witness.hear(line, edition, Some(connection));
            check(Promise::OnlyNewsIsLearnt, news == (effect == Effect::Learned), || {
                format!("{} after {} is {effect:?}", text(line), self.servers[server].name)
            })?;
            self.sabotage_hearing(connection, end, line, news)?;
        }
        let prompt = self.plan.weather.prompt;
        let at = &mut self.connections[connection].ends[end];
        match effect {
            Effect::Nothing | Effect::Known | Effect::Stale => return Ok(()),
            Effect::Learned => {
                self.stir(server);
                return Ok(());
            }
            Effect::Answer => at.answer_due = true,
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

    fn sabotage_hearing(&mut self, connection: usize, end: usize, line: &[u8], news: bool) -> Checked {
        let server = self.connections[connection].ends[end].server;
        match self.sabotage {
            Some(Sabotage::TakeOlder) if !news && self.is_old(server, line) => {
                let atlas = self.life_mut(server).node.atlas_mut();
                *atlas = atlas_that_took(line, atlas);
                self.stir(server);
                Ok(())
            }
            Some(Sabotage::HeardTooSoon) => {
                let link = self.connections[connection].ends[end].stage.link().expect("it has just heard");
                let too_soon = format!("HEARD {}\n", link.heard() + 1);
                self.write(connection, end, too_soon.as_bytes())
            }
            Some(Sabotage::TellBack) if news => self.write(connection, end, &[line, b"\n"].concat()),
            _ => Ok(()),
        }
    }

    fn is_old(&self, server: usize, line: &[u8]) -> bool {
        self.life(server).witness.of(client(line)).is_some_and(|known| is_newer(&known.line, line))
    }

    // Writing.

    /// Every link of a server has something to look at.
    pub(super) fn stir(&mut self, server: usize) {
        let live: Vec<_> = self.life(server).live.values().copied().collect();
        live.into_iter().for_each(|(connection, end)| self.turn_soon(connection, end));
    }

    pub(super) fn turn_soon(&mut self, connection: usize, end: usize) {
        if !std::mem::replace(&mut self.connections[connection].ends[end].turn_awaited, true) {
            let wait = self.rng.between(0, self.plan.weather.turn_max);
            self.at(self.now + wait, Happening::Turn(connection, end));
        }
    }

    /// A link writes what is due, and a batch if one is owed.
    pub(super) fn turn(&mut self, connection: usize, end: usize) -> Checked {
        let at = &mut self.connections[connection].ends[end];
        at.turn_awaited = false;
        let (server, live) = (at.server, at.stage.link().is_some());
        // Whoever is resumed takes its turns then.
        if !live || self.servers[server].paused {
            return Ok(());
        }
        self.say_due(connection, end)?;
        if self.owes(connection, end) {
            self.tell(connection, end)?;
        }
        if self.owes(connection, end) {
            self.counts.batches_cut += 1;
            self.turn_soon(connection, end);
        }
        Ok(())
    }

    pub(super) fn beat(&mut self, connection: usize, end: usize) -> Checked {
        let at = &self.connections[connection].ends[end];
        if at.stage.is_closed() {
            return Ok(());
        }
        if !self.servers[at.server].paused {
            if self.now - at.heard_at > SILENCE_MAX {
                self.counts.silences += 1;
                return self.hang_up(connection, end);
            }
            if at.stage.link().is_some() {
                self.say_due(connection, end)?;
                self.tell(connection, end)?;
                self.turn_soon(connection, end);
            }
        }
        self.at(self.now + HEARTBEAT_EVERY, Happening::Beat(connection, end));
        Ok(())
    }

    fn say_due(&mut self, connection: usize, end: usize) -> Checked {
        let at = &mut self.connections[connection].ends[end];
        let Some(link) = at.stage.link_mut() else { return Ok(()) };
        let mut out = Vec::new();
        if std::mem::take(&mut at.answer_due) {
            link.say_heard(&mut out);
        }
        if std::mem::take(&mut at.mark_due) && self.sabotage != Some(Sabotage::NoMark) {
            link.say_mark(&mut out);
        }
        self.write(connection, end, &out)
    }

    fn owes(&self, connection: usize, end: usize) -> bool {
        let at = &self.connections[connection].ends[end];
        at.stage.link().is_some_and(|link| link.owes(self.life(at.server).node.atlas()))
    }

    fn tell(&mut self, connection: usize, end: usize) -> Checked {
        let at = &mut self.connections[connection].ends[end];
        let life = self.servers[at.server].life.as_ref().expect("only the living tell");
        let link = at.stage.link_mut().expect("only links tell");
        let mut out = Vec::new();
        link.tell(life.node.atlas(), self.plan.weather.batch_bytes_max, &mut out);
        let server = at.server;
        self.write(connection, end, &out)?;
        // What need not be said is confirmed at once.
        self.settle(server)
    }

    /// Sends whole lines through the faults of this direction.
    fn write(&mut self, connection: usize, end: usize, out: &[u8]) -> Checked {
        let mut lines: Vec<Vec<u8>> = out.split_inclusive(|&b| b == b'\n').map(|l| l[..l.len() - 1].to_vec()).collect();
        for line in lines.iter().filter(|_| self.watched) {
            self.check_said(connection, end, line)?;
        }
        if self.sabotage == Some(Sabotage::DropTheLast) && self.rng.percent(25) {
            drop_the_last(&mut lines);
        }
        self.spoil(connection, end, &mut lines);
        lines.iter().for_each(|line| self.send(connection, end, line));
        Ok(())
    }

    /// Loses reports, and says some twice, both within their batch. `TOLD` and `HEARD` always come.
    fn spoil(&mut self, connection: usize, from: usize, lines: &mut Vec<Vec<u8>>) {
        let fault = self.wires[self.connections[connection].wire].faults[1 - from];
        let (mut lost, mut again) = (0, Vec::new());
        lines.retain(|line| {
            let is_report = is_report(line);
            self.counts.reports_told += u64::from(is_report);
            if is_report && self.rng.percent(fault.dup_percent) {
                again.push(line.clone());
            }
            let is_lost = is_report && self.rng.percent(fault.loss_percent);
            lost += u64::from(is_lost);
            !is_lost
        });
        self.counts.lost += lost;
        self.counts.said_twice += again.len() as u64;
        self.counts.lost_and_said_twice += u64::from(lost > 0 && !again.is_empty());
        for line in again {
            // Before the TOLD, which is last.
            let place = self.rng.index(lines.len().max(1));
            lines.insert(place, line);
        }
    }

    fn send(&mut self, connection: usize, from: usize, line: &[u8]) {
        let due = self.now + self.rng.between(0, self.plan.weather.delay_max);
        self.note(|world| format!("{} says {}", world.arrow(connection, from), text(line)));
        self.connections[connection].pipes[1 - from].send(due, line);
        self.await_delivery(connection, 1 - from);
    }

    // What may be said.

    fn check_said(&self, connection: usize, end: usize, line: &[u8]) -> Checked {
        if is_report(line) {
            return self.check_told(connection, end, line);
        }
        let heard = line.strip_prefix(b"HEARD ");
        heard.map_or(Ok(()), |edition| self.check_heard(connection, end, number(edition)))
    }

    fn check_told(&self, connection: usize, end: usize, line: &[u8]) -> Checked {
        let server = self.connections[connection].ends[end].server;
        let known = self.life(server).witness.of(client(line));
        check(Promise::OnlyTheNewestIsTold, known.is_some_and(|known| known.line == line), || {
            format!("{} tells {} and knows {known:?}", self.servers[server].name, text(line))
        })?;
        check(Promise::NotToldBack, known.is_some_and(|known| known.from != Some(connection)), || {
            format!("{} tells back {}", self.servers[server].name, text(line))
        })
    }

    /// Whoever says `HEARD e` has, of each client, what the other had at its edition `e`, or newer.
    fn check_heard(&self, connection: usize, end: usize, edition: u64) -> Checked {
        let (here, there) = (&self.connections[connection].ends[end], &self.connections[connection].ends[1 - end]);
        let same_run = self.servers[there.server].life.as_ref().filter(|life| life.run == here.their_run);
        let Some(theirs) = same_run else { return Ok(()) };
        check(Promise::HeardIsTrue, edition <= theirs.node.atlas().edition(), || {
            format!("{} says HEARD {edition}, which is still to come", self.servers[here.server].name)
        })?;
        let mine = &self.life(here.server).witness;
        let missing = theirs.witness.all().find(|(_, known)| known.edition <= edition && !mine.covers(&known.line));
        check(Promise::HeardIsTrue, missing.is_none(), || {
            let (name, of) = (self.servers[here.server].name, self.servers[there.server].name);
            format!("{name} says HEARD {edition} to {of} without {:?}", missing.map(|(_, known)| text(&known.line)))
        })
    }

    // Small words.

    pub(super) fn life(&self, server: usize) -> &Life {
        self.servers[server].life.as_ref().expect("only the living are asked")
    }

    pub(super) fn life_mut(&mut self, server: usize) -> &mut Life {
        self.servers[server].life.as_mut().expect("only the living are asked")
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
    fn new(server: usize, stage: Stage, now: Millis) -> Self {
        Self { server, stage, their_run: 0, answer_due: false, mark_due: false, turn_awaited: false, heard_at: now }
    }
}

fn drop_the_last(lines: &mut Vec<Vec<u8>>) {
    let Some(last) = lines.iter().rposition(|line| is_report(line)) else { return };
    lines.remove(last);
    let told = lines.last_mut().expect("a TOLD ends a batch");
    let words: Vec<u64> = told.split(|&b| b == b' ').skip(1).map(number).collect();
    *told = format!("TOLD {} {}", words[0], words[1] - 1).into_bytes();
}

pub fn is_report(line: &[u8]) -> bool {
    line.starts_with(b"AT ")
}

pub fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn run_of(line: &[u8]) -> u64 {
    number(line.strip_prefix(b"RUN ").expect("in a world without proofs"))
}

fn number(digits: &[u8]) -> u64 {
    text(digits).parse().expect("a number")
}
