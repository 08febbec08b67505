//! What will be done to a herd, drawn from a seed: acts in order of time, each failure with its repair.
//!
//! Pure, so that a seed is a schedule on every machine. What is down is not killed, what runs is not started; and one
//! server that knows what the others know is left alone at any time, or nothing could be promised.

use std::fmt;

/// Milliseconds since the beginning.
pub type Millis = u64;

/// The one source of chance: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Seeds are small numbers that follow each other; their first draws must not.
        let mut rng = Self(seed ^ 0x5eed_0f0a_11e2_d000);
        rng.draw();
        rng
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to, but not including, `end`; 0 for an `end` of 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // Not quite even; nothing depends on that.
        self.draw() % end.max(1)
    }

    /// `low` up to and including `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// An index of something that holds `len`.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A kind of failure that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    Kill,
    /// As a power cut kills.
    Power,
    Stop,
    Restart,
    Pause,
    /// Links closed, or silently swallowing everything.
    Cut,
    /// Every link between two groups of servers cut.
    Partition,
    Delay,
    Loss,
    Dup,
    Reorder,
    Throttle,
}

impl Fault {
    pub const ALL: [Self; 12] = [
        Self::Kill,
        Self::Power,
        Self::Stop,
        Self::Restart,
        Self::Pause,
        Self::Cut,
        Self::Partition,
        Self::Delay,
        Self::Loss,
        Self::Dup,
        Self::Reorder,
        Self::Throttle,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Power => "power",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Cut => "cut",
            Self::Partition => "partition",
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Dup => "dup",
            Self::Reorder => "reorder",
            Self::Throttle => "throttle",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Something that is done to the herd; servers and links by their indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Kill(Vec<usize>),
    /// As a power cut does.
    CutPower(usize),
    Stop(usize),
    Start(Vec<usize>),
    /// Killed and started in one order.
    Restart(usize),
    Pause(usize),
    Resume(usize),
    /// Links, and what is wrong with each of them from now on.
    Hurt(Vec<usize>, Harm),
    /// Nothing is wrong with these links any more.
    Heal(Vec<usize>),
}

/// What can be wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    Cut { silent: bool },
    Delay { ms: u64, jitter_ms: u64 },
    Loss { percent: u8 },
    Dup { percent: u8 },
    Reorder { percent: u8 },
    Throttle { bytes_per_second: u64 },
}

/// The herd, as a plan sees it, and what may be done to it.
#[derive(Debug, Clone)]
pub struct Terms {
    pub servers: usize,
    /// By the indexes of their ends.
    pub links: Vec<(usize, usize)>,
    pub faults: Vec<Fault>,
    pub lasts: Millis,
}

/// Draws the acts, ascending in time. Nearly all are repaired before the end; who carries them out heals the rest.
#[must_use]
pub fn draw(terms: &Terms, rng: &mut Rng) -> Vec<(Millis, Act)> {
    let mut draft =
        Draft { well_at: vec![0; terms.servers], links_well_at: vec![0; terms.links.len()], acts: Vec::new() };
    let mut now = rng.between(100, 400);
    while now < terms.lasts && !terms.faults.is_empty() {
        let fault = terms.faults[rng.index(terms.faults.len())];
        draft.fail(terms, fault, now, rng);
        // Mostly one thing after another, now and then all at once.
        now += if rng.percent(20) { rng.between(1, 50) } else { rng.between(100, 900) };
    }
    draft.acts.sort_by_key(|&(at, _)| at);
    draft.acts
}

struct Draft {
    /// From when on each server is well again.
    well_at: Vec<Millis>,
    links_well_at: Vec<Millis>,
    acts: Vec<(Millis, Act)>,
}

impl Draft {
    fn fail(&mut self, terms: &Terms, fault: Fault, now: Millis, rng: &mut Rng) {
        // Long ones are longer than a link may be silent.
        let lasts = if rng.percent(15) { rng.between(2_000, 4_500) } else { rng.between(20, 1_200) };
        let repaired = now + lasts;
        if matches!(fault, Fault::Kill | Fault::Power | Fault::Stop | Fault::Restart | Fault::Pause) {
            return self.fall(terms, fault, now, repaired, rng);
        }
        let links = match fault {
            Fault::Partition => between_two_groups(terms, rng),
            _ => vec![rng.index(terms.links.len())],
        };
        // What is wrong with a link already is healed first.
        if terms.links.is_empty() || links.is_empty() || links.iter().any(|&link| self.links_well_at[link] > now) {
            return;
        }
        links.iter().for_each(|&link| self.links_well_at[link] = repaired + 1);
        self.acts.push((now, Act::Hurt(links.clone(), harm(fault, rng))));
        self.acts.push((repaired, Act::Heal(links)));
    }

    fn fall(&mut self, terms: &Terms, fault: Fault, now: Millis, repaired: Millis, rng: &mut Rng) {
        let mut well: Vec<usize> = (0..terms.servers).filter(|&server| self.well_at[server] <= now).collect();
        if terms.servers > 1 {
            let Some(spared) = self.knowing(&well, now, rng) else { return };
            well.retain(|&server| server != spared);
        }
        if well.is_empty() {
            return;
        }
        let may_fail = well.len();
        let server = well.swap_remove(rng.index(well.len()));
        let mut victims = vec![server];
        // Sometimes a server with its neighbours, at the same instant.
        while fault == Fault::Kill && victims.len() < may_fail && rng.percent(25) {
            victims.push(well.swap_remove(rng.index(well.len())));
        }
        let (failure, repair) = match fault {
            Fault::Power => (Act::CutPower(server), Some(Act::Start(victims.clone()))),
            Fault::Stop => (Act::Stop(server), Some(Act::Start(victims.clone()))),
            Fault::Pause => (Act::Pause(server), Some(Act::Resume(server))),
            Fault::Restart => (Act::Restart(server), None),
            _ => (Act::Kill(victims.clone()), Some(Act::Start(victims.clone()))),
        };
        for server in victims {
            // Orders take their time; the next failure comes after the repair.
            self.well_at[server] = if repair.is_some() { repaired + 1 } else { now + 1 };
        }
        self.acts.push((now, failure));
        self.acts.extend(repair.map(|repair| (repaired, repair)));
    }

    /// One of those that are well, and have been for long enough to have been told what the others know.
    fn knowing(&self, well: &[usize], now: Millis, rng: &mut Rng) -> Option<usize> {
        const TOLD_WITHIN: Millis = 1000;
        let is_told = |&&server: &&usize| self.well_at[server] == 0 || self.well_at[server] + TOLD_WITHIN <= now;
        let knowing: Vec<usize> = well.iter().filter(is_told).copied().collect();
        (!knowing.is_empty()).then(|| knowing[rng.index(knowing.len())])
    }
}

/// The links between some of the servers and the others.
fn between_two_groups(terms: &Terms, rng: &mut Rng) -> Vec<usize> {
    let group: Vec<bool> = (0..terms.servers).map(|_| rng.percent(40)).collect();
    let crosses = |&(_, &(one, other)): &(usize, &(usize, usize))| group[one] != group[other];
    terms.links.iter().enumerate().filter(crosses).map(|(link, _)| link).collect()
}

fn harm(fault: Fault, rng: &mut Rng) -> Harm {
    let percent = rng.between(10, 90) as u8;
    match fault {
        Fault::Delay => {
            let ms = rng.between(1, 400);
            Harm::Delay { ms, jitter_ms: rng.below(ms.min(100)) }
        }
        Fault::Loss => Harm::Loss { percent },
        Fault::Dup => Harm::Dup { percent },
        Fault::Reorder => Harm::Reorder { percent },
        Fault::Throttle => Harm::Throttle { bytes_per_second: rng.between(1_000, 100_000) },
        _ => Harm::Cut { silent: rng.percent(50) },
    }
}
