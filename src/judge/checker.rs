//! The rules, held against a history record by record.
//!
//! What is kept: each report that a client said, until the end, for any of them may be answered by somebody; the newest
//! report that each server has shown of each client in its present run; and the calls that are open.
//!
//! A lost report is excused only by what `ack` leaves open. With `heard`, so many neighbours had it when it was answered;
//! so it may be lost only if the run that answered and those of so many that could have heard it ended before they must have
//! passed it on; or, if no link may have been up or nobody confirmed, if the run that answered did. With `sent` always so.

use std::collections::HashMap;
use std::io::BufRead;

use super::history::{Ack, Begin, CALLS_MAX, Deed, End, Micros, Record, SCHEMA, Sample, Say, Unsound, read};
use super::ledger::{At, Client, Known, Said, client_of};
use super::timeline::Timeline;
use super::verdict::{Rule, Verdict, Violation};
use crate::protocol::line::Command;

/// Judges a whole history.
///
/// # Errors
///
/// If it is none.
pub fn judge(from: impl BufRead) -> Result<(Begin, Verdict), Unsound> {
    let mut judge = None::<Judge>;
    read(from, |record| match (&mut judge, record) {
        (None, Record::Begin(begin)) => {
            judge = Some(Judge::new(begin)?);
            Ok(())
        }
        (None, _) => Err(Unsound::new("a history begins with its herd")),
        (Some(judge), record) => judge.take(&record),
    })?;
    let judge = judge.ok_or_else(|| Unsound::new("the history is empty"))?;
    Ok((judge.begin.clone(), judge.finish()))
}

/// Hears a history and judges it.
#[derive(Debug)]
pub struct Judge {
    begin: Begin,
    timeline: Timeline,
    now: Micros,
    open: HashMap<u64, Call>,
    last_call: u64,
    clients: HashMap<Box<str>, Client>,
    /// How long each answer took, in microseconds.
    waits: Vec<u32>,
    healed: Option<Micros>,
    is_tables: bool,
    whole: bool,
    verdict: Verdict,
}

/// A call that has no answer yet.
#[derive(Debug)]
struct Call {
    said: Micros,
    server: usize,
    run: Option<u32>,
    line: Box<str>,
    /// What this server had shown of the client when the call was made: an answer is not older.
    floor: Option<Known>,
}

impl Judge {
    /// Begins with a herd that is whole.
    ///
    /// # Errors
    ///
    /// If the herd makes no sense, or was recorded by another version.
    pub fn new(begin: Begin) -> Result<Self, Unsound> {
        if begin.schema != SCHEMA {
            return Err(Unsound::new(format!("schema {:?}; this herdctl reads {SCHEMA}", begin.schema)));
        }
        Ok(Self {
            timeline: Timeline::new(&begin)?,
            begin,
            now: 0,
            open: HashMap::new(),
            last_call: 0,
            clients: HashMap::new(),
            waits: Vec::new(),
            healed: None,
            is_tables: false,
            whole: false,
            verdict: Verdict::new(),
        })
    }

    /// How often the server of that name has been started again; none while that is not certain.
    #[must_use]
    pub fn run_of(&self, server: &str) -> Option<u32> {
        self.timeline.run(self.timeline.server(server).ok()?)
    }

    /// What was found up to now.
    #[must_use]
    pub fn so_far(&self) -> &Verdict {
        &self.verdict
    }

    /// The names of the clients that anybody has reported.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().filter(|(_, client)| !client.said.is_empty()).map(|(name, _)| &**name)
    }

    /// Hears the next record.
    ///
    /// # Errors
    ///
    /// If it cannot follow those before.
    pub fn take(&mut self, record: &Record) -> Result<(), Unsound> {
        if record.t() < self.now || self.whole {
            return Err(Unsound::new("it does not follow: the times go back, or the history has ended"));
        }
        self.now = record.t();
        match record {
            Record::Begin(_) => return Err(Unsound::new("a history begins once")),
            Record::Say(say) => self.say(say)?,
            Record::Hear { call, t, line } => self.hear(*call, *t, line)?,
            Record::End { call, t, why } => self.end(*call, *t, *why)?,
            Record::Refused { t, since, server } => self.refused(server, *since, *t)?,
            Record::Unasked { t, server, line } => self.unasked(server, *t, line)?,
            Record::Order(order) => self.order(order)?,
            Record::Done { order, t, failed } => self.done(*order, *t, failed.as_deref())?,
            Record::Sample(sample) => self.sample(sample)?,
            Record::Healed { t } => self.healed = Some(*t),
            Record::Converged { t } => self.verdict.worst.converged_us = self.healed.map(|healed| t - healed),
            Record::Tables { .. } => self.is_tables = true,
            Record::Finish { .. } => self.whole = true,
        }
        Ok(())
    }

    fn say(&mut self, say: &Say) -> Result<(), Unsound> {
        let server = self.timeline.server(&say.server)?;
        if say.call <= self.last_call || say.call > CALLS_MAX {
            return Err(Unsound::new(format!("calls are counted upward from 1, to {CALLS_MAX} at most")));
        }
        self.last_call = say.call;
        self.verdict.counts.calls += 1;
        let floor = match Command::parse(say.line.as_bytes()) {
            Command::IAmAt(sighting) => {
                let client = client_of(&mut self.clients, text(sighting.client));
                let what = format!("{} {}", text(sighting.location), text(sighting.time)).into();
                let is_news = client.newest_said.is_none_or(|newest| newest < sighting.at);
                client.newest_said = client.newest_said.max(Some(sighting.at));
                let (call, run, said) = (say.call, say.run, say.t);
                client.said.push(Said { call, server, run, said, at: sighting.at, what, answer: None, is_news });
                None
            }
            Command::WhatsAt { client, .. } => {
                client_of(&mut self.clients, text(client)).floor(server, say.run).cloned()
            }
            Command::Http | Command::Unknown => None,
        };
        let call = Call { said: say.t, server, run: say.run, line: say.line.as_str().into(), floor };
        self.open.insert(say.call, call);
        Ok(())
    }

    fn hear(&mut self, number: u64, t: Micros, answer: &str) -> Result<(), Unsound> {
        let call = self.close(number)?;
        self.verdict.counts.answered += 1;
        let wait = self.check_prompt(number, &call, t);
        self.waits.push(u32::try_from(wait).unwrap_or(u32::MAX));
        self.verdict.checked(Rule::WellAnswered);
        let line = call.line.clone();
        match Command::parse(line.as_bytes()) {
            Command::IAmAt(sighting) => self.hear_sighting(number, &call, t, text(sighting.client), answer),
            Command::WhatsAt { client, .. } => self.hear_table(number, &call, text(client), answer),
            Command::Http | Command::Unknown if answer == refusal(&line) => {}
            Command::Http | Command::Unknown => {
                self.broke(Rule::WellAnswered, &[number], &call, None, refusal(&line), answer);
            }
        }
        Ok(())
    }

    /// An `IAMAT` was answered.
    fn hear_sighting(&mut self, number: u64, call: &Call, t: Micros, client: &str, answer: &str) {
        let own = &self.begin.servers[call.server];
        let expected = || format!("AT {own} <skew> and the client's own bytes, for: {}", call.line);
        let known = client_of(&mut self.clients, client);
        let said = known.said.iter_mut().rfind(|said| said.call == number);
        let (Some(said), Some(at)) = (said, At::read(answer)) else {
            let expected = expected();
            return self.broke(Rule::WellAnswered, &[number], call, Some(client), expected, answer);
        };
        if (at.server, at.client, at.what) != (own, client, &*said.what) {
            let expected = expected();
            return self.broke(Rule::WellAnswered, &[number], call, Some(client), expected, answer);
        }
        said.answer = Some((t, answer.into()));
        known.raise(call.server, call.run, &at.known(number));
        self.verdict.counts.updates_answered += 1;
    }

    /// A `WHATSAT` was answered.
    fn hear_table(&mut self, number: u64, call: &Call, client: &str, answer: &str) {
        let refused = answer == refusal(&call.line);
        let at = At::read(answer).filter(|at| at.client == client);
        let known = at.as_ref().map(|at| at.known(number));
        if !refused && known.is_none() {
            let expected = format!("an AT line of {client}, or ? and the line");
            return self.broke(Rule::WellAnswered, &[number], call, Some(client), expected, answer);
        }
        self.verdict.checked(Rule::NeverBack);
        if let Some(floor) =
            call.floor.as_ref().filter(|floor| known.as_ref().is_none_or(|known| known.is_older(floor)))
        {
            let (expected, calls) = (format!("{} or newer, as shown before", floor.line), [floor.call, number]);
            self.broke(Rule::NeverBack, &calls, call, Some(client), expected, answer);
        }
        if let Some(at) = at {
            self.verdict.checked(Rule::OnlySaid);
            if let Err(expected) = self.was_said(&at) {
                self.broke(Rule::OnlySaid, &[number], call, Some(client), expected, answer);
            }
        }
        let own = client_of(&mut self.clients, client);
        if let Some(known) = &known {
            own.raise(call.server, call.run, known);
        }
        if self.is_tables {
            own.tables.insert(call.server, known);
        }
    }

    /// Whether that report is what a client said to that server: also its skew, if the server has answered it.
    fn was_said(&self, at: &At<'_>) -> Result<(), String> {
        let server = self.timeline.server(at.server).map_err(|_| "a report of a server of this herd".to_owned())?;
        let said = self.clients.get(at.client).map_or(&[][..], |client| &client.said);
        let is_it = |said: &&Said| said.server == server && &*said.what == at.what;
        let mut same = said.iter().rev().filter(is_it).peekable();
        if same.peek().is_none() {
            return Err(format!("a report that {} said to {}", at.client, at.server));
        }
        let may_be = |said: &Said| said.answer.as_ref().is_none_or(|(_, answer)| &**answer == at.line);
        if same.any(may_be) { Ok(()) } else { Err("the report as its server answered it".to_owned()) }
    }

    fn end(&mut self, number: u64, t: Micros, why: End) -> Result<(), Unsound> {
        let call = self.close(number)?;
        self.verdict.counts.unanswered += 1;
        self.check_prompt(number, &call, t);
        let ended = match call.run {
            Some(run) => self.timeline.has_ended((call.server, run)),
            None => self.timeline.was_away(call.server, call.said, t),
        };
        if why == End::Closed && !ended {
            let expected = format!("an answer to: {}", call.line);
            self.broke(Rule::Prompt, &[number], &call, None, expected, "the connection was closed");
        }
        Ok(())
    }

    /// How long the server let it wait, not counting when it was away. The call of a run that has ended is let off.
    fn check_prompt(&mut self, number: u64, call: &Call, t: Micros) -> Micros {
        let wait = (t - call.said).saturating_sub(self.timeline.away_for(call.server, call.said, t));
        self.verdict.checked(Rule::Prompt);
        let over = call.run.is_some_and(|run| self.timeline.has_ended((call.server, run)));
        if wait > self.begin.answer_ms_max.saturating_mul(1000) && !over {
            let expected = format!("an answer within {} ms while it is up: {}", self.begin.answer_ms_max, call.line);
            self.broke(Rule::Prompt, &[number], call, None, expected, &format!("{} ms", wait / 1000));
        }
        if wait > self.verdict.worst.answer_us_max && !over {
            self.verdict.worst.answer_us_max = wait;
            self.verdict.worst.answer_call = Some(number);
        }
        wait
    }

    fn refused(&mut self, name: &str, since: Micros, t: Micros) -> Result<(), Unsound> {
        let server = self.timeline.server(name)?;
        self.verdict.counts.refused_connections += 1;
        self.verdict.checked(Rule::Prompt);
        if since > t || !self.timeline.was_away(server, since, t) {
            self.verdict.broke(Violation {
                rule: Rule::Prompt,
                t,
                calls: Vec::new(),
                server: Some(name.into()),
                client: None,
                expected: "a connection to a server that is up".into(),
                found: "none was to be had".into(),
            });
        }
        Ok(())
    }

    fn unasked(&mut self, name: &str, t: Micros, line: &str) -> Result<(), Unsound> {
        let server = self.timeline.server(name)?;
        self.found(Rule::WellAnswered, t, Some(server), "no more answers than calls", line);
        Ok(())
    }

    fn order(&mut self, order: &super::history::Order) -> Result<(), Unsound> {
        let counts = &mut self.verdict.counts;
        counts.orders += 1;
        match order.deed {
            Deed::Kill | Deed::Stop | Deed::Restart => counts.kills += order.servers.len() as u64,
            Deed::Pause => counts.pauses += order.servers.len() as u64,
            Deed::Hurt => counts.link_faults += 1,
            Deed::Start | Deed::Resume | Deed::Heal => {}
        }
        self.timeline.begin_order(order)
    }

    fn done(&mut self, order: u64, t: Micros, failed: Option<&str>) -> Result<(), Unsound> {
        let order = self.timeline.end_order(order, t, failed.is_none())?;
        self.verdict.checked(Rule::Alive);
        if let Some(why) = failed {
            self.verdict.broke(Violation {
                rule: Rule::Alive,
                t,
                calls: Vec::new(),
                server: Some(order.servers.join(" ")).filter(|names| !names.is_empty()),
                client: None,
                expected: format!("the order is carried out: {:?} {}", order.deed, order.what),
                found: why.into(),
            });
        }
        Ok(())
    }

    fn sample(&mut self, sample: &Sample) -> Result<(), Unsound> {
        self.timeline.look(sample)?;
        self.verdict.counts.samples += 1;
        for (index, seen) in sample.servers.iter().enumerate() {
            self.verdict.counts.unconfirmed = self.verdict.counts.unconfirmed.max(seen.unconfirmed);
            self.verdict.checked(Rule::Alive);
            if !seen.running && self.timeline.is_here(index) {
                self.found(Rule::Alive, sample.t, Some(index), "a server that nobody has ended runs", &seen.state);
            }
        }
        if let Some(rss) = sample.rss_kb {
            self.verdict.checked(Rule::Memory);
            let most = self.verdict.worst.rss_kb_max.unwrap_or(0);
            self.verdict.worst.rss_kb_max = Some(most.max(rss));
            if rss > self.begin.rss_kb_max && most <= self.begin.rss_kb_max {
                let expected = format!("at most {} kB", self.begin.rss_kb_max);
                self.found(Rule::Memory, sample.t, None, &expected, &format!("{rss} kB"));
            }
        }
        Ok(())
    }

    /// The verdict.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        let mut open: Vec<u64> = self.open.keys().copied().collect();
        open.sort_unstable();
        for number in open {
            // It is there, and has waited until now.
            let _ = self.end(number, self.now, End::GaveUp);
        }
        if self.whole {
            self.check_convergence();
            self.check_tables();
        }
        self.waits.sort_unstable();
        let rank = |of_100: usize| self.waits.get(self.waits.len() * of_100 / 100).map_or(0, |&wait| wait.into());
        (self.verdict.worst.answer_us_median, self.verdict.worst.answer_us_p99) = (rank(50), rank(99));
        self.verdict.counts.clients = self.clients.values().filter(|client| !client.said.is_empty()).count() as u64;
        self.verdict.close(self.whole);
        self.verdict
    }

    fn check_convergence(&mut self) {
        self.verdict.checked(Rule::Converged);
        let expected = format!("the herd agrees within {} ms of the last heal", self.begin.settle_ms_max);
        let found = match self.verdict.worst.converged_us {
            Some(took) if took <= self.begin.settle_ms_max.saturating_mul(1000) => return,
            Some(took) => format!("after {} ms", took / 1000),
            None => "it did not".to_owned(),
        };
        self.found(Rule::Converged, self.now, None, &expected, &found);
    }

    fn check_tables(&mut self) {
        let mut clients: Vec<(Box<str>, Client)> = std::mem::take(&mut self.clients).into_iter().collect();
        clients.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (name, client) in clients.iter().filter(|(_, client)| !client.said.is_empty()) {
            self.check_equal(name, client);
            self.check_kept(name, client);
        }
        self.clients = clients.into_iter().collect();
    }

    fn check_equal(&mut self, name: &str, client: &Client) {
        self.verdict.checked(Rule::Equal);
        let show = |known: Option<&Known>| known.map_or("nothing", |known| &*known.line).to_owned();
        let newest = client.newest();
        for server in 0..self.begin.servers.len() {
            let found = match client.tables.get(&server) {
                None => "no answer".to_owned(),
                Some(known) if known.as_ref().map(|known| &known.line) == newest.map(|known| &known.line) => continue,
                Some(known) => show(known.as_ref()),
            };
            let own = client.tables.get(&server).and_then(|known| Some(known.as_ref()?.call));
            self.verdict.broke(Violation {
                rule: Rule::Equal,
                t: self.now,
                calls: newest.map(|known| known.call).into_iter().chain(own).collect(),
                server: Some(self.begin.servers[server].clone()),
                client: Some(name.into()),
                expected: show(newest),
                found,
            });
        }
    }

    fn check_kept(&mut self, name: &str, client: &Client) {
        let newest = client.newest();
        for said in &client.said {
            let Some((answered, answer)) = &said.answer else { continue };
            self.verdict.checked(Rule::Kept);
            let own = Known { at: said.at, line: answer.clone(), call: said.call };
            if newest.is_some_and(|newest| !newest.is_older(&own)) {
                continue;
            }
            let Err(why) = self.excuse(said, *answered) else {
                self.verdict.excused(Rule::Kept);
                continue;
            };
            self.verdict.broke(Violation {
                rule: Rule::Kept,
                t: *answered,
                calls: [said.call].into_iter().chain(newest.map(|known| known.call)).collect(),
                server: Some(self.begin.servers[said.server].clone()),
                client: Some(name.into()),
                expected: format!("{answer} or newer at the end: {why}"),
                found: newest.map_or("nothing is known of it", |known| &*known.line).into(),
            });
        }
    }

    /// Whether the protocol lets that answered report be lost; if not, why it should be there.
    fn excuse(&self, said: &Said, answered: Micros) -> Result<(), &'static str> {
        let Some(run) = said.run else { return Ok(()) };
        let life = (said.server, run);
        if self.timeline.outlives(&[life], answered) {
            return Err("the run that answered it lived on, or must have passed it on");
        }
        // What is no news waits for what was known, and whoever confirmed that may have gone since.
        let linked = if said.is_news { self.timeline.linked(life, said.said, answered) } else { 0 };
        let confirmed = self.begin.heard.min(linked);
        if self.begin.ack == Ack::Sent || confirmed == 0 || self.may_be_unconfirmed(said, answered) {
            return Ok(());
        }
        let mut gone = self.timeline.neighbours(life, said.said, answered);
        gone.retain(|&neighbour| !self.timeline.outlives(&[neighbour], answered));
        gone.dedup_by_key(|(server, _)| *server);
        if gone.len() >= confirmed {
            return Ok(());
        }
        Err("a neighbour that must have confirmed it lived on, or must have passed it on")
    }

    /// The server counts what it answers unconfirmed. Where it ended before anybody looked again, only a long wait can have
    /// been one.
    fn may_be_unconfirmed(&self, said: &Said, answered: Micros) -> bool {
        let confirmed = said.run.and_then(|run| self.timeline.was_confirmed((said.server, run), said.said, answered));
        let waited = answered - said.said >= self.begin.confirm_ms_max.saturating_mul(1000);
        !confirmed.unwrap_or(!waited)
    }

    fn close(&mut self, number: u64) -> Result<Call, Unsound> {
        self.open.remove(&number).ok_or_else(|| Unsound::new(format!("nobody waits for an answer to call {number}")))
    }

    fn found(&mut self, rule: Rule, t: Micros, server: Option<usize>, expected: &str, found: &str) {
        let server = server.map(|server| self.begin.servers[server].clone());
        let (expected, found) = (expected.into(), found.into());
        self.verdict.broke(Violation { rule, t, calls: Vec::new(), server, client: None, expected, found });
    }

    fn broke(&mut self, rule: Rule, calls: &[u64], call: &Call, client: Option<&str>, expected: String, found: &str) {
        self.verdict.broke(Violation {
            rule,
            t: self.now,
            calls: calls.into(),
            server: Some(self.begin.servers[call.server].clone()),
            client: client.map(Into::into),
            expected,
            found: found.into(),
        });
    }
}

fn refusal(line: &str) -> String {
    format!("? {line}")
}

/// A field of a line that is UTF-8 as a whole: cut at white space, it still is.
fn text(field: &[u8]) -> &str {
    std::str::from_utf8(field).unwrap_or_default()
}
