//! The last events of a kind, to be told again.

use std::collections::VecDeque;

use super::super::api::{EventsQuery, Failure, Kind};
use super::super::panics::printable;
use super::super::status::rfc3339;
use super::Entry;

/// The last events of a kind.
#[derive(Debug)]
pub struct Ring {
    kept: VecDeque<Entry>,
    most: usize,
    /// The number of the last one that is not kept any more; 0: all are.
    forgotten: u64,
}

/// Where a reader begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    Now,
    /// After this number.
    Seq(u64),
    /// From this time on, RFC 3339.
    Time(String),
}

impl Ring {
    pub fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most, forgotten: 0 }
    }

    pub fn keep(&mut self, entry: Entry) {
        if self.kept.len() == self.most
            && let Some(oldest) = self.kept.pop_front()
        {
            self.forgotten = oldest.seq;
        }
        self.kept.push_back(entry);
    }

    pub fn after<'a>(&'a self, since: &Since) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let start = match since {
            Since::Now => self.kept.len(),
            Since::Seq(seq) => self.kept.partition_point(|entry| entry.seq <= *seq),
            // Times of several threads need not rise as their numbers do, so all are looked at.
            Since::Time(time) => self.kept.iter().position(|entry| entry.at >= *time).unwrap_or(self.kept.len()),
        };
        self.kept.range(start..)
    }

    pub fn has_forgotten(&self, since: &Since) -> bool {
        match since {
            Since::Now => false,
            Since::Seq(seq) => self.forgotten > *seq,
            Since::Time(time) => {
                self.forgotten > 0 && self.kept.front().is_some_and(|oldest| oldest.at.as_str() > time.as_str())
            }
        }
    }
}

impl Since {
    pub fn of(query: &EventsQuery) -> Result<Self, Failure> {
        let Some(typed) = &query.since else { return Ok(Self::Now) };
        if let Ok(seq) = typed.parse() {
            return Ok(Self::Seq(seq));
        }
        let time: Result<jiff::Timestamp, _> = typed.parse();
        time.map(|time| Self::Time(rfc3339(time))).map_err(|_| {
            Failure::new(Kind::Usage, format!("since: \"{}\" is neither a number nor a time", printable(typed)))
        })
    }
}
