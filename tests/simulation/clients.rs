//! What clients say in a world, and when they are answered: by the server's own rules, and by what these promise.

use herdctl::config::Ack;
use herdctl::protocol::line::Time;
use herdctl::protocol::node::Reply;

use super::plan::{Act, Millis, draw_death};
use super::promise::{Checked, Promise, check};
use super::sabotage::Sabotage;
use super::server::Waiting;
use super::wires::text;
use super::witness::{client, is_newer};
use super::world::{Confirmed, Happening, World};

/// How often a server looks whether something has waited long enough.
const LOOK_EVERY: Millis = 25;

impl World {
    pub(super) fn hear_client(&mut self, server: usize, act: Act) -> Checked {
        if self.servers[server].life.is_none() {
            return Ok(());
        }
        if self.servers[server].paused {
            self.servers[server].inbox.push(act);
            return Ok(());
        }
        match act {
            Act::Say { line, .. } => self.hear_iamat(server, &line),
            Act::Ask { client, .. } => self.hear_whatsat(server, &client),
            _ => unreachable!("no client does {act:?}"),
        }
    }

    fn hear_iamat(&mut self, server: usize, line: &str) -> Checked {
        // Each server's clock is a little off.
        let now = Time::new(1_000 + self.now / 1_000, (self.now % 1_000) as u32 * 1_000_000 + server as u32);
        let life = self.life_mut(server);
        let before = life.node.atlas().edition();
        let mut answer = Vec::new();
        let reply = life.node.hear(line.as_bytes(), now, &mut answer);
        let Reply::Say { after } = reply else {
            let refused = reply == Reply::Refuse && answer == format!("? {line}\n").as_bytes();
            return check(Promise::NoBreach, refused && line.ends_with("1e3"), || format!("{line} gets {reply:?}"));
        };
        answer.pop();
        let edition = life.node.atlas().edition();
        let news = life.witness.hear(&answer, edition, None);
        let safe_after = life.witness.of(client(&answer)).map(|known| known.edition);
        life.waiting.push(Waiting { line: answer.clone(), after });
        check(Promise::OnlyNewsIsLearnt, news == (edition > before), || format!("{} is heard wrongly", text(&answer)))?;
        check(Promise::AnsweredIsSafe, safe_after == Some(after), || {
            format!("the answer to {line} waits for {after}, and the newest of that client is {safe_after:?}")
        })?;
        self.said.insert(answer);
        self.updates[server] += u64::from(news);
        self.stir(server)?;
        self.settle(server)
    }

    fn hear_whatsat(&mut self, server: usize, name: &str) -> Checked {
        let life = self.life_mut(server);
        let reply = life.node.hear(format!("WHATSAT {name} 10 5").as_bytes(), Time::default(), &mut Vec::new());
        let known = life.witness.of(name.as_bytes()).map(|known| known.line.clone());
        let Reply::Ask(query) = reply else {
            return check(Promise::NeverBack, known.is_none(), || format!("{name} was known and is not any more"));
        };
        let before = life.answered.insert(name.to_owned(), query.at_line.clone());
        let kept = before.is_none_or(|before| !is_newer(&before, &query.at_line));
        check(Promise::NeverBack, kept && known.as_ref() == Some(&query.at_line), || {
            format!("{} answers {}", self.servers[server].name, text(&query.at_line))
        })
    }

    // When they are answered.

    pub(super) fn look_soon(&mut self, server: usize) {
        let Some(life) = self.servers[server].life.as_mut() else { return };
        if !std::mem::replace(&mut life.look_awaited, true) {
            let run = life.run;
            self.at(self.now, Happening::Look(server, run));
        }
    }

    /// A server looks whether its answers have waited long enough.
    pub(super) fn look(&mut self, server: usize, run: u64) -> Checked {
        if !self.lives(server, run) {
            return Ok(());
        }
        // Whoever is paused looks when it is resumed.
        self.life_mut(server).look_awaited = false;
        if self.servers[server].paused {
            return Ok(());
        }
        self.note_confirmed(server);
        let now = self.instant();
        let life = self.life_mut(server);
        life.patience.look(now, life.node.atlas().edition(), &life.confirmations);
        if !life.patience.is_idle() {
            life.look_awaited = true;
            self.at(self.now + LOOK_EVERY, Happening::Look(server, run));
        }
        self.settle(server)
    }

    fn note_confirmed(&mut self, server: usize) {
        let life = self.life(server);
        for &(connection, end) in life.live.values() {
            let end = &self.connections[connection].ends[end];
            let link = end.stage.link().expect("it is live");
            life.confirmations.heard(end.source, link.confirmed());
            life.confirmations.sent(end.source, link.told_whole());
        }
    }

    /// Writes the answers that need not wait any more.
    pub(super) fn settle(&mut self, server: usize) -> Checked {
        if self.servers[server].life.as_ref().is_none_or(|life| life.waiting.is_empty()) {
            return Ok(());
        }
        self.note_confirmed(server);
        let too_soon = self.sabotage == Some(Sabotage::AnswerTooSoon);
        let life = self.life_mut(server);
        let released = if too_soon { u64::MAX } else { life.confirmations.released() };
        let answers: Vec<Waiting> = life.waiting.extract_if(.., |answer| answer.after <= released).collect();
        answers.into_iter().try_for_each(|answer| self.answer(server, answer))
    }

    fn answer(&mut self, server: usize, answer: Waiting) -> Checked {
        let Waiting { line, after } = answer;
        let (run, gave_up) = (self.life(server).run, self.life(server).confirmations.gave_up_on(after));
        let heard_by = if gave_up { Vec::new() } else { self.those_who_heard_most(server, self.plan.rules.heard) };
        let stored = self.plan.rules.ack == Ack::Stored;
        self.note(|world| format!("{} answers {}, heard by {heard_by:?}", world.servers[server].name, text(&line)));
        if self.watched {
            self.check_safe(server, &line, &heard_by, stored)?;
        }
        self.counts.unconfirmed += u64::from(gave_up);
        self.counts.alone += u64::from(!gave_up && heard_by.is_empty());
        self.counts.confirmed += u64::from(!heard_by.is_empty());
        self.counts.stored += u64::from(stored);
        self.confirmed.push(Confirmed { line, answered_by: (server, run), heard_by, stored });
        if self.now < self.plan.end && self.rng.percent(self.plan.ambush_percent) {
            let death = draw_death(&mut self.rng);
            self.at(self.now, Happening::Ambush(server, run, death));
        }
        Ok(())
    }

    /// The neighbours that the server must take to have the answer's report, each with its run: of those linked, the
    /// `most` that have heard most.
    pub(super) fn those_who_heard_most(&self, server: usize, most: usize) -> Vec<(usize, u64)> {
        let mut ends: Vec<_> = self.life(server).live.values().collect();
        let confirmed = |&&(connection, end): &&(usize, usize)| {
            self.connections[connection].ends[end].stage.link().expect("it is live").confirmed()
        };
        ends.sort_by_key(|end| std::cmp::Reverse(confirmed(end)));
        let neighbour = |&(connection, end): &(usize, usize)| {
            let ends = &self.connections[connection].ends;
            (ends[1 - end].server, ends[end].their_run)
        };
        ends.into_iter().take(most).map(neighbour).collect()
    }

    /// An answer that says "safe" is so: each neighbour that has heard it, in that run, has it or a newer one; and so
    /// has the disk, if that was waited for.
    fn check_safe(&self, server: usize, line: &[u8], heard_by: &[(usize, u64)], stored: bool) -> Checked {
        for &(neighbour, run) in heard_by.iter().filter(|&&(neighbour, run)| self.lives(neighbour, run)) {
            check(Promise::AnsweredIsSafe, self.life(neighbour).witness.covers(line), || {
                format!(
                    "{} was answered, and {} has not heard it in run {run}",
                    text(line),
                    self.servers[neighbour].name
                )
            })?;
        }
        check(Promise::AnsweredIsSafe, !stored || self.servers[server].disk.covers(line), || {
            format!("{} was answered, and is not on the disk of {}", text(line), self.servers[server].name)
        })
    }
}
