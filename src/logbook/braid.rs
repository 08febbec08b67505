//! The logs of several processes as one. Each process counts its own records, so its logs are merged in the order of
//! events ([`super::merge`]); between processes goes the time. Of one process alone, this is that order and no other.

use std::io;
use std::time::{Duration, Instant};

use super::merge::{Item, Merge};
use super::record::{NO_RUN, Record, Run};
use super::stream::Gap;

/// So long a record of one process waits for earlier ones of others.
pub const HOLD: Duration = Duration::from_millis(200);

/// The logs of one process, in the order of events, wherever they come from. Logs are counted within the process.
pub trait Source: Send {
    /// As [`Merge::is_settled_before`].
    fn is_settled_before(&mut self, time: Option<&str>);

    /// As [`Merge::refresh`].
    ///
    /// # Errors
    ///
    /// If a file is there and cannot be opened.
    fn refresh(&mut self) -> io::Result<Vec<(usize, Gap)>>;

    /// As [`Merge::hurry`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    fn hurry(&mut self) -> io::Result<()>;

    /// As [`Merge::take_in`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    fn take_in(&mut self, now: Instant) -> io::Result<bool>;

    /// As [`Merge::take_rests`].
    fn take_rests(&mut self, now: Instant);

    /// As [`Merge::next`].
    fn next(&mut self, ripe: Instant) -> Option<Item>;
}

impl Source for Merge {
    fn is_settled_before(&mut self, time: Option<&str>) {
        Merge::is_settled_before(self, time.map(Into::into));
    }

    fn refresh(&mut self) -> io::Result<Vec<(usize, Gap)>> {
        Merge::refresh(self)
    }

    fn hurry(&mut self) -> io::Result<()> {
        Merge::hurry(self)
    }

    fn take_in(&mut self, now: Instant) -> io::Result<bool> {
        Merge::take_in(self, now)
    }

    fn take_rests(&mut self, now: Instant) {
        Merge::take_rests(self, now);
    }

    fn next(&mut self, ripe: Instant) -> Option<Item> {
        Merge::next(self, ripe)
    }
}

/// The logs of a herd.
pub struct Braid {
    strands: Vec<Strand>,
}

/// The logs of one process.
struct Strand {
    source: Box<dyn Source>,
    /// The index of its first log among those of the herd.
    first: usize,
    /// What is next of it.
    head: Option<Head>,
    /// The latest time that it has said: what comes after that stays after that, wherever its clock goes.
    latest: Run,
    /// There is more to read than is held.
    is_behind: bool,
}

struct Head {
    item: Item,
    time: Run,
}

impl Braid {
    /// Of each process how many logs, and where they come from; the logs of a herd are counted through.
    pub fn new(processes: Vec<(usize, Box<dyn Source>)>) -> Self {
        let mut logs = 0;
        let strand = |(many, source)| {
            let first = logs;
            logs += many;
            Strand { source, first, head: None, latest: NO_RUN, is_behind: false }
        };
        Self { strands: processes.into_iter().map(strand).collect() }
    }

    /// As [`Merge::is_settled_before`].
    pub fn is_settled_before(&mut self, time: Option<&str>) {
        self.strands.iter_mut().for_each(|strand| strand.source.is_settled_before(time));
    }

    /// As [`Merge::refresh`].
    ///
    /// # Errors
    ///
    /// If a file is there and cannot be opened.
    pub fn refresh(&mut self) -> io::Result<Vec<(usize, Gap)>> {
        let mut gaps = Vec::new();
        for strand in &mut self.strands {
            gaps.extend(strand.source.refresh()?.into_iter().map(|(log, gap)| (strand.first + log, gap)));
        }
        Ok(gaps)
    }

    /// As [`Merge::hurry`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn hurry(&mut self) -> io::Result<()> {
        self.strands.iter_mut().try_for_each(|strand| strand.source.hurry())
    }

    /// As [`Merge::take_in`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn take_in(&mut self, now: Instant) -> io::Result<bool> {
        for strand in &mut self.strands {
            strand.is_behind = strand.source.take_in(now)?;
        }
        Ok(self.strands.iter().any(|strand| strand.is_behind))
    }

    /// As [`Merge::take_rests`].
    pub fn take_rests(&mut self, now: Instant) {
        for strand in &mut self.strands {
            strand.source.take_rests(now);
            strand.is_behind = false;
        }
    }

    /// The next by time, if nothing earlier can come of another process, or it has waited for that: it arrived no later
    /// than `held`. Of each process as [`Merge::next`] says.
    pub fn next(&mut self, ripe: Instant, held: Instant) -> Option<Item> {
        self.strands.iter_mut().for_each(|strand| strand.look(ripe));
        let is_unread = |strand: &Strand| strand.head.is_none() && strand.is_behind;
        if self.strands.iter().any(is_unread) {
            return None;
        }
        let is_whole = self.strands.iter().all(|strand| strand.head.is_some());
        let heads = self.strands.iter_mut().map(|strand| &mut strand.head).filter(|head| head.is_some());
        let first = heads.min_by_key(|head| head.as_ref().map(|head| head.time))?;
        let is_ripe = |head: &mut Head| is_whole || head.item.arrived() <= Some(held);
        first.take_if(is_ripe).map(|head| head.item)
    }
}

impl Strand {
    fn look(&mut self, ripe: Instant) {
        if self.head.is_some() {
            return;
        }
        self.head = self.source.next(ripe).map(|item| {
            let item = item.of_log_after(self.first);
            let record = item.line().and_then(Record::read);
            // The heading of a file says when the file was begun.
            let record = record.filter(|record| record.run_begins().is_none());
            self.latest = record.map_or(self.latest, |record| record.stamp().max(self.latest));
            Head { item, time: self.latest }
        });
    }
}
