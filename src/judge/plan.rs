//! What will be done to a herd, drawn from a seed: acts in order of time, each failure with its repair.
//!
//! Pure, so that a seed is a schedule on every machine. What is down is not killed, what runs is not started; and one
//! server at least is left alone at any time, or nothing could be promised.

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
    Stop,
    Restart,
    Pause,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::Kill, Self::Stop, Self::Restart, Self::Pause];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Pause => "pause",
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
    Stop(usize),
    Start(Vec<usize>),
    /// Killed and started in one order.
    Restart(usize),
    Pause(usize),
    Resume(usize),
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
    let mut draft = Draft { well_at: vec![0; terms.servers], acts: Vec::new() };
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
    acts: Vec<(Millis, Act)>,
}

impl Draft {
    fn fail(&mut self, terms: &Terms, fault: Fault, now: Millis, rng: &mut Rng) {
        let mut well: Vec<usize> = (0..terms.servers).filter(|&server| self.well_at[server] <= now).collect();
        // One is left alone; a herd of one has no choice.
        let may_fail = well.len().saturating_sub(usize::from(terms.servers > 1));
        if may_fail == 0 {
            return;
        }
        let server = well.swap_remove(rng.index(well.len()));
        let lasts = if rng.percent(15) { rng.between(2_000, 4_500) } else { rng.between(20, 1_200) };
        let repaired = now + lasts;
        match fault {
            Fault::Kill => {
                let mut victims = vec![server];
                // Sometimes a server with its neighbours, at the same instant.
                while victims.len() < may_fail && rng.percent(25) {
                    victims.push(well.swap_remove(rng.index(well.len())));
                }
                self.act(now, &victims, Act::Kill(victims.clone()), repaired, Act::Start(victims.clone()));
            }
            Fault::Stop => self.act(now, &[server], Act::Stop(server), repaired, Act::Start(vec![server])),
            Fault::Pause => self.act(now, &[server], Act::Pause(server), repaired, Act::Resume(server)),
            Fault::Restart => {
                self.well_at[server] = now + 1;
                self.acts.push((now, Act::Restart(server)));
            }
        }
    }

    fn act(&mut self, at: Millis, servers: &[usize], failure: Act, repaired: Millis, repair: Act) {
        for &server in servers {
            // Orders take their time; the next failure comes after the repair.
            self.well_at[server] = repaired + 1;
        }
        self.acts.extend([(at, failure), (repaired, repair)]);
    }
}
