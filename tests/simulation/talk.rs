//! What the links of a world say, when, and what they may say.

use herdctl::protocol::link::Link;

use super::plan::Millis;
use super::promise::{Checked, Promise, check};
use super::sabotage::{Sabotage, drop_the_last};
use super::wires::{HEARTBEAT_EVERY, is_report, number, text};
use super::witness::client;
use super::world::{Happening, World};

/// An end that has heard nothing for so long calls the link dead; and so long a handshake may take.
const SILENCE_MAX: Millis = 3_000;
/// A link that is held back tells no more often.
const HOLD_REST: Millis = 100;

impl World {
    /// A server knows something new: its links, its disk and its patience look up.
    pub(super) fn stir(&mut self, server: usize) -> Checked {
        let live: Vec<_> = self.life(server).live.values().copied().collect();
        live.into_iter().for_each(|(connection, end)| self.turn_soon(connection, end));
        self.look_soon(server);
        self.store(server)
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
        (at.turn_awaited, at.hold_awaited) = (false, false);
        let (server, live) = (at.server, at.stage.link().is_some());
        // Whoever is resumed takes its turns then.
        if !live || self.servers[server].paused {
            return Ok(());
        }
        self.say_due(connection, end)?;
        if self.owes(connection, end) {
            if self.is_held_back(connection, end) {
                self.wait_to_tell(connection, end);
                return Ok(());
            }
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
            let (is_silent, is_live) = (self.now - at.heard_at > SILENCE_MAX, at.stage.link().is_some());
            if is_silent {
                self.counts.silences += u64::from(is_live);
                self.counts.unproven += u64::from(!is_live);
                return self.hang_up(connection, end);
            }
            if is_live && !self.is_held_for_ever(connection, end) {
                self.say_due(connection, end)?;
                self.tell(connection, end)?;
                self.turn_soon(connection, end);
            }
        }
        self.at(self.now + HEARTBEAT_EVERY, Happening::Beat(connection, end));
        Ok(())
    }

    pub(super) fn say_due(&mut self, connection: usize, end: usize) -> Checked {
        let at = &mut self.connections[connection].ends[end];
        let Some(link) = at.stage.link_mut() else { return Ok(()) };
        let mut out = Vec::new();
        if std::mem::take(&mut at.answer_due) {
            link.say_heard(&mut out);
        }
        self.counts.holds += u64::from(link.owes_hold());
        link.say_hold(&mut out);
        if std::mem::take(&mut at.mark_due) && self.sabotage != Some(Sabotage::NoMark) {
            link.say_mark(&mut out);
        }
        self.write(connection, end, &out)
    }

    fn owes(&self, connection: usize, end: usize) -> bool {
        let at = &self.connections[connection].ends[end];
        at.stage.link().is_some_and(|link| link.owes(self.life(at.server).node.atlas()))
    }

    /// Whether what is owed can wait a little, as in a server.
    fn is_held_back(&self, connection: usize, end: usize) -> bool {
        let at = &self.connections[connection].ends[end];
        let own = self.life(at.server).node.own();
        let can_wait = at.stage.link().is_some_and(|link| link.can_wait(own));
        can_wait && self.now < at.told_at + HOLD_REST || self.is_held_for_ever(connection, end)
    }

    fn is_held_for_ever(&self, connection: usize, end: usize) -> bool {
        let link = self.connections[connection].ends[end].stage.link();
        self.sabotage == Some(Sabotage::HoldForEver) && link.is_some_and(Link::is_held)
    }

    fn wait_to_tell(&mut self, connection: usize, end: usize) {
        let at = &mut self.connections[connection].ends[end];
        let until = self.now.max(at.told_at + HOLD_REST);
        if !std::mem::replace(&mut at.hold_awaited, true) && self.sabotage != Some(Sabotage::HoldForEver) {
            self.counts.held_back += 1;
            self.at(until, Happening::Turn(connection, end));
        }
    }

    /// A server that has lost a link wants everything at once over the others.
    pub(super) fn end_holds(&mut self, server: usize) {
        let live: Vec<_> = self.life(server).live.values().copied().collect();
        for (connection, end) in live {
            self.connections[connection].ends[end].stage.link_mut().into_iter().for_each(Link::end_hold);
            self.turn_soon(connection, end);
        }
    }

    fn tell(&mut self, connection: usize, end: usize) -> Checked {
        let now = self.now;
        let at = &mut self.connections[connection].ends[end];
        let life = self.servers[at.server].life.as_ref().expect("only the living tell");
        let link = at.stage.link_mut().expect("only links tell");
        let mut out = Vec::new();
        link.tell(life.node.atlas(), self.plan.weather.batch_bytes_max, &mut out);
        if !link.owes(life.node.atlas()) {
            at.told_at = now;
        }
        let server = at.server;
        self.write(connection, end, &out)?;
        // What need not be said is confirmed at once.
        self.settle(server)
    }

    /// Says whole lines.
    pub(super) fn write(&mut self, connection: usize, end: usize, out: &[u8]) -> Checked {
        let mut lines: Vec<&[u8]> = out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        for line in lines.iter().filter(|_| self.watched) {
            self.check_said(connection, end, line)?;
        }
        let fewer;
        if self.sabotage == Some(Sabotage::DropTheLast) && self.rng.percent(25) {
            fewer = drop_the_last(&mut lines);
            lines.extend(fewer.as_deref());
        }
        self.counts.reports_told += lines.iter().filter(|line| is_report(line)).count() as u64;
        lines.iter().for_each(|line| self.send(connection, end, line));
        Ok(())
    }

    pub(super) fn send(&mut self, connection: usize, from: usize, line: &[u8]) {
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
        let [here, there] = [end, 1 - end].map(|end| &self.connections[connection].ends[end]);
        let (server, to) = (here.server, (there.server, here.their_run));
        let known = self.life(server).witness.of(client(line));
        check(Promise::OnlyTheNewestIsTold, known.is_some_and(|known| known.line == line), || {
            format!("{} tells {} and knows {known:?}", self.servers[server].name, text(line))
        })?;
        check(Promise::NotToldBack, known.is_some_and(|known| known.from != Some(to)), || {
            format!("{} tells back {}", self.servers[server].name, text(line))
        })
    }

    /// Whoever says `HEARD e` has, of each client, what the other had at its edition `e`, or newer.
    fn check_heard(&self, connection: usize, end: usize, edition: u64) -> Checked {
        let (here, there) = (&self.connections[connection].ends[end], &self.connections[connection].ends[1 - end]);
        if !self.lives(there.server, here.their_run) {
            return Ok(());
        }
        let theirs = self.life(there.server);
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
}
