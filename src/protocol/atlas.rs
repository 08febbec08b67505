//! What a server knows: the newest report of each client, and the order in which it learnt them.
//!
//! Each report that changes the atlas gets the next *edition*, a counter of this server's run, and takes its
//! client's place at the end of the order. Whatever follows the atlas (a neighbour, a disk, a bus) is one
//! number: the edition up to which it has been told. There is no outbox and no log of changes: what follows an
//! edition is read off the order, newest reports only, so a follower that lags costs nothing.
//!
//! ```text
//! index   hash of a name ──▶ slot
//! slots   one a client: its newest line, its edition, who said it, and who said it too
//! order   (edition, slot), ascending; an entry is stale once its slot has a later edition,
//!         and the order is compacted when more than half of it is stale
//! ```
//!
//! With a million clients an update costs what it misses in the cache, so a line stands in its slot, and what can be
//! read off the line (the name, the time) is not kept beside it: two misses next to each other, some 140 bytes a client.
//! Those of a burst are waited for together, as far as that goes, in `ahead.rs`.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::line::{Parts, Report};

mod ahead;

/// A counter of the changes of one server's atlas in one run; 0 is the empty atlas.
pub type Edition = u64;

/// Who said a report to this server: a run of a neighbour, or a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(u32);

impl Source {
    /// Any client, and anything else that is never told.
    pub const CLIENT: Self = Self(0);

    /// The `n`th other source that this server has met, counting from 1. Never used twice in a run.
    ///
    /// # Panics
    ///
    /// If `n` is 0, which is [`Source::CLIENT`].
    #[must_use]
    pub fn link(n: u32) -> Self {
        assert_ne!(n, 0, "sources are counted from 1");
        Self(n)
    }
}

/// What a report was to an atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Newer than what was known of its client.
    New,
    /// Known already.
    Known,
    /// Older than what is known of its client.
    Stale,
}

/// The newest report of each client.
#[derive(Debug, Default)]
pub struct Atlas {
    index: HashTable<u32>,
    /// Seeded at random: whoever chooses client names must not be able to choose collisions.
    hasher: RandomState,
    slots: Slots,
    /// Slots of clients that were forgotten; the next new clients get them.
    free: Vec<u32>,
    order: Vec<Change>,
    edition: Edition,
    digest: u64,
}

/// One report that follows an edition.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub edition: Edition,
    /// Who said it first.
    pub source: Source,
    said_too_by: Source,
    pub line: &'a [u8],
}

impl Entry<'_> {
    /// Whether a neighbour or another follower has said it, and so has it. Of all that have, the first and the last are
    /// remembered.
    #[must_use]
    pub fn was_said_by(&self, source: Source) -> bool {
        debug_assert_ne!(source, Source::CLIENT, "clients are not told");
        self.source == source || self.said_too_by == source
    }
}

impl Atlas {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for so many more clients at once.
    pub fn reserve(&mut self, clients: usize) {
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.reserve(clients, |&slot| hasher.hash_one(slots.get(slot).client()));
        self.order.reserve(clients);
    }

    /// Takes in a report if it is newer than what is known of its client; says whether it was.
    ///
    /// # Panics
    ///
    /// At 2³² clients.
    pub fn learn(&mut self, report: Report<'_>, source: Source) -> bool {
        self.take_in(report, source).1 == News::New
    }

    /// [`Atlas::learn`], for who must also know which client that was: its slot, the same as long as the atlas
    /// lives, and all slots together are 0 to [`Atlas::len`].
    pub(super) fn take_in(&mut self, report: Report<'_>, source: Source) -> (u32, News) {
        let slot = match self.find(report.client()) {
            Some(slot) => match self.slots.get(slot).news(report) {
                News::New => self.replace(slot, report, source),
                News::Known => {
                    self.slots.get_mut(slot).said_too_by = source;
                    return (slot, News::Known);
                }
                News::Stale => return (slot, News::Stale),
            },
            None => self.insert(report, source),
        };
        self.compact_when_stale();
        (slot, News::New)
    }

    /// Forgets a client; says whether it was known. Nobody is told: a follower that was told keeps what it has, and
    /// whoever still knows the report may tell it again.
    pub fn forget(&mut self, client: &[u8]) -> bool {
        let (hash, slots) = (self.hasher.hash_one(client), &self.slots);
        let Ok(entry) = self.index.find_entry(hash, |&slot| slots.get(slot).client() == client) else {
            return false;
        };
        let (slot, _) = entry.remove();
        let forgotten = self.slots.get_mut(slot);
        self.digest = self.digest.wrapping_sub(xxh3_64(forgotten.line.bytes()));
        // No edition is 0, so its entry in the order is stale.
        *forgotten = Slot::new(Report::known(b"", Parts::default()), 0, Source::CLIENT);
        self.free.push(slot);
        true
    }

    /// The newest report of a client, and the edition that it made.
    #[must_use]
    pub fn newest(&self, client: &[u8]) -> Option<(Report<'_>, Edition)> {
        let slot = self.slots.get(self.find(client)?);
        Some((slot.report(), slot.edition))
    }

    /// What follows `told`: the newest reports in order of edition, each client once.
    pub fn after(&self, told: Edition) -> impl Iterator<Item = Entry<'_>> {
        let start = self.order.partition_point(|change| change.edition() <= told);
        self.order[start..].iter().filter_map(|change| {
            let (slot, edition) = (self.slots.get(change.slot), change.edition());
            (slot.edition == edition).then(|| slot.entry())
        })
    }

    /// The number of reports that have changed this atlas.
    #[must_use]
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// A sum over the newest reports that does not depend on their order: equal digests mean, but for one
    /// chance in 2⁶⁴, equal atlases.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How many clients are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, client: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(client);
        self.index.find(hash, |&slot| self.slots.get(slot).client() == client).copied()
    }

    fn replace(&mut self, slot: u32, report: Report<'_>, source: Source) -> u32 {
        let edition = self.next_edition(slot);
        let known = self.slots.get_mut(slot);
        self.digest = self.digest.wrapping_sub(xxh3_64(known.line.bytes())).wrapping_add(xxh3_64(report.line()));
        known.rewrite(report, edition, source);
        slot
    }

    fn insert(&mut self, report: Report<'_>, source: Source) -> u32 {
        let next = u32::try_from(self.slots.len()).expect("fewer than 2³² clients");
        let slot = self.free.pop().unwrap_or(next);
        let edition = self.next_edition(slot);
        self.digest = self.digest.wrapping_add(xxh3_64(report.line()));
        let known = Slot::new(report, edition, source);
        if slot == next {
            self.slots.push(known);
        } else {
            *self.slots.get_mut(slot) = known;
        }
        let hash = self.hasher.hash_one(report.client());
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, slot, |&slot| hasher.hash_one(slots.get(slot).client()));
        slot
    }

    fn next_edition(&mut self, slot: u32) -> Edition {
        self.edition += 1;
        self.order.push(Change::new(self.edition, slot));
        self.edition
    }

    /// Each compaction drops at least half of the order, so it costs a constant an update.
    fn compact_when_stale(&mut self) {
        const WORTH_IT: usize = 1024;
        if self.order.len() > WORTH_IT && self.order.len() > 2 * self.slots.len() {
            let slots = &self.slots;
            self.order.retain(|change| slots.get(change.slot).edition == change.edition());
        }
    }
}

/// A slot got an edition; twelve bytes, not sixteen.
#[derive(Debug)]
struct Change {
    edition: [u32; 2],
    slot: u32,
}

impl Change {
    fn new(edition: Edition, slot: u32) -> Self {
        Self { edition: [(edition >> 32) as u32, edition as u32], slot }
    }

    fn edition(&self) -> Edition {
        u64::from(self.edition[0]) << 32 | u64::from(self.edition[1])
    }
}

/// All slots, in pieces of a fixed size: nothing is moved when one more comes, and little is kept in reserve.
#[derive(Debug, Default)]
struct Slots {
    pieces: Vec<Vec<Slot>>,
}

impl Slots {
    /// An empty herd takes 7 KB for this, a million clients sixteen thousand pieces.
    const PIECE: usize = 64;

    fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * Self::PIECE + last.len())
    }

    fn push(&mut self, slot: Slot) {
        match self.pieces.last_mut().filter(|last| last.len() < Self::PIECE) {
            Some(last) => last.push(slot),
            None => {
                let mut piece = Vec::with_capacity(Self::PIECE);
                piece.push(slot);
                self.pieces.push(piece);
            }
        }
    }

    fn get(&self, slot: u32) -> &Slot {
        &self.pieces[slot as usize / Self::PIECE][slot as usize % Self::PIECE]
    }

    fn get_mut(&mut self, slot: u32) -> &mut Slot {
        &mut self.pieces[slot as usize / Self::PIECE][slot as usize % Self::PIECE]
    }
}

#[derive(Debug)]
struct Slot {
    edition: Edition,
    line: Line,
    source: Source,
    /// Who was the last to say it when it was known already; a client, if nobody did. It takes no room: without it there
    /// were four bytes to spare.
    said_too_by: Source,
}

impl Slot {
    fn new(report: Report<'_>, edition: Edition, source: Source) -> Self {
        Self { line: Line::new(report), edition, source, said_too_by: Source::CLIENT }
    }

    fn rewrite(&mut self, report: Report<'_>, edition: Edition, source: Source) {
        self.line.rewrite(report);
        (self.edition, self.source, self.said_too_by) = (edition, source, Source::CLIENT);
    }

    fn entry(&self) -> Entry<'_> {
        let Self { edition, source, said_too_by, .. } = *self;
        Entry { edition, source, said_too_by, line: self.line.bytes() }
    }

    fn report(&self) -> Report<'_> {
        self.line.report()
    }

    fn client(&self) -> &[u8] {
        self.report().client()
    }

    /// A report that is known already is the most frequent line in the herd, and told by its bytes.
    fn news(&self, report: Report<'_>) -> News {
        if report.line() == self.line.bytes() {
            News::Known
        } else if self.report() < report {
            News::New
        } else {
            News::Stale
        }
    }
}

/// A report's line, in place if it is short, with where those of its parts stand that are asked for most.
#[derive(Debug)]
enum Line {
    Short { length: u8, parts: Parts<u8>, bytes: [u8; Line::SHORT] },
    Long { parts: Parts<u32>, bytes: Box<[u8]> },
}

impl Line {
    /// Room for a name of some twenty-two bytes; a slot has 112 bytes then.
    const SHORT: usize = 91;

    fn new(report: Report<'_>) -> Self {
        let mut line = Self::Short { length: 0, parts: Parts::default(), bytes: [0; Self::SHORT] };
        line.rewrite(report);
        line
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes, .. } => &bytes[..usize::from(*length)],
            Self::Long { bytes, .. } => bytes,
        }
    }

    fn report(&self) -> Report<'_> {
        let parts = match *self {
            Self::Short { parts, .. } => parts.map(u32::from),
            Self::Long { parts, .. } => parts,
        };
        Report::known(self.bytes(), parts)
    }

    /// A client's next line is nearly always as long as its last one: then nothing is allocated.
    fn rewrite(&mut self, report: Report<'_>) {
        let (line, its_parts) = (report.line(), report.parts());
        match self {
            Self::Long { parts, bytes } if bytes.len() == line.len() => {
                *parts = its_parts;
                bytes.copy_from_slice(line);
            }
            _ if line.len() > Self::SHORT => *self = Self::Long { parts: its_parts, bytes: line.into() },
            Self::Short { length, parts, bytes } => {
                // All of them are within the short line.
                (*length, *parts) = (line.len() as u8, its_parts.map(|place| place as u8));
                bytes[..line.len()].copy_from_slice(line);
            }
            Self::Long { .. } => *self = Self::new(report),
        }
    }
}

#[cfg(test)]
mod tests;
