//! What clients say in a world, and when they are answered: the `ack = "heard"` of the contract.

use herdctl::protocol::line::Time;
use herdctl::protocol::node::Reply;

use super::plan::{Act, Millis};
use super::promise::{Checked, Promise, check};
use super::sabotage::Sabotage;
use super::server::Waiting;
use super::wires::text;
use super::witness::{client, is_newer};
use super::world::{Confirmed, Happening, World};

/// An answer that no neighbour has confirmed by then is written all the same.
const CONFIRM_MAX: Millis = 250;

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
        let since = self.now;
        let now = Time::new(1_000 + since / 1_000, (since % 1_000) as u32 * 1_000_000 + server as u32);
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
        life.waiting.push(Waiting { line: answer.clone(), after, since });
        let run = life.run;
        check(Promise::OnlyNewsIsLearnt, news == (edition > before), || format!("{} is heard wrongly", text(&answer)))?;
        check(Promise::AnsweredIsSafe, safe_after == Some(after), || {
            format!("the answer to {line} waits for {after}, and the newest of that client is {safe_after:?}")
        })?;
        self.said.insert(answer);
        self.updates[server] += u64::from(news);
        self.at(self.now + CONFIRM_MAX, Happening::Expire(server, run));
        self.stir(server);
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

    /// Writes the answers that need not wait any more.
    pub(super) fn settle(&mut self, server: usize) -> Checked {
        let Some(life) = self.servers[server].life.as_mut().filter(|life| !life.waiting.is_empty()) else {
            return Ok(());
        };
        let waiting = std::mem::take(&mut life.waiting);
        let (run, live) = (life.run, life.live.values().copied().collect::<Vec<_>>());
        for answer in waiting {
            let heard_by = live.iter().find_map(|&(connection, end)| {
                let end_here = &self.connections[connection].ends[end];
                let heard = end_here.stage.link()?.confirmed() >= answer.after;
                (heard || self.sabotage == Some(Sabotage::AnswerTooSoon))
                    .then(|| (self.connections[connection].ends[1 - end].server, end_here.their_run))
            });
            if let Some(heard_by) = heard_by {
                if self.watched {
                    self.check_safe(&answer.line, heard_by)?;
                }
                self.counts.confirmed += 1;
                self.confirmed.push(Confirmed { line: answer.line, answered_by: (server, run), heard_by });
            } else if !live.is_empty() {
                self.life_mut(server).waiting.push(answer);
            }
        }
        Ok(())
    }

    /// An answer that says "safe" is so: the neighbour that has heard it, in that run, has it or a newer one.
    fn check_safe(&self, line: &[u8], (neighbour, run): (usize, u64)) -> Checked {
        let same_run = self.servers[neighbour].life.as_ref().filter(|life| life.run == run);
        check(Promise::AnsweredIsSafe, same_run.is_none_or(|life| life.witness.covers(line)), || {
            format!("{} was answered, and {} has not heard it", text(line), self.servers[neighbour].name)
        })
    }

    /// Answers that have waited long enough are written unconfirmed.
    pub(super) fn expire(&mut self, server: usize, run: u64) -> Checked {
        // A paused server answers nothing; when it is resumed, the next thing that it hears settles.
        if self.servers[server].paused || self.servers[server].life.as_ref().is_none_or(|life| life.run != run) {
            return Ok(());
        }
        self.settle(server)?;
        let now = self.now;
        let life = self.life_mut(server);
        let before = life.waiting.len();
        life.waiting.retain(|answer| answer.since + CONFIRM_MAX > now);
        let unconfirmed = before - life.waiting.len();
        self.counts.unconfirmed += unconfirmed as u64;
        Ok(())
    }
}
