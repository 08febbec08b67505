//! What was done to a herd, as far as it is certain: which run of a server was there when, when it could not answer,
//! which links were hurt, and what the herd showed of itself meanwhile.
//!
//! From that follows the one excuse for a lost report. A run that holds it passes it on over each link that was seen to
//! be up and was left alone for long enough; so the report spreads from run to run. It may be lost only if every run
//! that must have had it has ended.

use std::collections::HashMap;

use super::history::{Begin, Deed, LINKS_MAX, Micros, Order, SERVERS_MAX, Sample, Unsound};

/// A link that was hurt may still end after it was healed, in microseconds: one end has heard nothing for nearly too
/// long. Until then nothing is concluded from it.
const HEALING: Micros = 4_000_000;

/// A run of a server: the server, and how often it had been started again.
pub type Life = (usize, u32);

/// What is known of one herd up to now.
#[derive(Debug)]
pub struct Timeline {
    names: HashMap<String, usize>,
    servers: Vec<Server>,
    links: Vec<Link>,
    samples: Vec<Sample>,
    under_way: HashMap<u64, Order>,
    spread: Micros,
}

#[derive(Debug, Default)]
struct Server {
    /// By their numbers; the last one is the present one.
    runs: Vec<Span>,
    /// When it was down or paused, or might have been.
    away: Vec<Span>,
    down: bool,
    paused: bool,
}

#[derive(Debug)]
struct Link {
    ends: [usize; 2],
    /// When something was wrong with it, or might have been.
    hurt: Vec<Span>,
}

/// From a time up to another; open where it lasts.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: Micros,
    to: Option<Micros>,
}

impl Span {
    /// How much of it lies between the two.
    fn overlap(self, from: Micros, to: Micros) -> Micros {
        self.to.map_or(to, |end| end.min(to)).saturating_sub(self.from.max(from))
    }

    /// Whether any moment from the one up to and with the other lies in it.
    fn touches(self, from: Micros, to: Micros) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }
}

impl Timeline {
    /// A herd that is well and whole at the time 0.
    ///
    /// # Errors
    ///
    /// If it has no servers, or more than can be judged, or a name twice, or a link of unknown servers.
    pub fn new(begin: &Begin) -> Result<Self, Unsound> {
        let count = begin.servers.len();
        if !(1..=SERVERS_MAX).contains(&count) || begin.links.len() > LINKS_MAX {
            return Err(Unsound::new(format!("a herd to be judged has 1 to {SERVERS_MAX} servers, once linked")));
        }
        let names: HashMap<String, usize> =
            begin.servers.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        if names.len() != count {
            return Err(Unsound::new("two servers have one name"));
        }
        let mut timeline = Self {
            names,
            servers: Vec::new(),
            links: Vec::new(),
            samples: Vec::new(),
            under_way: HashMap::new(),
            spread: begin.spread_ms_max.saturating_mul(1000),
        };
        let whole = || Server { runs: vec![Span { from: 0, to: None }], ..Server::default() };
        timeline.servers.resize_with(count, whole);
        for [one, other] in &begin.links {
            let ends = [timeline.server(one)?, timeline.server(other)?];
            timeline.links.push(Link { ends, hurt: Vec::new() });
        }
        Ok(timeline)
    }

    /// The index of a server.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn server(&self, name: &str) -> Result<usize, Unsound> {
        self.names.get(name).copied().ok_or_else(|| Unsound::new(format!("no server {name:?} in this herd")))
    }

    /// How often a server has been started again; none while that is not certain.
    #[must_use]
    pub fn run(&self, server: usize) -> Option<u32> {
        let restarts = |order: &Order| {
            order.deed == Deed::Restart && order.servers.iter().any(|name| self.names.get(name) == Some(&server))
        };
        (!self.under_way.values().any(restarts)).then(|| last_index(&self.servers[server].runs))
    }

    /// Something is about to be done.
    ///
    /// # Errors
    ///
    /// If it is to be done to what does not exist.
    pub fn begin_order(&mut self, order: &Order) -> Result<(), Unsound> {
        for name in &order.servers {
            let server = self.server(name)?;
            self.servers[server].begin(order.deed, order.t);
        }
        for link in self.links_of(order)? {
            if order.deed == Deed::Hurt {
                open(&mut self.links[link].hurt, order.t);
            }
        }
        self.under_way.insert(order.order, order.clone());
        Ok(())
    }

    /// It has been done, or could not be. What could not be put right is taken to be as wrong as it was.
    ///
    /// # Errors
    ///
    /// If nobody ordered it.
    pub fn end_order(&mut self, order: u64, t: Micros, done: bool) -> Result<Order, Unsound> {
        let order = self.under_way.remove(&order).ok_or_else(|| Unsound::new(format!("nobody gave order {order}")))?;
        if done {
            for name in &order.servers {
                let server = self.server(name)?;
                self.servers[server].end(order.deed, t);
            }
            if order.deed == Deed::Heal {
                for link in self.links_of(&order)? {
                    close(&mut self.links[link].hurt, t.saturating_add(HEALING));
                }
            }
        }
        Ok(order)
    }

    fn links_of(&self, order: &Order) -> Result<Vec<usize>, Unsound> {
        let link = |[one, other]: &[String; 2]| {
            let ends = (self.server(one)?, self.server(other)?);
            let is_it = |link: &Link| link.ends == [ends.0, ends.1] || link.ends == [ends.1, ends.0];
            self.links.iter().position(is_it).ok_or_else(|| Unsound::new(format!("no link {one}-{other} in this herd")))
        };
        order.links.iter().map(link).collect()
    }

    /// The herd was looked at.
    ///
    /// # Errors
    ///
    /// If that was another herd.
    pub fn look(&mut self, sample: &Sample) -> Result<(), Unsound> {
        if sample.servers.len() != self.servers.len() || sample.links.len() != self.links.len() {
            return Err(Unsound::new("a look at another herd"));
        }
        self.samples.push(sample.clone());
        Ok(())
    }

    /// Whether a server is up and not paused, for certain.
    #[must_use]
    pub fn is_here(&self, server: usize) -> bool {
        self.servers[server].away.last().is_none_or(|span| span.to.is_some())
    }

    /// For how long, between the two, a server was down or paused, or might have been.
    #[must_use]
    pub fn away_for(&self, server: usize, from: Micros, to: Micros) -> Micros {
        let spans = self.servers[server].away.iter().rev().take_while(|span| span.to.is_none_or(|end| end >= from));
        spans.map(|span| span.overlap(from, to)).sum()
    }

    /// Whether a server was down or paused, or might have been, at any moment from the one to the other.
    #[must_use]
    pub fn was_away(&self, server: usize, from: Micros, to: Micros) -> bool {
        self.servers[server].away.iter().rev().any(|span| span.touches(from, to))
    }

    /// Whether that run has been told to end.
    #[must_use]
    pub fn has_ended(&self, (server, run): Life) -> bool {
        self.servers[server].runs.get(run as usize).is_some_and(|span| span.to.is_some())
    }

    /// Whether an answer of that run, said and answered at these times, was confirmed by a neighbour, as far as the server
    /// has said so. None: it ended before anybody looked again.
    #[must_use]
    pub fn was_confirmed(&self, (server, run): Life, said: Micros, answered: Micros) -> Option<bool> {
        let span = *self.servers[server].runs.get(run as usize)?;
        let is_of_run = |sample: &&Sample| sample.since >= span.from && span.to.is_none_or(|end| sample.t <= end);
        let unconfirmed = |sample: &Sample| sample.servers[server].unconfirmed;
        let before = self.samples[..self.first_after(said)].iter().rev().take_while(|s| s.t >= span.from);
        let before = before.filter(|sample| sample.t <= said).find(is_of_run).map_or(0, unconfirmed);
        let mut after = self.samples[self.first_after(answered)..].iter();
        let after = after.find(|sample| sample.since >= answered).filter(is_of_run).map(unconfirmed)?;
        Some(before == after)
    }

    /// How many neighbours of that run must have been linked to it for all of the time between.
    #[must_use]
    pub fn linked(&self, (server, _): Life, said: Micros, answered: Micros) -> usize {
        let Some(seen) = self.samples[..self.first_after(said)].iter().rfind(|sample| sample.t <= said) else {
            return 0;
        };
        let up = |(index, link): (usize, &Link)| seen.links[index] && self.left_alone(link, seen.since, answered);
        self.links.iter().enumerate().filter(|(_, link)| link.ends.contains(&server)).filter(|link| up(*link)).count()
    }

    /// The runs of its neighbours that it may have told anything between the two.
    pub fn neighbours(&self, (server, _): Life, said: Micros, answered: Micros) -> Vec<Life> {
        let others = self.links.iter().filter_map(|link| link.other(server));
        let runs = |other: usize| {
            let runs = self.servers[other].runs.iter().enumerate();
            runs.filter(|(_, span)| span.touches(said, answered)).map(move |(run, _)| (other, number(run)))
        };
        others.flat_map(runs).collect()
    }

    /// Whether what these runs held at `t` must have come to a run that has not ended.
    #[must_use]
    pub fn outlives(&self, holders: &[Life], t: Micros) -> bool {
        let mut held: HashMap<Life, Micros> = holders.iter().map(|&life| (life, t)).collect();
        let mut fresh: Vec<Life> = holders.to_vec();
        while let Some(life) = fresh.pop() {
            let since = held[&life];
            let Some(end) = self.servers[life.0].runs.get(life.1 as usize).map(|span| span.to) else { continue };
            let Some(end) = end else { return true };
            for (index, link) in self.links.iter().enumerate() {
                let Some(other) = link.other(life.0) else { continue };
                let Some((heir, at)) = self.pass_on(index, link, other, since, end) else { continue };
                let is_news = held.get(&heir).is_none_or(|&known| at < known);
                if is_news {
                    held.insert(heir, at);
                    fresh.push(heir);
                }
            }
        }
        false
    }

    /// Over a link that was seen up after `since`, and then left alone for long enough before `end`: who has it, and when.
    fn pass_on(&self, index: usize, link: &Link, to: usize, since: Micros, end: Micros) -> Option<(Life, Micros)> {
        let looks = self.samples[self.first_after(since)..]
            .iter()
            .take_while(|sample| sample.t.saturating_add(self.spread) <= end);
        let mut calm = looks
            .filter(|look| look.since >= since && look.links[index])
            .filter(|look| self.left_alone(link, look.since, look.t.saturating_add(self.spread)));
        let look = calm.next()?;
        let run = self.servers[to].runs.iter().rposition(|span| span.from <= look.since)?;
        Some(((to, number(run)), look.t.saturating_add(self.spread)))
    }

    /// Whether nothing was done to a link or its ends from the one to the other, all of which has passed.
    fn left_alone(&self, link: &Link, from: Micros, to: Micros) -> bool {
        let hurt = link.hurt.iter().rev().any(|span| span.touches(from, to));
        !hurt && link.ends.iter().all(|&end| !self.was_away(end, from, to))
    }

    /// The first look that was over after `t`.
    fn first_after(&self, t: Micros) -> usize {
        self.samples.partition_point(|sample| sample.t <= t)
    }
}

impl Server {
    fn begin(&mut self, deed: Deed, t: Micros) {
        let ends = matches!(deed, Deed::Kill | Deed::Stop | Deed::Restart);
        let begins = (deed == Deed::Start && self.down) || deed == Deed::Restart;
        if ends {
            if !self.down {
                close(&mut self.runs, t);
            }
            (self.down, self.paused) = (true, false);
        }
        if begins {
            self.runs.push(Span { from: t, to: None });
        }
        if ends || deed == Deed::Pause {
            open(&mut self.away, t);
            self.paused |= deed == Deed::Pause && !self.down;
        }
    }

    fn end(&mut self, deed: Deed, t: Micros) {
        self.down &= !matches!(deed, Deed::Start | Deed::Restart);
        self.paused &= deed != Deed::Resume;
        if !self.down && !self.paused {
            close(&mut self.away, t);
        }
    }
}

impl Link {
    /// The other end, if this is one.
    fn other(&self, end: usize) -> Option<usize> {
        let [one, other] = self.ends;
        (one == end).then_some(other).or_else(|| (other == end).then_some(one))
    }
}

fn open(spans: &mut Vec<Span>, t: Micros) {
    if spans.last().is_none_or(|span| span.to.is_some()) {
        spans.push(Span { from: t, to: None });
    }
}

fn close(spans: &mut [Span], t: Micros) {
    if let Some(last) = spans.last_mut().filter(|span| span.to.is_none()) {
        last.to = Some(t);
    }
}

fn last_index(runs: &[Span]) -> u32 {
    number(runs.len().saturating_sub(1))
}

fn number(run: usize) -> u32 {
    u32::try_from(run).unwrap_or(u32::MAX)
}
