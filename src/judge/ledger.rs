//! What is remembered of each client while a history is heard: what was said of it, what each server has shown of it, and
//! the tables at the end.

use std::collections::HashMap;

use super::history::Micros;
use crate::protocol::line::{Report, Time};

/// A report that a server has shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    pub(super) at: Time,
    pub(super) line: Box<str>,
    /// The call that showed it.
    pub(super) call: u64,
}

/// All that is known of one client.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) said: Vec<Said>,
    pub(super) newest_said: Option<Time>,
    /// What each server has shown in a run.
    pub(super) floors: HashMap<usize, (u32, Known)>,
    /// What each server knew at the end; none of that client.
    pub(super) tables: HashMap<usize, Option<Known>>,
}

/// An `IAMAT` that was said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) call: u64,
    pub(super) server: usize,
    pub(super) run: Option<u32>,
    pub(super) said: Micros,
    pub(super) at: Time,
    /// `<location> <time>`, the client's bytes.
    pub(super) what: Box<str>,
    pub(super) answer: Option<(Micros, Box<str>)>,
    /// Newer than all that had been said of the client.
    pub(super) is_news: bool,
}

impl Client {
    pub(super) fn floor(&self, server: usize, run: Option<u32>) -> Option<&Known> {
        let (shown_in, known) = self.floors.get(&server)?;
        (Some(*shown_in) == run).then_some(known)
    }

    /// A server has shown a report in a run; nothing is concluded from one whose run is not certain.
    pub(super) fn raise(&mut self, server: usize, run: Option<u32>, known: &Known) {
        let Some(run) = run else { return };
        let floor = self.floors.entry(server).or_insert_with(|| (run, known.clone()));
        if run > floor.0 || (run == floor.0 && floor.1.is_older(known)) {
            *floor = (run, known.clone());
        }
    }

    /// The newest that any server knew at the end.
    pub(super) fn newest(&self) -> Option<&Known> {
        self.tables.values().flatten().max()
    }
}

impl Known {
    /// By the total order of reports.
    pub(super) fn is_older(&self, other: &Self) -> bool {
        (self.at, &self.line) < (other.at, &other.line)
    }
}

/// An `AT` line, field by field.
pub(super) struct At<'a> {
    pub(super) line: &'a str,
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    /// `<location> <time>`
    pub(super) what: &'a str,
    pub(super) at: Time,
}

impl<'a> At<'a> {
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let report = Report::parse(line.as_bytes())?;
        let mut fields = line.splitn(5, ' ');
        let (server, client, what) = (fields.nth(1)?, fields.nth(1)?, fields.next()?);
        Some(Self { line, server, client, what, at: report.at() })
    }

    pub(super) fn known(&self, call: u64) -> Known {
        Known { at: self.at, line: self.line.into(), call }
    }
}

pub(super) fn client_of<'a>(clients: &'a mut HashMap<Box<str>, Client>, name: &str) -> &'a mut Client {
    if !clients.contains_key(name) {
        clients.insert(name.into(), Client::default());
    }
    clients.get_mut(name).expect("it has just been made sure of")
}
