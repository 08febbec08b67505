//! What a server shows of itself: atomics that it writes and the herd reads, so that a hung or dead server
//! still shows. Nothing here waits, and nothing a server decides depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;

use super::archive::Flaw;
use super::bus::Trouble;
use super::counts::Counts;
use crate::places::Condition;
use crate::protocol::line::Time;

/// The levels of one incarnation of a server; a new one is made at each start.
#[derive(Debug)]
pub struct Vitals {
    phase: AtomicU8,
    /// The edition of the atlas: how many reports have changed it in this run.
    pub edition: AtomicU64,
    /// Clients in the atlas.
    pub knows: AtomicU64,
    /// The order-free digest of the atlas: equal digests mean that two servers agree.
    pub digest: AtomicU64,
    /// It has once been told all that a neighbour knew.
    caught_up: AtomicBool,
    /// Clients connected now.
    pub clients: AtomicU32,
    /// Answers written before a neighbour had confirmed, since the start.
    pub unconfirmed: AtomicU64,
    /// Log records that could not be written, since the start.
    pub log_lost: AtomicU64,
    /// What it has done since the start.
    pub counts: Counts,
    /// All at nought without an archive.
    pub archive: Archive,
    /// All at nought in a server that is no bridge to a bus.
    pub bus: Bus,
    places: AtomicU8,
    shortage: AtomicU8,
    /// One entry a neighbour, in the order of [`Config::links`](crate::config::Config::links).
    pub neighbours: Box<[Neighbour]>,
    /// Rung whenever the phase, a link's liveness or the provider of places has changed; whoever waits reads the levels again.
    pub changed: Arc<Notify>,
}

/// What a server shows of its archive.
#[derive(Debug, Default)]
pub struct Archive {
    /// The edition up to which the archive has been told.
    pub stored: AtomicU64,
    /// When it last took something: microseconds since 1970, 0 for never in this life.
    pub committed_at_us: AtomicU64,
    /// Why it takes nothing, as [`archive_trouble`] reads it; 0: it does.
    pub trouble: AtomicI32,
}

/// What a bridge shows of the bus.
#[derive(Debug, Default)]
pub struct Bus {
    state: AtomicU8,
    /// The edition up to which the bus has been told.
    pub told: AtomicU64,
    /// Reports that the bus said and that were news.
    pub learned: AtomicU64,
    /// What the bus holds that is no report.
    pub refused: AtomicU64,
    /// Reports that are longer than the bus takes.
    pub too_long: AtomicU64,
    /// Why it is away, as [`bus_trouble`] reads it; 0: it is not.
    pub trouble: AtomicU8,
}

/// How a bridge stands with the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BusState {
    /// It is being connected to, or what it holds is being read.
    Joining,
    Joined,
    Away,
}

/// What a server shows of its link to one neighbour.
#[derive(Debug)]
pub struct Neighbour {
    /// The neighbour's index in [`Config::servers`](crate::config::Config::servers).
    pub server: usize,
    /// Whether the link is live: proven, and not silent for too long.
    pub live: AtomicBool,
    /// The edition up to which the neighbour has been told.
    pub told: AtomicU64,
    /// The edition up to which the neighbour has said that it heard.
    pub heard: AtomicU64,
    /// Whether the neighbour has asked to be told a little later.
    pub held: AtomicBool,
    /// An edition that it has not confirmed, and when that was the newest, in microseconds since the epoch; 0: it
    /// has confirmed all.
    mark: (AtomicU64, AtomicU64),
}

/// Where a server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The thread runs; nothing is answered yet.
    Starting,
    /// It listens and answers.
    Serving,
    /// Its thread is parked: the kernel accepts, nothing answers.
    Paused,
    /// It takes nothing new and finishes what it has.
    Stopping,
}

/// What a server is short of for those who connect, from bad to worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Shortage {
    Nothing,
    DescriptorsForClients,
    Descriptors,
}

impl Shortage {
    /// What a person should know; nothing if all is well.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::DescriptorsForClients => Some("no descriptors are left for clients; only neighbours are let in"),
            Self::Descriptors => Some("no descriptors are left; nobody is let in"),
        }
    }
}

impl Vitals {
    /// The levels of a server that has not started, with these neighbours.
    pub fn new(neighbours: impl IntoIterator<Item = usize>, changed: Arc<Notify>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Starting as u8),
            edition: AtomicU64::new(0),
            knows: AtomicU64::new(0),
            digest: AtomicU64::new(0),
            caught_up: AtomicBool::new(false),
            clients: AtomicU32::new(0),
            unconfirmed: AtomicU64::new(0),
            log_lost: AtomicU64::new(0),
            counts: Counts::default(),
            archive: Archive::default(),
            bus: Bus::default(),
            places: AtomicU8::new(Condition::Fine as u8),
            shortage: AtomicU8::new(Shortage::Nothing as u8),
            neighbours: neighbours.into_iter().map(Neighbour::new).collect(),
            changed,
        }
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2 => Phase::Paused,
            _ => Phase::Stopping,
        }
    }

    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.changed.notify_waiters();
    }

    /// Shows a link as live or not; `neighbour` counts from 0 in the order of the links.
    pub fn set_live(&self, neighbour: usize, live: bool) {
        self.neighbours[neighbour].live.store(live, Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether it has once been told all that a neighbour knew.
    pub fn has_caught_up(&self) -> bool {
        self.caught_up.load(Relaxed)
    }

    /// Shows that it has been told all that a neighbour knew.
    pub fn set_caught_up(&self) {
        if !self.caught_up.swap(true, Relaxed) {
            self.changed.notify_waiters();
        }
    }

    /// How the provider of places fares, as far as this server has asked it.
    pub fn places(&self) -> Condition {
        match self.places.load(Relaxed) {
            0 => Condition::Fine,
            1 => Condition::Failing,
            2 => Condition::Refused,
            _ => Condition::Limited,
        }
    }

    /// Shows how the provider of places fares; rings if that has changed.
    pub fn show_places(&self, condition: Condition) {
        if self.places.swap(condition as u8, Relaxed) != condition as u8 {
            self.changed.notify_waiters();
        }
    }

    /// What it is short of for those who connect.
    pub fn shortage(&self) -> Shortage {
        match self.shortage.load(Relaxed) {
            0 => Shortage::Nothing,
            1 => Shortage::DescriptorsForClients,
            _ => Shortage::Descriptors,
        }
    }

    pub(super) fn show_shortage(&self, shortage: Shortage) {
        self.shortage.store(shortage as u8, Relaxed);
    }

    /// How many links are live, as this server sees it.
    pub fn links_live(&self) -> usize {
        self.neighbours.iter().filter(|n| n.live.load(Relaxed)).count()
    }
}

/// Why an archive takes nothing, in words; nothing if it does.
#[must_use]
pub fn archive_trouble(shown: &Archive) -> Option<String> {
    Flaw::meaning(shown.trouble.load(Relaxed))
}

impl Bus {
    pub fn state(&self) -> BusState {
        match self.state.load(Relaxed) {
            0 => BusState::Joining,
            1 => BusState::Joined,
            _ => BusState::Away,
        }
    }

    pub(super) fn set_state(&self, state: BusState) {
        self.state.store(state as u8, Relaxed);
    }
}

/// Why the bus is away, in words; nothing if it is not.
#[must_use]
pub fn bus_trouble(shown: &Bus) -> Option<String> {
    Trouble::of_code(shown.trouble.load(Relaxed)).map(|trouble| trouble.to_string())
}

impl Neighbour {
    fn new(server: usize) -> Self {
        let (live, told, heard, held) = Default::default();
        Self { server, live, told, heard, held, mark: Default::default() }
    }

    /// Notes that there is something to confirm: `edition`.
    pub fn owes(&self, edition: u64, now: impl FnOnce() -> Time) {
        if self.mark.1.load(Relaxed) == 0 {
            self.set_mark(edition, now());
        }
    }

    /// Notes that it has confirmed up to `heard`, of `edition`.
    pub fn confirmed(&self, heard: u64, edition: u64, now: impl FnOnce() -> Time) {
        self.heard.store(heard, Relaxed);
        if heard >= edition {
            self.mark.1.store(0, Relaxed);
        } else if heard >= self.mark.0.load(Relaxed) {
            self.set_mark(edition, now());
        }
    }

    /// For how long it has not confirmed what was known then.
    pub fn lag(&self, now: Time) -> Duration {
        let since = Duration::from_micros(self.mark.1.load(Relaxed));
        if since.is_zero() { Duration::ZERO } else { now.since(Time::new(since.as_secs(), since.subsec_nanos())) }
    }

    fn set_mark(&self, edition: u64, now: Time) {
        self.mark.0.store(edition, Relaxed);
        self.mark.1.store(now.seconds() * 1_000_000 + u64::from(now.nanos() / 1000), Relaxed);
    }
}
