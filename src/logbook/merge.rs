//! Several logs as one, in the order of events: by run, then by number.
//!
//! The files are written by several threads, each at its own pace, so a record may appear in its file after a
//! later one in another. Whoever follows gives out a record that follows the last one without a gap in the numbers at
//! once, and waits (`ripe`) for what is missing before any other. Memory is bounded:
//! of each log, no more than a part is held, and no record is given out before one that was not read yet.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::Instant;

use super::record::Record;
use super::stream::{Entry, Gap, Key, Stream};

/// So much of each log is held at most.
const HELD_BYTES_MAX: usize = 1024 * 1024;
/// With more than this unread, a reader that must not lag skips …
const BEHIND_BYTES_MAX: u64 = 1024 * 1024;
/// … all of each log but so much.
const KEPT_BYTES: u64 = 16 * 1024;

/// What comes out, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A line of the log with this index, and when it was read; none: long ago.
    Line { log: usize, line: Vec<u8>, arrived: Option<Instant> },
    /// Of the log with this index lines are missing here, and why.
    Missing { log: usize, why: String },
    /// So many records of the herd were left out here; `None`: nobody can tell how many.
    Skipped { records: Option<u64> },
}

impl Item {
    /// When it was read; none: long ago.
    pub fn arrived(&self) -> Option<Instant> {
        match self {
            Self::Line { arrived, .. } => *arrived,
            Self::Missing { .. } | Self::Skipped { .. } => None,
        }
    }

    pub fn line(&self) -> Option<&[u8]> {
        match self {
            Self::Line { line, .. } => Some(line),
            Self::Missing { .. } | Self::Skipped { .. } => None,
        }
    }

    /// The same, where so many other logs are counted first.
    #[must_use]
    pub fn of_log_after(self, first: usize) -> Self {
        match self {
            Self::Line { log, line, arrived } => Self::Line { log: first + log, line, arrived },
            Self::Missing { log, why } => Self::Missing { log: first + log, why },
            skipped @ Self::Skipped { .. } => skipped,
        }
    }
}

pub struct Merge {
    logs: Vec<Log>,
    held: BinaryHeap<Reverse<Held>>,
    arrivals: u64,
    /// What is stamped before this need not be waited for: it came with the beginning.
    settled: Option<String>,
    /// The last record of those that were given out.
    last: Option<Key>,
    /// After a skip: what comes before this is left out too, so that nothing is missing after it.
    resume: Option<Key>,
}

struct Log {
    stream: Stream,
    held_bytes: usize,
    /// The greatest key read, while there is more to read than is held.
    behind: Option<Key>,
    /// Was skipped, and has given nothing since.
    skipped: bool,
}

/// Ordered as it is given out.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    key: Key,
    nth: u64,
    log: usize,
    /// `None`: long ago.
    arrived: Option<Instant>,
    line: Vec<u8>,
}

impl Merge {
    pub fn new(streams: Vec<Stream>) -> Self {
        let log = |stream| Log { stream, held_bytes: 0, behind: None, skipped: false };
        Self {
            logs: streams.into_iter().map(log).collect(),
            held: BinaryHeap::new(),
            arrivals: 0,
            settled: None,
            last: None,
            resume: None,
        }
    }

    /// Has nothing waited for that was stamped before this time, RFC 3339: it is in its file.
    pub fn is_settled_before(&mut self, time: Option<String>) {
        self.settled = time;
    }

    /// Looks what has become of the files.
    ///
    /// # Errors
    ///
    /// If a file is there and cannot be opened.
    pub fn refresh(&mut self) -> io::Result<Vec<(usize, Gap)>> {
        let mut gaps = Vec::new();
        for (nth, log) in self.logs.iter_mut().enumerate() {
            gaps.extend(log.stream.refresh()?.map(|gap| (nth, gap)));
        }
        Ok(gaps)
    }

    /// Leaves out all but the newest if too much is unread: for a reader that cannot keep up and must not lag.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn hurry(&mut self) -> io::Result<()> {
        if self.logs.iter().map(|log| log.stream.unread()).sum::<u64>() <= BEHIND_BYTES_MAX {
            return Ok(());
        }
        for log in &mut self.logs {
            log.skipped = log.stream.skip_to_last(KEPT_BYTES)?;
            if log.skipped {
                log.held_bytes = 0;
            }
        }
        self.held.retain(|Reverse(held)| !self.logs[held.log].skipped);
        self.resume = self.resume.or(Some(Key { run: super::record::NO_RUN, seq: 0 }));
        Ok(())
    }

    /// Reads what there is, up to what may be held; says whether there is more.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn take_in(&mut self, now: Instant) -> io::Result<bool> {
        for nth in 0..self.logs.len() {
            loop {
                let log = &mut self.logs[nth];
                if log.held_bytes >= HELD_BYTES_MAX {
                    break;
                }
                let Some(entry) = log.stream.next_line()? else {
                    log.behind = None;
                    break;
                };
                self.hold(nth, entry, now);
            }
        }
        Ok(self.logs.iter().any(|log| log.behind.is_some()))
    }

    /// Takes the unfinished last lines too: nothing more will come.
    pub fn take_rests(&mut self, now: Instant) {
        for nth in 0..self.logs.len() {
            if let Some(rest) = self.logs[nth].stream.rest() {
                self.hold(nth, rest, now);
            }
            self.logs[nth].behind = None;
        }
    }

    /// The next in order, if nothing that is still unread goes before it, and nothing that is still unwritten: it
    /// follows the last one without a gap, for numbers count all records of a herd, or it has been waited for: it
    /// arrived no later than `ripe`.
    pub fn next(&mut self, ripe: Instant) -> Option<Item> {
        loop {
            let Reverse(first) = self.held.peek()?;
            let waits_for_unread = self.logs.iter().filter_map(|log| log.behind).any(|behind| first.key > behind);
            if waits_for_unread || (first.arrived > Some(ripe) && !self.follows(first.key)) {
                return None;
            }
            let is_left_out = self.resume.is_some_and(|resume| first.key < resume);
            if !is_left_out && self.resume.take().is_some() {
                let records = self.missed_before(self.held.peek()?.0.key);
                return Some(Item::Skipped { records });
            }
            let Reverse(first) = self.held.pop()?;
            self.logs[first.log].held_bytes -= first.line.len().min(self.logs[first.log].held_bytes);
            if !is_left_out {
                // A heading goes with the record before it in its own log.
                self.last = self.last.max(Some(first.key));
                return Some(Item::Line { log: first.log, line: first.line, arrived: first.arrived });
            }
        }
    }

    /// Whether no record can stand between the last one and this.
    fn follows(&self, key: Key) -> bool {
        match self.last {
            Some(last) if last.run == key.run => key.seq <= last.seq.saturating_add(1),
            _ => key.seq <= 1,
        }
    }

    fn hold(&mut self, nth: usize, entry: Entry, now: Instant) {
        let log = &mut self.logs[nth];
        if std::mem::take(&mut log.skipped) {
            self.resume = self.resume.max(Some(entry.key));
        }
        log.held_bytes += entry.line.len();
        log.behind = log.behind.max(Some(entry.key));
        self.arrivals += 1;
        let is_settled = self
            .settled
            .as_ref()
            .is_some_and(|settled| Record::read(&entry.line).is_some_and(|record| record.time < settled.as_str()));
        let arrived = if is_settled { None } else { Some(now) };
        let held = Held { key: entry.key, nth: self.arrivals, log: nth, arrived, line: entry.line };
        self.held.push(Reverse(held));
    }

    /// Numbers count all records of a herd, so a difference of numbers is a count.
    fn missed_before(&self, next: Key) -> Option<u64> {
        match self.last {
            Some(last) if last.run != next.run => None,
            last => next.seq.checked_sub(last.map_or(0, |last| last.seq).saturating_add(1)),
        }
    }
}
