//! What is wrong with the links: one fault a directed link, kept here so that it outlives the servers at both ends.
//!
//! A fault is state: it is set, shown, and heals by order, by itself after a time, or with the herd. Several kinds may
//! be wrong with one direction at once, each kind once. The server that hears a link is sent what is wrong with it, and
//! does the rest (`server/fault.rs`).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::info;

use super::api::{self, Failure, FaultChange, FaultOrder, FaultStatus, HealOrder, Kind, Links, PartitionOrder, Wrong};
use super::chronicle::Chronicle;
use super::{Herd, Shared, later, names, status, until};
use crate::config::{Config, Link};
use crate::limits;
use crate::server::fault::{Chance, Cut, Delay, Fault, Faults};

/// What a person may want of the links.
#[derive(Debug)]
pub enum Wish {
    Fault(FaultOrder),
    Partition(PartitionOrder),
    Heal(HealOrder),
}

/// Does it, and answers when closed cuts are seen to be closed.
///
/// # Errors
///
/// With nothing changed: [`Kind::UnknownName`] for a server or a link that does not exist, [`Kind::Usage`] for what
/// makes no sense.
pub async fn grant(herd: &Shared, wish: &Wish) -> Result<FaultChange, Failure> {
    let (before, seed) = {
        let herd = &mut *herd.borrow_mut();
        let before = herd.faults.statuses(&herd.config);
        let seed = match wish {
            Wish::Fault(order) => herd.set_fault(order).map(|()| None)?,
            Wish::Partition(order) => herd.partition(order)?,
            Wish::Heal(order) => herd.heal(order).map(|()| None)?,
        };
        (before, seed)
    };
    later::heal_when_due(herd);
    until(herd, Instant::now() + limits::CUT_MAX, |herd| herd.cuts_are_seen().then_some(())).await;
    let herd = herd.borrow();
    let after = herd.faults.statuses(&herd.config);
    let is_in = |faults: &[FaultStatus], fault: &FaultStatus| faults.iter().any(|other| other.id == fault.id);
    let (set, healed): (Vec<_>, Vec<_>) = (
        after.iter().filter(|fault| !is_in(&before, fault)).cloned().collect(),
        before.iter().filter(|fault| !is_in(&after, fault)).cloned().collect(),
    );
    Ok(FaultChange {
        schema: "herd.fault/1".into(),
        changed: !set.is_empty() || before != after,
        set,
        healed,
        islands: herd.islands(),
        seed,
        summary: status::summary(&herd),
    })
}

/// The `herd.links/1` document.
pub fn links(herd: &Herd) -> Links {
    let links = status::ps(herd);
    Links { schema: "herd.links/1".into(), links: links.links, faults: links.faults }
}

/// What is wrong with the links of a herd.
#[derive(Debug)]
pub struct Ills {
    /// For each server: who its neighbours are, in order, and the way to tell it.
    towards: Vec<(Vec<usize>, watch::Sender<Faults>)>,
    active: Vec<Ill>,
    last_id: u64,
    chronicle: Rc<Chronicle>,
}

/// One thing that is wrong with one direction of a link.
#[derive(Debug, Clone)]
struct Ill {
    /// The same for both directions of one order.
    id: u64,
    from: usize,
    to: usize,
    wrong: Wrong,
    partition: bool,
    seed: Option<u64>,
    until: Option<Instant>,
}

impl Ills {
    /// A herd whose links are well.
    pub fn none(config: &Config, chronicle: Rc<Chronicle>) -> Self {
        let towards = |server| {
            let neighbours: Vec<usize> = config.neighbours(server).collect();
            let well = vec![Fault::default(); neighbours.len()];
            (neighbours, watch::Sender::new(well))
        };
        Self { towards: (0..config.servers.len()).map(towards).collect(), active: Vec::new(), last_id: 0, chronicle }
    }

    /// What is wrong with the links towards a server, now and whenever it changes.
    pub fn towards(&self, server: usize) -> watch::Receiver<Faults> {
        self.towards[server].1.subscribe()
    }

    /// All that is wrong, both directions of one order as one.
    pub fn statuses(&self, config: &Config) -> Vec<FaultStatus> {
        let name = |server: usize| config.servers[server].name.clone();
        let mut statuses: Vec<FaultStatus> = Vec::new();
        for ill in &self.active {
            let (from, to) = (name(ill.from), name(ill.to));
            let twin = statuses.iter_mut().find(|other| other.id == ill.id && other.from == to && other.to == from);
            if let Some(twin) = twin {
                twin.one_way = false;
                continue;
            }
            let left = ill.until.map(|until| until.saturating_duration_since(Instant::now()));
            statuses.push(FaultStatus {
                id: ill.id,
                wrong: ill.wrong,
                from,
                to,
                one_way: true,
                partition: ill.partition,
                seed: ill.seed,
                expires_in_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            });
        }
        statuses
    }

    /// How many there are, as [`Ills::statuses`] counts them.
    pub fn count(&self) -> usize {
        self.active.iter().map(|ill| ill.id).collect::<BTreeSet<_>>().len()
    }

    /// When the first of them heals by itself.
    pub fn next_due(&self) -> Option<Instant> {
        self.active.iter().filter_map(|ill| ill.until).min()
    }

    /// Heals what is due.
    pub fn heal_due(&mut self, config: &Config) {
        let now = Instant::now();
        self.heal_where(config, "healed by itself", |ill| ill.until.is_some_and(|until| until <= now));
    }

    /// Whether a link is cut, in either direction.
    pub fn is_cut(&self, link: Link) -> bool {
        self.on(link).any(|ill| matches!(ill.wrong, Wrong::Cut { .. }))
    }

    fn is_closed(&self, link: Link) -> bool {
        self.on(link).any(|ill| matches!(ill.wrong, Wrong::Cut { silent: false }))
    }

    fn on(&self, link: Link) -> impl Iterator<Item = &Ill> {
        let is_on = move |ill: &&Ill| link.other_end(ill.from) == Some(ill.to);
        self.active.iter().filter(is_on)
    }

    /// Sets one thing in one direction or both, in place of the same kind of thing.
    fn set(&mut self, config: &Config, both: bool, ill: Ill) {
        self.last_id += 1;
        let there = Ill { id: self.last_id, ..ill };
        let back = Ill { from: there.to, to: there.from, ..there.clone() };
        for ill in [Some(there), both.then_some(back)].into_iter().flatten() {
            self.active.retain(|old| {
                (old.from, old.to) != (ill.from, ill.to)
                    || std::mem::discriminant(&old.wrong) != std::mem::discriminant(&ill.wrong)
            });
            if !is_nothing(ill.wrong) {
                self.active.push(ill);
            }
        }
        let statuses = self.statuses(config);
        match statuses.iter().find(|status| status.id == self.last_id) {
            Some(status) => {
                info!("fault {}", described(status));
                self.note("fault.set", status);
            }
            None => {
                let name = |server: usize| config.servers[server].name.as_str();
                info!("{} – {}: no such fault any more", name(ill.from), name(ill.to));
            }
        }
        self.publish();
    }

    fn heal_where(&mut self, config: &Config, how: &str, is_meant: impl Fn(&Ill) -> bool) {
        let before = self.statuses(config);
        self.active.retain(|ill| !is_meant(ill));
        let after = self.statuses(config);
        for status in before.iter().filter(|status| !after.iter().any(|left| left.id == status.id)) {
            info!("fault {how}: {}", described(status));
            self.note("fault.healed", status);
        }
        self.publish();
    }

    /// Notes what has just been logged.
    fn note(&self, kind: &str, status: &FaultStatus) {
        self.chronicle.note(api::Event {
            kind: kind.into(),
            server: Some(status.from.clone()),
            peer: Some(status.to.clone()),
            note: Some(described(status)),
            fault: Some(status.clone()),
            ..api::Event::default()
        });
    }

    /// Sends every server what is wrong with its links, if that has changed.
    fn publish(&self) {
        for (server, (neighbours, faults)) in self.towards.iter().enumerate() {
            let now: Faults = neighbours.iter().map(|&from| self.fault(from, server)).collect();
            faults.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        }
    }

    fn fault(&self, from: usize, to: usize) -> Fault {
        let mut fault = Fault::default();
        for ill in self.active.iter().filter(|ill| (ill.from, ill.to) == (from, to)) {
            let seed = ill.seed.unwrap_or_default();
            match ill.wrong {
                Wrong::Cut { silent } => fault.cut = Some(if silent { Cut::Silent } else { Cut::Closed }),
                Wrong::Delay { delay_ms, jitter_ms } => {
                    let [by, jitter] = [delay_ms, jitter_ms].map(Duration::from_millis);
                    fault.delay = Delay { by, jitter, seed };
                }
                Wrong::Loss { percent } => fault.loss = Chance { percent, seed },
                Wrong::Dup { percent } => fault.dup = Chance { percent, seed },
                Wrong::Reorder { percent } => fault.reorder = Chance { percent, seed },
                Wrong::Throttle { bytes_per_second } => fault.throttle = bytes_per_second,
            }
        }
        fault
    }
}

impl Herd {
    fn set_fault(&mut self, order: &FaultOrder) -> Result<(), Failure> {
        let [from, to] = names::link(&self.config, &order.from, &order.to)?;
        prove(order.wrong)?;
        if order.one_way && order.wrong == (Wrong::Cut { silent: false }) {
            let why = "a connection has no half that can be closed: one way, a link can only be cut silently";
            return Err(Failure::new(Kind::Usage, why).hint("add --silent, or leave out --one-way"));
        }
        let seed = has_chance(order.wrong).then(|| order.seed.unwrap_or_else(seed));
        let ill = Ill { id: 0, from, to, wrong: order.wrong, partition: false, seed, until: deadline(order.for_ms)? };
        self.faults.set(&self.config, !order.one_way, ill);
        Ok(())
    }

    /// Cuts every link between two groups; what an earlier partition cut is healed. Gives the seed of a choice by chance.
    fn partition(&mut self, order: &PartitionOrder) -> Result<Option<u64>, Failure> {
        let until = deadline(order.for_ms)?;
        let seed = order.random.then(|| order.seed.unwrap_or_else(seed));
        let group = self.groups(order, seed)?;
        self.faults.heal_where(&self.config, "replaced", |ill| ill.partition);
        for &link in self.config.links.iter().filter(|link| group[link.dialer] != group[link.listener]) {
            let (from, to, wrong) = (link.dialer, link.listener, Wrong::Cut { silent: order.silent });
            self.faults.set(&self.config, true, Ill { id: 0, from, to, wrong, partition: true, seed: None, until });
        }
        Ok(seed)
    }

    /// The group of each server.
    fn groups(&self, order: &PartitionOrder, seed: Option<u64>) -> Result<Vec<usize>, Failure> {
        let usage = |why: &str| Err(Failure::new(Kind::Usage, why));
        let servers = self.config.servers.len();
        let ways =
            usize::from(!order.groups.is_empty()) + usize::from(order.isolate.is_some()) + usize::from(order.random);
        if ways != 1 {
            return usage("a partition is one of: groups, --isolate, --random");
        }
        if order.seed.is_some() && !order.random {
            return usage("a seed is for a choice by chance: --random");
        }
        if servers < 2 {
            return usage("one server cannot be partitioned");
        }
        if let Some(seed) = seed {
            return Ok(by_chance(servers, seed));
        }
        let isolated = order.isolate.iter().map(|name| vec![name.clone()]);
        let mut group = vec![0; servers];
        for (nth, names) in order.groups.iter().cloned().chain(isolated).enumerate() {
            for name in &names {
                let server = names::named(&self.config, name)?;
                if std::mem::replace(&mut group[server], nth + 1) != 0 {
                    return usage(&format!("{} is in two groups", self.config.servers[server].name));
                }
            }
        }
        if group.iter().all(|&of| of == group[0]) {
            return usage("all servers are in one group: nothing would be cut");
        }
        Ok(group)
    }

    fn heal(&mut self, order: &HealOrder) -> Result<(), Failure> {
        let config = &self.config;
        match (&order.servers[..], order.all) {
            ([], true) => self.faults.heal_where(config, "healed", |_| true),
            ([server], false) => {
                let server = names::named(config, server)?;
                self.faults.heal_where(config, "healed", |ill| ill.from == server || ill.to == server);
            }
            ([one, other], false) => {
                let [one, other] = names::link(config, one, other)?;
                let link = Link { dialer: one, listener: other };
                self.faults.heal_where(config, "healed", |ill| link.other_end(ill.from) == Some(ill.to));
            }
            _ => return Err(Failure::new(Kind::Usage, "heal a link (two servers), a server, or all")),
        }
        Ok(())
    }

    /// No link that is cut and closed is called live by either end.
    fn cuts_are_seen(&self) -> bool {
        let closed = self.config.links.iter().filter(|link| self.faults.is_closed(**link));
        closed.into_iter().all(|link| !status::is_half_up(&self.children, *link))
    }

    fn islands(&self) -> Vec<Vec<String>> {
        let whole: Vec<Link> = self.config.links.iter().copied().filter(|link| !self.faults.is_cut(*link)).collect();
        let islands = status::islands_over(&self.children, &whole);
        let names = |island: usize| {
            let members = islands.iter().zip(&self.children).filter(move |(of, _)| **of == Some(island));
            members.map(|(_, child)| child.name().to_owned()).collect::<Vec<_>>()
        };
        (0..islands.len()).map(names).filter(|members| !members.is_empty()).collect()
    }
}

/// `7: Bona → Campbell delay 250ms ±50ms, seed 7313 (22s left)`
fn described(status: &FaultStatus) -> String {
    format!("{}: {} {}", status.id, status.ends(), status.what())
}

fn prove(wrong: Wrong) -> Result<(), Failure> {
    let usage = |why: String| Err(Failure::new(Kind::Usage, why));
    match wrong {
        Wrong::Loss { percent } | Wrong::Dup { percent } | Wrong::Reorder { percent }
            if !(0.0..=100.0).contains(&percent) =>
        {
            usage(format!("{percent}% is not from 0% to 100%"))
        }
        Wrong::Delay { delay_ms, jitter_ms } if jitter_ms > delay_ms => {
            usage(format!("a jitter of {jitter_ms}ms would be earlier than now with a delay of {delay_ms}ms"))
        }
        Wrong::Delay { delay_ms, .. } if Duration::from_millis(delay_ms) > limits::DELAY_MAX => {
            usage(format!("a delay is at most {}s", limits::DELAY_MAX.as_secs()))
        }
        _ => Ok(()),
    }
}

fn is_nothing(wrong: Wrong) -> bool {
    match wrong {
        Wrong::Cut { .. } => false,
        Wrong::Delay { delay_ms, .. } => delay_ms == 0,
        Wrong::Loss { percent } | Wrong::Dup { percent } | Wrong::Reorder { percent } => percent == 0.0,
        Wrong::Throttle { bytes_per_second } => bytes_per_second == 0,
    }
}

fn has_chance(wrong: Wrong) -> bool {
    match wrong {
        Wrong::Cut { .. } | Wrong::Throttle { .. } => false,
        Wrong::Delay { jitter_ms, .. } => jitter_ms > 0,
        Wrong::Loss { .. } | Wrong::Dup { .. } | Wrong::Reorder { .. } => true,
    }
}

/// When what is wanted for so long is over.
fn deadline(for_ms: Option<u64>) -> Result<Option<Instant>, Failure> {
    match for_ms.map(Duration::from_millis) {
        Some(long) if long.is_zero() || long > limits::FAULT_MAX => {
            Err(Failure::new(Kind::Usage, "a fault lasts longer than nothing and at most a day, or until it is healed"))
        }
        long => Ok(long.map(|long| Instant::now() + long)),
    }
}

/// A seed that nobody chose.
pub fn seed() -> u64 {
    getrandom::u64().unwrap_or_default() % limits::SEED_END
}

/// The `nth` number that follows from a seed (SplitMix64).
pub fn chance(seed: u64, nth: u64) -> u64 {
    let mut z = seed.wrapping_add(nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Two groups, neither empty.
fn by_chance(servers: usize, seed: u64) -> Vec<usize> {
    let mut group: Vec<usize> = (0..servers as u64).map(|nth| (chance(seed, nth) & 1) as usize).collect();
    if group.iter().all(|&of| of == group[0]) {
        let odd = (chance(seed, servers as u64) % servers as u64) as usize;
        group[odd] = 1 - group[odd];
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_by_chance_has_two_sides_and_follows_its_seed() {
        for seed in 0..1000 {
            let group = by_chance(5, seed);
            assert!(group.contains(&0) && group.contains(&1), "{seed}");
            assert_eq!(group, by_chance(5, seed));
        }
        assert_ne!(by_chance(64, 1), by_chance(64, 2));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            Wrong::Loss { percent: 101.0 },
            Wrong::Dup { percent: -1.0 },
            Wrong::Reorder { percent: f64::NAN },
            Wrong::Delay { delay_ms: 10, jitter_ms: 11 },
            Wrong::Delay { delay_ms: 60_001, jitter_ms: 0 },
        ] {
            assert_eq!(prove(wrong).unwrap_err().error, Kind::Usage, "{wrong:?}");
        }
        assert!(deadline(Some(0)).is_err() && deadline(Some(u64::MAX)).is_err() && deadline(None).unwrap().is_none());
    }
}
